"""``onnxplain tune``: the composite, and the references, that are most faithful on data."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import console, options, output
from .evaluate import sample_of
from .explain import ARRAYS

if TYPE_CHECKING:
    from ..eeg.studies.sample import Sample
    from ..engine.evaluation.tuning import Candidate, Tuned


@click.command("tune")
@options.model
@options.data
@click.option(
    "--out",
    metavar="FILE.yaml",
    type=click.Path(path_type=Path),
    help="Write the chosen composite, for --composite FILE.yaml; its sentence has the other options.",
)
@options.target
@options.contrast
@options.against
@options.features
@options.windows
@options.backend
@options.contract
@options.cutting
@options.run_size
@options.threads
@options.seed
@options.outcome
@options.guarded(time_limit=600, timed=True)
def command(
    model: Path,
    data: Path,
    out: Path | None,
    as_json: bool,
    quiet: bool,
    overwrite: bool,
    **given: Any,
) -> None:
    """Choose the composite, and what windows are held against, that are most faithful to MODEL on DATA.

    One half of the windows chooses, by the area between deletion curves (ABPC); the other half, which had
    no say, judges the choice beside the default.
    """
    from ..engine.steps import step

    if out is not None:
        if out.suffix.lower() not in (".yaml", ".yml"):
            raise click.UsageError(f"--out {out}: a composite is a .yaml file")
        output.check(out, overwrite=overwrite, folder=False)
    step("loading MNE")
    from ..engine.evaluation.tuning import tune

    of_arrays = data.suffix.lower() in ARRAYS
    found = sample_of(model, data, {**given, "composite": "attnlrp", "params": ()})
    tried, default = asked_for(found, of_arrays)
    tuned = tune(found.setting, tried, default=default, also=found.interpolation, seed=given["seed"])
    words = use(tuned, found, data, of_arrays)
    name, advised = tuned.advised
    if out is not None:
        with output.file(out, overwrite=overwrite) as temporary:
            text = advised.composite.to_yaml(about=about(tuned, found, words))
            temporary.write_text(text, encoding="utf-8")
    if as_json:
        console.say_json({**tuned.summary(), "use": words, "unit": found.unit, **found.provenance})
    elif not quiet:
        show(tuned, found.unit)
        console.say(f"use         --composite {out or advised.composite.name} {words}".rstrip())
        if out is not None:
            console.say(f"written     {out}: {name}")


def asked_for(found: Sample, of_arrays: bool) -> tuple[dict[str, Candidate], str]:
    """What is tried, and the default: what `explain` shows first."""
    from ..engine.evaluation.references import ANY, OTHER
    from ..engine.evaluation.tuning import DEFAULT, against_zero, candidates, difference, differences

    which = found.setting.against.which
    if found.against == "none" and not of_arrays:
        return against_zero(), DEFAULT
    if of_arrays and which in (
        OTHER,
        ANY,
    ):  # `explain` holds arrays against any rows of a file
        return {**against_zero(), **differences(ANY)}, DEFAULT
    default = DEFAULT if of_arrays else difference(OTHER if which == ANY else which, 4)
    return candidates(found.setting.against), default


def about(tuned: Tuned, found: Sample, words: str) -> str:
    """What the file says of itself: which it is, for what model and data, what was found, its use."""
    from ..eeg.text import plain

    name = tuned.advised[0]
    which = "the choice" if tuned.better else "the default, which tune says to stay with"
    model, data = (plain(found.provenance[what]["file"], 80) for what in ("model", "data"))
    return (
        f"{name}: {which}, by onnxplain tune for {model} on {data}. {tuned.sentence} "
        f"ABPC is in {found.unit}; random orders have {tuned.random}. "
        f"Explain with {words or 'no further options'}."
    )


def use(tuned: Tuned, found: Sample, data: Path, of_arrays: bool) -> str:
    """The options of `explain` for what is advised, beside --composite."""
    _, chosen = tuned.advised
    if not chosen.against:
        return "" if of_arrays else "--against none"
    against = chosen.against if chosen.against in ("other", "any") else found.against
    if of_arrays and against in ("other", "any"):
        against = str(data)
    return f"--against {shlex.quote(against)} --references {chosen.references}"


def show(tuned: Tuned, unit: str) -> None:
    """Print the table and the choice."""
    columns = ("tried", "ABPC", "95 % interval", "over random")
    rows = [
        (
            t.name,
            f"{t.abpc.value:.3g}",
            f"{t.abpc.low:.3g} to {t.abpc.high:.3g}",
            f"{t.over_random.value:+.3g} ({t.over_random.low:.3g} to {t.over_random.high:.3g})",
        )
        for t in tuned.tried
    ]
    title = f"on the {tuned.windows[0]} windows that choose ({unit})"
    console.table(columns, rows, title=title, right=columns[1:])
    for name, why in tuned.refused.items():
        console.say(f"not tried   {name}: {why}")
    console.say(tuned.sentence)
    console.say(f"Random orders have {tuned.random} there.")
