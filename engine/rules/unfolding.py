"""Windows laid side by side (im2col), and what is made of them: Col2Im, and kernels that are signals."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np

from ..analysis.shapes import Dim, Shape
from ..ops.base import Array, Expr, Ops, Window
from .node import NodeContext
from .registry import rule


def positions(view: Window, out: tuple[int, ...]) -> tuple[Array, Array]:
    """Flat positions [taps, windows] of the elements that each window meets, and whether they are there."""
    n = len(view.kernel)
    spatial = tuple(int(d) for d in view.spatial if isinstance(d, int))
    index = np.zeros((prod(view.kernel), prod(out)), np.int64)
    there = np.ones(index.shape, bool)
    starts = list(product(*(range(o) for o in out)))
    for axis in range(n):
        tap = np.array([t[axis] for t in product(*(range(k) for k in view.kernel))]) * view.dilations[axis]
        start = np.array([s[axis] for s in starts]) * view.strides[axis] - view.pads[axis]
        at = tap[:, None] + start[None]
        there &= (at >= 0) & (at < spatial[axis])
        index = index * spatial[axis] + np.clip(at, 0, spatial[axis] - 1)
    return index, there


def unfold(op: Ops, x: Expr, lead: tuple[Dim, ...], view: Window, out: tuple[int, ...]) -> Expr:
    """[*lead, *spatial] as [*lead, taps, windows]; zeros where a window meets padding."""
    index, there = positions(view, out)
    size = prod(d for d in view.spatial if isinstance(d, int))
    flat = op.gather(op.reshape(x, (*lead, size)), op.const(index.reshape(-1)), -1)
    kept = op.mul(flat, op.const(there.reshape(-1).astype(np.float32)))
    return op.reshape(kept, (*lead, *index.shape))


@rule("Col2Im", kind="reduce", since=18)
def column_to_image(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """The windows of m, side by side: the adjoint of adding them where they overlap."""
    block = tuple(int(v) for v in node.needs_const(2, "block shape").reshape(-1))
    n = len(block)
    batch, channels, *image = node.out_shape()
    columns = node.shape(0)[-1]
    view = Window(
        block,
        tuple(node.attr("strides") or [1] * n),
        tuple(node.attr("dilations") or [1] * n),
        tuple(node.attr("pads") or [0] * (2 * n)),
        tuple(image),
    )
    sizes = [d for d in image if isinstance(d, int)]
    out = tuple(
        (size + view.pads[i] + view.pads[n + i] - view.dilations[i] * (block[i] - 1) - 1) // view.strides[i]
        + 1
        for i, size in enumerate(sizes)
    )
    if len(out) != n or prod(out) != columns:
        raise node.refuse("its windows are not known")
    back: Shape = node.shape(0)
    return [op.reshape(unfold(op, m, (batch, channels), view, out), back), None, None]
