"""Sums and means over axes: their adjoint spreads m evenly over what was reduced. Other norms, too."""

from __future__ import annotations

from math import prod

from ..analysis.shapes import Shape
from ..ops.base import Expr, Ops
from .common import stabilised, unbroadcast
from .node import NodeContext
from .registry import rule


def reduced_axes(node: NodeContext) -> tuple[int, ...]:
    """Negative axes that a Reduce node reduces: an attribute or, newer, an operand."""
    axes = node.attr("axes")
    if axes is None and node.has(1):
        axes = node.needs_const(1, "axes").reshape(-1).tolist()
    if not axes:
        keep = node.attr("noop_with_empty_axes", 0)
        return () if keep else tuple(range(-node.rank(), 0))
    return tuple(node.negative(int(a)) for a in axes)


def spread(op: Ops, node: NodeContext, m: Expr, axes: tuple[int, ...]) -> Expr:
    """The same to everything that was reduced."""
    return op.expand(op.reshape(m, kept(node, axes)), node.shape(0))


@rule("ReduceSum", kind="reduce", carry="own")
def reduce_sum(op: Ops, node: NodeContext, m: Expr | None) -> list[Expr | None]:
    """``m`` to every summand: each gets relevance in proportion to its activation."""
    m = stabilised(op, node, m, "stabilizer")
    return [spread(op, node, m, reduced_axes(node)), None][: node.count]


@rule("ReduceMean", kind="reduce", carry="own")
def reduce_mean(op: Ops, node: NodeContext, m: Expr | None) -> list[Expr | None]:
    """``m / n`` to every summand."""
    axes = reduced_axes(node)
    sizes = [node.shape(0)[a] for a in axes]
    if not all(isinstance(s, int) for s in sizes):
        raise node.refuse("it averages over the batch")
    m = stabilised(op, node, m, "stabilizer")
    return [spread(op, node, op.mul(m, 1.0 / prod(s for s in sizes if isinstance(s, int))), axes), None][
        : node.count
    ]


@rule("CumSum", kind="reduce")
def cumulative_sum(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """The running sum from the other end: every element is in all later sums."""
    axis = node.negative(int(node.needs_const(1, "axis").reshape(())))
    exclusive, reverse = bool(node.attr("exclusive", 0)), bool(node.attr("reverse", 0))
    return [op.cumsum(m, axis, exclusive, not reverse), None]


@rule("Mean", kind="reduce", carry="own")
def mean(op: Ops, node: NodeContext, m: Expr | None) -> list[Expr | None]:
    """``m / n`` to each of n operands; a constant one absorbs its share."""
    q = op.mul(stabilised(op, node, m, "stabilizer"), 1.0 / node.count)
    result: list[Expr | None] = []
    for i in range(node.count):
        if node.active(i):
            result.append(unbroadcast(op, q, node.out_shape(), node.shape(i)))
        else:
            node.absorb("constant", q, node.input(i), tensor=node.node.inputs[i])
            result.append(None)
    return result


def _nonlinear(
    op: Ops, node: NodeContext, m: Expr, axes: tuple[int, ...], gate: Expr, slope: Expr, gates: bool = True
) -> list[Expr | None]:
    """A reduction of degree one by its gate ``y_i / x_i``, or by its derivative."""
    wide = spread(op, node, m, axes)
    if node.gradient or not gates:
        x = node.input(0)
        node.absorb("nonlinear", m, op.sub(node.output(), _gathered(op, node, op.mul(x, slope), axes)))
        return [op.mul(wide, slope), None][: node.count]
    return [op.mul(wide, gate), None][: node.count]


def _gathered(op: Ops, node: NodeContext, a: Expr, axes: tuple[int, ...]) -> Expr:
    total = op.sum(a, axes)
    return op.reshape(total, node.out_shape())


def kept(node: NodeContext, axes: tuple[int, ...]) -> Shape:
    """Operand 0's shape with length 1 along what is reduced."""
    return tuple(1 if i - node.rank() in axes else d for i, d in enumerate(node.shape(0)))


@rule("ReduceSumSquare", kind="reduce")
def reduce_sum_square(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """``m x``: each square passes its own relevance (identity rule)."""
    x = node.input(0)
    return _nonlinear(op, node, m, reduced_axes(node), x, op.mul(x, 2.0))


@rule("ReduceL1", kind="reduce")
def reduce_l1(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """``m sign(x)``."""
    x = node.input(0)
    sign = op.where(op.greater(x, 0.0), 1.0, op.where(op.less(x, 0.0), -1.0, 0.0))
    return _nonlinear(op, node, m, reduced_axes(node), sign, sign)


@rule("ReduceL2", kind="reduce")
def reduce_l2(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """``m x / |x|``: in proportion to the squares, which is also the derivative."""
    axes = reduced_axes(node)
    y = op.reshape(node.output(), kept(node, axes))
    per = op.where(op.equal(y, 0.0), 0.0, op.div(node.input(0), op.where(op.equal(y, 0.0), 1.0, y)))
    return _nonlinear(op, node, m, axes, per, per)


@rule("ReduceLogSumExp", kind="reduce")
def reduce_log_sum_exp(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """``m softmax(x)``: a Taylor step at x, as for softmax."""
    axes = reduced_axes(node)
    weight = op.exp(op.sub(node.input(0), op.reshape(node.output(), kept(node, axes))))
    return _nonlinear(op, node, m, axes, weight, weight, gates=False)
