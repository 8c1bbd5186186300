"""A cohort's maps over subjects: on the head, over time, and where their sign is the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...engine.steps import step
from ..electrodes.positions import Electrodes
from ..explanation import dataset as views
from ..text import listed
from . import statistics
from .cohort_result import Cohort
from .cohort_store import recordings_of

BINS = 40  # of time
AT_A_TIME = 16  # windows that are in memory

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Group:
    """A cohort's maps, one a subject: runs weigh alike, however many windows they have.

    Attributes
    ----------
    subjects : tuple of str
    channels : Electrodes
    edges : ndarray, shape (bin + 1,)
        Seconds.
    from_event : bool
        Whether they count from an event, and not from the window's start.
    signed : ndarray, shape (subject, channel, bin)
        Relevance with its sign, in parts of the window's whole |relevance|, mean over windows.
    course : ndarray, shape (subject, bin)
        Part of |relevance| in each bin; sums to 1.
    test : statistics.ClusterResult or None
        Of the signed maps against 0, over electrodes whose place is known; None for fewer than four of those.
    tested : tuple of int
        Those electrodes, by their index.
    notes : tuple of str
        What was left out.
    """

    subjects: tuple[str, ...]
    channels: Electrodes
    edges: Floats
    from_event: bool
    signed: Floats
    course: Floats
    test: statistics.ClusterResult | None
    tested: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def said(self) -> str:
        """The test in words, with the least p that so many subjects can give."""
        n = len(self.subjects)
        if self.test is None:
            return "No cluster test: the place of fewer than four electrodes is known."
        if n < 2:
            return "No cluster test: one subject says nothing about others."
        least = statistics.least_p(n)
        ways = (
            f"The signs of {n} subjects can be flipped in {2 ** (n - 1)} ways that differ, so that no p "
            f"below {least:.2g} can come out"
        )
        if not self.test.evaluable:
            return f"No cluster test. {ways}; {statistics.FEWEST} subjects are needed for one below 0.05."
        tried = self.test.permutations
        if tried and least < 1 / tried:
            ways = f"Of {tried} permutations no p below {1 / tried:.2g} can come out"
        made = "One-sample cluster test of the subjects' signed maps against 0"
        return f"{made}: {self.test.text} {ways}."


def group_of(cohort: Cohort, store: Path, *, seed: int = 0) -> Group | None:
    """Read the maps of a cohort's subjects from its store, a few windows at a time.

    Parameters
    ----------
    cohort : Cohort
    store : Path
    seed : int
        Of the permutations.

    Returns
    -------
    Group or None
        None where nothing was explained.
    """
    whose = {r.name: r.subject for r in cohort.good}
    maps: dict[str, list[tuple[Floats, Floats]]] = {}
    first: xr.Dataset | None = None
    lost = []
    for i, (name, data) in enumerate(_of(store, whose)):
        step("reading the maps", i / len(whose))
        first = data if first is None else first
        if data.sizes["time"] != first.sizes["time"]:
            lost.append(name)
            continue
        made = _maps(data)
        if made is None:
            lost.append(name)
        else:
            maps.setdefault(whose[name], []).append(made)
    if first is None or not maps:
        return None
    channels = views.electrodes(first)
    times, from_event = _times(first)
    signed = np.stack([np.mean([s for s, _ in each], axis=0) for each in maps.values()])
    course = np.stack([np.mean([c for _, c in each], axis=0) for each in maps.values()])
    tested = tuple(i for i, name in enumerate(channels) if name in channels.positions)
    test = None
    if len(tested) >= 4:
        test = statistics.cluster_test(
            signed[:, list(tested)],
            channels=channels.some(channels[i] for i in tested),
            times=times[:-1],
            seed=seed,
        )
    note = f"Windows of another length, or no relevance at all, and so in no map over time: {listed(lost)}."
    return Group(
        tuple(maps), channels, times, from_event, signed, course, test, tested, (note,) if lost else ()
    )


def _of(store: Path, names: dict[str, str]) -> Iterator[tuple[str, xr.Dataset]]:
    """Recordings of a store by these names; it may have others, of an earlier run."""
    return ((name, data) for name, data in recordings_of(store) if name in names)


def _maps(data: xr.Dataset) -> tuple[Floats, Floats] | None:
    """Signed map (channel, bin) and course (bin) of a recording; None where no window has relevance."""
    edges = _edges(data.sizes["time"])
    signed, course, n = 0.0, 0.0, 0
    for start in range(0, data.sizes["epoch"], AT_A_TIME):
        part = data["relevance"].isel(epoch=slice(start, start + AT_A_TIME))
        relevance = np.asarray(part.transpose("epoch", "channel", "time").values, dtype=np.float64)
        size = np.abs(relevance)
        whole = size.sum((1, 2))
        some = whole > 0
        relevance, size, whole = relevance[some], size[some], whole[some]
        signed = signed + np.add.reduceat(relevance / whole[:, None, None], edges[:-1], axis=-1).sum(0)
        course = course + np.add.reduceat(size.sum(1) / whole[:, None], edges[:-1], axis=-1).sum(0)
        n += int(some.sum())
    return (np.asarray(signed / n), np.asarray(course / n)) if n else None


def _times(data: xr.Dataset) -> tuple[Floats, bool]:
    from_event = "from_event" in data.coords
    times = np.asarray(data["from_event" if from_event else "time"].values, dtype=np.float64)
    width = times[1] - times[0] if len(times) > 1 else 1.0
    return np.append(times, times[-1] + width)[_edges(len(times))], from_event


def _edges(n: int) -> NDArray[np.int64]:
    """Where bins of time begin, and the end."""
    return np.linspace(0, n, min(n, BINS) + 1).astype(np.int64)
