"""Sums and their like over axes, softmax and normalisations."""

from __future__ import annotations

from typing import Any

import numpy as np

from .build import Graph, UnfitError
from .table import add, grows

# The opset at which axes became an input.
REDUCE = {"ReduceSum": 13}
ROOT_OF = {"ReduceLogSum": "positive", "ReduceL2": "positive", "ReduceProd": "small"}


def _reduce(op: str) -> Any:
    def build(g: Graph) -> str:
        x = g.limited(g.pick(least=3), ROOT_OF.get(op, ""))
        axes = [g.integer(1, g[x].ndim - 1)]
        if g.chance(0.3) and g[x].ndim > 3:
            axes = [1, 2]
        since = REDUCE.get(op, 20 if op in ("ReduceMax", "ReduceMin") and g.opset >= 20 else 18)
        return g.axes_node(op, x, axes, since, keepdims=int(g.chance()))

    return build


for _op in (
    "ReduceSum",
    "ReduceMean",
    "ReduceMax",
    "ReduceMin",
    "ReduceProd",
    "ReduceL1",
    "ReduceL2",
    "ReduceSumSquare",
    "ReduceLogSum",
    "ReduceLogSumExp",
):
    add(_op, _reduce(_op), weight=0.6)


def _softmax(op: str) -> Any:
    def build(g: Graph) -> str:
        x = g.pick(least=2)
        return str(g.node(op, x, axis=g.one_of((-1, g[x].ndim - 1, 1))))

    return build


for _op, _weight in (("Softmax", 1.5), ("LogSoftmax", 0.8), ("Hardmax", 0.4)):
    add(_op, _softmax(_op), weight=_weight)


@grows("LayerNormalization", since=17, weight=1.5)
def layer_norm(g: Graph) -> str:
    x = g.pick(least=2, where=lambda v: v.shape[-1] > 1)
    axis = g.one_of((-1, -2)) if g[x].ndim > 2 else -1
    shape = g.shape(x)[axis:]
    bias = [g.const(g.normal(*shape))] if g.chance(0.7) else []
    return g.node(
        "LayerNormalization",
        x,
        g.const(g.normal(*shape) + 1),
        *bias,
        axis=axis,
        epsilon=g.one_of((1e-3, 1e-2)),
    )


@grows("A layer norm written out", weight=1.5)
def layer_norm_written(g: Graph) -> str:
    x = g.pick(least=2, where=lambda v: v.shape[-1] > 1)
    centred = g.node("Sub", x, g.axes_node("ReduceMean", x, [-1], 18))
    square = g.node("Pow", centred, g.const(2.0)) if g.chance() else g.node("Mul", centred, centred)
    mean = g.axes_node("ReduceMean", square, [-1], 18)
    root = g.node("Sqrt", g.node("Add", mean, g.const(0.01)))
    divides = g.chance(0.6)
    y = g.node("Div", centred, root) if divides else g.node("Mul", centred, g.node("Reciprocal", root))
    return g.node("Mul", y, g.const(g.normal(g.shape(x)[-1]) + 1))


@grows("A root mean square written out")
def rms_written(g: Graph) -> str:
    x = g.pick(least=2, where=lambda v: v.shape[-1] > 1)
    mean = g.axes_node("ReduceMean", g.node("Mul", x, x), [-1], 18)
    return g.node("Div", x, g.node("Sqrt", g.node("Add", mean, g.const(0.01))))


@grows("RMSNormalization", since=23)
def rms_norm(g: Graph) -> str:
    x = g.pick(least=2, where=lambda v: v.shape[-1] > 1)
    return g.node("RMSNormalization", x, g.const(g.normal(g.shape(x)[-1]) + 1), epsilon=1e-2)


@grows("InstanceNormalization")
def instance_norm(g: Graph) -> str:
    x = g.pick(least=3, where=lambda v: v[0, 0].size > 1)
    n = g.shape(x)[1]
    return g.node("InstanceNormalization", x, g.const(g.normal(n) + 1), g.const(g.normal(n)), epsilon=1e-2)


@grows("GroupNormalization", since=18)
def group_norm(g: Graph) -> str:
    x = g.pick(least=3, where=lambda v: v[0].size > 2)
    channels = g.shape(x)[1]
    groups = g.one_of([n for n in range(1, channels + 1) if channels % n == 0])
    if channels // groups * g[x][0, 0].size < 2:
        raise UnfitError
    n = channels if g.opset >= 21 else groups
    return g.node(
        "GroupNormalization",
        x,
        g.const(g.normal(n) + 1),
        g.const(g.normal(n)),
        num_groups=groups,
        epsilon=1e-2,
    )


@grows("BatchNormalization", weight=1.5)
def batch_norm(g: Graph) -> str:
    x = g.pick(least=2)
    n = g.shape(x)[1]
    numbers = (g.normal(n) + 1, g.normal(n), g.normal(n), np.abs(g.normal(n)) + 0.3)
    return g.node("BatchNormalization", x, *(g.const(v) for v in numbers), epsilon=1e-3)


@grows("LpNormalization", weight=0.6)
def lp_norm(g: Graph) -> str:
    return g.node("LpNormalization", g.limited(g.pick(least=2), "positive"), axis=-1, p=g.one_of((1, 2)))


@grows("MeanVarianceNormalization", since=13, weight=0.5)
def mean_variance(g: Graph) -> str:
    x = g.pick(rank=g.one_of((3, 4)), where=lambda v: v.shape[-1] > 2)
    return g.node("MeanVarianceNormalization", x, axes=[g[x].ndim - 1])


@grows("Softmax of a wide range", weight=0.5)
def softmax_wide(g: Graph) -> str:
    """Nearly all on one: derivatives that are small, sums that are not."""
    return g.node("Softmax", g.node("Mul", g.pick(least=2), g.const(4.0)), axis=-1)


@grows("A log of a softmax", weight=0.6)
def log_of_softmax(g: Graph) -> str:
    return g.node("Log", g.node("Add", g.node("Softmax", g.pick(least=2), axis=-1), g.const(0.05)))
