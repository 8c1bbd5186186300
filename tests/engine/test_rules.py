"""Rules re-derived from their definitions, with dense matrices in float64."""

from __future__ import annotations

import numpy as np
import pytest
from cases import BATCH, Case, ints, normal, positive

import onnxplain as ox


def _explain(folder, body, x, composite="attnlrp", target=None, parameters=None, **weights):
    inputs = x if isinstance(x, dict) else {"x": x}
    path = Case("rule", body, inputs, {k: np.asarray(v) for k, v in weights.items()}).save(folder)
    explain = ox.Explainer(path, composite=composite, **(parameters or {}))
    y = explain.predict(inputs)["y"]
    seed = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32) if target is None else target
    return explain(inputs, target=seed), seed.astype(np.float64), y.astype(np.float64)


@pytest.mark.parametrize("eps", [0.0, 0.25])
def test_epsilon(tmp_path, eps):
    """Bach et al. 2015, eq. 58: R_i = sum_j x_i w_ij R_j / (z_j + eps sign(z_j)), z with the bias."""
    x, w, b = normal(BATCH, 4), normal(4, 3), normal(3)
    a, seed, y = _explain(tmp_path, "y = Gemm(x, w, b)", x, "epsilon", w=w, b=b, parameters={"epsilon": eps})
    z = x.astype(np.float64) @ w + b
    messages = x[:, :, None] * w[None] / (z + eps * np.where(z >= 0, 1, -1))[:, None, :]
    np.testing.assert_allclose(
        a.relevance["x"], (messages * (seed * y)[:, None, :]).sum(2), rtol=1e-4, atol=1e-5
    )


def test_matmul_and_add_are_one_layer(tmp_path):
    """Under LRP-epsilon the denominator has the bias in it, whichever way the layer is spelt."""
    x, w, b = normal(BATCH, 4), normal(4, 3), normal(3)
    maps = [
        _explain(tmp_path, body, x, "epsilon", w=w, b=b, parameters={"epsilon": 0.25})[0].relevance["x"]
        for body in ("y = Gemm(x, w, b)", "z = MatMul(x, w) y = Add(z, b)", "z = MatMul(x, w) y = Add(b, z)")
    ]
    np.testing.assert_allclose(maps[0], maps[1], rtol=1e-5)
    np.testing.assert_allclose(maps[0], maps[2], rtol=1e-5)


def test_uniform_rule_of_a_product(tmp_path):
    """AttnLRP, Prop. 3.3: each factor of A B gets half of what passes through each of its terms."""
    p, q = normal(BATCH, 2, 3), normal(BATCH, 3, 4)
    a, seed, _ = _explain(tmp_path, "y = MatMul(a, b)", {"a": p, "b": q})
    terms = np.einsum("bij,bjp,bip->bijp", p, q, seed)
    np.testing.assert_allclose(a.relevance["a"], terms.sum(3) / 2, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(a.relevance["b"], terms.sum(1) / 2, rtol=1e-4, atol=1e-5)


def test_softmax(tmp_path):
    """AttnLRP, eq. 13: R_i = x_i (R_j delta_ij - s_i sum_j R_j)."""
    x = normal(BATCH, 5)
    a, seed, _ = _explain(tmp_path, "s = Softmax(x) y = Mul(s, k)", x, k=np.float32(2))
    e = np.exp(x.astype(np.float64))
    s = e / e.sum(1, keepdims=True)
    r = seed * 2 * s
    np.testing.assert_allclose(a.relevance["x"], x * (r - s * r.sum(1, keepdims=True)), rtol=1e-4, atol=1e-6)
    # The Taylor form is not conservative, and the ledger says by how much.
    np.testing.assert_allclose(
        a.ledger.by_kind()["softmax"],
        (r - x * (r - s * r.sum(1, keepdims=True))).sum(1),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ("opset", "axes"), [(11, (1, 2)), (20, (2,))], ids=["over all axes", "over the last"]
)
@pytest.mark.parametrize("both", [False, True], ids=["no multiple of s", "of both kinds"])
def test_softmax_of_relevance_that_is_no_multiple_of_it(tmp_path, opset, axes, both):
    """The same equation where the outputs' relevance is not ``s m``: rounding up passes it on 1:1."""
    x = normal(BATCH, 2, 3)
    axis = "" if opset < 13 else "<axis = -1>"
    body = f"s = Softmax{axis}(x) c = Ceil(s) " + ("y = Add(c, s)" if both else "y = Identity(c)")
    explain = ox.Explainer(Case("rule", body, {"x": x}, {}, opset).save(tmp_path))
    seed = normal(*x.shape)
    a = explain({"x": x}, target=seed)
    e = np.exp(x.astype(np.float64))
    s = e / e.sum(axes, keepdims=True)
    r = seed * (1 + s if both else 1.0)
    np.testing.assert_allclose(
        a.relevance["x"], x * (r - s * r.sum(axes, keepdims=True)), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(a.ledger.total() + a.relevance["x"].sum((1, 2)), a.explained, atol=1e-4)


def test_ln_rule(tmp_path):
    """Ali et al. 2022, eq. 7: relevance through (x - mean) / std with std constant."""
    x, g, b = normal(BATCH, 6), normal(6), normal(6)
    a, seed, _ = _explain(tmp_path, "y = LayerNormalization(x, g, b)", x, g=g, b=b)
    x = x.astype(np.float64)
    std = np.sqrt(x.var(1, keepdims=True) + 1e-5)
    centring = np.eye(6) - 1 / 6
    m = (seed * g / std) @ centring
    np.testing.assert_allclose(a.relevance["x"], x * m, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(a.ledger.by_kind()["bias"], (seed * b).sum(1), rtol=1e-4)


@pytest.mark.parametrize(
    "body",
    [
        "q = Mul(c, c) v = ReduceMean(q, a) w = Add(v, e) s = Sqrt(w) y = Div(c, s)",
        "q = Pow(c, p) v = ReduceMean(q, a) w = Add(v, e) s = Sqrt(w) r = Reciprocal(s) y = Mul(c, r)",
        "q = Pow(c, p) v = ReduceMean(q, a) w = Add(v, e) r = Pow(w, h) y = Mul(r, c)",
    ],
    ids=["Div", "Reciprocal", "Pow"],
)
def test_a_norm_in_parts_is_a_norm(tmp_path, body):
    x = normal(BATCH, 6)
    body = "m = ReduceMean(x, a) c = Sub(x, m) " + body
    parts = {"a": ints(-1), "e": np.float32(1e-5), "p": np.float32(2), "h": np.float32(-0.5)}
    a, _, _ = _explain(
        tmp_path, body, x, **{k: v for k, v in parts.items() if f"{k})" in body or f" {k}," in body}
    )
    b, _, _ = _explain(tmp_path, "y = LayerNormalization(x, g)", x, g=np.ones(6, np.float32))
    np.testing.assert_allclose(a.relevance["x"], b.relevance["x"], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("parts", "whole", "weights"),
    [
        (
            "d = Div(x, r) e = Erf(d) o = Add(e, one) g = Mul(x, o) y = Mul(g, h)",
            "y = Gelu(x)",
            {"r": 2**0.5, "one": 1.0, "h": 0.5},
        ),
        (
            "g = Mul(h, x) d = Mul(x, r) e = Erf(d) o = Add(e, one) y = Mul(g, o)",
            "y = Gelu(x)",
            {"r": 0.5**0.5, "one": 1.0, "h": 0.5},
        ),
        (
            "c = Pow(x, three) d = Mul(c, k) s = Add(x, d) t = Mul(s, r) u = Tanh(t) o = Add(u, one) "
            "g = Mul(x, h) y = Mul(g, o)",
            'y = Gelu<approximate = "tanh">(x)',
            {"three": 3.0, "k": 0.044715, "r": (2 / np.pi) ** 0.5, "one": 1.0, "h": 0.5},
        ),
    ],
    ids=["erf", "erf-scaled-first", "tanh"],
)
@pytest.mark.parametrize("composite", ["attnlrp", "gradient"])
def test_a_gate_in_parts_is_a_gate(tmp_path, parts, whole, weights, composite):
    x = np.concatenate([normal(BATCH, 6), np.zeros((BATCH, 1), np.float32)], 1)
    weights = {k: np.float32(v) for k, v in weights.items()}
    a, _, _ = _explain(tmp_path, parts, x, composite, **weights)
    b, _, _ = _explain(tmp_path, whole, x, composite)
    np.testing.assert_allclose(a.multiplier["x"], b.multiplier["x"], rtol=1e-4, atol=1e-6)


def test_silu_is_a_gate_and_a_product_of_two_signals_is_none(tmp_path):
    x = normal(BATCH, 6)
    a, seed, y = _explain(tmp_path, "s = Sigmoid(x) y = Mul(x, s)", x)
    np.testing.assert_allclose(a.relevance["x"], seed * y, rtol=1e-4, atol=1e-6)
    # Gated by a mix of x: no function of one number, so each factor gets half.
    b, seed, y = _explain(tmp_path, "z = MatMul(x, w) s = Relu(z) y = Mul(x, s)", x, w=normal(6, 6))
    assert not np.allclose(b.relevance["x"], seed * y, rtol=1e-2)
    np.testing.assert_allclose(b.reached["x"], (seed * y).sum(1), rtol=1e-4, atol=1e-4)


def test_relevance_passes_a_pole_unchanged(tmp_path):
    """AttnLRP's identity rule: through log, relevance is not multiplied with anything."""
    x = positive(BATCH, 6)
    a, seed, y = _explain(tmp_path, "y = Log(x)", x)
    np.testing.assert_allclose(a.relevance["x"], seed * y, rtol=1e-5)
    np.testing.assert_allclose(a.unassigned["x"], seed * y, rtol=1e-5)
    assert (a.multiplier["x"] == 0).all()


def test_cplrp_sees_attention_as_constant(tmp_path):
    """Ali et al. 2022: with the weights held, A V is linear in V and V gets all of it."""
    q, v = normal(BATCH, 3, 3), normal(BATCH, 3, 4)
    body = "s = Softmax(q) y = MatMul(s, v)"
    a, seed, _ = _explain(tmp_path, body, {"q": q, "v": v}, "cplrp")
    e = np.exp(q.astype(np.float64))
    s = e / e.sum(2, keepdims=True)
    np.testing.assert_allclose(a.relevance["v"], v * np.einsum("bij,bip->bjp", s, seed), rtol=1e-4, atol=1e-5)
    assert (a.relevance["q"] == 0).all()
    assert not len(a.ledger)


def test_cplrp_sees_what_weighs_a_signal_as_constant(tmp_path):
    """SwiGLU: the signal takes all, as in LXT's CP-LRP; under AttnLRP each factor gets half."""
    g, u = normal(BATCH, 6), normal(BATCH, 6)
    body = "s = Sigmoid(g) a = Mul(g, s) y = Mul(a, u)"
    for composite, share in (("cplrp", 0.0), ("attnlrp", 0.5)):
        a, seed, y = _explain(tmp_path, body, {"g": g, "u": u}, composite)
        np.testing.assert_allclose(a.relevance["g"], seed * y * share, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(a.relevance["u"], seed * y * (1 - share), rtol=1e-4, atol=1e-6)


def test_zennit_passes_a_normalisation_that_no_layer_takes_in(tmp_path):
    """Zennit's Pass: R_in = R_out through a batch normalisation with no layer before it."""
    x = normal(BATCH, 3, 4)
    norm = {"g": normal(3), "b": normal(3), "m": normal(3), "v": positive(3)}
    body = "h = Relu(x) y = BatchNormalization(h, g, b, m, v)"
    a, seed, y = _explain(tmp_path, body, x, "epsilon_plus", **norm)
    np.testing.assert_allclose(a.relevance["x"], seed * y, rtol=1e-4, atol=1e-6)
    assert not len(a.ledger)
    b, seed, y = _explain(tmp_path, body, x, "epsilon", **norm)
    assert not np.allclose(b.relevance["x"], seed * y, rtol=1e-2)


def test_winner_takes_all(tmp_path):
    x = np.array([[[1.0, 3, 2, 0]]], np.float32).repeat(BATCH, 0)
    a, _, _ = _explain(
        tmp_path, "y = MaxPool<kernel_shape = [2], strides = [2]>(x)", x, target=np.ones((BATCH, 1, 2), "f")
    )
    np.testing.assert_array_equal(a.relevance["x"][0, 0], [0, 3, 2, 0])


@pytest.mark.parametrize("name", ["Sigmoid", "Tanh"])
def test_slope_of_what_is_saturated(tmp_path, name):
    """In float32 the function itself has no digits left that its slope could be taken from."""
    x = np.array([[-30, -16, -9, -1], [0, 2, 8, 16]], np.float32)
    a, seed, _ = _explain(tmp_path, f"s = {name}(x) y = Mul(s, k)", x, "gradient", k=np.float32(2))
    e = np.exp(-np.abs(x.astype(np.float64)) * (2 if name == "Tanh" else 1))
    slope = e / (1 + e) ** 2 * (4 if name == "Tanh" else 1)
    np.testing.assert_allclose(a.multiplier["x"], 2 * seed * slope, rtol=1e-5)
