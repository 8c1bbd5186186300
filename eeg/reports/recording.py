"""report.html of one recording: what its template shows, as tables and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..drawing.sections import Table
from ..explanation.explained import Explained, numbers, predictions, said_fit, truth
from ..recording.labels import number_in
from .html import provenance, write
from .recording_figures import Drawn
from .viewer.page import viewer_section

MOST_WINDOWS = 200
MOST_BYTES = 9_600_000  # of the page: what mail and browsers take without a thought
# What mne.Report, words, tables and the viewer beside its windows take; and a frame of slides, which is drawn
# when the page is.
_REST, _FRAME = 1_500_000, 120_000


def write_report(explained: Explained, drawn: Drawn, path: Path) -> Path:
    """Write the report of one recording.

    Parameters
    ----------
    explained : Explained
    drawn : Drawn
        Its figures.
    path : Path

    Returns
    -------
    Path
    """
    summary = explained.summary()
    viewer = viewer_section(explained, _room(drawn))
    return write(
        "recording.html",
        path,
        scripts=(viewer.script,),
        viewer=viewer,
        summary=summary,
        seconds=explained.contract.seconds,
        named=[s for s in summary["shares"] if s["electrodes"]],
        drawn=drawn,
        decisions=[*summary["decisions"], *drawn.said],
        own_limits=[limit for shown in drawn.sections for limit in shown.section.limits],
        windows=_windows(explained),
        left_out=len(explained.windows) > MOST_WINDOWS,
        provenance=provenance(summary, "recording"),
        ledger=_ledger(summary),
        said_fit=said_fit,
    )


def _room(drawn: Drawn) -> int:
    """Bytes that the page has left for the viewer; a picture is a third larger as text."""
    pictures = sum(len(d.image) for d in drawn.drawings()) * 4 // 3
    frames = 0 if drawn.slides is None else _FRAME * len(drawn.slides.figures)
    return MOST_BYTES - _REST - pictures - frames


def _ledger(summary: Mapping[str, Any]) -> Table:
    """Where what was explained went: the input, and each kind of entry of the ledger."""
    reached, kept = summary["reached_input"], summary["ledger"]
    rows = [
        ("the input (electrodes and time)", f"{reached:+.4g}"),
        *((f"kept back: {kind}", f"{amount:+.4g}") for kind, amount in kept.items() if amount),
        ("sum", f"{reached + sum(kept.values()):+.4g}"),
        ("explained", f"{summary['explained']['mean']:+.4g}"),
    ]
    return Table(("where it went", f"mean ({summary['unit']})"), rows, (1,))


def _windows(explained: Explained) -> Table:
    """The first windows: onset, label, what the model says, what was explained."""
    windows, data = explained.windows, explained.dataset
    guess, real = predictions(explained), truth(windows.labels, explained.contract.classes)
    classes = explained.contract.classes
    number = None if guess is not None and classes else numbers(explained)
    true = [number_in(label) for label in windows.labels]
    rows: list[tuple[object, ...]] = []
    for i in range(min(len(windows), MOST_WINDOWS)):
        said = "" if guess is None else classes[guess[i]] if classes else guess[i]
        if number is not None:
            said = f"{number[i]:.3g}"
        verdict = "" if guess is None or real[i] < 0 else "right" if guess[i] == real[i] else "wrong"
        if number is not None and np.isfinite(true[i]):
            verdict = f"{number[i] - true[i]:+.3g}"
        value = f"{data['explained'].values[i]:.3g}"
        rows.append((i, f"{windows.onsets[i]:.2f}", windows.labels[i] or "", said, verdict, value))
    head = ("window", "onset (s)", "label", "model says", "", f"explained ({explained.unit})")
    return Table(head, rows, (0, 1, 5))
