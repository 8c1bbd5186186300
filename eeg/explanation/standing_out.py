"""Whether an electrode, a moment or a band stands out, or whether nothing does.

Two things are asked of the one with most. Its share has to be at least twice what evenly spread relevance
would give it (halfway to all of it, where there are fewer than four). And chance must not give as much: the
largest mean over windows is held against those of windows whose electrodes are shuffled, or whose courses are
shifted in a circle, each window by itself (Nichols & Holmes 2002: the maximum over all, so no correction is
due). Windows count as independent, and neighbours in time are not quite: the first condition is there for
that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TIMES = 2.0  # the even share
LEVEL = 0.05
SHUFFLES = 499
FEWEST = 5  # windows; of fewer chance cannot be judged
MOST = 256  # windows that are shuffled, evenly taken


@dataclass(frozen=True)
class StandsOut:
    """How far the largest of several shares is from even ones.

    Attributes
    ----------
    index : int
        The one with most.
    share, even : float
        Its share, mean over windows, and what evenly spread relevance would give it.
    p : float or None
        How often chance gives as large a share to any; None for fewer than five windows.
    enough : bool
        Whether it stands out.
    """

    index: int
    share: float
    even: float
    p: float | None
    enough: bool


def floor_of(even: float) -> float:
    """The share from which on something stands out by its size."""
    return min(TIMES * even, (1 + even) / 2)


def shares_of(units: NDArray[Any]) -> Floats:
    """The share of each unit in each window that has any relevance, shape (window, unit)."""
    size = np.abs(np.asarray(units, dtype=np.float64))
    total = size.sum(-1, keepdims=True)
    kept = total[:, 0] > 0
    return np.asarray(size[kept] / total[kept])


def standing_out(
    units: NDArray[Any], *, chance: Literal["shuffled", "shifted"] = "shuffled", seed: int = 0
) -> StandsOut | None:
    """Whether the unit with most relevance stands out.

    Parameters
    ----------
    units : ndarray, shape (window, unit)
        Relevance, summed within each unit and window; units are alike in size.
    chance : {"shuffled", "shifted"}
        Units have no order (electrodes), or follow each other (samples).
    seed : int

    Returns
    -------
    StandsOut or None
        None where no window has any relevance.
    """
    each = shares_of(units)
    if not len(each):
        return None
    mean = each.mean(0)
    index, even = int(mean.argmax()), 1 / each.shape[1]
    large = bool(mean[index] >= floor_of(even)) and each.shape[1] > 1
    p = None
    if len(each) >= FEWEST:
        some = each[np.linspace(0, len(each) - 1, min(len(each), MOST)).round().astype(int)]
        null = _largest(some, chance, np.random.default_rng(seed))
        p = float((1 + (null >= some.mean(0).max() - 1e-12).sum()) / (1 + SHUFFLES))
    return StandsOut(index, float(mean[index]), even, p, large and (p is None or p <= LEVEL))


def _largest(each: Floats, chance: str, rng: np.random.Generator) -> Floats:
    """The largest mean share of each shuffle."""
    n, k = each.shape
    found = np.empty(SHUFFLES)
    rows = np.arange(n)[:, None]
    for i in range(SHUFFLES):
        if chance == "shuffled":
            found[i] = rng.permuted(each, axis=1).mean(0).max()
        else:
            moved = (np.arange(k) + rng.integers(0, k, (n, 1))) % k
            found[i] = each[rows, moved].mean(0).max()
    return found
