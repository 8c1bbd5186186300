"""onnxruntime's nchwc operators: channels in blocks of 8 or 16, undone.

Between ReorderInput and ReorderOutput a tensor [batch, channels, ...] has its elements in another order:
[batch, channels / block, ..., block]. Everything is done in the plain order instead; weights are put
back into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from onnx import TensorProto, helper

from ...file import runtime
from ...file.protobuf import Array
from .linear import CONV
from .table import NCHWC, Fused, activated, writes


@cache
def block_size() -> int:
    """Channels in one block on this machine: as many as come out where four go in."""
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("ReorderInput", ["x"], ["y"], domain=NCHWC)],
        "block",
        [info("x", TensorProto.FLOAT, [1, 4, 1, 1])],
        [info("y", TensorProto.FLOAT, None)],
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(NCHWC, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    opened = runtime.session(model, where="nchwc", asked=["CPUExecutionProvider"], optimise=False)
    (y,) = runtime.run(opened, ["y"], {"x": np.zeros((1, 4, 1, 1), np.float32)}, where="nchwc")
    return int(y.shape[1])


def plain(weight: Array, block: int) -> Array:
    """A convolution's weight [out, in, ...] out of its blocked order."""
    out, channels, *kernel = weight.shape
    axes = len(kernel)
    if channels % block == 0:  # [out / b, in / b, ..., b of in, b of out]
        parts = weight.reshape(out // block, channels // block, *kernel, block, block)
        ordered = parts.transpose(0, axes + 3, 1, axes + 2, *range(2, axes + 2))
    else:  # [out / b, in, ..., b of out]
        parts = weight.reshape(out // block, channels, *kernel, block)
        ordered = parts.transpose(0, axes + 2, 1, *range(2, axes + 2))
    made: Array = ordered.reshape(weight.shape)
    return made


@writes("ReorderInput", domain=NCHWC)
def reorder_input(o: Fused) -> Sequence[str]:
    """Channels first, filled up with zeros to whole blocks."""
    emit, rank, shape = o.emit, o.rank(0), o.value(0).shape
    x = o.operand(0)
    channels = shape[-1] if o.attr("channels_last", 0) else shape[1]
    if o.attr("channels_last", 0):
        x = emit.transpose(x, (0, rank - 1, *range(1, rank - 1)), what="Transpose")
    missing = -channels % block_size()
    if missing:
        pads = [0] * 2 * rank
        pads[rank + 1] = missing
        if emit.opset < 11:
            x = emit.op("Pad", x, what="Pad", pads=pads)
        else:
            x = emit.op("Pad", x, emit.ints(*pads), what="Pad")
    return [x]


@writes("ReorderOutput", domain=NCHWC)
def reorder_output(o: Fused) -> Sequence[str]:
    """Without the channels that only fill up a block."""
    emit, rank = o.emit, o.rank(0)
    x, channels = o.operand(0), int(o.attr("channels"))
    if channels != o.value(0).shape[1]:
        x = emit.slice(x, 0, channels, 1, what="Slice")
    if o.attr("channels_last", 0):
        x = emit.transpose(x, (0, *range(2, rank), 1), what="Transpose")
    return [x]


@writes("Conv", domain=NCHWC)
def conv(o: Fused) -> Sequence[str]:
    """A convolution, another signal added, then an activation."""
    weight = o.constant(1)
    if weight is None:
        raise o.refuse("a weight that is computed")
    x, w = o.operand(0), o.emit.const(plain(weight, block_size()), "weight")
    given = {k: o.attr(k) for k in CONV}
    bias = (o.operand(2),) if o.operand(2) else ()
    y = o.emit.op("Conv", x, w, *bias, what="Conv", **given)
    return [activated(o, o.emit.op("Add", y, o.operand(3), what="sum") if o.operand(3) else y)]


@writes("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool", domain=NCHWC)
def pool(o: Fused) -> Sequence[str]:
    """The standard's own."""
    kind = o.node.op_type
    names = ("auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "strides", "count_include_pad")
    given = {k: o.attr(k) for k in names}
    if kind == "MaxPool":
        given.pop("count_include_pad")
    if o.emit.opset < (10 if kind == "MaxPool" else 19):
        given.pop("dilations")
    if o.emit.opset < 10:
        given.pop("ceil_mode")
    return [o.emit.op(kind, o.operand(0), what=kind, **given)]


@writes("Upsample", domain=NCHWC)
def upsample(o: Fused) -> Sequence[str]:
    """Resize by whole factors."""
    emit, scales = o.emit, [float(s) for s in o.attr("scales")]
    mode = o.attr("mode", "nearest")
    sizes = emit.const(np.array(scales, np.float32), "scales")
    if emit.opset < 11:
        return [emit.op("Resize" if emit.opset == 10 else "Upsample", o.operand(0), sizes, mode=mode)]
    given = {"coordinate_transformation_mode": o.attr("coordinate_transformation_mode", "asymmetric")}
    if mode == "nearest":
        given["nearest_mode"] = "floor"
    empty = "" if emit.opset >= 13 else emit.const(np.zeros(0, np.float32), "no_region")
    return [emit.op("Resize", o.operand(0), empty, sizes, what="Resize", mode=mode, **given)]
