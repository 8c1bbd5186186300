"""Which figures a report has, drawn from an explanation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import figures, panels, shares, spectral
from .explained import Explained, said_target
from .page import Drawing, Slides
from .text import counted, plain

RHYTHMS, RHYTHMS_IN_TIME = "Which rhythms", "Rhythms over time"
EVENTS, HEADS, EMBEDDING, STRATEGIES = "Around events", "Attention heads", "Position embedding", "Strategies"
OVER_TIME = "Over the window"
FRAMES = 10


@dataclass(frozen=True)
class Drawn:
    """The figures of a report, the head over time, and sentences about what could not be drawn."""

    figures: tuple[Drawing, ...]
    said: tuple[str, ...] = ()
    slides: Slides | None = None


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
    data, channels, unit = explained.dataset, explained.electrodes, explained.unit
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
    drawn += _beside(explained, out, prefix)
    return Drawn(tuple(drawn), tuple(said), _over_time(explained, groups))


def _over_time(explained: Explained, groups: dict[str, Any]) -> Slides | None:
    """Head maps of each explained class, a frame for each stretch of the window, on one scale."""
    times, relevance = explained.windows.times, explained.relevance
    bins = panels.bins_of(times, FRAMES)
    means = {name: relevance[i].mean(0, dtype=np.float64) for name, i in list(groups.items())[:3]}
    frames = [{name: m[:, b].mean(-1) for name, m in means.items()} for b in bins]
    top = figures.limit(np.array([list(f.values()) for f in frames]))
    drawn, captions = [], []
    for b, frame in zip(bins, frames, strict=True):
        figure, _ = figures.head_maps(
            frame, explained.electrodes, unit=f"{explained.unit} per sample", signed_limit=top
        )
        if figure is None:
            return None
        drawn.append(figure)
        captions.append(
            f"{times[b][0]:.2f} to {times[b][-1] + 1 / explained.windows.sfreq:.2f} s from the start: "
            "mean relevance per sample over the windows of each explained class; one scale for all frames."
        )
    return Slides(tuple(drawn), OVER_TIME, tuple(captions))


def _beside(explained: Explained, out: Path, prefix: str) -> list[Drawing]:
    """Figures of what was asked for beside the map."""
    drawn = []
    if "multiplier" in explained.dataset:
        seconds = min(0.5, explained.contract.seconds / 2)
        if seconds * explained.windows.sfreq >= 8:
            found = spectral.time_frequency(explained, seconds=seconds, mean=True).sum("channel")
            frequencies = found["frequency"].values
            figure = panels.time_frequency_map(
                found.transpose("frame", "frequency").values,
                found["frame"].values,
                frequencies,
                unit=explained.unit,
                highest=min(explained.contract.lowpass or 60.0, 60.0),
            )
            drawn.append(
                Drawing(
                    figures.save(figure, out / f"{prefix}time_frequency.png"),
                    RHYTHMS_IN_TIME,
                    f"Relevance by time and frequency (windows of {seconds:g} s, so frequencies "
                    f"{1 / seconds:g} Hz apart), summed over electrodes, mean over windows; exact through "
                    "the multiplier.",
                )
            )
    if explained.locked:
        path = figures.save(
            panels.locked_curves(explained.locked, unit=explained.unit), out / f"{prefix}locked.png"
        )
        drawn.append(
            Drawing(path, EVENTS, "Size of the relevance around events, summed over electrodes. Grey: where "
                    "means lie when each event is moved at random by up to a window's length.")
        )  # fmt: skip
    inside = explained.inside
    if inside is not None and inside.heads is not None:
        path = figures.save(panels.head_matrix(inside.head_shares()), out / f"{prefix}heads.png")
        drawn.append(
            Drawing(path, HEADS, "Share of each attention head in the relevance of all heads: that of the "
                    "values it has read.")
        )  # fmt: skip
    if inside is not None and inside.positions is not None:
        both = {
            "signal": shares.by_electrode(explained.relevance),
            "position embedding": shares.by_electrode(inside.positions.values[..., None]),
        }
        heads = figures.share_maps(both, explained.electrodes)
        if heads is not None:
            path = figures.save(heads, out / f"{prefix}embedding.png")
            drawn.append(Drawing(path, EMBEDDING, "Relevance share of each electrode: in the signal, and in "
                                 "the constants by which the network tells electrodes apart."))  # fmt: skip
    if explained.clusters is not None and len(explained.clusters.strategies) > 1:
        maps = {
            f"{i}: {s.share:.0%} of the windows": np.abs(s.map) / max(float(np.abs(s.map).sum()), 1e-300)
            for i, s in enumerate(explained.clusters.strategies[:5], start=1)
        }
        heads = figures.share_maps(maps, explained.electrodes)
        if heads is not None:
            path = figures.save(heads, out / f"{prefix}strategies.png")
            drawn.append(Drawing(path, STRATEGIES, "Where each cluster of windows has its relevance."))
    return drawn


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
