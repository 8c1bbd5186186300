"""Canonical passes on graphs written as ONNX text: what they mark, and what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest
from cases import BATCH, Case, ints, normal, positive

from onnxplain.engine import canonical
from onnxplain.engine.analysis.analysis import Analysis
from onnxplain.engine.analysis.probe import probe
from onnxplain.engine.canonical import (
    activations,
    attention,
    batchnorm,
    gates,
    groupnorm,
    integer,
    layernorm,
    linear,
    normalisers,
    padding,
    softmax,
)
from onnxplain.engine.file.graph import from_model


def _analysis(body: str, x: dict | np.ndarray, mode: str = "open", **weights) -> Analysis:
    inputs = x if isinstance(x, dict) else {"x": x}
    proto = Case("pass", body, inputs, {k: np.asarray(v) for k, v in weights.items()}).model()
    graph = from_model(proto)
    found = probe(proto, graph, inputs, dict.fromkeys(inputs, 0), where="pass", mode=mode)
    return Analysis(graph, found)


def _held(analysis: Analysis) -> dict[str, set[int]]:
    return {n.outputs[0]: n.held for n in analysis.nodes if n.held}


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
    analysis = _analysis(body, normal(BATCH, 4), **weights)
    assert _held(gates.run(analysis)) == held


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
    analysis = _analysis(body, normal(BATCH, 4), **weights)
    assert _held(gates.run(analysis)) == {}


@pytest.mark.parametrize(
    ("body", "gate"),
    [
        ("a = Relu(x) u = MatMul(x, w) y = Mul(a, u)", 0),
        ("s = Sigmoid(x) a = Mul(x, s) h = Mul(a, half) u = MatMul(x, w) y = Mul(u, h)", 1),
    ],
    ids=["ReGLU", "SwiGLU, scaled"],
)
def test_activations_that_weigh_another_signal(body, gate):
    analysis = _analysis(body, normal(BATCH, 4), w=normal(4, 4), half=HALF)
    analysis = gates.run(analysis)
    product = analysis.producer("y")
    assert product.held == set()
    assert gates.activated(analysis) == {(product, gate)}


def test_gates_of_another_signal():
    body = (
        "h = MatMul(x, w) a, b = Split<axis = 1>(h, s) g = Sigmoid(a) f = Sub(one, g) t = Tanh(b) "
        "p = Mul(t, g) q = Mul(f, b) y = Add(p, q)"
    )
    analysis = _analysis(body, normal(BATCH, 4), w=normal(4, 6), s=ints(3, 3), one=ONE)
    assert _held(gates.run(analysis)) == {"p": {1}, "q": {0}}


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
    analysis = _analysis(body, normal(BATCH, 4), **used)
    assert _held(normalisers.run(analysis)) == held


def test_a_constant_denominator_is_left_alone():
    analysis = _analysis("y = Div(x, c)", normal(BATCH, 4), c=positive(4))
    assert _held(normalisers.run(analysis)) == {}


def test_matmul_and_add_become_one_layer():
    analysis = _analysis("z = MatMul(x, w) y = Add(b, z)", normal(BATCH, 5, 4), w=normal(4, 3), b=normal(3))
    (layer,) = linear.run(analysis).nodes
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
    analysis = _analysis(body, x, **weights)
    assert [n.op_type for n in linear.run(analysis).nodes] == [n.op_type for n in analysis.nodes]


def test_a_pinned_value_stays():
    analysis = _analysis("z = MatMul(x, w) y = Add(z, b)", normal(BATCH, 4), w=normal(4, 3), b=normal(3))
    analysis.graph.pinned = frozenset({"z"})
    assert [n.op_type for n in canonical.canonical(analysis).nodes] == ["MatMul", "Add"]


def _conv(x, w, c):
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2], axis=2)
    return np.einsum("bctk,ock->bot", windows, w) + c[:, None]


def _gemm(x, w, c):
    return x @ w.T + c


def _conv_transpose(x, w, c):
    """Two groups, a kernel that does not overlap itself."""
    parts = [
        np.einsum("bct,cok->botk", a, k) for a, k in zip(np.split(x, 2, 1), np.split(w, 2, 0), strict=True)
    ]
    z = np.concatenate(parts, 1)
    return z.reshape(*z.shape[:2], -1) + c[:, None]


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
        (
            "z = ConvTranspose<group = 2, strides = [2]>(x, w, c) y = BatchNormalization(z, g, b, m, v)",
            normal(BATCH, 6, 5),
            {"w": normal(6, 2, 2), "c": normal(4)},
            _conv_transpose,
        ),
    ],
    ids=["Conv", "Gemm", "ConvTranspose"],
)
def test_batchnorm_is_merged(body, x, weights, apply):
    norm = {"g": normal(4), "b": normal(4), "m": normal(4), "v": positive(4)}
    analysis = _analysis(body, x, **weights, **norm)
    made = batchnorm.run(analysis)
    (layer,) = made.nodes
    assert layer.outputs == ("y",)
    w, c = (made.constants[v].astype(np.float64) for v in layer.inputs[1:])
    factor = 2 if layer.op_type == "Gemm" else 1
    z = apply(x.astype(np.float64), weights["w"].astype(np.float64), factor * weights["c"].astype(np.float64))
    shape = (1, -1, *(1 for _ in z.shape[2:]))
    g, b, m, v = (norm[k].astype(np.float64).reshape(shape) for k in "gbmv")
    np.testing.assert_allclose(
        apply(x.astype(np.float64), w, c), (z - m) / np.sqrt(v + 1e-5) * g + b, rtol=1e-4, atol=1e-5
    )


def test_attention_weights():
    body = "s = Softmax(q) t = Transpose<perm = [0, 1, 2]>(s) y = MatMul(t, v)"
    analysis = _analysis(body, {"q": normal(BATCH, 3, 3), "v": normal(BATCH, 3, 2)})
    assert [n.outputs[0] for n in attention.attention_weights(analysis)] == ["s"]


def test_attention_weights_past_a_guard_against_nan():
    """PyTorch writes one where rows of a mask can be empty."""
    body = "s = Softmax(q) n = IsNaN(s) w = Where(n, zero, s) y = MatMul(w, v)"
    x = {"q": normal(BATCH, 3, 3), "v": normal(BATCH, 3, 2)}
    analysis = _analysis(body, x, zero=np.float32(0))
    assert [n.outputs[0] for n in attention.attention_weights(analysis)] == ["s"]


def test_a_classifier_is_no_attention():
    analysis = _analysis("s = Softmax(x) m = MatMul(s, w) y = Neg(m)", normal(BATCH, 4), w=normal(4, 2))
    assert attention.attention_weights(analysis) == []


LAYERNORM = (
    "m = ReduceMean(x, a) c = Sub(x, m) q = Mul(c, c) v = ReduceMean(q, a) ve = Add(v, e) s = Sqrt(ve) "
    "n = Div(c, s) t = Mul(n, g) y = Add(t, b)"
)
PARTS = {"a": ints(-1), "e": np.float32(1e-5), "g": normal(4), "b": normal(4)}


def _last(analysis: Analysis) -> tuple:
    node = analysis.producer("y")
    return node.domain, node.op_type, node.inputs[0], node.attributes


def test_layernorm_of_parts():
    analysis = _analysis(LAYERNORM, normal(BATCH, 5, 4), **PARTS)
    made = layernorm.run(analysis)
    domain, kind, x, attributes = _last(made)
    assert (domain, kind, x, attributes["axis"]) == ("", "LayerNormalization", "x", -1)
    assert attributes["epsilon"] == pytest.approx(1e-5)
    for name, want in zip(made.producer("y").inputs[1:], (PARTS["g"], PARTS["b"]), strict=True):
        np.testing.assert_array_equal(made.constants[name], want)


@pytest.mark.parametrize(
    "body",
    [
        LAYERNORM.replace("q = Mul(c, c)", "q = Mul(c, x)"),
        LAYERNORM.replace("c = Sub(x, m)", "c = Sub(m, x)"),
        LAYERNORM.replace("v = ReduceMean(q, a)", "v = ReduceMean(q, other)"),
    ],
    ids=["another square", "the mean less x", "other axes"],
)
def test_what_is_no_layernorm(body):
    weights = PARTS | ({"other": ints(1)} if "other" in body else {})
    analysis = _analysis(body, normal(BATCH, 5, 4), **weights)
    assert "LayerNormalization" not in {n.op_type for n in layernorm.run(analysis).nodes}


def test_a_pinned_part_keeps_a_layernorm_in_parts():
    analysis = _analysis(LAYERNORM, normal(BATCH, 5, 4), **PARTS)
    analysis.graph.pinned = frozenset({"c"})
    assert layernorm.run(analysis) is analysis


def test_groupnorm_around_another():
    body = (
        "r = Reshape(x, s) i = InstanceNormalization(r, one, zero) o = Reshape(i, t) "
        "p = Mul(o, g) y = Add(p, b)"
    )
    weights = {
        "s": ints(0, 2, -1), "t": ints(0, 4, 6), "one": np.ones(2, np.float32), "g": normal(4, 1),
        "zero": np.zeros(2, np.float32), "b": normal(4, 1),
    }  # fmt: skip
    analysis = _analysis(body, normal(BATCH, 4, 6), **weights)
    made = groupnorm.run(analysis)
    domain, kind, x, attributes = _last(made)
    assert (domain, kind, x, attributes["num_groups"]) == ("", "GroupNormalization", "x", 2)
    np.testing.assert_array_equal(made.constants[made.producer("y").inputs[1]], weights["g"][:, 0])


def test_a_norm_with_weights_of_its_own_is_no_groupnorm():
    body = "r = Reshape(x, s) i = InstanceNormalization(r, one, b) o = Reshape(i, t) y = Mul(o, g)"
    weights = {"s": ints(0, 2, -1), "t": ints(0, 4, 6), "one": np.ones(2, np.float32), "g": normal(4, 1)}
    analysis = _analysis(body, normal(BATCH, 4, 6), b=normal(2), **weights)
    assert groupnorm.run(analysis) is analysis


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("t = ReduceMax(x, a) d = Sub(x, t) p = Exp(d) s = ReduceSum(p, a) y = Div(p, s)", "Softmax"),
        ("p = Exp(x) s = ReduceSum(p, a) r = Reciprocal(s) y = Mul(r, p)", "Softmax"),
        ("p = Exp(x) s = ReduceSum(p, a) l = Log(s) y = Sub(x, l)", "LogSoftmax"),
    ],
    ids=["stable", "reciprocal", "logarithm"],
)
def test_softmax_of_parts(body, kind):
    analysis = _analysis(body, normal(BATCH, 4), a=ints(-1))
    assert _last(softmax.run(analysis)) == ("", kind, "x", {"axis": -1})


LOST = (
    "t0 = ReduceMax<keepdims = 0>(x, a) t1 = Max(low, t0) t = Unsqueeze(t1, a) d = Sub(x, t) p = Exp(d) "
    "s0 = ReduceSum<keepdims = 0>(p, a) s = Unsqueeze(s0, a) y = Div(p, s)"
)
LOW = {"a": ints(-1), "low": np.float32(-np.inf)}


@pytest.mark.parametrize(
    ("body", "x"),
    [
        (LOST, "x"),
        (LOST.replace("t1 = Max(low, t0)", "i = IsInf(t0) t1 = Where(i, low, t0)"), "x"),
        (LOST.replace("ReduceMax<keepdims = 0>(x, a)", "ReduceMean<keepdims = 0>(x, a)"), "d"),
        (LOST.replace("(x, a) t1", "(x, b) t1").replace("(t1, a)", "(t1, b)"), "d"),
        (LOST.replace("Max(low, t0)", "Add(low, t0)"), "d"),
    ],
    ids=["Max", "Where", "the mean", "another axis", "Add"],
)
def test_softmax_whose_axis_went_and_came_back(body, x):
    weights = LOW | ({"b": ints(-2)} if ", b)" in body else {})
    analysis = _analysis(body, normal(BATCH, 4, 4), **weights)
    assert _last(softmax.run(analysis)) == ("", "Softmax", x, {"axis": -1})


def test_a_sum_laid_along_another_axis_is_no_softmax():
    analysis = _analysis(LOST.replace("(s0, a)", "(s0, b)"), normal(BATCH, 4, 4), **LOW, b=ints(-2))
    assert softmax.run(analysis) is analysis


@pytest.mark.parametrize(("pinned", "x"), [("s0", None), ("t0", "d"), ("d", "d")])
def test_a_pinned_part_of_a_softmax_stays(pinned, x):
    analysis = _analysis(LOST, normal(BATCH, 4, 4), **LOW)
    analysis.graph.pinned = frozenset({pinned})
    _, kind, first, _ = _last(softmax.run(analysis))
    assert (kind, first) == (("Softmax", x) if x else ("Div", "p"))


@pytest.mark.parametrize(
    ("flatten", "softmax_axis", "axis"),
    [("f = Flatten<axis = 2>(x)", -1, -1), ("f = Flatten<axis = 1>(x)", 1, -2), ("f = Reshape(x, t)", 1, -2)],
)
def test_a_softmax_between_flatten_and_reshape(flatten, softmax_axis, axis):
    """As a converter writes that of an opset before 13."""
    body = f"{flatten} p = Softmax<axis = {softmax_axis}>(f) s = Shape(x) y = Reshape(p, s)"
    analysis = _analysis(body, normal(BATCH, 3, 4), t=ints(0, -1))
    assert _last(softmax.run(analysis)) == ("", "Softmax", "x", {"axis": axis})
    assert softmax.run(analysis).producer("y").version == (13 if axis == -1 else 11)


def test_a_softmax_that_is_shaped_otherwise_stays():
    analysis = _analysis(
        "f = Flatten(x) p = Softmax(f) y = Reshape(p, s)", normal(BATCH, 3, 4), s=ints(0, 4, 3)
    )
    assert softmax.run(analysis) is analysis


def test_another_sum_is_no_softmax():
    analysis = _analysis("p = Exp(x) s = ReduceSum(x, a) y = Div(p, s)", normal(BATCH, 4), a=ints(-1))
    assert softmax.run(analysis) is analysis


@pytest.mark.parametrize(
    ("body", "weights", "want"),
    [
        ("n = Neg(x) p = Exp(n) o = Add(one, p) y = Div(one, o)", {"one": ONE}, ("Sigmoid", {})),
        ("l = Mul(x, h) y = Max(l, x)", {"h": HALF}, ("LeakyRelu", {"alpha": 0.5})),
        ("y = Max(zero, x)", {"zero": np.float32(0)}, ("Relu", {})),
    ],
    ids=["sigmoid", "leaky", "relu"],
)
def test_activations_of_parts(body, weights, want):
    analysis = _analysis(body, normal(BATCH, 4), **weights)
    _, kind, x, attributes = _last(activations.run(analysis))
    assert (kind, attributes, x) == (*want, "x")


@pytest.mark.parametrize("factor", [2.0, -0.5])
def test_what_is_no_leaky_relu(factor):
    analysis = _analysis("l = Mul(x, h) y = Max(l, x)", normal(BATCH, 4), h=np.float32(factor))
    assert activations.run(analysis) is analysis


def test_scale_and_shift_after_a_convolution_are_merged():
    x, w = normal(BATCH, 2, 6), normal(4, 2, 3)
    weights = {"w": w, "g": normal(4, 1), "b": normal(4, 1)}
    analysis = _analysis("z = Conv(x, w) p = Mul(z, g) y = Add(b, p)", x, **weights)
    made = batchnorm.run(analysis)
    (layer,) = made.nodes
    merged, bias = (made.constants[v] for v in layer.inputs[1:])
    np.testing.assert_allclose(merged, w * weights["g"][..., None], rtol=1e-6)
    np.testing.assert_allclose(bias, weights["b"][:, 0], rtol=1e-6)


def test_a_layer_whose_shape_is_read_is_merged():
    """Exporters read it for a reshape, and a type for a CastLike."""
    norm = {"g": normal(4), "b": normal(4), "m": normal(4), "v": positive(4)}
    body = (
        "z = Conv(x, w) s = Shape(z) t = CastLike(one, z) n = BatchNormalization(z, g, b, m, v) "
        "p = Mul(n, t) y = Reshape(p, s)"
    )
    weights = {"w": normal(4, 2, 3), "one": ONE, **norm}
    analysis = _analysis(body, normal(BATCH, 2, 6), **weights)
    kinds = [n.op_type for n in batchnorm.run(analysis).nodes]
    assert "BatchNormalization" not in kinds


@pytest.mark.parametrize("channels", [1, 4])
def test_one_number_after_a_convolution_is_no_normalisation(channels):
    """Softplus with a beta starts like this: LRP-epsilon divides by what the convolution gives."""
    weights = {"w": normal(channels, 2, 3), "h": np.float32(2)}
    analysis = _analysis("z = Conv(x, w) y = Mul(z, h)", normal(BATCH, 2, 6), **weights)
    assert batchnorm.run(analysis) is analysis


@pytest.mark.parametrize(
    ("pad", "pads"),
    [
        ("z = Pad(x, p)", [0, 0, 1, 0, 0, 2]),
        ('z = Pad<mode = "constant">(x, p, zero, a)', [1, 2]),
    ],
    ids=["all axes", "one axis"],
)
def test_zeros_around_a_convolution_are_its_padding(pad, pads):
    weights = {"p": ints(*pads), "w": normal(4, 2, 3), "zero": np.float32(0), "a": ints(-1)}
    body = f"{pad} y = Conv<pads = [1, 0]>(z, w)"
    analysis = _analysis(body, normal(BATCH, 2, 6), **weights)
    (layer,) = padding.run(analysis).nodes
    assert (layer.inputs, tuple(layer.attributes["pads"])) == (("x", "w"), (2, 2))


@pytest.mark.parametrize(
    "pad",
    ["Pad(x, p, one)", "Pad(x, c)", "Pad(x, n)", 'Pad<mode = "reflect">(x, p)'],
    ids=["ones", "channels", "cut off", "reflected"],
)
def test_what_is_no_padding_of_a_convolution(pad):
    weights = {"p": ints(0, 0, 1, 0, 0, 2), "n": ints(0, 0, -1, 0, 0, 0), "c": ints(0, 1, 0, 0, 0, 0)}
    w = normal(4, 3 if "c)" in pad else 2, 3)
    analysis = _analysis(f"z = {pad} y = Conv(z, w)", normal(BATCH, 2, 6), w=w, one=ONE, **weights)
    assert padding.run(analysis) is analysis


def test_a_map_that_is_added_is_no_bias():
    analysis = _analysis(
        "z = Conv(x, w) y = Add(z, b)", normal(BATCH, 2, 6), w=normal(4, 2, 3), b=normal(4, 4)
    )
    assert batchnorm.run(analysis) is analysis


def test_an_integer_product_is_a_float_layer():
    body = (
        "q, s, z = DynamicQuantizeLinear(x) i = MatMulInteger(q, w, z, wz) f = Cast<to = 1>(i) "
        "ss = Mul(s, ws) y = Mul(f, ss)"
    )
    w = np.random.default_rng(0).integers(-127, 127, (4, 3)).astype(np.int8)
    zero, scale = np.array([1, 0, -2], np.int8), positive(3)
    analysis = _analysis(body, normal(BATCH, 4), mode="single", w=w, wz=zero, ws=scale)
    made = integer.run(analysis)
    layer = made.producer("y")
    assert (layer.domain, layer.op_type, layer.inputs[0]) == ("", "MatMul", "x")
    want = (w.astype(np.float64) - zero) * scale
    np.testing.assert_allclose(made.constants[layer.inputs[1]], want, rtol=1e-6)


def test_products_with_one_integer_weight_share_its_floats():
    """The steps of a recurrent layer: a copy of the weight for each would be larger than a file can be."""
    body = "".join(
        f"q{i}, s{i}, z{i} = DynamicQuantizeLinear({x}) p{i} = MatMulInteger(q{i}, w, z{i}, wz) "
        f"f{i} = Cast<to = 1>(p{i}) c{i} = Mul(s{i}, ws) {y} = Mul(f{i}, c{i}) "
        for i, x, y in ((1, "x", "h"), (2, "h", "y"))
    )
    w = np.arange(-8, 8, dtype=np.int8).reshape(4, 4)
    weights = {"w": w, "wz": np.int8(1), "ws": np.float32(0.02)}
    analysis = _analysis(body, normal(BATCH, 4), mode="single", **weights)
    made = integer.run(analysis)
    assert made.producer("h").inputs[1] == made.producer("y").inputs[1]


def test_rounding_between_a_product_and_its_bias():
    body = "p = MatMul(x, w) q = QuantizeLinear(p, s, z) d = DequantizeLinear(q, s, z) y = Add(d, b)"
    weights = {"w": normal(4, 3), "s": np.float32(0.05), "z": np.uint8(128), "b": normal(3)}
    analysis = _analysis(body, normal(BATCH, 4), **weights)
    (layer,) = linear.run(analysis).nodes
    assert (layer.op_type, layer.inputs, layer.outputs) == ("Linear", ("x", "w", "b"), ("y",))


def test_a_pass_leaves_what_it_was_given_as_it_was():
    analysis = _analysis(LAYERNORM, normal(BATCH, 5, 4), **PARTS)
    constants, nodes = dict(analysis.constants), list(analysis.nodes)
    made = layernorm.run(analysis)
    layer = made.producer("y")
    assert (dict(analysis.constants), list(analysis.nodes)) == (constants, nodes)
    scale = layer.inputs[1]
    assert (made.shape(scale), made.dtype(scale)) == ((4,), np.float32)
    assert not analysis.is_constant(scale)
