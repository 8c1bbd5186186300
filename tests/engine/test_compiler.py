"""One file with forward and relevance: the same numbers as the numpy backend, for every operator."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from cases import CASES, Case, normal
from rounding import FLOOR, assert_same, error, in_double
from torch_lrp import relevance

import onnxplain as ox
from onnxplain.models import demo_file

# (composite, targets): every operator under each of them. With a stabiliser the two may differ by what
# rounding does to a denominator.
COMPILED = [
    ("attnlrp", None, 2e-6),
    ("attnlrp", 3, 2e-6),
    ("gradient", None, 2e-6),
    ("epsilon_plus", 2, 2e-5),
    ("gamma", None, 2e-6),
]


# What they give has a shape that depends on what is in the input, which is no one graph.
NOT_ONE_GRAPH = {"Unique"}


ONE_GRAPH = pytest.mark.parametrize(
    "case", [pytest.param(c, id=n) for n, c in sorted(CASES.items()) if not c.operators & NOT_ONE_GRAPH]
)


def _run(path, feed) -> dict[str, np.ndarray]:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))


@pytest.mark.parametrize(
    "case", [c for c in CASES.values() if c.operators & NOT_ONE_GRAPH], ids=lambda c: c.name
)
def test_refused_as_one_graph(case, tmp_path):
    with pytest.raises(ox.ModelError, match="cannot be one graph"):
        ox.compile(case.save(tmp_path), tmp_path / "c.onnx", example=case.inputs)


@ONE_GRAPH
@pytest.mark.parametrize(("composite", "targets", "bound"), COMPILED)
def test_compiled_is_numpy(case, tmp_path, composite, targets, bound):
    source = case.save(tmp_path)
    explain = ox.Explainer(source, composite=composite, backend="numpy")
    y = explain.predict(case.inputs)["y"]
    seeds = np.random.default_rng(3).standard_normal((targets or 1, *y.shape)).astype(np.float32)
    want = [explain(case.inputs, target=s) for s in seeds]
    path = ox.compile(
        source, tmp_path / "c.onnx", composite, targets=targets, ledger=True, example=case.inputs
    )
    feed = {**case.inputs, "seed": seeds if targets else seeds[0]}
    got = _run(path, feed)
    np.testing.assert_allclose(got["y"], y, rtol=1e-5, atol=1e-5)
    for name in (f"relevance.{n}" for n in case.inputs):
        maps = _several([a.relevance[name.removeprefix("relevance.")] for a in want], targets)
        assert_same(got[name], maps, bound, lambda name=name: in_double(path, feed, name))
    floating = [n for n, x in case.inputs.items() if x.dtype.kind == "f"]
    slopes = [f"gradient.{n}" for n in floating if composite == "gradient"]
    assert [n for n in got if n.startswith("gradient.")] == slopes
    for name in slopes:
        maps = _several([a.multiplier[name.removeprefix("gradient.")] for a in want], targets)
        assert_same(got[name], maps, bound, lambda name=name: in_double(path, feed, name))
    largest = max(np.abs(r).max() for a in want for r in a.relevance.values())
    for kind in want[0].ledger.by_kind():
        each = _several([a.ledger.by_kind()[kind] for a in want], targets)
        assert np.abs(got[f"ledger.{kind}"] - each).max() <= 10 * bound * max(np.abs(each).max(), largest)
    explained = _several([a.explained for a in want], targets)
    assert np.abs(got["explained"] - explained).max() <= 10 * bound * max(np.abs(explained).max(), largest)


def _several(arrays: list[np.ndarray], targets: int | None) -> np.ndarray:
    return np.stack(arrays) if targets else arrays[0]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("composite", ["attnlrp", "epsilon"])
def test_backends_agree(case, tmp_path, composite):
    source = case.save(tmp_path)
    a, b = (ox.Explainer(source, composite=composite, backend=k) for k in ("numpy", "onnx"))
    y = a.predict(case.inputs)["y"]
    seed = np.random.default_rng(3).standard_normal(y.shape).astype(np.float32)
    one, other = a(case.inputs, target=seed), b(case.inputs, target=seed)
    bound = 2e-6 if composite == "attnlrp" else 2e-5
    for name in case.inputs:

        def truth(name: str = name) -> np.ndarray:
            path = ox.compile(source, tmp_path / "c.onnx", composite, example=case.inputs)
            return in_double(path, {**case.inputs, "seed": seed}, f"relevance.{name}")

        assert_same(other.relevance[name], one.relevance[name], bound, truth)
    largest = max([np.abs(one.ledger.total()).max(), *(np.abs(r).max() for r in one.relevance.values())])
    assert np.abs(other.ledger.total() - one.ledger.total()).max() <= 10 * bound * max(largest, 1e-9)


@pytest.mark.parametrize("name", ["Conv-grouped", "LayerNormalization", "MaxPool", "Softmax", "Gelu"])
def test_float64_judges(tmp_path, name):
    """What is held where two roundings are apart, whether they are or not; and that it holds something."""
    case = CASES[name]
    source = case.save(tmp_path)
    path = ox.compile(source, tmp_path / "c.onnx", "epsilon_plus", example=case.inputs)
    explain = ox.Explainer(source, "epsilon_plus", backend="numpy")
    y = explain.predict(case.inputs)["y"]
    feed = {**case.inputs, "seed": np.random.default_rng(3).standard_normal(y.shape).astype(np.float32)}
    want, got = explain(case.inputs, target=feed["seed"]).relevance["x"], _run(path, feed)["relevance.x"]

    def truth() -> np.ndarray:
        return in_double(path, feed, "relevance.x")

    assert truth().dtype == np.float64
    assert_same(got, want, -1, truth)
    for wrong in ((got * (1 + 1e-4), want), (got, want * (1 + 1e-3))):
        with pytest.raises(AssertionError, match="apart"):
            assert_same(*wrong, -1, truth)


@pytest.mark.parametrize("exporter", ["legacy", "dynamo"])
@pytest.mark.parametrize("composite", ["attnlrp", "cplrp"])
def test_labram_against_torch(labram_files, windows, tmp_path, exporter, composite):
    """Against the same rules by float64 autograd; any batch size; weights are in the file once."""
    file = labram_files[exporter]
    path = ox.compile(file.path, tmp_path / "c.onnx", composite)
    target = [0, 3, 1]
    want = relevance(file.network, windows, target, composite)
    seed = np.eye(4, dtype=np.float32)[target]
    got = _run(path, {"x": windows, "seed": seed})
    one = _run(path, {"x": windows[1:2], "seed": seed[1:2]})
    own = error(
        ox.Explainer(file.path, composite, backend="numpy")(windows, target=target).relevance["x"], want
    )
    bound = max(2e-6, 2 * own + FLOOR)
    assert error(got["relevance.x"], want) <= bound
    assert error(one["relevance.x"], want[1:2]) <= bound
    assert path.stat().st_size < 1.1 * file.path.stat().st_size


def test_every_target_at_once(labram_files, windows, tmp_path):
    file = labram_files["dynamo"]
    explain = ox.Explainer(file.path)
    want = explain(windows, target="all")
    assert want.relevance["x"].shape == (4, *windows.shape)
    path = ox.compile(file.path, tmp_path / "c.onnx", targets=4)
    seed = np.broadcast_to(np.eye(4, dtype=np.float32)[:, None], (4, 3, 4))
    feed = {"x": windows, "seed": seed}
    got = _run(path, feed)["relevance.x"]
    assert_same(got, want.relevance["x"], 2e-6, lambda: in_double(path, feed, "relevance.x"))


def test_an_old_opset(tmp_path):
    """Raised to be compiled, the file is still explained at the logits before its softmax."""
    case = Case(
        "old",
        "h = MatMul(x, w) c = Clip(h, low, high) l = MatMul(c, v) y = Softmax(l)",
        {"x": normal(2, 6)},
        {"w": normal(6, 8), "v": normal(8, 3), "low": np.float32(0), "high": np.float32(6)},
        opset=11,
    )
    source = case.save(tmp_path)
    a = ox.Explainer(source, backend="numpy")(case.inputs, target=0)
    assert a.output == "l"
    path = ox.compile(source, tmp_path / "c.onnx")
    feed = {**case.inputs, "seed": np.eye(3, dtype=np.float32)[[0, 0]]}
    got = _run(path, feed)["relevance.x"]
    assert_same(got, a.relevance["x"], 2e-6, lambda: in_double(path, feed, "relevance.x"))


def test_weights_beside_a_file_too_large_for_protobuf(tmp_path, monkeypatch):
    """As above 2 GB: read from a file beside the source, and written to one beside the compiled file."""
    from onnxplain.engine.file import runtime

    rng = np.random.default_rng(0)
    weights = {"w": rng.standard_normal((300, 300)).astype(np.float32), "v": normal(300, 3)}
    case = Case("large", "h = MatMul(x, w) r = Relu(h) y = MatMul(r, v)", {"x": normal(2, 300)}, weights)
    small = ox.compile(case.save(tmp_path), tmp_path / "small.onnx")
    seed = np.eye(3, dtype=np.float32)[:2]
    want = _run(small, {**case.inputs, "seed": seed})
    monkeypatch.setattr(runtime, "LARGEST", 100_000)
    (tmp_path / "source").mkdir()
    runtime.write(case.model(), tmp_path / "source" / "m.onnx")
    assert {p.name for p in (tmp_path / "source").iterdir()} == {"m.onnx", "m.onnx.data"}
    (tmp_path / "to").mkdir()
    for _ in range(2):  # the second time over the first
        path = ox.compile(tmp_path / "source" / "m.onnx", tmp_path / "to" / "c.onnx")
        assert {p.name for p in path.parent.iterdir()} == {"c.onnx", "c.onnx.data"}
        assert path.stat().st_size < 100_000
        assert (path.parent / "c.onnx.data").stat().st_size < 1.1 * 4 * 300 * 300
    got = _run(path, {**case.inputs, "seed": seed})
    assert set(got) == set(want)
    for name, value in want.items():
        np.testing.assert_array_equal(got[name], value)
    a = ox.Explainer(tmp_path / "source" / "m.onnx")(case.inputs, target=[0, 1])
    feed = {**case.inputs, "seed": seed}
    assert_same(a.relevance["x"], want["relevance.x"], 2e-6, lambda: in_double(small, feed, "relevance.x"))


@pytest.mark.parametrize("composite", ["attnlrp", "zplus"])
def test_convolutions_below_a_float64_output(tmp_path, composite):
    """onnxruntime convolves in float32 only: what goes back in double does so too."""
    case = Case(
        "wide",
        "h = Conv<pads = [1, 1]>(x, w, b) r = Relu(h) p = MaxPool<kernel_shape = [2], strides = [2]>(r) "
        "f = Flatten(p) l = MatMul(f, v) y = Cast<to = 11>(l)",
        {"x": normal(2, 3, 8)},
        {"w": normal(4, 3, 3), "b": normal(4), "v": normal(16, 3)},
    )
    proto = case.model()
    proto.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    onnx.save(proto, tmp_path / "m.onnx")
    a = ox.Explainer(tmp_path / "m.onnx", composite, backend="numpy")(case.inputs, target=[0, 2])
    assert a.relevance["x"].dtype == np.float64
    path = ox.compile(tmp_path / "m.onnx", tmp_path / "c.onnx", composite)
    feed = {**case.inputs, "seed": np.eye(3)[[0, 2]]}
    b = ox.Explainer(tmp_path / "m.onnx", composite, backend="onnx")(case.inputs, target=[0, 2])
    for got in (_run(path, feed)["relevance.x"], b.relevance["x"]):
        assert_same(got, a.relevance["x"], 2e-6, lambda: in_double(path, feed, "relevance.x"))


def test_one_error_function_for_gelu_and_its_gate(labram_files, tmp_path):
    for composite in ("attnlrp", "gradient"):
        path = ox.compile(labram_files["dynamo"].path, tmp_path / "c.onnx", composite)
        kinds = [n.op_type for n in onnx.load(path).graph.node]
        # The last layer's gate is read at one token, and its Gelu at all of them.
        assert kinds.count("Gelu") <= 1
        assert kinds.count("Erf") >= 12


def test_what_the_file_is(labram_files, tmp_path):
    source = labram_files["legacy"].path
    path = ox.compile(source, tmp_path / "c.onnx", "gamma", gamma=0.5, ledger=True)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert {o.domain: o.version for o in model.opset_import}[""] >= 18
    assert {n.domain for n in model.graph.node} <= {"", "ai.onnx"}
    assert [i.name for i in model.graph.input] == ["x", "seed"]
    outputs = [o.name for o in model.graph.output]
    assert outputs[0] == onnx.load(source).graph.output[0].name
    assert "relevance.x" in outputs
    assert any(o.startswith("ledger.") for o in outputs)
    metadata = {p.key: p.value for p in model.metadata_props}
    about = json.loads(metadata["onnxplain.compiled"])
    assert about["composite"] == "gamma"
    assert about["parameters"]["gamma"] == 0.5
    assert about["source_sha256"] == ox.Explainer(source).sha256
    assert (
        metadata["onnxplain.contract"]
        == {p.key: p.value for p in onnx.load(source).metadata_props}["onnxplain.contract"]
    )


def test_refusals(labram_files, tmp_path):
    source = labram_files["legacy"].path
    with pytest.raises(ox.InputError, match="targets must be at least 1"):
        ox.compile(source, tmp_path / "c.onnx", targets=0)
    with pytest.raises(ox.InputError, match="no folder"):
        ox.compile(source, tmp_path / "nowhere" / "c.onnx")
    with pytest.raises(ox.InputError, match="is the model itself"):
        ox.compile(source, source)
    with pytest.raises(ox.InputError, match="exists"):
        (tmp_path / "there.onnx").touch()
        ox.compile(source, tmp_path / "there.onnx", overwrite=False)
    assert not list(tmp_path.glob(".*part"))


def test_a_compiled_file_is_explained_as_any_other(tmp_path):
    """Names of what was written into it do not clash with those of what is written beside it now."""
    source = demo_file("honest.onnx")
    compiled = ox.compile(source, tmp_path / "c.onnx")
    x = np.random.default_rng(0).standard_normal((2, 27, 400)).astype(np.float32)
    again = ox.Explainer(compiled, output="logits")({"x": x, "seed": np.ones((2, 2), np.float32)}, target=0)
    wanted = ox.Explainer(source)(x, target=0).relevance["x"]
    np.testing.assert_allclose(again.relevance["x"], wanted, rtol=0, atol=1e-6)
