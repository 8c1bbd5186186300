"""Where windows start, and which of them are dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...engine.contract import InputContract
from ...engine.errors import InputError
from ..text import listed, plain, split, squashed, typed
from .conditioning import SignalPiece
from .labels import Labels
from .marks import HIDDEN, SHOW, Mark
from .read import Recording


@dataclass(frozen=True)
class Slices:
    """The windows that were taken: signal (n, channel, time), onsets, labels; and what was lost, and why."""

    signal: NDArray[np.float64]
    onsets: list[float]
    labels: list[str | None]
    lost: Counter[str]


def tagged(description: str, wanted: str) -> bool:
    """Whether a description has all tags of `wanted`: "left" matches "left/agree", "left/agree" too.

    How a message lists it is as good as how the file has it: "S  1" as "S 1", a long one cut.
    """
    asked = squashed(wanted)
    if asked in (squashed(plain(description, 40)), squashed(plain(description, 60))):
        return True
    return set(map(squashed, asked.split("/"))) <= set(map(squashed, description.split("/")))


def chosen(recording: Recording, events: str | None, where: str) -> list[Mark] | None:
    """The annotations to start windows at; None for consecutive windows."""
    if events is None or (recording.is_epochs and events == "annotations"):
        return None
    if recording.is_epochs:
        known = Counter(str(n) for n in recording.data.event_id)
        marks: list[Mark] = [Mark(0.0, 0.0, n) for n in known]
    else:
        marks = [m for m in recording.marks if not m.bad]
        known = Counter(m.description for m in (*marks, *recording.triggers))
    if events != "annotations":
        wanted = _wanted(events, known, recording, where)
        marks = list(dict.fromkeys(m for w in wanted for m in _named(recording, marks, w)))
    if not marks:
        raise InputError(
            f"{where}: windows at annotations were asked for, and the recording has none{_absent(recording)}"
        )
    return sorted(marks, key=lambda m: m.onset)


def _named(recording: Recording, marks: Sequence[Mark], wanted: str) -> list[Mark]:
    """The annotations of a name; without any, the codes of a trigger channel."""
    found = [m for m in marks if tagged(m.description, wanted)]
    return found or [m for m in recording.triggers if tagged(m.description, wanted)]


def named(recording: Recording, wanted: str, where: str) -> list[Mark]:
    """The annotations, or codes of a trigger channel, with all tags of a name.

    Raises
    ------
    InputError
        There is none; the message has those that there are.
    """
    found = _named(recording, recording.marks, wanted)
    if not found:
        known = _listed(dict.fromkeys(m.description for m in (*recording.marks, *recording.triggers)))
        raise InputError(
            f"{where}: no annotation {plain(wanted)}; there are: {known or 'none'}{_absent(recording)}"
        )
    return found


def _listed(known: Mapping[str, object]) -> str:
    """The names of events as they can be typed, and that there are others whose text is not shown."""
    names = typed(n for n in known if n != HIDDEN)
    if HIDDEN not in known:
        return names
    count = known[HIDDEN]
    more = f"{count} more" if isinstance(count, int) else "more"
    return f"{names + ', and ' if names else ''}{more} whose text may hold a name ({SHOW} shows it)"


def _absent(recording: Recording) -> str:
    """That a file which its header names is not there, where there is one."""
    absent = recording.facts.absent
    return f"; its marker file {listed(absent)} is missing" if absent else ""


def _wanted(events: str, known: Counter[str], recording: Recording, where: str) -> list[str]:
    """The events that were asked for, each of which the recording has."""
    wanted = split(events, known)
    unknown = [w for w in wanted if not any(tagged(d, w) for d in known)]
    if unknown or not wanted:
        raise InputError(
            f"{where}: no event {listed(unknown) or 'is named'}; "
            + (f"there are: {_listed(known)}" if known else "the recording has no annotations")
            + _absent(recording)
        )
    return wanted


def labelled_marks(
    recording: Recording, labels: Labels | None, events: str | None, where: str, seconds: float | None = None
) -> list[Mark] | None:
    """Where windows of so many seconds start by a table of labels; None where it does not say.

    Raises
    ------
    InputError
        It does, and so do `events`, or the recording is cut into epochs already.
    """
    marks = None if labels is None else labels.marks(seconds)
    if labels is None or marks is None:
        return None
    if not marks:
        raise InputError(
            f"{plain(labels.name)}: no label in it lasts as long as a window of {seconds or 0:g} s"
        )
    if events is not None:
        raise InputError(
            f"{plain(labels.name)} and events both say where windows start; leave out one of them"
        )
    if recording.is_epochs:
        raise InputError(
            f"{where}: cut into epochs already, so the column onset of {plain(labels.name)} has no meaning; "
            "leave it out, with a row for each epoch"
        )
    shift = later(recording, labels)
    return [replace(m, onset=m.onset + shift) for m in marks]


def later(recording: Recording, labels: Labels) -> float:
    """Seconds from the recording's beginning to that of its labels; 0 without clocks of one day."""
    if recording.facts.began is None or labels.began is None:
        return 0.0
    away = (labels.began - recording.facts.began).total_seconds()
    return away if abs(away) < 86_400 else 0.0


def take(
    ready: Sequence[SignalPiece],
    original: Sequence[SignalPiece],
    rows: Sequence[int],
    sfreq: float,
    recording: Recording,
    contract: InputContract,
    marks: Sequence[Mark] | None,
    labels: Labels | None = None,
    used: Collection[str] | None = None,
) -> Slices:
    """Take the windows out of conditioned pieces.

    Parameters
    ----------
    ready : sequence of SignalPiece
        At the contract's rate.
    original : sequence of SignalPiece
        The same before filters, at `sfreq`: a flat stretch shows only there.
    rows : sequence of int
        Where the model's channels are in `original`.
    sfreq : float
    recording : Recording
    contract : InputContract
    marks : sequence of Mark or None
        Where windows start; None for consecutive ones (or every epoch).
    labels : Labels, optional
        One for each window, those that are dropped included.
    used : collection of str, optional
        Recorded channels that windows depend on: what is bad on others alone drops none. All by default.
    """
    rate, width = contract.sfreq, contract.window
    bad = [
        (m.onset, m.onset + m.duration, f"the annotation {plain(m.description, 40)}")
        for m in recording.marks
        if m.bad and (used is None or not m.channels or not set(m.channels).isdisjoint(used))
    ]
    lost: Counter[str] = Counter()
    taken, onsets, named = [], [], []
    starts = _starts(ready, contract, recording.is_epochs, marks, lost)
    if labels is not None:
        asked = len(starts) if marks is None else len(marks)
        if recording.is_epochs:
            asked = len(recording.data) if marks is None else len(starts)
        given = labels.of_windows(asked, plain(recording.name))
        if asked != len(starts):
            raise InputError(
                f"{plain(recording.name)}: of {asked} windows {asked - len(starts)} are too short or outside "
                f"the signal, so {plain(labels.name)} cannot be counted off; give it a column onset"
            )
        starts = [(i, first, label) for (i, first, _), label in zip(starts, given, strict=True)]
    for i, first, label in starts:
        piece = ready[i]
        start = piece.start + first / rate
        holes = [
            (piece.start + a, piece.start + b, "values that are not numbers")
            for name, a, b in piece.holes
            if used is None or name in used
        ]
        end = start + width / rate
        over = [what for a, b, what in (*bad, *holes) if a < end - 1e-6 and b > start + 1e-6]
        at = round(first / rate * sfreq)
        seen = original[i].data[rows, at : at + round(contract.seconds * sfreq)]
        if first + width > piece.data.shape[-1]:
            lost["past the end of the signal"] += 1
        elif over:
            lost[f"over {over[0]}"] += 1
        elif flat := [n for n, x in zip(contract.channels, seen, strict=True) if x.min() == x.max()]:
            lost[f"flat at {listed(flat, 4)}"] += 1
        else:
            taken.append(piece.data[:, first : first + width])
            onsets.append(start)
            named.append(None if label is None else plain(label))
    signal = np.stack(taken) if taken else np.zeros((0, len(contract.channels), width))
    return Slices(signal, onsets, named, lost)


def _starts(
    ready: Sequence[SignalPiece],
    contract: InputContract,
    is_epochs: bool,
    marks: Sequence[Mark] | None,
    lost: Counter[str],
) -> list[tuple[int, int, str | None]]:
    """(piece, first sample, label) of every window that is wanted."""
    rate, width, tmin = contract.sfreq, contract.window, contract.tmin
    if is_epochs:
        allowed = None if marks is None else {m.description for m in marks}
        out = []
        for i, piece in enumerate(ready):
            # From the event on where the epoch is long enough after it, else from the epoch's start.
            first = round((piece.zero + tmin) * rate)
            fits = 0 <= first <= piece.data.shape[-1] - width
            if allowed is not None and piece.label not in allowed:
                continue
            if not fits and tmin:
                lost[f"of an epoch that does not reach from {tmin:g} to {tmin + contract.seconds:g} s"] += 1
                continue
            out.append((i, first if fits else 0, piece.label))
        return out
    if marks is None:
        step = contract.seconds if contract.stride is None else contract.stride
        return [
            (i, round(k * step * rate), None)
            for i, piece in enumerate(ready)
            for k in range(1 + int((piece.data.shape[-1] - width) / (step * rate) + 1e-6))
            if piece.data.shape[-1] >= width
        ]
    out = []
    for mark in marks:
        holds = [
            i
            for i, p in enumerate(ready)
            if p.start - 0.5 / rate <= mark.onset < p.start + p.data.shape[-1] / rate
        ]
        first = round((mark.onset + tmin - ready[holds[-1]].start) * rate) if holds else -1
        if holds and not tmin:
            first = max(0, first)  # half a sample before the first one
        if not holds:
            lost["outside the recorded signal, or in a stretch shorter than a window"] += 1
        elif first < 0:
            lost[f"would start before the signal ({-tmin:g} s before the event)"] += 1
        else:
            out.append((holds[-1], first, mark.description))
    return out
