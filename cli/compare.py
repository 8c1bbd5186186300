"""``onnxplain compare``: explanations of models, paradigms or cohorts side by side."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from . import console, options, output, values


@click.command("compare")
@click.argument(
    "explanations",
    nargs=-1,
    required=True,
    type=str,
    callback=values.checked(partial(values.existing, folder=True)),
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder to write.")
@click.option(
    "--labels",
    type=str,
    callback=values.checked(values.names),
    help="Names of the sides; by default those of their folders.",
)
@click.option(
    "--by-label",
    type=str,
    metavar="LABELS",
    callback=values.checked(values.names),
    help="Split one explanation by the labels of its windows, e.g. target,standard.",
)
@options.dpi
@options.outcome
@options.guarded(timed=True)
def command(
    explanations: tuple[Path, ...],
    out: Path,
    labels: tuple[str, ...] | None,
    by_label: tuple[str, ...] | None,
    as_json: bool,
    quiet: bool,
    overwrite: bool,
) -> None:
    """Compare EXPLANATIONS, two or more, and write tables, maps and a report to the folder OUT.

    Each is a folder that `onnxplain explain` wrote (a recording under one model), a folder of such folders,
    one for each subject of a cohort, or a store of `onnxplain cohort`: a fine-tuned network beside a frozen
    one, one paradigm beside another. One alone is split by the labels of its windows (--by-label).
    """
    from ..engine.errors import InputError
    from ..engine.steps import step

    step("loading MNE")
    from ..eeg.reports.comparison import write
    from ..eeg.studies.compare import compare
    from ..eeg.studies.sides import by_label as split
    from ..eeg.studies.sides import read_side

    if by_label is not None and len(explanations) > 1:
        raise InputError(f"--by-label: splits one explanation, and there are {len(explanations)}")
    n = len(explanations if by_label is None else by_label)
    if labels is not None and len(labels) != n:
        raise InputError(f"--labels: {len(labels)} names for {n} sides")
    if by_label is None:
        sides = [read_side(path, labels[i] if labels else None) for i, path in enumerate(explanations)]
    else:
        sides = split(read_side(explanations[0]), by_label)
        if labels:
            sides = [replace(side, label=label) for side, label in zip(sides, labels, strict=True)]
    step("comparing")
    found = compare(sides)
    with output.folder(out, overwrite=overwrite) as folder:
        write(found, folder)
    if as_json:
        console.say_json(found.to_dict())
        return
    if quiet:
        return
    for i, sentence in enumerate(found.answer()):
        console.say(f"{'' if i else 'answer':<15} {sentence}")
    for row in found.of_kind("region"):
        each = ", ".join(f"{n} {s:.0%}" for n, s in zip(found.labels, row.share, strict=True))
        console.say(f"{row.name:<15} {each}  (even {row.of_electrodes:.0%})")
    console.say(f"{'written':<15} {out}")
