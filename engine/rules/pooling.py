"""Pooling: averages spread evenly, maxima give everything to the winner."""

from __future__ import annotations

from math import prod

import numpy as np

from ..analysis.shapes import Batch, Shape, resolve
from ..ops.base import Expr, Ops
from .common import stabilised
from .conv import window
from .node import NodeContext
from .registry import rule


@rule("AveragePool", kind="pool", carry="own")
def average_pool(op: Ops, node: NodeContext, m: Expr | None) -> list[Expr | None]:
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
def global_average_pool(op: Ops, node: NodeContext, m: Expr | None) -> list[Expr | None]:
    """``m / n`` over all spatial positions."""
    m = stabilised(op, node, m, "stabilizer")
    shape = node.shape(0)
    n = prod(resolve(shape[2:], 1))
    return [op.expand(op.mul(m, 1.0 / n), shape)]


@rule("MaxPool", kind="pool", carry="move")
def max_pool(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """The largest element of each window gets everything (winner takes all)."""
    view = window(node, tuple(node.attr("kernel_shape")))
    # Rows first, whatever order the model's own indices have.
    attributes = {k: v for k, v in node.node.attributes.items() if k != "storage_order"}
    index = op.max_pool_index(node.input(0), view, attributes)
    return [op.unflatten_at(m, index, node.shape(0))]


def _power_gate(op: Ops, node: NodeContext, p: int) -> tuple[Expr, Expr]:
    """Of ``y = (sum |x|^p)^(1/p)``: ``y^(1-p)``, 0 where y is, and ``sign(x) |x|^(p-1)``."""
    x, y = node.input(0), node.output()
    signs = op.where(op.greater(x, 0.0), 1.0, op.where(op.less(x, 0.0), -1.0, 0.0))
    own = signs if p == 1 else x if p == 2 else op.mul(signs, op.pow(op.abs(x), p - 1.0))
    empty = op.equal(y, 0.0)
    return op.where(empty, 0.0, op.pow(op.where(empty, 1.0, y), 1.0 - p)), own


@rule("LpPool", kind="pool", since=2)
def lp_pool(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """``m sign(x) |x|^(p-1) y^(1-p)``: in proportion to ``|x|^p``, which is also the derivative."""
    share, own = _power_gate(op, node, int(node.attr("p", 2)))
    view = window(node, tuple(node.attr("kernel_shape")))
    return [op.mul(op.unpool(op.mul(m, share), view), own)]


@rule("GlobalLpPool", kind="pool", since=2)
def global_lp_pool(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """``m sign(x) |x|^(p-1) y^(1-p)``: in proportion to ``|x|^p``, which is also the derivative."""
    share, own = _power_gate(op, node, int(node.attr("p", 2)))
    return [op.mul(op.mul(m, share), own)]


@rule("MaxUnpool", kind="pool", since=9, carry="move")
def max_unpool(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """Back from where each element was put; relevance of the zeros between them stays there."""
    sizes = prod(d for d in node.out_shape() if isinstance(d, int))
    grows = [d for d in node.out_shape() if isinstance(d, Batch)]
    flat: Shape = (Batch(grows[0].scale * sizes),) if grows else (sizes,)
    back = op.gather(op.reshape(m, flat), node.input(1), -1)
    if node.moves_relevance:
        node.absorb("constant", m)
        node.absorb("constant", op.neg(back), operand=0)
    return [back, *[None] * (node.count - 1)]
