"""Which texts of annotations are shown: what is used as a class or an event, and not what may be a name.

Annotations are typed in by hand, too ("Ms Roe asked for water"), and such a text must not go into a message,
a result or a report. Those that are not shown are one event, `HIDDEN`, so that they are still counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..text import counted, plain, split
from .labels import number_in
from .marks import HIDDEN, SHOW
from .read import Recording
from .slicing import tagged

# What stands so often is an event, and no remark: as many as `audit` takes for a class.
OFTEN = 10
# Words of which texts about events and bad signal are made; any other word may be a name.
_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        acq all and annotation arousal artefact artifact auditory bad bads baseline beep begin blink
        blinks block boundary break button cap channel channels chew chewing clip clipped clipping closed
        code comment condition correct cough cue deviant drift ec ecg edge eeg electrode electrodes emg
        end eo eog epoch error event eye eyes face fast feedback feet fixation flat foot freq frequent go
        hand hands heart high hyperventilation ica imagery impedance in incorrect interpolated jaw jump
        left light line low mains marker middle miss motion motor movement muscle no nogo noise noisy
        novel object of off on onset open photic pop press pulse rare re recording rejected rem response
        rest right run saccade saturated segment seizure session skip sleep slow sound spike spindle stage
        standard start stay stim stimulation stimulus stop swallow sweat talk talking target task test the
        to tone tongue trial trigger unused visual wake word
        """,
    )
)


@dataclass(frozen=True)
class Remarks:
    """What is known of the texts that a recording may have.

    Attributes
    ----------
    classes : tuple of str
        The model's. Without any, texts with a number are what the model is held to.
    named : str or None
        Events that were asked for, as `chosen` takes them.
    every : bool
        Show all.
    """

    classes: tuple[str, ...] = ()
    named: str | None = None
    every: bool = False

    def of(self, recording: Recording) -> Recording:
        """The recording with texts that can be shown."""
        if self.every or not recording.marks:
            return recording
        often = Counter(m.description for m in recording.marks)
        known = [*often, *(m.description for m in recording.triggers)]
        wanted = [] if self.named in (None, "annotations") else split(str(self.named), known)
        new = {text: self._shown(text, n, wanted) for text, n in often.items()}
        marks = tuple(replace(m, description=new[m.description]) for m in recording.marks)
        return replace(recording, marks=marks)

    def _shown(self, text: str, n: int, wanted: Sequence[str]) -> str:
        bad = text.lower().startswith(("bad", "edge"))
        plainly = all(
            w in _WORDS or (len(w) == 1 and w.isascii()) for w in re.findall(r"[^\W\d_]+", text.casefold())
        )
        if plainly or any(tagged(text, w) for w in wanted):
            return text
        if bad:
            return "BAD"
        tags = {text.casefold(), *text.casefold().split("/")}
        if tags & {c.casefold() for c in self.classes} or n >= OFTEN:
            return text
        return text if not self.classes and np.isfinite(number_in(text)) else HIDDEN


def said(recording: Recording, labels: Collection[str | None]) -> list[str]:
    """That windows start at annotations whose text is not shown, where they do."""
    n = sum(label == HIDDEN for label in labels)
    if not n:
        return []
    return [
        f"{counted(n, 'window')} of {plain(recording.name)} started at annotations whose text may hold a "
        f"name: they are called {HIDDEN!r} ({SHOW} shows the text)."
    ]
