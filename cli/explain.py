"""``onnxplain explain``: relevance of a model's input, for arrays and for recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import console, options, output, values, view_options

ARRAYS = (".npy", ".npz")
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
    "labels",
    "label_column",
    "regions",
    "components",
    "baselines",
    "inside",
    "clusters",
    "locked",
    "csv",
    "lags",
    "at",
)


@click.command("explain")
@options.model
@options.data
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder to write.")
@options.question
@options.holding
@options.backend
@options.max_closure
@options.contract
@options.cutting
@click.option(
    "--labels",
    metavar="FILE",
    type=str,
    callback=values.checked(values.existing),
    help="Labels of windows: a CSV with a column label, and onset (s) where windows start there; or a "
    "hypnogram (EDF+).",
)
@options.label_column
@options.regions
@view_options.components
@view_options.baselines
@click.option("--inside", is_flag=True, help="Look at attention heads and the position embedding too.")
@click.option("--clusters", is_flag=True, help="Cluster the windows' maps into strategies (SpRAy) too.")
@view_options.locked
@click.option("--csv", is_flag=True, help="Write relevance.csv too: a row a window, electrode and band.")
@view_options.lags
@view_options.at
@options.batch_size
@options.threads
@options.seed
@options.outcome
@options.dpi
@options.no_report
@options.guarded(timed=True)
def command(model: Path, data: Path, out: Path, **given: Any) -> None:
    """Explain what MODEL says about DATA, and write the maps to the folder OUT.

    DATA is an array (.npy, or .npz with the model's input names as keys; batch first) or a recording
    (EDF, BDF, FIF, SET, VHDR). A recording is cut into windows as the model's input contract says.
    """
    as_json, quiet, overwrite = given.pop("as_json"), given.pop("quiet"), given.pop("overwrite")
    report, params = not given.pop("no_report"), dict(given.pop("params"))
    with output.folder(out, overwrite=overwrite) as temporary:
        options.settle(given)
        if data.suffix.lower() in ARRAYS:
            summary, lines = _array(model, data, temporary, params, report, given)
        else:
            summary, lines = _recording(model, data, temporary, params, report, given)
    if as_json:
        console.say_json(summary)
    elif not quiet:
        lines.append(("written", str(out)))
        width = max(11, *(len(what) for what, _ in lines))
        for what, text in lines:
            console.say(f"{what:<{width}} {text}")


Lines = list[tuple[str, str]]


def _array(
    model: Path, data: Path, out: Path, params: dict[str, float], report: bool, given: dict[str, Any]
) -> tuple[dict[str, Any], Lines]:
    options.without_recording(given, RECORDINGS_ONLY, data)
    given.pop("batch_size")  # the engine cuts arrays itself: it knows which rows belong together
    from . import arrays

    return arrays.explain(model, data, out, params=params, report=report, **given)


def _recording(
    model: Path, data: Path, out: Path, params: dict[str, float], report: bool, given: dict[str, Any]
) -> tuple[dict[str, Any], Lines]:
    from ..engine.steps import step

    step("loading MNE")
    from ..eeg.electrodes.region_file import Regions
    from ..eeg.reports.write import write
    from ..eeg.run import explain_recording

    options.window_options(given)
    given["against"] = given["against"] or "other"
    given["regions"] = None if given["regions"] is None else Regions.from_file(given["regions"])
    given["locked"] = given["locked"] or ()
    csv = given.pop("csv")
    explained = explain_recording(model, data, params=params, **given)
    write(explained, out, report=report, csv=csv)
    return explained.summary(), explained.lines()
