"""Quantised layers: pairs of quantise and dequantise, and layers that compute in integers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .build import MICROSOFT, Graph
from .table import add, grows


def _scale(g: Graph, x: str) -> float:
    return max(float(np.abs(g[x]).max()), 0.1) / 120


def _pair(g: Graph, x: str, kind: Any = None) -> str:
    kind = kind or g.one_of((np.int8, np.uint8))
    zero = 0 if kind is np.int8 else 128
    given = [g.const(_scale(g, x)), g.const(zero, kind)]
    return str(g.node("DequantizeLinear", g.node("QuantizeLinear", x, *given), *given))


@grows("Quantise and back", weight=1.8)
def pair(g: Graph) -> str:
    return _pair(g, g.pick())


def _weights(g: Graph, *shape: int) -> tuple[np.ndarray[Any, Any], np.float32]:
    """Seven bits: of eight, the sums of CPUs without VNNI saturate, and onnxruntime's is another model."""
    w = g.normal(*shape, scale=0.5)
    scale = np.float32(max(float(np.abs(w).max()), 0.1) / 63)
    return np.round(w / scale).astype(np.int8), scale


@grows("A quantised MatMul", weight=1.8)
def matmul(g: Graph) -> str:
    x = g.pick(least=2)
    w, scale = _weights(g, g.shape(x)[-1], 4)
    wide = g.node("DequantizeLinear", g.const(w, np.int8), g.const(scale), g.const(0, np.int8))
    return g.node("MatMul", _pair(g, x), wide)


@grows("A quantised Conv", since=13, weight=1.8)
def conv(g: Graph) -> str:
    x = g.pick(rank=3)
    w, _ = _weights(g, 3, g.shape(x)[1], 1)
    scales = g.const(np.abs(g.normal(3)) * 0.01 + 0.003)
    wide = g.node("DequantizeLinear", g.const(w, np.int8), scales, g.const([0, 0, 0], np.int8), axis=0)
    return g.node("Conv", _pair(g, x), wide)


@grows("QLinearMatMul", weight=1.5)
def qlinear_matmul(g: Graph) -> str:
    x = g.pick(rank=2)
    w, scale = _weights(g, g.shape(x)[-1], 4)
    own = [g.const(_scale(g, x)), g.const(0, np.int8)]
    out = [g.const(0.05), g.const(3, np.int8)]
    q = g.node("QuantizeLinear", x, *own)
    y = g.node("QLinearMatMul", q, *own, g.const(w, np.int8), g.const(scale), g.const(0, np.int8), *out)
    return g.node("DequantizeLinear", y, *out)


@grows("QLinearConv", weight=1.5)
def qlinear_conv(g: Graph) -> str:
    x = g.pick(rank=g.one_of((3, 4)))
    w, scale = _weights(g, 3, g.shape(x)[1], *[1] * (g[x].ndim - 2))
    own = [g.const(_scale(g, x)), g.const(128, np.uint8)]
    out = [g.const(0.05), g.const(120, np.uint8)]
    q = g.node("QuantizeLinear", x, *own)
    y = g.node("QLinearConv", q, *own, g.const(w, np.int8), g.const(scale), g.const(0, np.int8), *out)
    return g.node("DequantizeLinear", y, *out)


@grows("MatMulInteger", weight=1.5)
def matmul_integer(g: Graph) -> str:
    """As dynamic quantisation writes it: only where there is one sample, whose range it is."""
    x = g.pick(least=2)
    w, scale = _weights(g, g.shape(x)[-1], 4)
    own = [g.const(_scale(g, x)), g.const(128, np.uint8)]
    q = g.node("QuantizeLinear", x, *own)
    y = g.node("MatMulInteger", q, g.const(w, np.int8), own[1])
    return g.node("Mul", g.node("Cast", y, to=1), g.const(_scale(g, x) * scale))


def _added(op: str) -> Any:
    def build(g: Graph) -> str:
        x = g.pick()
        y = g.alike(x)
        a = [g.const(_scale(g, x)), g.const(0, np.int8)]
        b = [g.const(_scale(g, y)), g.const(0, np.int8)]
        out = [g.const(0.05), g.const(2, np.int8)]
        both = [g.node("QuantizeLinear", x, *a), *a, g.node("QuantizeLinear", y, *b), *b]
        return str(g.node("DequantizeLinear", g.node(op, *both, *out, domain=MICROSOFT), *out))

    return build


for _op in ("QLinearAdd", "QLinearMul"):
    add(_op, _added(_op), weight=1.0)


@grows("QLinearSigmoid", weight=1.0)
def qlinear_sigmoid(g: Graph) -> str:
    x = g.pick()
    a, out = [g.const(_scale(g, x)), g.const(0, np.int8)], [g.const(1 / 256), g.const(-128, np.int8)]
    q = g.node("QuantizeLinear", x, *a)
    return g.node("DequantizeLinear", g.node("QLinearSigmoid", q, *a, *out, domain=MICROSOFT), *out)
