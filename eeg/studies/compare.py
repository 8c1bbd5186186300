"""Explanations side by side: models, paradigms, recordings or cohorts.

Each side is one explained recording or several (a cohort: one for each subject). What is compared are
relevance shares, which do not hang on the scale of the outputs; relevance itself only where both sides
explain the same windows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from ...engine.errors import InputError
from ..electrodes import regions
from ..electrodes.names import normalise
from ..electrodes.positions import NEAR, Electrodes, together
from ..explanation import dataset as views
from ..explanation import shares
from ..text import listed, plain
from . import statistics
from .cohort import is_store, subjects_of

BINS = 40  # of time, in a cluster test


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes
    ----------
    label : str
    subjects : dict of str to Dataset
        What `explain` wrote, by the name of its folder; one, or one for each subject of a cohort.
    by_place : bool
        Whether channels with names of their own stand for the electrodes of the 10-10 system nearest to them,
        to be held beside a side whose channels have other names.
    """

    label: str
    subjects: Mapping[str, xr.Dataset]
    by_place: bool = False

    def keys(self, data: xr.Dataset) -> list[str]:
        """What each channel of one of its recordings is matched by."""
        electrodes = views.electrodes(data)
        keys = [normalise(c) for c in electrodes]
        return _by_place(electrodes, keys) if self.by_place else keys

    @property
    def channels(self) -> dict[str, str]:
        """Electrodes that all its recordings have: what they are matched by, to the name as given."""
        found: dict[str, str] | None = None
        for data in self.subjects.values():
            own = dict(zip(self.keys(data), data["channel"].values.tolist(), strict=True))
            found = own if found is None else {k: v for k, v in found.items() if k in own}
        return found or {}

    @property
    def explain(self) -> set[str]:
        """Whether its explanations are of a "value" (against zero) or of a "difference"."""
        return {str(data.attrs.get("explains", "value")) for data in self.subjects.values()}

    @property
    def electrodes(self) -> Electrodes:
        """Channels of its first recording; measured positions are means over its recordings."""
        return together([views.electrodes(d) for d in self.subjects.values()])


def _by_place(electrodes: Electrodes, keys: Sequence[str]) -> list[str]:
    """The 10-10 electrode nearest to each channel with a measured position, where no other is nearer."""
    found = list(keys)
    best: dict[str, tuple[float, int]] = {}
    for i, name in enumerate(electrodes):
        near = electrodes.nearest(name)
        if near is not None and near not in keys:
            away = np.linalg.norm(electrodes.positions[name] - Electrodes([near]).positions[near])
            best[near] = min(best.get(near, (np.inf, i)), (float(away), i))
    for near, (_, i) in best.items():
        found[i] = near
    return found


@dataclass(frozen=True)
class ComparisonRow:
    """A set of electrodes on every side.

    Attributes
    ----------
    name : str
    kind : {"set", "region"}
    share, spread : tuple of float
        Mean relevance share a side, and the standard deviation over its subjects (over windows where it
        has one).
    of_electrodes : float
        What evenly spread relevance would have.
    effect : statistics.Interval or None
        Difference of the first two sides in standard deviations: Cohen's d_z over subjects that both have,
        Hedges' g over unlike subjects; None for fewer than `statistics.FEWEST` a side.
    """

    name: str
    kind: str
    share: tuple[float, ...]
    spread: tuple[float, ...]
    of_electrodes: float
    effect: statistics.Interval | None


@dataclass(frozen=True)
class SideAgreement:
    """How alike two sides are.

    Attributes
    ----------
    first, second : str
    rank : float
        Spearman's correlation of the electrodes' shares.
    cosine : float
        Of the same; 1 for the same distribution.
    per_window : float or None
        Mean correlation of relevance (electrode x time) over windows that both explained; None where there
        is none, or their lengths differ.
    windows : int
        How many those are.
    same_class : float or None
        How often both explained the same class there.
    """

    first: str
    second: str
    rank: float
    cosine: float
    per_window: float | None
    windows: int
    same_class: float | None


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes
    ----------
    labels : tuple of str
    subjects : tuple of int
        How many recordings a side has.
    channels : Electrodes
        That all have, as the first side names them.
    electrodes : ndarray, shape (side, channel)
        Relevance share of each electrode, mean over subjects; each side sums to 1.
    rows : tuple of ComparisonRow
    agreements : tuple of SideAgreement
    test : str or None
        A cluster test of the first two sides' maps over subjects, in words; None for single recordings.
    notes : tuple of str
    """

    labels: tuple[str, ...]
    subjects: tuple[int, ...]
    channels: Electrodes
    electrodes: NDArray[np.float64]
    rows: tuple[ComparisonRow, ...]
    agreements: tuple[SideAgreement, ...]
    test: str | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        data = asdict(self)
        data["channels"], data["places"] = self.channels.names, dict(self.channels.measured)
        data["electrodes"] = {
            label: dict(zip(self.channels, map(float, row), strict=True))
            for label, row in zip(self.labels, self.electrodes, strict=True)
        }
        return data


def read_side(path: Path, label: str | None = None) -> Side:
    """Read what `explain` wrote (its folder, or a folder of such folders, one for each subject) or `cohort`.

    Raises
    ------
    InputError
        There is no explanation in it, or it cannot be read.
    """
    if is_store(path):
        return Side(label or plain(path.stem, 40), subjects_of(path))
    single = path if path.suffix == ".nc" else path / views.RESULT
    files = {path.name: single} if single.is_file() else {}
    if not files and path.is_dir():
        files = {p.parent.name: p for p in sorted(path.glob(f"*/{views.RESULT}"))}
    subjects = {name: views.explanation(file) for name, file in (files or {path.name: path}).items()}
    return Side(label or plain(path.name, 40), subjects)


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
        raise InputError("compare needs two explanations or more")
    asked = {explains for side in sides for explains in side.explain}
    if len(asked) > 1:
        raise InputError(
            "compare: some of these explanations are of differences, others against zero; explain both alike "
            "(--against)"
        )
    labels = _unlike([s.label for s in sides])
    sides, common = _matched(sides)
    if len(common) < 2:
        lost = [label for s, label in zip(sides, labels, strict=True) if s.electrodes.nowhere]
        why = f"; where channels lie is not known in {listed(lost)}" if lost else ""
        raise InputError(f"{labels[0]} and the others have fewer than two electrodes in common{why}")
    channels = sides[0].electrodes.some(sides[0].channels[k] for k in common)
    notes = []
    if sides[0].by_place:
        notes.append(
            "Sides name their channels differently: those with names of their own are held beside the "
            "electrode of the 10-10 system nearest to where they were measured to be."
        )
    for side, label in zip(sides, labels, strict=True):
        lost = [v for k, v in side.channels.items() if k not in common]
        if lost:
            notes.append(f"{label}: {listed(lost, 12)} left out, since not all sides have it.")
    units = [[_units(s, d, common) for d in s.subjects.values()] for s in sides]
    each = [np.stack([_mean_share(u) for u in side]) for side in units]
    if any(len(e) == 1 for e in each):
        notes.append("One recording a side: the spread is over windows, and says nothing about other people.")
    rows = _rows(units, sides, channels)
    agreements = [
        _agreement((sides[i], sides[j]), (labels[i], labels[j]), (each[i].mean(0), each[j].mean(0)), common)
        for i, j in combinations(range(len(sides)), 2)
    ]
    return Comparison(
        labels=tuple(labels),
        subjects=tuple(len(s.subjects) for s in sides),
        channels=channels,
        electrodes=np.stack([e.mean(0) for e in each]),
        rows=tuple(rows),
        agreements=tuple(agreements),
        test=_test(sides, common, channels),
        notes=tuple(notes),
    )


def _matched(sides: Sequence[Side]) -> tuple[list[Side], list[str]]:
    """The sides, matched by name or by place, and what their common channels are matched by.

    By place where that gives more electrodes: a cap with names of its own beside 10-20 names, or two caps
    that give one name to different places.
    """
    found = []
    for by_place in (False, True):
        made = [replace(s, by_place=by_place) for s in sides]
        common = [k for k in made[0].channels if all(k in s.channels for s in made)]
        found.append(
            (made, [k for k in common if by_place or _one_place([s.channels[k] for s in made], made)])
        )
    return max(found, key=lambda f: len(f[1]))  # by name where both give as many


def _one_place(names: Sequence[str], sides: Sequence[Side]) -> bool:
    """Whether channels of one name lie together, where all have a measured position."""
    each = [s.electrodes for s in sides]
    if not all(n in e.measured for n, e in zip(names, each, strict=True)):
        return True
    places = np.array([e.positions[n] for n, e in zip(names, each, strict=True)])
    return bool((np.linalg.norm(places - places[0], axis=1) < NEAR).all())


def _units(side: Side, data: xr.Dataset, common: Sequence[str]) -> NDArray[np.float64]:
    """Relevance summed within electrode and window, [window, electrode], electrodes in the common order."""
    own = side.keys(data)
    total = np.asarray(data["relevance"].sum("time", dtype=np.float64).values)
    return np.asarray(total[:, [own.index(k) for k in common]])


def _mean_share(units: NDArray[np.float64]) -> NDArray[np.float64]:
    return shares.by_electrode(units[:, :, None])


def _rows(
    units: Sequence[Sequence[NDArray[np.float64]]], sides: Sequence[Side], channels: Electrodes
) -> list[ComparisonRow]:
    named = [("set", n, regions.members(list(e), channels)) for n, e in regions.SETS.items()]
    named += [("region", n, e) for n, e in regions.partition(channels).items()]
    rows = []
    for kind, name, electrodes in named:
        inside = np.isin(np.array(channels), np.array(electrodes, dtype=str))
        if not inside.any():
            continue
        # [side][subject] -> share of each window
        found = [[shares.per_window(u, inside) for u in side] for side in units]
        means = [np.array([np.nanmean(w) for w in side]) for side in found]
        spread = [
            m.std(ddof=1) if len(m) > 1 else np.nanstd(side[0]) for m, side in zip(means, found, strict=True)
        ]
        rows.append(
            ComparisonRow(
                name=name,
                kind=kind,
                share=tuple(float(m.mean()) for m in means),
                spread=tuple(map(float, spread)),
                of_electrodes=float(inside.mean()),
                effect=_effect(means[0], means[1], [list(s.subjects) for s in sides[:2]]),
            )
        )
    return rows


def _effect(
    a: NDArray[np.float64], b: NDArray[np.float64], names: Sequence[Sequence[str]]
) -> statistics.Interval | None:
    """Cohen's d_z where both sides have the same subjects, Hedges' g elsewhere."""
    if sorted(names[0]) != sorted(names[1]):
        return statistics.effect(a, b, paired=False)
    return statistics.effect(a, b[[names[1].index(n) for n in names[0]]], paired=True)


def _test(sides: Sequence[Side], common: Sequence[str], channels: Electrodes) -> str | None:
    """A cluster test of the first two sides' share maps over subjects, in words; None for one subject."""
    if max(len(s.subjects) for s in sides[:2]) < 2:
        return None
    placed = [i for i, c in enumerate(channels) if c in channels.positions]
    lengths = {d.sizes["time"] for s in sides[:2] for d in s.subjects.values()}
    if len(lengths) > 1 or len(placed) < 4:
        return None
    n = lengths.pop()
    edges = np.linspace(0, n, min(n, BINS) + 1).astype(int)
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
        if second is None or _recording(first) != _recording(second):
            continue
        found_here, same_here = _window_by_window(sides, first, second, common)
        found += found_here
        same += same_here
    return SideAgreement(
        first=labels[0],
        second=labels[1],
        rank=float(stats.spearmanr(a, b).statistic),
        cosine=float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) or 1.0)),
        per_window=float(np.mean(found)) if found else None,
        windows=len(found),
        same_class=float(np.mean(same)) if same else None,
    )


def _recording(data: xr.Dataset) -> str | None:
    """The hash of the recording that was explained."""
    found = views.provenance(data).get("data")
    digest = found.get("sha256") if isinstance(found, dict) else None
    return None if digest is None else str(digest)


def _window_by_window(
    sides: tuple[Side, Side], first: xr.Dataset, second: xr.Dataset, common: Sequence[str]
) -> tuple[list[float], list[bool]]:
    """Correlations of relevance, and whether the class is one, over windows with one onset."""
    if first.sizes["time"] != second.sizes["time"] or first.attrs.get("sfreq") != second.attrs.get("sfreq"):
        return [], []
    rows = [[s.keys(d).index(k) for k in common] for s, d in zip(sides, (first, second), strict=True)]
    at = {round(float(t), 3): i for i, t in enumerate(second["onset"].values)}
    found, same = [], []
    for i, onset in enumerate(first["onset"].values):
        j = at.get(round(float(onset), 3))
        if j is None:
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
