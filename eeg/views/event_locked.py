"""Relevance locked to events: R peaks, blinks, stimuli.

A model that reads the heart has relevance at every R peak; one that does not has it anywhere. The mean over
events is shown with a bootstrap interval over events, and beside what the same events at slightly other times
would give: known signals (R peaks, a P300) are the first thing to verify a map on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...engine.errors import InputError
from ...engine.steps import step
from ..artefacts.events import is_detected, times_of
from ..drawing.sections import Picture, Section, Table
from ..electrodes.regions import members
from ..explanation.around_events import AFTER, BEFORE, LEVEL, EventLocked, event_locked, fitting
from ..explanation.explained import Explained
from ..explanation.view import View
from ..recording.read import Recording
from ..recording.remarks import Remarks
from ..text import counted, listed, plain, split
from .registry import ViewContext, register

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

SHORTEST = 0.05  # seconds: a shorter segment shows nothing

TITLE = "Around events"
_COLOUR = "#6a51a3"


@dataclass(frozen=True)
class AroundEvents(View):
    """Relevance around events of several names.

    Attributes
    ----------
    by_event : dict of str to EventLocked
        May be empty, where none could be made.
    notes : tuple of str
        What did not fit, and why an event has no curve.
    at : tuple of str
        The electrodes; empty for all.
    """

    by_event: Mapping[str, EventLocked]
    notes: tuple[str, ...] = ()
    at: tuple[str, ...] = ()

    name = "locked"

    def data_vars(self) -> Mapping[str, xr.DataArray]:
        """The curves (event, lag): locked_mean, _low and _high, locked_null_low and _high.

        Where events have unlike lags, NaN stands at those that one does not have.
        """
        if not self.by_event:
            return {}
        each = list(self.by_event.values())
        step = float(np.median(np.diff(each[0].times)))
        number = [np.round(one.times / step).astype(int) for one in each]
        every = np.unique(np.concatenate(number))
        coords = {"event": list(self.by_event), "lag": ("lag", every * step, {"units": "s"})}
        found = {}
        for what in ("mean", "low", "high", "null_low", "null_high"):
            values = np.full((len(each), len(every)), np.nan)
            for row, one, at in zip(values, each, number, strict=True):
                row[np.searchsorted(every, at)] = getattr(one, what)
            found[f"locked_{what}"] = xr.DataArray(values, coords, ("event", "lag"))
        return found

    def summary(self, explained: Explained) -> dict[str, Any]:
        """The numbers of each event."""
        return {name: found.summary() for name, found in self.by_event.items()}

    def lines(self, explained: Explained) -> Iterator[tuple[str, str]]:
        """The outcome for each event."""
        for name, found in self.by_event.items():
            yield "locked", f"{name}: {found.said()}"

    def sections(self, explained: Explained) -> Iterator[Section]:
        """A row and a panel for each event."""
        if not self.by_event:
            return
        where = f"summed over {listed(self.at)}" if self.at else "summed over electrodes"
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
        head = ("events", "counted", "outside the windows", "largest at (s)", "p", "")
        curves = Picture(
            event_curves(self.by_event, unit=explained.unit),
            "locked",
            f"{TITLE}: figure",
            TITLE,
            f"Size of the relevance around events, {where}. Grey: where means lie when each event is moved "
            "at random by up to a window's length, or, where windows leave no room for that, when its own "
            "course is shifted in a circle.",
        )
        yield Section(
            TITLE,
            (
                Table(head, rows, (1, 2, 3, 4)),
                "The p-value compares the mean around the events with means around the same events moved in "
                "time (or their courses shifted), at its largest deviation over all lags, so no correction "
                "is due. Verify a map on signals that are known first: relevance of a model that reads the "
                "heart is locked to R peaks.",
            ),
            (curves,),
            (
                "Relevance locked to an event says that the model uses what goes with it "
                f"({counted(n, 'event')} here), not that the event causes the class.",
            ),
        )


def _names(asked: Sequence[str], recording: Recording) -> list[str]:
    """The events that were asked for; a comma in a known name is part of it."""
    whole = ", ".join(f'"{name}"' if "," in name else name for name in asked)
    return split(whole, [m.description for m in (*recording.marks, *recording.triggers)])


def _check(asked: Any, more: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Refuse, before anything is explained, what is a slip of the pen and no property of the signal."""
    if lags := more.get("lags"):
        before, after = -float(lags[0]), float(lags[1])
        if not (np.isfinite(before + after) and before + after > 0):
            raise InputError(f"lags {lags[0]:g} to {lags[1]:g} s: are no segment of time; give e.g. -0.2,0.8")
    recording = given.get("recording")
    if recording is None:
        return
    shown = _shown(recording, asked, given.get("classes", ()), every=bool(given.get("every")))
    for name in _names(asked, shown):
        if not is_detected(name):
            times_of(shown, name)


def _shown(recording: Recording, asked: Sequence[str], classes: Sequence[str], *, every: bool) -> Recording:
    """The recording with texts that can be shown: a message says which annotations there are."""
    whole = ", ".join(f'"{name}"' if "," in name else name for name in asked)
    return Remarks(tuple(classes), whole, every).of(recording)


@register("locked", needs=("recording",), order=10, off=(), absent={}, takes=("lags", "at"), check=_check)
def _around_events(explained: Explained, context: ViewContext) -> AroundEvents:
    made: dict[str, EventLocked] = {}
    notes: list[str] = []
    every = bool(explained.provenance.get("options", {}).get("show_annotations"))
    recording = _shown(context.recording, context.option, explained.contract.classes, every=every)
    lags = context.more.get("lags")
    before, after = (BEFORE, AFTER) if lags is None else (-float(lags[0]), float(lags[1]))
    at = _electrodes(explained, context.more.get("at") or (), notes)
    for name in _names(context.option, recording):
        short = plain(name, 40)
        step(f"locking to {short}")
        try:
            times = times_of(recording, name)
            b, a = fitting(explained, times, before, after)
            if b + a < max(SHORTEST, 1.5 / explained.windows.sfreq):
                b, a = before, after  # which says why
            found = event_locked(
                explained, times, before=b, after=a, electrodes=at or None, seed=context.seed
            )
        except InputError as e:
            notes.append(f"Nothing around {short}: {e}.")
            continue
        if round(b - before, 6) or round(a - after, 6):
            asked = f"{-before:+.2f} to {after:+.2f} s that were asked for"
            cut = f"Windows have only {0.0 - b:+.2f} to {a:+.2f} s of the {asked}."
            found = replace(found, notes=(cut, *found.notes))
        notes += [f"Around {short}: {note[0].lower()}{note[1:]}" for note in found.notes]
        made[short] = found
    return AroundEvents(made, tuple(notes), at)


def _electrodes(explained: Explained, asked: Sequence[str], notes: list[str]) -> tuple[str, ...]:
    """The electrodes that were asked for, and a note on those that the model has not."""
    found: list[str] = []
    for name in asked:
        there = members([name], explained.electrodes)
        if not there:  # a set's or a region's name
            with contextlib.suppress(InputError):
                there = members(name, explained.electrodes)
        if not there:
            notes.append(f"The model has no electrode {plain(name, 40)} for relevance around events.")
        found += [c for c in there if c not in found]
    if asked and not found:
        notes.append("Relevance around events is summed over all electrodes.")
    return tuple(found)


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
