"""What a recording says happened, and when: annotations, codes on a trigger channel, and where it jumps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mne
import numpy as np

from .headers import HeaderFacts
from .triggers import triggers

# What annotations are called whose text may hold a name, and the option that shows it (see `remarks`).
HIDDEN, SHOW = "another annotation", "--show-annotations"


@dataclass(frozen=True)
class Mark:
    """An annotation: seconds from the first sample, seconds long, what it says, and of which channels.

    Without channels it is of all.
    """

    onset: float
    duration: float
    description: str
    channels: tuple[str, ...] = ()

    @property
    def bad(self) -> bool:
        """Whether it marks a stretch that must not be used."""
        return self.description.lower().startswith(("bad", "edge"))


def marks_of(raw: Any, facts: HeaderFacts) -> tuple[list[Mark], list[float]]:
    """Annotations in seconds from the first sample, and where the signal jumps."""
    marks = []
    breaks = [at for at, _ in facts.gaps]
    clock: Callable[[float], float] = _clock(facts.gaps)
    offset = raw.first_time if raw.annotations.orig_time is not None else 0.0
    told = raw.annotations
    for onset, duration, description, channels in zip(
        told.onset, told.duration, told.description, told.ch_names, strict=True
    ):
        at = clock(float(onset) - offset)
        text = str(description)
        lower = text.lower()
        if "boundary" in lower or lower.startswith(("new segment", "edge")):
            # EEGLAB gives a boundary the length of what was cut out there, which is not in the data.
            breaks.append(at)
            continue
        marks.append(Mark(at, float(duration), text, tuple(map(str, channels))))
    length = raw.n_times / raw.info["sfreq"]
    return marks, sorted({float(np.round(b, 9)) for b in breaks if 0 < b < length})


def _clock(gaps: tuple[tuple[float, float], ...]) -> Callable[[float], float]:
    """Clock time of a discontinuous file -> seconds of recorded signal before it."""

    def seconds(t: float) -> float:
        lost = 0.0
        for at, gap in gaps:
            if t >= at + lost + gap:
                lost += gap
            elif t > at + lost:
                return at
        return t - lost

    return seconds


def with_triggers(data: Any, marks: list[Mark]) -> tuple[list[Mark], tuple[Mark, ...]]:
    """Annotations, or the codes of a trigger channel where there are none; and codes beside annotations."""
    if isinstance(data, mne.BaseEpochs):
        return marks, ()
    pulses = tuple(Mark(at, 0.0, code) for at, code in triggers(data))
    return (marks, pulses) if any(not m.bad for m in marks) else ([*marks, *pulses], ())
