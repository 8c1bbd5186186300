"""What an answer says: on which electrodes, when, in which band, for which class; and how far to trust it.

The report's first paragraph, the command line, the demonstration and summary.json have its words; `answer_of`
(in `answering`) computes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..text import counted, listed

TRUST = ("accuracy", "fit", "reached")
NOT_ASKED = "Closeness to random weights was not looked at (--baselines looks)."


@dataclass(frozen=True)
class Where:
    """The electrodes with most relevance.

    Attributes
    ----------
    electrodes : tuple of str
        The leading one and those with at least half its share; four at most.
    share, even : float
        Their share together, mean over windows, and what evenly spread relevance would give them.
    stands_out : bool
        Whether the leading one stands out (see `standing_out`).
    p : float or None
    region : str
        The region with most, and `region_share`, `region_even`: its share and its part of the electrodes.
    """

    electrodes: tuple[str, ...]
    share: float
    even: float
    stands_out: bool
    p: float | None
    region: str = ""
    region_share: float = float("nan")
    region_even: float = float("nan")

    def said(self) -> str:
        """In words."""
        who, verb = _and(self.electrodes), "has" if len(self.electrodes) == 1 else "have"
        of = f"{_percent(self.share)} of the relevance on {_percent(self.even)} of the electrodes"
        if self.stands_out:
            return f"{who}: {of}."
        return f"No electrode stands out; {who} {verb} most: {of}."


@dataclass(frozen=True)
class When:
    """The moment with most relevance, in seconds from the event, or from the window's start.

    Attributes
    ----------
    peak, start, stop : float
        Where the course over time is largest, and between which its height is halfway to that or more.
    share, even : float
        Of that segment: its part of the relevance, and of the window.
    from_event : bool
        Whether seconds count from the event that windows are cut at.
    stands_out : bool
    p : float or None
    """

    peak: float
    start: float
    stop: float
    share: float
    even: float
    from_event: bool
    stands_out: bool
    p: float | None

    def said(self) -> str:
        """In words."""
        of = "from the event" if self.from_event else "into the window"
        part = f"{_percent(self.share)} of the relevance in {_percent(self.even)} of the window"
        if self.stands_out:
            return (
                f"Most at {self.start:.2f} to {self.stop:.2f} s {of}, largest at {self.peak:.2f} s: {part}."
            )
        return f"No moment stands out (largest at {self.peak:.2f} s {of}: {part})."


@dataclass(frozen=True)
class Band:
    """The frequencies with most relevance.

    Attributes
    ----------
    name : str
    lower, upper : float
        Hz; NaN where it has no edge.
    share, even : float
        Its share, mean over windows, and its part of all frequencies.
    stands_out : bool
        Whether it has twice its part of the frequencies, and more than that part at the lower end of a 95 %
        interval over windows.
    """

    name: str
    lower: float
    upper: float
    share: float
    even: float
    stands_out: bool

    def said(self) -> str:
        """In words."""
        both = np.isfinite(self.lower) and np.isfinite(self.upper)
        name = f"{self.name} ({self.lower:g} to {self.upper:g} Hz)" if both else self.name
        part = f"{_percent(self.share)} of the relevance on {_percent(self.even)} of the frequencies"
        return (
            f"Mostly {name}: {part}." if self.stands_out else f"No band stands out; most is {name}: {part}."
        )


@dataclass(frozen=True)
class ForClass:
    """What speaks for an explained class, and what against it, mean over its windows.

    Attributes
    ----------
    name : str
    windows : int
    for_, against : dict of str to float
        Electrodes with their signed sums, two at most; none that is small beside the largest.
    unit : str
    """

    name: str
    windows: int
    for_: dict[str, float]
    against: dict[str, float]
    unit: str

    def said(self, *, number: bool) -> str:
        """In words; `number`: what is explained is a number, which is raised and lowered."""
        sides = [", ".join(f"{k} {v:+.3g}" for k, v in each.items()) for each in (self.for_, self.against)]
        count = f"({counted(self.windows, 'window')}, mean {self.unit})"
        if number:
            return f"{self.name} {count}: raised by {sides[0] or 'none'}, lowered by {sides[1] or 'none'}."
        return f"For {self.name} {count}: {sides[0] or 'none'}; against it: {sides[1] or 'none'}."


@dataclass(frozen=True)
class Answer:
    """What a model used, in the words of the field.

    Attributes
    ----------
    where : Where or None
        None where there is no relevance at all.
    when : When or None
        None where windows are too short to tell.
    band : Band or None
        None where relevance has no bands (no multiplier).
    classes : tuple of ForClass
    right : dict or None
        correct, of, accuracy, low and high (Wilson's 95 % interval), chance (the most frequent label's part).
    fit : str
        How an output that is a number goes with labels that are numbers; empty where it is none.
    reached : float or None
        The part of what was explained that reached the signal; None where that is near zero.
    beside : dict of str to str
        What views have to say in the answer: by name of the view.
    notes : tuple of str
        What makes it doubtful.
    number : bool
        Whether what is explained is a number and no class.
    """

    where: Where | None
    when: When | None = None
    band: Band | None = None
    classes: tuple[ForClass, ...] = ()
    right: dict[str, Any] | None = None
    fit: str = ""
    reached: float | None = None
    beside: dict[str, str] | None = None
    notes: tuple[str, ...] = ()
    number: bool = False

    @property
    def nothing(self) -> bool:
        """Whether neither an electrode nor a moment nor a band stands out."""
        return not any(one is not None and one.stands_out for one in (self.where, self.when, self.band))

    def own(self) -> Iterator[tuple[str, str]]:
        """What it says itself, as (what, sentence)."""
        if self.where is None:
            yield "answer", "There is no relevance in any window."
            return
        if self.nothing:
            yield "answer", "Nothing stands out: neither an electrode nor a moment nor a band."
        yield "where", self.where.said()
        if self.when is not None:
            yield "when", self.when.said()
        if self.band is not None:
            yield "band", self.band.said()
        for one in self.classes:
            yield ("number" if self.number else "for"), one.said(number=self.number)
        if self.right is not None:
            yield "accuracy", self._said_accuracy(self.right)
        if self.fit:
            yield "fit", self.fit
        if self.reached is not None:
            yield "reached", f"{_percent(self.reached)} of what was explained reached the signal."

    def lines(self) -> list[tuple[str, str]]:
        """For the command line: what it says itself, and what makes it doubtful. Views print their own."""
        beside = self.beside or {}
        more = [] if "baselines" in beside or self.where is None else [("random", NOT_ASKED)]
        return [*self.own(), *more, *(("beware", note) for note in self.notes)]

    def found(self) -> list[str]:
        """The first paragraph: where, when, in which band, for and against which class."""
        return [text for what, text in self.own() if what not in TRUST]

    def trust(self) -> list[str]:
        """The second: how far it can be trusted, with what the views add."""
        own = [
            f"Its number goes with the labels: {text}." if what == "fit" else text
            for what, text in self.own()
            if what in TRUST
        ]
        beside = dict(self.beside or {})
        last = beside.pop("baselines", NOT_ASKED if self.where is not None else "")
        return [*own, *beside.values(), *([last] if last else [])]

    def sentences(self) -> list[str]:
        """Both."""
        return [*self.found(), *self.trust()]

    def summary(self) -> dict[str, Any]:
        """Everything, as plain data, with the sentences."""
        return {
            **asdict(self),
            "nothing": self.nothing,
            "found": self.found(),
            "trust": self.trust(),
            "said": self.sentences(),
        }

    @staticmethod
    def _said_accuracy(found: dict[str, Any]) -> str:
        text = (
            f"Right in {found['correct']} of {found['of']} labelled windows ({_percent(found['accuracy'])}, "
            f"95 % interval {_percent(found['low'])} to {_percent(found['high'])}; the most frequent label "
            f"alone would give {_percent(found['chance'])})"
        )
        return f"{text}: no better than that." if found["low"] <= found["chance"] else f"{text}."


def _percent(part: float) -> str:
    return f"{100 * part:.0f} %" if np.isfinite(part) else "none"


def _and(names: tuple[str, ...]) -> str:
    if len(names) < 2:
        return listed(names)
    return f"{listed(names[:-1])} and {names[-1]}"
