"""Relevance of few rows carried as few rows.

A classifier that reads one token (CLS) sends relevance back to one row of many, and so does one that reads
the last step. Until attention, or whatever mixes rows, spreads it, all other rows are 0: they are put in
as late as that, and activations are read at these rows only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...analysis.shapes import Dim, Shape
from ...ops.base import Expr
from ...ops.shape_inference import Unknown, broadcast

if TYPE_CHECKING:
    from .algebra import Rewriter

# Along a shorter axis there is too little to gain; and more rows than this part of them all are many.
_LEAST, _PART = 8, 4
_ELEMENTWISE = frozenset({
    "abs", "add", "div", "erf", "exp", "maximum", "minimum", "mul", "neg", "sigmoid", "sqrt", "sub", "tanh",
})  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """Values `x` at `size` rows from `start` of a negative axis; zeros elsewhere in `shape`."""

    x: Expr
    axis: int
    start: int
    size: int
    shape: Shape

    def same(self, other: Rows) -> bool:
        """Whether both are of the same rows."""
        return (self.axis, self.start, self.size) == (other.axis, other.start, other.size)

    def whole(self, r: Rewriter, x: Expr, shape: Shape, axis: int | None = None) -> Expr:
        """Other values at these rows."""
        return r.new.unslice(x, shape, (self.start,), (self.axis if axis is None else axis,), (1,))


def carried(r: Rewriter, e: Expr, args: list[Expr]) -> Expr | None:
    """A primitive applied to the rows that are not 0, where it can be."""
    if e.op == "ungather":
        return _begun(r, e, args)
    found = [_rows(r, a) for a in args]
    if not any(found) or e.op not in _RULES:
        return None
    try:
        made: Expr | None = _RULES[e.op](r, e, args, found)
    except Unknown:
        return None
    return made


def _begun(r: Rewriter, e: Expr, args: list[Expr]) -> Expr | None:
    """One slice by a constant index, with its axis kept."""
    x, index = args
    shape, axis = e.attrs["shape"], e.attrs["axis"]
    full = shape[axis]
    if e.attrs["rank"] > 1 or index.kind != "const" or index.attrs["array"].size != 1:
        return None
    if not isinstance(full, int) or full < _LEAST:
        return None
    kept = r.new.reshape(x, _resized(shape, axis, 1)) if e.attrs["rank"] == 0 else x
    return r.new.unslice(kept, shape, (int(index.attrs["array"].reshape(-1)[0]) % full,), (axis,), (1,))


def _rows(r: Rewriter, e: Expr) -> Rows | None:
    if e.op != "unslice" or len(e.attrs["axes"]) != 1 or e.attrs["steps"] != (1,):
        return None
    (axis,), (start,), shape = e.attrs["axes"], e.attrs["starts"], e.attrs["shape"]
    own = r.shape(e.args[0])
    size, full = None if own is None else own[axis], shape[axis]
    if not isinstance(size, int) or not isinstance(full, int) or start < 0:
        return None
    few = full >= _LEAST and size * _PART <= full
    return Rows(e.args[0], axis, start, size, shape) if few else None


def _resized(shape: Shape, axis: int, size: Dim) -> Shape:
    return (*shape[: len(shape) + axis], size, *shape[len(shape) + axis + 1 :])


def _picked(r: Rewriter, e: Expr, axis: int, rows: Rows) -> Expr | None:
    """A value at some rows of an axis; what is the same along it stays."""
    shape = r.shape(e)
    if shape is None:
        return None
    if len(shape) < -axis or shape[axis] == 1:
        return e
    if e.kind == "forward" and e.op in _ELEMENTWISE:
        parts = [_picked(r, a, axis, rows) for a in e.args]
        return None if None in parts else r.new.make(e.op, [p for p in parts if p is not None], e.attrs)
    if e.kind == "forward" and e.op == "transpose":
        perm = e.attrs["perm"]
        inner = _picked(r, e.args[0], perm[axis] - len(perm), rows)
        return None if inner is None else r.new.transpose(inner, perm)
    return r.new.slice(e, (rows.start,), (rows.start + rows.size,), (axis,), (1,))


def _mul(r: Rewriter, e: Expr, args: list[Expr], found: list[Rows | None]) -> Expr | None:
    at = 0 if found[0] is not None else 1
    rows, other = found[at], args[1 - at]
    shape = r.shape(other)
    if rows is None or shape is None or broadcast(rows.shape, shape) != rows.shape:
        return None
    picked = _picked(r, other, rows.axis, rows)
    if picked is None:
        return None
    product = r.new.mul(rows.x, picked) if at == 0 else r.new.mul(picked, rows.x)
    return rows.whole(r, product, rows.shape)


def _pair(r: Rewriter, e: Expr, args: list[Expr], found: list[Rows | None]) -> Expr | None:
    a, b = found
    if a is None or b is None or not a.same(b):
        return None
    return a.whole(r, r.new.make(e.op, [a.x, b.x], {}), broadcast(a.shape, b.shape))


def _neg(r: Rewriter, e: Expr, args: list[Expr], found: list[Rows | None]) -> Expr | None:
    (rows,) = found
    return None if rows is None else rows.whole(r, r.new.neg(rows.x), rows.shape)


def _reduced(r: Rewriter, e: Expr, args: list[Expr], found: list[Rows | None]) -> Expr | None:
    (rows,) = found
    if rows is None or not e.attrs["keepdims"] or rows.axis in e.attrs["axes"]:
        return None
    shape = rows.shape
    for axis in e.attrs["axes"]:
        shape = _resized(shape, axis, 1)
    return rows.whole(r, r.new.make(e.op, [rows.x], e.attrs), shape)


def _matmul(r: Rewriter, e: Expr, args: list[Expr], found: list[Rows | None]) -> Expr | None:
    (a, b), (left, right) = args, found
    shapes = [r.shape(a), r.shape(b)]
    if shapes[0] is None or shapes[1] is None or (left is not None and right is not None):
        return None
    out = (*broadcast(shapes[0][:-2], shapes[1][:-2]), shapes[0][-2], shapes[1][-1])
    if left is not None and left.axis == -2:
        return left.whole(r, r.new.matmul(left.x, b), out)
    if right is not None and right.axis == -1:
        return right.whole(r, r.new.matmul(a, right.x), out)
    # What the rows are multiplied with: of the other operand no more is needed.
    if left is not None and left.axis == -1:
        picked = _picked(r, b, -2, left)
        return None if picked is None else r.new.matmul(left.x, picked)
    if right is not None and right.axis == -2:
        picked = _picked(r, a, -1, right)
        return None if picked is None else r.new.matmul(picked, right.x)
    return None


def _concat(r: Rewriter, e: Expr, args: list[Expr], found: list[Rows | None]) -> Expr | None:
    parts = [f for f in found if f is not None]
    first, axis = parts[0], e.attrs["axis"]
    if len(parts) != len(found) or axis == first.axis or not all(first.same(p) for p in parts):
        return None
    sizes = [p.shape[axis] for p in parts]
    total = sum(s for s in sizes if isinstance(s, int))
    if not all(isinstance(s, int) for s in sizes):
        return None
    return first.whole(r, r.new.concat([p.x for p in parts], axis), _resized(first.shape, axis, total))


def _transpose(r: Rewriter, e: Expr, args: list[Expr], found: list[Rows | None]) -> Expr | None:
    (rows,), perm = found, e.attrs["perm"]
    if rows is None:
        return None
    axis = perm.index(rows.axis + len(perm)) - len(perm)
    return rows.whole(r, r.new.transpose(rows.x, perm), tuple(rows.shape[p] for p in perm), axis)


def _reshape(r: Rewriter, e: Expr, args: list[Expr], found: list[Rows | None]) -> Expr | None:
    """Where the axis stays an axis: with all before it, or with all behind it."""
    (rows,), to = found, e.attrs["shape"]
    if rows is None:
        return None
    at, shape = rows.axis + len(rows.shape), rows.shape
    if to[: at + 1] == shape[: at + 1]:
        axis = at - len(to)
    elif to[rows.axis :] == shape[rows.axis :]:
        axis = rows.axis
    else:
        return None
    return rows.whole(r, r.new.reshape(rows.x, _resized(to, axis, rows.size)), to, axis)


_RULES = {
    "mul": _mul, "add": _pair, "sub": _pair, "neg": _neg, "sum": _reduced, "mean": _reduced,
    "matmul": _matmul, "concat": _concat, "transpose": _transpose, "reshape": _reshape,
}  # fmt: skip
