"""Canonical passes on graphs written as ONNX text: what they mark, and what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest
from cases import BATCH, Case, ints, normal, positive

from onnxplain.engine import canonical
from onnxplain.engine.canonical import attention, batchnorm, gates, linear, normalisers
from onnxplain.engine.graph import Graph, from_model
from onnxplain.engine.probe import Probe, probe


def _graph(body: str, x: dict | np.ndarray, **weights) -> tuple[Graph, Probe]:
    inputs = x if isinstance(x, dict) else {"x": x}
    proto = Case("pass", body, inputs, {k: np.asarray(v) for k, v in weights.items()}).model()
    graph = from_model(proto)
    return graph, probe(proto, graph, inputs, dict.fromkeys(inputs, 0), where="pass")


def _held(graph: Graph) -> dict[str, set[int]]:
    return {n.outputs[0]: n.held for n in graph.nodes if n.held}


ONE, HALF = np.float32(1), np.float32(0.5)


@pytest.mark.parametrize(
    ("body", "weights", "held"),
    [
        ("d = Div(x, r) e = Erf(d) o = Add(e, one) g = Mul(x, o) y = Mul(g, h)",
         {"r": ONE, "one": ONE, "h": HALF}, {"g": {1}}),
        ("s = Sigmoid(x) y = Mul(s, x)", {}, {"y": {0}}),
        ("a = Add(x, three) c = Clip(a, zero, six) p = Mul(x, c) y = Div(p, six)",
         {"three": np.float32(3), "zero": np.float32(0), "six": np.float32(6)}, {"p": {1}}),
        ("p = Softplus(x) t = Tanh(p) y = Mul(x, t)", {}, {"y": {1}}),
    ],
    ids=["gelu", "silu", "hardswish", "mish"],
)  # fmt: skip
def test_self_gates(body, weights, held):
    graph, found = _graph(body, normal(BATCH, 4), **weights)
    assert _held(gates.run(graph, found)) == held


@pytest.mark.parametrize(
    ("body", "weights"),
    [
        ("y = Mul(x, x)", {}),
        ("z = MatMul(x, w) r = Relu(z) y = Mul(x, r)", {"w": normal(4, 4)}),
        ("z = MatMul(x, w) y = Mul(x, z)", {"w": normal(4, 4)}),
        ("m = ReduceMean(x, a) y = Mul(x, m)", {"a": ints(1)}),
    ],
    ids=["square", "two signals", "product", "mean"],
)
def test_what_is_no_gate(body, weights):
    graph, found = _graph(body, normal(BATCH, 4), **weights)
    assert _held(gates.run(graph, found)) == {}


def test_gates_of_another_signal():
    body = (
        "h = MatMul(x, w) a, b = Split<axis = 1>(h, s) g = Sigmoid(a) f = Sub(one, g) t = Tanh(b) "
        "p = Mul(t, g) q = Mul(f, b) y = Add(p, q)"
    )
    graph, found = _graph(body, normal(BATCH, 4), w=normal(4, 6), s=ints(3, 3), one=ONE)
    assert _held(gates.run(graph, found)) == {"p": {1}, "q": {0}}


@pytest.mark.parametrize(
    ("tail", "held"),
    [
        ("s = Sqrt(v) y = Div(c, s)", {"y": {1}}),
        ("s = Sqrt(v) r = Reciprocal(s) y = Mul(r, c)", {"y": {0}}),
        ("r = Pow(v, h) y = Mul(c, r)", {"y": {1}}),
        ("s = Sqrt(v) r = Div(one, s) y = Mul(c, r)", {"y": {1}}),
    ],
)
def test_denominators(tail, held):
    weights = {"a": ints(-1), "h": np.float32(-0.5), "one": ONE}
    body = "m = ReduceMean(x, a) c = Sub(x, m) q = Mul(c, c) v = ReduceMean(q, a) " + tail
    used = {k: v for k, v in weights.items() if f" {k})" in body or f"({k}," in body}
    graph, found = _graph(body, normal(BATCH, 4), **used)
    assert _held(normalisers.run(graph, found)) == held


def test_a_constant_denominator_is_left_alone():
    graph, found = _graph("y = Div(x, c)", normal(BATCH, 4), c=positive(4))
    assert _held(normalisers.run(graph, found)) == {}


def test_matmul_and_add_become_one_layer():
    graph, found = _graph("z = MatMul(x, w) y = Add(b, z)", normal(BATCH, 5, 4), w=normal(4, 3), b=normal(3))
    (layer,) = linear.run(graph, found).nodes
    assert (layer.domain, layer.op_type, layer.inputs, layer.outputs) == (
        "onnxplain",
        "Linear",
        ("x", "w", "b"),
        ("y",),
    )


@pytest.mark.parametrize(
    ("body", "weights"),
    [
        ("z = MatMul(x, w) a = Add(z, b) r = Relu(z) y = Add(a, r)", {"w": normal(4, 4), "b": normal(4)}),
        ("z = MatMul(x, w) y = Add(z, x)", {"w": normal(4, 4)}),
        ("z = MatMul(x, x2) y = Add(z, b)", {"x2": normal(4, 4), "b": normal(BATCH, 1, 1, 4)}),
    ],
    ids=["read twice", "residual", "broadcast up"],
)
def test_what_is_no_layer(body, weights):
    x = normal(BATCH, 4)
    graph, found = _graph(body, x, **weights)
    assert [n.op_type for n in linear.run(graph, found).nodes] == [n.op_type for n in graph.nodes]


def test_a_pinned_value_stays():
    graph, found = _graph("z = MatMul(x, w) y = Add(z, b)", normal(BATCH, 4), w=normal(4, 3), b=normal(3))
    graph.pinned = frozenset({"z"})
    assert [n.op_type for n in canonical.canonical(graph, found).nodes] == ["MatMul", "Add"]


def _conv(x, w, c):
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2], axis=2)
    return np.einsum("bctk,ock->bot", windows, w) + c[:, None]


def _gemm(x, w, c):
    return x @ w.T + c


@pytest.mark.parametrize(
    ("body", "x", "weights", "apply"),
    [
        (
            "z = Conv(x, w, c) y = BatchNormalization(z, g, b, m, v)",
            normal(BATCH, 2, 6),
            {"w": normal(4, 2, 3), "c": normal(4)},
            _conv,
        ),
        (
            "z = Gemm<transB = 1, beta = 2.0>(x, w, c) y = BatchNormalization(z, g, b, m, v)",
            normal(BATCH, 3),
            {"w": normal(4, 3), "c": normal(4)},
            _gemm,
        ),
    ],
    ids=["Conv", "Gemm"],
)
def test_batchnorm_is_merged(body, x, weights, apply):
    norm = {"g": normal(4), "b": normal(4), "m": normal(4), "v": positive(4)}
    graph, found = _graph(body, x, **weights, **norm)
    (layer,) = batchnorm.run(graph, found).nodes
    assert layer.outputs == ("y",)
    w, c = (found.constants[v].astype(np.float64) for v in layer.inputs[1:])
    factor = 2 if layer.op_type == "Gemm" else 1
    z = apply(x.astype(np.float64), weights["w"].astype(np.float64), factor * weights["c"].astype(np.float64))
    shape = (1, -1, *(1 for _ in z.shape[2:]))
    g, b, m, v = (norm[k].astype(np.float64).reshape(shape) for k in "gbmv")
    np.testing.assert_allclose(
        apply(x.astype(np.float64), w, c), (z - m) / np.sqrt(v + 1e-5) * g + b, rtol=1e-4, atol=1e-5
    )


def test_attention_weights():
    body = "s = Softmax(q) t = Transpose<perm = [0, 1, 2]>(s) y = MatMul(t, v)"
    graph, found = _graph(body, {"q": normal(BATCH, 3, 3), "v": normal(BATCH, 3, 2)})
    assert [n.outputs[0] for n in attention.attention_weights(graph, found)] == ["s"]


def test_a_classifier_is_no_attention():
    graph, found = _graph("s = Softmax(x) m = MatMul(s, w) y = Neg(m)", normal(BATCH, 4), w=normal(4, 2))
    assert attention.attention_weights(graph, found) == []
