"""Operators that only move elements: relevance moves back the same way."""

from __future__ import annotations

from collections.abc import Sequence

from ..ops.base import Expr, Ops
from ..registry import rule
from ..shapes import Dim
from ..site import Site
from .common import unbroadcast


@rule("Reshape", "Flatten", "Squeeze", "Unsqueeze", kind="move", carry="move")
def reshape(op: Ops, node: Site, m: Expr) -> list[Expr | None]:
    """Back to the input's shape."""
    return [op.reshape(m, node.shape(0)), None][: node.count]


@rule("Transpose", kind="move", carry="move")
def transpose(op: Ops, node: Site, m: Expr) -> list[Expr | None]:
    """The inverse permutation."""
    rank = node.rank()
    perm = node.attr("perm") or list(range(rank))[::-1]
    return [op.transpose(m, [list(perm).index(i) for i in range(rank)])]


@rule("Expand", kind="move", carry="move")
def expand(op: Ops, node: Site, m: Expr) -> list[Expr | None]:
    """The sum over the copies."""
    return [unbroadcast(op, m, node.out_shape(), node.shape(0)), None]


def _length(node: Site, dim: Dim) -> int:
    if not isinstance(dim, int):
        raise node.refuse("it joins or splits along the batch")
    return dim


def _part(op: Ops, m: Expr, axis: int, start: int, length: int) -> Expr:
    return op.slice(m, [start], [start + length], [axis], [1])


@rule("Concat", kind="move", carry="move")
def concat(op: Ops, node: Site, m: Expr) -> list[Expr | None]:
    """Every operand gets its part; a constant one (a class token) absorbs its own."""
    axis = node.negative(int(node.attr("axis", 1)))
    start = 0
    result: list[Expr | None] = []
    for i in range(node.count):
        if node.count == 1:
            return [m]
        length = _length(node, node.shape(i)[axis])
        part = _part(op, m, axis, start, length)
        start += length
        if node.active(i):
            result.append(part)
        else:
            node.absorb("constant", part, node.input(i), tensor=node.node.inputs[i])
            result.append(None)
    return result


@rule("Split", kind="move", carry="move")
def split(op: Ops, node: Site, *m: Expr | None) -> list[Expr | None]:
    """The parts, joined; parts that nobody explained are zero."""
    axis = node.negative(int(node.attr("axis", 0)))
    lengths = [_length(node, node.out_shape(i)[axis]) for i in range(len(node.node.outputs))]
    parts = [*m, *[None] * (len(lengths) - len(m))]
    if all(p is not None for p in parts):
        whole = op.concat([p for p in parts if p is not None], axis)
    else:
        put = [
            op.unslice(p, node.shape(0), [sum(lengths[:i])], [axis], [1])
            for i, p in enumerate(parts)
            if p is not None
        ]
        whole = put[0]
        for more in put[1:]:
            whole = op.add(whole, more)
    return [whole, None][: node.count]


@rule("Slice", kind="move", carry="move")
def slice_before_10(op: Ops, node: Site, m: Expr) -> list[Expr | None]:
    """Put back where it was cut out, zeros elsewhere."""
    starts = node.attr("starts")
    return _unslice(op, node, m, starts, node.attr("axes") or range(len(starts)), [1] * len(starts))


@rule("Slice", kind="move", since=10, carry="move")
def slice_(op: Ops, node: Site, m: Expr) -> list[Expr | None]:
    """Put back where it was cut out, zeros elsewhere."""
    starts = node.needs_const(1, "starts").reshape(-1).tolist()
    axes = node.needs_const(3, "axes").reshape(-1).tolist() if node.has(3) else range(len(starts))
    steps = node.needs_const(4, "steps").reshape(-1).tolist() if node.has(4) else [1] * len(starts)
    return _unslice(op, node, m, starts, axes, steps)


def _unslice(
    op: Ops, node: Site, m: Expr, starts: Sequence[int], axes: Sequence[int], steps: Sequence[int]
) -> list[Expr | None]:
    negative = [node.negative(int(a)) for a in axes]
    # A slice that takes everything is none.
    if node.shape(0) == node.out_shape() and all(s == 1 for s in steps):
        return [m, *[None] * (node.count - 1)]
    return [op.unslice(m, node.shape(0), starts, negative, steps), *[None] * (node.count - 1)]
