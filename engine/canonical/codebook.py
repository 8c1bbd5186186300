"""A look-up of the nearest vector of a codebook, as one node that has the vector and what is nearest to it.

Vector-quantised tokenizers (van den Oord et al. 2017) put a row of a table E in the place of z: the one whose
distance from z is least, or whose product with it is largest. Exporters write the distances as ``z E^T`` and
what goes beside it, or as z less each row; the row is gathered, or multiplied by a one-hot code.
"""

from __future__ import annotations

import numpy as np

from ..analysis.analysis import Analysis
from ..file.graph import Node
from ..file.protobuf import Array
from . import match
from .rewrite import Rewrite

_RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")
# What may stand between the products with the rows, or the differences from them, and the choice.
_BETWEEN = frozenset(
    {
        "Abs", "Add", "Cast", "Clip", "Div", "Identity", "Log", "LogSoftmax", "Max", "Mul", "Neg", "Pow",
        "ReduceL2", "ReduceSum", "ReduceSumSquare", "Relu", "Reshape", "Softmax", "Sqrt", "Squeeze", "Sub",
        "Sum",
    }
)  # fmt: skip
FURTHEST = 16  # nodes


def run(analysis: Analysis) -> Analysis:
    """Put one node in the place of every look-up of the nearest row of a codebook."""
    rewrite = Rewrite(analysis)
    for node in analysis.nodes:
        found = _looked_up(analysis, node)
        if found is None or analysis.kind(node.outputs[0]) != "f":
            continue
        table, index = found
        nearest = _behind(analysis, index, "ArgMin", "ArgMax")
        z = None if nearest is None else _compared(analysis, nearest, table)
        if z is None or not _fits(analysis, z, node.outputs[0]):
            continue
        rewrite.put(Node(node.name, "onnxplain", "Codebook", 1, (z,), node.outputs, {}), node)
    return rewrite.done()


def _looked_up(analysis: Analysis, node: Node) -> tuple[Array, str] | None:
    """A codebook and the index that it is read with; None for any other node."""
    if node.domain != "":
        return None
    if node.op_type == "Gather" and int(node.attributes.get("axis", 0)) == 0:
        table = _codebook(analysis, node.inputs[0])
        return None if table is None else (table, node.inputs[1])
    if node.op_type == "MatMul":
        table, index = _codebook(analysis, node.inputs[1]), _one_hot(analysis, node.inputs[0])
        return None if table is None or index is None else (table, index)
    return None


def _codebook(analysis: Analysis, value: str) -> Array | None:
    table = analysis.constant(value)
    return table if table is not None and table.ndim == 2 and table.dtype.kind == "f" else None


def _one_hot(analysis: Analysis, code: str) -> str | None:
    """The index that a code is one at, zero elsewhere."""
    hot = _behind(analysis, code, "OneHot", "ScatterElements", "Equal")
    if hot is None:
        return None
    if hot.op_type == "Equal":
        return next((index for index, every in match.pairs(hot) if _counts(analysis, every)), None)
    along = int(hot.attributes.get("axis", -1 if hot.op_type == "OneHot" else 0))
    if along not in (-1, analysis.rank(hot.outputs[0]) - 1):
        return None
    if hot.op_type == "OneHot":
        values = analysis.constant(hot.inputs[2])
        return hot.inputs[0] if values is not None and values.ravel().tolist() == [0, 1] else None
    filled = [_filled(analysis, hot.inputs[i]) for i in (0, 2)]
    return hot.inputs[1] if filled == [0.0, 1.0] else None


def _counts(analysis: Analysis, value: str) -> bool:
    """Whether a constant is 0, 1, 2, ... along its last axis."""
    every = analysis.constant(value)
    return every is not None and every.size > 1 and every.ravel().tolist() == list(range(every.shape[-1]))


def _filled(analysis: Analysis, value: str) -> float | None:
    """The one number that a tensor of any shape is filled with."""
    node = match.made_by(analysis, value, "ConstantOfShape", "Expand")
    if node is None:
        known = analysis.constant(value)
        numbers = set() if known is None else set(known.ravel().tolist())
        return float(numbers.pop()) if len(numbers) == 1 else None
    if node.op_type == "Expand":
        return match.number(analysis, node.inputs[0])
    given = node.attributes.get("value")
    return 0.0 if given is None else float(np.asarray(given).ravel()[0])


def _behind(analysis: Analysis, value: str, *op_types: str) -> Node | None:
    """The node that makes a value, before reshapes and casts."""
    while True:
        value = match.root(analysis, value)
        node = analysis.producer(value)
        if node is None or node.domain != "":
            return None
        if node.op_type in op_types:
            return node
        if node.op_type not in (*_RESHAPES, "Cast"):
            return None
        value = node.inputs[0]


def _compared(analysis: Analysis, nearest: Node, table: Array) -> str | None:
    """What is compared with all rows of the table, in the values that the index is chosen from."""
    axis, rank = int(nearest.attributes.get("axis", 0)), analysis.rank(nearest.inputs[0])
    if axis % rank != rank - 1:
        return None
    todo, seen = [nearest.inputs[0]], 0
    while todo and seen < FURTHEST:
        node, seen = analysis.producer(todo.pop(0)), seen + 1
        if node is None or node.domain != "":
            continue
        z = _operand(analysis, node, table)
        if z is not None:
            return z
        if node.op_type in _BETWEEN:
            todo += [v for v in node.inputs if v and analysis.varies(v)]
    return None


def _operand(analysis: Analysis, node: Node, table: Array) -> str | None:
    """What a node multiplies with every row of the table, or takes them from; None for any other."""
    if len(node.inputs) < 2:
        return None
    if node.op_type in ("MatMul", "Gemm"):
        weight = analysis.constant(node.inputs[1])
        if weight is None or weight.ndim != 2 or int(node.attributes.get("transA", 0)):
            return None
        rows = weight if int(node.attributes.get("transB", 0)) else weight.T
        z = node.inputs[0]
        if rows.shape[0] == table.shape[0] and rows.shape[1] > table.shape[1]:
            z, rows = _first_of(analysis, z, table.shape[1]), rows[:, : table.shape[1]]
        return _undoubled(analysis, z) if z and _alike(rows, table) else None
    if node.op_type == "Einsum":
        compared = _einsum_rows(analysis, node)
        fits = compared is not None and _alike(compared, table)
        return _undoubled(analysis, node.inputs[0]) if fits else None
    if node.op_type == "Sub":
        for value, other in match.pairs(node):
            taken = analysis.constant(other)
            if taken is not None and taken.size == table.size and _alike(taken.reshape(table.shape), table):
                before = _before_unsqueeze(analysis, value)
                return before if analysis.varies(value) else None
    return None


def _einsum_rows(analysis: Analysis, node: Node) -> Array | None:
    """The rows that an Einsum multiplies its first operand with, as ``bd,nd->bn``."""
    weight = analysis.constant(node.inputs[1])
    terms, _, out = str(node.attributes["equation"]).replace(" ", "").partition("->")
    z, _, w = terms.partition(",")
    if weight is None or weight.ndim != 2 or "." in terms or not z or not out:
        return None
    row, along = out[-1], z[-1]
    if out[:-1] != z[:-1] or sorted(w) != sorted(row + along) or row in z:
        return None
    return weight if w[0] == row else weight.T


def _first_of(analysis: Analysis, value: str, length: int) -> str:
    """What stands first along the last axis, and is as long; "" where nothing is.

    Distances are written as one product, too: ``[-2 z, |z|^2, 1] [E, 1, |E|^2]^T``.
    """
    node = match.made_by(analysis, value, "Concat")
    if node is None or int(node.attributes["axis"]) % analysis.rank(value) != analysis.rank(value) - 1:
        return ""
    return node.inputs[0] if analysis.shape(node.inputs[0])[-1] == length else ""


def _undoubled(analysis: Analysis, value: str) -> str:
    """z where ``2 z`` or ``-2 z`` is multiplied with the rows, as in ``|z|^2 - 2 z E^T + |E|^2``."""
    node = match.made_by(analysis, value, "Mul")
    for z, factor in () if node is None else match.pairs(node):
        if match.number(analysis, factor) in (2.0, -2.0):
            return z
    return value


def _before_unsqueeze(analysis: Analysis, value: str) -> str:
    """A value before the axis that all rows are put along."""
    node = match.made_by(analysis, value, *_RESHAPES)
    return value if node is None else node.inputs[0]


def _alike(rows: Array, table: Array) -> bool:
    """Whether rows are those of the table times one number."""
    if rows.shape != table.shape or not table.any():
        return False
    a, b = rows.astype(np.float64).ravel(), table.astype(np.float64).ravel()
    factor = float(a @ b) / float(b @ b)
    return bool(factor and np.allclose(a, factor * b, rtol=1e-4, atol=1e-6 * float(np.abs(a).max())))


def _fits(analysis: Analysis, z: str, code: str) -> bool:
    """Whether z has the elements of what stands in its place, in their order."""
    a, b = analysis.shape(z), analysis.shape(code)
    return bool(a) and bool(b) and a[-1] == b[-1] and _length(a[:-1]) == _length(b[:-1])


def _length(shape: tuple[object, ...]) -> tuple[int, tuple[str, ...]]:
    """How many: of lengths that are known their product, and what is not known."""
    known = [d for d in shape if isinstance(d, int)]
    return int(np.prod(known)) if known else 1, tuple(sorted(str(d) for d in shape if not isinstance(d, int)))
