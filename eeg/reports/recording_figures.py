"""Which figures a report has, drawn from an explanation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..drawing import figures
from ..drawing.heads import Sides
from ..drawing.sections import Section
from ..explanation import shares
from ..explanation.explained import Explained, said_target
from ..text import counted, plain
from .html import Drawing, Slides

HEAD, OVER_TIME = "Where on the head", "Over the window"
FRAMES = 10

Groups = Mapping[str, NDArray[np.intp]]


@dataclass(frozen=True)
class DrawnSection:
    """A section of a view, and its figures by their headings."""

    section: Section
    drawings: tuple[tuple[str, Drawing], ...] = ()


@dataclass(frozen=True)
class Drawn:
    """The figures of a report.

    Attributes
    ----------
    heads : tuple of Drawing
        The map of each class on the head; empty where no electrode has a place.
    maps : tuple of Drawing
        Over electrodes and time, and typical windows.
    said : tuple of str
        What could not be drawn.
    slides : Slides or None
        The head over time.
    sections : tuple of DrawnSection
        Those of the views.
    """

    heads: tuple[Drawing, ...]
    maps: tuple[Drawing, ...] = ()
    said: tuple[str, ...] = ()
    slides: Slides | None = None
    sections: tuple[DrawnSection, ...] = ()

    def drawings(self) -> list[Drawing]:
        """Every figure that was written, the head first."""
        of_views = [drawing for each in self.sections for _, drawing in each.drawings]
        return [*self.heads, *self.maps, *of_views]


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
) -> Drawn:
    """Draw the head maps, the mean electrode x time map, a typical window of each class, and the views.

    Parameters
    ----------
    explained : Explained
    out : Path
        A folder that exists; files are named `prefix` + head_maps.png, mean_map.png, window_<n>.png, and
        what the views call theirs.
    windows : int
        At most so many windows: of each explained class the one with the median explained value, since the
        extreme one would flatter.

    Returns
    -------
    Drawn
    """
    sheet, groups = _Sheet(out, prefix), _groups(explained)
    heads, lost = _heads(explained, groups, sheet)
    sections = [each for view in explained.views.values() for each in view.sections(explained)]
    return Drawn(
        tuple(heads),
        (_mean(explained, sheet), *_typical(explained, groups, sheet, windows)),
        (lost,) if lost else (),
        _over_time(explained, groups),
        tuple(_section(each, sheet) for each in sections),
    )


def _against(explained: Explained) -> str:
    """What relevance is against, in words that follow it: every figure says so."""
    held = explained.references
    return "against zero" if held is None else f"against {held.how}"


def _section(section: Section, sheet: _Sheet) -> DrawnSection:
    """A section of a view with its figures written."""
    drawings = [(p.heading, sheet.drawing(p.figure, p.name, p.title, p.caption)) for p in section.pictures]
    return DrawnSection(section, tuple(drawings))


def _heads(explained: Explained, groups: Groups, sheet: _Sheet) -> tuple[list[Drawing], str]:
    """The drawing of the head maps, and who is not on them."""
    figure, lost = head_figure(explained, groups)
    if figure is None:
        return [], lost
    caption = (
        f"Relevance {_against(explained)}, summed over each window, mean over {_windows(explained)}, "
        "on one scale; at the right the relevance share of each electrode over all windows."
    )
    return [sheet.drawing(figure, "head_maps", HEAD, caption)], lost


def head_figure(explained: Explained, groups: Groups | None = None) -> tuple[Figure | None, str]:
    """Head maps of each explained class and of shares, and who is not on them; None where nobody would be."""
    groups = _groups(explained) if groups is None else groups
    total = explained.relevance.sum(-1, dtype=np.float64)
    titles = {name: f"{name} ({counted(len(i), 'window')})" for name, i in list(groups.items())[:4]}
    maps = {title: total[groups[name]].mean(0) for name, title in titles.items()}
    meant = _sides(explained, groups)
    return figures.head_maps(
        maps,
        explained.electrodes,
        unit=f"{explained.unit} per window",
        size=shares.by_electrode(explained.relevance),
        interpolated=explained.windows.interpolated,
        sides={title: meant[name] for name, title in titles.items() if name in meant},
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
        f"Size of the relevance {_against(explained)}, without its sign, mean over windows. Bars: "
        "relevance share of each electrode; the dotted line is where all would end if relevance were spread "
        "evenly."
    )
    return sheet.drawing(figure, "mean_map", "When, and on which electrode", caption)


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
            sides=_sides(explained, groups).get(name),
        )
        caption = (
            f"{name}: relevance of each sample {_against(explained)}, under the signal as the model saw it "
            f"(window {typical}, with the median explained value of {counted(len(inside), 'window')})."
        )
        yield sheet.drawing(figure, f"window_{typical}", f"Typical window {number}", caption)


def _over_time(explained: Explained, groups: Groups) -> Slides | None:
    """Head maps of each explained class, a frame for each stretch of the window, on one scale."""
    times, relevance = explained.windows.times, explained.relevance
    bins = _bins(times, FRAMES)
    means = {name: relevance[i].mean(0, dtype=np.float64) for name, i in list(groups.items())[:3]}
    frames = [{name: m[:, b].mean(-1) for name, m in means.items()} for b in bins]
    top = figures.limit(np.array([list(f.values()) for f in frames]))
    drawn, captions = [], []
    for b, frame in zip(bins, frames, strict=True):
        figure, _ = figures.head_maps(
            frame, explained.electrodes, unit=f"{explained.unit} per sample", signed_limit=top,
            sides=_sides(explained, groups),
        )  # fmt: skip
        if figure is None:
            return None
        drawn.append(figure)
        captions.append(
            f"{times[b][0]:.2f} to {times[b][-1] + 1 / explained.windows.sfreq:.2f} s from the start: "
            f"mean relevance per sample {_against(explained)} over {_windows(explained)}; "
            "one scale for all frames."
        )
    return Slides(tuple(drawn), OVER_TIME, tuple(captions))


def _windows(explained: Explained) -> str:
    """Which windows a map is the mean of, in words."""
    return "the windows" if explained.contract.regresses else "the windows of each explained class"


def _bins(times: NDArray[Any], most: int) -> list[slice]:
    """At most so many stretches of a window, as alike in length as whole samples allow."""
    edges = np.unique(np.round(np.linspace(0, len(times), most + 1)).astype(int))
    return [slice(int(a), int(b)) for a, b in pairwise(edges)]


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


def _sides(explained: Explained, groups: Groups) -> dict[str, Sides]:
    """What the colours of each group's map mean, in names of classes; nothing where no class is explained."""
    names = [plain(c, 24) for c in explained.contract.classes]
    if explained.unit != "logit":
        more = explained.contract.regresses
        return {k: Sides(f"{k} larger", f"{k} smaller") for k in groups} if more else {}
    against = explained.provenance.get("contrast") == "rest"
    found = {}
    for name in groups:
        if name not in names or "target" not in explained.dataset:
            continue
        others = [other for other in names if other != name]
        if len(others) == 1 and against:
            other = others[0]
            found[name] = Sides(f"for {name}, against {other}", f"against {name}, for {other}")
        else:
            found[name] = Sides(f"for {name}", f"against {name}")
    return found
