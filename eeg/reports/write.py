"""What is written of an explanation: the dataset, the numbers as tables, figures and a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...engine.steps import step
from ..explanation import dataset as views
from ..explanation import long_form, shares
from ..explanation.explained import Explained
from ..explanation.provenance import jsonable, write_json
from ..text import plain, write_csv


def write(explained: Explained, out: Path, *, report: bool = True, csv: bool = False) -> list[Path]:
    """Write relevance.nc, shares.csv and summary.json, and with `report` the figures and report.html.

    Parameters
    ----------
    explained : Explained
    out : Path
        A folder that exists.
    report : bool
    csv : bool
        Write relevance.csv too: relevance in long form (`explanation.long_form`).

    Returns
    -------
    list of Path
        The files written.
    """
    step("writing the results")
    summary = jsonable(explained.summary())
    files = [
        views.save(explained.dataset, out / "relevance.nc"),
        write_json(summary, out / "summary.json"),
        write_csv(
            ("kind", "name", "share", "signed", "even"), _shares(explained, summary), out / "shares.csv"
        ),
    ]
    if csv:
        name = str(explained.provenance.get("data", {}).get("file", ""))
        rows = long_form.rows(explained.dataset, recording=name)
        files.append(write_csv(long_form.HEAD, rows, out / long_form.TABLE))
    if report:
        from .recording import write_report
        from .recording_figures import draw

        step("drawing the figures")
        drawn = draw(explained, out)
        step("writing the report")
        files += [
            *(p for f in drawn.drawings() for p in f.files),
            write_report(explained, drawn, out / "report.html"),
        ]
    return files


def _shares(explained: Explained, summary: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    """Shares of sets and regions, what the views have, and electrodes: a row each."""
    for s in summary["shares"]:
        if s["electrodes"]:
            yield "set", s["name"], s["share"], s["signed"], s["of_electrodes"]
    for s in summary["regions"]:
        yield "region", s["name"], s["share"], s["signed"], s["of_electrodes"]
    for view in explained.views.values():
        for kind, name, *numbers in view.rows(explained):
            yield kind, name, *map(jsonable, numbers)
    total = explained.relevance.sum(-1, dtype=np.float64).mean(0)
    each = shares.by_electrode(explained.relevance)
    for name, share, signed in zip(explained.windows.channels, each, total, strict=True):
        yield "electrode", plain(name), float(share), float(signed), 1 / len(explained.windows.channels)
