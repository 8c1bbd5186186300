"""Means over windows with their bootstrap intervals, ranks, and how alike two maps are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from ..errors import InputError

Array = np.ndarray[Any, Any]

RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """A mean over windows.

    Attributes
    ----------
    value : float
        The mean; NaN where no window has a number.
    low, high : float
        Its 95 % interval: percentile bootstrap over windows (Efron & Tibshirani 1993, ch. 13). Windows of one
        recording are not independent of each other, so it tells how much the mean depends on the windows that
        were taken, and not what other recordings would give. NaN below two windows.
    n : int
        Windows that have a number.
    """

    value: float
    low: float
    high: float
    n: int

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval lies above 0."""
        return bool(self.low > 0)

    @property
    def tells(self) -> bool:
        """Whether the interval leaves 0 out."""
        return bool(self.low > 0 or self.high < 0)

    def to_dict(self) -> dict[str, float | int | None]:
        """The same as plain data, None for what is no number."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        return {**{k: v if np.isfinite(v) else None for k, v in numbers.items()}, "n": self.n}

    def __str__(self) -> str:
        if not np.isfinite(self.value):
            return "none"
        if not np.isfinite(self.low):
            return f"{self.value:.3g}"
        return f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g})"


def estimate(each: Array | Sequence[float], *, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """The mean of one number a window, with its interval.

    Parameters
    ----------
    each : array, shape (window,)
        NaN where a window has no number.
    seed : int
        The same seed draws the same windows for every quantity, so that intervals can be compared.
    resamples : int
    """
    values = np.asarray(each, dtype=np.float64).ravel()
    values = values[np.isfinite(values)]
    n = len(values)
    if n < 2:
        return Estimate(float(values.mean()) if n else float("nan"), float("nan"), float("nan"), n)
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, n, (resamples, n))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(float(values.mean()), float(low), float(high), n)


def spearman(a: Array, b: Array) -> Array:
    """Rank correlation of maps, a window each.

    Parameters
    ----------
    a, b : ndarray, shape (window, group)

    Returns
    -------
    ndarray, shape (window,)
        NaN where a map is the same everywhere.
    """
    _check(a, b)
    x, y = (stats.rankdata(v, axis=-1) for v in (a, b))
    return cosine(x - x.mean(-1, keepdims=True), y - y.mean(-1, keepdims=True))


def cosine(a: Array, b: Array) -> Array:
    """Cosine of maps, a window each; NaN where a map is 0.

    Parameters
    ----------
    a, b : ndarray, shape (window, group)
    """
    _check(a, b)
    x, y = (np.asarray(v, dtype=np.float64) for v in (a, b))
    size = np.linalg.norm(x, axis=-1) * np.linalg.norm(y, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(size > 0, (x * y).sum(-1) / size, np.nan))


def top_k(a: Array, b: Array, k: int) -> Array:
    """The part of the k largest |relevance| that two maps share, a window each.

    Top-k intersection, "feature agreement" in Krishna et al. 2022. Chance is k over the groups.

    Parameters
    ----------
    a, b : ndarray, shape (window, group)
    k : int

    Raises
    ------
    InputError
        k is not between 1 and the number of groups.
    """
    _check(a, b)
    if not 1 <= k <= a.shape[-1]:
        raise InputError(f"top-k: k is {k}; it must be from 1 to the {a.shape[-1]} groups")
    first, second = (np.argsort(-np.abs(v), axis=-1, kind="stable")[:, :k] for v in (a, b))
    return np.array([len(set(x) & set(y)) / k for x, y in zip(first.tolist(), second.tolist(), strict=True)])


def random_relevance(shape: tuple[int, ...], seed: int) -> Array:
    """Relevance that knows nothing: standard normal numbers, a map a window."""
    return np.random.default_rng((seed, 0x5EED)).standard_normal(shape)


def _check(a: Array, b: Array) -> None:
    if np.shape(a) != np.shape(b) or np.ndim(a) != 2:
        raise InputError(f"maps of shape {list(np.shape(a))} and {list(np.shape(b))} are not alike")
