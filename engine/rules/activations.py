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
from .node import Message, NodeContext
from .registry import rule

Result = list[Expr | Message | None]


@dataclass(frozen=True)
class Function:
    """A function of one number.

    Attributes
    ----------
    gate : callable
        ``(f(x) - f(0)) / x``, with its limit at 0.
    slope : callable, optional
        The derivative; that of a function with one slope on each side of 0 is the gate.
    origin : float
        f(0).
    """

    gate: Callable[[Ops, NodeContext, Expr], Expr]
    slope: Callable[[Ops, NodeContext, Expr], Expr] | None = None
    origin: float = 0.0


def apply(op: Ops, node: NodeContext, m: Expr, f: Function) -> Result:
    """The identity rule, or the derivative, for one function."""
    x = node.input(0)
    if node.variant("activation") == "gradient":
        slope = (f.slope or f.gate)(op, node, x)
        node.absorb("nonlinear", m, op.sub(node.output(), op.mul(x, slope)))
        return [op.mul(m, slope)]
    if node.variant("activation") == "pass":
        # Zennit's Pass: relevance 1:1, whatever the function.
        return [Message(r=op.mul(m, node.output()))]
    if f.origin:
        node.absorb("origin", m, op.const(f.origin))
    return [op.mul(m, f.gate(op, node, x))]


def pole(op: Ops, node: NodeContext, m: Expr, slope: Callable[[Ops, NodeContext, Expr], Expr]) -> Result:
    """Relevance passes 1:1 as r; or the derivative."""
    if node.variant("activation") == "gradient":
        return apply(op, node, m, Function(slope))
    return [Message(r=op.mul(m, node.output()))]


def first(node: NodeContext, m: Expr) -> Result:
    """Everything to the first operand."""
    return [m, *[None] * (node.count - 1)]


def nonzero(op: Ops, x: Expr) -> Expr:
    """x, and 1 where it is 0: something to divide by."""
    return op.where(op.equal(x, 0.0), 1.0, x)


def positive(op: Ops, x: Expr, yes: float | Expr = 1.0, no: float | Expr = 0.0) -> Expr:
    """One thing where x is positive, another elsewhere."""
    return op.where(op.greater(x, 0.0), yes, no)


def register(name: str, f: Function, *, since: int = 1) -> None:
    """The rule of an operator that is a function of one number."""

    def function(op: Ops, node: NodeContext, m: Expr) -> Result:
        return apply(op, node, m, f)

    function.__name__ = name.lower()
    formula = f"m {name}(x) / x" if not f.origin else f"m ({name}(x) - {f.origin:.4g}) / x"
    rest = f"; ``{f.origin:.4g} m`` to the ledger" if f.origin else ""
    function.__doc__ = f"``{formula}``, its limit at 0{rest} (identity rule, AttnLRP, Prop. 3.2)."
    rule(name, kind="activation", carry="gate", since=since)(function)


def normal_cdf(op: Ops, x: Expr) -> Expr:
    """The normal distribution function."""
    return op.mul(op.add(op.erf(op.mul(x, 1 / math.sqrt(2))), 1.0), 0.5)


def gelu_inner(op: Ops, x: Expr) -> Expr:
    """What the tanh approximation of GELU is the tanh of."""
    cubic = op.add(x, op.mul(op.mul(op.mul(x, x), x), 0.044715))
    return op.mul(cubic, math.sqrt(2 / math.pi))


def _tanh_gate(op: Ops, x: Expr) -> Expr:
    """The gate of the tanh approximation of GELU."""
    return op.mul(op.add(op.tanh(gelu_inner(op, x)), 1.0), 0.5)


def _gelu_slope(op: Ops, node: NodeContext, x: Expr) -> Expr:
    if node.attr("approximate", "none") == "tanh":
        g = _tanh_gate(op, x)
        inner = op.mul(op.add(op.mul(op.mul(x, x), 3 * 0.044715), 1.0), math.sqrt(2 / math.pi))
        # d/dx of g = (1 + tanh u)/2 is 2 g (1 - g) u'
        return op.add(g, op.mul(op.mul(x, inner), op.mul(op.mul(g, op.sub(1.0, g)), 2.0)))
    density = op.mul(op.exp(op.mul(op.mul(x, x), -0.5)), 1 / math.sqrt(2 * math.pi))
    return op.add(normal_cdf(op, x), op.mul(x, density))


def _gelu_gate(op: Ops, node: NodeContext, x: Expr) -> Expr:
    return _tanh_gate(op, x) if node.attr("approximate", "none") == "tanh" else normal_cdf(op, x)


def expm1_over(op: Ops, x: Expr) -> Expr:
    """``(e^x - 1) / x`` without cancellation: ``tanh(x/2) (e^x + 1) / x``."""
    return op.mul(op.mul(_tanh_over(op, op.mul(x, 0.5)), 0.5), op.add(op.exp(x), 1.0))


def _negative(op: Ops, x: Expr) -> Expr:
    return op.minimum(x, 0.0)


def alpha(default: float) -> Callable[[NodeContext], float]:
    """The attribute alpha of a node."""
    return lambda node: float(node.attr("alpha", default))


def _tanh_over(op: Ops, x: Expr) -> Expr:
    safe = nonzero(op, x)
    return op.where(op.equal(x, 0.0), 1.0, op.div(op.tanh(safe), safe))


def _bell(op: Ops, x: Expr) -> Expr:
    """``s (1 - s)``, s the sigmoid of x, also where s is so near to 0 or 1 that float32 has no more of it."""
    e = op.exp(op.neg(op.abs(x)))
    return op.div(e, op.pow(op.add(e, 1.0), 2.0))


def _one_minus_square(op: Ops, y: Expr) -> Expr:
    return op.sub(1.0, op.mul(y, y))


register("Relu", Function(lambda op, n, x: positive(op, x)))
register("LeakyRelu", Function(lambda op, n, x: positive(op, x, 1.0, alpha(0.01)(n))))
register(
    "Elu",
    Function(
        lambda op, n, x: positive(op, x, 1.0, op.mul(expm1_over(op, _negative(op, x)), alpha(1.0)(n))),
        lambda op, n, x: positive(op, x, 1.0, op.mul(op.exp(_negative(op, x)), alpha(1.0)(n))),
    ),
)
register("Gelu", Function(_gelu_gate, _gelu_slope), since=20)
register(
    "Tanh",
    Function(lambda op, n, x: _tanh_over(op, x), lambda op, n, x: op.mul(_bell(op, op.mul(x, 2.0)), 4.0)),
)
register(
    "Sigmoid",
    Function(
        # (sigmoid(x) - 1/2) / x = tanh(x/2) / (2x)
        lambda op, n, x: op.mul(_tanh_over(op, op.mul(x, 0.5)), 0.25),
        lambda op, n, x: _bell(op, x),
        0.5,
    ),
)
register(
    "Erf",
    Function(
        lambda op, n, x: op.where(
            op.equal(x, 0.0), 2 / math.sqrt(math.pi), op.div(op.erf(nonzero(op, x)), nonzero(op, x))
        ),
        lambda op, n, x: op.mul(op.exp(op.neg(op.mul(x, x))), 2 / math.sqrt(math.pi)),
    ),
)
register(
    "Exp",
    Function(
        lambda op, n, x: expm1_over(op, x),
        lambda op, n, x: n.output(),
        1.0,
    ),
)
register(
    "Softsign",
    Function(
        lambda op, n, x: op.div(1.0, op.add(op.abs(x), 1.0)),
        lambda op, n, x: op.div(1.0, op.pow(op.add(op.abs(x), 1.0), 2.0)),
    ),
)
register("Abs", Function(lambda op, n, x: positive(op, x, 1.0, op.where(op.less(x, 0.0), -1.0, 0.0))))


def _step(name: str) -> None:
    def function(op: Ops, node: NodeContext, m: Expr) -> Result:
        return pole(op, node, m, lambda op, n, x: op.mul(op.minimum(op.abs(x), 0.0), 1.0))

    function.__name__ = name.lower()
    function.__doc__ = f"{name} has no slope: relevance passes 1:1 (identity rule); its derivative is 0."
    rule(name, kind="activation", carry="gate")(function)


for _name in ("Round", "Floor", "Ceil", "Sign"):
    _step(_name)


register(
    "Softplus",
    Function(
        lambda op, n, x: op.where(
            op.less(op.abs(x), 0.05),
            # Around 0 the quotient would cancel: its series.
            op.add(op.add(0.5, op.mul(x, 0.125)), op.mul(op.mul(op.mul(x, x), x), -1 / 192)),
            op.div(op.sub(n.output(), math.log(2)), nonzero(op, x)),
        ),
        lambda op, n, x: op.sigmoid(x),
        math.log(2),
    ),
)
register(
    "Selu",
    Function(
        lambda op, n, x: op.mul(
            positive(op, x, 1.0, op.mul(expm1_over(op, _negative(op, x)), float(n.attr("alpha", 1.6732632)))),
            float(n.attr("gamma", 1.0507010)),
        ),
        lambda op, n, x: op.mul(
            positive(op, x, 1.0, op.mul(op.exp(_negative(op, x)), float(n.attr("alpha", 1.6732632)))),
            float(n.attr("gamma", 1.0507010)),
        ),
    ),
)
register(
    "Celu",
    Function(
        lambda op, n, x: positive(op, x, 1.0, expm1_over(op, op.mul(_negative(op, x), 1 / alpha(1.0)(n)))),
        lambda op, n, x: positive(op, x, 1.0, op.exp(op.mul(_negative(op, x), 1 / alpha(1.0)(n)))),
    ),
    since=12,
)
register(
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


@rule("Identity", "Dropout", kind="move", carry="move")
def identity(op: Ops, node: NodeContext, m: Expr) -> Result:
    """Unchanged."""
    if node.node.op_type == "Dropout" and node.has(2) and bool(node.needs_const(2, "training mode").any()):
        raise node.refuse("it is in training mode")
    return first(node, m)


@rule("Cast", "CastLike", kind="move", carry="move")
def cast(op: Ops, node: NodeContext, m: Expr) -> Result:
    """Unchanged between numbers; a bit has no size, and gets the relevance of what it became.

    What is cut off to an integer has no slope: relevance passes 1:1 (identity rule).
    """
    bit = node.kind() == "b" and node.node.op_type == "Cast"
    if bit or (node.kind() == "f" and node.out_dtype().kind in "iu"):
        return [Message(r=node.carried(m))]
    return first(node, m)
