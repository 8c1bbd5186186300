"""Shapes with a batch in them, and where in a tensor each sample lives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Batch:
    """A dimension that grows with the batch: ``scale * B + offset`` for B samples."""

    scale: int = 1
    offset: int = 0

    def size(self, batch: int) -> int:
        """The dimension for `batch` samples."""
        return self.scale * batch + self.offset

    def __str__(self) -> str:
        text = "B" if self.scale == 1 else f"{self.scale}B"
        return text if not self.offset else f"{text}{self.offset:+d}"


Dim = int | Batch
Shape = tuple[Dim, ...]


def resolve(shape: Sequence[Dim], batch: int) -> tuple[int, ...]:
    """The shape for `batch` samples."""
    return tuple(d if isinstance(d, int) else d.size(batch) for d in shape)


def text(shape: Sequence[Dim]) -> str:
    """A shape to read, e.g. ``[B, 22, 800]``."""
    return "[" + ", ".join(map(str, shape)) + "]"


def broadcast_axes(shape: Shape, to: Shape) -> tuple[int, ...]:
    """Negative axes of `to` that came into being when `shape` was broadcast to it.

    These are the axes over which an adjoint sums. Axes that `shape` does not have at all are
    among them.
    """
    missing = len(to) - len(shape)
    new = [i - len(to) for i in range(missing)]
    stretched = [i - len(to) for i in range(missing, len(to)) if shape[i - missing] == 1 and to[i] != 1]
    return tuple(new + stretched)


@dataclass(frozen=True)
class Layout:
    """Where the samples are along one axis of a tensor.

    The axis has ``outer * B * inner`` positions and position i belongs to sample
    ``(i // inner) % B``. Merged tokens ``[B * tokens, ...]`` have inner = tokens; copies stacked
    along the batch (ICLabel's four) have outer = 4.
    """

    axis: int
    outer: int = 1
    inner: int = 1


def sample_sums(amounts: Array, samples: int, layout: Layout | None) -> Array:
    """Sums of something shaped [K, *shape of a tensor] for each sample; [K, samples], float64.

    What samples share (a layout of None) is divided among them.
    """
    # In double: a sum of many small terms of both signs.
    k = amounts.shape[0]
    if layout is None or amounts.ndim == 1:
        total = amounts.reshape(k, -1).sum(axis=1, dtype=np.float64)
        return np.broadcast_to(total[:, None] / samples, (k, samples))
    moved = np.moveaxis(amounts, layout.axis, 1)
    out: Array = moved.reshape(k, layout.outer, samples, -1).sum(axis=(1, 3), dtype=np.float64)
    return out
