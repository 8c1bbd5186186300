"""Functions of each number by itself, of two, and of several."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from .build import Graph
from .table import add, grows

# Operator, first opset, domain in which it is finite, attributes.
UNARY: tuple[tuple[str, int, str, dict[str, Any]], ...] = (
    ("Relu", 1, "", {}),
    ("LeakyRelu", 1, "", {"alpha": 0.2}),
    ("Elu", 1, "", {"alpha": 1.3}),
    ("Selu", 1, "", {}),
    ("Celu", 12, "", {"alpha": 0.7}),
    ("ThresholdedRelu", 10, "", {"alpha": 0.3}),
    ("Tanh", 1, "", {}),
    ("Sigmoid", 1, "", {}),
    ("HardSigmoid", 1, "", {"alpha": 0.3, "beta": 0.4}),
    ("HardSwish", 14, "", {}),
    ("Mish", 18, "", {}),
    ("Gelu", 20, "", {}),
    ("Softplus", 1, "", {}),
    ("Softsign", 1, "", {}),
    ("Shrink", 9, "", {"lambd": 0.4, "bias": 0.1}),
    ("Erf", 9, "", {}),
    ("Abs", 1, "", {}),
    ("Neg", 1, "", {}),
    ("Identity", 1, "", {}),
    ("Sign", 9, "", {}),
    ("Floor", 1, "", {}),
    ("Ceil", 1, "", {}),
    ("Round", 11, "", {}),
    ("Sin", 7, "", {}),
    ("Cos", 7, "", {}),
    ("Tan", 7, "small", {}),
    ("Sinh", 9, "small", {}),
    ("Cosh", 9, "small", {}),
    ("Asin", 7, "unit", {}),
    ("Acos", 7, "unit", {}),
    ("Atan", 7, "", {}),
    ("Asinh", 9, "", {}),
    ("Acosh", 9, "above one", {}),
    ("Atanh", 9, "unit", {}),
    ("Exp", 1, "small", {}),
    ("Log", 1, "positive", {}),
    ("Sqrt", 1, "positive", {}),
    ("Reciprocal", 1, "positive", {}),
)


def _unary(op: str, domain: str, attributes: dict[str, Any]) -> Any:
    return lambda g: g.node(op, g.limited(g.pick(), domain), **attributes)


for _op, _since, _domain, _attributes in UNARY:
    add(_op, _unary(_op, _domain, _attributes), _since, 0.35)


@grows("Gelu by tanh", since=20, weight=0.4)
def gelu_tanh(g: Graph) -> str:
    return g.node("Gelu", g.pick(), approximate="tanh")


@grows("Clip")
def clip(g: Graph) -> str:
    low = g.const(-0.7) if g.chance(0.7) else ""
    high = [g.const(1.1)] if g.chance(0.7) or not low else []
    return g.node("Clip", g.pick(), low, *high)


@grows("PRelu")
def prelu(g: Graph) -> str:
    x = g.pick(least=2)
    return g.node("PRelu", x, g.const(g.normal(g.shape(x)[1], *[1] * (g[x].ndim - 2), scale=0.3)))


@grows("Pow")
def power(g: Graph) -> str:
    exponent = g.one_of((2, 3, 0.5, -1, 1.5, 1, 4, -0.5))
    x = g.pick()
    if exponent not in (1, 2, 3, 4):
        x = g.limited(x, "positive")
    return g.node("Pow", x, g.const(exponent))


@grows("Pow of two", weight=0.5)
def power_of_two(g: Graph) -> str:
    x = g.pick()
    return g.node("Pow", g.limited(x, "positive"), g.limited(g.alike(x), "small"))


@grows("Mod", since=11, weight=0.5)
def mod(g: Graph) -> str:
    return g.node("Mod", g.pick(), g.const(1.5), fmod=1)


def _partner(g: Graph, x: str) -> str:
    """Another value that broadcasts with this one, samples along the first axis of both."""
    shape = g.shape(x)

    def fits(v: Any) -> bool:
        return v.ndim == len(shape) and all(
            a == b or 1 in (a, b) for a, b in zip(v.shape[1:], shape[1:], strict=True)
        )

    return g.pick(where=fits)


def _binary(op: str) -> Any:
    def build(g: Graph) -> str:
        x = g.pick()
        y = _partner(g, x)
        if op == "Div":
            y = g.limited(y, "positive")
        return str(g.node(op, *((x, y) if g.chance() or op == "Div" else (y, x))))

    return build


def _with_constant(op: str) -> Any:
    def build(g: Graph) -> str:
        x = g.pick()
        own = [1 if g.chance(0.4) else n for n in g.shape(x)[1:]]
        c = np.asarray(g.normal(*own[g.integer(0, len(own)) :]))
        if op == "Div":
            c = np.abs(c) + 0.5
        inputs = [x, g.const(c)]
        return str(g.node(op, *(inputs[::-1] if g.chance(0.3) and op != "Div" else inputs)))

    return build


for _op, _weight in (("Add", 2), ("Sub", 1.5), ("Mul", 2), ("Div", 1), ("Max", 1), ("Min", 1)):
    add(_op, _binary(_op), weight=_weight)
    add(f"{_op} with a constant", _with_constant(_op), weight=_weight / 2)


def _several(op: str) -> Any:
    def build(g: Graph) -> str:
        x = g.pick()
        return str(g.node(op, x, *(_partner(g, x) for _ in range(g.integer(0, 2)))))

    return build


for _op in ("Sum", "Mean"):
    add(_op, _several(_op))


@grows("Where by a constant")
def where_constant(g: Graph) -> str:
    x = g.pick()
    picks = g.const(g.rng.random(g.shape(x)[1:]) < 0.5, np.bool_)
    other = g.alike(x) if g.chance() else g.const(g.one_of((0.0, -1.5)))
    return g.node("Where", picks, *((x, other) if g.chance() else (other, x)))


@grows("Where by a comparison")
def where_compared(g: Graph) -> str:
    x = g.pick()
    y = g.alike(x)
    op = g.one_of(("Less", "Greater") + (("LessOrEqual", "GreaterOrEqual") if g.opset >= 12 else ()))
    picks = g.node(op, x, g.const(0.1))
    if g.chance(0.3):
        picks = g.node("Not", picks)
    if g.chance(0.3):
        picks = g.node(g.one_of(("And", "Or", "Xor")), picks, g.node("Greater", y, g.const(0.0)))
    return g.node("Where", picks, x, y)


@grows("Cast", weight=0.6)
def cast(g: Graph) -> str:
    wide = g.node("Cast", g.pick(), to=g.one_of((TensorProto.DOUBLE, TensorProto.FLOAT)))
    return g.node("Cast", wide, to=TensorProto.FLOAT)


@grows("CastLike", since=15, weight=0.3)
def cast_like(g: Graph) -> str:
    return g.node("CastLike", g.pick(), g.const(1.0))


@grows("Cast of a comparison", weight=0.5)
def bits(g: Graph) -> str:
    x = g.pick()
    return g.node("Mul", x, g.node("Cast", g.node("Greater", x, g.const(0.2)), to=TensorProto.FLOAT))


@grows("Dropout", since=12, weight=0.5)
def dropout(g: Graph) -> str:
    return g.node("Dropout", g.pick(), g.const(0.5))


@grows("Det", since=11, weight=0.4)
def determinant(g: Graph) -> str:
    x = g.pick(rank=3, where=lambda v: v.shape[1] > 1 and v.shape[2] > 1)
    square = g.node("Slice", x, g.ints(0, 0), g.ints(2, 2), g.ints(1, 2))
    return g.axes_node("Unsqueeze", g.node("Det", square), [1], 13)
