"""Steps: there is no quotient of differences where a value jumps. What arrives stays, as a decision."""

from __future__ import annotations

from ..ops.base import Expr, Ops
from ..rules.common import unbroadcast
from .functions import step
from .pair import PairContext
from .registry import secant


@secant("Round", "Floor", "Ceil", "Sign", "Hardmax")
def jump(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """Nothing goes on."""
    node.keep_rest("decision", m, [])
    return [None]


@secant(
    "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor", "Not",
    "ArgMax", "ArgMin", "NonZero",
)  # fmt: skip
def decision(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """Nothing goes on."""
    node.keep_rest("decision", m, [])
    return [None] * node.count


@secant("Mod")
def remainder(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """As the dividend goes; whole turns, and what the divisor does to them, are a decision."""
    sent = [unbroadcast(op, m, node.out_shape(), node.shape(0)) if node.active(0) else None, None]
    node.keep_rest("decision", m, sent)
    return sent


@secant("ThresholdedRelu")
def thresholded_relu(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """A ramp from the threshold on, and a step there."""
    alpha = float(node.attr("alpha", 1.0))
    return _with_steps(op, node, m, [(alpha, 1.0)])


@secant("Shrink")
def shrink(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """Two ramps from the thresholds on, and a step at each."""
    threshold = float(node.attr("lambd", 0.5))
    return _with_steps(op, node, m, [(threshold, 1.0), (-threshold, -1.0)])


def _with_steps(op: Ops, node: PairContext, m: Expr, corners: list[tuple[float, float]]) -> list[Expr | None]:
    """The ramps that start at corners: ``max(x, at)`` or ``min(x, at)``; the rest is a decision."""
    a, b = node.here(0), node.there(0)
    total: Expr | None = None
    for at, direction in corners:
        pick = op.maximum if direction > 0 else op.minimum
        here, there = pick(a, at), pick(b, at)
        inside = step(op, a, at, direction)
        part = op.where(op.equal(a, b), inside, op.div(op.sub(here, there), _nonzero(op, op.sub(a, b))))
        total = part if total is None else op.add(total, part)
    assert total is not None
    sent: list[Expr | None] = [op.mul(m, total)]
    node.keep_rest("decision", m, sent)
    return sent


def _nonzero(op: Ops, x: Expr) -> Expr:
    return op.where(op.equal(x, 0.0), 1.0, x)
