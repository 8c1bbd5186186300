"""Vector quantisation: relevance goes straight through the choice of the nearest row of a codebook."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

import onnxplain as ox

D, K, C, T = 4, 8, 3, 20
RNG = np.random.default_rng

# How the distances are written, what is the table's row for each, and how the row is taken.
DISTANCES = {
    "product": "s = Mul(f, f) n = ReduceSum(s, one) e = MatMul(f, Et) e2 = Mul(e, two) d0 = Sub(n, e2)"
    " d = Add(d0, E2) i = ArgMin<axis=1, keepdims=0>(d)",
    "doubled first": "f2 = Mul(f, two) e = MatMul(f2, Et) d = Sub(e, E2) i = ArgMax<axis=-1, keepdims=0>(d)",
    "gemm": "e = Gemm<alpha=2.0, transB=1>(f, E) d = Sub(e, E2) i = ArgMax<axis=1, keepdims=0>(d)",
    "einsum": 'e = Einsum<equation="bd,nd->bn">(f, E) e2 = Mul(e, two) d = Sub(e2, E2)'
    " i = ArgMax<axis=1, keepdims=0>(d)",
    "each row": "u = Unsqueeze(f, one) t0 = Sub(u, E) s = Mul(t0, t0) n = ReduceSum<keepdims=0>(s, last)"
    " d = Sqrt(n) i = ArgMin<axis=1, keepdims=0>(d)",
    "one product": "s = Mul(f, f) n = ReduceSum(s, one) m = Mul(f, minus) o0 = Sub(n, n) o1 = Add(o0, ones)"
    " c = Concat<axis=-1>(m, n, o1) n2 = MatMul(c, W) n3 = Max(n2, zero) d = Sqrt(n3)"
    " i = ArgMin<axis=1, keepdims=0>(d)",
}
TAKEN = {
    "gather": "q = Gather(E, i)",
    "one-hot": "h = OneHot<axis=-1>(i, k, values) q = MatMul(h, E)",
    "equal": "iu = Unsqueeze(i, one) h0 = Equal(iu, every) h = Cast<to=1>(h0) q = MatMul(h, E)",
}
THROUGH = {"inference": "y1 = Identity(zq)", "straight-through": "t = Sub(zq, z) y1 = Add(z, t)"}
WAYS = [
    *((d, "gather", t) for d in DISTANCES for t in THROUGH),
    *(("product", q, "straight-through") for q in TAKEN if q != "gather"),
]


def constants(seed: int = 0) -> dict[str, NDArray[Any]]:
    rng = RNG(seed)
    table = rng.normal(size=(K, D))
    made: dict[str, NDArray[Any]] = {
        "We": rng.normal(size=(T, D)), "E": table, "Et": table.T, "E2": (table**2).sum(1)[None],
        "W": np.concatenate([table, np.ones((K, 1)), (table**2).sum(1)[:, None]], 1).T,
        "Wq": rng.normal(size=(D, D)), "Wk": rng.normal(size=(D, D)), "Wv": rng.normal(size=(D, D)),
        "Wo": rng.normal(size=(D, 2)), "two": np.array(2.0), "minus": np.array(-2.0), "ones": np.array(1.0),
        "zero": np.array(1e-30), "values": np.array([0.0, 1.0]),
    }  # fmt: skip
    whole: dict[str, Any] = {
        "rows": [-1, D], "back": [-1, C, D], "one": [1], "last": [2], "k": K, "every": list(range(K)),
    }  # fmt: skip
    return {
        **{n: a.astype(np.float32) for n, a in made.items()},
        **{n: np.array(a, dtype=np.int64) for n, a in whole.items()},
    }


def written(path: Path, text: str, values: Mapping[str, NDArray[Any]]) -> Path:
    model = onnx.parser.parse_model(text)
    used = {i for n in model.graph.node for i in n.input}
    model.graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in values.items() if n in used)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def transformer(path: Path, distances: str, taken: str, through: str) -> Path:
    """Tokens of a window, quantised, and one layer of attention over them."""
    return written(
        path,
        f"""<ir_version: 8, opset_import: ["" : 17]>
        g (float[N, {C}, {T}] x) => (float[N, 2] y) {{
        z = MatMul(x, We) f = Reshape(z, rows) {DISTANCES[distances]} {TAKEN[taken]} zq = Reshape(q, back)
        {THROUGH[through]}
        a = MatMul(y1, Wq) b = MatMul(y1, Wk) v = MatMul(y1, Wv) bt = Transpose<perm = [0, 2, 1]>(b)
        w = MatMul(a, bt) p = Softmax<axis = -1>(w) o = MatMul(p, v) r = Add(o, y1)
        mean = ReduceMean<axes = [1], keepdims = 0>(r) y = MatMul(mean, Wo) }}""",
        constants(),
    )


def straight_through(x: NDArray[Any]) -> NDArray[Any]:
    """Input times gradient by torch, with ``z + (q - z).detach()``."""
    torch = pytest.importorskip("torch")
    w = {n: torch.tensor(a).double() for n, a in constants().items()}
    given = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    z = given @ w["We"]
    q = w["E"][torch.cdist(z.reshape(-1, D), w["E"]).argmin(-1)].view(z.shape)
    y1 = z + (q - z).detach()
    p = ((y1 @ w["Wq"]) @ (y1 @ w["Wk"]).transpose(1, 2)).softmax(-1)
    (((p @ (y1 @ w["Wv"]) + y1).mean(1)) @ w["Wo"])[:, 0].sum().backward()
    return np.asarray((given.grad * given).detach().numpy())


@pytest.fixture(scope="module")
def x() -> NDArray[Any]:
    return RNG(7).normal(size=(5, C, T)).astype(np.float32)


@pytest.mark.parametrize("backend", ["onnx", "numpy"])
@pytest.mark.parametrize(("distances", "taken", "through"), WAYS)
def test_gradients_go_straight_through_however_it_is_written(
    distances: str, taken: str, through: str, backend: str, x: NDArray[Any], tmp_path: Path
) -> None:
    model = transformer(tmp_path / "vq.onnx", distances, taken, through)
    a = ox.Explainer(model, "gradient", backend=backend)(x, target=0)
    want = straight_through(x)
    assert np.abs(a.relevance["x"] - want).max() <= 1e-5 * np.abs(want).max()
    assert a.closure().max() < 1e-5


@pytest.mark.parametrize("composite", ["attnlrp", "cplrp", "epsilon", "difference"])
@pytest.mark.parametrize(("distances", "taken", "through"), WAYS)
def test_relevance_reaches_the_input_and_the_rest_is_rounding(
    distances: str, taken: str, through: str, composite: str, x: NDArray[Any], tmp_path: Path
) -> None:
    model = transformer(tmp_path / "vq.onnx", distances, taken, through)
    given = {"reference": RNG(8).normal(size=(1, C, T)).astype(np.float32)}
    a = ox.Explainer(model, composite)(x, target=0, **(given if composite == "difference" else {}))
    kinds = a.ledger.by_kind()
    assert np.abs(a.relevance["x"]).sum() > np.abs(kinds["rounding"]).sum() > 0
    assert a.closure().max() < 1e-4
    if composite == "difference":
        assert set(kinds) == {"rounding"}


def test_a_difference_is_that_of_what_was_quantised(x: NDArray[Any], tmp_path: Path) -> None:
    """Of a linear reading: m (z - z'), and rounding is what the rows' difference is beside that."""
    values = constants()
    model = written(
        tmp_path / "vq.onnx",
        f"""<ir_version: 8, opset_import: ["" : 17]>
        g (float[N, {C}, {T}] x) => (float[N, {C}, 2] y) {{
        z = MatMul(x, We) f = Reshape(z, rows) {DISTANCES["product"]} q = Gather(E, i) zq = Reshape(q, back)
        y = MatMul(zq, Wo) }}""",
        values,
    )
    reference = RNG(8).normal(size=(1, C, T)).astype(np.float32)
    a = ox.Explainer(model, "difference")(x, target=(0, 1), reference=reference)
    want = (x - reference)[:, 0] * (values["We"] @ values["Wo"])[:, 1]
    np.testing.assert_allclose(a.relevance["x"][:, 0], want, rtol=1e-4, atol=1e-5)
    assert not a.relevance["x"][:, 1:].any()


def test_the_compiled_file_says_the_same(x: NDArray[Any], tmp_path: Path) -> None:
    model = transformer(tmp_path / "vq.onnx", "product", "gather", "straight-through")
    ox.compile(model, tmp_path / "vq.lrp.onnx", "attnlrp")
    session = ort.InferenceSession(tmp_path / "vq.lrp.onnx", providers=["CPUExecutionProvider"])
    seed = np.zeros((len(x), 2), np.float32)
    seed[:, 0] = 1
    (got,) = session.run(["relevance.x"], {"x": x, "seed": seed})
    want = ox.Explainer(model, "attnlrp", backend="numpy")(x, target=0).relevance["x"]
    assert np.abs(got - want).max() <= 5e-6 * np.abs(want).max()


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ("another table", "q = Gather(F, i)"),
        ("another axis", "q = Gather<axis = 1>(Q, i)"),
        ("not compared", "i1 = Mod(i, two_) q = Gather(E, i1)"),
    ],
)
def test_other_look_ups_are_none(changed: str, text: str, x: NDArray[Any], tmp_path: Path) -> None:
    """A class that is looked up is a token, and no vector that stands for z."""
    values = constants()
    values["F"], values["two_"] = RNG(3).normal(size=(K, D)).astype(np.float32), np.array(2)
    values["Q"] = values["E"].T.copy()
    back = "zt = Transpose(q) zq = Reshape(zt, back)" if "axis" in changed else "zq = Reshape(q, back)"
    model = written(
        tmp_path / "no.onnx",
        f"""<ir_version: 8, opset_import: ["" : 17]>
        g (float[N, {C}, {T}] x) => (float[N, {C}, 2] y) {{
        z = MatMul(x, We) f = Reshape(z, rows) {DISTANCES["product"]} {text} {back} y = MatMul(zq, Wo) }}""",
        values,
    )
    assert "Codebook" not in {n.op_type for n in ox.inspect(model).on_path}
    assert "rounding" not in ox.Explainer(model)(x, target=(0, 1)).ledger.by_kind()


def test_windows_that_get_the_same_rows_differ_by_nothing(x: NDArray[Any], tmp_path: Path) -> None:
    """Their outputs are alike but for rounding, which is no gap in the account."""
    model = transformer(tmp_path / "vq.onnx", "product", "gather", "inference")
    a = ox.Explainer(model, "difference")(x, target=0, reference=x[:1] * 1.0001)
    assert abs(a.explained[0]) < 1e-5
    assert a.closure().max() < 1e-3


def test_samples_lie_along_the_axis_that_grows_however_few_numbers_change(tmp_path: Path) -> None:
    """Six tokens first, three samples then: where few codes change, tokens look like samples."""
    for seed in range(12):
        values = constants(seed)
        values["back"], values["B"] = np.array([-1, 6, D]), RNG(seed).normal(size=D).astype(np.float32)
        model = written(
            tmp_path / f"{seed}.onnx",
            f"""<ir_version: 8, opset_import: ["" : 17]>
            g (float[N, 6, {T}] x) => (float[N, 2] y) {{
            z = MatMul(x, We) f = Reshape(z, rows) {DISTANCES["gemm"]} i1 = Mod(i, k) q = Gather(E, i1)
            zq = Reshape(q, back) t = Transpose<perm = [1, 0, 2]>(zq) u = MatMul(t, Wv) v = Add(u, B)
            w = Relu(v) m = ReduceMean<axes = [0], keepdims = 0>(w) y = MatMul(m, Wo) }}""",
            values,
        )
        x = RNG([seed, 1]).normal(size=(5, 6, T)).astype(np.float32)
        a = ox.Explainer(model, "gradient")(x, target=0)
        assert {e.relevance.shape for e in a.ledger.entries} == {(5,)}
        assert a.closure().max() < 1e-4
