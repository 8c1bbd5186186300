"""How far decisions go along with what is exchanged between windows.

Two windows i and j of which the model says different things: i gets the part of j. A model that does not use
the part answers as for i; one that reads nothing else, as for j. What an exchange between windows of *one*
answer changes is the disturbance alone, and is taken off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .parts import Swappable

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Swap = Callable[[Ints, Ints], Floats]

FEWEST = 5  # windows of the rarer decision
PAIRS, DRAWS = 200, 500
BLOCK = 64  # windows at a time
NOTHING = 1e-4  # of the signal: windows do not differ in a part that changes them less
# Of all pairs, those after which a part is left where none went along: of one that a fifth of decisions
# follow, 40 of 100 show nothing once in 7,500 times.
FIRST, LEAST = 0.4, 40


@dataclass(frozen=True)
class Followed:
    """How far answers went along with a part.

    Attributes
    ----------
    followed : float
        For classes the part of the pairs in which the decision is that of the other window; for a number
        how far of the way to the other's output.
    disturbed : float
        The same of exchanges between windows of one answer; NaN where no pair went along, so that there is
        nothing to take it off.
    low, high : float
        Of the difference, 95 %, over windows.
    pairs : int
    changed : float
        Root mean square of what the exchange changed, over that of the signal; 0 where windows do not differ
        in it.
    """

    followed: float
    disturbed: float
    low: float
    high: float
    pairs: int
    changed: float = float("nan")

    @property
    def beyond(self) -> float:
        """How far answers go with the part, less the disturbance; not below zero."""
        return max(0.0, self.followed - self.disturbed) if self.followed else 0.0

    def alone(self, than: str = "") -> str:
        """What the disturbance does alone, in brackets; empty where no pair went along."""
        return "" if np.isnan(self.disturbed) else f" ({self.disturbed:.0%} {than}by the disturbance alone)"

    def numbers(self) -> dict[str, float | int]:
        """For evidence: plain numbers."""
        return {
            "follows": self.followed, "disturbed": self.disturbed, "low": self.low, "high": self.high,
            "pairs": self.pairs,
        }  # fmt: skip


def why_not(outputs: Floats) -> str | None:
    """Why nothing can be exchanged, in words.

    Parameters
    ----------
    outputs : ndarray, shape (window, ...)
        What the model says of each window.
    """
    flat = outputs.reshape(len(outputs), -1) if outputs.size else np.zeros((0, 1))
    if not len(flat) or np.ptp(flat, axis=0).max(initial=0.0) <= 1e-6 * max(float(np.abs(flat).max()), 1e-12):
        return "The output is constant."
    if outputs.ndim == 2 and outputs.shape[1] > 1:
        if np.sort(np.bincount(flat.argmax(1), minlength=2))[-2] < FEWEST:
            return "The model decides for one class in nearly all windows."
    elif flat.shape[1] != 1:
        return "The output is neither a choice between classes nor one number."
    return None


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of windows, drawn once: all parts are exchanged in the same ones.

    Attributes
    ----------
    signal : ndarray, shape (window, channel, time)
        Microvolt.
    outputs : ndarray, shape (window, class) or (window, 1)
    run : callable
        Outputs for windows of signal.
    i, j : ndarray of int, shape (pair,)
        Windows of which the model says different things.
    a, b : ndarray of int, shape (pair,)
        Windows of which it says the same.
    rng : Generator
        Of the intervals.
    """

    signal: Floats
    outputs: Floats
    run: Callable[[Floats], Floats]
    i: Ints
    j: Ints
    a: Ints
    b: Ints
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    @property
    def of_classes(self) -> bool:
        """Whether the output is a choice between classes."""
        return self.outputs.ndim == 2 and self.outputs.shape[1] > 1

    @property
    def decisions(self) -> Ints:
        """The class with the largest output, in each window."""
        return np.asarray(self.outputs.argmax(-1), dtype=np.int64)

    def some(self, n: int) -> Pairs:
        """The first n of each kind."""
        return Pairs(
            self.signal, self.outputs, self.run, self.i[:n], self.j[:n], self.a[:n], self.b[:n], self.rng
        )

    def exchange(self, part: Swappable | Swap) -> Followed:
        """Exchange a part in every pair.

        Parameters
        ----------
        part : Swappable, or callable
            A callable gets windows' numbers i and j, and gives windows i with the part of j.

        Returns
        -------
        Followed
            Of the first pairs alone where the part changes no decision in them.
        """
        swap = part if callable(part) else self.swap_of(part)
        first = max(LEAST, round(FIRST * len(self.i))) if self.of_classes else len(self.i)
        unlike, power = self._hybrid(swap, self.i[:first], self.j[:first])
        if self.of_classes and first < len(self.i):
            if not self.some(first)._went(unlike).value():
                # Of n draws without a hit, 95 %: three in n (Hanley & Lippman-Hand 1983).
                return Followed(0.0, float("nan"), 0.0, 3 / first, first, _ratio(power))
            more, further = self._hybrid(swap, self.i[first:], self.j[first:])
            unlike, power = np.concatenate([unlike, more]), power + further
        alike, _ = self._hybrid(swap, self.a, self.b)
        measured = self._classes if self.of_classes else self._number
        follow, disturb = measured(unlike, alike)
        low, high = self._interval(follow, disturb)
        return Followed(follow.value(), disturb.value(), low, high, len(self.i), _ratio(power))

    def follows(self, part: Swappable | Swap) -> float:
        """How far answers go along with a part, the disturbance with it: to choose among parts."""
        swap = part if callable(part) else self.swap_of(part)
        if self.changes(swap) < NOTHING:
            return 0.0
        unlike, _ = self._hybrid(swap, self.i, self.j)
        return (self._went(unlike) if self.of_classes else self._way(unlike)).value()

    def swap_of(self, part: Swappable) -> Swap:
        """A part's exchange, by windows' numbers."""
        return lambda i, j: part.swap(self.signal[i], self.signal[j])

    def changes(self, part: Swappable | Swap, n: int = 24) -> float:
        """How much an exchange changes windows, of their size: 0 where they do not differ in the part."""
        swap = part if callable(part) else self.swap_of(part)
        i, j = self.i[:n], self.j[:n]
        x = self.signal[i]
        return float(np.sqrt(((swap(i, j) - x) ** 2).mean() / max((x**2).mean(), 1e-30)))

    def _hybrid(self, swap: Swap, i: Ints, j: Ints) -> tuple[Floats, Floats]:
        """Outputs of windows i with the part of windows j; power of what that changes, and of the windows."""
        found, power = [], np.zeros(2)
        for s in range(0, len(i), BLOCK):
            a, b = i[s : s + BLOCK], j[s : s + BLOCK]
            made, x = swap(a, b), self.signal[a]
            power += ((made - x) ** 2).sum(), (x**2).sum()
            found.append(self.run(made))
        outputs = np.concatenate(found) if found else np.zeros((0, self.outputs.shape[-1]))
        return outputs, power

    def _classes(self, unlike: Floats, alike: Floats) -> tuple[_Hits, _Hits]:
        left = alike.argmax(-1) != self.decisions[self.a]
        return self._went(unlike), _Hits(self.a, self.b, left.astype(float))

    def _went(self, unlike: Floats) -> _Hits:
        return _Hits(self.i, self.j, (unlike.argmax(-1) == self.decisions[self.j]).astype(float))

    def _number(self, unlike: Floats, alike: Floats) -> tuple[_Hits, _Hits]:
        """Of the way from one output to the other; windows a are windows i, and b are like them."""
        y = self.outputs.reshape(len(self.outputs))
        way = y[self.j] - y[self.i]
        disturb = (alike.reshape(-1) - y[self.a]) / way
        return self._way(unlike), _Hits(self.a, self.b, disturb, way**2)

    def _way(self, unlike: Floats) -> _Hits:
        y = self.outputs.reshape(len(self.outputs))
        way = y[self.j] - y[self.i]
        return _Hits(self.i, self.j, (unlike.reshape(-1) - y[self.i]) / way, way**2)

    def _interval(self, follow: _Hits, disturb: _Hits) -> tuple[float, float]:
        """Of the difference, 95 %: windows stand in several pairs, so they are drawn anew and not pairs."""
        n = len(self.signal)
        drawn = self.rng.integers(0, n, (DRAWS, n)) + n * np.arange(DRAWS)[:, None]
        times = np.bincount(drawn.ravel(), minlength=n * DRAWS).reshape(DRAWS, n).astype(float)
        draws = follow.drawn(times) - disturb.drawn(times)
        some = draws[np.isfinite(draws)]
        if not len(some):
            return 0.0, 1.0
        low, high = np.quantile(some, [0.025, 0.975])
        return float(low), float(high)


def _ratio(power: Floats) -> float:
    """Root mean square of a change, of that of the signal."""
    return float(np.sqrt(power[0] / max(power[1], 1e-30)))


class _Hits:
    """What came of pairs: a mean by weight."""

    def __init__(self, i: Ints, j: Ints, hits: Floats, weight: Floats | None = None) -> None:
        self.i, self.j, self.hits = i, j, hits
        self.weight = np.ones(len(i)) if weight is None else weight

    def value(self) -> float:
        """The mean; NaN without any weight."""
        return float(self.drawn(np.ones((1, 1 + max(self.i.max(initial=0), self.j.max(initial=0)))))[0])

    def drawn(self, times: Floats) -> Floats:
        """The mean where each window was drawn so many times, of each draw [draw, window]."""
        w = self.weight * times[:, self.i] * times[:, self.j]
        whole = w.sum(1)
        return np.asarray(np.divide(w @ self.hits, whole, out=np.full(len(w), np.nan), where=whole > 0))


def draw(
    signal: Floats,
    outputs: Floats,
    run: Callable[[Floats], Floats],
    rng: np.random.Generator,
    *,
    pairs: int = PAIRS,
    among: Ints | None = None,
    groups: NDArray[Any] | None = None,
) -> Pairs:
    """Draw pairs of windows.

    Parameters
    ----------
    signal : ndarray, shape (window, channel, time)
    outputs : ndarray, shape (window, class) or (window, 1)
        `why_not` has nothing to say of it.
    run : callable
    rng : Generator
    pairs : int
        At most so many of each kind.
    among : ndarray of int, optional
        Windows to draw from; all by default.
    groups : ndarray, shape (window,), optional
        Subject of each window: pairs are of one subject wherever a subject has windows of both kinds.
    """
    rows = np.arange(len(signal)) if among is None else among
    if not (outputs.ndim == 2 and outputs.shape[1] > 1):
        return _of_numbers(signal, outputs, run, rng, pairs, rows)
    d = outputs.argmax(-1)
    i, j = rows[rng.integers(0, len(rows), (2, 60 * pairs))]
    unlike, alike = d[i] != d[j], (d[i] == d[j]) & (i != j)
    if groups is not None:
        one = groups[i] == groups[j]
        unlike = unlike & one if (unlike & one).sum() >= pairs else unlike
        alike = alike & one if (alike & one).sum() >= pairs else alike
    unlike = np.flatnonzero(unlike)[:pairs]
    # As many of each decision as there are on the other side: classes may be unevenly easy to disturb.
    wanted = np.bincount(d[i[unlike]], minlength=d.max() + 1)
    same = [np.flatnonzero(alike & (d[i] == c))[:n] for c, n in enumerate(wanted) if n]
    alike = np.concatenate(same) if same else np.zeros(0, np.int64)
    return Pairs(signal, outputs, run, i[unlike], j[unlike], i[alike], j[alike], rng)


def _of_numbers(
    signal: Floats, outputs: Floats, run: Callable[[Floats], Floats], rng: np.random.Generator, pairs: int,
    rows: Ints,
) -> Pairs:  # fmt: skip
    """For windows whose outputs lie apart.

    The disturbance is how far outputs go *towards* j when the part comes from a window that is like i: what
    any exchange does to outputs far from the middle.
    """
    y, n = outputs.reshape(len(outputs))[rows], len(rows)
    i, j = rng.integers(0, n, (2, 40 * pairs))
    apart = np.abs(y[i] - y[j])
    far = np.flatnonzero((apart >= np.median(apart)) & (apart > 0))[:pairs]
    i, j = i[far], j[far]
    order = np.argsort(y)
    rank = np.argsort(order)
    step = rng.integers(1, max(1, n // 20) + 1, len(i)) * np.where(rng.random(len(i)) < 0.5, -1, 1)
    target = rank[i] + step
    k = order[np.where((target < 0) | (target >= n), rank[i] - step, target)]
    return Pairs(signal, outputs, run, rows[i], rows[j], rows[i], rows[k], rng)
