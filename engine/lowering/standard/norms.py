"""Normalisations: their denominators are held constant by the rule of Div (the LN rule)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from ...file.protobuf import attributes
from ..workspace import Workspace
from .table import Fused, writes


def _scale_varies(work: Workspace, node: onnx.NodeProto) -> bool:
    return any(work.is_signal(v) for v in node.input[1:])


def _trains_or_varies(work: Workspace, node: onnx.NodeProto) -> bool:
    return bool(attributes(node).get("training_mode", 0)) or _scale_varies(work, node)


@writes("LRN")
def local_response(o: Fused) -> Sequence[str]:
    """``x / (bias + alpha mean(x^2 of the channels around))^beta``."""
    emit, x, size = o.emit, o.operand(0), int(o.attr("size"))
    shape = o.value(0).shape
    square = emit.op("Mul", x, x, what="square")
    rows = emit.reshape(square, (0, 1, shape[1], -1), what="rows")
    before = (size - 1) // 2
    mean = emit.op(
        "AveragePool",
        rows,
        kernel_shape=[size, 1],
        pads=[before, 0, size - 1 - before, 0],
        count_include_pad=1,
        what="mean",
    )
    back = emit.op("Reshape", mean, emit.op("Shape", x, what="Shape"), what="back")
    scaled = emit.op("Mul", back, o.number(o.attr("alpha", 1e-4)), what="scaled")
    base = emit.op("Add", scaled, o.number(o.attr("bias", 1.0)), what="base")
    return [emit.op("Div", x, emit.op("Pow", base, o.number(o.attr("beta", 0.75)), what="norm"), what="Div")]


@writes("LpNormalization")
def lp_normalization(o: Fused) -> Sequence[str]:
    """``x / |x|_p`` along an axis; 0 where the norm is."""
    emit, x = o.emit, o.operand(0)
    kind = "ReduceL1" if o.attr("p", 2) == 1 else "ReduceL2"
    norm = emit.reduce(kind, x, int(o.attr("axis", -1)) % o.rank(0), what="norm")
    if emit.opset >= 11:
        empty = emit.op("Equal", norm, o.number(0), what="empty")
        norm = emit.op("Where", empty, o.number(1), norm, what="safe")
    return [emit.op("Div", x, norm, what="Div")]


@writes("LayerNormalization", "InstanceNormalization", "GroupNormalization", when=_scale_varies)
def norm_with_signals(o: Fused) -> Sequence[str]:
    """The norm alone, then a product with the scale and a sum with the shift, which are signals too."""
    emit, kind = o.emit, o.node.op_type
    one = emit.const(np.ones(o.value(1).shape, o.value(1).dtype), "ones")
    given = [o.operand(0), one]
    if kind != "LayerNormalization":
        given.append(emit.const(np.zeros(o.value(2).shape, o.value(2).dtype), "zeros"))
    plain = emit.ops(kind, *given, count=max(len(o.node.output), 1), what="norm", **attributes(o.node))
    y = plain[0]
    for i, operator in ((1, "Mul"), (2, "Add")):
        if o.operand(i):
            per = o.operand(i) if kind == "LayerNormalization" else _per_channel(o, i)
            y = emit.op(operator, y, per, what=operator)
    return [y, *plain[1:]]


def _per_channel(o: Fused, i: int) -> str:
    """One number a channel (or a group of them), ready to broadcast."""
    emit, shape = o.emit, o.value(0).shape
    given, ones = o.value(i).shape[0], [1] * (len(shape) - 2)
    value = o.operand(i)
    if given != shape[1]:
        wide = emit.reshape(value, (given, 1), what="column")
        value = emit.op("Expand", wide, emit.ints(given, shape[1] // given), what="wide")
    return emit.reshape(value, (shape[1], *ones), what="per_channel")


@writes("BatchNormalization", when=_trains_or_varies)
def batch_normalization(o: Fused) -> Sequence[str]:
    """``(x - mean) / sqrt(var + eps) * scale + shift``, with statistics of the batch while it trains."""
    emit, x = o.emit, o.operand(0)
    rank = o.rank(0)
    scale, shift, mean, variance = (
        emit.reshape(o.operand(i), (-1, *[1] * (rank - 2)), what="per_channel") for i in (1, 2, 3, 4)
    )
    running: list[str] = []
    if o.attr("training_mode", 0):
        axes = (0, *range(2, rank))
        mean = emit.reduce("ReduceMean", x, *axes, what="mean")
        centred = emit.op("Sub", x, mean, what="centred")
        square = emit.op("Mul", centred, centred, what="square")
        variance = emit.reduce("ReduceMean", square, *axes, what="variance")
        running = [_running(o, i, v) for i, v in ((3, mean), (4, variance)) if o.wants(i - 2)]
    centred = emit.op("Sub", x, mean, what="centred")
    floor = emit.op("Add", variance, o.number(o.attr("epsilon", 1e-5)), what="floor")
    y = emit.op("Div", centred, emit.op("Sqrt", floor, what="std"), what="norm")
    return [emit.op("Add", emit.op("Mul", y, scale, what="scaled"), shift, what="Add"), *running]


def _running(o: Fused, i: int, now: str) -> str:
    """A running statistic."""
    emit, momentum = o.emit, float(o.attr("momentum", 0.9))
    flat = emit.reshape(now, (-1,), what="flat")
    old = emit.op("Mul", o.operand(i), o.number(momentum, i), what="old")
    new = emit.op("Mul", flat, o.number(1 - momentum, i), what="new")
    return emit.op("Add", old, new, what="running")
