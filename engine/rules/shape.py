"""Operators that only move elements: relevance moves back the same way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..analysis.shapes import Batch, Dim, Shape
from ..ops.base import Expr, Ops
from .common import unbroadcast
from .node import NodeContext
from .registry import rule


@rule("Reshape", "Flatten", "Squeeze", "Unsqueeze", kind="move", carry="move")
def reshape(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """Back to the input's shape."""
    return [op.reshape(m, node.shape(0)), None][: node.count]


@rule("Transpose", kind="move", carry="move")
def transpose(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """The inverse permutation."""
    rank = node.rank()
    perm = node.attr("perm") or list(range(rank))[::-1]
    return [op.transpose(m, [list(perm).index(i) for i in range(rank)])]


@rule("Expand", kind="move", carry="move")
def expand(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """The sum over the copies."""
    return [unbroadcast(op, m, node.out_shape(), node.shape(0)), None]


def _length(node: NodeContext, dim: Dim) -> int:
    if not isinstance(dim, int):
        raise node.refuse("it joins or splits along the batch")
    return dim


def _part(op: Ops, m: Expr, axis: int, start: int, length: int) -> Expr:
    return op.slice(m, [start], [start + length], [axis], [1])


@rule("Concat", kind="move", carry="move")
def concat(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """Every operand gets its part; a constant one (a class token) absorbs its own."""
    axis = node.negative(int(node.attr("axis", 1)))
    start = 0
    result: list[Expr | None] = []
    for i in range(node.count):
        if node.count == 1:
            return [m]
        length = _length(node, node.shape(i)[axis])
        part = _part(op, m, axis, start, length)
        start += length
        if node.active(i):
            result.append(part)
        else:
            node.absorb("constant", part, node.input(i), tensor=node.node.inputs[i])
            result.append(None)
    return result


@rule("Split", kind="move", carry="move")
def split(op: Ops, node: NodeContext, *m: Expr | None) -> list[Expr | None]:
    """The parts, joined; parts that nobody explained are zero."""
    axis = node.negative(int(node.attr("axis", 0)))
    lengths = [_length(node, node.out_shape(i)[axis]) for i in range(len(node.node.outputs))]
    parts = [*m, *[None] * (len(lengths) - len(m))]
    if all(p is not None for p in parts):
        whole = op.concat([p for p in parts if p is not None], axis)
    else:
        put = [
            op.unslice(p, node.shape(0), [sum(lengths[:i])], [axis], [1])
            for i, p in enumerate(parts)
            if p is not None
        ]
        whole = put[0]
        for more in put[1:]:
            whole = op.add(whole, more)
    return [whole, None][: node.count]


@rule("Slice", kind="move", carry="move")
def slice_before_10(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """Put back where it was cut out, zeros elsewhere."""
    starts = node.attr("starts")
    return _unslice(op, node, m, starts, node.attr("axes") or range(len(starts)), [1] * len(starts))


@rule("Slice", kind="move", since=10, carry="move")
def slice_(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """Put back where it was cut out, zeros elsewhere."""
    starts = node.needs_const(1, "starts").reshape(-1).tolist()
    axes = node.needs_const(3, "axes").reshape(-1).tolist() if node.has(3) else range(len(starts))
    steps = node.needs_const(4, "steps").reshape(-1).tolist() if node.has(4) else [1] * len(starts)
    return _unslice(op, node, m, starts, axes, steps)


def _unslice(
    op: Ops, node: NodeContext, m: Expr, starts: Sequence[int], axes: Sequence[int], steps: Sequence[int]
) -> list[Expr | None]:
    negative = [node.negative(int(a)) for a in axes]
    # A slice that takes everything is none.
    if node.shape(0) == node.out_shape() and all(s == 1 for s in steps):
        return [m, *[None] * (node.count - 1)]
    return [op.unslice(m, node.shape(0), starts, negative, steps), *[None] * (node.count - 1)]


@rule("Pad", kind="move", carry="move")
def pad_before_11(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """What was padded is cut off again; constants absorb, mirrored elements get theirs back."""
    pads = node.attr("pads") or node.attr("paddings")
    return _unpad(op, node, m, list(pads), list(range(node.rank())), node.attr("value", 0.0))


@rule("Pad", kind="move", since=11, carry="move")
def pad(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """What was padded is cut off again; constants absorb, mirrored elements get theirs back."""
    pads = node.needs_const(1, "pads").reshape(-1).tolist()
    axes = node.needs_const(3, "axes").reshape(-1).tolist() if node.has(3) else range(node.rank())
    varies = node.has(2) and node.const(2) is None
    value = node.needs_const(2, "value").reshape(-1) if node.has(2) and not varies else [0.0]
    found = _unpad(op, node, m, pads, [int(a) for a in axes], None if varies else float((*value, 0.0)[0]))
    if varies and node.attr("mode", "constant") == "constant":
        outside = op.mul(m, _outside(op, node, [int(a) for a in axes], pads))
        if node.active(2):
            found[2] = op.reshape(op.sum(outside, list(range(-node.rank(), 0))), node.shape(2))
        else:
            node.absorb("constant", outside, node.input(2), tensor=node.node.inputs[2])
    return found if node.active(0) else [None, *found[1:]]


def _unpad(
    op: Ops, node: NodeContext, m: Expr, pads: list[int], axes: Sequence[int], value: float | None
) -> list[Expr | None]:
    mode = node.attr("mode", "constant")
    n = len(axes)
    shape = list(node.out_shape())
    whole = m
    for axis, begin, end in zip(axes, pads[:n], pads[n:], strict=True):
        at = node.negative(axis)
        before, after = node.shape(0)[at], shape[at]
        if not begin and not end:
            continue
        size, wide = _length(node, before), _length(node, after)
        if mode == "constant":
            if begin < 0 or end < 0:  # a negative pad cuts; its adjoint puts zeros back
                cut: list[Dim] = list(shape)
                cut[at] = wide + max(-begin, 0) + max(-end, 0)
                m = op.unslice(m, tuple(cut), [max(-begin, 0)], [at], [1])
            m = _part(op, m, at, max(begin, 0), size)
        else:
            line: Any = np.arange(size)
            line = line[
                max(-begin, 0) : size - max(-end, 0)
            ]  # a negative pad cuts, and then the rest is padded
            index = np.pad(line, (max(begin, 0), max(end, 0)), mode=mode)
            shape[at] = before
            m = op.ungather(m, op.const(index), at, tuple(shape), 1)
        shape[at] = before
    if mode == "constant" and value is not None and (value or node.moves_relevance):
        # Where the input is, y - pad(x, 0) is 0; where it is not, it is the value. A message r can be there
        # although the value is 0.
        node.absorb("constant", op.mul(whole, _outside(op, node, axes, pads)), op.const(value))
    return [m, *[None] * (node.count - 1)]


def _outside(op: Ops, node: NodeContext, axes: Sequence[int], pads: list[int]) -> Expr:
    """One at padded positions, zero at the input's own."""
    n, inside = len(axes), op.const(1.0)
    for axis, begin, end in zip(axes, pads[:n], pads[n:], strict=True):
        at = node.negative(axis)
        if begin > 0 or end > 0:
            size = _length(node, node.out_shape()[at])
            line = np.ones(size, np.float32)
            line[: max(begin, 0)] = 0
            line[size - max(end, 0) :] = 0
            inside = op.mul(inside, op.const(line.reshape(-1, *[1] * (-at - 1))))
    return op.sub(1.0, inside)


@rule("Tile", kind="move", carry="move")
def tile(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """The sum over the copies."""
    shape = node.shape(0)
    split: list[Dim] = []
    for size, wide in zip(shape, node.out_shape(), strict=True):
        if size == wide:
            split += [1, size]
        elif isinstance(size, Batch) and isinstance(wide, Batch):
            split += [wide.scale // size.scale, size]
        else:
            split += [_length(node, wide) // _length(node, size), size]
    axes = [2 * i - len(split) for i in range(len(shape)) if split[2 * i] != 1]
    got = op.sum(op.reshape(m, tuple(split)), axes)
    return [op.reshape(got, shape), None]


@rule("DepthToSpace", kind="move", carry="move")
def depth_to_space(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """Back from blocks of space to channels."""
    n, c, h, w = node.shape(0)
    b = int(node.attr("blocksize"))
    if node.attr("mode", "DCR") == "DCR":
        inner: Shape = (n, b, b, _length(node, c) // b**2, h, w)
        perm = [0, 3, 4, 1, 5, 2]
    else:
        inner = (n, _length(node, c) // b**2, b, b, h, w)
        perm = [0, 1, 4, 2, 5, 3]
    moved = tuple(inner[p] for p in perm)
    back = op.transpose(op.reshape(m, moved), [perm.index(i) for i in range(6)])
    return [op.reshape(back, node.shape(0))]


@rule("SpaceToDepth", kind="move", carry="move")
def space_to_depth(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """Back from channels to blocks of space."""
    n, c, h, w = node.shape(0)
    b = int(node.attr("blocksize"))
    inner: Shape = (n, c, _length(node, h) // b, b, _length(node, w) // b, b)
    perm = [0, 3, 5, 1, 2, 4]
    back = op.transpose(op.reshape(m, tuple(inner[p] for p in perm)), [perm.index(i) for i in range(6)])
    return [op.reshape(back, node.shape(0))]


@rule("Trilu", kind="move", carry="move")
def trilu(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """The part that was kept; relevance of zeros stays with them."""
    k = int(node.needs_const(1, "diagonal").reshape(())) if node.has(1) else 0
    rows, columns = (_length(node, d) for d in node.shape(0)[-2:])
    ones = np.ones((rows, columns), np.float32)
    kept = np.triu(ones, k) if node.attr("upper", 1) else np.tril(ones, k)
    if node.moves_relevance:
        node.absorb("constant", op.mul(m, op.const(1 - kept)))
    return [op.mul(m, op.const(kept)), None][: node.count]
