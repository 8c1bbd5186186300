"""A report of array results in one HTML file that needs nothing else: no network, no scripts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..eeg.reports.html import render
from ..engine.attribution import Array, Attribution
from ..engine.contract import InputContract
from . import console

SHOWN = 4  # samples drawn of each input


def write_report(
    out: Path, found: Attribution, summary: Mapping[str, Any], contract: InputContract | None
) -> list[Path]:
    """Draw a heat map per input that can be drawn in two dimensions, and write report.html around them.

    Parameters
    ----------
    out : Path
        The folder to write to.
    found : Attribution
    summary : mapping
        As in summary.json.
    contract : InputContract or None
        Gives the channel names.

    Returns
    -------
    list of Path
        The files written.
    """
    pictures = []
    for number, (name, relevance) in enumerate(found.relevance.items()):
        maps = _maps(np.asarray(relevance), several=found.explained.ndim > 1)
        if maps is None:
            continue
        labels = contract.channels if contract is not None and contract.input == name else ()
        path = out / f"relevance_{number}_{re.sub(r'[^A-Za-z0-9_-]', '_', name)[:40]}.png"
        _draw(maps, f"{name} against {summary['against'] or 'zero'}", labels, path)
        pictures.append((name, path))
    page = out / "report.html"
    page.write_text(_page(summary, pictures), encoding="utf-8")
    return [page, *(path for _, path in pictures)]


def _maps(relevance: Array, *, several: bool) -> Array | None:
    """The first samples as [sample, row, column]; None for what has no two axes to draw."""
    first = (relevance[0] if several else relevance)[:SHOWN]
    lengths = [length for length in first.shape[1:] if length != 1]
    if len(lengths) < 2 or 0 in first.shape:
        return None
    return first.reshape(len(first), lengths[0], -1)


def _draw(maps: Array, name: str, labels: tuple[str, ...], path: Path) -> None:
    from matplotlib.figure import Figure

    from ..eeg.drawing.resolution import dpi

    figure = Figure(figsize=(9, 2.6 * len(maps) + 0.4), layout="constrained")
    axes = figure.subplots(len(maps), squeeze=False)[:, 0]
    for number, (axis, values) in enumerate(zip(axes, maps, strict=True)):
        limit = float(np.abs(values).max()) or 1.0
        image = axis.imshow(
            values, aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest"
        )
        axis.set_title(f"sample {number}", loc="left", fontsize=9)
        if len(labels) == len(values):
            every = max(1, len(labels) // 16)
            axis.set_yticks(range(0, len(labels), every), labels[::every], fontsize=7, parse_math=False)
        figure.colorbar(image, ax=axis)
    figure.suptitle(f"relevance of {console.escaped(name)}", fontsize=10, parse_math=False)
    figure.savefig(path, dpi=dpi(), metadata={"Software": None})


def _page(summary: Mapping[str, Any], pictures: list[tuple[str, Path]]) -> str:
    facts = {
        "model": f"{summary['model']['file']} (sha256 {summary['model']['sha256']})",
        "data": f"{summary['data']['file']}, {summary['data']['samples']} samples",
        "explained": f"{summary['target']} of {summary['output']}, contrast {summary['contrast']}, "
        + (f"held against {summary['against']}" if summary["against"] else "against zero"),
        "composite": f"{summary['options']['composite']} {summary['options']['parameters'] or ''}",
        "closure": f"{summary['closure']:.1e}: relevance and ledger against what was explained, worst sample",
        "ledger": ", ".join(f"{kind} {value:.3g}" for kind, value in summary["ledger"].items()) or "empty",
        **{f"note {n}": note for n, note in enumerate(summary["notes"], 1)},
    }
    return render("arrays.html", facts=facts, pictures=[(name, path.read_bytes()) for name, path in pictures])
