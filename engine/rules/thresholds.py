"""Functions with corners: clipped, shrunk, and thresholded ones, and Hardmax."""

from __future__ import annotations

import math

from ..ops.base import Expr, Ops
from .activations import Function, Result, alpha, apply, first, nonzero, positive, register
from .common import absorb_product, shares, unbroadcast
from .node import Message, NodeContext
from .registry import rule

register(
    "ThresholdedRelu",
    Function(
        lambda op, n, x: op.where(op.greater(x, alpha(1.0)(n)), 1.0, 0.0),
    ),
    since=10,
)


def hard_line(op: Ops, n: NodeContext, x: Expr) -> tuple[float, float, Expr]:
    """Slope, value at 0 and the unclipped line of HardSigmoid."""
    alpha, beta = float(n.attr("alpha", 0.2)), float(n.attr("beta", 0.5))
    return alpha, beta, op.add(op.mul(x, alpha), beta)


def _inside(op: Ops, line: Expr, low: float, high: float) -> Expr:
    return op.mul(op.where(op.greater(line, low), 1.0, 0.0), op.where(op.less(line, high), 1.0, 0.0))


@rule("HardSigmoid", kind="activation", carry="gate")
def hard_sigmoid(op: Ops, node: NodeContext, m: Expr) -> Result:
    """``m (f(x) - f(0)) / x``, f(0) to the ledger (identity rule around the origin's value)."""
    alpha, beta, line = hard_line(op, node, node.input(0))
    start = min(max(beta, 0.0), 1.0)

    def gate(op: Ops, n: NodeContext, x: Expr) -> Expr:
        if not 0 < beta < 1:  # 0 lies where the function is flat
            return op.div(op.sub(n.output(), start), nonzero(op, x))
        # Inside, the quotient is the slope; outside, x is away from 0.
        outside = op.div(op.sub(n.output(), start), nonzero(op, x))
        return op.where(op.greater(_inside(op, line, 0.0, 1.0), 0.5), alpha, outside)

    def slope(op: Ops, n: NodeContext, x: Expr) -> Expr:
        return op.mul(_inside(op, line, 0.0, 1.0), alpha)

    return apply(op, node, m, Function(gate, slope, start))


@rule("HardSwish", kind="activation", carry="gate", since=14)
def hard_swish(op: Ops, node: NodeContext, m: Expr) -> Result:
    """``m`` times its gate, the hard sigmoid of x (identity rule, AttnLRP, Prop. 3.2)."""

    def gate(op: Ops, n: NodeContext, x: Expr) -> Expr:
        return op.minimum(op.maximum(op.add(op.mul(x, 1 / 6), 0.5), 0.0), 1.0)

    def slope(op: Ops, n: NodeContext, x: Expr) -> Expr:
        line = op.add(op.mul(x, 1 / 6), 0.5)
        return op.add(gate(op, n, x), op.mul(op.mul(x, _inside(op, line, 0.0, 1.0)), 1 / 6))

    return apply(op, node, m, Function(gate, slope))


@rule("PRelu", kind="activation", carry="gate")
def parametric_relu(op: Ops, node: NodeContext, m: Expr) -> Result:
    """``m`` where x is positive, else ``m`` times the slope."""
    x, slope = node.input(0), node.input(1)
    if not node.active(1):
        return [op.mul(m, positive(op, x, 1.0, slope)), None]
    # Where x is negative it is a product: both factors get half (AttnLRP, Prop. 3.3).
    part = shares(node, 0, 1)
    below = op.mul(m, positive(op, x, 0.0, 1.0))
    absorb_product(op, node, below, len(part))
    result: Result = [None, None]
    if 0 in part:
        result[0] = op.mul(m, positive(op, x, 1.0, op.mul(slope, part[0])))
    else:
        node.absorb("constant", op.mul(m, positive(op, x)), x, tensor=node.node.inputs[0])
    result[1] = unbroadcast(op, op.mul(op.mul(below, part[1]), x), node.out_shape(), node.shape(1))
    return result


@rule("Clip", kind="activation", carry="gate")
def clip(op: Ops, node: NodeContext, m: Expr) -> Result:
    """Around 0 the gate ``f(x)/x``; elsewhere the winner, x or the bound, gets everything."""
    x, y = node.input(0), node.output()
    low, high = _bound(node, "min", 1, -math.inf), _bound(node, "max", 2, math.inf)
    if low is None or high is None:
        return _clip_by_signals(op, node, m)
    inside = op.where(op.equal(x, y), 1.0, 0.0)
    if node.variant("activation") == "pass":
        result: Result = [Message(r=op.mul(m, y)), None, None]
        return result[: node.count]
    if low <= 0 <= high and not node.gradient:
        # Outside, x is at least as far from 0 as the bound that is not 0.
        gate = op.where(op.equal(x, y), 1.0, op.div(y, nonzero(op, x)))
        return first(node, op.mul(m, gate))
    node.absorb("winner", m, op.mul(y, op.sub(1.0, inside)))
    return first(node, op.mul(m, inside))


def _bound(node: NodeContext, name: str, operand: int, default: float) -> float | None:
    """A bound: an attribute before opset 11, an operand since; None where it depends on the input."""
    value = node.const(operand) if node.has(operand) else node.attr(name)
    if node.has(operand) and value is None:
        return None
    return default if value is None else float(value)


def _clip_by_signals(op: Ops, node: NodeContext, m: Expr) -> Result:
    """Of x, the upper and the lower bound the one that y is gets everything (winner takes all)."""
    y = node.output()
    result: Result = [None] * node.count
    free: Expr | float = 1.0  # where no earlier operand has won
    for i in (0, 2, 1):
        if not node.has(i):
            continue
        wins = op.where(op.equal(node.input(i), y), 1.0, 0.0)
        taken = op.mul(wins, free)
        free = op.mul(op.sub(1.0, wins), free)
        if node.active(i):
            result[i] = unbroadcast(op, op.mul(m, taken), node.out_shape(), node.shape(i))
        else:
            node.absorb("winner", m, op.mul(y, taken))
    return result


@rule("Shrink", kind="activation", carry="gate", since=9)
def shrink(op: Ops, node: NodeContext, m: Expr) -> Result:
    """``m`` times its gate: 0 inside the threshold, ``(x -+ bias) / x`` outside (identity rule)."""
    bias, threshold = float(node.attr("bias", 0.0)), float(node.attr("lambd", 0.5))
    origin = bias if threshold < 0 else 0.0

    def gate(op: Ops, n: NodeContext, x: Expr) -> Expr:
        return op.where(op.equal(x, 0.0), 0.0, op.div(op.sub(n.output(), origin), nonzero(op, x)))

    def slope(op: Ops, n: NodeContext, x: Expr) -> Expr:
        return op.where(op.less(x, -threshold), 1.0, op.where(op.greater(x, threshold), 1.0, 0.0))

    return apply(op, node, m, Function(gate, slope, origin))


@rule("Hardmax", kind="activation", carry="gate")
def hardmax(op: Ops, node: NodeContext, m: Expr) -> Result:
    """The winner is one: its relevance passes 1:1 (identity rule); the derivative is 0."""
    y = node.output()
    if node.gradient:
        node.absorb("nonlinear", m, y)
        return [op.mul(m, 0.0)]
    return [Message(r=op.mul(m, y))]
