"""Derivations: the difference of two electrodes, made of what was recorded.

Each recorded channel is the voltage between two points: its electrode and its reference. A model that takes
C3-M2 gets the channel of that name where there is one, or else the sum of recorded voltages along the
shortest way from C3 to M2: C3 against the cap's reference less M2 against the same, F7-Fp1 turned over, and
so on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .names import AVERAGE, LINKED, Name

Weights = dict[str, float]

_LONGEST = 4  # recorded channels in a row: noise adds up
_SAME_SIDE = {"A1": "M1", "A2": "M2", "M1": "A1", "M2": "A2"}


@dataclass(frozen=True)
class Derived:
    """What a derivation is made of, or why it cannot be made.

    Attributes
    ----------
    weights : dict of str to float
        Recorded channel -> its factor; empty where it cannot be made.
    lacks : str
        Why not, in words.
    """

    weights: Mapping[str, float]
    lacks: str = ""

    def said(self) -> str:
        """The sum in words: "C3 - M2"."""
        parts = []
        for name, weight in self.weights.items():
            size = "" if abs(abs(weight) - 1) < 1e-9 else f"{abs(weight):.3g} "
            parts.append(f"{'-' if weight < 0 else '+'} {size}{name}")
        return " ".join(parts).removeprefix("+ ")


class Voltages:
    """Which points on the head recorded channels are between.

    Parameters
    ----------
    parsed : mapping of str to Name
        Recorded channels and what their names say.
    leave : iterable of str
        Channels that must not enter an average.
    """

    def __init__(self, parsed: Mapping[str, Name], leave: Iterable[str] = ()) -> None:
        self._leave = set(leave)
        self._scalp = {name for name, said in parsed.items() if said.kind == "electrode"}
        self._ends: dict[str, tuple[str, str]] = {
            name: (said.first, _point(said)) for name, said in parsed.items()
        }
        self._near: dict[str, list[tuple[str, str, float]]] = {}
        for name, (a, b) in self._ends.items():
            self._near.setdefault(a, []).append((b, name, 1.0))
            self._near.setdefault(b, []).append((a, name, -1.0))

    def between(self, wanted: Name) -> Derived:
        """What a model's derivation is made of: one electrode less another, linked ears or the average."""
        first = wanted.first
        if wanted.against is not None:
            return self._least(first, [wanted.against])
        token = (wanted.reference or "").upper()
        if token in LINKED:
            ears = [["A1", "A2"], ["M1", "M2"]]
            found = [self._least(first, pair, exactly=True) for pair in ears]
            return next((f for f in found if f.weights), found[1] if token.startswith("M") else found[0])
        return self._from_average(first)

    def _least(self, first: str, others: list[str], *, exactly: bool = False) -> Derived:
        """One electrode less the mean of others."""
        weights: Weights = {}
        for other in others:
            way = self._way(first, other)
            if way is None and not exactly and other in _SAME_SIDE and other not in self._near:
                way = self._way(first, _SAME_SIDE[other])  # the ear and the mastoid of one side
            if way is None:
                return Derived({}, self._lacks(first, others))
            for name in way:
                twins = [n for n, ends in self._ends.items() if ends == self._ends[name]]
                if len(twins) > 1:
                    return Derived({}, f"several recorded channels are one part of it: {', '.join(twins)}")
            for name, factor in way.items():
                weights[name] = weights.get(name, 0.0) + factor / len(others)
        return Derived({n: w for n, w in weights.items() if abs(w) > 1e-12})

    def _from_average(self, first: str) -> Derived:
        """An electrode less the mean of all that have its reference."""
        own = next((n for n, (a, b) in self._ends.items() if a == first and not _is_electrode(b)), None)
        if own is None:
            return Derived({}, self._lacks(first, []))
        point, sound = self._ends[own][1], self._scalp - self._leave
        whose = [n for n, (_, b) in self._ends.items() if b == point and n in sound]
        weights = dict.fromkeys(whose, -1 / len(whose)) if whose else {}
        weights[own] = weights.get(own, 0.0) + 1
        return Derived({own: weights.pop(own), **weights})

    def _way(self, start: str, end: str) -> Weights | None:
        """Recorded channels along the shortest way from one point to another, with their signs."""
        if start not in self._near or end not in self._near or start == end:
            return None
        came: dict[str, tuple[str, str, float]] = {}
        waiting = deque([(start, 0)])
        while waiting:
            at, steps = waiting.popleft()
            for to, name, sign in self._near[at] if steps < _LONGEST else ():
                if to == start or to in came:
                    continue
                came[to] = (at, name, sign)
                if to == end:
                    return _traced(came, start, end)
                waiting.append((to, steps + 1))
        return None

    def _lacks(self, first: str, others: Iterable[str]) -> str:
        wanted = [first, *others]
        absent = [n for n in wanted if n not in self._near]
        if absent:
            there = [n for n in wanted if n not in absent]
            also = f"; {' and '.join(there)} {'is' if len(there) == 1 else 'are'} recorded" if there else ""
            return f"it needs {' and '.join(absent)}, which {'is' if len(absent) == 1 else 'are'} not{also}"
        return f"{' and '.join(wanted)} are recorded, but not against one reference"


def _point(said: Name) -> str:
    """The other end of a recorded voltage: an electrode, or a reference by its name."""
    if said.against is not None:
        return said.against
    return f"({(said.reference or '').upper()})"


def _is_electrode(point: str) -> bool:
    return not point.startswith("(")


def _traced(came: Mapping[str, tuple[str, str, float]], start: str, end: str) -> Weights:
    weights: Weights = {}
    while end != start:
        end, name, sign = came[end]
        weights[name] = sign
    return dict(reversed(weights.items()))


def is_derivation(wanted: Name) -> bool:
    """Whether a name says against what its electrode is: another one, both ears, or the average."""
    token = (wanted.reference or "").upper()
    return wanted.against is not None or token in LINKED or token in AVERAGE
