"""Complexity: over how many groups is relevance spread?

A short answer is easier to read, and need not be the right one: a model may use everything. Compare with what
a random map and the signal's power have.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .intervals import Estimate, estimate

Array = np.ndarray[Any, Any]

# Groups with less than this part of the largest |relevance| count as having none.
NEGLIGIBLE = 0.01


def entropy(relevance: Array) -> Array:
    """Entropy of the groups' parts of |R| in nats (Bhatt et al. 2020): 0 to log of the groups.

    Quantus calls it Complexity.

    Parameters
    ----------
    relevance : ndarray, shape (window, group)

    Returns
    -------
    ndarray, shape (window,)
        NaN for a map without relevance, here and below.
    """
    p = _parts(relevance)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(-np.where(p == 0, 0.0, p * np.log(p)).sum(-1))


def gini(relevance: Array) -> Array:
    """Gini index of |R| (Hurley & Rickard 2009; Chalasani et al. 2020): 0 for even, towards 1 for one group.

    Quantus calls it Sparseness. ``1 - 2 sum over k of p_k (n - k + 1/2) / n``, p rising.

    Parameters
    ----------
    relevance : ndarray, shape (window, group)
    """
    p = np.sort(_parts(relevance), axis=-1)
    n = p.shape[-1]
    return np.asarray(1 - 2 * (p * (n - np.arange(1, n + 1) + 0.5) / n).sum(-1))


def effective_groups(relevance: Array) -> Array:
    """How many groups an even map of the same entropy would have: its exponential, 1 to the groups.

    Parameters
    ----------
    relevance : ndarray, shape (window, group)
    """
    return np.exp(entropy(relevance))


def effective_complexity(relevance: Array, negligible: float = NEGLIGIBLE) -> Array:
    """Groups whose |R| exceeds a part of the largest (Nguyen & Martinez 2020).

    Quantus calls it EffectiveComplexity (its threshold is on |R| over the largest, too).

    Parameters
    ----------
    relevance : ndarray, shape (window, group)
    negligible : float
        The part.
    """
    size = np.abs(np.asarray(relevance, dtype=np.float64))
    top = size.max(-1, keepdims=True)
    return np.where(top[..., 0] > 0, (size > negligible * top).sum(-1).astype(np.float64), np.nan)


MEASURES = {
    "entropy": entropy,
    "gini": gini,
    "effective groups": effective_groups,
    "effective complexity": effective_complexity,
}


def complexity(relevance: Array, *, seed: int = 0) -> dict[str, Estimate]:
    """All of them, means over windows.

    Parameters
    ----------
    relevance : ndarray, shape (window, group)
    seed : int
    """
    return {name: estimate(measure(relevance), seed=seed) for name, measure in MEASURES.items()}


def _parts(relevance: Array) -> Array:
    size = np.abs(np.asarray(relevance, dtype=np.float64))
    total = size.sum(-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(total > 0, size / total, np.nan))
