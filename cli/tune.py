"""``onnxplain tune``: the composite that is most faithful on data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import console, options, output
from .evaluate import sample_of

if TYPE_CHECKING:
    from ..engine.evaluation.tuning import Tuned


@click.command("tune")
@options.model
@options.data
@click.option(
    "--out",
    metavar="FILE.yaml",
    type=click.Path(path_type=Path),
    help="Write the chosen composite, for --composite FILE.yaml.",
)
@options.target
@options.contrast
@options.features
@options.windows
@options.backend
@options.contract
@options.cutting
@options.run_size
@options.threads
@options.seed
@options.outcome
@options.guarded(time_limit=600)
def command(
    model: Path,
    data: Path,
    out: Path | None,
    as_json: bool,
    quiet: bool,
    overwrite: bool,
    **given: Any,
) -> None:
    """Choose the composite that is most faithful to MODEL on DATA.

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

    found = sample_of(model, data, {**given, "composite": "attnlrp", "params": ()})
    tuned = tune(found.setting, also=found.interpolation, seed=given["seed"])
    if out is not None:
        about = f"chosen by onnxplain tune for {found.provenance['model']['file']}: ABPC {tuned.held_out}"
        with output.file(out, overwrite=overwrite) as temporary:
            temporary.write_text(tuned.composite.to_yaml(about=about), encoding="utf-8")
    if as_json:
        console.say_json({**tuned.summary(), "unit": found.unit, **found.provenance})
    elif not quiet:
        show(tuned, found.unit)
        if out is not None:
            console.say(f"written     {out}")


def show(tuned: Tuned, unit: str) -> None:
    """Print the table and the choice."""
    columns = ("composite", "ABPC", "95 % interval", "over random")
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
