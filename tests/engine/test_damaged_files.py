"""Models and arrays that are damaged or hostile: a plain reason with the file, whatever the kind."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import onnxplain as ox
from onnxplain.engine.errors import OnnxplainError
from onnxplain.engine.storage import arrays

F = TensorProto.FLOAT


def chain(n: int, *, op: str = "Relu") -> onnx.ModelProto:
    """So many nodes one after the other."""
    second = ["w"] if op in ("Add", "Mul") else []
    nodes = [helper.make_node(op, [f"t{i}" if i else "x", *second], [f"t{i + 1}"]) for i in range(n)]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", F, ["N", 4])],
        [helper.make_tensor_value_info(f"t{n}", F, ["N", 4])],
        [numpy_helper.from_array(np.ones(4, np.float32), "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def refused(model: onnx.ModelProto | bytes, folder: Path, *, run: bool = False) -> str:
    """The line a model is refused with."""
    path = folder / "net.onnx"
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    with pytest.raises(OnnxplainError) as caught:
        ox.Explainer(path)(np.ones((2, 4), np.float32), target=0) if run else ox.inspect(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert "\n" not in said
    assert len(said.replace(str(path), "")) < 400
    return said


@pytest.mark.parametrize("op", ["Relu", "Add"])
def test_a_chain_that_takes_minutes_is_refused_at_once(op: str, tmp_path: Path) -> None:
    said = refused(chain(10_001, op=op), tmp_path)
    assert "10,001 nodes one after the other; the limit is 10,000" in said


def calls(n: int, *, wide: bool = False) -> onnx.ModelProto:
    """Functions that call one another, so many deep."""
    model = chain(1)
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("f", 1)]
    for i in range(n):
        op = helper.make_node(
            "Relu" if i == n - 1 else f"f{i + 1}", ["a"], ["b"], domain="" if i == n - 1 else "f"
        )
        more = [helper.make_node("Neg", ["a"], [f"c{k}"]) for k in range(3 * wide)]
        model.functions.append(helper.make_function("f", f"f{i}", ["a"], ["b"], [*more, op], imports))
    model.graph.node[0].op_type, model.graph.node[0].domain = "f0", "f"
    model.opset_import.append(helper.make_opsetid("f", 1))
    return model


@pytest.mark.parametrize(("n", "wide"), [(150, False), (5000, False), (1200, True)])
def test_functions_that_call_each_other_very_deep(n: int, wide: bool, tmp_path: Path) -> None:
    assert "more than 100 deep" in refused(calls(n, wide=wide), tmp_path)


@pytest.mark.parametrize("what", [b"dimension", b"operand_x", b"attribut", b"entry_key", b"locationx"])
def test_text_that_is_none_wherever_it_stands(what: bytes, tmp_path: Path) -> None:
    model = chain(2)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "dimension"
    model.graph.node[1].input[0] = model.graph.node[0].output[0] = "operand_x"
    model.graph.node[1].attribute.append(helper.make_attribute("attribut", 1))
    model.metadata_props.add(key="entry_key", value="v")
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="locationx")
    data = model.SerializeToString()
    assert what in data
    said = refused(data.replace(what, b"\xff\xfe" + what[2:]), tmp_path)
    assert "is not text (UTF-8)" in said


@pytest.mark.parametrize("location", ["x" * 5000, "a\0b", "\u202e" * 40, "é" * 300])
def test_odd_names_of_external_data(location: str, tmp_path: Path) -> None:
    model = chain(1)
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    assert "external data of 'w'" in refused(model, tmp_path)


@pytest.mark.parametrize("number", [40, 99, 2**30])
def test_types_that_onnx_does_not_have(number: int, tmp_path: Path) -> None:
    model = chain(1, op="Add")
    model.graph.initializer[0].data_type = number
    model.graph.initializer[0].name = model.graph.node[0].input[1] = "w" * 3000
    assert f"the data type {number}, which onnx does not have" in refused(model, tmp_path)


@pytest.mark.parametrize("op", ["Relu", "Mul"])
def test_an_input_without_a_shape_is_named(op: str, tmp_path: Path) -> None:
    model = chain(1, op=op)
    model.graph.input[0].type.tensor_type.ClearField("shape")
    said = refused(model, tmp_path, run=True)
    assert "gives input 'x' no shape" in said
    assert "such as [batch, 4]" in said


def npy(header: str | bytes, *, version: int = 1, body: bytes = b"") -> bytes:
    text = header.encode() if isinstance(header, str) else header
    return (
        b"\x93NUMPY"
        + bytes([version, 0])
        + len(text).to_bytes(2 if version == 1 else 4, "little")
        + text
        + body
    )


def saved(array: np.ndarray, **more: bool) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **more)
    return file.getvalue()


HEADER = "{{'descr': {0}, 'fortran_order': False, 'shape': {1}, }}"
GOOD = saved(np.ones((3, 4)))
BAD = {
    "objects": (saved(np.array([{}, []], object), allow_pickle=True), "Python objects"),
    "pickle": (b"\x80\x04K\x01.", "Python objects"),
    "empty": (b"", "not a NumPy file"),
    "text": (b"onset,label\n", "not a NumPy file"),
    "short": (GOOD[:-8], "promises|truncated"),
    "no values": (GOOD[:128], "promises"),
    "no header": (GOOD[:40], "its header cannot be read"),
    "brackets": (npy("[" * 60_000), "its header cannot be read"),
    "many brackets": (npy("(" * 200_000, version=2), "its header cannot be read"),
    "few brackets": (npy("[" * 3000 + "]" * 3000), "its header cannot be read"),
    "version": (npy(HEADER.format("'<f4'", "(1,)"), version=9), "its header cannot be read"),
    "no type": (npy(HEADER.format("'nope'", "(1,)"), body=b"1234"), "its header cannot be read"),
    "no text": (npy(b"\xff" * 300), "its header cannot be read"),
    "code": (npy("__import__('os').system('true')"), "its header cannot be read"),
    "large": (npy(HEADER.format("'<f4'", f"({10**12},)"), body=b"1234"), "promises"),
    "endless": (npy(HEADER.format("'<f4'", f"({10**30},)"), body=b"1234"), "its header cannot be read"),
    "product": (npy(HEADER.format("'<f4'", f"({10**15}, {10**15})"), body=b"1234"), "promises"),
    "negative": (npy(HEADER.format("'<f4'", "(-1,)"), body=b"1234"), "its header cannot be read"),
    "wide": (npy(HEADER.format("'<f8'", "(2,)"), body=b"12345678"), "promises|truncated"),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("inside", [False, True], ids=["npy", "npz"])
def test_arrays_of_every_broken_kind(kind: str, inside: bool, tmp_path: Path) -> None:
    data, said = BAD[kind]
    path = tmp_path / ("a.npz" if inside else "a.npy")
    path.write_bytes(data)
    if inside:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.npy", data)
        said += "|its header cannot be read" if kind in ("pickle", "empty", "text") else ""
    with pytest.raises(OnnxplainError, match=said) as caught:
        arrays.load(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert len(message.replace(str(path), "")) < 150


def test_archives_that_are_broken(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, x=np.arange(100.0))
    whole = path.read_bytes()
    assert set(arrays.load(path)) == {"x"}
    broken = [whole[:-30], whole[:80], whole[:60] + b"\xff" * 40 + whole[100:], b"PK\x03\x04"]
    broken += [whole.replace(b"\x08\x00", b"\x63\x00")]  # a way to compress that nobody has
    for data in broken:
        path.write_bytes(data)
        with pytest.raises(OnnxplainError, match=r"a\.npz"):
            arrays.load(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OnnxplainError, match="not a file"):
        arrays.load(path)


def test_what_is_right_is_loaded(tmp_path: Path) -> None:
    for i, array in enumerate(
        (np.ones((2, 3), ">f4", order="F"), np.zeros((0, 4)), np.array(3), np.array(["a"]))
    ):
        np.save(tmp_path / "a.npy", array)
        np.savez(tmp_path / "a.npz", x=array, **{"y/z": array})
        np.testing.assert_array_equal(arrays.load(tmp_path / "a.npy"), array, err_msg=str(i))
        found = arrays.load(tmp_path / "a.npz")
        assert isinstance(found, dict)
        assert list(found) == ["x", "y/z"]
        np.testing.assert_array_equal(found["y/z"], array)
