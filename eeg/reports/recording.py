"""report.html of one recording: what its template shows, as tables and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..explanation.explained import Explained, predictions, truth
from .html import Table, provenance, write
from .recording_figures import TITLES, Drawn
from .recording_sections import clusters_table, layers_table, limits, locked_table, positions_table

MOST_WINDOWS = 200


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
    return write(
        "recording.html",
        path,
        summary=summary,
        seconds=explained.contract.seconds,
        named=[s for s in summary["shares"] if s["electrodes"]],
        drawn=drawn,
        names=TITLES,
        decisions=[*summary["decisions"], *drawn.said],
        own_limits=limits(summary, explained.windows.sfreq),
        windows=_windows(explained),
        left_out=len(explained.windows) > MOST_WINDOWS,
        provenance=provenance(summary, "recording"),
        ledger=_ledger(summary),
        **_views(summary, explained.windows.onsets.tolist()),
    )


def _views(summary: Mapping[str, Any], onsets: list[float]) -> dict[str, Table | None]:
    """The tables of what was asked for beside the map; None for what was not."""
    inside = summary["inside"]
    layers = inside is not None and inside["layers"]
    positions = None if inside is None else inside["positions"]
    clusters = summary["clusters"]
    return {
        "locked": locked_table(summary["locked"]) if summary["locked"] else None,
        "clusters": None if clusters is None else clusters_table(clusters, onsets),
        "baselines": _baselines(summary["baselines"]) if summary["baselines"] else None,
        "components": _components(summary) if summary["components"] else None,
        "bands": _bands(summary) if summary["bands"] else None,
        "layers": layers_table(inside) if layers else None,
        "positions": None if positions is None else positions_table(positions),
    }


def _baselines(found: Mapping[str, Any]) -> Table:
    """Shares of sets under the model and its baselines, and how alike they are."""
    sides = [*found["electrodes"]]
    rows: list[tuple[object, ...]] = [
        (name, *(f"{each[s]:.1%}" for s in sides)) for name, each in found["sets"].items()
    ]
    alike = found["agreement"]
    for key, what in (("cosine", "cosine with this model"), ("rank", "rank correlation with it")):
        rows.append((what, "", *(f"{alike[s][key]:.2f}" for s in sides[1:])))
    return Table(("relevance share", *sides), rows, range(1, len(sides) + 1))


def _components(summary: Mapping[str, Any]) -> Table:
    """Classes of independent components."""
    head = (
        "Class",
        "relevance share",
        "with classes as units",
        "share of variance",
        "signed sum",
        "components",
    )
    rows = [
        (
            c["name"],
            f"{c['share']:.1%}",
            f"{c['of_classes']:.1%}",
            f"{c['of_variance']:.1%}",
            f"{c['signed']:+.3g}",
            c["components"] or "",
        )
        for c in summary["components"]
    ]
    return Table(head, rows, range(1, 6))


def _bands(summary: Mapping[str, Any]) -> Table:
    """Frequency bands."""
    head = ("Band", "Hz", "relevance share", "share of frequencies", f"signed sum ({summary['unit']})")
    rows = [
        (
            b["name"],
            f"{b['lower']:g} to {b['upper']:g}" if np.isfinite(b["lower"]) else "",
            f"{b['share']:.1%}",
            f"{b['of_frequencies']:.1%}",
            f"{b['signed']:+.3g}",
        )
        for b in summary["bands"]
    ]
    return Table(head, rows, (2, 3, 4))


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
    rows: list[tuple[object, ...]] = []
    for i in range(min(len(windows), MOST_WINDOWS)):
        said = "" if guess is None else classes[guess[i]] if classes else guess[i]
        verdict = "" if guess is None or real[i] < 0 else "right" if guess[i] == real[i] else "wrong"
        value = f"{data['explained'].values[i]:.3g}"
        rows.append((i, f"{windows.onsets[i]:.2f}", windows.labels[i] or "", said, verdict, value))
    head = ("window", "onset (s)", "label", "model says", "", f"explained ({explained.unit})")
    return Table(head, rows, (0, 1, 5))
