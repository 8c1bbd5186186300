"""In a file that fixes its batch, what each sample has is found also where all samples have the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from lowered import model

import onnxplain as ox
from onnxplain.engine.analysis.layouts import Places, ways
from onnxplain.engine.analysis.shapes import Layout

RNG = np.random.default_rng(5)
BATCH = 3
CONSTANTS = {
    "w": RNG.standard_normal((12, 3)).astype(np.float32),
    "v": RNG.standard_normal((12, 3)).astype(np.float32),
    "b": RNG.standard_normal(3).astype(np.float32),
    "far": np.float32(-100),
    "zero": np.float32(0),
    "one": np.ones((1, 1, 3, 4), np.float32),
    "last": np.array([-1]),
    "axis": np.array(-1),
    "shape": np.array([BATCH * 3, 4]),
    "back": np.array([BATCH, 12]),
}
# What is the same in every sample, and behind it a layer whose bias counts for each of them.
DEAD = {
    "a ReLU that is shut": "s = Add(x, far) d = Relu(s)",
    "a signal less itself": "d = Sub(x, x)",
    "to the power of 0": "d = Pow(x, zero)",
    "a saturated sigmoid": "s = Add(x, far) s1 = Sigmoid(s) d = Round(s1)",
    "a quotient by itself": "d = Div(x, x)",
    "a softmax over one": "u = Unsqueeze(x, last) s = Softmax(u) d = Squeeze(s, last)",
    "an empty running sum": "u = Unsqueeze(x, last) s = CumSum<exclusive = 1>(u, axis) d = Squeeze(s, last)",
    "tokens of all samples in one axis": "r = Relu(x) q = Reshape(r, shape) n = Neg(q) d = Relu(n)",
}


@pytest.mark.parametrize("dead", DEAD.values(), ids=DEAD.keys())
@pytest.mark.parametrize("composite", ["attnlrp", "gradient", "epsilon", "difference"])
def test_each_sample_closes_where_all_have_the_same(dead: str, composite: str, tmp_path: Path) -> None:
    text = (
        f"{dead} f = Reshape(d, back) g = Gemm(f, w, b) x1 = Flatten(x) h = Gemm(x1, v, b) "
        "t = Tanh(h) y = Add(g, t)"
    )
    used = {n: a for n, a in CONSTANTS.items() if any(f"{n}{c}" in text for c in ",)")}
    onnx.save(model(text, {"x": [BATCH, 3, 4]}, used, opset=20), tmp_path / "m.onnx")
    x = RNG.standard_normal((BATCH, 3, 4)).astype(np.float32)
    seed = RNG.standard_normal((BATCH, 3)).astype(np.float32)
    given = {"reference": x[::-1].copy()} if composite == "difference" else {}
    for backend in ("numpy", "onnx"):
        a = ox.Explainer(tmp_path / "m.onnx", composite, backend)(x, target=seed, **given)
        kept = a.ledger.total() + a.reached["x"]
        np.testing.assert_allclose(kept, a.explained, atol=1e-5)


def test_every_change_that_is_seen_leaves_fewer_ways() -> None:
    """A square of samples and electrodes, of which one number changes: only more samples tell."""
    places = Places(2, {"v": np.zeros((2, 2)), "w": np.zeros((2, 2))})
    first = {"v": np.array([[0, 0], [0, 1.0]]), "w": np.zeros((2, 2))}
    places.see(first, 1)
    assert places.ways("v") == [Layout(-2), Layout(-1)]
    assert places.layout("v") == Layout(-2)
    places.see({"v": np.array([[1.0, 0], [0, 0]]), "w": np.zeros((2, 2))}, 0)
    assert places.open("v")
    places.see({"v": np.array([[0, 0], [1.0, 0]]), "w": np.zeros((2, 2))}, 0)
    assert places.ways("v") == [Layout(-1)]
    assert not places.open("v")
    assert places.open("w")
    assert places.layout("w") is None
    assert not places.mixed
    places.see({"v": np.array([[0, 0], [1.0, 0]]), "w": np.zeros((2, 2))}, 1)
    assert places.mixed


def test_ways_to_lie_in_an_axis_of_several_to_a_sample() -> None:
    """Tokens behind each sample, samples behind each copy, and what is between."""
    assert ways((8,), 2, [0]) == [Layout(-1, 1, 4), Layout(-1, 2, 2), Layout(-1, 4, 1)]
    assert ways((3,), 2, [0]) == []
