"""Explanations side by side: models, paradigms, recordings, cohorts, or labels within recordings.

Each side is one explained recording or several (a cohort: one for each subject). What is compared are
relevance shares, which do not depend on the scale of the outputs; relevance itself only where both sides
explain the same windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from ...engine.errors import InputError
from ..electrodes import regions
from ..electrodes.positions import Electrodes
from ..explanation import dataset as views
from ..text import listed
from . import statistics
from .cohort_store import RECORDING
from .compare_result import Comparison as Comparison
from .compare_result import ComparisonRow, Courses, SideAgreement
from .scores import correlation
from .sides import Side, matched, score
from .sides import read_side as read_side

BINS = 40  # of time, in a cluster test and in courses
RESAMPLES = 2000

Floats = NDArray[np.float64]


def compare(sides: Sequence[Side]) -> Comparison:
    """Compare two sides or more.

    Parameters
    ----------
    sides : sequence of Side
        Labels are made unlike where they are not.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        Fewer than two sides, or fewer than two electrodes in common.
    """
    if len(sides) < 2:
        raise InputError(
            "compare needs two explanations or more, or one and the labels to split it by (--by-label)"
        )
    asked = {explains for side in sides for explains in side.explain}
    if len(asked) > 1:
        raise InputError(
            "compare: some of these explanations are of differences, others against zero; explain both alike "
            "(--against)"
        )
    labels = _unlike([s.label for s in sides])
    sides, common = matched(sides)
    if len(common) < 2:
        lost = [label for s, label in zip(sides, labels, strict=True) if s.electrodes.nowhere]
        why = f"; where channels lie is not known in {listed(lost)}" if lost else ""
        raise InputError(f"{labels[0]} and the others have fewer than two electrodes in common{why}")
    channels = sides[0].electrodes.some(sides[0].channels[k] for k in common)
    each = [[_shares(s.units(d, common)) for d in s.subjects.values()] for s in sides]
    means = [np.stack([_over(w) for w in side]) for side in each]
    over = _over_what(sides)
    agreements = [
        _agreement((sides[i], sides[j]), (labels[i], labels[j]), (means[i].mean(0), means[j].mean(0)), common)
        for i, j in combinations(range(len(sides)), 2)
    ]
    return Comparison(
        labels=tuple(labels),
        subjects=tuple(len(s.subjects) for s in sides),
        channels=channels,
        electrodes=np.stack([m.mean(0) for m in means]),
        rows=tuple(_rows(each, sides, channels, over)),
        agreements=tuple(agreements),
        scores=tuple(score(s, label) for s, label in zip(sides, labels, strict=True)),
        over=over,
        test=_test(sides, common, channels),
        notes=tuple(_notes(sides, labels, common)),
        courses=_courses(sides),
    )


def _notes(sides: Sequence[Side], labels: Sequence[str], common: Sequence[str]) -> list[str]:
    """What was matched by place or left out, and what single recordings do not say."""
    notes = [note for side in sides for note in side.notes]
    if sides[0].by_place:
        notes.append(
            "Sides name their channels differently: those with names of their own are held beside the "
            "electrode of the 10-10 system nearest to where they were measured to be."
        )
    for side, label in zip(sides, labels, strict=True):
        lost = [v for k, v in side.channels.items() if k not in common]
        if lost:
            notes.append(f"{label}: {listed(lost, 12)} left out, since not all sides have it.")
    if any(len(s.subjects) == 1 for s in sides):
        notes.append(
            "One recording a side: spread and intervals are over windows, which are not independent of each "
            "other, and say nothing about other people."
        )
    return notes


def _shares(units: Floats) -> Floats:
    """Each electrode's part of a window's relevance, shape (window, electrode); windows with none are out."""
    size = np.abs(units)
    size = size[size.sum(-1) > 0]
    return np.asarray(size / size.sum(-1, keepdims=True))


def _over(each: Floats) -> Floats:
    """The mean over windows; NaN where there are none."""
    return np.asarray(each.mean(0)) if len(each) else np.full(each.shape[1], np.nan)


def _over_what(sides: Sequence[Side]) -> Literal["subjects", "windows", ""]:
    """What an interval of the first two sides' difference is over."""
    n = [len(s.subjects) for s in sides[:2]]
    return "subjects" if min(n) >= statistics.FEWEST else "windows" if max(n) == 1 else ""


def _rows(
    each: Sequence[Sequence[Floats]], sides: Sequence[Side], channels: Electrodes, over: str
) -> list[ComparisonRow]:
    """Regions, single electrodes and sets; `each` is [side][subject] -> shares (window, electrode)."""
    named: list[tuple[Literal["region", "electrode", "set"], str, Sequence[str]]] = []
    named += [("region", n, e) for n, e in regions.partition(channels).items()]
    named += [("electrode", n, [n]) for n in channels]
    named += [("set", n, e) for n, e in _sets(channels).items()]
    inside = np.array([np.isin(np.array(channels), np.array(e, dtype=str)) for _, _, e in named], dtype=float)
    found = [[w @ inside.T for w in side] for side in each]  # [side][subject] -> (window, row)
    means = [np.stack([_over(w) for w in side]) for side in found]  # [side] -> (subject, row)
    spread = [
        m.std(0, ddof=1) if len(m) > 1 else side[0].std(0) for m, side in zip(means, found, strict=True)
    ]
    names = [list(s.subjects) for s in sides[:2]]
    paired = sorted(names[0]) == sorted(names[1])
    second = means[1][[names[1].index(n) for n in names[0]]] if paired else means[1]
    low = high = np.full(len(named), np.nan)
    kinds = [kind for kind, _, _ in named]
    if over == "subjects":
        low, high = _interval(means[0], second, kinds, paired=paired)
    elif over == "windows":
        low, high = _interval(found[0][0], found[1][0], kinds, paired=_same_windows(sides, found))
    return [
        ComparisonRow(
            name=name,
            kind=kind,
            share=tuple(float(m[:, i].mean()) for m in means),
            spread=tuple(float(s[i]) for s in spread),
            of_electrodes=float(inside[i].mean()),
            difference=statistics.Interval(
                float(means[0][:, i].mean() - means[1][:, i].mean()), float(low[i]), float(high[i])
            ),
            # Cohen's d_z where both sides have the same subjects, Hedges' g elsewhere.
            effect=statistics.effect(means[0][:, i], second[:, i], paired=paired),
        )
        for i, (kind, name, _) in enumerate(named)
    ]


def _sets(channels: Electrodes) -> dict[str, tuple[str, ...]]:
    """The electrode sets that have channels here."""
    found = {name: regions.members(list(wanted), channels) for name, wanted in regions.SETS.items()}
    return {name: there for name, there in found.items() if there}


def _same_windows(sides: Sequence[Side], found: Sequence[Sequence[Floats]]) -> bool:
    """Whether both first sides explained the same windows of one recording, and each has relevance."""
    a, b = (next(iter(s.subjects.values())) for s in sides[:2])
    n = {len(found[0][0]), len(found[1][0]), a.sizes["epoch"], b.sizes["epoch"]}
    if len(n) > 1:
        return False
    windows = _windows_of(a)
    return windows == _windows_of(b) and all(name is not None for name, _ in windows)


def _interval(
    a: Floats, b: Floats, kinds: Sequence[str], *, paired: bool, seed: int = 0
) -> tuple[Floats, Floats]:
    """95 % of the difference of means of every row, together for all rows of a kind.

    The row with the largest difference is chosen after the fact, so an interval of that row alone would be
    too short: bootstrap over the first axis, of the largest deviation in standard errors (max-T).
    """
    if min(len(a), len(b)) < 2:
        none = np.full(a.shape[1], np.nan)
        return none, none
    rng = np.random.default_rng(seed)
    first, second = (rng.multinomial(len(x), [1 / len(x)] * len(x), size=RESAMPLES) / len(x) for x in (a, b))
    value = a.mean(0) - b.mean(0)
    off = first @ a - (first if paired else second) @ b - value
    error = off.std(0)
    size = np.abs(off) / np.maximum(error, 1e-300)
    reach = np.empty(len(kinds))
    for kind in set(kinds):
        of = np.array(kinds) == kind
        reach[of] = np.quantile(size[:, of].max(1), 0.95)
    return value - reach * error, value + reach * error


def _test(sides: Sequence[Side], common: Sequence[str], channels: Electrodes) -> str | None:
    """A cluster test of the first two sides' share maps over subjects, in words; None for one subject."""
    if max(len(s.subjects) for s in sides[:2]) < 2:
        return None
    placed = [i for i, c in enumerate(channels) if c in channels.positions]
    lengths = {d.sizes["time"] for s in sides[:2] for d in s.subjects.values()}
    if len(lengths) > 1 or len(placed) < 4:
        return None
    n = lengths.pop()
    edges = _edges(n)
    maps = []
    for side in sides[:2]:
        made = []
        for name in sorted(side.subjects):
            data = side.subjects[name]
            own = side.keys(data)
            size = np.abs(data["relevance"].values[:, [own.index(common[i]) for i in placed]])
            one = np.add.reduceat(size.mean(0), edges[:-1], axis=-1)
            made.append(one / max(float(one.sum()), 1e-300))
        maps.append(np.stack(made))
    paired = sorted(sides[0].subjects) == sorted(sides[1].subjects)
    return statistics.cluster_test(
        *maps, channels=channels.some(channels[i] for i in placed), times=edges[:-1] / n, paired=paired
    ).text


def _courses(sides: Sequence[Side]) -> Courses | None:
    """Relevance over the window on every side; None where windows are of unlike lengths."""
    every = [d for s in sides for d in s.subjects.values()]
    if len({(d.sizes["time"], d.attrs.get("sfreq")) for d in every}) > 1 or every[0].sizes["time"] < 2:
        return None
    found = [[_course(d) for d in s.subjects.values()] for s in sides]
    # Over recordings, or over the windows of a single one.
    units = [np.stack([_over(w) for w in f]) if len(f) > 1 else f[0] for f in found]
    mean = np.stack([_over(u) for u in units])
    error = np.stack([u.std(0, ddof=1) / np.sqrt(len(u)) if len(u) > 1 else 0 * u.sum(0) for u in units])
    first = every[0]
    from_event = all("from_event" in d.coords for d in every)
    times = np.asarray(first["from_event" if from_event else "time"].values, dtype=np.float64)
    ends = np.append(times, times[-1] + (times[1] - times[0]))
    return Courses(ends[_edges(len(times))], from_event, mean, mean - error, mean + error)


def _course(data: xr.Dataset) -> Floats:
    """Part of each window's |relevance| in each bin of time, shape (window, bin)."""
    size = np.abs(data["relevance"].values).sum(1, dtype=np.float64)
    size = size[size.sum(-1) > 0]
    binned = np.add.reduceat(size, _edges(size.shape[-1])[:-1], axis=-1)
    return np.asarray(binned / size.sum(-1, keepdims=True))


def _edges(n: int) -> NDArray[np.int64]:
    """Where bins of time begin, and the end."""
    return np.linspace(0, n, min(n, BINS) + 1).astype(np.int64)


def _agreement(
    sides: tuple[Side, Side],
    labels: tuple[str, str],
    share: tuple[NDArray[np.float64], NDArray[np.float64]],
    common: Sequence[str],
) -> SideAgreement:
    a, b = share
    found, same = [], []
    for name, first in sides[0].subjects.items():
        # The same recording under another model, or one recording a side.
        second = sides[1].subjects.get(name)
        if second is None and len(sides[0].subjects) == len(sides[1].subjects) == 1:
            second = next(iter(sides[1].subjects.values()))
        if second is None:
            continue
        found_here, same_here = _window_by_window(sides, first, second, common)
        found += found_here
        same += same_here
    return SideAgreement(
        first=labels[0],
        second=labels[1],
        rank=float(stats.spearmanr(a, b).statistic),
        correlation=correlation(a, b),
        per_window=float(np.mean(found)) if found else None,
        windows=len(found),
        same_class=float(np.mean(same)) if same else None,
    )


def _windows_of(data: xr.Dataset) -> list[tuple[str | None, float]]:
    """What tells a window from all others: the hash of its recording (None: not known), and its onset."""
    onsets = [round(float(t), 3) for t in data["onset"].values]
    if RECORDING in data.coords:  # of several runs
        each = [str(name) or None for name in data[RECORDING].values.tolist()]
    else:
        each = [views.digest(data)] * len(onsets)
    return list(zip(each, onsets, strict=True))


def _window_by_window(
    sides: tuple[Side, Side], first: xr.Dataset, second: xr.Dataset, common: Sequence[str]
) -> tuple[list[float], list[bool]]:
    """Correlations of relevance, and whether the class is one, over windows with one onset."""
    if first.sizes["time"] != second.sizes["time"] or first.attrs.get("sfreq") != second.attrs.get("sfreq"):
        return [], []
    rows = [[s.keys(d).index(k) for k in common] for s, d in zip(sides, (first, second), strict=True)]
    at = {key: i for i, key in enumerate(_windows_of(second))}
    found, same = [], []
    for i, key in enumerate(_windows_of(first)):
        j = at.get(key)
        if j is None or key[0] is None:
            continue
        x = first["relevance"].values[i][rows[0]].ravel().astype(np.float64)
        y = second["relevance"].values[j][rows[1]].ravel().astype(np.float64)
        if x.std() > 0 and y.std() > 0:
            found.append(float(np.corrcoef(x, y)[0, 1]))
            if "target" in first and "target" in second:
                same.append(bool(first["target"].values[i] == second["target"].values[j]))
    return found, same


def _unlike(labels: Sequence[str]) -> list[str]:
    """Labels with a number behind those that stand more than once."""
    return [x if list(labels).count(x) == 1 else f"{x} ({i})" for i, x in enumerate(labels, start=1)]
