"""Normalisation layers: the LN rule (Ali et al. 2022, eq. 7; Achtibat et al. 2024, Prop. 3.4).

The standard deviation counts as a constant, so relevance passes through the centring, which is
linear, and is conserved but for the shift. Under `gradient` the true derivative is taken. Under `pooled`
it is taken of norms that pool over positions or electrodes (GroupNorm, InstanceNorm): what is large on one
electrode shrinks all others there, a path that a constant standard deviation hides.
"""

from __future__ import annotations

from ..analysis.shapes import Batch, Shape
from ..ops.base import Expr, Ops
from .common import relevance
from .node import Message, NodeContext
from .registry import rule


def _derivative(node: NodeContext, axes: tuple[int, ...]) -> bool:
    """Whether the standard deviation counts as what it is: a function of what is normalised.

    A norm over the features of one token alone pools over nothing else.
    """
    one_token = node.node.op_type == "LayerNormalization" and len(axes) == 1
    asked = node.variant("norm")
    return asked == "gradient" or (asked == "pooled" and not one_token)


def _standardise(op: Ops, node: NodeContext, x: Expr, g: Expr, axes: tuple[int, ...], eps: float) -> Expr:
    """Multiplier of x where ``y = (x - mean) / std`` over `axes` and g is the multiplier of y."""
    inverse = op.inverse_std(x, axes, eps)
    back = op.sub(g, op.mean(g, axes))
    if _derivative(node, axes):
        y = op.mul(op.sub(x, op.mean(x, axes)), inverse)
        back = op.sub(back, op.mul(y, op.mean(op.mul(g, y), axes)))
    return op.mul(back, inverse)


def _kept_by_derivative(
    op: Ops, node: NodeContext, g: Expr, x: Expr, axes: tuple[int, ...], eps: float
) -> Expr:
    """Relevance that the true derivative does not pass on: ``g y var / (var + eps)``."""
    centred = op.sub(x, op.mean(x, axes))
    variance = op.mean(op.mul(centred, centred), axes)
    floor = op.add(variance, eps)
    return op.mul(g, op.mul(op.div(centred, op.sqrt(floor)), op.div(variance, floor)))


@rule("LayerNormalization", kind="norm")
def layer_normalization(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """``(g - mean(g)) / std`` with ``g = gamma m``, std held constant: the LN rule."""
    axis = node.negative(int(node.attr("axis", -1)))
    axes = tuple(range(axis, 0))
    eps = float(node.attr("epsilon", 1e-5))
    if node.has(2):
        node.absorb("bias", m, node.input(2))
    g = op.mul(m, node.input(1))
    x = node.input(0)
    if _derivative(node, axes):
        node.absorb("normalisation", _kept_by_derivative(op, node, g, x, axes, eps))
    return [_standardise(op, node, x, g, axes, eps), None, None][: node.count]


@rule("InstanceNormalization", kind="norm")
def instance_normalization(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """The LN rule over the spatial axes of each channel."""
    spatial = node.rank() - 2
    axes = tuple(range(-spatial, 0))
    eps = float(node.attr("epsilon", 1e-5))
    node.absorb("bias", m, per_channel(op, node, 2))
    g = op.mul(m, per_channel(op, node, 1))
    x = node.input(0)
    if _derivative(node, axes):
        node.absorb("normalisation", _kept_by_derivative(op, node, g, x, axes, eps))
    return [_standardise(op, node, x, g, axes, eps), None, None]


@rule("GroupNormalization", kind="norm", since=18)
def group_normalization(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """The LN rule over each group of channels and the spatial axes."""
    split, axes, scale, shift = group_norm_parts(op, node)
    shape, eps = node.shape(0), float(node.attr("epsilon", 1e-5))
    node.absorb("bias", m, shift)
    g = op.mul(m, scale)
    x = op.reshape(node.input(0), split)
    g = op.reshape(g, split)
    if _derivative(node, axes):
        kept = _kept_by_derivative(op, node, g, x, axes, eps)
        node.absorb("normalisation", op.reshape(kept, shape))
    return [op.reshape(_standardise(op, node, x, g, axes, eps), shape), None, None]


def group_norm_parts(op: Ops, node: NodeContext) -> tuple[Shape, tuple[int, ...], Expr, Expr]:
    """Shape of the groups, the axes that each is normalised over, scale and shift ready to broadcast."""
    shape, groups = node.shape(0), int(node.attr("num_groups"))
    channels = shape[1]
    if isinstance(channels, Batch):
        raise node.refuse("its channels grow with the batch")
    split: Shape = (shape[0], groups, channels // groups, *shape[2:])
    axes = tuple(range(-(len(split) - 2), 0))
    ones = tuple(1 for _ in shape[2:])

    def affine(i: int) -> Expr:
        # One number a channel since opset 21, one a group before.
        value = node.input(i)
        if node.shape(i)[0] == channels:
            return op.reshape(value, (channels, *ones))
        wide = op.expand(op.reshape(value, (groups, 1)), (groups, channels // groups))
        return op.reshape(wide, (channels, *ones))

    return split, axes, affine(1), affine(2)


def per_channel(op: Ops, node: NodeContext, i: int) -> Expr:
    """Operand i, one number a channel, ready to broadcast with operand 0."""
    return op.reshape(node.input(i), (node.shape(0)[1], *(1 for _ in node.shape(0)[2:])))


@rule("BatchNormalization", kind="scale", carry="own")
def batch_normalization(op: Ops, node: NodeContext, m: Expr | None) -> list[Message | Expr | None]:
    """At inference a scale and a shift of each channel: ``m gamma / sqrt(var + eps)``.

    One with no layer before it to be merged with passes relevance 1:1 where activations do: so it is in
    Zennit's composites, which take both for what relevance passes (Anders et al. 2021).
    """
    if node.attr("training_mode", 0):
        raise node.refuse("it is in training mode")
    if node.variant("activation") == "pass":
        return [Message(r=relevance(op, node, m)), None, None, None, None]
    m = node.as_multiplier(m)
    gamma, beta, mean, variance = (per_channel(op, node, i) for i in (1, 2, 3, 4))
    scale = op.div(gamma, op.sqrt(op.add(variance, float(node.attr("epsilon", 1e-5)))))
    node.absorb("bias", m, op.sub(beta, op.mul(mean, scale)))
    return [op.mul(m, scale), None, None, None, None]
