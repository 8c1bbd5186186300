"""Regions of interest: RoiAlign and MaxRoiPool.

A region says where to look and is held constant, as attention weights are by CP-LRP (Ali et al. 2022): the
elements that were read get everything. Another region is another rewriting.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...file.protobuf import Array
from .table import Fused, writes


def _read(o: Fused, index: Array) -> str:
    """Elements [N, C, ...] by flat position of sample and place: [*index, C]."""
    emit, channels = o.emit, o.value(0).shape[1]
    rank = o.rank(0)
    last = emit.transpose(o.operand(0), (0, *range(2, rank), 1), what="channels_last")
    rows = emit.reshape(last, (-1, channels), what="rows")
    return emit.op("Gather", rows, emit.const(index.astype(np.int64), "index"), what="elements", axis=0)


def _hold(o: Fused, *operands: int) -> None:
    for i in operands:
        o.emit.work.decide(o.operand(i), o.value(i), o.emit.reason)


def _given(o: Fused, bins: str, regions: int) -> list[str]:
    """[regions, bins, C] as [regions, C, height, width]."""
    emit = o.emit
    turned = emit.transpose(bins, (0, 2, 1), what="turned")
    return [emit.reshape(turned, (regions, o.value(0).shape[1], *_bins(o)), what="regions")]


def _bins(o: Fused) -> tuple[int, int]:
    if o.attr("pooled_shape"):
        high, wide = o.attr("pooled_shape")
        return int(high), int(wide)
    return int(o.attr("output_height", 1)), int(o.attr("output_width", 1))


@writes("RoiAlign")
def roi_align(o: Fused) -> Sequence[str]:
    """Mean, or maximum, of weighted elements around regular points of each bin."""
    emit = o.emit
    _hold(o, 1, 2)
    index, weight = _aligned(o)
    share = emit.op("Mul", _read(o, index), emit.const(weight[..., None].astype(o.dtype)), what="shares")
    kind = "ReduceMax" if o.attr("mode", "avg") == "max" else "ReduceSum"
    bins = emit.reduce(kind, share, 2, keepdims=0, what="bins")
    return _given(o, bins, len(o.value(1)))


def _aligned(o: Fused) -> tuple[Array, Array]:
    """Flat positions and weights [regions, bins, points], 0 behind where a region has fewer."""
    high, wide = o.value(0).shape[2:]
    default = "half_pixel" if o.emit.opset >= 16 else "output_half_pixel"
    half = o.attr("coordinate_transformation_mode", default) == "half_pixel"
    ratio, scale = int(o.attr("sampling_ratio", 0)), float(o.attr("spatial_scale", 1.0))
    mean = o.attr("mode", "avg") == "avg"
    found = []
    for region, sample in zip(o.value(1).astype(np.float64), o.value(2).reshape(-1), strict=True):
        x1, y1, x2, y2 = region * scale - (0.5 if half else 0.0)
        size = np.array([y2 - y1, x2 - x1])
        size = size if half else np.maximum(size, 1.0)
        bins = np.array(_bins(o))
        step = size / bins
        grid = np.full(2, ratio) if ratio > 0 else np.maximum(np.ceil(step), 0).astype(int)
        lines = [
            start + (np.arange(n)[:, None] + (np.arange(k) + 0.5) / max(k, 1)) * s
            for start, n, k, s in zip((y1, x1), bins, grid, step, strict=True)
        ]
        ends = [_ends(line, n) for line, n in zip(lines, (high, wide), strict=True)]
        row, column = (e[0] for e in ends)  # [bins, points, 2]
        at = (
            row[:, None, :, None, :, None] * wide + column[None, :, None, :, None, :]
        ) + sample * high * wide
        weight = ends[0][1][:, None, :, None, :, None] * ends[1][1][None, :, None, :, None, :]
        weight = weight / max(int(grid.prod()), 1) if mean else weight
        found.append((at.reshape(bins.prod(), -1), weight.reshape(bins.prod(), -1)))
    longest = max((at.shape[1] for at, _ in found), default=0) or 1
    # Of a maximum nothing may be added but what is there already.
    fill = "constant" if mean else "edge"
    index, weights = (
        np.stack([np.pad(part, ((0, 0), (0, longest - part.shape[1])), mode=fill) for part in parts])  # type: ignore[call-overload]
        for parts in zip(*found, strict=True)
    )
    return index.astype(np.int64), weights


def _ends(line: Array, size: int) -> tuple[Array, Array]:
    """The two elements around each point and their weights; none for points outside."""
    outside = (line < -1) | (line > size)
    at = np.clip(line, 0, size - 1)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, size - 1)
    part = np.where(low >= size - 1, 0.0, at - low)
    weight = np.stack([1 - part, part], axis=-1) * ~outside[..., None]
    return np.stack([low, high], axis=-1), weight


@writes("MaxRoiPool")
def max_roi_pool(o: Fused) -> Sequence[str]:
    """The largest element of each bin."""
    emit = o.emit
    _hold(o, 1)
    high, wide = o.value(0).shape[2:]
    scale, bins = float(o.attr("spatial_scale", 1.0)), _bins(o)
    found: list[list[Array]] = []
    for sample, *region in o.value(1):
        x1, y1, x2, y2 = (int(np.floor(v * scale + 0.5)) for v in region)
        lines = []
        for start, end, n, size in ((y1, y2, bins[0], high), (x1, x2, bins[1], wide)):
            step = max(end - start + 1, 1) / n
            low = np.floor(np.arange(n) * step).astype(int) + start
            above = np.ceil((np.arange(n) + 1) * step).astype(int) + start
            lines.append([np.arange(max(a, 0), min(b, size)) for a, b in zip(low, above, strict=True)])
        found.append(
            [
                (row[:, None] * wide + column + int(sample) * high * wide).reshape(-1)
                for row in lines[0]
                for column in lines[1]
            ]
        )
    longest = max((len(at) for region in found for at in region), default=0) or 1
    there = np.array([[len(at) > 0 for at in region] for region in found])
    index = np.stack(
        [np.stack([np.resize(at if len(at) else [0], longest) for at in region]) for region in found]
    )
    elements = _read(o, index)
    largest = emit.reduce("ReduceMax", elements, 2, keepdims=0, what="largest")
    if not there.all():
        largest = emit.op("Mul", largest, emit.const(there[..., None].astype(o.dtype)), what="there")
    return _given(o, largest, len(found))
