"""``onnxplain cohort``: a model on every recording of a dataset."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from . import console, options, output, values, view_options


@click.command("cohort")
@options.model
@click.argument("dataset", type=str, callback=values.checked(partial(values.existing, folder=True)))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The Zarr store to write.")
@click.option("--scheduler", metavar="ADDRESS", help="A dask scheduler, e.g. tls://host:8786.")
@click.option("--workers", type=options.positive, help="Processes on this machine (default: half the cores).")
@click.option("--pattern", metavar="TEXT", help="Only recordings with this in their path, e.g. task-rest.")
@click.option(
    "--csv",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write all of it as a table too: a row a window, electrode and band of each recording.",
)
@options.subject
@options.question
@options.holding
@options.backend
@options.max_closure
@options.contract
@options.cutting
@options.regions
@view_options.components
@view_options.baselines
@view_options.locked
@view_options.lags
@view_options.at
@options.batch_size
@options.threads
@options.seed
@options.outcome
@options.no_report
@options.guarded(time_limit=3600, timed=True)
def command(
    model: Path,
    dataset: Path,
    out: Path,
    scheduler: str | None,
    workers: int | None,
    pattern: str | None,
    csv: Path | None,
    subject: str | None,
    no_report: bool,
    as_json: bool,
    quiet: bool,
    overwrite: bool,
    **given: Any,
) -> None:
    """Explain what MODEL says about every recording of DATASET, into the Zarr store OUT.

    DATASET is a BIDS dataset or a folder of recordings. Each recording is one task; a store that exists is
    gone on with, and what it has already is not computed again. The report lies beside it, in the folder
    STORE-report. `onnxplain compare` reads stores.
    """
    from ..engine.errors import InputError
    from ..engine.steps import step

    step("looking for recordings")
    from ..eeg.electrodes.region_file import Regions
    from ..eeg.recording.dataset import recordings
    from ..eeg.reports.cohort import report_folder, write
    from ..eeg.studies.cohort import explain_cohort, is_store

    _check(out, is_store)
    if csv is not None:
        output.check(csv, overwrite=overwrite, folder=False)
    pages = None if no_report else report_folder(out)
    if pages is not None:
        again = overwrite or output.is_ours(pages)
        output.check(pages, overwrite=again, folder=True)
    items = recordings(dataset, pattern, subject)
    options.settle(given)
    options.window_options(given)
    given["against"] = given["against"] or "other"
    given["regions"] = None if given["regions"] is None else Regions.from_file(given["regions"])
    given["locked"] = given["locked"] or ()
    found = explain_cohort(
        model, items, out, options=given, scheduler=scheduler, workers=workers, overwrite=overwrite
    )
    if csv is not None and found.good:
        from ..eeg.studies.cohort_table import write_table

        step("writing the table")
        with output.file(csv, overwrite=overwrite) as temporary:
            write_table(out, temporary)
    if pages is not None and found.good:
        with output.folder(pages, overwrite=again) as folder:
            write(found, out, folder, seed=given["seed"])
    summary = found.summary()
    if as_json:
        console.say_json(summary)
    elif not quiet:
        for what, text in found.lines():
            console.say(f"{what:<15} {text}")
        report = f", {pages / 'report.html'}" if pages is not None and found.good else ""
        console.say(f"{'written':<15} {out}{report}{'' if csv is None else f', {csv}'}")
    if not found.good:
        raise InputError(f"{dataset}: no recording could be explained; the first: {found.rows[0].said}")


def _check(out: Path, is_store: Any) -> None:
    """Refuse a place that is no store of ours, before anything is read."""
    from ..engine.errors import InputError

    if out.is_symlink():
        raise InputError(f"{out}: the output is a symbolic link; name the place itself")
    if out.exists() and not is_store(out):
        raise InputError(f"{out}: exists, and is no store that onnxplain cohort wrote")
    if not out.parent.is_dir():
        raise InputError(f"{out}: there is no folder {out.parent} to write into")
