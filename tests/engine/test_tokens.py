"""Integer inputs: the same relevance however a look-up is spelt, and what counts as one."""

from __future__ import annotations

import re

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


Q = np.random.default_rng(5).integers(0, 256, (4, 5)).astype(np.uint8)
Q[0, :2] = 0, 127  # a zero integer, and a zero number
ZEROS = np.array([3, 127, 90, 255, 128], np.uint8)
WQ = np.random.default_rng(6).integers(-128, 128, (5, 2)).astype(np.int8)
SCALE, ZERO = np.float32(0.02), np.uint8(127)
QUANTISED = {
    "q": Q, "s": SCALE, "z": ZERO, "ss": np.full(5, SCALE), "zz": ZEROS, "wq": WQ,
    "k": SCALE * np.float32(0.01), "t": (Q - np.float32(ZERO)) * SCALE, "tt": (Q - ZEROS.astype("f")) * SCALE,
    "wf": WQ.astype("f") * np.float32(0.01), "w": WEIGHT, "low": np.float32(-127 * SCALE),
    "one": ints(1), "zero": ints(0), "twice": ints(1, 2, 1), "pads": ints(0, 1, 0, 0, 1, 0),
}  # fmt: skip
SWAP = "Transpose<perm = [1, 0, 2]>"
END = " h = Relu(e) y = MatMul(h, w)"


def _tokens(folder, name, body, composite, **options):
    weights = {k: np.asarray(v) for k, v in QUANTISED.items() if re.search(rf"[(,] ?{k}[,)]", body)}
    path = Case(name, body, {"x": TEXT}, weights, 21).save(folder)
    explain = ox.Explainer(path, composite=composite, **options)
    y = explain.predict(TEXT)["y"]
    a = explain(TEXT, target=np.random.default_rng(7).standard_normal(y.shape).astype("f"))
    assert (a.closure() <= 1e-5).all()
    return a


@pytest.mark.parametrize("composite", ["attnlrp", "gradient", "epsilon_plus", "zplus"])
@pytest.mark.parametrize(
    ("body", "plain"),
    [
        ("g = Gather(q, x) e = DequantizeLinear(g, s, z)" + END, "e = Gather(t, x)" + END),
        (
            f"g = Gather(q, x) m = {SWAP}(g) d = DequantizeLinear(m, s, z) e = {SWAP}(d)" + END,
            "e = Gather(t, x)" + END,
        ),
        (
            "g = Gather(q, x) m = Transpose<perm = [0, 2, 1]>(g) d = DequantizeLinear<axis = 1>(m, ss, zz) "
            "e = Transpose<perm = [0, 2, 1]>(d)" + END,
            "e = Gather(tt, x)" + END,
        ),
        (
            "g = Gather(q, x) m = Concat<axis = 1>(g, g) e = DequantizeLinear(m, s, z)" + END,
            "g = Gather(t, x) e = Concat<axis = 1>(g, g)" + END,
        ),
        (
            "g = Gather(q, x) m = Tile(g, twice) e = DequantizeLinear(m, s, z)" + END,
            "g = Gather(t, x) e = Tile(g, twice)" + END,
        ),
        (
            "g = Gather(q, x) m = Pad(g, pads) e = DequantizeLinear(m, s, z)" + END,
            "g = Gather(t, x) e = Pad(g, pads, low)" + END,
        ),
        (
            "g = Gather(q, x) m = Pad(g, pads, z) e = DequantizeLinear(m, s, z)" + END,
            "g = Gather(t, x) e = Pad(g, pads)" + END,
        ),
        (
            "g = Gather(q, x) m = Slice(g, zero, one, one) i = Identity(g) u = DequantizeLinear(m, s, z) "
            "v = DequantizeLinear(i, s, z) e = Add(u, v)" + END,
            "g = Gather(t, x) m = Slice(g, zero, one, one) e = Add(m, g)" + END,
        ),
        (
            "g = Gather(q, x) i = MatMulInteger(g, wq, z) f = Cast<to = 1>(i) n = Mul(f, k) y = Relu(n)",
            "g = Gather(t, x) n = MatMul(g, wf) y = Relu(n)",
        ),
    ],
    ids=["alone", "Transpose", "axis", "Concat", "Tile", "Pad", "zero Pad", "two readers", "MatMulInteger"],
)
def test_a_quantised_table_is_the_table_it_stands_for(tmp_path, composite, body, plain):
    got = _tokens(tmp_path, "quantised", body, composite, at=["g"])
    want = _tokens(tmp_path, "floating", plain, composite)
    size = np.abs(want.relevance["x"]).max()
    np.testing.assert_allclose(got.relevance["x"], want.relevance["x"], rtol=1e-4, atol=1e-4 * size)
    np.testing.assert_allclose(got.at["g"].sum(-1), got.relevance["x"], rtol=1e-4, atol=1e-4 * size)


@pytest.mark.row("M24")
@pytest.mark.parametrize(
    "body",
    [
        "q = QuantizeLinear(x, s, z) p = Transpose(q) d = DequantizeLinear(p, s, z) y = MatMul(w, d)",
        "q, a, b = DynamicQuantizeLinear(x) p = Transpose(q) d = DequantizeLinear(p, a, b) y = MatMul(w, d)",
    ],
)
def test_a_quantised_signal_inside_is_the_number_it_stands_for(tmp_path, body):
    weights = {"s": np.float32(0.02), "z": ZERO} if " s," in body else {}
    path = Case("signal", body, {"x": normal(3, 4)}, {"w": normal(2, 4), **weights}, 21).save(tmp_path)
    at = ox.Explainer(path, at=["q", "p", "d"])(normal(3, 4), target=0).at
    np.testing.assert_allclose(at["p"], at["d"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(at["q"].sum(), at["d"].sum(), rtol=1e-4)


@pytest.mark.parametrize("composite", ["attnlrp", "gradient"])
def test_a_signal_beyond_the_range_of_its_integers_is_clipped(tmp_path, composite):
    """QuantizeLinear saturates: as Clip does, it has no slope there and keeps what is above the bound."""
    x = np.array([[0.5, 3.0, -4.0, 0.0], [-0.9, 1.0, 9.0, -0.2]], np.float32)
    weights = {
        "w": normal(4, 2), "s": np.float32(1 / 64), "z": np.int8(0), "l": np.float32(-2),
        "h": np.float32(127 / 64),
    }  # fmt: skip
    end = "q = QuantizeLinear(c, s, z) d = DequantizeLinear(q, s, z) y = MatMul(d, w)"
    maps = []
    for body in (end.replace("c,", "x,"), "c = Clip(x, l, h) " + end):
        own = {k: v for k, v in weights.items() if k not in "lh" or "Clip" in body}
        path = Case(f"range{len(maps)}", body, {"x": x}, own, 21).save(tmp_path)
        a = ox.Explainer(path, composite=composite)(x, target=np.ones((2, 2), np.float32))
        assert (a.closure() <= 1e-5).all()
        maps.append(a)
    np.testing.assert_allclose(maps[0].relevance["x"], maps[1].relevance["x"], rtol=1e-4, atol=1e-5)
    beyond = np.abs(x) > 2
    assert (composite == "gradient") == bool((maps[0].multiplier["x"][beyond] == 0).all())


INDEX = {
    "Cast": "k = ReduceMax(h, a) r = Relu(k) b = Clip(r, lo, hi) i = Cast<to = 7>(b)",
    "ArgMax": "i = ArgMax<axis = -1, keepdims = 0>(h)",
    "TopK": "v, j = TopK(h, one) z = Squeeze(j, m) i = Identity(z)",
    "NonZero": "e = ReduceMax(h, m) q = Equal(h, e) n = NonZero(q) g = Gather(n, row) i = Reshape(g, s)",
}


@pytest.mark.parametrize("composite", ["attnlrp", "gradient"])
@pytest.mark.parametrize("spelling", INDEX)
def test_an_index_that_was_computed_is_no_token(tmp_path, spelling, composite):
    """It is a constant beside a signal, and carries relevance where nothing else does."""
    weights = {
        "w": normal(5, 4), "t": normal(4, 4), "a": ints(-1), "lo": np.float32(0), "hi": np.float32(3),
        "one": ints(1), "m": ints(-1), "row": np.int64(2), "s": ints(2, 3),
    }  # fmt: skip
    find = INDEX[spelling].replace("ReduceMax(h, a)", "ReduceMax<keepdims = 0>(h, a)")
    x = {"x": normal(2, 3, 5)}
    found = []
    for end in (" f = Gather(t, i) y = Mul(h, f)", " y = Gather(t, i)"):
        body = "h = MatMul(x, w) " + find + end
        own = {k: v for k, v in weights.items() if re.search(rf"[(,] ?{k}[,)]", body)}
        path = Case(f"index{len(found)}", body, x, own).save(tmp_path)
        a = ox.Explainer(path, composite=composite)(x, target=normal(2, 3, 4))
        assert (a.closure() <= 1e-5).all()
        found.append(a)
    beside, alone = found
    factor = beside.outputs["y"] / (x["x"] @ weights["w"])
    want = (np.asarray(beside.target) * factor) @ weights["w"].T
    np.testing.assert_allclose(beside.multiplier["x"], want, rtol=1e-3, atol=1e-4)
    assert (composite == "gradient") == bool((alone.relevance["x"] == 0).all())
