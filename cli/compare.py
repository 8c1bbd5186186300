"""``onnxplain compare``: explanations of models, paradigms or cohorts side by side."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from . import console, options, output


@click.command("compare")
@click.argument(
    "explanations",
    nargs=-1,
    required=True,
    type=str,
    callback=options.checked(partial(options.existing, folder=True)),
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder to write.")
@click.option(
    "--labels",
    type=str,
    callback=options.checked(options.names),
    help="Names of the sides; by default those of their folders.",
)
@options.outcome
@options.guarded(timed=True)
def command(
    explanations: tuple[Path, ...],
    out: Path,
    labels: tuple[str, ...] | None,
    as_json: bool,
    quiet: bool,
    overwrite: bool,
) -> None:
    """Compare EXPLANATIONS, two or more, and write tables, maps and a report to the folder OUT.

    Each is a folder that `onnxplain explain` wrote (a recording under one model), or a folder of such
    folders, one for each subject of a cohort: a fine-tuned network beside a frozen one, one paradigm beside
    another.
    """
    from ..engine.errors import InputError
    from ..engine.steps import step

    step("loading MNE")
    from ..eeg.reports.comparison import write
    from ..eeg.studies.compare import compare, read_side

    if labels is not None and len(labels) != len(explanations):
        raise InputError(f"--labels: {len(labels)} names for {len(explanations)} explanations")
    sides = [read_side(path, labels[i] if labels else None) for i, path in enumerate(explanations)]
    step("comparing")
    found = compare(sides)
    with output.folder(out, overwrite=overwrite) as folder:
        write(found, folder)
    if as_json:
        console.say_json(found.to_dict())
        return
    if quiet:
        return
    for row in found.rows:
        if row.kind == "set":
            each = ", ".join(f"{n} {s:.0%}" for n, s in zip(found.labels, row.share, strict=True))
            console.say(f"{row.name:<15} {each}  (of electrodes {row.of_electrodes:.0%})")
    for a in found.agreements:
        alike = "" if a.per_window is None else f", window by window {a.per_window:.2f}"
        console.say(f"{'alike':<15} {a.first} and {a.second}: electrodes {a.rank:.2f} (rank){alike}")
    console.say(f"{'written':<15} {out}")
