"""What stands in the place of a feature that is taken away: something that could have been there.

Zeros are no absence: a flat electrode is an input that no model was trained on, and what the output does then
says more about that than about the feature (Hooker et al. 2019; Bluecher et al. 2024).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ..errors import InputError
from .features import Features

Array = np.ndarray[Any, Any]


class Replacement(Protocol):
    """Fills in what was taken away."""

    @property
    def name(self) -> str:
        """One word."""

    @property
    def draws(self) -> int:
        """Over how many fillings results are averaged."""

    @property
    def least(self) -> int:
        """How many groups must remain."""

    def __call__(self, x: Array, rows: Array, gone: Array, draw: int) -> Array:
        """Fill in.

        Parameters
        ----------
        x : ndarray, shape (n, *input)
        rows : ndarray of int, shape (n,)
            Which window each is.
        gone : ndarray of bool, shape (n, group)
            The groups that are taken away.
        draw : int
            Below `draws`.
        """


class Transplant:
    """The same groups taken from other windows (a draw from the marginal distribution).

    All methods, orders and steps of a window have the same donors, so that differences between them are not
    the donors'. Where all groups are taken away the model sees the donor.

    Parameters
    ----------
    features : Features
    pool : ndarray, shape (window, *input)
        The windows, as they are evaluated.
    donors : int
        Other windows for each; at most as many as there are.
    seed : int

    Raises
    ------
    InputError
        Fewer than two windows, or no donor asked for.
    """

    name = "transplant"
    least = 0

    def __init__(self, features: Features, pool: Array, *, donors: int = 4, seed: int = 0) -> None:
        n = len(pool)
        if n < 2:
            raise InputError(f"{n} window: a transplant takes features from other windows; give two or more")
        if donors < 1:
            raise InputError(f"{donors} donors: at least 1")
        rng = np.random.default_rng((seed, 0xD0))
        self.draws = min(donors, n - 1)
        # Steps around the circle of shuffled windows: never the window itself, never a donor twice.
        place = rng.permutation(n)
        steps = rng.permutation(np.arange(1, n))[: self.draws]
        self.donors = np.empty((n, self.draws), dtype=np.int64)
        for draw, far in enumerate(steps):
            self.donors[place, draw] = np.roll(place, -int(far))
        self._features, self._pool = features, pool

    def __call__(self, x: Array, rows: Array, gone: Array, draw: int) -> Array:
        """Fill in from the window's donor of this draw."""
        return self._features.mixed(x, self._pool[self.donors[rows, draw]], gone)


class Partners:
    """The same groups taken from windows that are given for each.

    Parameters
    ----------
    features : Features
    data : ndarray, shape (window, *input)
    index : ndarray of int, shape (window, n)
        Which of `data` each window exchanges with.
    """

    name = "exchange"
    least = 0

    def __init__(self, features: Features, data: Array, index: Array) -> None:
        self._features, self._data, self._index = features, data, index
        self.draws = index.shape[1]

    def __call__(self, x: Array, rows: Array, gone: Array, draw: int) -> Array:
        """Fill in from the window's partner of this draw."""
        return self._features.mixed(x, self._data[self._index[rows, draw]], gone)


class Interpolation:
    """The groups made from those that remain, by a function of the caller's.

    Parameters
    ----------
    fill : callable
        Gets inputs [n, *input] and what is gone [n, group]; returns inputs.
    least : int
        How many groups must remain for it; curves end there.
    """

    name = "interpolation"
    draws = 1

    def __init__(self, fill: Callable[[Array, Array], Array], *, least: int = 1) -> None:
        self._fill, self.least = fill, least

    def __call__(self, x: Array, rows: Array, gone: Array, draw: int) -> Array:
        """Fill in from what remains."""
        return self._fill(x, gone)
