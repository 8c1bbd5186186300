"""Localisation: does relevance lie where the truth is known to be?

Measured over a mask of what truly matters, fixed before the maps are seen (Arras et al. 2022).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InputError

Array = np.ndarray[Any, Any]


def mass_accuracy(relevance: Array, truth: Array) -> Array:
    """Relevance mass accuracy (Arras et al. 2022, eq. 1): the part of |R| that lies inside the truth.

    Parameters
    ----------
    relevance : ndarray, shape (batch, ...)
    truth : ndarray of bool, shape (...) or (batch, ...)

    Returns
    -------
    ndarray, shape (batch,)
        0 to 1; NaN for a map without relevance. Chance is the part of the elements inside the truth.

    Raises
    ------
    InputError
        The mask does not fit, or is empty.
    """
    size, inside = _checked(relevance, truth)
    total = size.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((size * inside).sum(axis=1) / total)


def rank_accuracy(relevance: Array, truth: Array) -> Array:
    """Relevance rank accuracy (Arras et al. 2022, eq. 2): of the K largest |R|, the part inside the truth.

    K is the size of the truth, so that a perfect map reaches 1.

    Parameters
    ----------
    relevance : ndarray, shape (batch, ...)
    truth : ndarray of bool, shape (...) or (batch, ...)

    Returns
    -------
    ndarray, shape (batch,)

    Raises
    ------
    InputError
        The mask does not fit, or is empty.
    """
    size, inside = _checked(relevance, truth)
    found = []
    for r, t in zip(size, inside, strict=True):
        k = int(t.sum())
        # Ties count in proportion: a map that is the same everywhere is at chance, not at luck.
        edge = np.partition(r, -k)[-k]
        above, at = r > edge, r == edge
        left = k - int(above.sum())
        found.append((t[above].sum() + left * t[at].mean()) / k)
    return np.array(found)


def _checked(relevance: Array, truth: Array) -> tuple[Array, Array]:
    r = np.abs(np.asarray(relevance, dtype=np.float64))
    try:
        mask = np.broadcast_to(np.asarray(truth, dtype=bool), r.shape)
    except ValueError:
        raise InputError(
            f"a truth of shape {list(np.shape(truth))} does not fit relevance of {list(r.shape)}"
        ) from None
    flat, inside = r.reshape(len(r), -1), mask.reshape(len(r), -1)
    if not inside.any(axis=1).all():
        raise InputError("the truth is empty: nothing to find")
    return flat, inside
