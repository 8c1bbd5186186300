"""What the forward pass throws away has no relevance, and makes none that is not finite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from lowered import model

import onnxplain as ox

RNG = np.random.default_rng(3)
W = RNG.standard_normal((24, 3)).astype(np.float32)
X = RNG.standard_normal((2, 3, 8)).astype(np.float32)
X[1, 2] = 0  # a flat electrode
CONSTANTS: dict[str, Any] = {
    "w": W,
    "last": np.array([-1]),
    "zero": np.float32(0),
    "one": np.float32(1),
    "half": np.float32(0.5),
    "small": np.float32(1e-6),
    "floor": np.float32(-3),
    "low": np.float32(-10),
    "high": np.float32(10),
    "twenty": np.float32(20),
    "hundred": np.float32(100),
    "never": np.float32(-np.inf),
    "keys": RNG.standard_normal((8, 8)).astype(np.float32),
}
CENTRED = (
    "m = ReduceMean<keepdims = 1>(x, last) d = Sub(x, m) d2 = Mul(d, d)"
    " v = ReduceMean<keepdims = 1>(d2, last) s = Sqrt(v) "
)
BODIES = {
    "a quotient by a standard deviation": "q = Div(d, s) live = Greater(s, zero) z = Where(live, q, zero)",
    "NaN is looked for": "q = Div(d, s) gone = IsNaN(q) z = Where(gone, zero, q)",
    "by a reciprocal": "r = Reciprocal(s) q = Mul(d, r) live = Greater(s, zero) z = Where(live, q, zero)",
    "the largest of a logarithm": "l = Log(v) k = Max(l, floor) z = Mul(d, k)",
    "a logarithm that is cut off": "l = Log(v) k = Clip(l, low, high) z = Add(d, k)",
    "a logarithm that saturates": "l = Log(v) k = Tanh(l) z = Add(d, k)",
    "a root by a logarithm": "l = Log(v) h = Mul(l, half) k = Exp(h) k1 = Add(k, small) z = Div(d, k1)",
    "x log x": "l = Log(d2) p = Mul(d2, l) live = Greater(d2, zero) z = Where(live, p, zero)",
    "a floor below the divisor": "k = Add(s, small) z = Div(d, k)",
    "a power as the root": "r = Pow(v, half) k = Add(r, small) z = Div(d, k)",
    "behind a layer": "q = Div(d, s) k = MatMul(q, keys) live = Greater(s, zero) z = Where(live, k, zero)",
    "masked scores": "q = Div(d, s) k = MatMul(q, keys) t = Transpose<perm = [0, 2, 1]>(k)"
    " scores = MatMul(x, t) gone = IsNaN(scores) masked = Where(gone, never, scores) a = Softmax(masked)"
    " z = MatMul(a, x)",
    "an overflow": "b = Mul(x, hundred) e = Exp(b) e1 = Add(e, one) l = Log(e1) far = Greater(b, twenty)"
    " z = Where(far, b, l)",
}


def _file(folder: Path, body: str) -> Path:
    text = f"{CENTRED} {body} f = Flatten(z) y = MatMul(f, w)"
    used = {
        n: a
        for n, a in CONSTANTS.items()
        if n in text.replace("(", " ").replace(")", " ").replace(",", " ").split()
    }
    path = folder / "model.onnx"
    onnx.save(model(text, {"x": ["batch", 3, 8]}, used, opset=20), path)
    return path


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_relevance_is_finite_and_closes_by_numpy_and_onnxruntime(tmp_path: Path, body: str) -> None:
    path = _file(tmp_path, body)
    reference = RNG.standard_normal(X.shape).astype(np.float32)
    for composite in ("attnlrp", "zplus", "gradient", "difference"):
        given = {"reference": reference} if composite == "difference" else {}
        found = [ox.Explainer(path, composite, b)(X, target=1, **given) for b in ("numpy", "onnx")]
        for a in found:
            assert np.isfinite(a.relevance["x"]).all(), composite
            assert a.closure().max() < 1e-4, composite
        apart = np.abs(found[0].relevance["x"] - found[1].relevance["x"]).max()
        assert apart < 5e-6 * np.abs(found[0].relevance["x"]).max(), composite


@pytest.mark.parametrize("name", ["a quotient by a standard deviation", "a floor below the divisor"])
def test_the_gradient_is_that_of_live_rows(tmp_path: Path, name: str) -> None:
    a = ox.Explainer(_file(tmp_path, BODIES[name]), "gradient")(X, target=1)
    x = X.astype(np.float64)
    d = x - x.mean(-1, keepdims=True)
    s = np.sqrt((d**2).mean(-1, keepdims=True))
    g = W[:, 1].astype(np.float64).reshape(3, 8)
    live, safe = s > 0, np.where(s > 0, s, 1)
    slope = (g - g.mean(-1, keepdims=True)) / safe - d * (g * d).mean(-1, keepdims=True) / safe**3
    true = np.where(live, slope, 0) * x
    np.testing.assert_allclose(a.relevance["x"], true, rtol=0, atol=1e-4 * np.abs(true).max())


def test_a_compiled_file_agrees_on_a_flat_channel(tmp_path: Path) -> None:
    path = _file(tmp_path, BODIES["a logarithm that is cut off"])
    made = ox.compile(path, tmp_path / "made.onnx")
    opened = ort.InferenceSession(str(made), providers=["CPUExecutionProvider"])
    seed = np.tile(np.float32([0, 1, 0]), (2, 1))
    (got,) = opened.run(["relevance.x"], {"x": X, "seed": seed})
    want = ox.Explainer(path, backend="numpy")(X, target=1).relevance["x"]
    np.testing.assert_allclose(got, want, rtol=0, atol=5e-6 * np.abs(want).max())


@pytest.mark.row("M20")
def test_the_message_names_the_node_where_relevance_is_not_finite(tmp_path: Path) -> None:
    """1e60 in the forward pass is never formed; in the backward pass it is."""
    text = (
        "t = Tanh(x) t2 = Mul(t, tiny) t3 = Mul(t2, tiny) t4 = Mul(t3, huge) t5 = Mul(t4, huge)"
        " f = Flatten(t5) y = MatMul(f, w)"
    )
    weights = {"tiny": np.float32(1e-30), "huge": np.float32(1e30), "w": W}
    path = tmp_path / "model.onnx"
    onnx.save(model(text, {"x": ["batch", 3, 8]}, weights, opset=20), path)
    with pytest.raises(ox.ModelError, match=r"not finite under composite 'attnlrp'.* at node 'Mul_3'"):
        ox.Explainer(path)(X + 1, target=1)
