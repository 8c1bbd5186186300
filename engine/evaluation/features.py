"""Features: named groups of input elements that are taken away, and ranked by relevance, as one.

Nothing in `evaluation` knows what a group is. What can be split along other lines than the input's elements
(frequency bands, components) is any class with the same methods.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ..errors import InputError

Array = np.ndarray[Any, Any]


class Features(Protocol):
    """What an evaluation needs to know of its groups."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the groups."""

    def relevance(self, x: Array, relevance: Array, multiplier: Array | None) -> Array:
        """Relevance of each group.

        Parameters
        ----------
        x : ndarray, shape (window, *input)
            What relevance is a multiple of: the input, or how far it is from a reference.
        relevance : ndarray, shape (window, *input)
        multiplier : ndarray or None
            ``relevance = x * multiplier`` where there is one.

        Returns
        -------
        ndarray, shape (window, group)
        """

    def mixed(self, x: Array, other: Array, gone: Array) -> Array:
        """`x` with some groups taken from `other`.

        Parameters
        ----------
        x, other : ndarray, shape (n, *input)
        gone : ndarray of bool, shape (n, group)
        """

    def power(self, x: Array) -> Array:
        """Power of each group, shape (window, group)."""


class Groups:
    """Groups of input elements.

    Parameters
    ----------
    names : sequence of str
    of : ndarray of int, shape (*input,)
        The group that each element is in.

    Raises
    ------
    InputError
        A group has no element, or there are fewer than two.
    """

    def __init__(self, names: tuple[str, ...], of: Array) -> None:
        self._names = tuple(names)
        index = np.asarray(of)
        counts = np.bincount(index.ravel(), minlength=len(names))
        if len(names) < 2:
            raise InputError(f"{len(names)} group to rank; two or more are needed")
        if index.min() < 0 or len(counts) != len(names) or not counts.all():
            raise InputError("every group needs elements of the input, and every element a group")
        self.of, self._counts = index, counts
        self._order = np.argsort(index.ravel(), kind="stable")
        self._starts = np.concatenate([[0], np.cumsum(counts)[:-1]])

    @property
    def names(self) -> tuple[str, ...]:
        """Of the groups."""
        return self._names

    def relevance(self, x: Array, relevance: Array, multiplier: Array | None) -> Array:
        """Relevance summed within each group, shape (window, group)."""
        return self._sum(relevance)

    def mixed(self, x: Array, other: Array, gone: Array) -> Array:
        """`x` with some groups' elements taken from `other`."""
        return np.where(gone[:, self.of], other, x)

    def power(self, x: Array) -> Array:
        """Variance within each group, or the square where a group is one element; shape (window, group)."""
        mean = self._sum(x) / self._counts * (self._counts > 1)
        return self._sum(np.square(x, dtype=np.float64)) / self._counts - mean**2

    def _sum(self, values: Array) -> Array:
        if values.shape[1:] != self.of.shape:
            raise InputError(
                f"relevance of shape {list(values.shape[1:])} does not fit groups over {list(self.of.shape)}"
            )
        flat = np.asarray(values, dtype=np.float64).reshape(len(values), -1)[:, self._order]
        return np.asarray(np.add.reduceat(flat, self._starts, axis=1))


def along(shape: tuple[int, ...], names: tuple[str, ...] | None = None) -> Groups:
    """A group for each place along the first axis of an input.

    Parameters
    ----------
    shape : tuple of int
        Of the input, without the batch.
    names : tuple of str, optional
        Their numbers by default.
    """
    n = shape[0] if shape else 0
    index = np.broadcast_to(np.arange(n).reshape(-1, *[1] * (len(shape) - 1)), shape)
    return Groups(names or tuple(map(str, range(n))), index)
