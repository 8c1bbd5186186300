"""Primitives that move, pick and scatter, written out as ONNX nodes.

Backward values may have the axis K in front (`Emitter.lead`), which operators that count axes from the
front, or pair every index with every position, must be told of. So K goes to the end for them, where
whole slices are taken along.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from onnx import TensorProto

from ..analysis.shapes import Batch, Dim, Shape
from .onnx import Emitter, emitter


def whole(e: Emitter, shape: Sequence[Dim], lead: int | None = None) -> str:
    """A shape as a tensor, the axis K in front of it."""
    front = e.front() if lead is None or lead else []
    return e.shape([*front, *shape])


def reshaped(e: Emitter, a: str, dims: Sequence[Dim]) -> str:
    """A Reshape; where one dimension alone grows with the batch it is the one that is left open."""
    growing = sum(not isinstance(d, int) for d in dims)
    if growing <= 1 and 0 not in dims:
        return e.node("Reshape", [a, e.ints(d if isinstance(d, int) else -1 for d in dims)])
    return (
        e.node("Reshape", [a, e.shape(dims)], allowzero=1)
        if 0 in dims
        else e.node("Reshape", [a, e.shape(dims)])
    )


def zeros(e: Emitter, dims: Sequence[Dim], value: float = 0.0) -> str:
    """A tensor of one number."""
    if all(isinstance(d, int) for d in dims) and prod(d for d in dims if isinstance(d, int)) <= 256:
        return e.constant(np.full([d for d in dims if isinstance(d, int)], value, e.dtype))
    return e.node("Expand", [e.constant(np.asarray(value, e.dtype)), e.shape(dims)])


@emitter
def _ones(e: Emitter, args: list[str], *, shape: Shape) -> str:
    return zeros(e, shape, 1.0)


@emitter
def _transpose(e: Emitter, args: list[str], *, perm: tuple[int, ...]) -> str:
    return e.node("Transpose", args, perm=[*range(e.lead), *(p + e.lead for p in perm)])


@emitter
def _reshape(e: Emitter, args: list[str], *, shape: Shape) -> str:
    return reshaped(e, args[0], [*e.front(), *shape])


@emitter
def _expand(e: Emitter, args: list[str], *, shape: Shape) -> str:
    a = args[0]
    if e.lead and (missing := len(shape) - len(e.shape_of(0))) > 0:
        a = e.node("Unsqueeze", [a, e.ints(range(1, 1 + missing))])
    return e.node("Expand", [a, whole(e, shape)])


@emitter
def _slice(e: Emitter, args: list[str], *, starts: Any, ends: Any, axes: Any, steps: Any) -> str:
    return e.node("Slice", [*args, e.ints(starts), e.ints(ends), e.ints(axes), e.ints(steps)])


@emitter
def _unslice(e: Emitter, args: list[str], *, shape: Shape, starts: Any, axes: Any, steps: Any) -> str:
    a, rank = args[0], len(shape)
    before, after = [0] * rank, [0] * rank
    for start, axis, step in zip(starts, axes, steps, strict=True):
        full, part = shape[axis], e.shape_of(0)[axis]
        if isinstance(full, Batch) and isinstance(part, Batch) and full.scale == part.scale and step == 1:
            # The same number is cut from every batch: only offsets differ.
            first = start + full.offset if start < 0 else start
            before[axis], after[axis] = first, full.offset - part.offset - first
            continue
        if not isinstance(full, int) or not isinstance(part, int):
            raise NotImplementedError("a slice along the batch")
        first = start + full if start < 0 else start
        first = min(max(first, 0), full - 1 if step < 0 else full)
        if step == 1:
            before[axis], after[axis] = first, full - part - first
            continue
        # Element i of the whole is element k of the part, or the zero that is put behind it.
        source = np.full(full, part, np.int64)
        source[first + step * np.arange(part)] = np.arange(part)
        a = e.node("Gather", [_pad_one(e, a, axis, rank), e.constant(source)], axis=axis)
    if any(before) or any(after):
        front = [0] * e.lead
        a = e.node("Pad", [a, e.ints([*front, *before, *front, *after])])
    return a


def _pad_one(e: Emitter, a: str, axis: int, rank: int) -> str:
    """One zero behind an axis.

    Written for all axes: onnxruntime's optimiser moves transpositions past a Pad, and gets those wrong that
    have their axes as an operand.
    """
    pads = [0] * (2 * (rank + e.lead))
    pads[axis] = 1
    return e.node("Pad", [a, e.ints(pads)])


@emitter
def _concat(e: Emitter, args: list[str], *, axis: int) -> str:
    assert e.here is not None
    if e.targets is None or not any(p.kind == "backward" for p in e.here.args):
        return e.node("Concat", args, axis=axis)
    parts = [
        name
        if p.kind == "backward"
        else e.node("Expand", [name, e.ints([e.targets, *[1] * len(e.shapes[e.here.index])])])
        for name, p in zip(args, e.here.args, strict=True)
    ]
    return e.node("Concat", parts, axis=axis)


@emitter
def _argmax(e: Emitter, args: list[str], *, axis: int) -> str:
    return e.node("ArgMax", args, axis=axis, keepdims=1)


@emitter
def _cumsum(e: Emitter, args: list[str], *, axis: int, exclusive: bool, reverse: bool) -> str:
    where = e.constant(np.asarray(axis, dtype=np.int64))
    return e.node("CumSum", [*args, where], exclusive=int(exclusive), reverse=int(reverse))


@emitter
def _gather(e: Emitter, args: list[str], *, axis: int) -> str:
    return e.node("Gather", args, axis=axis)


@emitter
def _ungather(e: Emitter, args: list[str], *, axis: int, shape: Shape, rank: int) -> str:
    assert e.here is not None
    a, full, index = args[0], shape[axis], e.here.args[1]
    known = index.attrs["array"] if index.kind == "const" else None
    behind = list(shape[axis:][1:])
    ahead = list(shape[: len(shape) + axis])
    if known is not None and isinstance(full, int):
        at = np.where(known < 0, known + full, known).reshape(-1)
        if rank != 1:
            a = reshaped(e, a, [*e.front(), *ahead, at.size, *behind])
        if len(np.unique(at)) == at.size:
            if at.size and (np.diff(at) == 1).all():
                pads = [0] * (2 * (len(shape) + e.lead))
                begin = len(shape) + e.lead + axis
                pads[begin], pads[begin + len(shape) + e.lead] = int(at[0]), int(full - 1 - at[-1])
                return e.node("Pad", [a, e.ints(pads)]) if any(pads) else a
            source = np.full(full, at.size, np.int64)
            source[at] = np.arange(at.size)
            a = _pad_one(e, a, axis, len(shape))
            return e.node("Gather", [a, e.constant(source)], axis=axis)
        flat = e.constant(at.reshape(-1, 1))
    else:
        count = e.node("Reshape", [args[1], e.ints([-1, 1])])
        size = e.shape([full])
        flat = e.node("Where", [e.node("Less", [count, e.ints([0])]), e.node("Add", [count, size]), count])
        if rank != 1:
            inner: list[Dim] = list(e.shape_of(0)[len(ahead) : len(ahead) + rank])
            if all(isinstance(d, int) for d in inner):
                inner = [prod(d for d in inner if isinstance(d, int))]
                a = reshaped(e, a, [*e.front(), *ahead, *inner, *behind])
            else:
                merged = e.node(
                    "Concat", [whole(e, ahead), e.ints([-1]), *([e.shape(behind)] if behind else [])], axis=0
                )
                a = e.node("Reshape", [a, merged])
    n = len(shape) + e.lead
    first = n + axis
    perm = [first, *(i for i in range(n) if i != first)]
    target = zeros(e, [full, *e.front(), *ahead, *behind])
    moved = a if perm == list(range(n)) else e.node("Transpose", [a], perm=perm)
    put = e.node("ScatterND", [target, flat, moved], reduction="add")
    return (
        put if perm == list(range(n)) else e.node("Transpose", [put], perm=[perm.index(i) for i in range(n)])
    )


def _k_last(e: Emitter, a: str, rank: int, back: bool = False) -> str:
    """The axis K behind all others, or in front again; nothing where there is none."""
    if not e.lead:
        return a
    perm = [rank, *range(rank)] if back else [*range(1, rank + 1), 0]
    return e.node("Transpose", [a], perm=perm)


@emitter
def _gather_nd(e: Emitter, args: list[str], *, batch_dims: int) -> str:
    if not e.lead:
        return e.node("GatherND", args, batch_dims=batch_dims)
    a = _k_last(e, args[0], len(e.shape_of(0)))
    return _k_last(e, e.node("GatherND", [a, args[1]], batch_dims=batch_dims), len(e.own()), back=True)


@emitter
def _ungather_nd(e: Emitter, args: list[str], *, batch_dims: int, shape: Shape) -> str:
    a = _k_last(e, args[0], len(e.shape_of(0)))
    index = args[1]
    if batch_dims:
        index = _with_grid(e, index, batch_dims)
    target = zeros(e, [*shape, *e.front()])
    return _k_last(e, e.node("ScatterND", [target, index, a], reduction="add"), len(shape), back=True)


def _with_grid(e: Emitter, index: str, batch_dims: int) -> str:
    """Indices of ScatterND out of those of a GatherND that has batch dimensions."""
    size = e.node("Shape", [index])
    rows = e.node("Slice", [size, e.ints([0]), e.ints([-1])])
    one = e.node("Concat", [rows, e.ints([1])], axis=0)
    grids = []
    rank = e.node("Size", [size])
    for i in range(batch_dims):
        length = e.node("Squeeze", [e.node("Slice", [size, e.ints([i]), e.ints([i + 1])])])
        zero, step = (e.constant(np.asarray(v, np.int64)) for v in (0, 1))
        line = e.node("Range", [zero, length, step])
        # Along axis i of the indices: 1s behind it, as many as there are axes left.
        behind = e.node("Sub", [e.node("Reshape", [rank, e.ints([1])]), e.ints([i + 1])])
        ones = e.node("Expand", [e.constant(np.asarray(1, np.int64)), behind])
        shape = e.node("Concat", [e.ints([-1]), ones], axis=0)
        grids.append(e.node("Expand", [e.node("Reshape", [line, shape]), one]))
    return e.node("Concat", [*grids, index], axis=-1)


@emitter
def _mask_nd(e: Emitter, args: list[str]) -> str:
    ones = zeros(e, e.shape_of(0), 1.0)
    count = e.node("Slice", [e.node("Shape", [args[1]]), e.ints([0]), e.ints([-1])])
    depth = e.node("Squeeze", [e.node("Slice", [e.node("Shape", [args[1]]), e.ints([-1]), e.ints([2**31])])])
    start = e.node("Reshape", [depth, e.ints([1])])
    rest = e.node("Slice", [e.shape(e.shape_of(0)), start, e.ints([2**31])])
    none = e.node("Expand", [e.constant(np.asarray(0, e.dtype)), e.node("Concat", [count, rest], axis=0)])
    return e.node("Mul", [args[0], e.node("ScatterND", [ones, args[1], none])])


def _indices(e: Emitter, indices: str, rank: int) -> str:
    """Indices of GatherElements repeated for every target."""
    if not e.lead:
        return indices
    return e.node("Expand", [indices, e.ints([*e.front(), *[1] * rank])])


@emitter
def _gather_elements(e: Emitter, args: list[str], *, axis: int) -> str:
    rank = len(e.shape_of(0)) if e.lead else 0
    return e.node("GatherElements", [args[0], _indices(e, args[1], rank)], axis=axis)


@emitter
def _ungather_elements(e: Emitter, args: list[str], *, axis: int, shape: Shape) -> str:
    target = zeros(e, [*e.front(), *shape])
    where = _indices(e, args[1], len(shape))
    return e.node("ScatterElements", [target, where, args[0]], axis=axis, reduction="add")


@emitter
def _mask_elements(e: Emitter, args: list[str], *, axis: int) -> str:
    ones = zeros(e, e.shape_of(0), 1.0)
    none = e.node("Expand", [e.constant(np.asarray(0, e.dtype)), e.node("Shape", [args[1]])])
    return e.node("Mul", [args[0], e.node("ScatterElements", [ones, args[1], none], axis=axis)])


@emitter
def _reverse_sequence(e: Emitter, args: list[str], *, time: int, samples: int) -> str:
    rank = len(e.shape_of(0)) + e.lead
    first = [time + rank, samples + rank]
    perm = [*first, *(i for i in range(rank) if i not in first)]
    moved = e.node("Transpose", [args[0]], perm=perm)
    turned = e.node("ReverseSequence", [moved, args[1]], time_axis=0, batch_axis=1)
    return e.node("Transpose", [turned], perm=[perm.index(i) for i in range(rank)])


@emitter
def _unflatten_at(e: Emitter, args: list[str], *, shape: Shape) -> str:
    count = e.node("Reshape", [e.shape(list(shape)), e.ints([-1])])
    size = e.node("ReduceProd", [count], keepdims=1)
    none = e.constant(np.asarray(0, e.dtype))
    front = e.front()
    if front:
        size = e.node("Concat", [e.ints(front), size], axis=0)
    target = e.node("Expand", [none, size])
    a = e.node("Reshape", [args[0], e.ints([*front, -1])])
    where = e.node("Reshape", [args[1], e.ints([*[1] * len(front), -1])])
    if front:
        where = e.node("Expand", [where, e.ints([*front, 1])])
    put = e.node("ScatterElements", [target, where, a], axis=len(front), reduction="add")
    return reshaped(e, put, [*front, *shape])


@emitter
def _per_sample(e: Emitter, args: list[str], *, layout: Any) -> str:
    rank = len(e.shape_of(0))
    if 0 in e.shape_of(0):  # onnxruntime (1.31) leaves what is empty as it is, whatever is summed
        none = e.constant(np.asarray(0, np.float64))
        front = e.front()
        return e.node("Expand", [none, e.shape([*front, Batch()])])
    # In double: an entry is a sum of many small terms of both signs.
    a = e.node("Cast", [args[0]], to=TensorProto.DOUBLE)
    front = e.front()
    if layout is None or rank == 0:
        total = e.node("ReduceSum", [a, e.ints(range(-rank, 0))], keepdims=0) if rank else a
        count = e.node("Cast", [e.samples()], to=TensorProto.DOUBLE)
        each = e.node("Div", [e.node("Unsqueeze", [total, e.ints([-1])]), count])
        return e.node(
            "Expand", [each, e.node("Concat", [e.ints(front), e.samples()], axis=0) if front else e.samples()]
        )
    others = [i for i in range(-rank, 0) if i != layout.axis]
    a = e.node("ReduceSum", [a, e.ints(others)], keepdims=0) if others else a
    if layout.outer == layout.inner == 1:
        return a
    parts = e.node("Reshape", [a, e.ints([*front, layout.outer, -1, layout.inner])])
    return e.node("ReduceSum", [parts, e.ints([-3, -1])], keepdims=0)
