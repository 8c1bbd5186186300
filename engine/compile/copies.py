"""How a value that the model gives for one row becomes the value for many rows that are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ops.onnx import Emitter

Array = np.ndarray[Any, Any]

# Two runs of a model, of one row and of two, round differently.
_ALIKE = 1e-4


class UnevenError(Exception):
    """The value for several rows is not made of that for one."""


@dataclass(frozen=True)
class Copies:
    """Where rows lie along an axis of a value: ``outer * rows * inner`` positions.

    Attributes
    ----------
    axis : int
        Negative.
    outer, inner : int
    shape : tuple of int
        Of the value for one row.
    """

    axis: int
    outer: int
    inner: int
    shape: tuple[int, ...]

    @property
    def is_own(self) -> bool:
        """Whether rows have an axis of their own, along which others broadcast."""
        return self.outer == self.inner == 1

    def write(self, e: Emitter, name: str) -> str:
        """Write what makes a value of one row one of as many rows as there are samples."""
        rank = len(self.shape)
        at = self.axis + rank
        if self.is_own:
            ones = [1] * rank
            return e.node("Expand", [name, _around(e, ones[:at], ones[at + 1 :])])
        before, after = self.shape[:at], self.shape[at + 1 :]
        split = [*before, self.outer, 1, self.inner, *after]
        wide = e.node("Reshape", [name, e.ints(split)])
        ones = [1] * len(split)
        wide = e.node("Expand", [wide, _around(e, ones[: at + 1], ones[at + 2 :])])
        return e.node("Reshape", [wide, e.ints([*before, -1, *after])])


def _around(e: Emitter, before: list[int], after: list[int]) -> str:
    """A shape with the number of samples in it."""
    parts = [e.ints(part) for part in (before,) if part]
    parts += [e.samples(), *(e.ints(part) for part in (after,) if part)]
    return parts[0] if len(parts) == 1 else e.node("Concat", parts, axis=0)


def copies(one: Array, two: Array) -> Copies | None:
    """How a value of one row is in that of two rows that are alike; None where it is the same for both.

    Raises
    ------
    UnevenError
        It is not.
    """
    if one.shape == two.shape:
        if not _alike(one, two):
            raise UnevenError
        return None
    differ = [i for i, (a, b) in enumerate(zip(one.shape, two.shape, strict=False)) if a != b]
    if one.ndim != two.ndim or len(differ) != 1 or two.shape[differ[0]] != 2 * one.shape[differ[0]]:
        raise UnevenError
    (at,) = differ
    size = one.shape[at]
    for outer in (k for k in range(1, size + 1) if size % k == 0):
        inner = size // outer
        split = one.reshape(*one.shape[:at], outer, 1, inner, *one.shape[at + 1 :])
        if _alike(np.repeat(split, 2, at + 1).reshape(two.shape), two):
            return Copies(at - one.ndim, outer, inner, one.shape)
    raise UnevenError


def _alike(a: Array, b: Array) -> bool:
    if a.dtype.kind != "f":
        return bool((a == b).all())
    finite = np.isfinite(b)
    size = float(np.abs(b[finite]).max(initial=0.0)) or 1.0
    return bool((np.abs(np.where(finite, a - b, 0.0)) <= _ALIKE * size).all())
