"""What several nodes make together: branches, gates, attention, dead ends, zeros by position, masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from .build import Graph
from .table import add, grows

FUNCTIONS = ("Exp", "Sigmoid", "Softplus", "Cos", "Tanh", "Relu", "Elu")


@grows("A residual", weight=1.5)
def residual(g: Graph) -> str:
    x = g.pick(least=2)
    n = g.shape(x)[-1]
    y = g.node("MatMul", x, g.const(g.normal(n, n, scale=n**-0.5)))
    return g.node("Add", x, g.node(g.one_of(("Relu", "Tanh", "Sigmoid")), y))


@grows("A gate", weight=1.2)
def gate(g: Graph) -> str:
    x = g.pick(least=2)
    n = g.shape(x)[-1]
    signal = g.node("MatMul", x, g.const(g.normal(n, 3, scale=n**-0.5)))
    weight = g.node("MatMul", x, g.const(g.normal(n, 3, scale=n**-0.5)))
    weight = g.node(g.one_of(("Sigmoid", "Tanh", "Relu", "Softplus")), weight)
    return g.node("Mul", signal, weight)


@grows("SiLU", weight=1.2)
def silu(g: Graph) -> str:
    x = g.pick()
    return g.node("Mul", x, g.node("Sigmoid", x))


@grows("GELU written out")
def gelu_written(g: Graph) -> str:
    x = g.pick()
    inner = g.node("Add", g.node("Erf", g.node("Div", x, g.const(2**0.5))), g.const(1.0))
    return g.node("Mul", g.node("Mul", x, inner), g.const(0.5))


@grows("Squeeze and excite", weight=0.8)
def squeeze_excite(g: Graph) -> str:
    x = g.pick(least=3)
    n = g.shape(x)[1]
    pooled = g.node("GlobalAveragePool", x)
    w = g.const(g.normal(n, n, *[1] * (g[x].ndim - 2), scale=n**-0.5))
    return g.node("Mul", x, g.node("Sigmoid", g.node("Conv", pooled, w)))


def _dead(kind: str) -> Any:
    """A branch that says the same whatever the input, met again by one that does not."""

    def build(g: Graph) -> str:
        x = g.pick()
        if kind == "x - x":
            y = g.node("Sub", x, x)
        elif kind == "shut Relu":
            y = g.node("Relu", g.node("Sub", x, g.const(100.0)))
        elif kind == "x ^ 0":
            y = g.node("Pow", g.limited(x, "positive"), g.const(0.0))
        elif kind == "x / x":
            positive = g.limited(x, "positive")
            y = g.node("Div", positive, positive)
        elif kind == "saturated":
            y = g.node("Sigmoid", g.node("Add", x, g.const(200.0)))
        elif kind == "times 0":
            y = g.node("Mul", x, g.const(0.0))
        elif kind == "clipped":
            y = g.node("Clip", x, g.const(50.0), g.const(60.0))
        else:
            y = g.axes_node("Unsqueeze", x, [g[x].ndim], 13)
            y = g.axes_node("Squeeze", g.node("Softmax", y, axis=-1), [g[x].ndim], 13)
        if g.chance() and g[y].ndim > 1:
            n = g.shape(y)[-1]
            y = g.node("Add", g.node("MatMul", y, g.const(g.normal(n, n))), g.const(g.normal(n)))
        return str(g.node("Add", x, y) if g.chance(0.7) else y)

    return build


for _kind in ("x - x", "shut Relu", "x ^ 0", "x / x", "saturated", "times 0", "clipped", "softmax of one"):
    add(f"Dead: {_kind}", _dead(_kind), weight=0.25)


def _zeros(kind: str) -> Any:
    """Zeros by position, and a function that is not 0 there."""

    def build(g: Graph) -> str:
        x = g.pick(least=3)
        n = g[x].ndim
        if kind == "Trilu":
            y = g.node("Trilu", x, upper=int(g.chance()))
        elif kind == "Pad":
            y = g.node("Pad", x, g.ints(*[0] * (n - 1), g.integer(0, 2), *[0] * (n - 1), 1))
        elif kind == "CumSum":
            y = g.node("CumSum", x, g.const(-1, np.int64), exclusive=1)
        elif kind == "Where":
            keep = g.const(g.rng.random(g.shape(x)[1:]) < 0.5, np.bool_)
            y = g.node("Where", keep, x, g.const(0.0))
        else:
            y = g.node("Mul", x, g.const(g.rng.random(g.shape(x)[-1]) < 0.6))
        return str(g.node(g.one_of(FUNCTIONS), g.limited(y, "small") if g.chance() else y))

    return build


for _kind, _first in (("Trilu", 14), ("Pad", 11), ("CumSum", 11), ("Where", 9), ("Mul", 7)):
    add(f"Zeros: {_kind}", _zeros(_kind), _first, 0.4)


@grows("A mask before a softmax", weight=0.8)
def masked(g: Graph) -> str:
    x = g.pick(least=2, where=lambda v: v.shape[-1] > 1)
    n = g.shape(x)[-1]
    seen = g.rng.random(n) < 0.6
    seen[g.integer(0, n - 1)] = True
    if g.chance():
        y = g.node("Where", g.const(seen, np.bool_), x, g.const(-np.inf), finite=False)
    else:
        y = g.node("Add", x, g.const(np.where(seen, 0, g.one_of((-np.inf, -1e9)))), finite=False)
    y = g.node("Softmax", y, axis=-1)
    return g.node(g.one_of(FUNCTIONS), y) if g.chance(0.4) else y


@grows("A mask that is not a softmax's", weight=0.4)
def masked_function(g: Graph) -> str:
    x = g.pick(least=2, where=lambda v: v.shape[-1] > 1)
    hidden = g.rng.random(g.shape(x)[-1]) < 0.4
    y = g.node("Where", g.const(hidden, np.bool_), g.const(-np.inf), x, finite=False)
    return g.node(g.one_of(("Exp", "Softplus", "Sigmoid", "Relu")), y)


def _attention(g: Graph, causal: bool) -> str:
    x = g.pick(rank=3)
    _, tokens, n = g.shape(x)
    q, k, v = (g.node("MatMul", x, g.const(g.normal(n, 4, scale=n**-0.5))) for _ in range(3))
    heads = g.integer(1, 2)
    if heads == 2:
        q, k, v = (
            g.node("Transpose", g.node("Reshape", t, g.ints(0, tokens, 2, 2)), perm=[0, 2, 1, 3])
            for t in (q, k, v)
        )
    turned = g.node("Transpose", k, perm=[0, 1, 3, 2] if heads == 2 else [0, 2, 1])
    scores = g.node("MatMul", q, turned)
    scores = g.node("Div", scores, g.const(2.0)) if g.chance() else g.node("Mul", scores, g.const(0.5))
    if causal:
        mask = np.triu(np.full((tokens, tokens), g.one_of((-np.inf, -1e4)), np.float32), 1)
        scores = g.node("Add", scores, g.const(mask), finite=False)
    y = g.node("MatMul", g.node("Softmax", scores, axis=-1), v)
    if heads == 2:
        y = g.node("Reshape", g.node("Transpose", y, perm=[0, 2, 1, 3]), g.ints(0, tokens, 4))
    return y


@grows("Attention written out", weight=1.2)
def attention(g: Graph) -> str:
    return _attention(g, causal=False)


@grows("Causal attention written out", weight=0.8)
def causal_attention(g: Graph) -> str:
    return _attention(g, causal=True)


@grows("Attention", since=23)
def attention_23(g: Graph) -> str:
    x = g.pick(rank=3)
    n = g.shape(x)[2]
    q, k, v = (g.node("MatMul", x, g.const(g.normal(n, 4, scale=n**-0.5))) for _ in range(3))
    heads = g.integer(1, 2)
    return g.node("Attention", q, k, v, q_num_heads=heads, kv_num_heads=heads, is_causal=int(g.chance()))


@grows("Pooling by attention", weight=0.6)
def attention_pool(g: Graph) -> str:
    """Tokens weighed by a softmax of one number each."""
    x = g.pick(rank=3)
    scores = g.node("MatMul", x, g.const(g.normal(g.shape(x)[2], 1)))
    weighed = g.node("Mul", x, g.node("Softmax", scores, axis=1))
    return g.axes_node("ReduceSum", weighed, [1], 13, keepdims=0)


@grows("Power of a band", weight=0.7)
def band_power(g: Graph) -> str:
    """Square, mean, log: what networks for EEG end with."""
    x = g.pick(rank=3)
    power = g.axes_node("ReduceMean", g.node("Mul", x, x), [-1], 18, keepdims=0)
    return g.node("Log", g.node("Add", power, g.const(0.1)))


@grows("Cosine similarity", weight=0.6)
def cosine(g: Graph) -> str:
    x = g.pick(least=2)
    length = g.axes_node("ReduceL2", g.limited(x, "positive"), [-1], 18, keepdims=1)
    return g.node("Div", x, length)
