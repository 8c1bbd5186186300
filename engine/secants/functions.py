"""Functions of one number: ``(f(a) - f(a')) / (a - a')``.

That is DeepLIFT's rescale rule (Shrikumar et al. 2017, eq. 3). In float32 the quotient cancels where a and a'
are close. Where the difference of f has a closed form it is written out
(``e^a - e^a' = (e^a + e^a') tanh((a - a')/2)``). Functions with corners are straight on both sides of them,
so their quotient is as exact as a and a' are. The others take the derivative at the middle, with the next
term of its series, where a and a' are closer than a tenth of what the function bends over.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..ops.base import Expr, Ops
from ..rules.activations import gelu_inner
from ..rules.common import unbroadcast
from ..rules.thresholds import hard_line
from .pair import PairContext
from .registry import secant
from .softmax import tanhc

# Where a GELU's slopes at both ends are as good as the quotient in float32.
_NEAR = 0.12


@dataclass(frozen=True)
class Pair:
    """A number here and there.

    Attributes
    ----------
    a, b : Expr
        In the window, and in the reference.
    d : Expr
        ``a - b``.
    same : Expr
        Whether they are equal.
    over : Expr
        d, and 1 where they are equal: something to divide by.
    """

    a: Expr
    b: Expr
    d: Expr
    same: Expr
    over: Expr

    def middle(self, op: Ops) -> Expr:
        """The mean of both."""
        return op.mul(op.add(self.a, self.b), 0.5)


def pair(op: Ops, a: Expr) -> Pair:
    """A forward value here and there."""
    return pair_of(op, a, op.reference(a))


def pair_of(op: Ops, a: Expr, b: Expr) -> Pair:
    """Two values."""
    same = op.equal(a, b)
    d = op.where(same, 0.0, op.sub(a, b))
    return Pair(a, b, d, same, op.where(same, 1.0, d))


def quotient(op: Ops, x: Pair, y: Pair, near: Expr, close: Expr | None = None) -> Expr:
    """``(y - y') / (x - x')``, and `near` where x and x' are close: by default, where they are equal."""
    return op.where(x.same if close is None else close, near, op.div(y.d, x.over))


def within(op: Ops, x: Pair, scale: Expr | float) -> Expr:
    """Whether x and x' are closer than a tenth of the scale that a function bends over."""
    return op.less(op.abs(x.d), op.mul(scale, 0.1) if isinstance(scale, Expr) else 0.1 * scale)


def step(op: Ops, x: Expr, at: float = 0.0, direction: float = 1.0) -> Expr:
    """One beyond a point, zero before it."""
    beyond = op.greater(x, at) if direction > 0 else op.less(x, at)
    return op.where(beyond, 1.0, 0.0)


def ramp(op: Ops, x: Pair, below: float | Expr = 0.0) -> Expr:
    """Of ``max(x, 0) + below min(x, 0)``: the part of the way that lies above 0, and the rest."""
    up = op.div(op.sub(op.maximum(x.a, 0.0), op.maximum(x.b, 0.0)), x.over)
    above = op.where(x.same, step(op, x.a), up)
    if isinstance(below, (int, float)):
        return above if below == 0 else op.add(op.mul(above, 1 - below), below)
    return op.add(op.mul(above, op.sub(1.0, below)), below)


def exponential(op: Ops, x: Pair, y: Expr | None = None, z: Expr | None = None) -> Expr:
    """``(e^x - e^x') / (x - x')``, the logarithmic mean of both."""
    y, z = op.exp(x.a) if y is None else y, op.exp(x.b) if z is None else z
    return op.mul(op.mul(op.add(y, z), 0.5), tanhc(op, op.mul(x.d, 0.5)))


Function = Callable[[Ops, PairContext, Pair, Pair], Expr]


def _register(function: Function, *op_types: str) -> None:
    def call(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
        made = function(op, node, pair(op, node.number(0)), pair(op, node.number_made()))
        return [op.mul(m, made), *[None] * (node.count - 1)]

    call.__doc__, call.__module__ = function.__doc__, function.__module__
    secant(*op_types)(call)


def function_of_one(*op_types: str) -> Callable[[Function], Function]:
    """Register the secant of functions of one number: ``function(op, node, x, y)`` of operand and output."""

    def register(function: Function) -> Function:
        _register(function, *op_types)
        return function

    return register


# -- straight on both sides of a corner ------------------------------------------------------------------


@function_of_one("Relu")
def relu(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """``(max(x, 0) - max(x', 0)) / (x - x')``: the part of the way above 0."""
    return ramp(op, x)


@function_of_one("LeakyRelu")
def leaky_relu(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """As Relu above 0, and `alpha` times the rest of the way."""
    return ramp(op, x, float(node.attr("alpha", 0.01)))


@function_of_one("Abs")
def absolute(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """``(|x| - |x'|) / (x - x')``: the part of the way above 0, less the part below."""
    return absolute_of(op, x)


def absolute_of(op: Ops, x: Pair) -> Expr:
    """The secant of ``|x|``."""
    sign = op.sub(step(op, x.a), step(op, x.a, 0.0, -1.0))
    return op.where(x.same, sign, op.div(op.sub(op.abs(x.a), op.abs(x.b)), x.over))


@secant("PRelu")
def parametric_relu(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """As Relu above 0; below, a product with the slope."""
    x = pair(op, node.here(0))
    sent: list[Expr | None] = [None, None]
    if node.active(0):
        sent[0] = op.mul(m, ramp(op, x, node.input(1)))
    if node.active(1):
        below = node.middle(op.minimum(node.here(0), 0.0))
        sent[1] = unbroadcast(op, op.mul(m, below), node.out_shape(), node.shape(1))
    return sent


@function_of_one("HardSigmoid")
def hard_sigmoid(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """The slope of its line inside; a quotient over a corner."""
    slope, _, line = hard_line(op, node, x.a)
    return _clipped(op, x, y, line, 0.0, 1.0, slope)


@function_of_one("HardSwish")
def hard_swish(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """A product of x and its gate g: ``(g + g')/2 + (x + x')/2 (g - g') / (x - x')``."""
    line = op.add(op.mul(x.a, 1 / 6), 0.5)
    gate = op.minimum(op.maximum(line, 0.0), 1.0)
    gates = pair(op, gate)
    return op.add(gates.middle(op), op.mul(x.middle(op), _clipped(op, x, gates, line, 0.0, 1.0, 1 / 6)))


def _clipped(op: Ops, x: Pair, y: Pair, line: Expr, low: float, high: float, slope: float) -> Expr:
    """Of a line that is cut off: its slope where both ends are on it, else the quotient."""
    on = op.mul(step(op, line, low), step(op, line, high, -1.0))
    both = op.mul(on, op.reference(on))
    outside = op.where(x.same, 0.0, op.div(y.d, x.over))
    return op.where(op.greater(both, 0.5), slope, outside)


@function_of_one("Softsign")
def softsign(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """``1 / ((1 + |x|) (1 + |x'|))`` on one side of 0."""
    one_side = op.div(1.0, op.mul(op.add(op.abs(x.a), 1.0), op.add(op.abs(x.b), 1.0)))
    apart = op.less(op.mul(x.a, x.b), 0.0)
    return op.where(apart, op.div(y.d, x.over), one_side)


# -- exponentials --------------------------------------------------------------------------------------


@function_of_one("Exp")
def exp(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """``(e^x + e^x')/2 tanhc((x - x')/2)``: the logarithmic mean of both values."""
    return exponential(op, x, y.a, y.b)


def _elu(op: Ops, x: Pair, alpha: float, width: float) -> Expr:
    """``max(x, 0) + alpha (exp(min(x, 0) / width) - 1)``."""
    above = ramp(op, x)
    low = op.mul(op.minimum(x.a, 0.0), 1 / width)
    below = exponential(op, pair(op, low))
    return op.add(above, op.mul(op.mul(op.sub(1.0, above), below), alpha / width))


@function_of_one("Elu")
def elu(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """A ramp above 0, below it the exponential's: ``alpha (e^x + e^x')/2 tanhc((x - x')/2)``."""
    return _elu(op, x, float(node.attr("alpha", 1.0)), 1.0)


@function_of_one("Celu")
def celu(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """A ramp above 0, an exponential below."""
    alpha = float(node.attr("alpha", 1.0))
    return _elu(op, x, alpha, alpha)


@function_of_one("Selu")
def selu(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """A ramp above 0, an exponential below."""
    return op.mul(
        _elu(op, x, float(node.attr("alpha", 1.6732632)), 1.0), float(node.attr("gamma", 1.0507010))
    )


@function_of_one("Sigmoid")
def sigmoid(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """``(s (1 - s') + s' (1 - s)) tanhc((x - x')/2) / 2``."""
    mixed = op.add(op.mul(y.a, op.sub(1.0, y.b)), op.mul(y.b, op.sub(1.0, y.a)))
    return op.mul(mixed, op.mul(tanhc(op, op.mul(x.d, 0.5)), 0.5))


@function_of_one("Tanh")
def tanh(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """``(1 - t t') tanhc(x - x')``."""
    return op.mul(op.sub(1.0, op.mul(y.a, y.b)), tanhc(op, x.d))


def softplus_of(op: Ops, x: Pair, y: Pair) -> Expr:
    """The mean of the sigmoid along the way."""
    s = op.sigmoid(x.middle(op))
    bend = op.mul(op.mul(op.mul(s, op.sub(1.0, s)), op.sub(1.0, op.mul(s, 2.0))), 1 / 24)
    near = op.add(s, op.mul(bend, op.mul(x.d, x.d)))
    return quotient(op, x, y, near, within(op, x, 2.0))


@function_of_one("Softplus")
def softplus(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """``(y - y') / (x - x')``; of close values the sigmoid at the middle, and the next term."""
    return softplus_of(op, x, y)


@function_of_one("Mish")
def mish(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """A product of x and its gate g = tanh(softplus(x)): ``(g + g')/2 + (x + x')/2 (g - g') / (x - x')``."""
    plus = op.softplus(x.a)
    plus_pair, gate = pair(op, plus), pair(op, op.tanh(plus))
    bend = op.mul(op.sub(1.0, op.mul(gate.a, gate.b)), tanhc(op, plus_pair.d))
    slope = op.mul(bend, softplus_of(op, x, plus_pair))
    return op.add(gate.middle(op), op.mul(x.middle(op), slope))


@function_of_one("Erf")
def erf(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """``(y - y') / (x - x')``; of close values the density at the middle, and the next term."""
    middle = x.middle(op)
    square = op.mul(middle, middle)
    density = op.mul(op.exp(op.neg(square)), 2 / math.sqrt(math.pi))
    # The second derivative of exp(-x^2) is (4 x^2 - 2) exp(-x^2).
    bend = op.mul(op.mul(op.sub(square, 0.5), op.mul(x.d, x.d)), 1 / 6)
    return quotient(op, x, y, op.mul(density, op.add(bend, 1.0)), within(op, x, 1.0))


@function_of_one("Gelu")
def gelu(op: Ops, node: PairContext, x: Pair, y: Pair) -> Expr:
    """``(y - y') / (x - x')``; of close values the mean of both slopes, less what they bend."""
    if node.attr("approximate", "none") == "tanh":
        inner = pair(op, gelu_inner(op, x.a))
        t = pair(op, op.tanh(inner.a))
        # The cubic's own secant, without a quotient.
        cubic = op.add(op.mul(x.a, x.a), op.add(op.mul(x.a, x.b), op.mul(x.b, x.b)))
        rise = op.mul(op.add(op.mul(cubic, 0.044715), 1.0), math.sqrt(2 / math.pi))
        bend = op.mul(op.sub(1.0, op.mul(t.a, t.b)), tanhc(op, op.mul(x.d, rise)))
        slope = op.mul(op.mul(bend, rise), 0.5)
        gate = op.mul(op.add(t.middle(op), 1.0), 0.5)
        return op.add(gate, op.mul(x.middle(op), slope))
    # Half the slope and the bend at both ends (Euler and Maclaurin's sum of two), each computed beside its
    # own forward pass, which for a reference is once for all windows. With e = x / sqrt 2 the half slope is
    # (erf(e) + 1)/4 + e exp(-e^2) / (2 sqrt pi), and the bend (1 - e^2) exp(-e^2) / (6 sqrt(2 pi)).
    e = op.mul(x.a, 1 / math.sqrt(2))
    square = op.mul(e, e)
    bell = op.exp(op.sub(-0.5 * math.log(4 * math.pi), square))
    half = op.add(op.mul(op.add(op.erf(e), 1.0), 0.25), op.mul(e, bell))
    bend = op.mul(bell, op.mul(op.sub(1.0, square), math.sqrt(2) / 6))
    d = op.sub(x.a, x.b)
    ends = op.add(half, op.reference(half))
    near = op.sub(ends, op.mul(d, op.sub(bend, op.reference(bend))))
    return op.where(op.less(op.abs(d), _NEAR), near, op.div(op.sub(y.a, y.b), d))
