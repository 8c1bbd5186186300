"""Quantised operators: their float form between DequantizeLinear and QuantizeLinear."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import TensorProto

from ..quantised import integer_product
from .linear import CONV
from .table import Fused, writes


def dequantise(o: Fused, i: int) -> str:
    """Operand i with the scale and the zero point that come after it."""
    return dequantise_of(o, o.operand(i), o.operand(i + 1), o.operand(i + 2))


def dequantise_of(o: Fused, x: str, scale: str, zero: str) -> str:
    """A value with its scale and zero point."""
    return o.emit.op("DequantizeLinear", x, scale, *((zero,) if zero else ()), what="DequantizeLinear")


def quantise(o: Fused, y: str, i: int) -> str:
    """A result by the scale and the zero point at i; it was found in float, so its last bit may differ."""
    o.emit.work.approximate.append(o.node.name or o.node.op_type)
    operands = [v for v in (o.operand(i), o.operand(i + 1)) if v]
    return o.emit.op("QuantizeLinear", y, *operands, what="QuantizeLinear")


@writes("DynamicQuantizeMatMul")
def dynamic_quantize_matmul(o: Fused) -> Sequence[str]:
    """A float times an integer weight: A, B, scale of B, zero of B, bias."""
    emit = o.emit
    a, scale, zero = emit.ops("DynamicQuantizeLinear", o.operand(0), count=3, what="DynamicQuantizeLinear")
    factors, scales = (a, o.operand(1)), (scale, o.operand(2))
    y = integer_product(emit, factors, scales, (zero, o.operand(3)), "product")
    return [emit.op("Add", y, o.operand(4), what="bias") if o.operand(4) else y]


@writes("MatMulIntegerToFloat")
def matmul_integer_to_float(o: Fused) -> Sequence[str]:
    """A, B, their scales, their zeros, bias."""
    a, b, scale_a, scale_b, zero_a, zero_b, bias = (o.operand(i) for i in range(7))
    y = integer_product(o.emit, (a, b), (scale_a, scale_b), (zero_a, zero_b), "product")
    return [o.emit.op("Add", y, bias, what="bias") if bias else y]


@writes("QLinearAdd", "QLinearMul")
def two_operands(o: Fused) -> Sequence[str]:
    """A sum or product."""
    kind = o.node.op_type.removeprefix("QLinear")
    y = o.emit.op(kind, dequantise(o, 0), dequantise(o, 3), what=kind)
    return [quantise(o, y, 6)]


@writes("QLinearSigmoid", "QLinearLeakyRelu")
def one_operand(o: Fused) -> Sequence[str]:
    """An activation."""
    kind = o.node.op_type.removeprefix("QLinear")
    given = {"alpha": o.attr("alpha", 0.01)} if kind == "LeakyRelu" else {}
    return [quantise(o, o.emit.op(kind, dequantise(o, 0), what=kind, **given), 3)]


@writes("QLinearSoftmax")
def softmax(o: Fused) -> Sequence[str]:
    """Softmax in the form of the opset it names."""
    emit, x, rank = o.emit, dequantise(o, 0), o.rank(0)
    old = int(o.attr("opset")) < 13
    axis = int(o.attr("axis", 1 if old else -1)) % rank
    if old != (emit.opset < 13) and axis != rank - 1:
        raise o.refuse("a softmax of another opset")
    return [quantise(o, emit.op("Softmax", x, what="Softmax", axis=axis), 3)]


@writes("QLinearWhere")
def where(o: Fused) -> Sequence[str]:
    """A choice between two operands."""
    y = o.emit.op("Where", o.operand(0), dequantise(o, 1), dequantise(o, 4), what="Where")
    return [quantise(o, y, 7)]


@writes("QLinearConcat")
def concat(o: Fused) -> Sequence[str]:
    """Operands joined, each with its own scale; the result's scale comes first."""
    parts = [dequantise(o, i) for i in range(2, len(o.node.input), 3)]
    return [quantise(o, o.emit.op("Concat", *parts, what="Concat", axis=o.attr("axis")), 0)]


@writes("QLinearAveragePool", "QLinearGlobalAveragePool")
def average_pool(o: Fused) -> Sequence[str]:
    """An average, with the channels last where it says so."""
    emit, rank = o.emit, o.rank(0)
    kind = o.node.op_type.removeprefix("QLinear")
    names = ("auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides")
    given = {k: o.attr(k) for k in names} if kind == "AveragePool" else {}
    if emit.opset < 10:
        given.pop("ceil_mode", None)
    x = dequantise(o, 0)
    if o.attr("channels_last", 0):
        x = emit.transpose(x, (0, rank - 1, *range(1, rank - 1)), what="channels_first")
    y = emit.op(kind, x, what=kind, **given)
    if o.attr("channels_last", 0):
        y = emit.transpose(y, (0, *range(2, rank), 1), what="channels_last")
    return [quantise(o, y, 3)]


@writes("QGemm")
def gemm(o: Fused) -> Sequence[str]:
    """Gemm of integers; the bias has the product of both scales. Without a scale the result is float."""
    emit = o.emit
    operands = [dequantise(o, 0), dequantise(o, 3)]
    if o.operand(6):
        scale = emit.op("Mul", o.operand(1), o.operand(4), what="bias_scale")
        bias = emit.op("Cast", o.operand(6), what="bias/Cast", to=TensorProto.FLOAT)
        operands.append(emit.op("Mul", bias, scale, what="bias"))
    given = {k: o.attr(k) for k in ("alpha", "transA", "transB")}
    if o.operand(6) and o.attr("alpha", 1.0) != 1.0:
        given["beta"] = o.attr("alpha")  # the bias is added before the product is scaled
    y = emit.op("Gemm", *operands, what="Gemm", **given)
    return [quantise(o, y, 7) if o.operand(7) else y]


@writes("QuantizeLinear", "DequantizeLinear")
def as_standard(o: Fused) -> Sequence[str]:
    """The standard's own, where it knows the type."""
    if o.emit.opset < 21 and any(o.value(i).dtype.itemsize == 2 for i in (0, 2) if o.operand(i)):
        raise o.refuse(f"a 16-bit {o.node.op_type} below opset 21")
    operands = [v for v in (o.operand(i) for i in range(3)) if v]
    given = {"axis": o.attr("axis")} if o.emit.opset >= 13 and o.value(1).size > 1 else {}
    return [o.emit.op(o.node.op_type, *operands, what=o.node.op_type, **given)]


@writes("QLinearConv", domain="")
def conv(o: Fused) -> Sequence[str]:
    """A convolution; the bias has the product of both scales. Constant weights become floats at once."""
    emit = o.emit
    weight = _weight(o, 3, 0)
    operands = [dequantise(o, 0), weight]
    if o.operand(8):
        bias, scale, other = o.constant(8), o.constant(1), o.constant(4)
        if bias is not None and scale is not None and other is not None:
            operands.append(emit.const((bias * (scale * other).reshape(-1)).astype(np.float32), "bias"))
        else:
            scales = emit.op("Mul", o.operand(1), o.operand(4), what="bias_scale")
            floats = emit.op("Cast", o.operand(8), what="bias/Cast", to=TensorProto.FLOAT)
            operands.append(emit.op("Mul", floats, scales, what="bias"))
    y = emit.op("Conv", *operands, what="Conv", **{k: o.attr(k) for k in CONV})
    return [quantise(o, y, 6)]


@writes("QLinearMatMul", domain="")
def matmul(o: Fused) -> Sequence[str]:
    """A product; a constant factor becomes floats at once."""
    factors = [_weight(o, 0, o.rank(0) - 2), _weight(o, 3, o.rank(3) - 1)]
    return [quantise(o, o.emit.op("MatMul", *factors, what="MatMul"), 6)]


def _weight(o: Fused, i: int, axis: int) -> str:
    """Operand i as floats, with a scale and zero point for all or for each element along an axis."""
    value, scale, zero = o.constant(i), o.constant(i + 1), o.constant(i + 2)
    if value is None or scale is None or (o.operand(i + 2) and zero is None):
        if o.value(i + 1).size > 1:
            raise o.refuse("a computed factor with several scales")
        return dequantise(o, i)
    shape = [-1 if k == axis else 1 for k in range(value.ndim)]
    parts = [a.reshape(shape) if a.size > 1 and a.ndim <= 1 else a for a in (scale, zero) if a is not None]
    numbers = value.astype(np.int32) - (parts[1].astype(np.int32) if len(parts) > 1 else 0)
    return o.emit.const((numbers * parts[0]).astype(np.float32), "weight")
