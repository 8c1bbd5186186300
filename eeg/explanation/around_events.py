"""Relevance around events: its mean, an interval, and what the same events at other times would give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import InputError
from ..electrodes.regions import members
from ..text import counted, plain
from .explained import Explained
from .timeline import stitched

Floats = NDArray[np.float64]

FEWEST = 5
MOVES = 10  # places the null must have for an event
BEFORE, AFTER = 0.2, 0.6  # seconds around an event, where nothing else is asked for
LEVEL = 0.05


@dataclass(frozen=True)
class EventLocked:
    """Relevance around events.

    Attributes
    ----------
    times : ndarray, shape (time,)
        Seconds from the event.
    mean, low, high : ndarray, shape (time,)
        Mean over events, and its 95 % bootstrap interval.
    null_low, null_high : ndarray, shape (time,)
        Between which 95 % of the means over as many moved events lie, sample by sample.
    events, dropped : int
        Events that count, and those that no window covers.
    peak : float
        Seconds from the event at which the mean is largest against the null (of either sign, in units of the
        null's spread).
    p : float
        How often moved events give a mean that is anywhere as far out (the largest deviation over time,
        so no correction is due).
    notes : tuple of str
        What did not fit, and what was done instead.
    """

    times: Floats
    mean: Floats
    low: Floats
    high: Floats
    null_low: Floats
    null_high: Floats
    events: int
    dropped: int
    peak: float
    p: float
    notes: tuple[str, ...] = ()

    def said(self) -> str:
        """The outcome in words."""
        if self.p <= LEVEL:
            verdict = f"locked to it, largest at {self.peak:+.2f} s"
        else:
            verdict = "no more around it than at moved times"
        lost = f", {self.dropped} outside the windows" if self.dropped else ""
        return f"{verdict} (p = {self.p:.2g}; {counted(self.events, 'event')}{lost})"

    def summary(self) -> dict[str, Any]:
        """The numbers."""
        return {
            "events": self.events,
            "dropped": self.dropped,
            "peak": self.peak,
            "p": self.p,
            "lags": [float(self.times[0]), float(self.times[-1])],
            "notes": list(self.notes),
            "said": self.said(),
        }


def event_locked(
    explained: Explained,
    events: Sequence[float] | NDArray[Any],
    *,
    before: float = BEFORE,
    after: float = AFTER,
    signed: bool = False,
    electrodes: str | Sequence[str] | None = None,
    jitter: float | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> EventLocked:
    """Average relevance around events.

    Parameters
    ----------
    explained : Explained
    events : sequence of float
        Seconds from the recording's first sample.
    before, after : float
        Seconds around the event; either may be below 0: from 0.1 s after it is a `before` of -0.1.
    signed : bool
        Relevance with its sign, in place of its size.
    electrodes : str or sequence of str, optional
        A set, a region or names; all by default. What is averaged is the sum over them.
    jitter : float, optional
        How far the null moves an event, each way, in seconds; by default a window's length. Events that come
        in bursts, and relevance that drifts, have nothing to do with each other, and still meet: over a few
        seconds the null keeps both as they are. `math.inf` takes moments from all of the recording.
    resamples : int
        Of the bootstrap, and of the null.
    seed : int

    Returns
    -------
    EventLocked

    Raises
    ------
    InputError
        Fewer than five events lie whole within explained windows; or there are no such electrodes.

    Notes
    -----
    Where windows are as long as the segment, as those that start at the event often are, events have nowhere
    to be moved to. Then each event's own course is shifted in a circle, and a note says so.
    """
    if not (np.isfinite(before + after) and before + after > 0):
        raise InputError(f"locked: from {-before:g} to {after:g} s of the event is no segment of time")
    if jitter is not None and not jitter > 0:
        raise InputError(f"locked: a jitter of {jitter:g} s moves nothing; give seconds above 0")
    channels = explained.electrodes
    wanted = electrodes if electrodes is None or isinstance(electrodes, str) else list(electrodes)
    chosen = channels if wanted is None else members(wanted, channels)
    if not chosen:
        raise InputError(f"locked: the model has none of {plain(electrodes)}")
    relevance, covered, start = stitched(explained)
    some = relevance[[channels.index(c) for c in chosen]]
    line = (some if signed else np.abs(some)).sum(0)
    sfreq = explained.windows.sfreq
    left, right = round(before * sfreq), round(after * sfreq) + 1
    gaps = np.concatenate([[0], np.cumsum(covered == 0)])

    def whole(at: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether a stretch lies within explained signal."""
        first, last = at - left, at + right
        inside = (first >= 0) & (last <= len(line))
        a, b = np.clip(first, 0, len(line)), np.clip(last, 0, len(line))
        return np.asarray(inside & (gaps[b] == gaps[a]))

    at = np.round((np.asarray(events, dtype=np.float64) - start) * sfreq).astype(np.int64)
    usable = at[whole(at)] if len(at) else at
    if len(usable) < FEWEST:
        raise InputError(
            f"locked: {counted(len(usable), 'event')} of {len(at)} within explained windows; "
            f"{FEWEST} are needed"
        )
    span = np.arange(-left, right)
    if len(span) < 2:
        raise InputError(f"locked: from {-before:g} to {after:g} s of the event is less than two samples")
    notes: list[str] = []
    rng = np.random.default_rng(seed)
    every = line[usable[:, None] + span]
    means = np.stack([every[rng.integers(0, len(every), len(every))].mean(0) for _ in range(resamples)])
    possible = np.flatnonzero(whole(np.arange(len(line))))
    seconds = explained.relevance.shape[-1] / sfreq if jitter is None else jitter
    reach = int(min(max(seconds, 0) * sfreq, len(line)))
    first = np.searchsorted(possible, usable - reach)
    choices = np.searchsorted(possible, usable + reach, side="right") - first
    if np.median(choices) < MOVES:
        notes.append(
            f"Windows leave most events fewer than {MOVES} places to be moved to: held against are their own "
            "courses, each shifted in a circle."
        )
        null = np.stack([_shifted(every, rng).mean(0) for _ in range(resamples)])
    else:
        null = np.stack(
            [
                line[possible[rng.integers(first, first + choices)][:, None] + span].mean(0)
                for _ in range(resamples)
            ]
        )
    centre, spread = null.mean(0), np.maximum(null.std(0), 1e-300)
    far = np.abs(every.mean(0) - centre) / spread
    furthest = (np.abs(null - centre) / spread).max(1)
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    null_low, null_high = np.quantile(null, [0.025, 0.975], axis=0)
    return EventLocked(
        times=span / sfreq,
        mean=every.mean(0),
        low=low,
        high=high,
        null_low=null_low,
        null_high=null_high,
        events=len(usable),
        dropped=len(at) - len(usable),
        peak=float(span[far.argmax()] / sfreq),
        p=float((1 + (furthest >= far.max()).sum()) / (1 + resamples)),
        notes=tuple(notes),
    )


def _shifted(every: Floats, rng: np.random.Generator) -> Floats:
    """Each row shifted in a circle by a number of its own."""
    n, k = every.shape
    return np.asarray(every[np.arange(n)[:, None], (np.arange(k) + rng.integers(0, k, (n, 1))) % k])


def fitting(
    explained: Explained, events: Sequence[float] | NDArray[Any], before: float, after: float
) -> tuple[float, float]:
    """The lags that explained windows cover around most events that they cover at all.

    Parameters
    ----------
    explained : Explained
    events : sequence of float
        Seconds from the recording's first sample.
    before, after : float
        Seconds around the event that are asked for.

    Returns
    -------
    before, after : float
        Not more than was asked for; their sum is 0 or less where nothing is covered.
    """
    _, covered, start = stitched(explained)
    sfreq = explained.windows.sfreq
    left, right = round(before * sfreq), round(after * sfreq)
    at = np.round((np.asarray(events, dtype=np.float64) - start) * sfreq).astype(np.int64)
    span = np.arange(-left, right + 1)
    there = at[:, None] + span
    inside = (there >= 0) & (there < len(covered))
    inside &= covered[np.clip(there, 0, len(covered) - 1)] > 0
    inside = inside[inside.any(1)]
    if not len(inside):
        return 0.0, 0.0
    # The longest run of lags that at least half of these events have, and as many as can be tested.
    enough = inside.sum(0) >= max(FEWEST, len(inside) / 2)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], enough.astype(int), [0]])))
    if not len(edges):
        return 0.0, 0.0
    runs = edges.reshape(-1, 2)
    a, b = max(runs.tolist(), key=lambda run: run[1] - run[0])
    return float(-span[a] / sfreq), float(span[b - 1] / sfreq)
