"""What windows are labelled: classes or numbers, and which windows have too few of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import InputError
from ..text import counted, listed, plain

Floats = NDArray[np.float64]

FEWEST = 10  # windows of a class
MANY_NUMBERS = 10  # unlike numbers, above which labels are no classes


def labels_of(
    labels: Sequence[str | float | None] | NDArray[Any],
) -> tuple[NDArray[np.int64] | Floats, tuple[str, ...], NDArray[np.bool_], list[str]]:
    """Labels as classes or numbers.

    Parameters
    ----------
    labels : sequence of (str, float or None), one a window

    Returns
    -------
    y : ndarray
        Of the windows that have one: the class's number, or the number.
    classes : tuple of str
        Empty for numbers.
    known : ndarray of bool, shape (window,)
        Which windows have one.
    left : list of str
        What was left out, in words.

    Raises
    ------
    InputError
        There are too few, or of one class only.
    """
    given = [None if v is None or (isinstance(v, float) and np.isnan(v)) else v for v in list(labels)]
    present = [v for v in given if v is not None]
    if not present:
        raise InputError(
            "no window has a label; `--labels FILE` gives them, or `--events` names annotations that do"
        )
    numbers = [_number(v) for v in given]
    unlike = {v for v in numbers if v is not None}
    if all(_number(v) is not None for v in present) and len(unlike) > MANY_NUMBERS:
        known = np.array([v is not None for v in numbers])
        if known.sum() < 2 * FEWEST:
            raise InputError(f"{counted(int(known.sum()), 'label')}: {2 * FEWEST} are needed")
        left = (
            [f"{counted(int((~known).sum()), 'window')} without a label left out."] if not known.all() else []
        )
        return np.array([v for v in numbers if v is not None]), (), known, left
    counts = Counter(_word(v) for v in present)
    classes = tuple(sorted(c for c, k in counts.items() if k >= FEWEST))
    if len(classes) < 2:
        there = listed((f"{c}: {k}" for c, k in counts.most_common()), 6)
        raise InputError(f"two classes of {FEWEST} windows or more are needed, and labels are {there}")
    words = [None if v is None else _word(v) for v in given]
    known = np.array([w in classes for w in words])
    rare = listed(sorted(c for c in counts if c not in classes))
    left = [f"Labels with fewer than {FEWEST} windows left out: {rare}."] if rare else []
    y = np.array([classes.index(w) for w in words if w is not None and w in classes], dtype=np.int64)
    return y, classes, known, left


def _number(value: str | float | None) -> float | None:
    try:
        found = float(value) if value is not None else float("nan")
    except ValueError:
        return None
    return found if np.isfinite(found) else None


def _word(value: str | float) -> str:
    return plain(f"{value:g}" if isinstance(value, (float, np.floating)) else value)
