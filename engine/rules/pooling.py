"""Pooling: averages spread evenly, maxima give everything to the winner."""

from __future__ import annotations

from math import prod

import numpy as np

from ..ops.base import Expr, Ops
from ..registry import rule
from ..shapes import resolve
from ..site import Site
from .common import stabilised
from .conv import window


@rule("AveragePool", kind="pool", carry="own")
def average_pool(op: Ops, node: Site, m: Expr | None) -> list[Expr | None]:
    """``m / n`` over each window, n without the padding unless `count_include_pad`."""
    m = stabilised(op, node, m, "stabilizer")
    view = window(node, tuple(node.attr("kernel_shape")))
    counted = int(node.attr("count_include_pad", 0))
    if counted and not node.attr("ceil_mode", 0):
        return [op.unpool(op.mul(m, 1.0 / prod(view.kernel)), view)]
    n = len(view.kernel)
    out, spatial = resolve(node.out_shape()[-n:], 1), resolve(node.shape(0)[-n:], 1)
    counts = np.ones(out)
    for axis in range(n):
        # Elements that a window meets along one axis: inside the input, or inside its padding.
        start = np.arange(out[axis]) * view.strides[axis] - view.pads[axis]
        at = start[:, None] + np.arange(view.kernel[axis]) * view.dilations[axis]
        low = -view.pads[axis] if counted else 0
        high = spatial[axis] + (view.pads[n + axis] if counted else 0)
        met = ((at >= low) & (at < high)).sum(1)
        counts = counts * met.reshape([-1 if i == axis else 1 for i in range(n)])
    return [op.unpool(op.div(m, op.const(counts)), view)]


@rule("GlobalAveragePool", kind="pool", carry="own")
def global_average_pool(op: Ops, node: Site, m: Expr | None) -> list[Expr | None]:
    """``m / n`` over all spatial positions."""
    m = stabilised(op, node, m, "stabilizer")
    shape = node.shape(0)
    n = prod(resolve(shape[2:], 1))
    return [op.expand(op.mul(m, 1.0 / n), shape)]


@rule("MaxPool", kind="pool", carry="move")
def max_pool(op: Ops, node: Site, m: Expr) -> list[Expr | None]:
    """The largest element of each window gets everything (winner takes all)."""
    view = window(node, tuple(node.attr("kernel_shape")))
    index = op.max_pool_index(node.input(0), view, dict(node.node.attributes))
    return [op.unflatten_at(m, index, node.shape(0))]
