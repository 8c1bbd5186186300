"""Weights of recurrent layers: cut and turned once where they are constants, by nodes where they are not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..file.protobuf import Array
from .emit import Emit

# A constant, or the name of a value.
Weight = Array | str


def of_direction(emit: Emit, name: str, direction: int) -> Weight:
    """What one direction has of a weight, without the axis of directions."""
    value = emit.work.constant(name)
    if value is not None:
        part: Array = value[direction]
        return part
    return emit.squeeze(emit.slice(name, direction, direction + 1, 0), 0)


def turned(emit: Emit, weight: Weight) -> Weight:
    """A matrix transposed."""
    return emit.transpose(weight, (1, 0)) if isinstance(weight, str) else weight.T


def cut(emit: Emit, weight: Weight, sizes: Sequence[int]) -> list[Weight]:
    """A weight cut along its last axis."""
    if isinstance(weight, str):
        return list(emit.split(weight, sizes, -1))
    return list(np.split(weight, np.cumsum(sizes)[:-1], axis=-1))


def plus(emit: Emit, a: Weight | None, b: Weight | None) -> Weight | None:
    """The sum of two weights of which either may be missing."""
    if a is None or b is None:
        return b if a is None else a
    if isinstance(a, str) or isinstance(b, str):
        return emit.op("Add", named(emit, a, "bias"), named(emit, b, "bias"))
    total: Array = a + b
    return total


def joined(emit: Emit, parts: Sequence[Weight]) -> Weight:
    """Weights joined along their last axis."""
    if any(isinstance(p, str) for p in parts):
        return emit.concat([named(emit, p, "weight") for p in parts], -1)
    return np.concatenate([p for p in parts if not isinstance(p, str)], axis=-1)


def named(emit: Emit, weight: Weight, what: str) -> str:
    """The name under which a node can read a weight."""
    return weight if isinstance(weight, str) else emit.const(weight, what)
