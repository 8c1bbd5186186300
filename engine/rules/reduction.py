"""Sums and means over axes: their adjoint spreads m evenly over what was reduced."""

from __future__ import annotations

from math import prod

from ..ops.base import Expr, Ops
from ..registry import rule
from ..shapes import Shape
from ..site import Site
from .common import stabilised


def reduced_axes(node: Site) -> tuple[int, ...]:
    """Negative axes that a Reduce node reduces: an attribute or, newer, an operand."""
    axes = node.attr("axes")
    if axes is None and node.has(1):
        axes = node.needs_const(1, "axes").reshape(-1).tolist()
    if not axes:
        keep = node.attr("noop_with_empty_axes", 0)
        return () if keep else tuple(range(-node.rank(), 0))
    return tuple(node.negative(int(a)) for a in axes)


def _spread(op: Ops, node: Site, m: Expr, axes: tuple[int, ...]) -> Expr:
    shape = node.shape(0)
    kept: Shape = tuple(1 if i - len(shape) in axes else d for i, d in enumerate(shape))
    return op.expand(op.reshape(m, kept), shape)


@rule("ReduceSum", kind="reduce", carry="own")
def reduce_sum(op: Ops, node: Site, m: Expr | None) -> list[Expr | None]:
    """``m`` to every summand: each gets relevance in proportion to its activation."""
    m = stabilised(op, node, m, "stabilizer")
    return [_spread(op, node, m, reduced_axes(node)), None][: node.count]


@rule("ReduceMean", kind="reduce", carry="own")
def reduce_mean(op: Ops, node: Site, m: Expr | None) -> list[Expr | None]:
    """``m / n`` to every summand."""
    axes = reduced_axes(node)
    sizes = [node.shape(0)[a] for a in axes]
    if not all(isinstance(s, int) for s in sizes):
        raise node.refuse("it averages over the batch")
    m = stabilised(op, node, m, "stabilizer")
    return [_spread(op, node, op.mul(m, 1.0 / prod(s for s in sizes if isinstance(s, int))), axes), None][
        : node.count
    ]
