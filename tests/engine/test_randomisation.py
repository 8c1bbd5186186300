"""Random-weight copies: every weight permuted, everything else as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnxplain.engine.evaluation.randomisation import randomised_copy

MODEL = """
<ir_version: 9, opset_import: ["" : 18, "f" : 1], metadata_props: ["onnxplain.contract": "{}", "who": "me"]>
net (float[N, 1, 4, 4] x) => (float[N, 6] y)
<
  float[6, 16] w = {WEIGHTS}, float[1] one = {3.5}, float eps = {1e-5}, int64[2] shape = {0, -1},
  float[4] scales = {1.0, 1.0, 2.0, 2.0}, float[2, 2] mask = {0.0, -3.4e38, 0.0, 0.0}
>
{
  up = Resize <mode = "nearest"> (x, , scales)
  down = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (up)
  flat = Reshape (down, shape)
  h = Gemm <transB = 1> (flat, w)
  bias = Constant <value = float[6] {0.1, 0.2, 0.3, 0.4, 0.5, 0.6}> ()
  small = Constant <value = float {0.25}> ()
  b = Add (h, bias)
  c = Mul (b, one)
  d = Add (c, small)
  e = f.shift (d)
  y = Add (e, eps)
}
<domain: "f", opset_import: ["" : 18]>
shift (a) => (b)
{
  table = Constant <value_floats = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]> ()
  b = Add (a, table)
}
""".replace("{WEIGHTS}", "{" + ", ".join(f"{i}.5" for i in range(96)) + "}")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    proto = onnx.parser.parse_model(MODEL)
    onnx.save(proto, tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def tensors(path: Path) -> dict[str, np.ndarray]:
    proto = onnx.load(path)
    found = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
    for node in [*proto.graph.node, *(n for f in proto.functions for n in f.node)]:
        if node.op_type == "Constant":
            (attribute,) = node.attribute
            value = helper.get_attribute_value(attribute)
            found[node.output[0]] = (
                numpy_helper.to_array(value) if isinstance(value, TensorProto) else np.array(value)
            )
    return found


def test_weights_move_and_nothing_else(model: Path, tmp_path: Path) -> None:
    before, after = tensors(model), tensors(randomised_copy(model, tmp_path / "r.onnx", 0))
    for name in ("w", "bias", "table"):
        assert (before[name] != after[name]).any()
        np.testing.assert_array_equal(np.sort(before[name], axis=None), np.sort(after[name], axis=None))
        assert before[name].shape == after[name].shape
        assert before[name].dtype == after[name].dtype
    for name in ("one", "eps", "shape", "scales", "mask", "small"):
        np.testing.assert_array_equal(before[name], after[name])


def test_copy_keeps_metadata_and_runs(model: Path, tmp_path: Path) -> None:
    copy = randomised_copy(model, tmp_path / "r.onnx", 0)
    kept = {p.key: p.value for p in onnx.load(copy).metadata_props}
    assert kept == {"onnxplain.contract": "{}", "who": "me"}
    x = np.random.default_rng(0).normal(size=(2, 1, 4, 4)).astype(np.float32)
    y, z = (
        ort.InferenceSession(p, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
        for p in (model, copy)
    )
    assert y.shape == z.shape
    assert not np.allclose(y, z)


def test_seed_decides(model: Path, tmp_path: Path) -> None:
    one, two, other = (randomised_copy(model, tmp_path / f"{i}.onnx", s) for i, s in enumerate((3, 3, 4)))
    assert one.read_bytes() == two.read_bytes() != other.read_bytes()


@pytest.mark.parametrize(
    ("kind", "moves"),
    [
        (TensorProto.FLOAT16, True),
        (TensorProto.BFLOAT16, True),
        (TensorProto.DOUBLE, True),
        (TensorProto.FLOAT8E4M3FN, True),
        (TensorProto.INT8, False),
        (TensorProto.UINT8, False),
        (TensorProto.INT4, False),
        (TensorProto.INT32, False),
        (TensorProto.BOOL, False),
        (TensorProto.STRING, False),
    ],
)
def test_kinds_of_tensor(kind: int, moves: bool, tmp_path: Path) -> None:
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    values = (
        np.arange(7).astype(dtype) if kind != TensorProto.STRING else np.array(list("abcdefg"), dtype=object)
    )
    tensor = numpy_helper.from_array(values, "t")
    assert tensor.data_type == kind
    graph = helper.make_graph([], "g", [], [], [tensor])
    onnx.save(helper.make_model(graph), tmp_path / "m.onnx")
    after = tensors(randomised_copy(tmp_path / "m.onnx", tmp_path / "r.onnx", 0))["t"]
    assert after.dtype == values.dtype
    assert (after.tolist() != values.tolist()) is moves
    assert sorted(after.tolist()) == sorted(values.tolist())


def test_subgraphs_and_external_data(tmp_path: Path) -> None:
    inner = numpy_helper.from_array(np.arange(50, dtype=np.float32), "inner")
    branch = helper.make_graph(
        [helper.make_node("Add", ["x", "inner"], ["z"])],
        "branch",
        [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [50])],
        [inner],
    )
    other = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["z"])],
        "other",
        [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [50])],
    )
    graph = helper.make_graph(
        [helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=other)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [50])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [50])],
        [numpy_helper.from_array(np.array(True), "yes"), numpy_helper.from_array(np.arange(2000.0), "big")],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9),
        tmp_path / "m.onnx",
        save_as_external_data=True,
        size_threshold=100,
    )
    out = tmp_path / "elsewhere"
    out.mkdir()
    copy = onnx.load(randomised_copy(tmp_path / "m.onnx", out / "r.onnx", 0))
    branches = {a.name: a.g for a in copy.graph.node[0].attribute}
    shuffled = numpy_helper.to_array(branches["then_branch"].initializer[0])
    assert (shuffled != np.arange(50)).any()
    assert sorted(shuffled.tolist()) == list(range(50))
    big = next(numpy_helper.to_array(t) for t in copy.graph.initializer if t.name == "big")
    assert (big != np.arange(2000)).any()
    assert [p.name for p in out.iterdir()] == ["r.onnx"]
