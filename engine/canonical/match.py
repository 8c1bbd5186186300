"""What passes ask of a graph when they look for a layer written in parts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..analysis.analysis import Analysis
from ..analysis.shapes import Shape
from ..file.graph import SHAPE_ONLY, TYPE_ONLY, Node
from ..file.protobuf import Array


def root(analysis: Analysis, value: str) -> str:
    """A value before what only passes it on: Identity, and casts to the type that it has already."""
    types = analysis.probe.dtypes
    while True:
        node = analysis.producer(value)
        if node is None or node.domain != "" or node.op_type not in ("Identity", "Cast"):
            return value
        if types.get(node.inputs[0]) != types.get(value):
            return value
        value = node.inputs[0]


def made_by(analysis: Analysis, value: str, *op_types: str) -> Node | None:
    """The node that makes a value, if it is one of the standard's operators named here."""
    node = analysis.producer(root(analysis, value))
    return node if node is not None and node.domain == "" and node.op_type in op_types else None


def same(analysis: Analysis, a: str, b: str) -> bool:
    """Whether two names are one value: passed on, or a centring that is computed twice."""
    a, b = root(analysis, a), root(analysis, b)
    if a == b:
        return True
    first, second = analysis.producer(a), analysis.producer(b)
    if first is None or second is None or len(first.inputs) != len(second.inputs):
        return False
    if (first.domain, first.op_type) != (second.domain, second.op_type) or len(first.outputs) > 1:
        return False
    # The legacy exporter writes the centring of a LayerNorm twice.
    alike = repr(first.attributes) == repr(second.attributes) and first.op_type in ("Sub", "ReduceMean")
    return alike and all(same(analysis, v, w) for v, w in zip(first.inputs, second.inputs, strict=True))


def pairs(node: Node) -> Iterator[tuple[str, str]]:
    """Both orders of a node's two operands."""
    if len(node.inputs) == 2:
        yield node.inputs[0], node.inputs[1]
        yield node.inputs[1], node.inputs[0]


def reader(analysis: Analysis, value: str) -> Node | None:
    """The only node that reads a value, where nothing else is asked of the value than its shape or type."""
    readers = [n for n in analysis.readers(value) if not _looks(n, value)]
    return readers[0] if len(readers) == 1 and not analysis.keeps(value) else None


def _looks(node: Node, value: str) -> bool:
    """Whether a node uses no number of a value."""
    if node.domain != "" or value in node.captures:
        return False
    if node.op_type in SHAPE_ONLY:
        return True
    used = [i for i, v in enumerate(node.inputs) if v == value]
    return all(i in TYPE_ONLY.get(node.op_type, ()) for i in used)


def number(analysis: Analysis, value: str) -> float | None:
    """A constant of one element."""
    constant = analysis.constant(value)
    if constant is None or constant.size != 1 or constant.dtype.kind not in "fiu":
        return None
    return float(constant.reshape(()))


def reduced(analysis: Analysis, node: Node) -> tuple[int, ...] | None:
    """Axes that a Reduce node reduces and keeps with size 1, counted from the end; None for others."""
    return axes_of(analysis, node) if node.attributes.get("keepdims", 1) else None


def axes_of(analysis: Analysis, node: Node) -> tuple[int, ...] | None:
    """Axes that a Reduce node reduces, counted from the end; None where it does not say which."""
    rank = analysis.rank(node.inputs[0])
    axes = node.attributes.get("axes")
    if axes is None and len(node.inputs) > 1 and node.inputs[1]:
        constant = analysis.constant(node.inputs[1])
        axes = None if constant is None else constant.reshape(-1).tolist()
    return tuple(sorted(int(a) - rank if a >= 0 else int(a) for a in axes)) if axes else None


def affine(analysis: Analysis, value: str, over: Shape) -> tuple[str, Array | None, Array | None, list[Node]]:
    """A constant factor and a constant summand that a value alone goes through.

    Parameters
    ----------
    over : Shape
        What both must broadcast to; its last axes are those of the value.

    Returns
    -------
    str
        The value after them.
    scale, shift : ndarray or None
        Shaped `over`.
    list of Node
        The nodes that apply them.
    """
    if not all(isinstance(d, int) for d in over):
        return value, None, None, []
    shape = analysis.shape(value)
    found: dict[str, Array] = {}
    nodes: list[Node] = []
    for kind in ("Mul", "Add"):
        node = reader(analysis, value)
        if node is None or node.domain != "" or node.op_type != kind or node.inputs.count(value) != 1:
            continue
        constant = analysis.constant(node.inputs[1 - node.inputs.index(value)])
        if constant is None or analysis.shape(node.outputs[0]) != shape:
            continue
        array = spread(constant, over)
        if array is None:
            break
        found[kind] = array
        nodes.append(node)
        value = node.outputs[0]
    return value, found.get("Mul"), found.get("Add"), nodes


def spread(constant: Array, over: Shape) -> Array | None:
    """A constant broadcast to `over`, where it does not vary along any earlier axis."""
    extra = constant.ndim - len(over)
    if extra > 0:
        if any(d != 1 for d in constant.shape[:extra]):
            return None
        constant = constant.reshape(constant.shape[extra:])
    try:
        wide: Array = np.broadcast_to(constant, tuple(d for d in over if isinstance(d, int)))
    except ValueError:
        return None
    return np.ascontiguousarray(wide)
