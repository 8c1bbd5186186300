"""The options that commands share: spelt, checked and explained once."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from . import console, guard, values

Command = Callable[..., Any]


def _option(
    *names: str, parse: Callable[[str], Any] | None = None, **more: Any
) -> Callable[[Command], Command]:
    if parse is not None:
        more.update(type=str, callback=values.checked(parse))
    return click.option(*names, **more)


positive = click.IntRange(min=1)
above_zero = click.FloatRange(min=0, min_open=True)

model = click.argument("model", type=str, callback=values.checked(values.existing))
data = click.argument(
    "data", type=str, callback=values.checked(functools.partial(values.existing, folder=True))
)
target = _option(
    "--target",
    parse=values.explained,
    default="predicted",
    show_default=True,
    help="predicted, all, a class number or name, or a contrast like left:1,right:-1.",
)
contrast = _option(
    "--contrast",
    type=click.Choice(["rest", "none"]),
    help="rest: the class against the mean of the others (the default); none: the plain logit.",
)
composite = _option(
    "--composite",
    default="attnlrp",
    show_default=True,
    help="The rules: a preset such as attnlrp, cplrp, epsilon, gamma or gradient, or a YAML file.",
)
first_composite = _option(
    "--composite",
    help="The rules of the first method: a preset or a YAML file (default: difference where windows are held "
    "against others and --param says nothing, else attnlrp).",
)
param = _option(
    "--param",
    "params",
    parse=values.parameter,
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter of the composite, e.g. epsilon=1e-6.",
)
backend = _option(
    "--backend",
    type=click.Choice(["auto", "numpy", "onnx"]),
    default="auto",
    show_default=True,
    help="What carries relevance back: numpy, or onnxruntime on a graph made for it.",
)
max_closure = _option(
    "--max-closure",
    type=above_zero,
    default=1e-3,
    show_default=True,
    metavar="PART",
    help="How far relevance and ledger may be from what was explained; beyond it nothing is written.",
)
contract = _option(
    "--contract",
    parse=values.existing,
    metavar="FILE",
    help="The model's input contract (YAML), where its own file carries none.",
)
example = _option(
    "--example",
    parse=values.existing,
    metavar="FILE",
    help="An input (.npy, .npz), where the file leaves open how long one is.",
)
channels = _option(
    "--channels", parse=values.names, metavar="NAMES", help="Electrodes in the model's order, e.g. C3,Cz,C4."
)
recorded = _option(
    "--channels",
    metavar="NAMES",
    help="Recorded channels in the model's order, or pairs like T7=T3,Cz=vertex.",
)
window = _option("--window", type=above_zero, help="Length of a window in seconds.")
tmin = _option("--tmin", type=float, help="Seconds from an event to the start of its window, e.g. -0.2.")
tmax = _option("--tmax", type=float, help="Seconds from an event to the end of its window, e.g. 0.8.")
stride = _option(
    "--stride", type=above_zero, help="Seconds from the start of a window to that of the next (overlap)."
)
events = _option("--events", help="Windows start at annotations with these names, e.g. left,right.")
unit = _option(
    "--unit",
    type=click.Choice(["V", "mV", "uV"], case_sensitive=False),
    help="The recording's unit, if its file errs.",
)
force_unit = _option("--force-unit", is_flag=True, help="Take amplitudes that no EEG has, and mark them.")
subject = _option(
    "--subject",
    metavar="PATTERN",
    help="Where a file's name has the subject, e.g. '{subject}_run*.edf' (* any characters, ? one).",
)
show_annotations = _option(
    "--show-annotations", is_flag=True, help="Show texts of annotations that may hold names."
)
interpolate = _option(
    "--interpolate-missing", is_flag=True, help="Spline electrodes that the recording lacks."
)
label_column = _option(
    "--label-column", metavar="NAME", help="The column of the table of labels that has them, e.g. value."
)
against = _option(
    "--against",
    metavar="other|any|none|LABEL|FILE",
    help="What windows are held against: others that the model calls otherwise (the default for recordings), "
    "any others, those with a label (e.g. rest), those of a file; none: zero, as for arrays without a file.",
)
references = _option(
    "--references",
    type=positive,
    default=4,
    show_default=True,
    metavar="N",
    help="Windows that each is held against.",
)
rhythms = _option(
    "--bands",
    parse=values.bands,
    metavar="NAME=LOW-HIGH,...",
    help="Frequency bands in Hz, e.g. mu=8-13,beta=13-30.",
)
regions = _option(
    "--regions",
    parse=values.existing,
    metavar="FILE",
    help="Electrode sets and regions of your own (YAML with sets and partition).",
)
axes = _option(
    "--axes",
    parse=lambda text: tuple(name.strip() for name in text.split(",")),
    metavar="NAMES",
    help="Axes of the model's input, e.g. batch,one,channel,time.",
)
classes = _option(
    "--classes", parse=values.names, metavar="NAMES", help="Names of the outputs, e.g. left,right."
)
batch_size = _option(
    "--batch-size", type=positive, default=8, show_default=True, help="Windows explained at a time."
)
methods = _option(
    "--methods",
    parse=values.names,
    metavar="NAMES",
    help="Methods to compare, e.g. difference,cplrp,occlusion: composites, integrated_gradients, "
    "expected_gradients, occlusion, exchange.",
)
features = _option(
    "--features",
    "kind",
    type=click.Choice(["electrodes", "segments", "bands"]),
    default="electrodes",
    show_default=True,
    help="What is replaced: electrodes, seconds of electrodes, or frequency bands.",
)
windows = _option(
    "--windows",
    type=click.IntRange(min=2),
    default=64,
    show_default=True,
    metavar="N",
    help="At most so many windows, at random.",
)
run_size = _option(
    "--batch-size", type=positive, default=64, show_default=True, help="Windows run at a time."
)
# Where libraries of linear algebra read how many threads they may take.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
threads = _option("--threads", type=positive, help="Threads to compute with (default: one a core).")
seed = _option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of what is random."
)
as_json = _option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
quiet = _option("--quiet", is_flag=True, help="Print nothing but errors.")
overwrite = _option("--overwrite", is_flag=True, help="Replace an output that exists.")


def _drawn_at(ctx: click.Context, param: click.Parameter, value: int | None) -> None:
    if value is None or ctx.resilient_parsing:
        return
    from ..eeg.drawing.resolution import draw_at

    draw_at(value)


dpi = _option(
    "--dpi",
    type=click.IntRange(50, 1200),
    expose_value=False,
    callback=_drawn_at,
    help="Dots per inch of PNG figures (default: 150).",
)
no_report = _option("--no-report", is_flag=True, help="Write no figures and no report.html.")


def together(*several: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Options that go together as one decorator, shown in this order."""

    def wrap(command: Command) -> Command:
        for one in reversed(several):
            command = one(command)
        return command

    return wrap


# How a recording is cut into windows.
cutting = together(
    recorded, window, tmin, tmax, stride, events, show_annotations, unit, force_unit, interpolate, rhythms
)
# What is explained, and by which rules.
question = together(target, contrast, composite, param)
evaluated = together(target, contrast, first_composite, param)
# What windows are held against.
holding = together(against, references)
# What is printed, and whether what is there may be replaced.
outcome = together(as_json, quiet, overwrite)


def settle(given: dict[str, Any]) -> None:
    """Fill in what an option leaves open: against what a class is explained, and the contract's text.

    Raises
    ------
    InputError
        The contract cannot be used.
    """
    # A contrast that the user wrote out is its own answer to "against what".
    given["contrast"] = given["contrast"] or ("none" if isinstance(given["target"], dict) else "rest")
    if given["contract"] is not None:
        from ..engine.contract import InputContract

        given["contract"] = InputContract.from_file(given["contract"])


def window_options(given: dict[str, Any]) -> None:
    """Put the options of how a recording is cut together, as "window_options"."""
    from dataclasses import fields

    from ..eeg.recording.options import WindowOptions

    names = {f.name: f.metadata.get("keyword", f.name) for f in fields(WindowOptions)}
    there = {field: given.pop(option) for field, option in names.items() if option in given}
    given["window_options"] = WindowOptions(**there)


def without_recording(given: dict[str, Any], names: Iterable[str], data: Path) -> None:
    """Take out options that are for recordings, where the data are arrays.

    Raises
    ------
    click.UsageError
        One of them was given.
    """
    for name in names:
        value = given.pop(name)
        if value is not None and value is not False and value != ():
            option = "--" + name.replace("_", "-")
            raise click.UsageError(f"{option} is for recordings; {data.name} holds arrays")


def _timed(body: Callable[[], int | None], began: float) -> int | None:
    """Run a command's body; its last line says how long it took."""
    code = body()
    console.took(time.monotonic() - began)
    return code


def guarded(
    *, time_limit: int = 120, memory: float = 0.75, timed: bool = False
) -> Callable[[Command], Command]:
    """Run a command's body in a child process, within limits that the user can set.

    Parameters
    ----------
    time_limit : int
        Default number of seconds that one step may take without progress.
    memory : float
        Part of the machine's memory that the work may hold by default; less where less is free.
    timed : bool
        Whether its last line says how long it took.
    """
    part = {0.75: "three quarters", 0.5: "half", 0.25: "a quarter"}[memory]

    def wrap(body: Command) -> Command:
        @_option(
            "--time-limit",
            parse=values.seconds,
            default=str(time_limit),
            show_default=True,
            metavar="SECONDS",
            help="How long one step may take without progress.",
        )
        @_option(
            "--memory-limit",
            parse=values.size,
            metavar="SIZE",
            help=f"E.g. 8G (default: {part} of the memory, or what is free less a margin).",
        )
        @functools.wraps(body)
        def command(*, time_limit: float, memory_limit: int | None, **options: Any) -> None:
            if options.get("quiet"):
                console.quiet()
            if options.get("as_json"):
                console.no_log()
            if options.get("threads"):
                for name in THREADS:
                    os.environ[name] = str(options["threads"])  # read once, when numpy is imported
            job = functools.partial(body, **options)
            if timed and not (options.get("as_json") or options.get("init")):  # those print what is read on
                job = functools.partial(_timed, job, time.monotonic())
            most = guard.default_limit(memory) if memory_limit is None else memory_limit
            raise click.exceptions.Exit(guard.run(job, time_limit=time_limit, memory_limit=most))

        return command

    return wrap
