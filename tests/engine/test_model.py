"""Files that nobody has vouched for (ROBUSTNESS M rows that need no run)."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from cases import CASES
from onnx import TensorProto, helper, numpy_helper

import onnxplain as ox
from onnxplain.engine.file.load import load


def _linear() -> onnx.ModelProto:
    return CASES["MatMul-Add"].model()


def _refused(path: Path, *words: str, error: type[ox.OnnxplainError] = ox.ModelError) -> None:
    with pytest.raises(error) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    for word in words:
        assert word in message


@pytest.mark.row("M8")
@pytest.mark.parametrize(
    ("data", "looks_like"),
    [
        (b"", "empty"),
        (b"just some words, no model\n", "a text file"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git-lfs pointer"),
        (b"PK\x03\x04" + bytes(100), "zip archive or a PyTorch checkpoint"),
        (b"\x80\x02}q\x00.", "pickle"),
        (os.urandom(64), ""),
    ],
    ids=["empty", "text", "html", "lfs", "zip", "pickle", "random"],
)
def test_what_is_no_model(tmp_path, data, looks_like):
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    _refused(path, "not an ONNX model", looks_like)


@pytest.mark.row("M8")
def test_truncated(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(_linear().SerializeToString()[:-30])
    _refused(path)


@pytest.mark.row("M5", "M6")
def test_missing_folder_fifo_and_bytes(tmp_path):
    _refused(tmp_path / "missing.onnx", "no such file")
    _refused(tmp_path, "folder")
    os.mkfifo(tmp_path / "pipe.onnx")
    _refused(tmp_path / "pipe.onnx", "not a regular file")
    with pytest.raises(ox.ModelError, match="not as bytes"):
        load(_linear().SerializeToString())  # type: ignore[arg-type]


def _external(folder: Path, **entries: str) -> Path:
    """A model whose weight lies in a file beside it."""
    model = _linear()
    w = next(t for t in model.graph.initializer if t.name == "w")
    (folder / "w.bin").write_bytes(w.raw_data)
    w.ClearField("raw_data")
    w.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "w.bin", **entries}.items():
        w.external_data.add(key=key, value=value)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_external_data_is_read(tmp_path):
    case = CASES["MatMul-Add"]
    path = _external(tmp_path)
    np.testing.assert_array_equal(
        ox.Explainer(path)(case.inputs, target=np.ones((3, 5, 3), "f")).relevance["x"],
        ox.Explainer(case.save(tmp_path))(case.inputs, target=np.ones((3, 5, 3), "f")).relevance["x"],
    )


@pytest.mark.parametrize(
    ("entries", "word"),
    [
        pytest.param({"location": "../w.bin"}, "outside", marks=pytest.mark.row("M1")),
        pytest.param({"location": "/etc/hostname"}, "outside", marks=pytest.mark.row("M1")),
        pytest.param({"location": "gone.bin"}, "missing", marks=pytest.mark.row("M4")),
        pytest.param({"location": "*/_ORT_MEM_ADDR_/1"}, "does not name a file", marks=pytest.mark.row("M7")),
        pytest.param({"offset": "-8"}, "past the end", marks=pytest.mark.row("M4")),
        pytest.param({"offset": "9999"}, "past the end", marks=pytest.mark.row("M4")),
        pytest.param({"length": "99999999999"}, "past the end", marks=pytest.mark.row("M4")),
        pytest.param({"offset": "eight"}, "no number", marks=pytest.mark.row("M4")),
    ],
)
def test_external_data_that_is_refused(tmp_path, entries, word):
    _refused(_external(tmp_path, **entries), word, "'w'")


@pytest.mark.row("M2", "M3")
def test_links_in_external_data(tmp_path):
    path = _external(tmp_path)
    secret = tmp_path / "secret.bin"
    (tmp_path / "w.bin").rename(secret)
    (tmp_path / "w.bin").symlink_to(secret)
    _refused(path, "symbolic link")
    (tmp_path / "w.bin").unlink()
    os.link(secret, tmp_path / "w.bin")
    _refused(path, "hard link")


@pytest.mark.row("M2")
def test_a_link_to_the_model_itself_works(tmp_path):
    (tmp_path / "store").mkdir()
    path = _external(tmp_path / "store")
    (tmp_path / "model.onnx").symlink_to(path)
    assert load(tmp_path / "model.onnx").path == path


@pytest.mark.row("M13")
def test_functions_that_explode_are_counted_not_inlined(tmp_path):
    """2.5 kB that would be 10^10 nodes (M13)."""
    functions = []
    for level in range(10):
        inner = ("lol", f"f{level - 1}") if level else ("", "Identity")
        names = ["x", *(f"t{i}" for i in range(9)), "y"]
        nodes = [helper.make_node(inner[1], [names[i]], [names[i + 1]], domain=inner[0]) for i in range(10)]
        functions.append(
            helper.make_function(
                "lol",
                f"f{level}",
                ["x"],
                ["y"],
                nodes,
                [helper.make_opsetid("", 20), helper.make_opsetid("lol", 1)],
            )
        )
    graph = helper.make_graph(
        [helper.make_node("f9", ["x"], ["y"], domain="lol")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", 4])],
    )
    model = helper.make_model(
        graph, functions=functions, opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("lol", 1)]
    )
    path = tmp_path / "laughs.onnx"
    path.write_bytes(model.SerializeToString())
    start = time.process_time()
    _refused(path, "10,000,000,000 nodes", "inlined", error=ox.LimitError)
    assert time.process_time() - start < 1


def test_local_functions_are_inlined(tmp_path):
    function = helper.make_function(
        "mine",
        "Square",
        ["x"],
        ["y"],
        [helper.make_node("Mul", ["x", "x"], ["y"])],
        [helper.make_opsetid("", 20)],
    )
    graph = helper.make_graph(
        [helper.make_node("Square", ["x"], ["y"], domain="mine")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", 4])],
    )
    model = helper.make_model(
        graph,
        functions=[function],
        ir_version=9,
        opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("mine", 1)],
    )
    path = tmp_path / "square.onnx"
    onnx.save(model, path)
    x = np.array([[1, -2, 3, 0]], np.float32)
    a = ox.Explainer(path)(x, target=np.ones((1, 4), "f"))
    np.testing.assert_allclose(a.relevance["x"], x**2)


@pytest.mark.row("M12")
def test_recursive_function(tmp_path):
    function = helper.make_function(
        "mine",
        "F",
        ["x"],
        ["y"],
        [helper.make_node("F", ["x"], ["y"], domain="mine")],
        [helper.make_opsetid("mine", 1)],
    )
    graph = helper.make_graph(
        [helper.make_node("F", ["x"], ["y"], domain="mine")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    model = helper.make_model(
        graph,
        functions=[function],
        ir_version=9,
        opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("mine", 1)],
    )
    (tmp_path / "f.onnx").write_bytes(model.SerializeToString())
    _refused(tmp_path / "f.onnx", "calls itself")


def _changed(folder: Path, change) -> Path:
    model = _linear()
    change(model)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def _weight(model: onnx.ModelProto, array: np.ndarray) -> None:
    w = next(t for t in model.graph.initializer if t.name == "w")
    w.CopyFrom(numpy_helper.from_array(array, "w"))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        pytest.param(
            lambda m: _weight(m, np.full((4, 3), np.nan, np.float32)), "NaN", marks=pytest.mark.row("M20")
        ),
        pytest.param(
            lambda m: m.graph.initializer[0].dims.append(-2), "dimension", marks=pytest.mark.row("M10")
        ),
        pytest.param(lambda m: m.graph.initializer[0].dims.append(7), "shape", marks=pytest.mark.row("M10")),
        pytest.param(
            lambda m: m.graph.initializer[0].dims.extend([2**40, 2**40]),
            "shape",
            marks=pytest.mark.row("M10"),
        ),
        pytest.param(
            lambda m: m.graph.node[0].ClearField("op_type"), "operator type", marks=pytest.mark.row("M11")
        ),
        pytest.param(lambda m: setattr(m, "ir_version", 99), "IR version", marks=pytest.mark.row("M19")),
        pytest.param(
            lambda m: setattr(m.opset_import[0], "version", 99), "opset", marks=pytest.mark.row("M19")
        ),
        pytest.param(lambda m: m.graph.ClearField("output"), "output", marks=pytest.mark.row("M22")),
    ],
)
def test_damaged_models(tmp_path, change, word):
    _refused(_changed(tmp_path, change), word)


@pytest.mark.row("M11")
@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda m: m.graph.node[0].input.__setitem__(0, "nowhere"), "nowhere"),
        (lambda m: m.graph.node[0].input.__setitem__(0, "y"), "cycle|cannot load"),
    ],
    ids=["missing input", "cycle"],
)
def test_graphs_that_cannot_run(tmp_path, change, word):
    with pytest.raises(ox.ModelError, match=word) as caught:
        ox.Explainer(_changed(tmp_path, change))(CASES["MatMul-Add"].inputs)
    assert "\n" not in str(caught.value)
