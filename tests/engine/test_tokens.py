"""Integer inputs: the same relevance however a look-up is spelt, and what counts as one."""

from __future__ import annotations

import numpy as np
import pytest
from cases import Case, ints, normal

import onnxplain as ox

TEXT = np.array([[1, 0, 3], [2, 2, 1]])
WEIGHT = normal(5, 2)
W = {"t": normal(4, 5), "w": WEIGHT}


def _relevance(folder, body, inputs, **weights):
    path = Case("tokens", body, inputs, {k: np.asarray(v) for k, v in weights.items()}).save(folder)
    a = ox.Explainer(path)(inputs, target=normal(2, 3, 2))
    size = np.abs(a.explained).max() + sum(np.abs(r).sum() for r in a.relevance.values())
    assert np.abs(a.ledger.total() + sum(a.reached.values()) - a.explained).max() <= 1e-5 * size
    return a


@pytest.mark.parametrize(
    ("body", "weights"),
    [
        (
            "u = Unsqueeze(x, a) e = Expand(u, s) b = Equal(e, r) h = Cast<to = 1>(b) e2 = MatMul(h, t)",
            {"a": ints(2), "s": ints(1, 1, 4), "r": np.arange(4)},
        ),
        (
            "u = Unsqueeze(x, a) b = Equal(r, u) h = Where(b, one, zero) e2 = MatMul(h, t)",
            {"a": ints(2), "r": np.arange(4), "one": np.float32(1), "zero": np.float32(0)},
        ),
        ("h = OneHot(x, d, v) e2 = MatMul(h, t)", {"d": np.int64(4), "v": np.array([0, 1], "f")}),
        ("u = Unsqueeze(x, a) e2 = GatherND(t, u)", {"a": ints(2)}),
    ],
    ids=["Equal-Cast", "Equal-Where", "OneHot", "GatherND"],
)
def test_a_look_up_is_a_look_up(tmp_path, body, weights):
    end = " y = MatMul(e2, w)"
    path = Case("one", body + end, {"x": TEXT}, {k: np.asarray(v) for k, v in weights.items()} | W).save(
        tmp_path
    )
    plain = Case("two", "e2 = Gather(t, x)" + end, {"x": TEXT}, W).save(tmp_path)
    seed = normal(2, 3, 2)
    got, want = (ox.Explainer(p)(TEXT, target=seed).relevance["x"] for p in (path, plain))
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-6)


def test_a_mask_of_tokens_is_no_look_up(tmp_path):
    """The padding index makes a mask: the embedding's relevance alone is the token's."""
    body = (
        "e = Gather(t, x) p = Equal(x, pad) n = Not(p) f = Cast<to = 1>(n) u = Unsqueeze(f, a) "
        "k = Mul(e, u) y = MatMul(k, w)"
    )
    a = _relevance(tmp_path, body, {"x": TEXT}, pad=np.int64(3), a=ints(2), **W)
    assert (a.relevance["x"][TEXT == 3] == 0).all()
    assert (a.relevance["x"][TEXT != 3] != 0).all()


def test_pixels_have_relevance_beside_a_floating_input(tmp_path):
    inputs = {"i": np.arange(30, dtype=np.uint8).reshape(2, 3, 5) + 1, "x": normal(2, 3, 2)}
    body = "f = Cast<to = 1>(i) s = Mul(f, k) h = MatMul(s, w) y = Add(h, x)"
    a = _relevance(tmp_path, body, inputs, k=np.float32(1 / 255), w=WEIGHT)
    np.testing.assert_allclose(a.relevance["i"], a.multiplier["i"] * inputs["i"], rtol=1e-5)
    assert (a.relevance["i"] != 0).all()


def test_what_is_only_compared_passes_its_relevance_on(tmp_path):
    body = "b = Greater(x, o) f = Cast<to = 1>(b) y = MatMul(f, w)"
    a = _relevance(tmp_path, body, {"x": normal(2, 3, 5)}, o=np.float32(0), w=WEIGHT)
    assert (a.multiplier["x"] == 0).all()
    assert np.abs(a.unassigned["x"]).sum() > 0
