"""Scatters that multiply or compare, and TensorScatter: read, combine, write.

Several updates of one element are written one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from ...file.protobuf import Array, attributes
from ..workspace import Workspace
from .table import Fused, writes

_COMBINED = {"mul": "Mul", "max": "Max", "min": "Min"}


def _combines(work: Workspace, node: onnx.NodeProto) -> bool:
    return attributes(node).get("reduction", "none") in _COMBINED


@writes("ScatterND", when=_combines)
def scatter_nd(o: Fused) -> Sequence[str]:
    """``data[index] = combine(data[index], update)``, round by round where an index comes twice."""
    index = o.value(1)
    rows = index.reshape(-1, index.shape[-1])
    rest = o.value(0).shape[index.shape[-1] :]
    return [_rounds(o, rows, rest)]


@writes("ScatterElements", when=_combines)
def scatter_elements(o: Fused) -> Sequence[str]:
    """As ScatterND, element by element."""
    index = o.value(1)
    axis = int(o.attr("axis", 0)) % index.ndim
    places: list[Array] = list(np.indices(index.shape))
    places[axis] = index
    return [_rounds(o, np.stack(places, axis=-1).reshape(-1, index.ndim), ())]


def _rounds(o: Fused, rows: Array, rest: Sequence[int]) -> str:
    """Combine updates [n, *rest] into the data at `rows`, [n, depth]."""
    emit = o.emit
    emit.work.decide(o.operand(1), o.value(1), emit.reason)
    shape = np.array(o.value(0).shape[: rows.shape[1]])
    rows = np.where(rows < 0, rows + shape, rows).astype(np.int64)
    updates = emit.reshape(o.operand(2), (len(rows), *rest), what="updates")
    y = o.operand(0)
    for now in _times(rows):
        at = emit.const(rows[now], "index")
        part = updates
        if len(now) != len(rows):
            part = emit.op("Gather", updates, emit.const(now.astype(np.int64)), what="part", axis=0)
        old = emit.op("GatherND", y, at, what="old")
        new = emit.op(_COMBINED[o.attr("reduction")], old, part, what="new")
        y = emit.op("ScatterND", y, at, new, what="written")
    return y


def _times(rows: Array) -> list[Array]:
    """Positions of the first time that a row comes, of the second, and so on."""
    seen: dict[bytes, int] = {}
    found: list[list[int]] = []
    for i, row in enumerate(rows):
        k = seen.get(row.tobytes(), 0)
        seen[row.tobytes()] = k + 1
        found += [[]] * (k + 1 - len(found))
        found[k] = [*found[k], i]
    return [np.array(f) for f in found]


@writes("TensorScatter")
def tensor_scatter(o: Fused) -> Sequence[str]:
    """A cache with an update written from an index of each sample's own on."""
    emit, update = o.emit, o.value(1).shape
    axis = int(o.attr("axis", -2)) % len(update)
    steps = np.arange(update[axis]).reshape([-1 if i == axis else 1 for i in range(len(update))])
    places = emit.const(steps.astype(np.int64), "steps")
    if o.operand(2):
        first = emit.reshape(o.operand(2), (-1, *[1] * (len(update) - 1)), what="first")
        places = emit.op("Add", places, first, what="places")
    if o.attr("mode", "linear") == "circular":
        places = emit.op("Mod", places, emit.const(np.int64(o.value(0).shape[axis])), what="around")
    wide = emit.op("Expand", places, emit.op("Shape", o.operand(1), what="Shape"), what="index")
    return [emit.op("ScatterElements", o.operand(0), wide, o.operand(1), what="written", axis=axis)]
