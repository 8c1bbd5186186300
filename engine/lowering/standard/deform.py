"""DeformConv: a convolution of elements that are read beside their places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...file.protobuf import Array
from .sampling import Sampler, images, rows_of
from .table import Fused, writes


@writes("DeformConv")
def deform_conv(o: Fused) -> Sequence[str]:
    """Every element of every window sampled at its own offset, then one product with the kernel."""
    emit, shape, kernel = o.emit, o.value(0).shape, o.value(1).shape
    if len(shape) != 4:
        raise o.refuse(f"{len(shape) - 2} spatial axes")
    groups, parts = int(o.attr("group", 1)), int(o.attr("offset_group", 1))
    window, taps = kernel[2:], int(np.prod(kernel[2:]))
    out = o.value(2).shape[2:]
    points = int(np.prod(out))
    own = shape[1] // parts
    rows = rows_of(o)
    columns = []
    for part in range(parts):
        mine = emit.slice(rows, part * own, (part + 1) * own, 2, what="channels") if parts > 1 else rows
        sampler = Sampler(emit, mine, shape[2:], o.dtype)
        at = []
        for axis in range(2):
            offset = emit.reshape(o.operand(2), (0, parts, taps, 2, points), what="offsets")
            for k, i in ((1, part), (3, axis)):
                offset = emit.slice(offset, i, i + 1, k, what="offset")
            flat = emit.reshape(offset, (0, taps * points, 1), what="offset")
            plain = _places(o, axis, window, out).astype(o.dtype).reshape(1, -1, 1)
            at.append(emit.op("Add", flat, emit.const(plain, "places"), what="position"))
        got = sampler.linear(at)
        if o.operand(4):
            mask = emit.reshape(o.operand(4), (0, parts, taps * points, 1), what="mask")
            weight = emit.reshape(
                emit.slice(mask, part, part + 1, 1, what="own"), (0, taps * points, 1), what="mask"
            )
            got = emit.op("Mul", got, weight, what="masked")
        columns.append(emit.reshape(got, (0, taps, points, own), what="windows"))
    windows = emit.transpose(emit.concat(columns, 3, what="windows"), (0, 2, 1, 3), what="windows")
    per_in, per_out = shape[1] // groups, kernel[0] // groups
    sums = []
    for g in range(groups):
        taken = emit.slice(windows, g * per_in, (g + 1) * per_in, 3, what="group") if groups > 1 else windows
        flat = emit.reshape(taken, (0, points, taps * per_in), what="flat")
        weight = emit.slice(o.operand(1), g * per_out, (g + 1) * per_out, 0) if groups > 1 else o.operand(1)
        turned = emit.transpose(weight, (2, 3, 1, 0), what="kernel")
        sums.append(emit.op("MatMul", flat, emit.reshape(turned, (taps * per_in, per_out)), what="MatMul"))
    y = emit.concat(sums, 2, what="sums")
    if o.operand(3):
        y = emit.op("Add", y, o.operand(3), what="bias")
    return [images(emit, y, kernel[0], out)]


def _places(o: Fused, axis: int, window: Sequence[int], out: Sequence[int]) -> Array:
    """Where each element of each window would be read without an offset: [taps, points]."""
    stride = (o.attr("strides") or [1, 1])[axis]
    dilation = (o.attr("dilations") or [1, 1])[axis]
    pad = (o.attr("pads") or [0, 0, 0, 0])[axis]
    taps = np.indices(tuple(window))[axis].reshape(-1, 1) * dilation
    points = np.indices(tuple(out))[axis].reshape(1, -1) * stride - pad
    places: Array = taps + points
    return places
