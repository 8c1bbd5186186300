"""Operators that pick a winner: it gets everything (winner takes all).

Where several elements tie, the first wins, so that relevance is counted once.
"""

from __future__ import annotations

from math import prod

import numpy as np

from ..analysis.shapes import Shape
from ..ops.base import Expr, Ops
from .common import unbroadcast
from .node import Message, NodeContext
from .reduction import reduced_axes
from .registry import rule


@rule("Max", "Min", kind="move", carry="move")
def extremum(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """The operand that is the largest (smallest) gets m; the first one where several are."""
    y = node.output()
    result: list[Expr | None] = []
    free: Expr | None = None  # where no earlier operand has won
    for i in range(node.count):
        wins = op.where(op.equal(node.input(i), y), 1.0, 0.0)
        taken = wins if free is None else op.mul(wins, free)
        lost = op.sub(1.0, wins)
        free = lost if free is None else op.mul(free, lost)
        part = op.mul(m, taken)
        if node.active(i):
            result.append(unbroadcast(op, part, node.out_shape(), node.shape(i)))
        else:
            node.absorb("constant", part, y, tensor=node.node.inputs[i])
            result.append(None)
    return result


def winner(op: Ops, node: NodeContext, x: Expr, axes: tuple[int, ...]) -> Expr:
    """One at the first largest element over `axes`, zero elsewhere; shaped like operand 0."""
    shape = node.shape(0)
    rank = len(shape)
    last = [i for i in range(rank) if i - rank in axes]
    perm = [i for i in range(rank) if i not in last] + last
    sizes = [shape[i] for i in last]
    if not all(isinstance(s, int) for s in sizes):
        raise node.refuse("it picks along the batch")
    count = prod(s for s in sizes if isinstance(s, int))
    moved: Shape = tuple(shape[i] for i in perm)
    flat = op.reshape(op.transpose(x, perm), (*moved[: rank - len(last)], count))
    wins = op.where(op.equal(op.argmax(flat, -1), op.const(np.arange(count))), 1.0, 0.0)
    return op.transpose(op.reshape(wins, moved), [perm.index(i) for i in range(rank)])


@rule("ReduceMax", "ReduceMin", kind="reduce", carry="move")
def reduce_extremum(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """The largest (smallest) element gets m; the first one where several are."""
    axes = reduced_axes(node)
    if not axes:
        return [m, None][: node.count]
    x = node.input(0) if node.node.op_type == "ReduceMax" else op.neg(node.input(0))
    kept: Shape = tuple(1 if i - node.rank() in axes else d for i, d in enumerate(node.shape(0)))
    return [op.mul(op.reshape(m, kept), winner(op, node, x, axes)), None][: node.count]


@rule("GlobalMaxPool", kind="pool", carry="move")
def global_max_pool(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """The largest element of each channel gets m."""
    return [op.mul(m, winner(op, node, node.input(0), tuple(range(2 - node.rank(), 0))))]


@rule("ArgMax", "ArgMin", kind="move", carry="move")
def winning_index(op: Ops, node: NodeContext, m: Expr) -> list[Message | Expr | None]:
    """The relevance of an index is the winner's (identity rule, AttnLRP, Prop. 3.2)."""
    axis = node.negative(int(node.attr("axis", 0)))
    kept: Shape = tuple(1 if i - node.rank() == axis else d for i, d in enumerate(node.shape(0)))
    index = op.reshape(node.output(), kept)
    return [Message(r=op.ungather_elements(op.reshape(node.carried(m), kept), index, axis, node.shape(0)))]


@rule("NonZero", kind="move", carry="move")
def where_not_zero(op: Ops, node: NodeContext, m: Expr) -> list[Message | Expr | None]:
    """The relevance of an index, all its numbers together, is the element's that is not zero."""
    index = op.transpose(node.output(), (1, 0))
    return [Message(r=op.ungather_nd(op.sum(node.carried(m), [-2], keepdims=False), index, 0, node.shape(0)))]


@rule("TopK", kind="move", carry="move")
def top_k(
    op: Ops, node: NodeContext, m: Expr | None, m_index: Expr | None = None
) -> list[Message | Expr | None]:
    """Back to where the largest elements were; relevance of their indices too (identity rule)."""
    axis = node.negative(int(node.attr("axis", -1)))

    def back(values: Expr) -> Expr:
        return op.ungather_elements(values, node.output(1), axis, node.shape(0))

    if m_index is None:
        assert m is not None
        return [back(m), *[None] * (node.count - 1)]
    r = m_index if node.moves_relevance else op.mul(m_index, op.as_float(node.output(1)))
    got = None if m is None else back(m)
    rest: list[Message | Expr | None] = [None] * (node.count - 1)
    if node.gradient:
        node.absorb("nonlinear", r)
        return [got, *rest]
    if node.moves_relevance:
        return [back(r) if got is None else op.add(got, back(r)), *rest]
    return [Message(got, back(r)), *rest]
