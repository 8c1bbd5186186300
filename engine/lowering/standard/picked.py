"""Determinants, and unique elements."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from ..workspace import Workspace
from .table import Fused, writes

LARGEST = 4  # rows of a determinant: it has as many products as they have orders


def _small(work: Workspace, node: onnx.NodeProto) -> bool:
    return bool(work.observe([node.input[0]])[node.input[0]].shape[-1] <= LARGEST)


def _reads_elements(work: Workspace, node: onnx.NodeProto) -> bool:
    kinds = work.observe([node.input[0]])[node.input[0]].dtype.kind
    return kinds == "f" and bool(node.output[0])


@writes("Det", when=_small)
def determinant(o: Fused) -> Sequence[str]:
    """Laplace's expansion: sums of products of elements."""
    emit, size = o.emit, o.value(0).shape[-1]
    rank = o.rank(0)

    def element(row: int, column: int) -> str:
        line = emit.slice(o.operand(0), row, row + 1, rank - 2, what="row")
        return emit.slice(line, column, column + 1, rank - 1, what="element")

    known: dict[tuple[int, tuple[int, ...]], str] = {}

    def minor(row: int, columns: tuple[int, ...]) -> str:
        if (row, columns) not in known:
            total = ""
            for k, column in enumerate(columns):
                rest = columns[:k] + columns[k + 1 :]
                term = element(row, column)
                if rest:
                    term = emit.op("Mul", term, minor(row + 1, rest), what="term")
                kind = "Sub" if k % 2 else "Add"
                total = emit.op(kind, total, term, what="sum") if total else term
            known[row, columns] = total
        return known[row, columns]

    whole = minor(0, tuple(range(size)))
    return [emit.squeeze(whole, rank - 2, rank - 1, what="Det")]


@writes("Unique", when=_reads_elements)
def unique(o: Fused) -> Sequence[str]:
    """The elements (or slices) that come first of their kind; which those are is held."""
    emit, x, axis = o.emit, o.value(0), o.attr("axis")
    emit.work.decide(o.operand(0), x, emit.reason)
    _, first, inverse, counts = np.unique(x, True, True, True, axis=axis)
    inverse = inverse.reshape(-1)
    if not o.attr("sorted", 1):
        order = np.argsort(first)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        first, inverse, counts = first[order], place[inverse], counts[order]
    source = emit.reshape(o.operand(0), (-1,), what="flat") if axis is None else o.operand(0)
    index = emit.const(first.astype(np.int64), "first")
    y = emit.op("Gather", source, index, what="Gather", axis=int(axis or 0))
    return [y, index, emit.const(inverse.astype(np.int64)), emit.const(counts.astype(np.int64))]
