"""GridSample: at every point a weighted sum of the elements around it.

Relevance goes to the elements by their weights; where the grid depends on the input as well, weight and
element are a product of two signals (AttnLRP's uniform rule, Achtibat et al. 2024, Prop. 3.3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from ..emit import Emit
from .table import Fused, writes

# Keys' cubic, as the standard has it.
_CUBIC = -0.75


class Sampler:
    """Reads a signal between its elements.

    Parameters
    ----------
    emit : Emit
    rows : str
        [N, elements, C].
    sizes : sequence of int
        Spatial shape; its product is the number of elements.
    dtype : dtype
    """

    def __init__(self, emit: Emit, rows: str, sizes: Sequence[int], dtype: object) -> None:
        self.emit, self.rows, self.sizes, self.dtype = emit, rows, tuple(sizes), dtype

    def number(self, value: float) -> str:
        """A constant."""
        return self.emit.const(value, dtype=self.dtype)

    def element(self, at: Sequence[str]) -> tuple[str, str]:
        """Elements at whole positions (one [N, P, 1] a spatial axis); and 1 where they are inside, else 0."""
        emit = self.emit
        flat, inside = "", ""
        for where, size in zip(at, self.sizes, strict=True):
            kept = emit.op("Max", emit.op("Min", where, self.number(size - 1)), self.number(0), what="kept")
            is_there = emit.op("Equal", kept, where, what="is_there")
            inside = emit.op("And", inside, is_there, what="inside") if inside else is_there
            flat = emit.op("Mul", flat, self.number(size), what="rows") if flat else ""
            flat = emit.op("Add", flat, kept, what="flat") if flat else kept
        index = emit.op("Cast", flat, what="index", to=onnx_int64())
        got = emit.op("GatherND", self.rows, index, what="element", batch_dims=1)
        kind = _type(self.dtype)
        return got, emit.op("Cast", inside, what="weight_inside", to=kind)

    def linear(self, at: Sequence[str]) -> str:
        """Between the nearest elements, [N, P, C]; nothing outside."""
        emit = self.emit
        ends = []
        for where in at:
            low = emit.op("Floor", where, what="low")
            part = emit.op("Sub", where, low, what="part")
            rest = emit.op("Sub", self.number(1), part, what="rest")
            ends.append(((low, rest), (emit.op("Add", low, self.number(1), what="high"), part)))
        return self.total(ends)

    def total(
        self, ends: Sequence[Sequence[tuple[str, str]]], keep: Callable[[int, str], str] | None = None
    ) -> str:
        """The sum over all combinations of a position and its weight on each axis."""
        emit = self.emit
        parts = []
        for corner in product(*ends):
            at = [where if keep is None else keep(k, where) for k, (where, _) in enumerate(corner)]
            element, inside = self.element(at)
            weight = inside
            for _, w in corner:
                weight = emit.op("Mul", weight, w, what="weight")
            parts.append(emit.op("Mul", element, weight, what="share"))
        return emit.op("Sum", *parts, what="sampled")


def onnx_int64() -> int:
    """ONNX's number for int64."""
    return _type(np.int64)


def _type(dtype: object) -> int:
    from onnx import helper

    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))  # type: ignore[call-overload]


def rows_of(o: Fused) -> str:
    """[N, C, ...] as [N, elements, C]."""
    emit, shape = o.emit, o.value(0).shape
    flat = emit.reshape(o.operand(0), (0, shape[1], int(np.prod(shape[2:]))), what="flat")
    return emit.transpose(flat, (0, 2, 1), what="rows")


def images(emit: Emit, sampled: str, channels: int, sizes: Sequence[int]) -> str:
    """[N, P, C] as [N, C, ...]."""
    turned = emit.transpose(sampled, (0, 2, 1), what="turned")
    return emit.reshape(turned, (0, channels, *sizes), what="images")


@writes("GridSample")
def grid_sample(o: Fused) -> Sequence[str]:
    """Elements around each point of the grid, weighted."""
    emit, shape, out = o.emit, o.value(0).shape, o.value(1).shape[1:-1]
    sizes, corners = shape[2:], bool(o.attr("align_corners", 0))
    mode, padding = o.attr("mode", "linear"), o.attr("padding_mode", "zeros")
    sampler = Sampler(emit, rows_of(o), sizes, o.dtype)
    points = emit.reshape(o.operand(1), (0, -1, len(sizes)), what="points")
    at = []
    for axis, size in enumerate(sizes):
        # The grid names the last axis first; from -1 to 1, at the centres or the edges of the outermost.
        last = len(sizes) - 1 - axis
        own = emit.slice(points, last, last + 1, 2, what="coordinate")
        scale, shift = ((size - 1) / 2, (size - 1) / 2) if corners else (size / 2, (size - 1) / 2)
        scaled = emit.op("Mul", own, sampler.number(scale), what="scaled")
        at.append(emit.op("Add", scaled, sampler.number(shift), what="position"))

    def keep(axis: int, where: str) -> str:
        return _padded(sampler, where, sizes[axis], padding, corners)

    if mode == "nearest":
        whole = [keep(i, emit.op("Round", p, what="nearest")) for i, p in enumerate(at)]
        element, inside = sampler.element(whole)
        sampled = emit.op("Mul", element, inside, what="sampled")
    elif mode in ("linear", "bilinear"):
        sampled = sampler.linear([keep(i, p) for i, p in enumerate(at)])
    else:
        sampled = sampler.total([_cubic(sampler, p) for p in at], keep)
    return [images(emit, sampled, shape[1], out)]


def _padded(s: Sampler, where: str, size: int, padding: str, corners: bool) -> str:
    """A position outside brought back to the border, or mirrored there."""
    emit = s.emit
    if padding == "zeros":
        return where
    if padding == "reflection":
        low, high = (0.0, size - 1.0) if corners else (-0.5, size - 0.5)
        span = high - low
        if span:
            # |x - low| runs through a zigzag of period 2 span.
            far = emit.op("Abs", emit.op("Sub", where, s.number(low)), what="far")
            turns = emit.op("Floor", emit.op("Div", far, s.number(2 * span)), what="turns")
            along = emit.op("Sub", far, emit.op("Mul", turns, s.number(2 * span)), what="along")
            back = emit.op("Abs", emit.op("Sub", along, s.number(span)), what="back")
            where = emit.op("Sub", s.number(low + span), back, what="mirrored")
    return emit.op("Max", emit.op("Min", where, s.number(size - 1)), s.number(0), what="padded")


def _cubic(s: Sampler, where: str) -> list[tuple[str, str]]:
    """The four positions around one, and Keys' weights."""
    emit, a = s.emit, _CUBIC
    low = emit.op("Floor", where, what="low")
    part = emit.op("Sub", where, low, what="part")
    found = []
    for k in (-1, 0, 1, 2):
        # The distance to each, from 0 to 2.
        t = emit.op("Sub", part, s.number(k), what="distance")
        t = t if k < 1 else emit.op("Neg", t, what="distance")
        inner = k in (0, 1)
        powers = (1.0, 0.0, -(a + 3), a + 2) if inner else (-4 * a, 8 * a, -5 * a, a)
        weight = s.number(powers[3])
        for c in powers[2::-1]:
            weight = emit.op("Add", emit.op("Mul", weight, t), s.number(c), what="cubic")
        found.append((emit.op("Add", low, s.number(k), what="at"), weight))
    return found
