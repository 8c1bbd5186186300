"""Activations with a bias or another form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..emit import Emit
from .table import Fused, gelu, writes


def biased(o: Fused, i: int = 1) -> str:
    """The first operand plus another, where it is there."""
    if not o.operand(i):
        return o.operand(0)
    return o.emit.op("Add", o.operand(0), o.operand(i), what="bias")


@writes("Gelu", "BiasGelu")
def gelu_of(o: Fused) -> Sequence[str]:
    """Gelu, of a sum with a bias."""
    return [gelu(o.emit, biased(o), o.dtype)]


@writes("FastGelu")
def fast_gelu(o: Fused) -> Sequence[str]:
    """Gelu's tanh form: ``x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2``."""
    return [fast_gelu_of(o.emit, biased(o), o.dtype)]


def fast_gelu_of(emit: Emit, x: str, dtype: object) -> str:
    """Gelu's tanh form."""
    if emit.opset >= 20:
        return emit.op("Gelu", x, what="Gelu", approximate="tanh")
    a, b = float(np.sqrt(2 / np.pi)), 0.044715 * float(np.sqrt(2 / np.pi))
    square = emit.op("Mul", emit.op("Mul", x, x, what="square"), emit.const(b, dtype=dtype), what="scaled")
    inner = emit.op("Mul", x, emit.op("Add", square, emit.const(a, dtype=dtype), what="sum"), what="inner")
    half = emit.op("Mul", emit.op("Tanh", inner, what="Tanh"), emit.const(0.5, dtype=dtype), what="half")
    return emit.op("Mul", x, emit.op("Add", half, emit.const(0.5, dtype=dtype), what="gate"), what="Gelu")


@writes("QuickGelu")
def quick_gelu(o: Fused) -> Sequence[str]:
    """``x sigmoid(alpha x)``."""
    emit, x, alpha = o.emit, o.operand(0), o.attr("alpha", 1.702)
    scaled = x if alpha == 1.0 else emit.op("Mul", x, o.number(alpha), what="scaled")
    return [emit.op("Mul", x, emit.op("Sigmoid", scaled, what="Sigmoid"), what="Gelu")]


@writes("BiasAdd")
def bias_add(o: Fused) -> Sequence[str]:
    """A bias, then a skip connection."""
    return [o.emit.op("Add", biased(o), o.operand(2), what="skip")]


@writes("BiasSplitGelu")
def bias_split_gelu(o: Fused) -> Sequence[str]:
    """The first half times the Gelu of the second."""
    emit = o.emit
    half = o.value(0).shape[-1] // 2
    axis = o.rank(0) - 1
    left, right = emit.split(biased(o), (half, half), axis, what="halves")
    return [emit.op("Mul", left, gelu(emit, right, o.dtype), what="product")]


@writes("BiasSoftmax")
def bias_softmax(o: Fused) -> Sequence[str]:
    """Softmax over all axes from `axis` on, of a sum with a bias that may lack inner axes."""
    emit, rank = o.emit, o.rank(0)
    axis = int(o.attr("axis", 1)) % rank
    if axis != rank - 1:
        raise o.refuse("a softmax over several axes")
    return [emit.softmax(biased(o), what="Softmax")]
