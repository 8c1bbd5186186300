"""Where each sample lives, found from what changes with one of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .shapes import Layout

Array = np.ndarray[Any, Any]

_LARGE = 2**20


class Places:
    """Where the samples can be in each value; every change of one sample that is seen leaves fewer ways.

    Parameters
    ----------
    batch : int
        How many samples there are.
    before : mapping of str to ndarray
        All values.
    growing : mapping of str to sequence of int, optional
        Axes of each value that grow with the batch, where that is known: samples lie along one of them,
        however many numbers happen to stay the same.

    Attributes
    ----------
    mixed : bool
        Whether a value was seen in which no way fits what changed: samples are mixed in it.
    """

    def __init__(
        self, batch: int, before: Mapping[str, Array], growing: Mapping[str, Sequence[int]] | None = None
    ) -> None:
        self.batch, self.before, self.mixed = batch, before, False
        self._growing = growing or {}
        self._ways: dict[str, list[Layout]] = {}
        self._moved: set[str] = set()

    def ways(self, name: str) -> list[Layout]:
        """The ways that are left for a value, the plainest first."""
        if name not in self._ways:
            shape = self.before[name].shape
            self._ways[name] = ways(shape, self.batch, self._growing.get(name) or range(len(shape)))
        return self._ways[name]

    def see(self, after: Mapping[str, Array], sample: int) -> None:
        """Take in what one changed sample made of all values."""
        for name, a in self.before.items():
            b = after[name]
            if a.shape == b.shape and a.ndim:
                self._see(name, moved(a, b), sample, b.dtype.kind)

    def narrow(self, name: str, found: Sequence[Layout]) -> None:
        """Leave only these ways of a value; nothing is left out where none of them is one."""
        self._ways[name] = [w for w in self.ways(name) if w in found] or self.ways(name)
        self._moved.add(name)

    def open(self, name: str) -> bool:
        """Whether it is not yet clear where the samples of a value are."""
        if self.before[name].ndim == 0:
            return False
        return len(self.ways(name)) > 1 or (bool(self.ways(name)) and name not in self._moved)

    def layout(self, name: str) -> Layout | None:
        """The plainest way that is left for a value; None where it was never seen to change."""
        return self.ways(name)[0] if name in self._moved and self.ways(name) else None

    def layouts(self) -> dict[str, Layout]:
        """Of all values that were seen to change with a sample."""
        return {n: found for n in self.before if (found := self.layout(n)) is not None}

    def _see(self, name: str, changed: Array, sample: int, kind: str) -> None:
        if not changed.any():
            return
        possible = self.ways(name)
        self._moved.add(name)
        self._ways[name] = fitting(possible, changed, sample, self.batch)
        if possible and not self._ways[name] and kind == "f":
            self.mixed = True


def ways(shape: Sequence[int], batch: int, axes: Sequence[int]) -> list[Layout]:
    """All ways in which samples can lie in a shape along one of some axes."""
    found = []
    for axis in axes:
        size = shape[axis]
        if size and size % batch == 0:
            copies = size // batch
            found += [Layout(axis - len(shape), n, copies // n) for n in _divisors(copies)]
    return found


def _divisors(n: int) -> list[int]:
    small = [i for i in range(1, math.isqrt(n) + 1) if n % i == 0]
    return sorted({*small, *(n // i for i in small)})


def fitting(possible: Sequence[Layout], changed: Array, sample: int, batch: int) -> list[Layout]:
    """Those ways in which everything that changed is of one sample."""
    found = []
    where: dict[int, Array] = {}
    for way in possible:
        if way.axis not in where:
            others = tuple(i for i in range(changed.ndim) if i != changed.ndim + way.axis)
            where[way.axis] = np.flatnonzero(changed.any(axis=others))
        if ((where[way.axis] // way.inner) % batch == sample).all():
            found.append(way)
    return found


def moved(a: Array, b: Array) -> Array:
    """Which numbers are others."""
    b = b if a.dtype == b.dtype else folded(b)
    changed = a != b
    if a.dtype.kind == "f":
        changed &= ~(np.isnan(a) & np.isnan(b))
    return np.asarray(changed)


def folded(a: Array) -> Array:
    """A large array of floats as one byte a number, that tells whether it changed.

    A change stays unseen once in 256 times, and there are a million numbers or more.
    """
    if a.dtype.kind != "f" or a.size < _LARGE:
        return a.copy()  # onnxruntime's memory is held until all of it is freed
    found = np.ascontiguousarray(a).view(np.uint8).reshape(*a.shape, a.dtype.itemsize)
    return np.asarray(np.bitwise_xor.reduce(found, axis=-1))
