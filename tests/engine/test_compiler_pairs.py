"""A difference as one file: the same numbers as the numpy backend, references given or in the file."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from cases import CASES, Case, normal
from lowered import model

import onnxplain as ox
from onnxplain.models import demo_file

# What they give has a shape that depends on what is in the input: no one graph, or another for a reference.
NOT_ONE_GRAPH = {"Unique", "NonZero"}
# A few of every family; all of them in the long tests.
FEW = (
    "Conv-grouped", "Einsum", "Gelu", "GroupNormalization", "LayerNormalization", "MatMul-self", "MaxPool",
    "Mul-both", "ReduceMax", "Reshape", "Softmax", "TopK", "Where",
)  # fmt: skip
BOUND = 5e-6


def _run(path, feed) -> dict[str, np.ndarray]:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))


def _shifted(x: np.ndarray, part: float) -> np.ndarray:
    """A mixture of a signal and of itself one sample earlier: its values are such as an operator takes."""
    if x.dtype.kind != "f" or not x.ndim:
        return x
    return ((1 - part) * x + part * np.roll(x, 1, -1)).astype(x.dtype)


def _error(got: np.ndarray, want: np.ndarray, size: float) -> float:
    return float(np.abs(got.astype(np.float64) - want).max(initial=0.0)) / size


@pytest.mark.parametrize("case", [pytest.param(CASES[n], id=n) for n in FEW])
def test_compiled_is_numpy(case, tmp_path):
    _compare(case, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(c, id=n)
        for n, c in sorted(CASES.items())
        if n not in FEW and not c.operators & NOT_ONE_GRAPH
    ],
)
def test_every_operator_compiled_is_numpy(case, tmp_path):
    _compare(case, tmp_path)


def _compare(case: Case, folder) -> None:
    source = case.save(folder)
    explain = ox.Explainer(source, "difference", backend="numpy")
    axes = explain.inputs.axes(case.inputs)
    sets = [{n: _shifted(x, part) for n, x in case.inputs.items()} for part in (0.25, 0.5)]
    if not all(a is None for a in axes.values()):  # one row each, for all rows
        sets = [{n: x if axes[n] is None else np.take(x, [0], axes[n]) for n, x in s.items()} for s in sets]
    y = explain.predict(case.inputs)["y"]
    seed = np.random.default_rng(3).standard_normal(y.shape).astype(np.float32)
    want = explain(
        case.inputs, target=seed, reference={n: np.stack([s[n] for s in sets]) for n in case.inputs}
    )
    fed = ox.compile(source, folder / "c.onnx", "difference", ledger=True, example=case.inputs)
    given = {
        f"reference.{n}": np.stack([s[n] for s in sets])
        if axes[n] is None
        else np.concatenate([s[n] for s in sets], axes[n])
        for n in case.inputs
    }
    held = ox.compile(
        source,
        folder / "b.onnx",
        "difference",
        ledger=True,
        example=case.inputs,
        references={n: np.stack([s[n] for s in sets]) for n in case.inputs},
    )
    size = max(max(np.abs(r).max() for r in want.relevance.values()), float(np.abs(want.explained).max()))
    size = size or 1.0
    for got in (_run(fed, {**case.inputs, **given, "seed": seed}), _run(held, {**case.inputs, "seed": seed})):
        for name, r in want.relevance.items():
            assert _error(got[f"relevance.{name}"], r, size) <= BOUND
        assert _error(got["explained"], want.explained, size) <= 10 * BOUND
        for kind, amount in want.ledger.by_kind().items():
            assert _error(got[f"ledger.{kind}"], amount, size) <= 10 * BOUND


DEMO = demo_file("honest.onnx")


def _references(windows: np.ndarray) -> np.ndarray:
    made = np.roll(windows, 7, -1)[[2, 0, 1, 2]] + 0.1 * np.flip(windows, -1)[[0, 0, 1, 1]]
    return made.astype(np.float32)


@pytest.mark.parametrize("targets", [None, 2])
def test_a_transformer(tmp_path, targets):
    """References as inputs, and in the file: any number of windows, and the same maps."""
    explain = ox.Explainer(DEMO, "difference", backend="numpy")
    assert explain.contract is not None
    windows = normal(3, *explain.contract.shape)
    references, seed = _references(windows), np.eye(2, dtype=np.float32)[[0, 1, 1]]
    target: object = [0, 1, 1]
    if targets:
        seed = np.ascontiguousarray(np.broadcast_to(np.eye(2, dtype=np.float32)[:, None], (2, 3, 2)))
        target = "all"
    want = explain(windows, target=target, reference=references[:, None])
    size = float(np.abs(want.relevance["x"]).max())
    fed = ox.compile(DEMO, tmp_path / "c.onnx", "difference", targets=targets)
    held = ox.compile(DEMO, tmp_path / "b.onnx", "difference", targets=targets, references=references)
    for path, more in ((fed, {"reference.x": references}), (held, {})):
        for rows in (slice(0, 3), slice(1, 2)):
            got = _run(path, {"x": windows[rows], "seed": seed[..., rows, :], **more})
            wanted = want.relevance["x"][..., rows, :, :]
            assert got["relevance.x"].shape == wanted.shape
            assert _error(got["relevance.x"], wanted, size) <= BOUND
            np.testing.assert_allclose(got["explained"], want.explained[..., rows], atol=1e-5)
            total = got["relevance.x"].sum(axis=(-2, -1), dtype=np.float64)
            assert np.abs(total - got["explained"]).max() <= 1e-5 * max(size, np.abs(got["explained"]).max())
    one = _run(fed, {"x": windows, "seed": seed, "reference.x": references[1:2]})
    assert _error(one["relevance.x"], want.per_reference[1].relevance["x"], size) <= BOUND
    # No second copy of a weight.
    assert fed.stat().st_size < 1.3 * DEMO.stat().st_size
    said = json.loads({p.key: p.value for p in onnx.load(held).metadata_props}["onnxplain.compiled"])
    assert said["references"] == 4
    onnx.checker.check_model(onnx.load(fed), full_check=True)
    assert {n.domain for n in onnx.load(held).graph.node} <= {"", "ai.onnx"}


@pytest.mark.long
def test_labram(labram_files, windows, tmp_path):
    """Of LaBraM base, references as inputs and in the file."""
    source, references = labram_files["dynamo"].path, _references(windows)
    seed = np.eye(4, dtype=np.float32)[[0, 3, 1]]
    explain = ox.Explainer(source, "difference", backend="numpy")
    want = explain(windows, target=[0, 3, 1], reference=references)
    size = float(np.abs(want.relevance["x"]).max())
    fed = ox.compile(source, tmp_path / "c.onnx", "difference")
    held = ox.compile(source, tmp_path / "b.onnx", "difference", references=references)
    for path, more in ((fed, {"reference.x": references}), (held, {})):
        got = _run(path, {"x": windows, "seed": seed, **more})
        assert _error(got["relevance.x"], want.relevance["x"], size) <= BOUND
        np.testing.assert_allclose(got["explained"], want.explained, atol=5e-6)
    assert fed.stat().st_size < 1.1 * source.stat().st_size


def test_what_is_held_is_not_computed_again(tmp_path):
    """A file with references in it has the model's layers once."""
    case = Case(
        "small",
        "h = MatMul(x, w) e = Erf(h) y = MatMul(e, v)",
        {"x": normal(1, 6)},
        {"w": normal(6, 8), "v": normal(8, 3)},
    )
    source, references = case.save(tmp_path), normal(2, 6)
    held = onnx.load(ox.compile(source, tmp_path / "b.onnx", "difference", references=references))
    fed = onnx.load(ox.compile(source, tmp_path / "c.onnx", "difference"))

    def body(model):
        (scan,) = (n for n in model.graph.node if n.op_type == "Scan")
        (graph,) = (a.g for a in scan.attribute if a.name == "body")
        return [n.op_type for n in graph.node]

    assert "Erf" not in body(held)
    assert body(fed).count("Erf") == 1
    assert [n.op_type for n in held.graph.node].count("Erf") == 1
    assert [i.name for i in held.graph.input] == ["x", "seed"]
    assert [i.name for i in fed.graph.input] == ["x", "reference.x", "seed"]
    shape = [d.dim_param or d.dim_value for d in fed.graph.input[1].type.tensor_type.shape.dim]
    assert shape == ["references", 6]


def test_a_file_of_one_row(tmp_path):
    """A batch that the file fixes stays fixed; there may be any number of references."""
    case = Case(
        "fixed",
        "h = MatMul(x, w) r = Tanh(h) y = MatMul(r, v)",
        {"x": normal(1, 6)},
        {"w": normal(6, 8), "v": normal(8, 3)},
        fixed=True,
    )
    source, references, seed = case.save(tmp_path), normal(5, 6), np.eye(3, dtype=np.float32)[[1]]
    want = ox.Explainer(source, "difference")(case.inputs, target=1, reference=references)
    fed = ox.compile(source, tmp_path / "c.onnx", "difference")
    held = ox.compile(source, tmp_path / "b.onnx", "difference", references=references)
    for path, more in ((fed, {"reference.x": references}), (held, {})):
        got = _run(path, {**case.inputs, "seed": seed, **more})
        np.testing.assert_allclose(got["relevance.x"], want.relevance["x"], atol=2e-6)


def test_rows_that_are_merged(tmp_path):
    """Where a model puts rows and tokens into one axis, a reference's are laid beside every window's."""
    case = Case(
        "merged",
        "t = Reshape(x, flat) h = MatMul(t, w) s = Sigmoid(h) q = Transpose<perm = [1, 0]>(s) "
        "z = Transpose<perm = [1, 0]>(q) b = Reshape(z, back) p = Mul(b, b) "
        "y = ReduceSum<keepdims = 0>(p, one)",
        {"x": normal(3, 4, 5)},
        {
            "flat": np.array([-1, 5]),
            "back": np.array([-1, 4, 6]),
            "w": normal(5, 6),
            "one": np.array([1]),
        },
    )
    source, references = case.save(tmp_path), normal(2, 4, 5)
    seed = normal(3, 6)
    want = ox.Explainer(source, "difference", backend="numpy")(
        case.inputs, target=seed, reference=references[:, None]
    )
    for given in (None, references):
        path = ox.compile(source, tmp_path / "c.onnx", "difference", references=given)
        more = {"reference.x": references} if given is None else {}
        got = _run(path, {**case.inputs, "seed": seed, **more})
        size = float(np.abs(want.relevance["x"]).max())
        assert _error(got["relevance.x"], want.relevance["x"], size) <= BOUND


BRANCHES = """
s = ReduceSum<keepdims = 0>(x)
c = Greater(s, zero)
h = If(c) <
    then_branch = yes () => (a) { u = MatMul(x, A)  a = Tanh(u) },
    else_branch = no () => (e) { w = MatMul(x, A)  e = Relu(w) }
>
y = Mul(h, two)
"""


def test_branches(tmp_path):
    """The file takes the window's branch; a reference that takes another one has no difference to give."""
    rng = np.random.default_rng(0)
    weights = {
        "zero": np.float32(0),
        "two": np.float32(2),
        "A": rng.standard_normal((8, 8)).astype(np.float32),
    }
    source = tmp_path / "m.onnx"
    onnx.save(model(BRANCHES, {"x": ("B", 8)}, weights), source)
    up = np.abs(rng.standard_normal((3, 8))).astype(np.float32)
    seed = rng.standard_normal((1, 8)).astype(np.float32)
    explain = ox.Explainer(source, "difference", backend="numpy")
    fed = ox.compile(source, tmp_path / "c.onnx", "difference")
    held = ox.compile(source, tmp_path / "b.onnx", "difference", references=up[1:])
    for sign in (1, -1):
        x, references = sign * up[:1], sign * up[1:]
        want = explain(x, target=seed, reference=references)
        got = _run(fed, {"x": x, "seed": seed, "reference.x": references})
        np.testing.assert_allclose(got["relevance.x"], want.relevance["x"], atol=1e-5)
        apart = _run(fed, {"x": x, "seed": seed, "reference.x": -references})
        assert np.isnan(apart["relevance.x"]).all()
        assert np.isnan(apart["explained"]).all()
        np.testing.assert_allclose(apart["y"], got["y"])
        inside = _run(held, {"x": x, "seed": seed})["relevance.x"]
        if sign > 0:
            np.testing.assert_allclose(inside, want.relevance["x"], atol=1e-5)
        else:
            assert np.isnan(inside).all()


def test_refusals(tmp_path):
    source = DEMO
    windows = normal(1, 27, 400)
    with pytest.raises(ox.InputError, match="explains against zero; with references: composite='difference'"):
        ox.compile(source, tmp_path / "c.onnx", references=windows)
    with pytest.raises(ox.InputError, match="a reference of shape"):
        ox.compile(source, tmp_path / "c.onnx", "difference", references=np.zeros(3, np.float32))
    with pytest.raises(ox.InputError, match="NaN or infinite"):
        ox.compile(source, tmp_path / "c.onnx", "difference", references=windows * np.nan)
    assert not list(tmp_path.iterdir())
