"""Products along axes: every factor gets the same part (uniform rule, AttnLRP, Prop. 3.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..ops.base import Expr, Ops
from .node import Message, NodeContext
from .reduction import reduced_axes, spread
from .registry import rule


@rule("ReduceProd", kind="reduce")
def reduce_product(op: Ops, node: NodeContext, m: Expr) -> Sequence[Message | Expr | None]:
    """The relevance of the product, divided by the number of factors (uniform rule, AttnLRP, Prop. 3.3).

    As relevance and not as a multiplier: a factor can be 0. The derivative is the product of the others.
    """
    axes = reduced_axes(node)
    if not node.gradient:
        sizes = [node.shape(0)[a] for a in axes]
        if not all(isinstance(s, int) for s in sizes):
            raise node.refuse("it multiplies along the batch")
        count = prod(s for s in sizes if isinstance(s, int))
        r = op.mul(op.mul(m, node.output()), 1.0 / count)
        return [Message(r=spread(op, node, r, axes)), None][: node.count]
    x = node.input(0)
    zero = op.where(op.equal(x, 0.0), 1.0, 0.0)
    zeros = op.sum(zero, axes)
    # The product of what is not 0, by logarithms and the number of signs.
    solid = op.where(op.equal(x, 0.0), 1.0, x)
    size = op.exp(op.sum(op.log(op.abs(solid)), axes))
    signs = op.cos(op.mul(op.sum(op.where(op.less(x, 0.0), 1.0, 0.0), axes), math.pi))
    without = op.where(op.greater(op.sub(zeros, zero), 0.5), 0.0, op.div(op.mul(size, signs), solid))
    back = op.mul(spread(op, node, m, axes), without)
    # Each factor's share of the slope is the whole product: it is counted as often as there are factors.
    node.absorb("product", m, node.output())
    node.absorb("product", back, op.neg(x), operand=0)
    return [back, None][: node.count]


@rule("CumProd", kind="reduce", since=26)
def cumulative_product(op: Ops, node: NodeContext, m: Expr) -> list[Message | Expr | None]:
    """Of every product, the same part to each of its factors (uniform rule, AttnLRP, Prop. 3.3)."""
    axis = node.negative(int(node.needs_const(1, "axis").reshape(())))
    exclusive, reverse = bool(node.attr("exclusive", 0)), bool(node.attr("reverse", 0))
    length = node.shape(0)[axis]
    if not isinstance(length, int):
        raise node.refuse("it multiplies along the batch")
    if node.gradient:
        return [_derivative(op, node, m, axis, length, exclusive, reverse), None]
    parts = []
    for i in range(length):
        factors = (length - i if reverse else i + 1) - int(exclusive)
        parts.append(1.0 / factors if factors else 0.0)
    column = op.const(_column(parts, axis))
    whole = op.mul(m, node.output())
    if exclusive:  # the first product has no factor: it is one
        node.absorb("constant", whole, op.const(_column([float(p == 0) for p in parts], axis)))
    return [Message(r=op.cumsum(op.mul(whole, column), axis, exclusive, not reverse)), None]


def _column(values: list[float], axis: int) -> np.ndarray[Any, Any]:
    return np.asarray(values, np.float32).reshape(-1, *[1] * (-axis - 1))


def _derivative(
    op: Ops, node: NodeContext, m: Expr, axis: int, length: int, exclusive: bool, reverse: bool
) -> Expr:
    """``P_(j-1) S_j`` with ``S_j = m_j + x_(j+1) S_(j+1)``: no division, so factors may be 0."""
    x = node.input(0)
    order = list(range(length))[:: -1 if reverse else 1]

    def at(a: Expr, i: int) -> Expr:
        return op.slice(a, [i], [i + 1], [axis], [1])

    before: Expr | None = None  # the product of the factors before this one
    products: list[Expr | None] = []
    for i in order:
        products.append(before)
        before = at(x, i) if before is None else op.mul(before, at(x, i))
    parts: dict[int, Expr] = {}
    # Of an exclusive product the factor j is in the products from j + 1 on.
    later: Expr | None = None
    for k in range(length - 1, -1, -1):
        i = order[k]
        if exclusive:
            if k + 1 < length:
                own = at(m, order[k + 1])
                later = own if later is None else op.add(own, op.mul(at(x, order[k + 1]), later))
        else:
            later = at(m, i) if later is None else op.add(at(m, i), op.mul(at(x, order[k + 1]), later))
        value = op.mul(at(m, i), 0.0) if later is None else later
        product = products[k]
        parts[i] = value if product is None else op.mul(value, product)
    back = op.concat([parts[i] for i in range(length)], axis)
    node.absorb("product", m, node.output())
    node.absorb("product", back, op.neg(x))
    return back
