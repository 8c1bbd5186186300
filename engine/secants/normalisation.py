"""Norms: the path through the standard deviation is part of the difference.

With ``c = x - mean(x)`` and ``r = sqrt(mean(c^2) + eps)`` a norm is ``y = c / r``. It is taken as what it
undoes, ``c = r y``, a product of two factors: ``c - c' = rbar (y - y') + ybar (r - r')``, bars for means
of both passes. With ``r - r' = mean((c + c') (c - c')) / (r + r')`` the multiplier of c is

    ``(g - u mean(g ybar)) / rbar``,  ``u = (c + c') / (r + r')``,

the derivative with every part replaced by a mean of both passes. ``y = c (1/r)`` as a product is as exact,
but where one of the two signals is flat its ``1/r`` is large, and large multipliers cancel.
"""

from __future__ import annotations

from ..ops.base import Expr, Ops
from ..rules.normalisation import group_norm_parts, per_channel
from .pair import PairContext
from .registry import secant


def standardised(op: Ops, node: PairContext, x: Expr, g: Expr, axes: tuple[int, ...], eps: float) -> Expr:
    """Multiplier of x where ``y = (x - mean) / r`` over `axes` and g is the multiplier of y."""
    c, inverse = op.sub(x, op.mean(x, axes)), op.inverse_std(x, axes, eps)
    y, twice = op.mul(c, op.mul(inverse, 0.25)), op.mul(inverse, 2.0)
    there = op.reference(twice)
    # One over the mean of both r. A number divided by an array is slow in onnxruntime.
    per = op.div(op.mul(twice, there), op.add(twice, there))
    # Centred before and not after, which is the same, as c and y are centred: there it goes into weights.
    g = op.sub(g, op.mean(g, axes))
    pulled = op.mul(op.mean(op.mul(g, op.add(y, op.reference(y))), axes), per)
    return op.mul(op.sub(g, op.mul(op.add(c, op.reference(c)), pulled)), per)


@secant("LayerNormalization")
def layer_normalization(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """``(g - u mean(g ybar)) / rbar`` less its mean, over the axes from `axis` on."""
    axes = tuple(range(node.negative(int(node.attr("axis", -1))), 0))
    g = op.mul(m, node.here(1))
    back = standardised(op, node, node.here(0), g, axes, float(node.attr("epsilon", 1e-5)))
    return [back, None, None][: node.count]


@secant("InstanceNormalization")
def instance_normalization(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """``(g - u mean(g ybar)) / rbar`` less its mean, over the spatial axes of each channel."""
    axes = tuple(range(2 - node.rank(), 0))
    g = op.mul(m, per_channel(op, node, 1))
    return [standardised(op, node, node.here(0), g, axes, float(node.attr("epsilon", 1e-5))), None, None]


@secant("GroupNormalization")
def group_normalization(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """``(g - u mean(g ybar)) / rbar`` less its mean, over each group of channels and the spatial axes."""
    split, axes, scale, _ = group_norm_parts(op, node)
    x, g = op.reshape(node.here(0), split), op.reshape(op.mul(m, scale), split)
    back = standardised(op, node, x, g, axes, float(node.attr("epsilon", 1e-5)))
    return [op.reshape(back, node.shape(0)), None, None]
