"""Attention heads and embeddings, found by the graph's shape."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from cases import Case

import onnxplain as ox
from onnxplain.engine.file.landmarks import Heads, attention_heads, embedded, last_features

RNG = np.random.default_rng(3)


def normal(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


Q = normal(4, 6, 8)  # 4 samples, 6 tokens, 2 heads of 4
HEADS = "h = Reshape(x, split) a = Transpose<perm = [0, 2, 1, 3]>(h)"
WEIGHTS = "t = Transpose<perm = [0, 1, 3, 2]>(a) s = MatMul(a, t) w = Softmax<axis = -1>(s)"
SPLIT = {"split": np.array([0, 0, 2, 4])}
ENDS = {
    "MatMul": "o = MatMul(w, a) y = ReduceSum<keepdims = 0>(o, axes)",
    "cast and dropout": "d = Dropout(w) c = Cast<to = 1>(d) o = MatMul(c, a) "
    "y = ReduceSum<keepdims = 0>(o, axes)",
    "einsum": 'o = Einsum<equation = "bhij,bhjd->bihd">(w, a) y = ReduceSum<keepdims = 0>(o, ends)',
}


@pytest.mark.parametrize("end", ENDS, ids=str)
def test_heads_are_those_that_the_values_have(tmp_path, end):
    """Relevance of each head, against the sum over its slice by hand."""
    body = f"{HEADS} {WEIGHTS} {ENDS[end]}"
    constants = {**SPLIT, "axes": np.array([1, 2]), "ends": np.array([1, 2])}
    used = {k: v for k, v in constants.items() if k in body.replace("split)", "split ")}
    path = Case("net", body, {"x": Q}, used).save(tmp_path)
    (site,) = attention_heads(onnx.load(path))
    assert site.tensor == "o"
    a = ox.Explainer(path, composite="cplrp", at=["o"])(Q, target=[0, 1, 2, 3])
    found = site.per_head(a.at["o"], 4)
    assert found.shape == (4, 2)
    axis = 1 if end != "einsum" else 2
    by_hand = np.stack([a.at["o"].take(h, axis).sum((1, 2)) for h in range(2)], -1)
    np.testing.assert_allclose(found, by_hand, rtol=1e-5)
    # Everything explained goes through the heads of the only layer.
    np.testing.assert_allclose(found.sum(1), a.explained, rtol=1e-4)
    assert np.abs(found).min() > 1e-4


def test_a_softmax_at_the_end_is_no_attention(tmp_path):
    path = Case("net", "h = MatMul(x, w) y = Softmax(h)", {"x": normal(4, 5)}, {"w": normal(5, 3)}).save(
        tmp_path
    )
    assert attention_heads(onnx.load(path)) == ()


@pytest.mark.parametrize(
    ("site", "shape", "batch"),
    [
        (Heads("o", -3), (4, 2, 6, 4), 4),
        (Heads("o", -3), (8, 6, 4), 4),  # heads folded into the batch
        (Heads("o", -3), (12, 2, 6, 4), 4),  # three patches folded into it
        (Heads("o", -3, 2), (4, 6, 8), 4),  # side by side
    ],
)
def test_per_head_keeps_the_sum(site, shape, batch):
    r = normal(*shape)
    found = site.per_head(r, batch)
    assert found.shape == (batch, 2)
    np.testing.assert_allclose(found.sum(1), r.reshape(batch, -1).sum(1), rtol=1e-5)
    if site.side_by_side:
        np.testing.assert_allclose(found[:, 0], r[..., :4].sum((1, 2)), rtol=1e-5)
    elif len(shape) == 3:
        np.testing.assert_allclose(found[1], r[2:4].sum((1, 2)), rtol=1e-5)
    elif shape[0] == 12:
        np.testing.assert_allclose(found[1], r[3:6].sum((0, 2, 3)), rtol=1e-5)


def test_an_axis_that_is_no_batch_is_refused():
    with pytest.raises(ox.InputError, match="no axis of 3 samples"):
        Heads("o", -3).per_head(normal(4, 2, 6, 4), 3)


def test_embedding_is_the_nearest_constant_of_the_length():
    text = """<ir_version: 9, opset_import: ["": 17]>
    net (float[N, 12, 4] x) => (float[N, 12, 4] y)
    <float[9, 4] table, int64[3] rows, int64[2] twelve> {
      some = Gather(table, rows)
      wide = Expand(some, twelve)
      h = Add(x, wide)
      y = Relu(h)
    }"""
    model = onnx.parser.parse_model(text.replace("int64[2] twelve", "int64[2] twelve = {3, 4}"))
    found = embedded(model, ["wide"], 3)
    assert found == ("wide", "some") or found == ("some",)
    assert embedded(model, ["wide"], 7) == ()


@pytest.mark.parametrize(
    ("body", "used", "want"),
    [
        ("h = MatMul(x, w) r = Relu(h) y = MatMul(r, v)", ("w", "v"), "r"),
        ("h = MatMul(x, w) r = Relu(h) o = MatMul(r, v) s = Add(b, o) y = Softmax(s)", ("w", "v", "b"), "r"),
        ("h = MatMul(x, w) t = Transpose(h) m = MatMul(h, t) y = Relu(m)", ("w",), "x"),
        ("y = Relu(x)", (), None),
    ],
    ids=["linear", "bias and softmax", "a product of signals is no layer", "no weights"],
)
def test_features_are_what_the_last_weights_read(tmp_path, body, used, want):
    weights = {"w": normal(5, 5), "v": normal(5, 3), "b": normal(3)}
    path = Case("net", body, {"x": normal(5, 5)}, {k: weights[k] for k in used}).save(tmp_path)
    assert last_features(onnx.load(path), "y") == want
    x = normal(5, 5)
    found = ox.Explainer(path).features(x)
    if want is None:
        assert found is None
    elif want == "x":
        np.testing.assert_array_equal(found, x)
    else:
        np.testing.assert_allclose(found, np.maximum(x @ weights["w"], 0), rtol=1e-5)
