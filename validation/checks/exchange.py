"""Exchanging a part of the signal between windows: how far the model's answer goes with it.

Window i without its part, and with that of window j, which the model answers otherwise: x_i - a_i + a_j. A
model that does not use the part answers as for i; one that reads nothing else, as for j. What an exchange
between windows of one answer changes is the disturbance alone, and is taken off. Nothing is set to zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...eeg.artefacts.parts import ArtefactPart
from ..case import Case
from ..result import PARTS, CheckResult, not_evaluable

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PAIRS = 400
FEWEST = 5  # windows of the rarer decision
DRAWS = 500


@dataclass(frozen=True)
class Exchange:
    """What came of an exchange.

    Attributes
    ----------
    followed : float
        For classes the part of the pairs in which the decision is that of the other window; for a number
        how far of the way to the other's output.
    disturbed : float
        The same of exchanges between windows of one answer.
    low, high : float
        Of the difference, 95 %, over windows.
    pairs : int
    """

    followed: float
    disturbed: float
    low: float
    high: float
    pairs: int

    @property
    def beyond(self) -> float:
        """How far answers go with the part, less the disturbance; not below zero."""
        return max(0.0, self.followed - self.disturbed)

    def said(self, case: Case, named: str) -> str:
        """A sentence."""
        if case.has_classes:
            what, than = f"the decision goes with it in {self.followed:.0%} of the pairs", "change "
        else:
            what, than = f"the output goes with it {self.followed:.0%} of the way", ""
        return (
            f"When {named} is exchanged between windows, {what} ({self.disturbed:.0%} {than}by the "
            "disturbance alone)."
        )


def why_not(case: Case) -> str | None:
    """Why nothing can be exchanged, in words."""
    if case.constant:
        return "The output is constant."
    if not case.has_classes and not case.is_number:
        return "The output is neither a choice between classes nor one number."
    if case.has_classes and np.sort(np.bincount(case.decisions, minlength=2))[-2] < FEWEST:
        return "The model decides for one class in nearly all windows."
    return None


def exchange(case: Case, signal: Floats, rng: np.random.Generator, pairs: int = PAIRS) -> Exchange:
    """Exchange a part of the signal.

    Parameters
    ----------
    case : Case
        `why_not` has nothing to say of it.
    signal : ndarray, shape (window, channel, time)
        The part, in microvolt.
    rng : Generator
    pairs : int
        At most so many of each kind.
    """
    follow, disturb = (_classes if case.has_classes else _number)(case, signal, rng, pairs)
    low, high = _interval(follow, disturb, len(case.windows), rng)
    return Exchange(follow.value(), disturb.value(), low, high, len(follow.i))


def exchanged(case: Case, part: ArtefactPart, name: str, limit: float) -> CheckResult:
    """The outcome of one artefact's exchange, as a sign.

    Parameters
    ----------
    case : Case
    part : ArtefactPart
    name : str
        Of the check.
    limit : float
        How far answers may go with the part, 0 to 1.
    """
    why = why_not(case)
    if why is not None:
        return not_evaluable(name, "sign", "model", why, part.kind)
    found = exchange(case, part.signal, case.seeded(name))
    without = case.run(case.signal - part.signal)
    evidence: dict[str, Any] = {
        "follows": found.followed, "disturbed": found.disturbed, "low": found.low, "high": found.high,
        "pairs": found.pairs, "how": part.how,
        "variance": float(part.signal.var() / max(case.signal.var(), 1e-30)),
        "output_without": float(np.abs(without - case.outputs).mean() / max(case.outputs.std(), 1e-30)),
    }  # fmt: skip
    if case.has_classes:
        evidence["removed_changes"] = float((without.argmax(-1) != case.decisions).mean())
        known = case.labels >= 0
        if known.any():
            evidence["accuracy"] = float((case.decisions[known] == case.labels[known]).mean())
            evidence["accuracy_without"] = float((without.argmax(-1)[known] == case.labels[known]).mean())
    named = f"{PARTS[part.kind]}{part.account}"
    bad = found.beyond > limit and found.low > 0
    said = found.said(case, named)
    return CheckResult(
        name, "sign", "FAIL" if bad else "PASS", said, found.beyond, limit, part.kind, evidence
    )  # fmt: skip


class _Pairs:
    """Windows i with the part of windows j, and what came of it: a mean of `hits` by weight."""

    def __init__(self, i: Ints, j: Ints, hits: Floats, weight: Floats | None = None) -> None:
        self.i, self.j, self.hits = i, j, hits
        self.weight = np.ones(len(i)) if weight is None else weight

    def value(self, times: Floats | None = None) -> float:
        """The mean; NaN without any weight."""
        w = self.weight if times is None else self.weight * times[self.i] * times[self.j]
        return float(w @ self.hits / w.sum()) if w.sum() > 0 else float("nan")


def _classes(case: Case, part: Floats, rng: np.random.Generator, pairs: int) -> tuple[_Pairs, _Pairs]:
    """How often decisions go with the part; how often they change between windows of one decision."""
    d, n = case.decisions, len(case.windows)
    i, j = rng.integers(0, n, (2, 40 * pairs))
    unlike, alike = np.flatnonzero(d[i] != d[j])[:pairs], np.flatnonzero((d[i] == d[j]) & (i != j))[:pairs]
    hybrid = _hybrid(case, part, i[unlike], j[unlike]).argmax(-1)
    changed = _hybrid(case, part, i[alike], j[alike]).argmax(-1) != d[i[alike]]
    return (
        _Pairs(i[unlike], j[unlike], (hybrid == d[j[unlike]]).astype(float)),
        _Pairs(i[alike], j[alike], changed.astype(float)),
    )


def _number(case: Case, part: Floats, rng: np.random.Generator, pairs: int) -> tuple[_Pairs, _Pairs]:
    """How far of the way from one output to the other, for windows whose outputs lie apart.

    The disturbance is how far outputs go *towards* j when the part comes from a window that is like i: what
    any exchange does to outputs far from the middle.
    """
    y, n = case.outputs.reshape(len(case.windows)), len(case.windows)
    i, j = rng.integers(0, n, (2, 40 * pairs))
    apart = np.abs(y[i] - y[j])
    far = np.flatnonzero((apart >= np.median(apart)) & (apart > 0))[:pairs]
    i, j = i[far], j[far]
    order = np.argsort(y)
    rank = np.argsort(order)
    step = rng.integers(1, max(1, n // 20) + 1, len(i)) * np.where(rng.random(len(i)) < 0.5, -1, 1)
    target = rank[i] + step
    k = order[np.where((target < 0) | (target >= n), rank[i] - step, target)]
    way = y[j] - y[i]
    follow = (_hybrid(case, part, i, j).reshape(len(i)) - y[i]) / way
    disturb = (_hybrid(case, part, i, k).reshape(len(i)) - y[i]) / way
    return _Pairs(i, j, follow, way**2), _Pairs(i, k, disturb, way**2)


def _hybrid(case: Case, part: Floats, i: Ints, j: Ints) -> Floats:
    """Outputs for windows i with the part of windows j."""
    found = []
    for start in range(0, len(i), 64):
        a, b = i[start : start + 64], j[start : start + 64]
        found.append(case.run(case.signal[a] - part[a] + part[b]))
    return np.concatenate(found) if found else np.zeros((0, 1))


def _interval(follow: _Pairs, disturb: _Pairs, n: int, rng: np.random.Generator) -> tuple[float, float]:
    """Of the difference, 95 %: windows stand in several pairs, so windows are drawn anew and not pairs."""
    draws = []
    for _ in range(DRAWS):
        times = np.bincount(rng.integers(0, n, n), minlength=n).astype(float)
        draws.append(follow.value(times) - disturb.value(times))
    some = np.array(draws)[np.isfinite(draws)]
    if not len(some):
        return 0.0, 1.0
    low, high = np.quantile(some, [0.025, 0.975])
    return float(low), float(high)
