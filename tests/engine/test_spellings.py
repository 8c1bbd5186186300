"""A layer in one operator and in parts: the same relevance under every composite."""

from __future__ import annotations

import numpy as np
import pytest
from cases import BATCH, Case, ints, normal, positive
from exports import error

import onnxplain as ox

# Stabilisers as large as these show where a rule acts that the other spelling does not have.
COMPOSITES = {
    "attnlrp": {},
    "gradient": {},
    "epsilon": {"epsilon": 0.1, "stabilizer": 0.1},
    "epsilon_plus": {"epsilon": 0.1, "stabilizer": 0.1},
    "gamma": {},
    "zplus": {},
}
_IN, _OUT = "h0 = MatMul(x, w1) h = Add(h0, b1) ", " z0 = MatMul(z, w2) y = Add(z0, b2)"


def f(value: float) -> np.ndarray:
    return np.asarray(value, np.float32)


DENSE = {"w1": normal(6, 8), "b1": normal(8), "w2": normal(8, 3), "b2": normal(3)}
CENTRED = "m = ReduceMean(h, a) c = Sub(h, m) "
LAYER = {"g": normal(8), "b": normal(8)}
NORM = {**LAYER, "a": ints(-1), "e": f(1e-5), "two": f(2), "half": f(0.5), "minus_half": f(-0.5), "one": f(1)}
LAYERNORM = (
    "z = LayerNormalization(h, g, b)",
    CENTRED + "q = Pow(c, two) v = ReduceMean(q, a) ve = Add(v, e) s = Sqrt(ve) n = Div(c, s) "
    "t = Mul(n, g) z = Add(t, b)",
    CENTRED + "c2 = Sub(h, m) q = Mul(c2, c2) v = ReduceMean(q, a) ve = Add(e, v) s = Sqrt(ve) "
    "r = Reciprocal(s) n = Mul(r, c) t = Mul(g, n) z = Add(b, t)",
    CENTRED + "q = Mul(c, c) v = ReduceMean(q, a) ve = Add(v, e) s = Pow(ve, half) r = Div(one, s) "
    "n = Mul(c, r) t = Mul(n, g) z = Add(t, b)",
    CENTRED + "q = Pow(c, two) v = ReduceMean(q, a) ve = Add(v, e) r = Pow(ve, minus_half) n = Mul(c, r) "
    "t = Mul(n, g) z = Add(t, b)",
)
RMS = (
    "q = Pow(h, two) v = ReduceMean(q, a) ve = Add(v, e) s = Sqrt(ve) n = Div(h, s) z = Mul(n, g)",
    "q = Mul(h, h) v = ReduceMean(q, a) ve = Add(v, e) s = Sqrt(ve) r = Reciprocal(s) n = Mul(h, r) "
    "z = Mul(g, n)",
    "q = Mul(h, h) v = ReduceMean(q, a) ve = Add(v, e) s = Sqrt(ve) r = Div(one, s) rg = Mul(r, g) "
    "z = Mul(h, rg)",
    "z = SimplifiedLayerNormalization<axis = -1, epsilon = 1e-05>(h, g)",
)
BACK = {"low": f(float("-inf")), "zero": f(0), "column": ints(-1, 1), "full": ints(1, 8)}
SOFTMAX = (
    "z = Softmax<axis = -1>(h)",
    "t = ReduceMax(h, a) d = Sub(h, t) p = Exp(d) s = ReduceSum(p, a) z = Div(p, s)",
    "p = Exp(h) s = ReduceSum(p, a) r = Reciprocal(s) z = Mul(p, r)",
    "t0 = ReduceMax<keepdims = 0>(h, a) t1 = Max(low, t0) t2 = Reshape(t1, column) t = Expand(t2, full) "
    "d = Sub(h, t) p = Exp(d) s0 = ReduceSum<keepdims = 0>(p, a) s1 = Reshape(s0, column) "
    "s = Expand(s1, full) z = Div(p, s)",
    "t0 = ReduceMax<keepdims = 0>(h, a) i = IsInf(t0) t1 = Where(i, zero, t0) t2 = Unsqueeze(t1, a) "
    "t = Identity(t2) d = Sub(h, t) p = Exp(d) s0 = ReduceSum<keepdims = 0>(p, a) r0 = Reciprocal(s0) "
    "r = Unsqueeze(r0, a) z = Mul(p, r)",
)
LOG_SOFTMAX = (
    "z = LogSoftmax<axis = -1>(h)",
    "t = ReduceMax(h, a) d = Sub(h, t) p = Exp(d) s = ReduceSum(p, a) l = Log(s) z = Sub(d, l)",
    "t0 = ReduceMax<keepdims = 0>(h, a) t1 = Max(t0, low) t2 = Reshape(t1, column) i = Identity(t2) "
    "t = Expand(i, full) d = Sub(h, t) p = Exp(d) s0 = ReduceSum<keepdims = 0>(p, a) "
    "s = Reshape(s0, column) l0 = Log(s) l = Expand(l0, full) z = Sub(d, l)",
)
GATE = {
    "r2": f(2**0.5), "ir2": f(0.5**0.5), "one": f(1), "half": f(0.5), "k": f(0.044715), "three": f(3),
    "c": f((2 / np.pi) ** 0.5), "zero": f(0), "six": f(6), "sixth": f(1 / 6), "minus": f(-1), "tenth": f(0.1),
}  # fmt: skip
GELU = (
    "z = Gelu(h)",
    "d = Div(h, r2) e = Erf(d) o = Add(e, one) p = Mul(h, o) z = Mul(p, half)",
    "d = Mul(h, ir2) e = Erf(d) o = Add(one, e) p = Mul(o, half) z = Mul(h, p)",
    "i = Mul(h, half) d = Div(h, r2) e = Erf(d) o = Add(e, one) z = Mul(i, o)",
)
GELU_TANH = (
    'z = Gelu<approximate = "tanh">(h)',
    "u = Pow(h, three) v = Mul(u, k) w = Add(h, v) s = Mul(w, c) t = Tanh(s) o = Add(t, one) p = Mul(h, o) "
    "z = Mul(p, half)",
    "s2 = Mul(h, h) u = Mul(s2, h) v = Mul(k, u) w = Add(v, h) s = Mul(c, w) t = Tanh(s) o = Add(one, t) "
    "i = Mul(half, h) z = Mul(i, o)",
)
SILU = (
    "s = Sigmoid(h) z = Mul(h, s)",
    "n = Neg(h) p = Exp(n) o = Add(one, p) s = Reciprocal(o) z = Mul(s, h)",
    "n = Mul(h, minus) p = Exp(n) o = Add(p, one) s = Div(one, o) z = Mul(h, s)",
    "n = Neg(h) p = Exp(n) o = Add(p, one) z = Div(h, o)",
)
SIGMOID = ("z = Sigmoid(h)", "n = Neg(h) p = Exp(n) o = Add(p, one) z = Div(one, o)")
HARD_SWISH = (
    "z = HardSwish(h)",
    "t = Add(h, three) l = Clip(t, zero, six) p = Mul(h, l) z = Div(p, six)",
    "t = Add(h, three) l = Clip(t, zero, six) g = Mul(l, sixth) z = Mul(g, h)",
    "g = HardSigmoid<alpha = 0.16666667, beta = 0.5>(h) z = Mul(h, g)",
)
LEAKY = (
    "z = LeakyRelu<alpha = 0.1>(h)",
    "l = Mul(h, tenth) z = Max(h, l)",
    "l = Mul(tenth, h) z = Max(l, h)",
)
RELU = ("z = Relu(h)", "z = Max(h, zero)", "z = Max(zero, h)")

IMAGE_IN, IMAGE_OUT = "h = Conv(x, k1, d1) ", " f = Flatten(z) y = Gemm(f, w2, b2)"
IMAGE = {"k1": normal(4, 2, 3), "d1": normal(4), "w2": normal(28, 3), "b2": normal(3)}
_G, _B = normal(4), normal(4)
CHANNELS = {
    "g": _G, "b": _B, "ones": np.ones(2, np.float32), "zeros": np.zeros(2, np.float32),
    "g1": _G[:, None], "b1": _B[:, None], "groups": ints(0, 2, -1), "back": ints(0, 4, 7), "a": ints(-1),
    "e": f(1e-5), "mean": normal(4), "var": positive(4),
}  # fmt: skip
GROUP = (
    "z = GroupNormalization<num_groups = 2>(h, g, b)",
    "r = Reshape(h, groups) i = InstanceNormalization(r, ones, zeros) o = Reshape(i, back) t = Mul(o, g1) "
    "z = Add(t, b1)",
    "r = Reshape(h, groups) m = ReduceMean(r, a) c = Sub(r, m) q = Mul(c, c) v = ReduceMean(q, a) "
    "ve = Add(v, e) s = Sqrt(ve) n = Div(c, s) o = Reshape(n, back) t = Mul(o, g1) z = Add(t, b1)",
)
INSTANCE = (
    "z = InstanceNormalization(h, g, b)",
    "m = ReduceMean(h, a) c = Sub(h, m) q = Mul(c, c) v = ReduceMean(q, a) ve = Add(v, e) s = Sqrt(ve) "
    "n = Div(c, s) t = Mul(n, g1) z = Add(t, b1)",
)
_SCALE = CHANNELS["g"] / np.sqrt(CHANNELS["var"] + np.float32(1e-5))
BATCHNORM = {"scale": _SCALE[:, None], "shift": (CHANNELS["b"] - CHANNELS["mean"] * _SCALE)[:, None]}
BATCH_NORM = (
    "z = BatchNormalization(h, g, b, mean, var)",
    "t = Mul(h, scale) z = Add(t, shift)",
)
LINEAR = (
    "z = Gemm(h, w3, b3)",
    "p = MatMul(h, w3) z = Add(p, b3)",
    "p = MatMul(h, w3) z = Add(b3, p)",
    "p = Gemm(h, w3) z = Add(p, b3)",
    "z = Gemm<transB = 1>(h, w3t, b3)",
)
_W3 = normal(8, 8)
AFFINE = {"w3": _W3, "w3t": np.ascontiguousarray(_W3.T), "b3": normal(8)}

SPELLINGS = {
    "LayerNorm": (_IN, LAYERNORM, _OUT, DENSE | NORM),
    "RMSNorm": (_IN, RMS, _OUT, DENSE | NORM),
    "Softmax": (_IN, SOFTMAX, _OUT, DENSE | NORM | BACK),
    "LogSoftmax": (_IN, LOG_SOFTMAX, _OUT, DENSE | NORM | BACK),
    "Gelu": (_IN, GELU, _OUT, DENSE | GATE),
    "Gelu-tanh": (_IN, GELU_TANH, _OUT, DENSE | GATE),
    "SiLU": (_IN, SILU, _OUT, DENSE | GATE),
    "Sigmoid": (_IN, SIGMOID, _OUT, DENSE | GATE),
    "HardSwish": (_IN, HARD_SWISH, _OUT, DENSE | GATE),
    "LeakyRelu": (_IN, LEAKY, _OUT, DENSE | GATE),
    "Relu": (_IN, RELU, _OUT, DENSE | GATE),
    "Linear": (_IN, LINEAR, _OUT, DENSE | AFFINE),
    "GroupNorm": (IMAGE_IN, GROUP, IMAGE_OUT, IMAGE | CHANNELS),
    "InstanceNorm": (IMAGE_IN, INSTANCE, IMAGE_OUT, IMAGE | CHANNELS),
    "BatchNorm": (IMAGE_IN, BATCH_NORM, IMAGE_OUT, IMAGE | CHANNELS | BATCHNORM),
}


def relevance(layer: str, body: str, folder, composite: str):
    before, _, after, weights = SPELLINGS[layer]
    x = np.random.default_rng(3).standard_normal(
        (BATCH, 2, 9) if before == IMAGE_IN else (BATCH, 6), np.float32
    )
    text = before + body + after
    used = {k: v for k, v in weights.items() if f"({k}," in text or f" {k})" in text or f" {k}," in text}
    opset = 21 if "GroupNormalization" in text else 20
    path = Case("spelling", text, {"x": x}, used, opset).save(folder)
    a = ox.Explainer(path, composite=composite, **COMPOSITES[composite])(x, target=[0, 1, 2][:BATCH])
    assert (a.closure() <= 1e-5).all()
    return a.relevance["x"]


@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize(
    ("layer", "which"), [(layer, i) for layer, s in SPELLINGS.items() for i in range(1, len(s[1]))]
)
def test_one_layer_has_one_relevance(tmp_path, layer, which, composite):
    bodies = SPELLINGS[layer][1]
    want = relevance(layer, bodies[0], tmp_path, composite)
    got = relevance(layer, bodies[which], tmp_path, composite)
    assert error(got, want) <= 2e-5
