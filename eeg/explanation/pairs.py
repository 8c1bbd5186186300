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


def n_pairs(explained: Explained) -> int:
    """How many references each window has; 1 where relevance is against zero."""
    return 1 if explained.references is None else explained.references.index.shape[1]


def multipliers(explained: Explained, what: str) -> NDArray[np.float64]:
    """Multipliers [reference, epoch, channel, time], per unit of the model's input, in float64.

    Parameters
    ----------
    explained : Explained
    what : str
        What they are needed for, for the message.

    Raises
    ------
    InputError
        There are none.
    """
    if "multiplier" not in explained.dataset:
        raise InputError(
            f"{what}: this explanation has no multiplier, so its relevance has no {what.rstrip('s')}s"
        )
    m = explained.dataset["multiplier"].values.astype(np.float64)
    return m[None] if explained.references is None else m.swapaxes(0, 1)


def pairs(
    explained: Explained, what: str = "bands", *, microvolt: bool = False
) -> Iterator[tuple[Floats, Floats]]:
    """The signal (or how far it is from a reference) and its multiplier, once for each reference.

    Parameters
    ----------
    explained : Explained
    what : str
        What they are needed for, for the message.
    microvolt : bool
        In microvolt, and the multiplier relevance per microvolt; else in the unit of the model's input.

    Yields
    ------
    x, m : ndarray, shape (epoch, channel, time), float64
        Relevance is the mean of ``x m`` over all that come.

    Raises
    ------
    InputError
        The explanation has no multiplier.
    """
    contract = explained.contract
    # Of a window that is scaled by itself, for it and what it is held against alike: so products stay.
    factor = centre_and_gain(explained.windows.signal, contract)[1] if microvolt else 1.0
    x = from_model_layout(explained.windows.data, contract).astype(np.float64) / factor
    against = explained.references
    other = None if against is None else from_model_layout(against.data, contract).astype(np.float64)
    for j, m in enumerate(multipliers(explained, what)):
        apart = x if against is None or other is None else x - other[against.index[:, j]] / factor
        yield apart, m * factor


def mean_of(explained: Explained, of: Callable[[Floats, Floats], Floats], what: str = "bands") -> Floats:
    """The mean of a view of ``x m`` over all references."""
    total: Floats | None = None
    for x, m in pairs(explained, what):
        got = of(x, m)
        total = got if total is None else total + got
    assert total is not None
    return total / n_pairs(explained)
