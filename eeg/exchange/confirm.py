"""The map proposes, an exchange confirms: does the decision go along with the parts that a map points at?

The few electrodes with most relevance, and the smallest part of what they have that carries most of what is
explained (a band, in a stretch of time), are found in one half of the windows. In the other half exactly
these parts of a window are replaced by those of a window that the model calls otherwise. How far what is
explained goes with them, of the way that it goes with the whole window, is the answer; as many other
electrodes, at random, say what is to be expected of any.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine.explainer import Explainer
from ..explanation.explained import Explained, predictions
from ..recording.windows import as_input
from ..text import counted, listed, plain
from .search import Cell, proposed, smallest

Floats = NDArray[np.float64]

# The strongest electrodes are added until they have this part of the relevance, and no more than these.
HALF, MOST = 0.5, 4
# A smaller part is named where it moves so much of what the electrodes move.
KEEPS = 0.7
PAIRS, FEWEST = 64, 8
LOOKING = 16  # pairs that candidates are tried on
NOTHING = 1e-8  # of the power: windows do not differ in such a part
# From here on parts are said to confirm a map, and below this they are said not to.
CONFIRMS, REFUTES = 0.5, 0.2


@dataclass(frozen=True)
class Way:
    """How far what is explained goes with parts that are exchanged.

    Attributes
    ----------
    parts : str
        Which, in words.
    way : float
        Of the way that it goes with the whole window: 1 is all of it. NaN where it goes nowhere.
    low, high : float
        95 % interval, bootstrapped over pairs.
    """

    parts: str
    way: float
    low: float
    high: float


@dataclass(frozen=True)
class Confirmed:
    """What an exchange made of a map's strongest parts.

    Attributes
    ----------
    electrodes : tuple of str
        The strongest, strongest first.
    share : float
        Of the relevance that they have, in the half of the windows in which they were found.
    whole : Way
        The electrodes exchanged.
    narrowed : Way or None
        The smallest part that carried most in the half of the windows in which parts were looked for; None
        where nothing smaller did.
    control : Way
        As many other electrodes, at random for each pair.
    pairs : int
    """

    electrodes: tuple[str, ...]
    share: float
    whole: Way
    narrowed: Way | None
    control: Way
    pairs: int

    @property
    def named(self) -> Way:
        """The narrowest parts that still move most of what the electrodes do."""
        if self.narrowed is not None and self.narrowed.way >= KEEPS * self.whole.way:
            return self.narrowed
        return self.whole

    @property
    def verdict(self) -> str:
        """confirmed, in part, or not confirmed."""
        way = self.whole
        if not np.isfinite(way.way) or way.way < REFUTES or way.low <= max(0.0, self.control.way):
            return "not confirmed"
        return "confirmed" if way.way >= CONFIRMS else "confirmed in part"

    def said(self) -> str:
        """One sentence."""
        way, other = self.named, self.control
        if not np.isfinite(way.way):
            return "not confirmed: what is explained hardly changes between the windows of a pair."
        return (
            f"{self.verdict}: {way.parts}, {percent(way.way)} of the way ({percent(way.low)} to "
            f"{percent(way.high)}) when "
            f"exchanged in {counted(self.pairs, 'pair')} that the map has not seen; as many other electrodes "
            f"{percent(other.way)}."
        )


def percent(part: float) -> str:
    """A part in whole per cent, without a sign at 0."""
    return f"{round(100 * part)}%" if np.isfinite(part) else "not told"


Value = Callable[[Floats, NDArray[np.int64]], Floats]


def confirm(
    explained: Explained,
    explainer: Explainer,
    *,
    seed: int = 0,
    pairs: int = PAIRS,
    bands: Mapping[str, tuple[float, float]] | None = None,
) -> Confirmed | None:
    """Exchange a map's strongest parts.

    Parameters
    ----------
    explained : Explained
        Against other windows.
    explainer : Explainer
        Of the same model; any composite.
    seed : int
        Of the halves, the pairs, and the electrodes that are exchanged beside.
    pairs : int
        At most.
    bands : dict of str to (float, float), optional
        Bands in Hz that have a name of their own.

    Returns
    -------
    Confirmed or None
        None where there are too few windows, or none that could be a pair.
    """
    rng = np.random.default_rng(seed)
    signal = explained.windows.signal
    n = len(signal)
    order = rng.permutation(n)
    seen, new = order[: n // 2], order[n // 2 :]
    rows, partners = _pairs(explained, new, rng, pairs)
    if len(rows) < FEWEST or len(np.unique(rows)) < FEWEST // 2:
        return None
    value = _value(explained, explainer)
    x, z = signal[rows].astype(np.float64), partners
    here, there = value(x, rows), value(z, rows)

    def way(parts: str, changed: Floats) -> Way:
        return _way(parts, here - value(changed, rows), here - there, rng)

    size = np.abs(explained.relevance[seen].sum(-1, dtype=np.float64))
    total = size.sum(-1, keepdims=True)
    share = np.divide(size, total, out=np.zeros_like(size), where=total > 0).mean(0)
    best = _strongest(share)
    names = tuple(plain(explained.electrodes[i]) for i in best)
    mask = np.zeros(signal.shape[1], bool)
    mask[best] = True
    whole = way(listed(names), np.where(mask[:, None], z, x))
    found = _smallest(explained, value, seen, best, rng, bands)
    narrowed = None if found is None else way(found.said, found.swap(x, z))
    others = np.flatnonzero(~mask)
    beside = np.zeros((len(rows), signal.shape[1], 1), bool)
    for i in range(len(rows)):
        beside[i, rng.permutation(others)[: len(best)]] = True
    control = way("as many others", np.where(beside, z, x))
    return Confirmed(
        names,
        float(share[best].sum()),
        whole,
        narrowed if narrowed is not None and np.isfinite(narrowed.way) else None,
        control,
        len(rows),
    )


def _smallest(
    explained: Explained,
    value: Value,
    seen: NDArray[np.int64],
    best: NDArray[np.int64],
    rng: np.random.Generator,
    bands: Mapping[str, tuple[float, float]] | None,
) -> Cell | None:
    """The smallest part of what the electrodes have that carries most, of the windows to look in."""
    rows, z = _pairs(explained, seen, rng, LOOKING)
    if len(rows) < FEWEST:
        return None
    x = explained.windows.signal[rows].astype(np.float64)
    here = value(x, rows)
    whole = float((here - value(z, rows)).sum())
    if abs(whole) <= 1e-9 * max(float(np.abs(here).max(initial=0.0)), 1.0):
        return None
    size = float((x**2).mean())

    def score(cell: Cell) -> float:
        changed = cell.swap(x, z)
        if ((changed - x) ** 2).mean() <= NOTHING * size:
            return 0.0
        return float((here - value(changed, rows)).sum()) / whole

    where = proposed(explained.relevance[seen])
    shape, sfreq = explained.relevance.shape, explained.windows.sfreq
    names = explained.electrodes
    cell = smallest(score, names, where.order, shape[-1], sfreq, where.stretches, bands, best.tolist())
    return cell if len(cell.choices) > 1 else None


def _strongest(share: Floats) -> NDArray[np.int64]:
    order = np.argsort(-share)
    enough = int(np.searchsorted(np.cumsum(share[order]), HALF)) + 1
    return order[: max(1, min(enough, MOST, len(share) - 1))]


def _pairs(
    explained: Explained, new: NDArray[np.int64], rng: np.random.Generator, most: int
) -> tuple[NDArray[np.int64], Floats]:
    """Windows, and for each a signal to exchange with: one of its own half that the model calls otherwise."""
    held, guess = explained.references, predictions(explained)
    signal = explained.windows.signal
    rows, partners = [], []
    within = held is not None and bool(np.isfinite(held.onsets).all()) and _are_windows(explained)
    if guess is None:
        output = explained.dataset["output"].values if "output" in explained.dataset else None
        guess = None if output is None else (output.reshape(len(output), -1).mean(1) > np.median(output)) * 1
    for _ in range(1 + most // max(len(new), 1)):
        for i in rng.permutation(new):
            if within and guess is not None:
                pool = [j for j in new if guess[j] != guess[i]]
                other = signal[rng.choice(pool)] if pool else None
            elif held is not None:
                other = held.signal[rng.choice(held.index[i])]
            else:
                other = None
            if other is not None:
                rows.append(int(i))
                partners.append(other)  # where they lie: only what is taken in the end is copied
    rows, partners = rows[:most], partners[:most]
    return np.array(rows, np.int64), np.array(partners, np.float64)


def _are_windows(explained: Explained) -> bool:
    """Whether the references are among the windows that were explained."""
    held = explained.references
    assert held is not None
    return bool(np.isin(np.round(held.onsets, 6), np.round(explained.windows.onsets, 6)).all())


def _value(explained: Explained, explainer: Explainer) -> Value:
    """What is explained of each window, at any signal."""
    contract, provenance = explained.contract, explained.provenance
    target = explained.dataset["target"].values if "target" in explained.dataset else None
    contrast = provenance.get("contrast")

    def value(signal: Floats, rows: NDArray[np.int64]) -> Floats:
        asked: Any = provenance.get("target", "predicted") if target is None else target[rows]
        x = {contract.input: as_input(signal, contract)}
        return np.asarray(explainer.value(x, target=asked, contrast=contrast), np.float64)

    return value


def _way(parts: str, moved: Floats, whole: Floats, rng: np.random.Generator, draws: int = 1000) -> Way:
    """The ratio of sums, with its interval."""
    at = rng.integers(0, len(moved), (draws, len(moved)))
    some = whole.sum()
    if abs(some) <= 1e-9 * max(np.abs(whole).max(initial=0.0), 1.0):
        return Way(parts, float("nan"), float("nan"), float("nan"))
    below = whole[at].sum(1)
    ratio = moved[at].sum(1) / np.where(np.abs(below) > 0, below, np.nan)
    low, high = np.nanquantile(ratio, [0.025, 0.975])
    return Way(parts, float(moved.sum() / some), float(low), float(high))
