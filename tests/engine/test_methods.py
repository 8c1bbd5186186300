"""Gradient-family methods and occlusion, against what they must be on small models."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from cases import Case, normal

import onnxplain as ox

W, V = normal(4, 5), normal(5, 3)
X = normal(6, 4)


@pytest.fixture
def network(tmp_path):
    """A smooth network of two layers."""
    return Case("net", "h = MatMul(x, w) t = Tanh(h) y = MatMul(t, v)", {"x": X}, {"w": W, "v": V}).save(
        tmp_path
    )


def _gradient(x: np.ndarray, k: np.ndarray) -> np.ndarray:
    h = x.astype(np.float64) @ W
    return (V.T[k] * (1 - np.tanh(h) ** 2)) @ W.T


def test_input_x_gradient(network):
    a = ox.methods.input_x_gradient(network, X, target=1)
    np.testing.assert_allclose(a.relevance["x"], X * _gradient(X, np.ones(6, int)), rtol=1e-4, atol=1e-5)


def test_integrated_gradients_add_up(network):
    """Completeness (Sundararajan et al. 2017, prop. 1)."""
    base = 0.3 * np.ones(4, np.float32)
    a = ox.methods.integrated_gradients(network, X, target="predicted", baseline=base, steps=100)
    y, y0 = np.tanh(X @ W) @ V, np.tanh(base @ W) @ V
    k = y.argmax(1)
    np.testing.assert_array_equal(a.target, k)
    np.testing.assert_allclose(a.relevance["x"].sum(1), y.max(1) - y0[k], rtol=1e-2, atol=1e-2)
    np.testing.assert_allclose(a.ledger.by_kind()["baseline"], y0[k], rtol=1e-4, atol=1e-5)
    assert (a.closure() < 5e-3).all()
    steps = (np.arange(100) + 0.5) / 100
    want = np.mean([_gradient(base + s * (X - base), k) for s in steps], axis=0) * (X - base)
    np.testing.assert_allclose(a.relevance["x"], want, rtol=1e-3, atol=1e-4)


def test_integrated_gradients_of_an_explainer_with_another_composite(network):
    explain = ox.Explainer(network, composite="epsilon")
    a = ox.methods.integrated_gradients(explain, X, target=0, steps=20, contrast="rest")
    b = ox.methods.integrated_gradients(network, X, target=0, steps=20, contrast="rest")
    np.testing.assert_array_equal(a.relevance["x"], b.relevance["x"])


def test_smoothgrad(network):
    none = ox.methods.smoothgrad(network, X, target=2, samples=3, noise=0.0)
    np.testing.assert_allclose(none.relevance["x"], X * _gradient(X, np.full(6, 2)), rtol=1e-4, atol=1e-5)
    a, b = (ox.methods.smoothgrad(network, X, target=2, samples=40, noise=0.2, seed=4) for _ in range(2))
    np.testing.assert_array_equal(a.relevance["x"], b.relevance["x"])
    assert not np.allclose(a.relevance["x"], none.relevance["x"], rtol=1e-3)
    assert np.corrcoef(a.relevance["x"].ravel(), none.relevance["x"].ravel())[0, 1] > 0.8


def test_occlusion_of_a_linear_model_is_exact(tmp_path):
    x, w = normal(3, 2, 6), normal(12, 2)
    path = Case("linear", "f = Flatten(x) y = MatMul(f, w)", {"x": x}, {"w": w}).save(tmp_path)
    a = ox.methods.occlusion(path, x, target=1, window=(1, 1))
    np.testing.assert_allclose(a.relevance["x"], x * w[:, 1].reshape(2, 6), rtol=1e-3, atol=1e-4)
    b = ox.methods.occlusion(path, x, target=1, window=(1, 3), stride=(1, 3), baseline=0.5)
    want = ((x - 0.5) * w[:, 1].reshape(2, 6)).reshape(3, 2, 2, 3).mean(-1).repeat(3, -1)
    np.testing.assert_allclose(b.relevance["x"], want, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "call",
    [
        lambda m: ox.methods.integrated_gradients(m, X, steps=0),
        lambda m: ox.methods.integrated_gradients(m, X, baseline=np.zeros(3)),
        lambda m: ox.methods.smoothgrad(m, X, samples=0),
        lambda m: ox.methods.smoothgrad(m, X, noise=float("nan")),
        lambda m: ox.methods.occlusion(m, X, window=(1, 1)),
        lambda m: ox.methods.occlusion(m, X, window=(0,)),
        lambda m: ox.methods.occlusion(m, X, window={"z": (1,)}),
    ],
)
def test_what_makes_no_sense(network, call):
    with pytest.raises(ox.InputError):
        call(network)


def test_sums_are_of_the_inputs_that_were_explained(tmp_path):
    """An Explainer that has explained inputs of another shape before has samples elsewhere in them."""
    a, b = normal(2, 3), normal(2, 3)
    graph = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 18]> pairs (float[n, 3] a, float[m, 3] b) => (float[k, 3] y) '
        "{s = Add(a, b) y = Tanh(s)}"
    )
    onnx.save(graph, tmp_path / "pairs.onnx")
    explain = ox.Explainer(tmp_path / "pairs.onnx", "gradient")
    explain({"a": a[:1], "b": b}, target=0)  # inputs of different lengths are one sample
    found = ox.methods.smoothgrad(explain, {"a": a, "b": b}, target=0)
    np.testing.assert_allclose(found.reached["a"], found.relevance["a"].sum(1), rtol=1e-5)
    fresh = ox.methods.smoothgrad(explain.path, {"a": a, "b": b}, target=0)
    np.testing.assert_allclose(found.reached["a"], fresh.reached["a"], rtol=1e-6)
    np.testing.assert_allclose(found.per_sample("b", np.ones((2, 3))), [3, 3])


def test_sums_of_several_targets_and_micro_batches(network):
    x = normal(11, 4)
    a = ox.Explainer(network)(x, target="all")
    assert len(a.samples["x"].pieces) > 1
    np.testing.assert_allclose(a.per_sample("x", a.relevance["x"]), a.reached["x"])
    np.testing.assert_allclose(a.reached["x"], a.relevance["x"].sum(-1), rtol=1e-5, atol=1e-6)
