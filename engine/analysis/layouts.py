"""Where each sample lives, found from what changes with one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .shapes import Layout

Array = np.ndarray[Any, Any]

_LARGE = 2**20


def layouts_of(
    before: Mapping[str, Array],
    after: Mapping[str, Array],
    batch: int,
    sample: int,
    growing: Mapping[str, Sequence[int]] | None = None,
) -> dict[str, Layout] | None:
    """Where one sample lives in each value; None where samples are mixed.

    Parameters
    ----------
    before, after : mapping of str to ndarray
        Values before and after one sample was changed.
    batch, sample : int
        How many there are, and which was changed.
    growing : mapping of str to sequence of int, optional
        Axes of each value that grow with the batch, where that is known: samples lie along one of them,
        however many numbers happen to stay the same.
    """
    found: dict[str, Layout] = {}
    for name, a in before.items():
        b = after[name]
        if a.shape != b.shape or a.ndim == 0:
            continue
        kind = b.dtype.kind
        b = b if a.dtype == b.dtype else folded(b)
        moved = a != b
        if a.dtype.kind == "f":
            moved &= ~(np.isnan(a) & np.isnan(b))
        if not moved.any():
            continue
        layout = _layout(moved, batch, sample, (growing or {}).get(name) or range(moved.ndim))
        if layout is not None:
            found[name] = layout
        elif kind == "f" and any(n % batch == 0 and n >= batch for n in a.shape):
            return None
    return found


def folded(a: Array) -> Array:
    """A large array of floats as one byte a number, that tells whether it changed.

    A change stays unseen once in 256 times, and there are a million numbers or more.
    """
    if a.dtype.kind != "f" or a.size < _LARGE:
        return a.copy()  # onnxruntime's memory is held until all of it is freed
    found = np.ascontiguousarray(a).view(np.uint8).reshape(*a.shape, a.dtype.itemsize)
    return np.asarray(np.bitwise_xor.reduce(found, axis=-1))


def _layout(moved: Array, batch: int, sample: int, axes: Sequence[int]) -> Layout | None:
    """The layout that explains which positions changed with one sample."""
    for axis in axes:
        size = moved.shape[axis]
        if size % batch:
            continue
        others = tuple(i for i in range(moved.ndim) if i != axis)
        where = set(np.flatnonzero(moved.any(axis=others)).tolist())
        if len(where) > size // batch:
            continue
        copies = size // batch
        for outer in (n for n in range(1, copies + 1) if copies % n == 0):
            inner = copies // outer
            if where <= {i for i in range(size) if (i // inner) % batch == sample}:
                return Layout(axis - moved.ndim, outer, inner)
    return None
