"""Circles, hyperbolas and their inverses.

Differences of sines are products of sines; those of inverse functions are inverse functions themselves, of a
number that does not cancel.
"""

from __future__ import annotations

from collections.abc import Callable

from ..ops.base import Expr, Ops
from .functions import Pair, function_of_one, quotient, within
from .pair import PairContext


def sinc(op: Ops, x: Expr) -> Expr:
    """``sin(x) / x``."""
    zero = op.equal(x, 0.0)
    return op.where(zero, 1.0, op.div(op.sin(x), op.where(zero, 1.0, x)))


def sinhc(op: Ops, x: Expr) -> Expr:
    """``sinh(x) / x``."""
    zero = op.equal(x, 0.0)
    return op.where(zero, 1.0, op.div(op.sinh(x), op.where(zero, 1.0, x)))


@function_of_one("Sin")
def sin(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """``cos(middle) sinc((x - x')/2)``."""
    return op.mul(op.cos(x.middle(op)), sinc(op, op.mul(x.d, 0.5)))


@function_of_one("Cos")
def cos(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """``-sin(middle) sinc((x - x')/2)``."""
    return op.neg(op.mul(op.sin(x.middle(op)), sinc(op, op.mul(x.d, 0.5))))


@function_of_one("Sinh")
def sinh(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """``cosh(middle) sinhc((x - x')/2)``."""
    return op.mul(op.cosh(x.middle(op)), sinhc(op, op.mul(x.d, 0.5)))


@function_of_one("Cosh")
def cosh(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """``sinh(middle) sinhc((x - x')/2)``."""
    return op.mul(op.sinh(x.middle(op)), sinhc(op, op.mul(x.d, 0.5)))


@function_of_one("Tan")
def tan(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """``(1 + y y') tan(x - x') / (x - x')`` where x and x' are close."""
    turned = op.div(sinc(op, x.d), op.cos(x.d))
    near = op.mul(op.add(op.mul(y.a, y.b), 1.0), turned)
    return quotient(op, x, y, near, within(op, x, 5.0))


def _inverse(op: Ops, x: Pair, outer: Callable[[Expr], Expr], below: Expr, times: float) -> Expr:
    """``times outer((x - x') / below) / (x - x')``, for an outer function of slope 1 at 0."""
    empty = op.equal(below, 0.0)
    far = op.div(outer(op.div(x.d, below)), x.over)
    near = op.where(empty, 0.0, op.div(1.0, op.where(empty, 1.0, below)))
    return op.mul(op.where(x.same, near, far), times)


def _wide(op: Ops, x: Pair) -> Expr:
    """``sqrt(1 + x^2) sqrt(1 + x'^2) + x x'``."""
    square = op.mul(x.a, x.a)
    root = op.sqrt(op.add(square, 1.0))
    roots, product = op.mul(root, op.reference(root)), op.mul(x.a, x.b)
    # Where both have different signs: the same, with no difference in it.
    across = op.div(op.add(op.add(square, op.reference(square)), 1.0), op.add(roots, op.abs(product)))
    return op.where(op.less(product, 0.0), across, op.add(roots, product))


def _inside_one(op: Ops, x: Expr) -> Expr:
    return op.sqrt(op.maximum(op.mul(op.sub(1.0, x), op.add(x, 1.0)), 0.0))


@function_of_one("Atan")
def atan(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """``2 atan((x - x') / (1 + w)) / (x - x')``, ``w = sqrt(1 + x^2) sqrt(1 + x'^2) + x x'``."""
    return _inverse(op, x, op.atan, op.add(_wide(op, x), 1.0), 2.0)


@function_of_one("Asinh")
def asinh(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """``2 asinh((x - x') / sqrt(2 (1 + w))) / (x - x')``, ``w = sqrt(1 + x^2) sqrt(1 + x'^2) + x x'``."""
    return _inverse(op, x, op.asinh, op.sqrt(op.mul(op.add(_wide(op, x), 1.0), 2.0)), 2.0)


def _asin(op: Ops, x: Pair) -> Expr:
    root = _inside_one(op, x.a)
    return _inverse(op, x, op.atan, op.add(root, op.reference(root)), 2.0)


@function_of_one("Asin")
def asin(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """``2 atan((x - x') / (sqrt(1 - x^2) + sqrt(1 - x'^2))) / (x - x')``."""
    return _asin(op, x)


@function_of_one("Acos")
def acos(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """That of Asin, with the other sign."""
    return op.neg(_asin(op, x))


@function_of_one("Atanh")
def atanh(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """``asinh((x - x') / (sqrt(1 - x^2) sqrt(1 - x'^2))) / (x - x')``."""
    root = _inside_one(op, x.a)
    return _inverse(op, x, op.asinh, op.mul(root, op.reference(root)), 1.0)


@function_of_one("Acosh")
def acosh(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """``2 asinh((x - x') / sqrt(2 (s s' + x x' - 1))) / (x - x')``, ``s = sqrt(x^2 - 1)``."""
    above = op.maximum(op.sub(x.a, 1.0), 0.0)
    root = op.sqrt(op.mul(above, op.add(x.a, 1.0)))
    product = op.add(op.mul(above, x.b), op.reference(above))
    below = op.add(op.mul(root, op.reference(root)), product)
    return _inverse(op, x, op.asinh, op.sqrt(op.mul(below, 2.0)), 2.0)
