"""What random models, texts and bytes have found: the smallest case of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from lowered import model, session

import onnxplain as ox

RNG = np.random.default_rng(41)
X = RNG.standard_normal((2, 3, 4)).astype(np.float32)
HIDDEN = np.array([True, False, False, True])
NEVER = np.where(HIDDEN, -np.inf, 0).astype(np.float32)
WEIGHTS: dict[str, Any] = {
    "hidden": HIDDEN,
    "never": np.float32(-np.inf),
    "mask": NEVER,
    "w": RNG.standard_normal((12, 3)).astype(np.float32),
    "low": np.float32(-3) - np.abs(RNG.standard_normal((1, 4))).astype(np.float32),
    "first": np.array(0),
    "second": np.array(1),
    "w4": RNG.standard_normal((4, 3)).astype(np.float32),
    "last": np.array([-1]),
}
# Seeds 18 and 41: exp(-inf) is 0, and exp(0) is 1; what lies between is no multiple of -inf.
MASKED = {
    "Where, Exp": "t = Where(hidden, never, x) z = Exp(t)",
    "Where, Softplus": "t = Where(hidden, never, x) z = Softplus(t)",
    "Add, Sigmoid": "t = Add(x, mask) z = Sigmoid(t)",
    "Add, Tanh": "t = Add(mask, x) z = Tanh(t)",
    "Where, moved, Elu": "t = Where(hidden, never, x) u = Transpose<perm = [0, 2, 1]>(t) z = Elu(u)",
    "a softmax beside": "t = Where(hidden, never, x) e = Exp(t) s = Softmax(t) z = Add(e, s)",
}
COMPOSITES = ("attnlrp", "epsilon", "epsilon_plus", "zplus", "gradient")


def _file(folder: Path, body: str, first: Any = "batch", opset: int = 17) -> Path:
    words = set("".join(c if c.isalnum() else " " for c in body).split())
    used = {n: v for n, v in WEIGHTS.items() if n in words}
    path = folder / "model.onnx"
    onnx.save(model(body, {"x": [first, 3, 4]}, used, opset=opset), path)
    return path


@pytest.mark.parametrize("backend", ["numpy", "onnx"])
@pytest.mark.parametrize("body", MASKED.values(), ids=MASKED.keys())
def test_a_function_of_what_a_mask_hides(body: str, backend: str, tmp_path: Path) -> None:
    path = _file(tmp_path, f"{body} f = Flatten(z) y = MatMul(f, w)")
    for composite in COMPOSITES:
        a = ox.Explainer(path, composite, backend)(X, target=1)
        assert a.closure().max() < 1e-5, composite
        # Nothing that is hidden has relevance.
        assert (a.relevance["x"][..., HIDDEN] == 0).all(), composite
    b = ox.Explainer(path, "difference", backend)(X, target=1, reference=X[::-1].copy())
    assert b.closure().max() < 1e-4


@pytest.mark.parametrize("target", ["seed", "predicted"])
@pytest.mark.parametrize("pick", ["first", "second"])
def test_samples_behind_a_scalar_index_of_what_is_alike_in_all(
    pick: str, target: str, tmp_path: Path
) -> None:
    """Seed 1013: Min takes the constant everywhere; a node run alone had its index as a list of one."""
    body = f"m = Min(low, x) g = Gather<axis = 1>(m, {pick}) y = MatMul(g, w4)"
    path = _file(tmp_path, body, first=2)
    seed: Any = np.eye(2, 3, dtype=np.float32) if target == "seed" else target
    for backend in ("numpy", "onnx"):
        a = ox.Explainer(path, "attnlrp", backend)(X, target=seed)
        assert a.closure().max() < 1e-5
        assert a.samples["x"].pieces[0].samples == 2
        assert np.abs(a.relevance["x"]).max() == 0


@pytest.mark.parametrize("end", ["y = MatMul(f, w)", "l = MatMul(f, w) y = Softmax(l)"])
@pytest.mark.parametrize("apart", [1e-3, 1e-4, 1e-5])
def test_windows_that_are_nearly_the_same_are_explained(end: str, apart: float, tmp_path: Path) -> None:
    """Seeds 11 to 95: outputs that differ by a thousandth differ by little more than their rounding."""
    body = f"s = Sigmoid(x) p = Mul(x, s) t = Tanh(p) f = Flatten(t) {end}"
    path = _file(tmp_path, body)
    near = np.float32(X + apart * RNG.standard_normal(X.shape))
    for backend in ("numpy", "onnx"):
        a = ox.Explainer(path, "difference", backend)(X, target={0: 1.0, 1: -1.0}, reference=near)
        assert a.closure().max() < 1e-3


@pytest.mark.parametrize("backend", ["numpy", "onnx"])
@pytest.mark.parametrize(
    "pads", [[0, 0, 2, 0, 0, -1], [0, 0, -2, 0, 0, 1], [0, 0, -1, 0, 0, -1], [0, 1, -1, 0, -1, 2]]
)
@pytest.mark.parametrize("mode", ["reflect", "edge"])
def test_a_mirror_after_a_cut(mode: str, pads: list[int], backend: str, tmp_path: Path) -> None:
    """Seeds 1115 and 1119: of both ends one is cut and the other mirrored."""
    body = f'p = Pad<mode = "{mode}">(x, pads) t = Tanh(p) f = Flatten(t) y = MatMul(f, w)'
    shape = [3 + pads[1] + pads[4], 4 + pads[2] + pads[5]]
    weights = {"pads": np.array(pads), "w": RNG.standard_normal((int(np.prod(shape)), 3)).astype(np.float32)}
    path = tmp_path / "model.onnx"
    onnx.save(model(body, {"x": ["batch", 3, 4]}, weights), path)
    a = ox.Explainer(path, "gradient", backend)(X, target=1)
    index = np.arange(12).reshape(3, 4)
    for axis in (0, 1):
        begin, end = pads[1 + axis], pads[4 + axis]
        kept = range(max(-begin, 0), index.shape[axis] - max(-end, 0))
        index = index.take(kept, axis=axis)
        sides = [(0, 0), (0, 0)]
        sides[axis] = (max(begin, 0), max(end, 0))
        index = np.pad(index, sides, mode=mode)  # type: ignore[call-overload]
    slope = weights["w"][:, 1] * (1 - np.tanh(X.reshape(2, 12)[:, index.reshape(-1)]) ** 2)
    want = np.zeros((2, 12))
    np.add.at(want, (slice(None), index.reshape(-1)), slope)
    np.testing.assert_allclose(a.multiplier["x"].reshape(2, 12), want, rtol=0, atol=1e-5)


@pytest.mark.parametrize("backend", ["numpy", "onnx"])
@pytest.mark.parametrize(
    "body",
    ["n = Neg(x) s = Where(hidden, n, x) d = Sub(n, s)", "n = Neg(x) s = Where(hidden, n, x) d = Add(x, s)"],
)
@pytest.mark.parametrize("composite", ["epsilon_plus_flat", "epsilon_alpha2_beta1_flat"])
def test_relevance_of_what_cancels(composite: str, body: str, backend: str, tmp_path: Path) -> None:
    """Seed 1128: the flat rule gives relevance to zeros, which two operands of one size make."""
    path = _file(tmp_path, f"{body} f = Flatten(d) y = MatMul(f, w)")
    a = ox.Explainer(path, composite, backend)(X, target=1)
    assert a.closure().max() < 1e-5


@pytest.mark.parametrize("opset", [21, 23])
@pytest.mark.parametrize(
    "body",
    [
        "r = Reshape(d, shape) y = MatMul(r, w6)",
        "r = Reshape(d, shape) t = Tanh(r) e = Tanh(d) g = Flatten(e) h = MatMul(g, w) k = MatMul(t, w6)"
        " n = ReduceSum<keepdims = 0>(k) y = Add(h, n)",
        "p = GlobalMaxPool(d) f = Flatten(p) c = Flatten(d) n = ReduceSum<keepdims = 0>(f) v = MatMul(c, w)"
        " y = Add(n, v)",
    ],
)
def test_int8_that_onnxruntime_makes_into_uint8(body: str, opset: int, tmp_path: Path) -> None:
    """Seeds 142 and 1231: on some CPUs onnxruntime cannot load what it has rewritten itself."""
    weights = {
        "scale": np.float32(0.02),
        "zero": np.int8(0),
        "shape": np.array([0, 2, 6]),
        "w": WEIGHTS["w"],
        "w6": RNG.standard_normal((6, 3)).astype(np.float32),
    }
    text = f"q = QuantizeLinear(x, scale, zero) d = DequantizeLinear(q, scale, zero) {body}"
    words = set("".join(c if c.isalnum() else " " for c in text).split())
    path = tmp_path / "model.onnx"
    used = {n: v for n, v in weights.items() if n in words}
    onnx.save(model(text, {"x": ["batch", 3, 4]}, used, opset=opset), path)
    for composite in ("attnlrp", "zplus", "gradient"):
        assert ox.Explainer(path, composite)(X, target=1).closure().max() < 1e-4


def test_a_name_in_a_message_is_one_that_can_be_printed(tmp_path: Path) -> None:
    """Changed bytes: a domain that turns the line about, and one of three thousand letters."""
    for domain in ("\u202eegnahc", "\x04wn", "n" * 3000):
        made = model("y = Tanh(x)", {"x": [1, 3]})
        made.graph.node[0].domain = domain
        made.opset_import.append(onnx.helper.make_opsetid(domain, 1))
        path = tmp_path / "model.onnx"
        path.write_bytes(made.SerializeToString())
        with pytest.raises(ox.UnsupportedOperator) as caught:
            ox.Explainer(path)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 600


def test_what_only_onnxruntime_knows_in_a_file_of_an_old_opset_is_compiled(tmp_path: Path) -> None:
    """Seeds 12 and 1108: onnx raises no file in which the standard's domain has an operator that is none."""
    for body in (
        "n = SimplifiedLayerNormalization<epsilon = 0.01>(x, scale) f = Flatten(n) y = MatMul(f, w)",
        "f = Flatten(x) y0 = MatMul(f, w) y = SimplifiedLayerNormalization<epsilon = 0.01>(y0, scale3)",
    ):
        weights = {"scale": np.float32([1, 2, 0.5, 1]), "scale3": np.float32([1, -1, 2]), "w": WEIGHTS["w"]}
        words = set("".join(c if c.isalnum() else " " for c in body).split())
        path = tmp_path / "model.onnx"
        used = {n: v for n, v in weights.items() if n in words}
        onnx.save(model(body, {"x": ["batch", 3, 4]}, used, opset=12), path)
        made = onnx.load(ox.compile(path, tmp_path / "model.lrp.onnx"))
        assert "onnxplain.aside" not in {o.domain for o in made.opset_import}
        run = session(made)
        seed = np.tile(np.float32([0, 1, 0]), (2, 1))
        (got,) = run.run(["relevance.x"], {"x": X, "seed": seed})
        want = ox.Explainer(path, backend="numpy")(X, target=1).relevance["x"]
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * np.abs(want).max())
