"""Relevance locked to events: R peaks, blinks, stimuli.

A model that reads the heart has relevance at every R peak; one that does not has it anywhere. The mean over
events is shown with a bootstrap interval over events, and beside what the same events at slightly other times
would give: known signals (R peaks, a P300) are the first thing to verify a map on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...engine.errors import InputError
from ...engine.steps import step
from ..artefacts.events import times_of
from ..drawing.sections import Picture, Section, Table
from ..electrodes.regions import members
from ..explanation.explained import Explained
from ..explanation.timeline import stitched
from ..explanation.view import View
from ..recording.remarks import Remarks
from ..text import counted, plain, split
from .registry import ViewContext, register

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

FEWEST = 5
MOVES = 10  # places the null must have for an event
LEVEL = 0.05

TITLE = "Around events"
_COLOUR = "#6a51a3"


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
        Seconds from the event at which the mean is furthest out of the null.
    p : float
        How often moved events give a mean that is anywhere as far out (the largest deviation over time,
        so no correction is due).
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

    def said(self) -> str:
        """The outcome in words."""
        if self.p <= LEVEL:
            verdict = f"locked to it, furthest {self.peak:+.2f} s from it"
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
            "said": self.said(),
        }


def event_locked(
    explained: Explained,
    events: Sequence[float] | NDArray[Any],
    *,
    before: float = 0.2,
    after: float = 0.6,
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
        Seconds around the event.
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
        Fewer than five events lie whole within explained windows; no such electrodes; or most events cannot
        be moved, since the stretch around them is as long as their window.
    """
    if not (before >= 0 and after > 0 and np.isfinite(before + after)):
        raise InputError(f"locked: from {before:g} s before to {after:g} s after the event is no stretch")
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
    rng = np.random.default_rng(seed)
    every = line[usable[:, None] + span]
    means = np.stack([every[rng.integers(0, len(every), len(every))].mean(0) for _ in range(resamples)])
    possible = np.flatnonzero(whole(np.arange(len(line))))
    seconds = explained.relevance.shape[-1] / sfreq if jitter is None else jitter
    reach = int(min(max(seconds, 0) * sfreq, len(line)))
    first = np.searchsorted(possible, usable - reach)
    choices = np.searchsorted(possible, usable + reach, side="right") - first
    if np.median(choices) < MOVES:
        raise InputError(
            f"locked: within {reach / sfreq:g} s most events have fewer than {MOVES} places to be moved to; "
            "take less before or after, or a larger jitter"
        )
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
    )


@dataclass(frozen=True)
class AroundEvents(View):
    """Relevance around events of several names.

    Attributes
    ----------
    by_event : dict of str to EventLocked
    """

    by_event: Mapping[str, EventLocked]

    name = "locked"

    def data_vars(self) -> Mapping[str, xr.DataArray]:
        """The curves (event, lag): locked_mean, _low and _high, locked_null_low and _high."""
        first = next(iter(self.by_event.values()))
        coords = {"event": list(self.by_event), "lag": ("lag", first.times, {"units": "s"})}
        return {
            f"locked_{what}": xr.DataArray(
                np.stack([getattr(one, what) for one in self.by_event.values()]), coords, ("event", "lag")
            )
            for what in ("mean", "low", "high", "null_low", "null_high")
        }

    def summary(self, explained: Explained) -> dict[str, Any]:
        """The numbers of each event."""
        return {name: found.summary() for name, found in self.by_event.items()}

    def lines(self, explained: Explained) -> Iterator[tuple[str, str]]:
        """The outcome for each event."""
        for name, found in self.by_event.items():
            yield "locked", f"{name}: {found.said()}"

    def sections(self, explained: Explained) -> Iterator[Section]:
        """A row and a panel for each event."""
        n = sum(found.events for found in self.by_event.values())
        rows = [
            (
                name,
                found.events,
                found.dropped,
                f"{found.peak:+.2f}",
                f"{found.p:.2g}",
                "relevance is locked to them" if found.p <= LEVEL else "no more than at other times",
            )
            for name, found in self.by_event.items()
        ]
        head = ("events", "counted", "outside the windows", "furthest at (s)", "p", "")
        curves = Picture(
            event_curves(self.by_event, unit=explained.unit),
            "locked",
            f"{TITLE}: figure",
            TITLE,
            "Size of the relevance around events, summed over electrodes. Grey: where "
            "means lie when each event is moved at random by up to a window's length.",
        )
        yield Section(
            TITLE,
            (
                Table(head, rows, (1, 2, 3, 4)),
                "The p-value compares the mean around the events with means around the same events moved in "
                "time, at its largest deviation over all lags, so no correction is due. Verify a map on "
                "signals that are known first: relevance of a model that reads the heart is locked to R "
                "peaks.",
            ),
            (curves,),
            (
                "Relevance locked to an event says that the model uses what goes with it "
                f"({counted(n, 'event')} here), not that the event causes the class.",
            ),
        )


@register("locked", needs=("recording",), order=10, off=(), absent={})
def _around_events(explained: Explained, context: ViewContext) -> AroundEvents:
    made: dict[str, EventLocked] = {}
    whole = ", ".join(f'"{name}"' if "," in name else name for name in context.option)
    every = bool(explained.provenance.get("options", {}).get("show_annotations"))
    recording = Remarks(explained.contract.classes, whole, every).of(context.recording)
    known = [m.description for m in (*recording.marks, *recording.triggers)]
    for name in split(whole, known):
        step(f"locking to {plain(name, 40)}")
        times = times_of(recording, name)
        made[plain(name, 40)] = event_locked(explained, times, seed=context.seed)
    return AroundEvents(made)


def event_curves(found: Mapping[str, EventLocked], *, unit: str) -> Figure:
    """Relevance around events, a panel each: mean with its interval, and what moved events give.

    Parameters
    ----------
    found : dict of str to EventLocked
    unit : str
    """
    from matplotlib.figure import Figure

    from ..drawing.heads import INK

    n = len(found)
    figure = Figure(figsize=(min(4.6 * n + 0.4, 14), 3.6), layout="constrained")
    for axis, (name, one) in zip(np.atleast_1d(figure.subplots(1, n)), found.items(), strict=True):
        axis.fill_between(
            one.times, one.null_low, one.null_high, color="0.85", lw=0, label="events moved in time (95 %)"
        )
        axis.fill_between(one.times, one.low, one.high, color=_COLOUR, alpha=0.3, lw=0)
        axis.plot(one.times, one.mean, color=_COLOUR, lw=1.6, label="mean, 95 % interval")
        axis.axvline(0, color="0.3", lw=0.8, ls=":")
        axis.set_title(
            f"{plain(name, 40)}: {counted(one.events, 'event')}, p = {one.p:.2g}", fontsize=10, loc="left",
            color=INK, parse_math=False,
        )  # fmt: skip
        axis.set_xlabel("time from the event (s)", fontsize=9)
        axis.set_ylabel(f"|relevance| per sample ({unit})", fontsize=8)
        axis.set_ylim(bottom=min(0.0, float(one.low.min())))
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(fontsize=7, frameon=False, loc="best")
    return figure
