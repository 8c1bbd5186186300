"""The smallest part that carries most of a decision: some electrodes, in a band, in a stretch of time.

Candidates are narrowed one coordinate at a time. Of those that still carry most of what all of the signal
carries the smallest is taken, and narrowed by the next coordinate. Which electrodes and when, a map may
propose; what counts is what an exchange says of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..electrodes.positions import Electrodes
from ..electrodes.regions import SETS, members
from ..text import listed, plain
from .parts import (
    EDGE,
    FADE,
    Floats,
    LinearPart,
    Project,
    frequencies,
    in_frequency,
    in_time,
    line_of,
    on_electrodes,
    one_after_another,
    spectrum_parts,
    stretch,
    tone_part,
    when,
)

# Of what is carried: a narrower part that carries less is not taken, or not looked at any more.
KEEPS, MAY = 0.75, 0.6
MOST = 4  # electrodes
FASTER = 20.0  # Hz: where muscles are as large as the brain
LEAST = 1.0  # numbers: 20 ms have no alpha, and a third of a window no offset of its own
STEPS = 40  # of a window, to find a stretch on
Score = Callable[["Cell"], float]


@dataclass(frozen=True)
class Narrowing:
    """One way to narrow a part in one coordinate.

    Attributes
    ----------
    said : str
        In words: "in beta", "in the first 20 ms", "C3 and C4".
    project : callable
    volume : float
        The part of the coordinate that it keeps.
    fast : bool
        Whether it is a band above 20 Hz.
    rows : tuple of int
        Of some electrodes: which.
    """

    said: str
    project: Project
    volume: float
    fast: bool = False
    rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class Cell:
    """Some electrodes, in a band, in a stretch of time; None for all of a coordinate."""

    electrodes: Narrowing | None = None
    band: Narrowing | None = None
    time: Narrowing | None = None

    @property
    def choices(self) -> tuple[Narrowing, ...]:
        """Those that narrow it."""
        return tuple(c for c in (self.electrodes, self.band, self.time) if c is not None)

    @property
    def volume(self) -> float:
        """The part of the signal that it keeps."""
        return float(np.prod([c.volume for c in self.choices]))

    def freedom(self, n: int) -> float:
        """How many numbers a window of n samples has in the band and the stretch, of each electrode."""
        if self.band is None or self.time is None:
            return float(n)
        return n * self.band.volume * self.time.volume

    @property
    def said(self) -> str:
        """In words, as the object of a sentence."""
        if not self.choices:
            return "the whole window"
        if self.band is not None and self.electrodes is None:
            head = self.band.said
        elif self.electrodes is not None and self.band is not None:
            head = f"{self.band.said} of {self.electrodes.said}"
        else:
            head = self.electrodes.said if self.electrodes is not None else "the signal"
        return head if self.time is None else f"{head} {self.time.said}"

    def narrowed(self, coordinate: str, choice: Narrowing) -> Cell:
        """The same, narrower in one coordinate: "electrodes", "band" or "time"."""
        return replace(self, **{coordinate: choice})

    def project(self, x: Floats) -> Floats:
        """The part."""
        return one_after_another(*(c.project for c in self.choices))(x)

    def swap(self, x: Floats, z: Floats) -> Floats:
        """Windows x with the part of windows z."""
        return x + self.project(z - x)


def bands(
    n: int,
    sfreq: float,
    named: Mapping[str, tuple[float, float]] | None = None,
    lines: Sequence[float] = (),
) -> Iterator[Narrowing]:
    """Bands to look in: those of `spectrum_parts`, neighbours together, tones, and those that have a name."""
    f = frequencies(n, sfreq)
    for part in spectrum_parts(n, sfreq):
        inside = _mask(part, n)
        said = {"offset": "the offset", "drift": "the drift", "line": "the power line"}.get(
            part.name, part.said
        )
        yield Narrowing(said, part.project, float(inside.mean()), bool(f[inside].min() >= FASTER))
    for tone in lines:
        part = tone_part(tone, n, sfreq)
        yield Narrowing(part.said, part.project, float(_mask(part, n).mean()), tone >= FASTER)
    line = line_of(f)
    for name, (low, high) in (named or {}).items():
        inside = (f >= low) & (f < high)
        if inside.any():
            keeps = inside.astype(float)
            yield Narrowing(plain(name), in_frequency(keeps), float(inside.mean()), low >= FASTER)
    for said, inside in (
        ("offset and drift", f < 0.6),
        ("what is slower than 4 Hz", f < 4),
        ("what is slower than 8 Hz", f < 8),
        ("alpha and beta (8 to 30 Hz)", (f >= 8) & (f < 30)),
        ("what is faster than 30 Hz", (f >= 30) & ~line),
    ):
        if inside.any():
            fast = bool(f[inside].min() >= FASTER)
            yield Narrowing(said, in_frequency(inside.astype(float)), float(inside.mean()), fast)


def _mask(part: LinearPart, n: int) -> NDArray[np.bool_]:
    """The coefficients that a part of the spectrum has."""
    from scipy import fft

    impulse = np.zeros(n)
    impulse[n // 3] = 1.0
    got = fft.dct(part.project(impulse[None, None])[0, 0], norm="ortho")
    return np.asarray(np.abs(got) > 1e-9)


def times(n: int, sfreq: float, proposed: Sequence[tuple[int, int]] = ()) -> Iterator[Narrowing]:
    """Stretches to look in: the window's edges, its sixths, thirds and halves, and what a map proposes."""
    few = max(1, round(EDGE * sfreq))
    ms = 1000 * few / sfreq
    for said, start in ((f"in the first {ms:.0f} ms", 0), (f"in the last {ms:.0f} ms", n - few)):
        gate = np.zeros(n)
        gate[start : start + few] = 1.0
        yield Narrowing(said, in_time(gate), few / n)
    fade = max(1, round(FADE * sfreq))
    cuts = {(round(k * n / m), round((k + 1) * n / m)) for m in (6, 3, 2) for k in range(m)}
    for a, b in sorted(cuts | set(proposed), key=lambda ab: (ab[1] - ab[0], ab[0])):
        if 0 <= a < b <= n and b - a < n:
            yield Narrowing(when(a, b, n, sfreq), in_time(stretch(n, a, b, fade)), (b - a) / n)


def places(electrodes: Electrodes, order: Sequence[int]) -> Iterator[Narrowing]:
    """The first one, two, ... of electrodes in an order, and sets of electrodes that have a name."""
    for k in range(1, min(MOST, len(electrodes) - 1) + 1):
        yield some(electrodes, order[:k])
    for name in SETS:
        rows = [electrodes.index(c) for c in members(name, electrodes)]
        if MOST < len(rows) < len(electrodes) / 2:
            yield replace(some(electrodes, rows), said=f"{name} electrodes")


def some(electrodes: Electrodes, rows: Sequence[int]) -> Narrowing:
    """Some electrodes."""
    mask = np.isin(np.arange(len(electrodes)), rows)
    said = listed([plain(electrodes[i]) for i in rows])
    return Narrowing(said, on_electrodes(mask), float(mask.mean()), rows=tuple(rows))


def smallest(
    score: Score,
    electrodes: Electrodes,
    order: Sequence[int],
    n: int,
    sfreq: float,
    proposed: Sequence[tuple[int, int]] = (),
    named: Mapping[str, tuple[float, float]] | None = None,
    within: Sequence[int] | None = None,
    tones: Sequence[float] = (),
) -> Cell:
    """The smallest part that carries most of what the whole window does.

    Parameters
    ----------
    score : callable
        How much a part carries.
    electrodes : Electrodes
    order : sequence of int
        Electrodes, strongest first, as a map has them.
    n : int
        Samples of a window.
    sfreq : float
    proposed : sequence of (int, int)
        Stretches of samples that a map proposes.
    named : dict of str to (float, float), optional
        Bands in Hz to look in beside those that are looked in anyhow.
    within : sequence of int, optional
        Electrodes in which to look for a band and a stretch of time; by default any, and which they are is
        looked for too.
    tones : sequence of float
        Narrow lines of the spectrum, in Hz.

    Returns
    -------
    Cell
        All of the window, or all that the electrodes have, where nothing smaller carries enough.
    """
    best = Cell() if within is None else Cell(electrodes=some(electrodes, within))
    whole = score(best)
    options: dict[str, list[Narrowing]] = {
        "band": list(bands(n, sfreq, named, tones)),
        "time": list(times(n, sfreq, proposed)),
        **({"electrodes": list(places(electrodes, order))} if within is None else {}),
    }
    while options:
        every = [(k, c, best.narrowed(k, c)) for k, choices in options.items() for c in choices]
        found = [(k, c, cell) for k, c, cell in every if cell.freedom(n) >= LEAST]
        scored = [(k, c, cell, score(cell)) for k, c, cell in found]
        enough = [(cell, k) for k, _, cell, s in scored if s >= KEEPS * whole]
        if not enough:
            break
        best, coordinate = min(enough, key=lambda one: one[0].volume)
        # What carries little by itself is not looked at within a smaller part.
        able = {id(c) for _, c, _, s in scored if s >= MAY * whole}
        options = {
            k: kept
            for k, each in options.items()
            if k != coordinate and (kept := [c for c in each if id(c) in able])
        }
    return best


@dataclass(frozen=True)
class Proposed:
    """Where a map points.

    Attributes
    ----------
    order : tuple of int
        Electrodes, strongest first.
    share : tuple of float
        Of the relevance that each has, in the model's order.
    stretches : tuple of (int, int)
        Short stretches of samples that hold much of it.
    """

    order: tuple[int, ...]
    share: tuple[float, ...]
    stretches: tuple[tuple[int, int], ...]


def proposed(relevance: NDArray[np.floating]) -> Proposed:
    """Where the maps of some windows point, taken together.

    Parameters
    ----------
    relevance : ndarray, shape (window, channel, time)
    """
    size = np.abs(relevance.sum(-1, dtype=np.float64))
    total = size.sum(-1, keepdims=True)
    share = np.divide(size, total, out=np.zeros_like(size), where=total > 0).mean(0)
    order = np.argsort(-share, kind="stable")
    course = np.abs(relevance[:, order[:MOST]].sum(1, dtype=np.float64)).mean(0)
    found = (shortest(course, holds) for holds in (0.5, 0.7))
    return Proposed(
        tuple(order.tolist()), tuple(share.tolist()), tuple(dict.fromkeys(s for s in found if s is not None))
    )


def shortest(course: Floats, holds: float) -> tuple[int, int] | None:
    """The shortest stretch that holds a part of the sum; None where it is longer than half of the window.

    Parameters
    ----------
    course : ndarray, shape (time,)
        Not negative.
    holds : float
    """
    n, total = len(course), course.sum()
    if not total:
        return None
    edges = np.unique(np.round(np.linspace(0, n, STEPS + 1)).astype(int))
    sums = np.concatenate([[0.0], np.cumsum(course)])[edges] / total
    best: tuple[int, int] | None = None
    for a in range(len(edges) - 1):
        b = int(np.searchsorted(sums, sums[a] + holds - 1e-12))
        if b < len(edges) and (best is None or edges[b] - edges[a] < best[1] - best[0]):
            best = int(edges[a]), int(edges[b])
    return best if best is not None and best[1] - best[0] <= n / 2 else None
