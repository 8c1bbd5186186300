"""Whether beats in short windows come as a heart's do, or as they come by chance: a likelihood ratio.

A heart's beats are a renewal process: intervals lie around a mean that is the person's, some beats are
missed, some peaks are none. Windows of one or two seconds hold one beat or two, so the time from a window's
start to its first beat, from its last beat to its end, and windows without any count as well: each of them
says how long an interval may be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
Beats = list[tuple[int, int]]

# Seconds after a beat without another: far below a heart's interval, so that a rhythm does not seem one.
DEAD = 0.3
MEANS = np.geomspace(0.46, 1.5, 36)  # seconds between beats: 130 to 40 a minute
VARIES = (0.04, 0.08, 0.13)  # standard deviation over mean: breath, and rates that change
MISSED, STRAY = 0.1, 0.1  # of the intervals: twice as long, and as they come by chance
TINY = 1e-300
BIN = 0.05  # seconds of a window's time
PRESENT = (0.4, 0.7, 0.98)  # of the segments have the heart: labels may go with it


@dataclass(frozen=True)
class Segments:
    """What is known of beats in segments of signal, in seconds.

    Attributes
    ----------
    length : ndarray, shape (segment,)
    first, last : ndarray, shape (segment,)
        From the start to the first beat, and from the last beat to the end; NaN where there is none.
    gaps : ndarray, shape (gap,)
        Between beats of one segment.
    of : ndarray of int, shape (gap,)
        Segment of each gap.
    """

    length: Floats
    first: Floats
    last: Floats
    gaps: Floats
    of: NDArray[np.int64]

    @property
    def beats(self) -> int:
        """How many there are."""
        return int(np.isfinite(self.first).sum()) + len(self.gaps)


def segments(found: Beats, starts: NDArray[np.int64], samples: int, sfreq: float) -> Segments:
    """Beats of windows as beats of segments: windows that follow each other without a break are one.

    Parameters
    ----------
    found : list of (int, int)
        Window and sample.
    starts : ndarray of int, shape (window,)
        For each window the first one of its segment.
    samples : int
        Of a window.
    sfreq : float
        Hertz.
    """
    own, where, count = np.unique(starts, return_inverse=True, return_counts=True)
    length = count * samples / sfreq
    times: list[list[float]] = [[] for _ in own]
    for i, t in sorted(found):
        times[where[i]].append(((i - starts[i]) * samples + t) / sfreq)
    first = np.array([t[0] if t else np.nan for t in times])
    last = np.array([n - t[-1] if t else np.nan for t, n in zip(times, length, strict=True)])
    gaps = [np.diff(t) for t in times]
    of = np.repeat(np.arange(len(own)), [len(g) for g in gaps])
    return Segments(length, first, last, np.concatenate(gaps), of)


def likelihood(s: Segments) -> tuple[float, float]:
    """How much likelier beats are as a heart's than by chance: natural logarithm, and the mean interval.

    Parameters
    ----------
    s : Segments
        Of one person.

    Returns
    -------
    ratio : float
        Over the best of mean interval, its variation, and how many segments have it.
    mean : float
        Seconds.
    """
    k, total = s.beats, float(s.length.sum())
    if k < 4:
        return -np.inf, np.nan
    rate = k / max(total - DEAD * k, 0.1 * total)
    by_chance = _chance(s, rate)
    null = _sum(s, *by_chance)
    best, mean = -np.inf, np.nan
    every = np.array([(m, v) for m in MEANS for v in VARIES])
    own = _heart(s, every[:, 0], every[:, 0] * every[:, 1], rate)
    for i, (m, _) in enumerate(every):
        more = _sum(s, *(part[i] for part in own)) - null
        for present in PRESENT:
            ratio = float(np.logaddexp(np.log(present) + more, np.log1p(-present)).sum())
            if ratio > best:
                best, mean = ratio, float(m)
    return best, mean


def _sum(s: Segments, gap: Floats, first: Floats, last: Floats, none: Floats) -> Floats:
    """Logarithms of likelihoods by segment."""
    empty = np.isnan(s.first)
    found = np.where(empty, none, np.nan_to_num(first + last))
    found += np.bincount(s.of, weights=gap, minlength=len(s.length))
    return np.asarray(found)


def _chance(s: Segments, rate: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Logarithms for beats at random with a dead time: of gaps, of what is before and after, of none."""
    mean = DEAD + 1 / rate
    gap = np.log(rate) - rate * (s.gaps - DEAD)
    first, last = (-rate * np.maximum(v - DEAD, 0) for v in (s.first, s.last))
    return gap, first - np.log(mean), last, np.log(np.maximum(_beyond(s.length, rate), TINY) / mean)


def _beyond(u: Floats, rate: float) -> Floats:
    """Integral of the survival function at random, from u on."""
    return np.asarray(np.maximum(DEAD - u, 0) + np.exp(-rate * np.maximum(u - DEAD, 0)) / rate)


def _heart(s: Segments, mean: Floats, deviation: Floats, rate: float) -> tuple[Floats, ...]:
    """The same for a heart, by mean interval and deviation, [setting, ...]."""
    parts = ((1 - MISSED, mean, deviation), (MISSED, 2 * mean, 1.4 * deviation))

    def mixed(what, u: Floats, chance: Floats) -> Floats:  # type: ignore[no-untyped-def]
        heart = sum(w * what((u[None] - m[:, None]) / d[:, None], d[:, None]) for w, m, d in parts)
        return np.asarray((1 - STRAY) * heart + STRAY * chance)

    density = mixed(
        lambda z, d: np.exp(-0.5 * z**2) / (np.sqrt(2 * np.pi) * d), s.gaps,
        rate * np.exp(-rate * (s.gaps - DEAD)),
    )  # fmt: skip
    survives = [
        mixed(lambda z, d: special.ndtr(-z), v, np.exp(-rate * np.maximum(v - DEAD, 0)))
        for v in (s.first, s.last)
    ]
    every = (1 - STRAY) * mean * (1 + MISSED) + STRAY * (DEAD + 1 / rate)
    beyond = mixed(
        lambda z, d: d * (np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) - z * special.ndtr(-z)), s.length,
        _beyond(s.length, rate),
    )  # fmt: skip
    return (
        np.log(density + TINY),
        np.log(survives[0] + TINY) - np.log(every)[:, None],
        np.log(survives[1] + TINY),
        np.log(np.maximum(beyond, TINY)) - np.log(every)[:, None],
    )


def locked(found: Beats, samples: int, sfreq: float) -> float:
    """Part of the beats that lie in the fullest tenth of a window's time: 1 for responses to a stimulus.

    A heart knows nothing of a window's start. Beats of neighbouring windows are not independent, so that this
    is no test of chance: at 60 a minute they walk slowly through windows of one second.
    """
    bins = max(10, round(samples / sfreq / BIN))
    at = np.array([t for _, t in found], dtype=float)
    full = np.sort(np.histogram(at, bins, (0, samples))[0])[::-1]
    return float(full[: max(1, bins // 10)].sum() / max(len(at), 1))


def starts_of(
    n: int, length: float, onsets: Floats | None, groups: Sequence[str] | None
) -> NDArray[np.int64]:
    """For each window the first of the segment of windows that follow each other without a break.

    Parameters
    ----------
    n : int
        Windows.
    length : float
        Of each, in seconds.
    onsets : ndarray, shape (window,), optional
        Seconds; without them every window is alone.
    groups : sequence of str, optional
        Subject of each.
    """
    starts = np.arange(n)
    if onsets is None:
        return starts
    for i in range(1, n):
        same = groups is None or groups[i] == groups[i - 1]
        if same and abs(onsets[i] - onsets[i - 1] - length) < 0.01:
            starts[i] = starts[i - 1]
    return starts
