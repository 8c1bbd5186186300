"""``onnxplain audit``: what data offer before there is any model."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import console, options, output, values

if TYPE_CHECKING:
    from ..eeg.studies.audit import Audit
    from ..engine.contract import InputContract


@click.command("audit")
@click.argument("data", type=str, callback=values.checked(partial(values.existing, folder=True)))
@click.option(
    "--contract",
    type=str,
    callback=values.checked(values.existing),
    metavar="MODEL|FILE",
    help="Cut windows as a model does: its ONNX file, or a contract (YAML or JSON).",
)
@options.events
@click.option(
    "--labels",
    type=str,
    callback=values.checked(values.existing),
    metavar="FILE",
    help="A table of labels (.csv, .tsv): a row for each window, or with a column onset.",
)
@options.label_column
@click.option(
    "--seconds",
    type=options.above_zero,
    help="Length of a window (default: as events lie apart, 0.5 to 4).",
)
@options.subject
@options.unit
@options.force_unit
@options.show_annotations
@click.option(
    "--out", type=click.Path(path_type=Path), help="The folder to write audit.json and a report to."
)
@click.option("--strict", is_flag=True, help="Exit with 1 where a shortcut is offered.")
@options.seed
@options.threads
@options.outcome
@options.no_report
@options.guarded(time_limit=600, timed=True)
def command(
    data: Path,
    contract: Path | None,
    events: str | None,
    labels: Path | None,
    label_column: str | None,
    seconds: float | None,
    subject: str | None,
    unit: str | None,
    force_unit: bool,
    show_annotations: bool,
    out: Path | None,
    strict: bool,
    seed: int,
    threads: int | None,
    as_json: bool,
    quiet: bool,
    overwrite: bool,
    no_report: bool,
) -> int:
    """Say whether the labels of DATA can be read from what is no brain signal.

    DATA is a recording, a folder of them (BIDS, too), or an .npz with x, y, sfreq and channels. No model is
    needed. Offsets, drift, edges, gain, resolution, line, reference, time, subjects, machines: each is
    held against shuffled labels. Exit code: 0, or with --strict 1 where a shortcut is offered.
    """
    from ..engine.steps import step

    if out is not None:
        output.check(out, overwrite=overwrite, folder=True)
    given = None if contract is None else contract_of(contract)
    step("loading MNE")
    from ..eeg.recording.options import WindowOptions
    from ..eeg.studies.audit_windows import audit_of

    found = audit_of(
        data,
        contract=given,
        options=WindowOptions(
            events=events,
            labels=labels,
            label_column=label_column,
            window=seconds,
            unit=unit,
            force_unit=force_unit,
            show_annotations=show_annotations,
        ),
        seed=seed,
        subject=subject,
    )
    if out is not None:
        from ..eeg.reports.audit import write

        step("writing the report")
        with output.folder(out, overwrite=overwrite) as folder:
            write(found, folder, report=not no_report)
    if as_json:
        console.say_json(found.to_dict())
    elif not quiet:
        show(found, out)
    return 1 if strict and found.offered else 0


def contract_of(path: Path) -> InputContract:
    """The contract in a model's metadata, or of a file of its own."""
    from ..engine.contract import InputContract
    from ..engine.errors import InputError

    if path.suffix.lower() != ".onnx":
        return InputContract.from_file(path)
    from ..engine.file.load import load

    found = load(path).contract
    if found is None:
        raise InputError(
            f"{path}: no input contract in its metadata; give a contract's file (`onnxplain contract init`)"
        )
    return found


def show(found: Audit, out: Path | None) -> None:
    """Print the table, the answer, and what an audit cannot see."""
    columns = ("labels told from", found.measure, "95 % interval", "p", "verdict")
    made: dict[str, Any] = {"right": columns[1:4]}
    console.table(columns, [found.cells(r) for r in found.rows if not r.rhythm], **made)
    console.table(
        columns, [found.cells(r) for r in found.rows if r.rhythm], title="rhythms, for comparison", **made
    )
    for what, text in found.lines():
        console.say(f"{what:<11} {text}")
    for text in found.cannot_see:
        console.say(f"{'cannot see':<11} {text}")
    if out is not None:
        console.say(f"{'written':<11} {out}")
