"""Reductions that are no sums: norms and squares."""

from __future__ import annotations

from collections.abc import Callable

from ..ops.base import Expr, Ops
from ..rules.conv import window
from ..rules.reduction import kept, reduced_axes, spread
from .functions import Pair, absolute_of, pair, pair_of
from .pair import PairContext
from .powers import power_of
from .registry import secant


@secant("ReduceSumSquare")
def reduce_sum_square(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """``m (x + x')``."""
    x = pair(op, node.here(0))
    return [op.mul(spread(op, node, m, reduced_axes(node)), op.add(x.a, x.b)), None][: node.count]


@secant("ReduceL1")
def reduce_l1(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """The secant of ``|x|`` of each."""
    x = pair(op, node.here(0))
    return [op.mul(spread(op, node, m, reduced_axes(node)), absolute_of(op, x)), None][: node.count]


@secant("ReduceL2")
def reduce_l2(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """``m (x + x') / (y + y')``."""
    axes, x = reduced_axes(node), pair(op, node.here(0))
    total = op.reshape(op.add(node.made_here(), node.made_there()), kept(node, axes))
    empty = op.equal(total, 0.0)
    per = op.where(empty, 0.0, op.div(op.add(x.a, x.b), op.where(empty, 1.0, total)))
    return [op.mul(spread(op, node, m, axes), per), None][: node.count]


def _p_norm(op: Ops, node: PairContext, m: Expr, back: Callable[[Expr], Expr]) -> Expr:
    """``y = (sum |x|^p)^(1/p)``: the secants of the root and of each power, one after the other."""
    p = float(node.attr("p", 2))
    y = pair_of(op, node.made_here(), node.made_there())
    x = pair(op, op.abs(node.here(0)))
    if p == 1:
        root: Expr = op.const(1.0)
    else:
        power = _powers(op, y, p)
        slope = power_of(op, y, power, p)
        empty = op.equal(slope, 0.0)
        root = op.where(empty, 0.0, op.div(1.0, op.where(empty, 1.0, slope)))
    own = power_of(op, x, _powers(op, x, p), p) if p != 1 else op.const(1.0)
    return op.mul(back(op.mul(m, root)), op.mul(own, absolute_of(op, pair(op, node.here(0)))))


def _powers(op: Ops, x: Pair, p: float) -> Pair:
    return pair_of(op, op.pow(x.a, p), op.pow(x.b, p))


@secant("LpPool")
def lp_pool(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """The secants of the root and of each power, over each window."""
    view = window(node, tuple(node.attr("kernel_shape")))
    return [_p_norm(op, node, m, lambda q: op.unpool(q, view))]


@secant("GlobalLpPool")
def global_lp_pool(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """The secants of the root and of each power, over all positions."""
    return [_p_norm(op, node, m, lambda q: q)]
