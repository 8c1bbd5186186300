"""Which figures a report has, drawn from an explanation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..explanation import shares
from ..explanation.explained import Explained, said_target
from ..text import counted, plain
from ..views import spectral
from . import figures, figures_views
from .html import Drawing, Slides

# What figures are called, and what the section of a report is called that has them.
TITLES: Mapping[str, str] = MappingProxyType(
    {
        "head": "Where on the head",
        "over_time": "Over the window",
        "rhythms": "Which rhythms",
        "rhythms_in_time": "Rhythms over time",
        "events": "Around events",
        "heads": "Attention heads",
        "embedding": "Position embedding",
        "strategies": "Strategies",
    }
)
FRAMES = 10

Groups = Mapping[str, NDArray[np.intp]]


@dataclass(frozen=True)
class Drawn:
    """The figures of a report, the head over time, and sentences about what could not be drawn."""

    figures: tuple[Drawing, ...]
    said: tuple[str, ...] = ()
    slides: Slides | None = None

    def titled(self, title: str) -> list[Drawing]:
        """The figures of that title."""
        return [d for d in self.figures if d.title == title]

    def maps(self) -> list[Drawing]:
        """The figures whose title is no section's: over electrodes and time, and typical windows."""
        return [d for d in self.figures if d.title not in TITLES.values()]


@dataclass(frozen=True)
class _Sheet:
    """Where figures are written, and what their files' names begin with."""

    out: Path
    prefix: str

    def drawing(self, figure: Figure, name: str, title: str, caption: str) -> Drawing:
        return Drawing(figures.save(figure, self.out / f"{self.prefix}{name}.png"), title, caption)


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

    Returns
    -------
    Drawn
    """
    sheet, groups = _Sheet(out, prefix), _groups(explained)
    heads, lost = _heads(explained, groups, sheet, share_limit)
    drawn = [*heads, _mean(explained, sheet)]
    if "bands" in explained.dataset:
        drawn.append(_bands(explained, sheet))
    drawn += _typical(explained, groups, sheet, windows)
    for beside in (_rhythms_in_time, _events, _attention, _embedding, _strategies):
        drawn += beside(explained, sheet)
    return Drawn(tuple(drawn), (lost,) if lost else (), _over_time(explained, groups))


def _heads(
    explained: Explained, groups: Groups, sheet: _Sheet, share_limit: float | None
) -> tuple[list[Drawing], str]:
    """The drawing of the head maps, and who is not on them."""
    figure, lost = head_figure(explained, groups, share_limit)
    if figure is None:
        return [], lost
    caption = (
        "Relevance summed over each window, mean over the windows in which the class was explained, "
        "on one scale; at the right the relevance share of each electrode over all windows."
    )
    return [sheet.drawing(figure, "head_maps", TITLES["head"], caption)], lost


def head_figure(
    explained: Explained, groups: Groups | None = None, share_limit: float | None = None
) -> tuple[Figure | None, str]:
    """Head maps of each explained class and of shares, and who is not on them; None where nobody would be."""
    groups = _groups(explained) if groups is None else groups
    total = explained.relevance.sum(-1, dtype=np.float64)
    maps = {f"{name} ({counted(len(i), 'window')})": total[i].mean(0) for name, i in list(groups.items())[:4]}
    return figures.head_maps(
        maps,
        explained.electrodes,
        unit=f"{explained.unit} per window",
        size=shares.by_electrode(explained.relevance),
        size_limit=share_limit,
    )


def _mean(explained: Explained, sheet: _Sheet) -> Drawing:
    """The mean size of relevance, electrode by time."""
    relevance = explained.relevance
    size = np.zeros(relevance.shape[1:])
    for one in relevance:  # one at a time: a copy of all would take as much memory again
        size += np.abs(one)
    figure = figures.mean_map(
        size / max(len(relevance), 1),
        shares.by_electrode(relevance),
        explained.electrodes,
        explained.windows.times,
        unit=explained.unit,
        title=f"mean of {counted(len(relevance), 'window')}",
    )
    caption = (
        "Size of the relevance without its sign, mean over windows. Bars: relevance share of each "
        "electrode; the dotted line is where all would end if relevance were spread evenly."
    )
    return sheet.drawing(figure, "mean_map", "When, and on which electrode", caption)


def _bands(explained: Explained, sheet: _Sheet) -> Drawing:
    """Relevance shares, electrode by band."""
    data = explained.dataset
    view = np.abs(data["bands"].values)
    whole = view.sum((1, 2), keepdims=True)
    kept = whole[:, 0, 0] > 0
    by_band = (view[kept] / whole[kept]).mean(0) if kept.any() else np.zeros(view.shape[1:])
    names = [plain(b, 12) for b in data["band"].values.tolist()]
    figure = figures.band_map(by_band, explained.electrodes, names)
    caption = (
        "Relevance share of each electrode and band, mean over windows; all cells sum to 1. Bars: "
        "the bands over all electrodes."
    )
    return sheet.drawing(figure, "bands", TITLES["rhythms"], caption)


def _typical(explained: Explained, groups: Groups, sheet: _Sheet, most: int) -> Iterator[Drawing]:
    """Of each explained class the window with the median explained value."""
    value, windows, unit = explained.dataset["explained"].values, explained.windows, explained.unit
    for number, (name, inside) in enumerate(list(groups.items())[:most], start=1):
        typical = int(inside[np.argsort(value[inside])[len(inside) // 2]])
        title = f"{name}: window {typical} at {windows.onsets[typical]:.2f} s"
        label = windows.labels[typical]
        title += f", labelled {plain(label)}" if label else ""
        figure = figures.window_map(
            explained.relevance[typical],
            windows.signal[typical],
            explained.electrodes,
            windows.times,
            unit=unit,
            title=f"{title}, {value[typical]:.3g} {unit}",
        )
        caption = (
            f"{name}: relevance of each sample under the signal as the model saw it (window {typical}, "
            f"with the median explained value of {counted(len(inside), 'window')})."
        )
        yield sheet.drawing(figure, f"window_{typical}", f"Typical window {number}", caption)


def _over_time(explained: Explained, groups: Groups) -> Slides | None:
    """Head maps of each explained class, a frame for each stretch of the window, on one scale."""
    times, relevance = explained.windows.times, explained.relevance
    bins = figures_views.bins_of(times, FRAMES)
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
    return Slides(tuple(drawn), TITLES["over_time"], tuple(captions))


def _rhythms_in_time(explained: Explained, sheet: _Sheet) -> Iterator[Drawing]:
    """Relevance by time and frequency, where the multiplier is known and the rate allows it."""
    seconds = min(0.5, explained.contract.seconds / 2)
    if "multiplier" not in explained.dataset or seconds * explained.windows.sfreq < 8:
        return
    found = spectral.time_frequency(explained, seconds=seconds, mean=True).sum("channel")
    figure = figures_views.time_frequency_map(
        found.transpose("frame", "frequency").values,
        found["frame"].values,
        found["frequency"].values,
        unit=explained.unit,
        highest=min(explained.contract.lowpass or 60.0, 60.0),
    )
    caption = (
        f"Relevance by time and frequency (windows of {seconds:g} s, so frequencies "
        f"{1 / seconds:g} Hz apart), summed over electrodes, mean over windows; exact through "
        "the multiplier."
    )
    yield sheet.drawing(figure, "time_frequency", TITLES["rhythms_in_time"], caption)


def _events(explained: Explained, sheet: _Sheet) -> Iterator[Drawing]:
    """Relevance around events."""
    if not explained.locked:
        return
    caption = (
        "Size of the relevance around events, summed over electrodes. Grey: where "
        "means lie when each event is moved at random by up to a window's length."
    )
    figure = figures_views.locked_curves(explained.locked, unit=explained.unit)
    yield sheet.drawing(figure, "locked", TITLES["events"], caption)


def _attention(explained: Explained, sheet: _Sheet) -> Iterator[Drawing]:
    """Shares of attention heads."""
    inside = explained.inside
    if inside is None or inside.heads is None:
        return
    caption = "Share of each attention head in the relevance of all heads: that of the values it has read."
    yield sheet.drawing(figures_views.head_matrix(inside.head_shares()), "heads", TITLES["heads"], caption)


def _embedding(explained: Explained, sheet: _Sheet) -> Iterator[Drawing]:
    """Electrodes' shares in the signal and in the position embedding."""
    inside = explained.inside
    if inside is None or inside.positions is None:
        return
    both = {
        "signal": shares.by_electrode(explained.relevance),
        "position embedding": shares.by_electrode(inside.positions.values[..., None]),
    }
    figure = figures.share_maps(both, explained.electrodes)
    if figure is not None:
        caption = (
            "Relevance share of each electrode: in the signal, and in the constants by which the network "
            "tells electrodes apart."
        )
        yield sheet.drawing(figure, "embedding", TITLES["embedding"], caption)


def _strategies(explained: Explained, sheet: _Sheet) -> Iterator[Drawing]:
    """Where each cluster of windows has its relevance, where there are several."""
    if explained.clusters is None or len(explained.clusters.strategies) < 2:
        return
    maps = {
        f"{i}: {s.share:.0%} of the windows": np.abs(s.map) / max(float(np.abs(s.map).sum()), 1e-300)
        for i, s in enumerate(explained.clusters.strategies[:5], start=1)
    }
    figure = figures.share_maps(maps, explained.electrodes)
    if figure is not None:
        caption = "Where each cluster of windows has its relevance."
        yield sheet.drawing(figure, "strategies", TITLES["strategies"], caption)


def _groups(explained: Explained) -> Groups:
    """Window indices by explained class; "all windows" where no class is."""
    data = explained.dataset
    if "target" not in data or explained.unit != "logit":
        return {said_target(explained): np.arange(len(explained.windows))}
    target = data["target"].values
    names = explained.contract.classes
    found = {int(t): np.flatnonzero(target == t) for t in np.unique(target)}
    largest = sorted(found, key=lambda t: -len(found[t]))[:4]
    return {plain(names[t]) if t < len(names) else f"class {t}": found[t] for t in sorted(largest)}
