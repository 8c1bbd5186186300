"""Powers, roots, logarithms and remainders: many have a pole at 0, which relevance passes 1:1."""

from __future__ import annotations

from ..ops.base import Expr, Ops
from .activations import Function, Result, apply, expm1_over, nonzero, pole
from .common import unbroadcast
from .node import Message, NodeContext
from .registry import rule


@rule("Log", kind="activation", carry="gate")
def log(op: Ops, node: NodeContext, m: Expr) -> Result:
    """Pole at 0: relevance passes 1:1 (identity rule, AttnLRP, Prop. 3.2)."""
    return pole(op, node, m, lambda op, n, x: op.div(1.0, x))


@rule("Sqrt", kind="activation", carry="gate")
def sqrt(op: Ops, node: NodeContext, m: Expr) -> Result:
    """Its gate has a pole at 0: relevance passes 1:1 (identity rule, AttnLRP, Prop. 3.2)."""
    return pole(op, node, m, lambda op, n, x: op.div(0.5, n.output()))


@rule("Reciprocal", kind="activation", carry="gate")
def reciprocal(op: Ops, node: NodeContext, m: Expr) -> Result:
    """Pole at 0: relevance passes 1:1 (identity rule, AttnLRP, Prop. 3.2)."""
    return pole(op, node, m, lambda op, n, x: op.neg(op.mul(n.output(), n.output())))


@rule("Pow", kind="activation", carry="gate")
def power(op: Ops, node: NodeContext, m: Expr) -> Result:
    """``m x^(p-1)`` for exponents of at least 1; below, a pole: relevance passes 1:1 (identity rule).

    An exponent that depends on the input is a gate, held constant, unless it alone does: then it is
    ``e^(p log x)``, with a line through its value at the origin, 1.
    """
    exponent = node.const(1)
    if exponent is not None and exponent.size == 1:
        return _constant_power(op, node, m, float(exponent.reshape(())))
    if node.gradient or not node.active(0):
        return _powers(op, node, m)
    x, p = node.input(0), op.as_float(node.input(1))
    whole = op.less(p, 1.0)  # a root: R as it is
    gate = op.where(whole, 0.0, op.pow(x, op.maximum(op.sub(p, 1.0), 0.0)))
    shape = (node.out_shape(), node.shape(0))
    r = op.where(whole, op.mul(m, node.output()), 0.0)
    return [Message(unbroadcast(op, op.mul(m, gate), *shape), unbroadcast(op, r, *shape)), None]


def _constant_power(op: Ops, node: NodeContext, m: Expr, p: float) -> Result:
    def gate(op: Ops, n: NodeContext, x: Expr) -> Expr:
        return op.const(1.0) if p == 1 else x if p == 2 else op.pow(x, p - 1)

    if p < 1 and not node.gradient:
        return [Message(r=op.mul(m, node.output())), None]
    return [*apply(op, node, m, Function(gate, lambda op, n, x: op.mul(gate(op, n, x), p))), None]


def _powers(op: Ops, node: NodeContext, m: Expr) -> Result:
    """The derivative by base and exponent; and, outside `gradient`, an exponent that alone is active."""
    x, p, y = op.as_float(node.input(0)), op.as_float(node.input(1)), node.output()
    log = op.log(op.where(op.greater(x, 0.0), x, 1.0))
    result: Result = [None, None]
    if not node.gradient:
        node.absorb("origin", m, op.const(1.0))
        got = op.mul(m, op.mul(log, expm1_over(op, op.mul(p, log))))
        result[1] = unbroadcast(op, got, node.out_shape(), node.shape(1))
        return result
    kept = y
    if node.active(0):
        # p x^(p-1) is p y / x, but at 0: there it is p for the exponent 1.
        at_zero = op.where(op.equal(p, 1.0), 1.0, 0.0)
        slope = op.mul(p, op.where(op.equal(x, 0.0), at_zero, op.div(y, nonzero(op, x))))
        result[0] = unbroadcast(op, op.mul(m, slope), node.out_shape(), node.shape(0))
        kept = op.sub(kept, op.mul(x, slope))
    if node.active(1):
        slope = op.mul(y, log)
        result[1] = unbroadcast(op, op.mul(m, slope), node.out_shape(), node.shape(1))
        kept = op.sub(kept, op.mul(p, slope))
    node.absorb("nonlinear", m, kept)
    return result


@rule("Mod", kind="activation", carry="gate", since=10)
def remainder(op: Ops, node: NodeContext, m: Expr) -> Result:
    """Relevance passes 1:1 to the dividend (identity rule); the divisor says how, and is held constant."""
    y = node.output()
    if not node.gradient:
        i = 0 if node.active(0) else 1
        r = unbroadcast(op, op.mul(m, y), node.out_shape(), node.shape(i))
        return [Message(r=r), None] if i == 0 else [None, Message(r=r)]
    a, b = node.input(0), node.input(1)
    result: Result = [None, None]
    kept = y
    if node.active(0):
        result[0] = unbroadcast(op, m, node.out_shape(), node.shape(0))
        kept = op.sub(kept, a)
    if node.active(1):
        turns = op.div(op.sub(y, a), b)
        result[1] = unbroadcast(op, op.mul(m, turns), node.out_shape(), node.shape(1))
        kept = op.sub(kept, op.mul(turns, b))
    node.absorb("nonlinear", m, kept)
    return result
