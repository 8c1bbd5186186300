"""Quantised layers: relevance on integers is that of the numbers they stand for.

Rounding has no slope, so m passes straight through, as in quantisation-aware training; what rounding and
zero points add to the activation goes to the ledger, or to the tokens that an embedding was read for.
"""

from __future__ import annotations

import numpy as np

from ..analysis.shapes import Shape
from ..ops.base import Expr, Ops
from .conv import window
from .layers import Layer, propagate
from .linear import adjoints
from .node import Message, NodeContext
from .registry import rule

# Of the integers that signals are quantised to.
RANGES = {
    np.dtype(t): (float(np.iinfo(t).min), float(np.iinfo(t).max))
    for t in (np.int8, np.uint8, np.int16, np.uint16)
}


def along(op: Ops, node: NodeContext, value: Expr, shape: Shape) -> Expr:
    """A scale or zero point, one number or one a channel, ready to broadcast with the operand."""
    if len(shape) == 0:
        return value
    axis = node.negative(int(node.attr("axis", 1)))
    if len(shape) > 1:
        # One number a block along the axis.
        block, blocks, size = int(node.attr("block_size", 0)), shape[axis], node.shape(0)[axis]
        if not isinstance(size, int) or not isinstance(blocks, int):
            raise node.refuse("it is quantised in blocks of samples")
        front, after = shape[: len(shape) + axis], shape[len(shape) + axis + 1 :]
        wide = op.expand(op.reshape(value, (*front, blocks, 1, *after)), (*front, blocks, block, *after))
        whole = op.reshape(wide, (*front, blocks * block, *after))
        return whole if blocks * block == size else op.slice(whole, [0], [size], [axis], [1])
    return op.reshape(value, (shape[0], *(1 for _ in range(-axis - 1)))) if shape[0] != 1 else value


@rule("QuantizeLinear", kind="scale", since=10, carry="gate")
def quantize_linear(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """``m / scale``; rounding and the zero point go to the ledger.

    Beyond the range of the integers it is a Clip: ``m / x`` times what came out, and no slope.
    """
    scale = along(op, node, node.input(1), node.shape(1))
    x, q = node.input(0), op.as_float(node.output())
    exact = op.div(x, scale)
    m_exact = m
    if node.out_dtype() in RANGES:
        low, high = RANGES[node.out_dtype()]
        zero = along(op, node, op.as_float(node.input(2)), node.shape(2)) if node.has(2) else op.const(0.0)
        line = op.add(exact, zero)
        inside = op.mul(
            op.where(op.greater(line, low - 0.5), 1.0, 0.0), op.where(op.less(line, high + 0.5), 1.0, 0.0)
        )
        # Beyond, x is not 0: the zero point, which is 0, lies in the range.
        gate = 0.0 if node.gradient else op.div(op.sub(q, zero), op.where(op.equal(exact, 0.0), 1.0, exact))
        m_exact = op.mul(m, op.where(op.greater(inside, 0.5), 1.0, gate))
        node.absorb("rounding", m, q)
        node.absorb("rounding", op.neg(m_exact), exact)
    else:
        node.absorb("rounding", m, op.sub(q, exact))
    return [op.div(m_exact, scale), *[None] * (node.count - 1)]


@rule("DynamicQuantizeLinear", kind="scale", since=11, carry="gate")
def dynamic_quantize_linear(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """``m / scale``, the scale held constant; rounding and the zero point go to the ledger."""
    scale = node.output(1)
    node.absorb("rounding", m, op.sub(op.as_float(node.output()), op.div(node.input(0), scale)))
    return [op.div(m, scale)]


@rule("DequantizeLinear", kind="scale", since=10, carry="gate")
def dequantize_linear(op: Ops, node: NodeContext, m: Expr) -> list[Message | Expr | None]:
    """``m scale``; the zero point goes to the ledger, or on to a token as r."""
    scale = along(op, node, node.input(1), node.shape(1))
    got = op.mul(m, scale)
    if node.has(2):
        zero = along(op, node, op.as_float(node.input(2)), node.shape(2))
        if node.embedded(0):
            return [Message(got, op.neg(op.mul(got, zero))), *[None] * (node.count - 1)]
        node.absorb("rounding", got, op.neg(zero))
    return [got, *[None] * (node.count - 1)]


def _centred(op: Ops, node: NodeContext, i: int, zero: int, column: bool) -> Expr:
    """Operand i as numbers, less its zero point."""
    value = op.as_float(node.input(i))
    return op.sub(value, _point(op, node, i, zero, column)) if node.has(zero) else value


def _point(op: Ops, node: NodeContext, i: int, zero: int, column: bool) -> Expr:
    """The zero point of operand i, ready to broadcast with it."""
    point = op.as_float(node.input(zero))
    if len(node.shape(zero)) == 1 and node.shape(zero)[0] != 1 and column:
        point = op.reshape(point, (node.shape(zero)[0], *(1 for _ in node.shape(i)[1:])))
    return point


def _saturated(op: Ops, node: NodeContext, exact: Expr) -> Expr:
    """What the machine's integer product adds: some processors saturate sums of pairs at 16 bits."""
    return op.sub(op.as_float(node.output()), exact)


@rule("MatMulInteger", kind="linear", since=10, carry="own")
def matmul_integer(op: Ops, node: NodeContext, m: Expr | None) -> list[Message | None]:
    """As MatMul of what the integers stand for."""
    if node.active(1):
        raise node.refuse("both operands depend on the input")
    x_shape, w_shape, out = node.shape(0), node.shape(1), node.out_shape()
    x, w = _centred(op, node, 0, 2, column=True), _centred(op, node, 1, 3, column=False)
    layer = Layer(
        "linear",
        x,
        w,
        _saturated(op, node, op.matmul(x, w)),
        op.matmul,
        lambda q, w: adjoints(op, q, (q, w), (x_shape, w_shape), out)[0](),
        node.const(1) is not None,
        "rounding",
    )
    return _integer(op, node, propagate(op, node, m, layer))


@rule("ConvInteger", kind="conv", since=10, carry="own")
def conv_integer(op: Ops, node: NodeContext, m: Expr | None) -> list[Message | None]:
    """As Conv of what the integers stand for."""
    if node.active(1):
        raise node.refuse("its kernel depends on the input")
    kernel = tuple(int(k) for k in node.shape(1)[2:] if isinstance(k, int))
    view = window(node, kernel, int(node.attr("group", 1)))
    x, w = _centred(op, node, 0, 2, column=False), _centred(op, node, 1, 3, column=True)
    layer = Layer(
        "conv",
        x,
        w,
        _saturated(op, node, op.conv(x, w, view)),
        lambda x, w: op.conv(x, w, view),
        lambda q, w: op.conv_transpose(q, w, view),
        node.const(1) is not None,
        "rounding",
    )
    return _integer(op, node, propagate(op, node, m, layer))


def _integer(op: Ops, node: NodeContext, got: Message) -> list[Message | None]:
    """An integer times m counts its zero point too: it goes the way that DequantizeLinear's does."""
    if got.m is not None and node.has(2):
        m, less = got.m, op.neg(_point(op, node, 0, 2, column=True))
        if node.embedded(0):
            r = op.mul(m, less)
            got = Message(m, r if got.r is None else op.add(got.r, r))
        else:
            node.absorb("rounding", m, less, operand=0)
    return [got, *[None] * (node.count - 1)]
