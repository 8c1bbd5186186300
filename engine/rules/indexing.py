"""Operators that pick elements by index: relevance goes back to where they were picked."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from ..ops.base import Expr, Ops
from .node import Message, NodeContext
from .registry import rule


@rule("Gather", kind="move", carry="move")
def gather(op: Ops, node: NodeContext, m: Expr) -> list[Message | Expr | None]:
    """Summed back into the slices that were picked; a token gets what its embedding has."""
    axis = node.negative(int(node.attr("axis", 0)))
    if node.active(1) and not node.active(0):
        first = node.rank(0) + axis  # axes of the output: the table's before, the index's, the table's after
        after = node.rank(0) - first - 1
        rank = len(node.out_shape())
        own = [*range(-rank, first - rank), *range(-after, 0)]
        r = op.sum(node.carried(m), own)
        return [None, Message(r=op.reshape(r, node.shape(1)))]
    return [op.ungather(m, node.input(1), axis, node.shape(0), node.rank(1)), None]


@rule("OneHot", kind="move", carry="move")
def one_hot(op: Ops, node: NodeContext, m: Expr) -> list[Message | Expr | None]:
    """A token gets what its unit vector has; the two values what was written of each."""
    axis = int(node.attr("axis", -1))
    axis = axis - len(node.out_shape()) if axis >= 0 else axis
    if node.active(2):
        depth = node.out_shape()[axis]
        if not isinstance(depth, int):
            raise node.refuse("its depth grows with the batch")
        shape = list(node.shape(0))
        shape.insert(len(shape) + axis + 1, 1)
        index = op.as_float(op.reshape(node.input(0), tuple(shape)))
        line = op.const(np.arange(depth, dtype=np.float32).reshape(-1, *[1] * (-axis - 1)))
        # Negative indices count from the end; beyond it there is nothing.
        hot = op.where(op.equal(index, line), 1.0, op.where(op.equal(op.add(index, depth), line), 1.0, 0.0))
        axes = list(range(-len(node.out_shape()), 0))
        parts = [op.sum(op.mul(m, h), axes) for h in (op.sub(1.0, hot), hot)]
        return [None, None, op.concat([op.reshape(p, (1,)) for p in parts], -1)]
    r = op.sum(node.carried(m), [axis])
    return [Message(r=op.reshape(r, node.shape(0))), None, None]


@rule("GatherND", kind="move", carry="move")
def gather_nd(op: Ops, node: NodeContext, m: Expr) -> list[Message | Expr | None]:
    """Summed back into the elements that were picked; a token gets what its embedding has."""
    if node.active(1) and not node.active(0):
        index = node.shape(1)
        kept = len(index) - 1  # axes of the output that are the index's; those after are the embedding's
        after = len(node.out_shape()) - kept
        r = op.reshape(op.sum(node.carried(m), list(range(-after, 0))), (*index[:-1], 1))
        # Every number of an index tuple gets the same part.
        depth = index[-1]
        assert isinstance(depth, int)
        return [None, Message(r=op.expand(op.mul(r, 1.0 / depth), index))]
    return [op.ungather_nd(m, node.input(1), int(node.attr("batch_dims", 0)), node.shape(0)), None]


@rule("ScatterND", kind="move", carry="move")
def scatter_nd(op: Ops, node: NodeContext, m: Expr) -> list[Message | Expr | None]:
    """The updates get what was written, the data what was left (or, for `add`, everything)."""
    reduction = node.attr("reduction", "none")
    if reduction not in ("none", "add"):
        raise node.refuse(f"reduction {reduction!r}")
    if reduction == "add" and node.moves_relevance:
        return _added(op, node, m, lambda v: op.gather_nd(v, node.input(1), 0))
    rest = m if reduction == "add" else op.mask_nd(m, node.input(1))
    written = op.gather_nd(m, node.input(1), 0)
    return _scattered(op, node, m, rest, written, adds=reduction == "add")


def _scattered(
    op: Ops, node: NodeContext, m: Expr, rest: Expr, written: Expr, *, adds: bool
) -> list[Message | Expr | None]:
    result: list[Message | Expr | None] = [None, None, None]
    if node.active(0):
        result[0] = rest
    else:
        node.absorb("constant", rest, node.input(0), tensor=node.node.inputs[0])
    if node.active(2):
        result[2] = written
    elif adds:
        node.absorb("constant", m, op.sub(node.output(), node.input(0)), tensor=node.node.inputs[2])
    else:
        # In the shape of the output, where it is known which sample is where.
        node.absorb("constant", op.sub(m, rest), node.output(), tensor=node.node.inputs[2])
    return result


def _added(
    op: Ops, node: NodeContext, r: Expr, gathered: Callable[[Expr], Expr]
) -> list[Message | Expr | None]:
    """Relevance of a sum is divided as the multiplier of both, which it is made into."""
    m = node.converted(Message(r=r)).m
    assert m is not None
    result: list[Message | Expr | None] = [None, None, None]
    if node.active(0):
        result[0] = Message(m=m)
    else:
        node.absorb("constant", op.mul(m, node.input(0)), tensor=node.node.inputs[0])
    if node.active(2):
        result[2] = Message(m=gathered(m))
    else:
        written = op.mul(m, op.sub(node.output(), node.input(0)))
        node.absorb("constant", written, tensor=node.node.inputs[2])
    return result


@rule("GatherElements", kind="move", carry="move")
def gather_elements(op: Ops, node: NodeContext, m: Expr) -> list[Message | Expr | None]:
    """Summed back into the elements that were picked; a token gets what it picked."""
    if node.active(1) and not node.active(0):
        return [None, Message(r=node.carried(m))]
    axis = node.negative(int(node.attr("axis", 0)))
    return [op.ungather_elements(m, node.input(1), axis, node.shape(0)), None]


@rule("ScatterElements", "Scatter", kind="move", carry="move")
def scatter_elements(op: Ops, node: NodeContext, m: Expr) -> list[Message | Expr | None]:
    """The updates get what was written, the data what was left (or, for `add`, everything)."""
    axis = node.negative(int(node.attr("axis", 0)))
    reduction = node.attr("reduction", "none")
    if reduction not in ("none", "add"):
        raise node.refuse(f"reduction {reduction!r}")
    adds = reduction == "add"
    if adds and node.moves_relevance:
        return _added(op, node, m, lambda v: op.gather_elements(v, node.input(1), axis))
    rest = m if adds else op.mask_elements(m, node.input(1), axis)
    written = op.gather_elements(m, node.input(1), axis)
    return _scattered(op, node, m, rest, written, adds=adds)


@rule("Compress", kind="move", carry="move")
def compress(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """Back to the slices that were kept."""
    kept = np.flatnonzero(node.needs_const(1, "conditions"))
    axis = node.attr("axis")
    if axis is None:
        sizes = [d for d in node.shape(0) if isinstance(d, int)]
        if len(sizes) != node.rank():
            raise node.refuse("it flattens the batch")
        flat = op.ungather(m, op.const(kept), -1, (prod(sizes),), 1)
        return [op.reshape(flat, node.shape(0)), None]
    return [op.ungather(m, op.const(kept), node.negative(int(axis)), node.shape(0), 1), None]


@rule("ReverseSequence", kind="move", carry="move")
def reverse_sequence(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """Reversed once more."""
    time, batch = (node.negative(int(node.attr(k, d))) for k, d in (("time_axis", 0), ("batch_axis", 1)))
    return [op.reverse_sequence(m, node.input(1), time, batch), None]
