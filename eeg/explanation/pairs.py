"""What relevance is a multiple of: the signal, or how far it is from its references."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import InputError
from ..recording.scaling import centre_and_gain
from ..recording.windows import from_model_layout
from .explained import Explained

Floats = NDArray[np.float64]
Rows = slice | NDArray[np.int64]
_BLOCK = 64  # windows at a time: transforms are complex float64


def n_pairs(explained: Explained) -> int:
    """How many references each window has; 1 where relevance is against zero."""
    return 1 if explained.references is None else explained.references.index.shape[1]


def multiplier(explained: Explained, reference: int, what: str, rows: Rows = slice(None)) -> Floats:
    """Multipliers [epoch, channel, time] of one reference, per unit of the model's input, in float64.

    Parameters
    ----------
    explained : Explained
    reference : int
        Which of a window's references; 0 where relevance is against zero.
    what : str
        What they are needed for, for the message.
    rows : slice or ndarray of int
        Which windows.

    Raises
    ------
    InputError
        There are none.
    """
    if "multiplier" not in explained.dataset:
        raise InputError(
            f"{what}: this explanation has no multiplier, so its relevance has no {what.rstrip('s')}s"
        )
    m = explained.dataset["multiplier"].values[rows]
    return np.asarray(m if explained.references is None else m[:, reference], dtype=np.float64)


def pairs(
    explained: Explained, what: str = "bands", *, microvolt: bool = False, rows: Rows = slice(None)
) -> Iterator[tuple[Floats, Floats]]:
    """The signal (or how far it is from a reference) and its multiplier, once for each reference.

    Parameters
    ----------
    explained : Explained
    what : str
        What they are needed for, for the message.
    microvolt : bool
        In microvolt, and the multiplier relevance per microvolt; else in the unit of the model's input.
    rows : slice or ndarray of int
        Which windows: all by default, which takes several times the memory of the signal.

    Yields
    ------
    x, m : ndarray, shape (epoch, channel, time), float64
        Relevance is the mean of ``x m`` over all that come.

    Raises
    ------
    InputError
        The explanation has no multiplier.
    """
    contract, against = explained.contract, explained.references
    # Of a window that is scaled by itself, for it and what it is held against alike: so products stay.
    factor = centre_and_gain(explained.windows.signal[rows], contract)[1] if microvolt else None

    def scaled(data: NDArray[np.float32]) -> Floats:
        x = from_model_layout(data, contract).astype(np.float64)
        return x if factor is None else x / factor

    x = scaled(explained.windows.data[rows])
    for j in range(n_pairs(explained)):
        m = multiplier(explained, j, what, rows)
        apart = x if against is None else x - scaled(against.data[against.index[rows, j]])
        yield apart, m if factor is None else m * factor


def blocks(n: int, size: int = _BLOCK) -> list[slice]:
    """The windows that are looked at together."""
    return [slice(a, a + size) for a in range(0, n, size)]


def mean_of(
    explained: Explained, of: Callable[[Floats, Floats], Floats], what: str = "bands", size: int = _BLOCK
) -> Floats:
    """The mean of a view of ``x m`` over all references; some windows at a time are given to it."""
    found = []
    for rows in blocks(len(explained.windows), size):
        total: Floats | None = None
        for x, m in pairs(explained, what, rows=rows):
            got = of(x, m)
            total = got if total is None else total + got
        assert total is not None
        found.append(total / n_pairs(explained))
    return np.concatenate(found)
