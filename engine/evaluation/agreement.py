"""Agreement: do unlike methods name the same groups?

That methods agree does not make them right (they may share a blind spot: every rule that holds norms constant
does), and where they disagree at most one of them answers the question that was asked (Krishna et al. 2022,
"The disagreement problem").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from ..errors import InputError
from .intervals import Estimate, estimate, spearman, top_k

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class MethodPair:
    """Two methods.

    Attributes
    ----------
    first, second : str
    rank : Estimate
        Spearman's correlation of |relevance| over groups, mean over windows.
    top : Estimate
        The part of the k most relevant groups that they share.
    """

    first: str
    second: str
    rank: Estimate
    top: Estimate


@dataclass(frozen=True)
class MethodAgreement:
    """How alike the maps of several methods are.

    Attributes
    ----------
    methods : tuple of str
    pairs : tuple of MethodPair
    k : int
        Of the intersection.
    chance : float
        The intersection of random maps, k over the groups.
    """

    methods: tuple[str, ...]
    pairs: tuple[MethodPair, ...]
    k: int
    chance: float

    def matrix(self, what: str = "rank") -> Array:
        """Means as a symmetric matrix, 1 on the diagonal; `what` is "rank" or "top"."""
        n = len(self.methods)
        out = np.eye(n)
        place = {name: i for i, name in enumerate(self.methods)}
        for pair in self.pairs:
            i, j = place[pair.first], place[pair.second]
            out[i, j] = out[j, i] = getattr(pair, what).value
        return out


def agreement(maps: Mapping[str, Array], *, k: int | None = None, seed: int = 0) -> MethodAgreement:
    """Compare maps of the same windows with one another.

    Parameters
    ----------
    maps : dict of str to ndarray, shape (window, group)
        By method; random relevance and the groups' power among them say what agreement means little.
    k : int, optional
        Of the intersection; a quarter of the groups by default, at least 1.
    seed : int

    Returns
    -------
    MethodAgreement

    Raises
    ------
    InputError
        Fewer than two maps, or of unlike shapes.
    """
    if len(maps) < 2:
        raise InputError("agreement: two methods or more are needed")
    groups = next(iter(maps.values())).shape[-1]
    k = max(1, round(groups / 4)) if k is None else k
    pairs = []
    for (first, a), (second, b) in combinations(maps.items(), 2):
        rank, top = spearman(np.abs(a), np.abs(b)), top_k(a, b, k)
        pairs.append(MethodPair(first, second, estimate(rank, seed=seed), estimate(top, seed=seed)))
    return MethodAgreement(tuple(maps), tuple(pairs), k, k / groups)
