"""Powers, roots and logarithms.

A power is ``exp(p log x)``, so its secant is that of the exponential (the logarithmic mean) times that of the
logarithm (one over the logarithmic mean), and neither cancels.
"""

from __future__ import annotations

from ..ops.base import Expr, Ops
from ..rules.common import unbroadcast
from .functions import Pair, function_of_one, pair, pair_of, quotient
from .pair import PairContext
from .registry import secant
from .softmax import tanhc


def logarithm(op: Ops, x: Pair, apart: Expr) -> Expr:
    """One over the logarithmic mean of x and x', of one sign; `apart` is the difference of logarithms."""
    total = op.add(x.a, x.b)
    r = op.div(x.d, op.where(op.equal(total, 0.0), 1.0, total))
    square = op.mul(r, r)
    series = op.add(op.mul(op.add(op.mul(op.add(op.mul(square, 1 / 7), 1 / 5), square), 1 / 3), square), 1.0)
    near = op.div(op.mul(series, 2.0), total)
    return op.where(op.less(square, 0.01), near, op.div(apart, x.over))


@function_of_one("Log")
def log(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """``2 artanh(r) / (x - x')``, ``r = (x - x') / (x + x')``: one over the logarithmic mean."""
    return logarithm(op, x, y.d)


@function_of_one("Sqrt")
def sqrt(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """``1 / (sqrt(x) + sqrt(x'))``."""
    return _root(op, y)


def _root(op: Ops, y: Pair) -> Expr:
    total = op.add(y.a, y.b)
    empty = op.equal(total, 0.0)
    return op.where(empty, 0.0, op.div(1.0, op.where(empty, 1.0, total)))


@function_of_one("Reciprocal")
def reciprocal(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """``-1 / (x x')``."""
    return op.neg(op.mul(y.a, y.b))


def power_of(op: Ops, x: Pair, y: Pair, p: float) -> Expr:
    """The secant of ``x^p`` for one exponent."""
    if p in (0.0, 1.0):
        return op.const(p)
    if p in (2.0, 3.0, 4.0):
        total, rest = op.add(x.a, x.b), op.add(op.mul(x.a, x.a), op.mul(x.b, x.b))
        if p == 2:
            return total
        return op.add(rest, op.mul(x.a, x.b)) if p == 3 else op.mul(total, rest)
    if p == 0.5:
        return _root(op, y)
    if p == -1:
        return op.neg(op.mul(y.a, y.b))
    if p == -0.5:
        product = op.mul(y.a, y.b)
        return op.neg(op.div(op.mul(product, product), op.add(y.a, y.b)))
    return power_slope(op, x, y, op.const(p))


def power_slope(op: Ops, x: Pair, y: Pair, p: Expr) -> Expr:
    """The secant of ``x^p``: where both have one sign that of ``exp(p log x)``, which does not cancel."""
    one_sign = op.greater(op.mul(x.a, x.b), 0.0)
    # Elsewhere x and x' are far apart as to their size, or both are 0.
    a, b = op.where(one_sign, x.a, 1.0), op.where(one_sign, x.b, 1.0)
    both = pair_of(op, a, b)
    rise = op.mul(p, logarithm(op, both, op.log(op.div(a, b))))
    slope = op.mul(op.mul(y.middle(op), rise), tanhc(op, op.mul(op.mul(rise, both.d), 0.5)))
    return op.where(one_sign, slope, quotient(op, x, y, op.where(op.equal(p, 1.0), 1.0, 0.0)))


@secant("Pow")
def power(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """The secant of the base, of the exponent, or of both: each with the mean over the other's two values."""
    x = pair(op, op.as_float(node.here(0)))
    exponent = node.const(1)
    y = pair_of(op, node.made_here(), node.made_there())
    if exponent is not None and exponent.size == 1:
        got = op.mul(m, power_of(op, x, y, float(exponent.reshape(()))))
        return [unbroadcast(op, got, node.out_shape(), node.shape(0)), None]
    p = pair(op, op.as_float(node.here(1)))
    across, back = op.pow(x.a, p.b), op.pow(x.b, p.a)
    sent: list[Expr | None] = [None, None]
    for i, (own, other) in enumerate(((x, p), (p, x))):
        if not node.active(i):
            continue
        slope = power_slope if i == 0 else _exponent_slope
        # From x' to x with the exponent here and there; from p' to p with the base here and there.
        pairs = ((y.a, back), (across, y.b)) if i == 0 else ((y.a, across), (back, y.b))
        several = node.active(1 - i)
        parts = [
            slope(op, own, pair_of(op, u, v), o) for (u, v), o in zip(pairs, (other.a, other.b), strict=True)
        ]
        made = op.mul(op.add(*parts), 0.5) if several else parts[0]
        sent[i] = unbroadcast(op, op.mul(m, made), node.out_shape(), node.shape(i))
    return sent


def _exponent_slope(op: Ops, p: Pair, y: Pair, x: Expr) -> Expr:
    """The secant of ``x^p`` in p: that of ``exp(p log x)`` where x is positive."""
    positive = op.greater(x, 0.0)
    log = op.log(op.where(positive, x, 1.0))
    slope = op.mul(op.mul(y.middle(op), log), tanhc(op, op.mul(op.mul(p.d, log), 0.5)))
    return op.where(positive, slope, quotient(op, p, y, op.const(0.0)))
