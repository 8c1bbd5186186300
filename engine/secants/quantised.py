"""Quantised numbers: the difference passes straight through rounding; the rest stays there."""

from __future__ import annotations

from collections.abc import Sequence

from ..ops.base import Expr, Ops
from ..rules.node import Message
from ..rules.quantised import RANGES, along, conv_integer, matmul_integer
from .functions import pair, pair_of, quotient
from .pair import PairContext
from .registry import secant


@secant("QuantizeLinear")
def quantize_linear(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """``m / scale``; beyond the range of the integers, the part of the way that lies inside."""
    scale = along(op, node, node.here(1), node.shape(1))
    exact = op.div(node.here(0), scale)
    part: Expr | float = 1.0
    if node.out_dtype() in RANGES:
        low, high = RANGES[node.out_dtype()]
        zero = along(op, node, op.as_float(node.here(2)), node.shape(2)) if node.has(2) else op.const(0.0)
        line = pair(op, op.add(exact, zero))
        cut = op.minimum(op.maximum(line.a, low), high)
        inside = op.where(op.equal(cut, line.a), 1.0, 0.0)
        part = quotient(op, line, pair_of(op, cut, op.reference(cut)), inside)
    passed = op.mul(m, part) if isinstance(part, Expr) else m
    back = op.div(passed, node.middle(scale))
    sent: list[Expr | None] = [back, *[None] * (node.count - 1)]
    node.keep_rest("rounding", m, sent)
    return sent


@secant("DequantizeLinear")
def dequantize_linear(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """``m scale``; a zero point is the same in both passes, or its change is rounding."""
    scale = along(op, node, node.input(1), node.shape(1))
    sent: list[Expr | None] = [op.mul(m, scale), *[None] * (node.count - 1)]
    if any(node.varies(i) for i in range(1, node.count)):
        node.keep_rest("rounding", m, sent)
    return sent


@secant("DynamicQuantizeLinear")
def dynamic_quantize_linear(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """``m / scale``, the scale that of the middle; what its change does cancels further on."""
    sent: list[Expr | None] = [op.div(m, node.middle(node.made_here(1)))]
    node.keep_rest("rounding", m, sent)
    return sent


@secant("MatMulInteger")
def matmul_integers(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """The adjoint of what the integers stand for; zero points and saturation are rounding."""
    sent = _multipliers(matmul_integer(op, node, m))
    node.keep_rest("rounding", m, sent)
    return sent


@secant("ConvInteger")
def conv_integers(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """The adjoint of what the integers stand for; zero points and saturation are rounding."""
    sent = _multipliers(conv_integer(op, node, m))
    node.keep_rest("rounding", m, sent)
    return sent


def _multipliers(sent: Sequence[Message | Expr | None]) -> list[Expr | None]:
    """Without what a zero point adds: it is the same in both passes."""
    return [got.m if isinstance(got, Message) else got for got in sent]
