"""The options that commands share: spelt, checked and explained once."""

from __future__ import annotations

import functools
import math
import os
import re
import stat
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from . import console, guard

Command = Callable[..., Any]
Target = str | int | dict[str | int, float]


def checked(parse: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A callback for click that parses text; a ValueError becomes an error of usage."""

    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        if value is None:
            return None
        try:
            return tuple(map(parse, value)) if isinstance(value, tuple) else parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx=ctx, param=param) from None

    return callback


def existing(text: str, *, folder: bool = False) -> Path:
    """A path that can be read: never a pipe or a device, and nothing is opened to find out."""
    path = Path(text)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise ValueError(f"{text}: no such file") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{text}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if stat.S_ISDIR(mode) and not folder:
        raise ValueError(f"{text}: is a folder, not a file")
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ValueError(f"{text}: is a pipe or a device, not a file")
    return path


def growing(text: str) -> Path:
    """A file that is gone on with, or begun where there is none: never a pipe, a device or a link."""
    path = Path(text)
    if path.is_symlink():
        raise ValueError(f"{text}: is a symbolic link; name the file itself")
    try:
        path.stat()
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise ValueError(f"{text}: there is no folder {path.parent} to write into") from None
        return path
    except (OSError, ValueError) as error:
        raise ValueError(f"{text}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    return existing(text)


def size(text: str) -> int:
    """Bytes, from "8G", "500M", "1.5GiB" or a plain number; K, M, G and T are powers of 1024."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    number = 0 if match is None else int(float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " "))
    if number <= 0:
        raise ValueError(f"{text!r} is no size; write it like 8G or 500M")
    return number


def seconds(text: str) -> float:
    """A number above 0; "inf" stands for no limit."""
    number = _number(text)
    if not number > 0:
        raise ValueError(f"{text!r} is no number of seconds above 0")
    return number


def parameter(text: str) -> tuple[str, float]:
    """NAME=VALUE; whether the composite has such a parameter is the engine's to say."""
    name, sign, value = (part.strip() for part in text.partition("="))
    if not (sign and name.isidentifier()):
        raise ValueError(f"{text!r} is not NAME=VALUE, like epsilon=1e-6")
    number = _number(value)
    if not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number, not {value!r}")
    return name, number


def explained(text: str) -> Target:
    """A target: predicted, all, a class number or name, or {class: weight} from "left:1,right:-1".

    Whether the model has such a class is the engine's to say.
    """
    text = text.strip()
    if not text:
        raise ValueError("it is empty")
    parts = [part.rpartition(":") for part in text.split(",")]
    numbers = [_number(weight) for _, _, weight in parts]
    if not all(name.strip() for name, _, _ in parts) or any(map(math.isnan, numbers)):
        return _class(text)  # a name may itself have a comma or a colon in it
    weights: dict[str | int, float] = {}
    for (name, _, _), weight in zip(parts, numbers, strict=True):
        if _class(name) in weights:
            raise ValueError(f"the class {name!r} stands twice")
        if not math.isfinite(weight):
            raise ValueError(f"the weight of {name!r} must be finite")
        weights[_class(name)] = weight
    return weights


def names(text: str) -> tuple[str, ...]:
    """Names separated by commas, none of them empty or twice."""
    # A name with a comma in it stands in quotes.
    parts = re.findall(r"""\s*(?:"([^"]*)"|'([^']*)')\s*(?:,|$)|([^,]*)(?:,|$)""", f"{text},")[:-1]
    found = tuple((a or b or c).strip() for a, b, c in parts)
    if not all(found):
        raise ValueError("a name is empty")
    twice = [name for name in found if found.count(name) > 1]
    if twice:
        raise ValueError(f"{twice[0]} stands twice")
    return found


def lags(text: str) -> tuple[float, float]:
    """Two numbers of seconds, the first before the second."""
    numbers = [_number(part) for part in text.split(",")]
    if len(numbers) != 2 or not all(map(math.isfinite, numbers)) or numbers[0] >= numbers[1]:
        raise ValueError(f"{text!r} is not FROM,TO in seconds, like -0.2,0.8")
    return numbers[0], numbers[1]


def bands(text: str) -> dict[str, tuple[float, float]]:
    """Frequency bands by name, of NAME=LOW-HIGH separated by commas; whether they make sense is for later."""
    found: dict[str, tuple[float, float]] = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*([^=]+?)\s*=\s*([\d.]+)\s*-\s*([\d.]+)\s*", part)
        edges = (math.nan, math.nan) if match is None else (_number(match[2]), _number(match[3]))
        if match is None or any(map(math.isnan, edges)):
            raise ValueError(f"{part.strip()!r} is not NAME=LOW-HIGH in Hz, like mu=8-13")
        if match[1] in found:
            raise ValueError(f"the band {match[1]!r} stands twice")
        found[match[1]] = edges
    return found


def _class(text: str) -> str | int:
    try:
        return int(text)
    except ValueError:
        return text.strip()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _option(
    *names: str, parse: Callable[[str], Any] | None = None, **more: Any
) -> Callable[[Command], Command]:
    if parse is not None:
        more.update(type=str, callback=checked(parse))
    return click.option(*names, **more)


positive = click.IntRange(min=1)
above_zero = click.FloatRange(min=0, min_open=True)

model = click.argument("model", type=str, callback=checked(existing))
data = click.argument("data", type=str, callback=checked(functools.partial(existing, folder=True)))
target = _option(
    "--target",
    parse=explained,
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
    parse=parameter,
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
    parse=existing,
    metavar="FILE",
    help="The model's input contract (YAML), where its own file carries none.",
)
example = _option(
    "--example",
    parse=existing,
    metavar="FILE",
    help="An input (.npy, .npz), where the file leaves open how long one is.",
)
channels = _option(
    "--channels", parse=names, metavar="NAMES", help="Electrodes in the model's order, e.g. C3,Cz,C4."
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
    parse=bands,
    metavar="NAME=LOW-HIGH,...",
    help="Frequency bands in Hz, e.g. mu=8-13,beta=13-30.",
)
regions = _option(
    "--regions",
    parse=existing,
    metavar="FILE",
    help="Electrode sets and regions of your own (YAML with sets and partition).",
)
axes = _option(
    "--axes",
    parse=lambda text: tuple(name.strip() for name in text.split(",")),
    metavar="NAMES",
    help="Axes of the model's input, e.g. batch,one,channel,time.",
)
classes = _option("--classes", parse=names, metavar="NAMES", help="Names of the outputs, e.g. left,right.")
batch_size = _option(
    "--batch-size", type=positive, default=8, show_default=True, help="Windows explained at a time."
)
methods = _option(
    "--methods",
    parse=names,
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
            parse=seconds,
            default=str(time_limit),
            show_default=True,
            metavar="SECONDS",
            help="How long one step may take without progress.",
        )
        @_option(
            "--memory-limit",
            parse=size,
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
