"""Functions of one number: the identity rule, written with each function's gate.

With f(0) = 0 relevance passes unchanged (AttnLRP's identity rule, Achtibat et al. 2024, Prop. 3.2),
which is a multiplier ``m f(x)/x``. The quotient is written out, with its limit at 0, instead of being
formed from y and x. Where f(0) is not 0 it is the line through the origin's value that passes, and
``f(0) m`` goes to the ledger. Where f has a pole at 0 relevance passes 1:1, as a message r.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..ops.base import Expr, Ops
from ..registry import rule
from ..site import Message, Site

Result = list[Expr | Message | None]


@dataclass(frozen=True)
class Function:
    """A function of one number.

    Attributes
    ----------
    gate : callable
        ``(f(x) - f(0)) / x``, with its limit at 0.
    slope : callable
        The derivative.
    origin : float
        f(0).
    """

    gate: Callable[[Ops, Site, Expr], Expr]
    slope: Callable[[Ops, Site, Expr], Expr]
    origin: float = 0.0


def apply(op: Ops, node: Site, m: Expr, f: Function) -> Result:
    """The identity rule, or the derivative, for one function."""
    x = node.input(0)
    if node.variant("activation") == "gradient":
        slope = f.slope(op, node, x)
        node.absorb("nonlinear", m, op.sub(node.output(), op.mul(x, slope)))
        return [op.mul(m, slope)]
    if node.variant("activation") == "pass":
        # Zennit's Pass: relevance 1:1, whatever the function.
        return [Message(r=op.mul(m, node.output()))]
    if f.origin:
        node.absorb("origin", m, op.const(f.origin))
    return [op.mul(m, f.gate(op, node, x))]


def pole(op: Ops, node: Site, m: Expr, slope: Callable[[Ops, Site, Expr], Expr]) -> Result:
    """Relevance passes 1:1 as r; or the derivative."""
    if node.variant("activation") == "gradient":
        return apply(op, node, m, Function(slope, slope))
    return [Message(r=op.mul(m, node.output()))]


def _first(node: Site, m: Expr) -> Result:
    """Everything to the first operand."""
    return [m, *[None] * (node.count - 1)]


def _nonzero(op: Ops, x: Expr) -> Expr:
    return op.where(op.equal(x, 0.0), 1.0, x)


def _positive(op: Ops, x: Expr, yes: float | Expr = 1.0, no: float | Expr = 0.0) -> Expr:
    return op.where(op.greater(x, 0.0), yes, no)


def _register(name: str, f: Function, *, since: int = 1) -> None:
    def function(op: Ops, node: Site, m: Expr) -> Result:
        return apply(op, node, m, f)

    function.__name__ = name.lower()
    function.__doc__ = f"``m`` times the gate of {name} (identity rule, AttnLRP, Prop. 3.2)."
    rule(name, kind="activation", carry="gate", since=since)(function)


def _phi(op: Ops, x: Expr) -> Expr:
    """The normal distribution function."""
    return op.mul(op.add(op.erf(op.mul(x, 1 / math.sqrt(2))), 1.0), 0.5)


def _tanh_gate(op: Ops, x: Expr) -> Expr:
    """The gate of the tanh approximation of GELU."""
    cubic = op.add(x, op.mul(op.mul(op.mul(x, x), x), 0.044715))
    return op.mul(op.add(op.tanh(op.mul(cubic, math.sqrt(2 / math.pi))), 1.0), 0.5)


def _gelu_slope(op: Ops, node: Site, x: Expr) -> Expr:
    if node.attr("approximate", "none") == "tanh":
        g = _tanh_gate(op, x)
        inner = op.mul(op.add(op.mul(op.mul(x, x), 3 * 0.044715), 1.0), math.sqrt(2 / math.pi))
        # d/dx of g = (1 + tanh u)/2 is 2 g (1 - g) u'
        return op.add(g, op.mul(op.mul(x, inner), op.mul(op.mul(g, op.sub(1.0, g)), 2.0)))
    density = op.mul(op.exp(op.mul(op.mul(x, x), -0.5)), 1 / math.sqrt(2 * math.pi))
    return op.add(_phi(op, x), op.mul(x, density))


def _gelu_gate(op: Ops, node: Site, x: Expr) -> Expr:
    return _tanh_gate(op, x) if node.attr("approximate", "none") == "tanh" else _phi(op, x)


def _expm1_over(op: Ops, x: Expr) -> Expr:
    """``(e^x - 1) / x`` without cancellation: ``e^(x/2) sinh(x/2) / (x/2)``."""
    # Far below 0, e^x is nothing beside 1 and sinh would overflow.
    near = op.maximum(x, -40.0)
    half = op.mul(near, 0.5)
    safe = _nonzero(op, half)
    around = op.mul(op.exp(half), op.where(op.equal(half, 0.0), 1.0, op.div(op.sinh(safe), safe)))
    return op.where(op.less(x, -40.0), op.div(-1.0, op.minimum(x, -40.0)), around)


def _negative(op: Ops, x: Expr) -> Expr:
    return op.minimum(x, 0.0)


def _alpha(default: float) -> Callable[[Site], float]:
    return lambda node: float(node.attr("alpha", default))


def _tanh_over(op: Ops, x: Expr) -> Expr:
    safe = _nonzero(op, x)
    return op.where(op.equal(x, 0.0), 1.0, op.div(op.tanh(safe), safe))


def _one_minus_square(op: Ops, y: Expr) -> Expr:
    return op.sub(1.0, op.mul(y, y))


_register("Relu", Function(lambda op, n, x: _positive(op, x), lambda op, n, x: _positive(op, x)))
_register(
    "LeakyRelu",
    Function(
        lambda op, n, x: _positive(op, x, 1.0, _alpha(0.01)(n)),
        lambda op, n, x: _positive(op, x, 1.0, _alpha(0.01)(n)),
    ),
)
_register(
    "Elu",
    Function(
        lambda op, n, x: _positive(op, x, 1.0, op.mul(_expm1_over(op, _negative(op, x)), _alpha(1.0)(n))),
        lambda op, n, x: _positive(op, x, 1.0, op.mul(op.exp(_negative(op, x)), _alpha(1.0)(n))),
    ),
)
_register("Gelu", Function(_gelu_gate, _gelu_slope), since=20)
_register(
    "Tanh",
    Function(lambda op, n, x: _tanh_over(op, x), lambda op, n, x: _one_minus_square(op, n.output())),
)
_register(
    "Sigmoid",
    Function(
        # (sigmoid(x) - 1/2) / x = tanh(x/2) / (2x)
        lambda op, n, x: op.mul(_tanh_over(op, op.mul(x, 0.5)), 0.25),
        lambda op, n, x: op.mul(n.output(), op.sub(1.0, n.output())),
        0.5,
    ),
)
_register(
    "Erf",
    Function(
        lambda op, n, x: op.where(
            op.equal(x, 0.0), 2 / math.sqrt(math.pi), op.div(op.erf(_nonzero(op, x)), _nonzero(op, x))
        ),
        lambda op, n, x: op.mul(op.exp(op.neg(op.mul(x, x))), 2 / math.sqrt(math.pi)),
    ),
)
_register(
    "Exp",
    Function(
        lambda op, n, x: _expm1_over(op, x),
        lambda op, n, x: n.output(),
        1.0,
    ),
)
_register(
    "Softsign",
    Function(
        lambda op, n, x: op.div(1.0, op.add(op.abs(x), 1.0)),
        lambda op, n, x: op.div(1.0, op.pow(op.add(op.abs(x), 1.0), 2.0)),
    ),
)
_register(
    "Abs",
    Function(
        lambda op, n, x: _positive(op, x, 1.0, op.where(op.less(x, 0.0), -1.0, 0.0)),
        lambda op, n, x: _positive(op, x, 1.0, op.where(op.less(x, 0.0), -1.0, 0.0)),
    ),
)
_register(
    "Sin",
    Function(
        lambda op, n, x: op.where(op.equal(x, 0.0), 1.0, op.div(op.sin(_nonzero(op, x)), _nonzero(op, x))),
        lambda op, n, x: op.cos(x),
    ),
)


def _hard(op: Ops, n: Site, x: Expr) -> tuple[float, float, Expr]:
    """Slope, value at 0 and the unclipped line of HardSigmoid."""
    alpha, beta = float(n.attr("alpha", 0.2)), float(n.attr("beta", 0.5))
    return alpha, beta, op.add(op.mul(x, alpha), beta)


def _inside(op: Ops, line: Expr, low: float, high: float) -> Expr:
    return op.mul(op.where(op.greater(line, low), 1.0, 0.0), op.where(op.less(line, high), 1.0, 0.0))


@rule("HardSigmoid", kind="activation", carry="gate")
def hard_sigmoid(op: Ops, node: Site, m: Expr) -> Result:
    """``m (f(x) - f(0)) / x``, f(0) to the ledger (identity rule around the origin's value)."""
    alpha, beta, line = _hard(op, node, node.input(0))
    start = min(max(beta, 0.0), 1.0)

    def gate(op: Ops, n: Site, x: Expr) -> Expr:
        if not 0 < beta < 1:  # 0 lies where the function is flat
            return op.div(op.sub(n.output(), start), _nonzero(op, x))
        # Inside, the quotient is the slope; outside, x is away from 0.
        outside = op.div(op.sub(n.output(), start), _nonzero(op, x))
        return op.where(op.greater(_inside(op, line, 0.0, 1.0), 0.5), alpha, outside)

    def slope(op: Ops, n: Site, x: Expr) -> Expr:
        return op.mul(_inside(op, line, 0.0, 1.0), alpha)

    return apply(op, node, m, Function(gate, slope, start))


@rule("HardSwish", kind="activation", carry="gate", since=14)
def hard_swish(op: Ops, node: Site, m: Expr) -> Result:
    """``m`` times its gate, the hard sigmoid of x (identity rule, AttnLRP, Prop. 3.2)."""

    def gate(op: Ops, n: Site, x: Expr) -> Expr:
        return op.minimum(op.maximum(op.add(op.mul(x, 1 / 6), 0.5), 0.0), 1.0)

    def slope(op: Ops, n: Site, x: Expr) -> Expr:
        line = op.add(op.mul(x, 1 / 6), 0.5)
        return op.add(gate(op, n, x), op.mul(op.mul(x, _inside(op, line, 0.0, 1.0)), 1 / 6))

    return apply(op, node, m, Function(gate, slope))


@rule("PRelu", kind="activation", carry="gate")
def parametric_relu(op: Ops, node: Site, m: Expr) -> Result:
    """``m`` where x is positive, else ``m`` times the slope."""
    if node.active(1):
        raise node.refuse("its slope depends on the input")
    got = op.mul(m, _positive(op, node.input(0), 1.0, node.input(1)))
    return [got, None]


def _step(name: str) -> None:
    def function(op: Ops, node: Site, m: Expr) -> Result:
        return pole(op, node, m, lambda op, n, x: op.mul(op.minimum(op.abs(x), 0.0), 1.0))

    function.__name__ = name.lower()
    function.__doc__ = f"{name} has no slope: relevance passes 1:1 (identity rule); its derivative is 0."
    rule(name, kind="activation", carry="gate")(function)


for _name in ("Round", "Floor", "Ceil", "Sign"):
    _step(_name)


_register(
    "Softplus",
    Function(
        lambda op, n, x: op.where(
            op.less(op.abs(x), 0.05),
            # Around 0 the quotient would cancel: its series.
            op.add(op.add(0.5, op.mul(x, 0.125)), op.mul(op.mul(op.mul(x, x), x), -1 / 192)),
            op.div(op.sub(n.output(), math.log(2)), _nonzero(op, x)),
        ),
        lambda op, n, x: op.sigmoid(x),
        math.log(2),
    ),
)
_register(
    "Selu",
    Function(
        lambda op, n, x: op.mul(
            _positive(
                op, x, 1.0, op.mul(_expm1_over(op, _negative(op, x)), float(n.attr("alpha", 1.6732632)))
            ),
            float(n.attr("gamma", 1.0507010)),
        ),
        lambda op, n, x: op.mul(
            _positive(op, x, 1.0, op.mul(op.exp(_negative(op, x)), float(n.attr("alpha", 1.6732632)))),
            float(n.attr("gamma", 1.0507010)),
        ),
    ),
)
_register(
    "Celu",
    Function(
        lambda op, n, x: _positive(op, x, 1.0, _expm1_over(op, op.mul(_negative(op, x), 1 / _alpha(1.0)(n)))),
        lambda op, n, x: _positive(op, x, 1.0, op.exp(op.mul(_negative(op, x), 1 / _alpha(1.0)(n)))),
    ),
    since=12,
)
_register(
    "Mish",
    Function(
        lambda op, n, x: op.tanh(op.softplus(x)),
        lambda op, n, x: op.add(
            op.tanh(op.softplus(x)),
            op.mul(op.mul(x, op.sigmoid(x)), _one_minus_square(op, op.tanh(op.softplus(x)))),
        ),
    ),
    since=18,
)
_register(
    "ThresholdedRelu",
    Function(
        lambda op, n, x: op.where(op.greater(x, _alpha(1.0)(n)), 1.0, 0.0),
        lambda op, n, x: op.where(op.greater(x, _alpha(1.0)(n)), 1.0, 0.0),
    ),
    since=10,
)
_register(
    "Cos",
    Function(
        # (cos x - 1) / x = -2 sin(x/2)^2 / x, without cancellation
        lambda op, n, x: op.mul(
            op.mul(op.sin(op.mul(x, 0.5)), -1.0),
            op.where(
                op.equal(x, 0.0),
                0.0,
                op.div(op.sin(op.mul(_nonzero(op, x), 0.5)), op.mul(_nonzero(op, x), 0.5)),
            ),
        ),
        lambda op, n, x: op.neg(op.sin(x)),
        1.0,
    ),
)
_register(
    "Sinh",
    Function(
        lambda op, n, x: op.where(op.equal(x, 0.0), 1.0, op.div(op.sinh(_nonzero(op, x)), _nonzero(op, x))),
        lambda op, n, x: op.cosh(x),
    ),
    since=9,
)
_register(
    "Asinh",
    Function(
        lambda op, n, x: op.where(op.equal(x, 0.0), 1.0, op.div(op.asinh(_nonzero(op, x)), _nonzero(op, x))),
        lambda op, n, x: op.div(1.0, op.sqrt(op.add(op.mul(x, x), 1.0))),
    ),
    since=9,
)
_register(
    "Atan",
    Function(
        lambda op, n, x: op.where(op.equal(x, 0.0), 1.0, op.div(op.atan(_nonzero(op, x)), _nonzero(op, x))),
        lambda op, n, x: op.div(1.0, op.add(op.mul(x, x), 1.0)),
    ),
)


@rule("Log", kind="activation", carry="gate")
def log(op: Ops, node: Site, m: Expr) -> Result:
    """Pole at 0: relevance passes 1:1 (identity rule, AttnLRP, Prop. 3.2)."""
    return pole(op, node, m, lambda op, n, x: op.div(1.0, x))


@rule("Sqrt", kind="activation", carry="gate")
def sqrt(op: Ops, node: Site, m: Expr) -> Result:
    """Its gate has a pole at 0: relevance passes 1:1 (identity rule, AttnLRP, Prop. 3.2)."""
    return pole(op, node, m, lambda op, n, x: op.div(0.5, n.output()))


@rule("Reciprocal", kind="activation", carry="gate")
def reciprocal(op: Ops, node: Site, m: Expr) -> Result:
    """Pole at 0: relevance passes 1:1 (identity rule, AttnLRP, Prop. 3.2)."""
    return pole(op, node, m, lambda op, n, x: op.neg(op.mul(n.output(), n.output())))


@rule("Pow", kind="activation", carry="gate")
def power(op: Ops, node: Site, m: Expr) -> Result:
    """``m x^(p-1)`` for a constant exponent of at least 1; below, a pole: relevance passes 1:1."""
    exponent = node.needs_const(1, "exponents")
    if exponent.size != 1:
        raise node.refuse("it has several exponents")
    p = float(exponent.reshape(()))

    def gate(op: Ops, n: Site, x: Expr) -> Expr:
        return op.const(1.0) if p == 1 else x if p == 2 else op.pow(x, p - 1)

    if p < 1 and not node.gradient:
        return [Message(r=op.mul(m, node.output())), None]
    return [*apply(op, node, m, Function(gate, lambda op, n, x: op.mul(gate(op, n, x), p))), None]


@rule("Clip", kind="activation", carry="gate")
def clip(op: Ops, node: Site, m: Expr) -> Result:
    """Around 0 the gate ``f(x)/x``; elsewhere the winner, x or the bound, gets everything."""
    x, y = node.input(0), node.output()
    inside = op.where(op.equal(x, y), 1.0, 0.0)
    low, high = _bound(node, "min", 1, -math.inf), _bound(node, "max", 2, math.inf)
    if node.variant("activation") == "pass":
        return [*apply(op, node, m, Function(lambda op, n, x: x, lambda op, n, x: x)), None, None][
            : node.count
        ]
    if low <= 0 <= high and not node.gradient:
        # Outside, x is at least as far from 0 as the bound that is not 0.
        gate = op.where(op.equal(x, y), 1.0, op.div(y, _nonzero(op, x)))
        return _first(node, op.mul(m, gate))
    node.absorb("winner", m, op.mul(y, op.sub(1.0, inside)))
    return _first(node, op.mul(m, inside))


def _bound(node: Site, name: str, operand: int, default: float) -> float:
    """A bound of Clip: an attribute before opset 11, an operand since."""
    value = node.const(operand) if node.has(operand) else node.attr(name)
    if node.has(operand) and value is None:
        raise node.refuse("its bounds depend on the input's values")
    return default if value is None else float(value)


@rule("Identity", "Dropout", kind="move", carry="move")
def identity(op: Ops, node: Site, m: Expr) -> Result:
    """Unchanged."""
    if node.node.op_type == "Dropout" and node.has(2) and bool(node.needs_const(2, "training mode").any()):
        raise node.refuse("it is in training mode")
    return _first(node, m)


@rule("Cast", "CastLike", kind="move", carry="move")
def cast(op: Ops, node: Site, m: Expr) -> Result:
    """Unchanged between floating types."""
    return _first(node, m)
