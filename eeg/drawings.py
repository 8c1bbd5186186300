"""Which figures a report has, drawn from an explanation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import figures, shares
from .explained import Explained, said_target
from .page import Drawing
from .text import counted, plain

RHYTHMS = "Which rhythms"


@dataclass(frozen=True)
class Drawn:
    """The figures of a report, and sentences about what could not be drawn."""

    figures: tuple[Drawing, ...]
    said: tuple[str, ...] = ()


def draw(
    explained: Explained,
    out: Path,
    *,
    prefix: str = "",
    windows: int = 3,
    share_limit: float | None = None,
) -> Drawn:
    """Draw the head maps, the mean electrode x time map, and a typical window of each class.

    Parameters
    ----------
    explained : Explained
    out : Path
        A folder that exists; files are named `prefix` + head_maps.png, mean_map.png, window_<n>.png.
    windows : int
        At most so many windows: of each explained class the one with the median explained value, since the
        extreme one would flatter.
    share_limit : float, optional
        Where the colours of the electrodes' shares end; by default at the largest.
    """
    data, channels, unit = explained.dataset, explained.windows.channels, explained.unit
    relevance = explained.relevance
    total = relevance.sum(-1, dtype=np.float64)
    groups = _groups(explained)
    share = shares.by_electrode(relevance)
    drawn: list[Drawing] = []
    said: list[str] = []

    maps = {f"{name} ({counted(len(i), 'window')})": total[i].mean(0) for name, i in list(groups.items())[:4]}
    figure, lost = figures.head_maps(
        maps, channels, unit=f"{unit} per window", size=share, size_limit=share_limit
    )
    said += [lost] if lost else []
    if figure is not None:
        path = figures.save(figure, out / f"{prefix}head_maps.png")
        drawn.append(
            Drawing(
                path,
                "Where on the head",
                "Relevance summed over each window, mean over the windows in which the class was explained, "
                "on one scale; at the right the relevance share of each electrode over all windows.",
            )
        )
    size = np.zeros(relevance.shape[1:])
    for one in relevance:
        size += np.abs(one)
    figure = figures.mean_map(
        size / max(len(relevance), 1),
        share,
        channels,
        explained.windows.times,
        unit=unit,
        title=f"mean of {counted(len(relevance), 'window')}",
    )
    drawn.append(
        Drawing(
            figures.save(figure, out / f"{prefix}mean_map.png"),
            "When, and on which electrode",
            "Size of the relevance without its sign, mean over windows. Bars: relevance share of each "
            "electrode; the dotted line is where all would end if relevance were spread evenly.",
        )
    )
    if "bands" in data:
        view = np.abs(data["bands"].values)
        whole = view.sum((1, 2), keepdims=True)
        kept = whole[:, 0, 0] > 0
        by_band = (view[kept] / whole[kept]).mean(0) if kept.any() else np.zeros(view.shape[1:])
        figure = figures.band_map(by_band, channels, [plain(b, 12) for b in data["band"].values.tolist()])
        path = figures.save(figure, out / f"{prefix}bands.png")
        drawn.append(
            Drawing(
                path,
                RHYTHMS,
                "Relevance share of each electrode and band, mean over windows; all cells sum to 1. Bars: "
                "the bands over all electrodes.",
            )
        )
    value = data["explained"].values
    for number, (name, inside) in enumerate(list(groups.items())[:windows], start=1):
        typical = int(inside[np.argsort(value[inside])[len(inside) // 2]])
        title = f"{name}: window {typical} at {explained.windows.onsets[typical]:.2f} s"
        label = explained.windows.labels[typical]
        title += f", labelled {plain(label)}" if label else ""
        figure = figures.window_map(
            relevance[typical],
            explained.windows.signal[typical],
            channels,
            explained.windows.times,
            unit=unit,
            title=f"{title}, {value[typical]:.3g} {unit}",
        )
        drawn.append(
            Drawing(
                figures.save(figure, out / f"{prefix}window_{typical}.png"),
                f"Typical window {number}",
                f"{name}: relevance of each sample under the signal as the model saw it (window {typical}, "
                f"with the median explained value of {counted(len(inside), 'window')}).",
            )
        )
    return Drawn(tuple(drawn), tuple(said))


def _groups(explained: Explained) -> dict[str, Any]:
    """Window indices by explained class; "all windows" where no class is."""
    data = explained.dataset
    if "target" not in data or explained.unit != "logit":
        return {said_target(explained): np.arange(len(explained.windows))}
    target = data["target"].values
    names = explained.contract.classes
    found = {int(t): np.flatnonzero(target == t) for t in np.unique(target)}
    largest = sorted(found, key=lambda t: -len(found[t]))[:4]
    return {plain(names[t]) if t < len(names) else f"class {t}": found[t] for t in sorted(largest)}
