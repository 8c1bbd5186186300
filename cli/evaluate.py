"""``onnxplain evaluate``: how good the maps of a model are on data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import console, options, output
from .explain import ARRAYS

if TYPE_CHECKING:
    from ..eeg.studies.sample import Sample

RECORDINGS_ONLY = (
    "channels",
    "window",
    "tmin",
    "tmax",
    "stride",
    "events",
    "show_annotations",
    "unit",
    "force_unit",
    "interpolate_missing",
    "bands",
)


@click.command("evaluate")
@options.model
@options.data
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder to write.")
@options.evaluated
@options.holding
@options.methods
@options.features
@options.windows
@options.backend
@options.contract
@options.cutting
@options.run_size
@options.threads
@options.seed
@options.outcome
@options.dpi
@options.no_report
@options.guarded(time_limit=600, timed=True)
def command(
    model: Path,
    data: Path,
    out: Path,
    methods: tuple[str, ...] | None,
    as_json: bool,
    quiet: bool,
    overwrite: bool,
    no_report: bool,
    **given: Any,
) -> None:
    """Measure how good the maps of MODEL on DATA are, and write a report to the folder OUT.

    Electrodes (or seconds of them, or frequency bands) are replaced in the order of relevance, by other
    windows' and by what their neighbours say, and the explained number is followed; beside random orders
    and the signal's power. And: random weights, changed inputs, agreement between methods, complexity.
    Windows of a recording are explained against others that the model calls otherwise, and against zero.
    """
    from ..engine.evaluation.setting import AGAINST_ZERO
    from ..engine.steps import step

    with output.folder(out, overwrite=overwrite) as temporary:
        step("loading MNE")
        from ..eeg.reports.evaluation import write
        from ..eeg.studies.evaluate import evaluated, methods_of

        own = rules(given["composite"] or "attnlrp", given["params"])
        methods_of(own, AGAINST_ZERO if methods is None else methods)  # a wrong name before any work
        found = evaluated(sample_of(model, data, given), methods=methods)
        write(found, temporary, report=not no_report)
    if as_json:
        console.say_json(found.summary())
    elif not quiet:
        for what, text in [*found.lines(), ("written", str(out))]:
            console.say(f"{what:<11} {text}")


def rules(composite: str, params: Any) -> Any:
    """The composite that is asked for, with its parameters."""
    from ..engine.composite import composite as find

    return find(composite, dict(params))


def sample_of(model: Path, data: Path, given: dict[str, Any]) -> Sample:
    """The windows that are evaluated, of a recording or an array; `given` are the command's options."""
    from ..eeg.studies.sample import of_array, sample
    from ..engine.explainer import Explainer
    from ..engine.steps import step

    options.settle(given)
    contrast, contract, params = given.pop("contrast"), given.pop("contract"), dict(given.pop("params"))
    against, composite = given.pop("against"), given.pop("composite")
    if data.suffix.lower() not in ARRAYS:
        options.window_options(given)
        given["against"] = against or "other"
        if composite is not None:
            given["composite"] = composite
        return sample(model, data, contract=contract, contrast=contrast, params=params, **given)
    options.without_recording(given, RECORDINGS_ONLY, data)
    if given.pop("kind") != "electrodes":
        raise click.UsageError(f"--features is for recordings; {data.name} holds arrays")
    step("reading the data")
    x = _rows(data)
    held = None if against == "none" else against
    others = _rows(Path(held)) if held is not None and Path(held).suffix.lower() in ARRAYS else None
    step("reading the model")
    made = {name: given.pop(name) for name in ("backend", "threads")}
    composite = composite or ("attnlrp" if held is None or params else "difference")
    explainer = Explainer(model, composite, contract=contract, ledger=False, **made, **params)
    return of_array(explainer, x, data, contrast=contrast, against=held, others=others, **given)


def _rows(data: Path) -> Any:
    """The one array of a file."""
    from ..engine.errors import InputError
    from . import arrays

    x = arrays.load(data)
    if isinstance(x, dict):
        if len(x) != 1:
            raise InputError(f"{data}: holds {len(x)} arrays; one can be evaluated, the windows")
        (x,) = x.values()
    return x
