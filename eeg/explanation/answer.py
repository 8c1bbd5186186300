"""The answer: on which electrodes, when, in which band, for which class; and how far it can be trusted.

One object computes it. The report's first paragraph, the command line, the demonstration and summary.json
have its words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import InputError
from ..text import counted, listed, plain
from . import shares
from .doubts import doubts
from .standing_out import floor_of, standing_out

if TYPE_CHECKING:
    from .explained import Explained

Floats = NDArray[np.float64]

NAMED = 4  # electrodes, at most
NEAR = 0.5  # of the leading electrode's share: those that are named with it
SMOOTH = 0.1  # seconds over which relevance is summed for its course
CLASSES = 4
SMALL = 0.1  # of a class's largest electrode: below it an electrode against it is not worth a word
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


def answer_of(explained: Explained) -> Answer:
    """The answer of an explanation, with what its views have to say.

    Parameters
    ----------
    explained : Explained

    Returns
    -------
    Answer
    """
    from .explained import fit, said_fit

    where = _where(explained)
    found = fit(explained)
    beside = {name: text for name, view in explained.views.items() if (text := view.answer(explained))}
    return Answer(
        where=where,
        when=None if where is None else _when(explained),
        band=None if where is None else _band(explained),
        classes=() if where is None else tuple(_classes(explained)),
        right=_right(explained),
        fit="" if found is None else said_fit(found),
        reached=_reached(explained),
        beside=beside,
        notes=tuple(doubts(explained, () if where is None else where.electrodes)),
        number=explained.contract.regresses,
    )


def _seed(explained: Explained) -> int:
    return int(explained.provenance.get("options", {}).get("seed") or 0)


def _where(explained: Explained) -> Where | None:
    units = explained.relevance.sum(-1, dtype=np.float64)
    found = standing_out(units, seed=_seed(explained))
    if found is None:
        return None
    own = shares.by_electrode(explained.relevance)
    order = np.argsort(-own, kind="stable")[:NAMED]
    some = [int(i) for i in order if own[i] >= NEAR * found.share]
    regions = shares.by_region(
        explained.relevance, explained.electrodes, explained.regions.partition(explained.electrodes)
    )
    named = [r for r in regions if r.electrodes and np.isfinite(r.share)]
    first = max(named, key=lambda r: r.share, default=None)
    out = Where(
        tuple(plain(explained.electrodes[i], 40) for i in some),
        float(own[some].sum()),
        len(some) / len(own),
        found.enough,
        found.p,
    )
    if first is None:
        return out
    return replace(
        out, region=plain(first.name, 40), region_share=first.share, region_even=first.of_electrodes
    )


def course(explained: Explained, seconds: float = SMOOTH) -> Floats:
    """Relevance of all electrodes, summed over so many seconds around each sample, shape (window, time).

    Sums at the edges are of what there is, and scaled to the whole width.
    """
    line = explained.relevance.sum(1, dtype=np.float64)
    n = line.shape[-1]
    half = max(0, min(round(seconds * explained.windows.sfreq / 2), n // 10))
    whole = np.concatenate([np.zeros((len(line), 1)), np.cumsum(line, axis=1)], axis=1)
    first, last = np.clip(np.arange(n) - half, 0, n), np.clip(np.arange(n) + half + 1, 0, n)
    return np.asarray((whole[:, last] - whole[:, first]) * (2 * half + 1) / (last - first))


def _when(explained: Explained) -> When | None:
    windows = explained.windows
    if explained.relevance.shape[-1] < 10:
        return None
    units = course(explained)
    found = standing_out(units, chance="shifted", seed=_seed(explained))
    if found is None:
        return None
    from .standing_out import shares_of

    mean = shares_of(units).mean(0)
    high = mean >= found.even + (found.share - found.even) / 2
    start, stop = found.index, found.index
    while start > 0 and high[start - 1]:
        start -= 1
    while stop < len(mean) - 1 and high[stop + 1]:
        stop += 1
    options = explained.provenance.get("options", {})
    event = bool(windows.tmin) or bool(options.get("events"))
    t = windows.times + (windows.tmin if event else 0.0)
    return When(
        peak=float(t[found.index]),
        start=float(t[start]),
        stop=float(t[stop] + 1 / windows.sfreq),
        share=float(mean[start : stop + 1].sum()),
        even=(stop + 1 - start) / len(mean),
        from_event=event,
        stands_out=found.enough,
        p=found.p,
    )


def _band(explained: Explained) -> Band | None:
    if "bands" not in explained.dataset:
        return None
    view = explained.dataset["bands"]
    found = [b for b in shares.by_band(view) if np.isfinite(b.share)]
    if not found:
        return None
    n = len(explained.windows)
    first = max(found, key=lambda b: b.share)
    if first.name == shares.REST:
        split = _outside(explained, float(np.nanmin(view["lower"])), float(np.nanmax(view["upper"])))
        if split is not None:
            return split
    return _judged(
        plain(first.name, 40), first.lower, first.upper, first.share, first.spread, first.of_frequencies, n
    )


def _judged(name: str, lower: float, upper: float, share: float, spread: float, even: float, n: int) -> Band:
    low = share - 1.96 * spread / np.sqrt(max(n, 1))
    return Band(name, lower, upper, share, even, bool(share >= floor_of(even) and low > even))


def _outside(explained: Explained, lowest: float, highest: float) -> Band | None:
    """Which side of all bands has the relevance that no band has."""
    from .bands import blocks, by_frequency
    from .pairs import mean_of

    n, sfreq = explained.relevance.shape[-1], explained.windows.sfreq
    f = np.arange(n // 2 + 1) * sfreq / n
    sides = {
        f"the offset and what is below {lowest:g} Hz": f < lowest,
        f"above {highest:g} Hz": f >= highest,
        "between the bands": (f >= lowest) & (f < highest),
    }

    def split(x: Floats, m: Floats) -> Floats:
        parts = []
        for s in blocks(len(x)):
            r = by_frequency(x[s], m[s])
            parts.append(np.stack([r[..., inside].sum(-1) for inside in sides.values()], -1))
        return np.concatenate(parts)

    try:
        units = mean_of(explained, split)
    except InputError:
        return None
    own = explained.dataset["bands"]
    inside = own.values[..., own["band"].values != shares.REST]
    inside_f = sum(
        float(max(0.0, min(u, sfreq / 2) - min(lo, sfreq / 2)))
        for lo, u in zip(own["lower"].values, own["upper"].values, strict=True)
        if np.isfinite(lo)
    )
    every = np.concatenate([units, inside], -1).reshape(len(units), -1)
    k = units.shape[-1] + inside.shape[-1]
    best: tuple[shares.Summed, int] | None = None
    for i in range(len(sides)):
        got = shares.summed(every, np.tile(np.arange(k) == i, units.shape[1]))
        if np.isfinite(got.share) and (best is None or got.share > best[0].share):
            best = (got, i)
    if best is None:
        return None
    found, i = best
    even = [lowest, max(0.0, sfreq / 2 - highest), max(0.0, highest - lowest - inside_f)][i] / (sfreq / 2)
    nan = float("nan")
    return _judged([*sides][i], nan, nan, found.share, found.spread, even, len(units))


def _classes(explained: Explained) -> Iterator[ForClass]:
    from .explained import said_target

    data, number = explained.dataset, explained.contract.regresses
    total = explained.relevance.sum(-1, dtype=np.float64)
    groups: dict[str, NDArray[np.intp]] = {}
    if number or "target" not in data:
        names = explained.contract.names
        which = int(data["target"].values[0]) if "target" in data and len(total) else 0
        known = number and which < len(names)
        groups[plain(names[which], 40) if known else said_target(explained)] = np.arange(len(total))
    else:
        target, names = data["target"].values, explained.contract.classes
        found = {int(t): np.flatnonzero(target == t) for t in np.unique(target)}
        for t in sorted(sorted(found, key=lambda t: -len(found[t]))[:CLASSES]):
            groups[plain(names[t], 40) if t < len(names) else f"class {t}"] = found[t]
    for name, rows in groups.items():
        mean = total[rows].mean(0)
        order = np.argsort(-np.abs(mean), kind="stable")
        least = SMALL * float(np.abs(mean).max())
        worth = [int(i) for i in order if abs(mean[i]) >= max(least, 1e-300)]
        sides = [
            {plain(explained.electrodes[i], 40): float(mean[i]) for i in worth if sign * mean[i] > 0}
            for sign in (1, -1)
        ]
        most = [dict(list(side.items())[:2]) for side in sides]
        yield ForClass(name, len(rows), most[0], most[1], plain(explained.unit, 20))


def _right(explained: Explained) -> dict[str, Any] | None:
    from scipy.stats import binomtest

    from .explained import accuracy, truth

    found = accuracy(explained)
    if found is None:
        return None
    real = truth(explained.windows.labels, explained.contract.classes)
    counts = np.bincount(real[real >= 0])
    interval = binomtest(found["correct"], found["of"]).proportion_ci(method="wilson")
    return {
        **found,
        "low": float(interval.low),
        "high": float(interval.high),
        "chance": float(counts.max() / counts.sum()),
    }


def _reached(explained: Explained) -> float | None:
    value = np.asarray(explained.dataset["explained"].values, dtype=np.float64)
    size = float(np.abs(value).mean())
    if not len(value) or not abs(float(value.mean())) > 0.1 * size:
        return None
    return float(explained.relevance.sum((-2, -1), dtype=np.float64).mean() / value.mean())


def _percent(part: float) -> str:
    return f"{100 * part:.0f} %" if np.isfinite(part) else "none"


def _and(names: tuple[str, ...]) -> str:
    if len(names) < 2:
        return listed(names)
    return f"{listed(names[:-1])} and {names[-1]}"
