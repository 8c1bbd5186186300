"""A probability at a model's end, behind what exporters put after it: the score before it is explained."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from lowered import model

import onnxplain as ox

RNG = np.random.default_rng(5)
W, W1 = RNG.standard_normal((6, 3)).astype(np.float32), RNG.standard_normal((6, 1)).astype(np.float32)
X = (RNG.standard_normal((4, 6)) * 5).astype(np.float32)
CONSTANTS: dict[str, Any] = {
    "w": W,
    "w1": W1,
    "one": np.float32(1),
    "low": np.float32(1e-7),
    "top": np.float32(1 - 1e-7),
    "percent": np.float32(100),
    "flat": np.array([-1, 3]),
    "middle": np.array([1]),
    "classes": np.array([1]),
}
ML = {"ai.onnx.ml": 3}


def _explained(folder: Path, body: str, target: int) -> ox.Attribution:
    used = {n: a for n, a in CONSTANTS.items() if re.search(rf"\b{n}\b", body)}
    path = folder / "model.onnx"
    onnx.save(model(body, {"x": ["batch", 6]}, used, opset=18, domains=ML), path)
    return ox.Explainer(path)(X, target=target)


SOFTMAX = {
    "clipped": "l = MatMul(x, w) p = Softmax(l) y = Clip(p, low, top)",
    "exponential of its logarithm": "l = MatMul(x, w) g = LogSoftmax(l) y = Exp(g)",
    "divided by its sum": "l = MatMul(x, w) p = Softmax(l) t = ReduceSum(p, classes) y = Div(p, t)",
    "normalised": 'l = MatMul(x, w) p = Softmax(l) y = ai.onnx.ml.Normalizer<norm = "L1">(p)',
    "in per cent": "l = MatMul(x, w) p = Softmax(l) y = Mul(p, percent)",
    "reshaped": "l = MatMul(x, w) u = Unsqueeze(l, middle) p = Softmax(u) y = Reshape(p, flat)",
    "one against the rest": 'l = MatMul(x, w) p = Sigmoid(l) y = ai.onnx.ml.Normalizer<norm = "L1">(p)',
}


@pytest.mark.row("M27")
@pytest.mark.parametrize("body", SOFTMAX.values(), ids=SOFTMAX.keys())
def test_the_logit_of_a_class_is_explained(tmp_path: Path, body: str) -> None:
    a = _explained(tmp_path, body, 2)
    np.testing.assert_allclose(a.explained, (X @ W)[:, 2], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(a.relevance["x"], X * W[:, 2], rtol=1e-4, atol=1e-5)
    assert a.closure().max() < 1e-4
    assert any("the logit before it is explained" in note for note in a.notes)


PAIRS = {
    "one less p": "p = Sigmoid(l) q = Sub(one, p) y = Concat<axis = -1>(q, p)",
    "one and minus p": "p = Sigmoid(l) n = Neg(p) q = Add(n, one) y = Concat<axis = 1>(q, p)",
    "clipped": "s = Sigmoid(l) p = Clip(s, low, top) q = Sub(one, p) y = Concat<axis = 1>(q, p)",
}


@pytest.mark.row("M27")
@pytest.mark.parametrize("body", PAIRS.values(), ids=PAIRS.keys())
def test_two_classes_of_one_sigmoid_have_its_logit_with_both_signs(tmp_path: Path, body: str) -> None:
    for target, sign in ((0, -1), (1, 1)):
        a = _explained(tmp_path, f"l = MatMul(x, w1) {body}", target)
        np.testing.assert_allclose(a.explained, sign * (X @ W1)[:, 0], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(a.relevance["x"], sign * X * W1[:, 0], rtol=1e-4, atol=1e-5)


def test_a_mixture_of_probabilities_is_explained_and_said_to_be_one(tmp_path: Path) -> None:
    body = "l = MatMul(x, w) p = Softmax(l) k = Mul(l, percent) r = Softmax(k) y = Add(p, r)"
    a = _explained(tmp_path, body, 2)
    np.testing.assert_allclose(a.explained, a.outputs["y"][:, 2], rtol=1e-5)
    assert any("a probability is explained" in note for note in a.notes)


def test_a_gate_is_no_end(tmp_path: Path) -> None:
    a = _explained(tmp_path, "l = MatMul(x, w) g = Sigmoid(l) y = Mul(l, g)", 0)
    assert not a.notes
