"""Files that are damaged, and models that are another one in every run: one line that says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import helper, numpy_helper

import onnxplain as ox
from onnxplain.engine.errors import LimitError, ModelError

IDENTITY = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 3] x) => (float[N, 3] y) { y = Add(x, w) }"""


def linear() -> onnx.ModelProto:
    model = onnx.parser.parse_model(IDENTITY)
    model.graph.initializer.append(numpy_helper.from_array(np.ones(3, np.float32), "w"))
    return model


def damaged(path: Path, change: Callable[[bytes], bytes], model: onnx.ModelProto | None = None) -> Path:
    path.write_bytes(change((model or linear()).SerializeToString()))
    return path


def chain(depth: int) -> onnx.ModelProto:
    """Functions that call one another."""
    model = linear()
    model.opset_import.append(helper.make_opsetid("own", 1))
    opsets = list(model.opset_import)
    for i in range(depth):
        inner = helper.make_node("Relu", ["a"], ["b"])
        if i + 1 < depth:
            inner = helper.make_node(f"f{i + 1}", ["a"], ["b"], domain="own")
        model.functions.append(helper.make_function("own", f"f{i}", ["a"], ["b"], [inner], opsets))
    model.graph.node[0].CopyFrom(helper.make_node("f0", ["x"], ["y"], domain="own"))
    return model


def twice(where: str) -> onnx.ModelProto:
    model = linear()
    extra = helper.make_node("Neg", ["x"], ["x" if where == "input" else "y"])
    model.graph.node.append(extra)
    return model


@pytest.mark.row("M21")
@pytest.mark.parametrize("place", ["node", "input", "initialiser", "location", "metadata"])
def test_names_that_are_no_text(place: str, tmp_path: Path) -> None:
    model = linear()
    if place == "node":
        model.graph.node[0].name = "MARK"
    elif place == "input":
        model.graph.node[0].input[0] = model.graph.input[0].name = "MARK"
    elif place == "initialiser":
        model.graph.node[0].input[1] = model.graph.initializer[0].name = "MARK"
    elif place == "location":
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="MARK")
    else:
        model.metadata_props.add(key="author", value="MARK")
    path = damaged(tmp_path / "m.onnx", lambda b: b.replace(b"MARK", b"M\xff\xfeK"), model)
    with pytest.raises(ModelError, match=r"m\.onnx: a name in it is not text .UTF-8.; the file is damaged$"):
        ox.inspect(path)


@pytest.mark.row("M10")
@pytest.mark.parametrize("number", [99, 0, 1000])
def test_types_that_onnx_does_not_have(number: int, tmp_path: Path) -> None:
    model = linear()
    model.graph.initializer[0].data_type = number
    path = damaged(tmp_path / "m.onnx", bytes, model)
    with pytest.raises(ModelError, match=rf"initialiser 'w' has the data type {number}, which onnx does not"):
        ox.Explainer(path)


@pytest.mark.row("M11")
@pytest.mark.parametrize("where", ["input", "node"])
def test_a_value_that_is_made_twice(where: str, tmp_path: Path) -> None:
    path = damaged(tmp_path / "m.onnx", bytes, twice(where))
    with pytest.raises(ModelError, match=r"the value '[xy]' is made twice, the second time by a node Neg"):
        ox.inspect(path)


@pytest.mark.row("M13")
def test_functions_that_call_one_another_without_end(tmp_path: Path) -> None:
    assert ox.inspect(damaged(tmp_path / "few.onnx", bytes, chain(20))).coverage == 1
    with pytest.raises(LimitError, match="functions call each other more than 100 deep"):
        ox.inspect(damaged(tmp_path / "many.onnx", bytes, chain(400)))


RANDOM = {
    "RandomNormalLike": "r = RandomNormalLike(x) y = Add(x, r)",
    "RandomUniform": "r = RandomUniform<shape = [3]>() y = Mul(x, r)",
    "RandomNormal": "r = RandomNormal<shape = [1, 3], seed = 1.0>() s = Abs(r) y = Add(x, s)",
    "RandomUniformLike": "r = RandomUniformLike(x) m = Mul(r, half) y = Mul(x, m)",
    "Bernoulli": "p = Sigmoid(x) b = Bernoulli(p) y = Mul(x, b)",
    "Multinomial": "i = Multinomial<sample_size = 3>(x) f = Cast<to = 1>(i) y = Add(x, f)",
    "Dropout": "y, mask = Dropout(x, half, yes)",
    "RandomNormalLike of a signal": "r = RandomNormalLike(x) y = Mul(x, r)",
    "If": "y = If (c) <then_branch = t () => (float[N, 3] a) { r = RandomNormalLike(x) a = Add(x, r) },"
    " else_branch = e () => (float[N, 3] b) { b = Neg(x) }>",
}


def drawing(path: Path, body: str, **more: np.ndarray) -> Path:
    model = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : 17]>
        g (float[N, 3] x) => (float[N, 3] y) {{ {body} }}"""
    )
    values = {"half": np.array(0.5, np.float32), "yes": np.array(True), "c": np.array(True), **more}
    used = {i for n in model.graph.node for i in n.input}
    model.graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in values.items() if n in used)
    onnx.save(model, path)
    return path


@pytest.mark.row("M23")
@pytest.mark.parametrize("op_type", RANDOM)
def test_a_model_that_draws_at_random_is_refused_by_the_name_of_the_node(
    op_type: str, tmp_path: Path
) -> None:
    path = drawing(tmp_path / "m.onnx", RANDOM[op_type])
    x = np.random.default_rng(0).random((4, 3)).astype(np.float32)
    name = "RandomNormalLike" if op_type == "If" else op_type.split()[0]
    for call in (ox.inspect, lambda p: ox.Explainer(p)(x), lambda p: ox.compile(p, tmp_path / "out.onnx")):
        with pytest.raises(ModelError, match=f"the node {name} draws at random on the way to y"):
            call(path)
    assert not (tmp_path / "out.onnx").exists()


@pytest.mark.parametrize(
    ("body", "values"),
    [
        ("y, mask = Dropout(x, half, yes)", {"yes": np.array(False)}),
        ("y, mask = Dropout(x, half)", {}),
        ("r = RandomNormalLike(x) unused = Add(x, r) y = Neg(x)", {}),
        ("r = RandomNormalLike(x) s = Mul(r, half) y = Add(x, s)", {"half": np.array(0.0, np.float32)}),
    ],
)
def test_chance_that_does_not_matter_is_none(
    body: str, values: dict[str, np.ndarray], tmp_path: Path
) -> None:
    x = np.random.default_rng(0).random((4, 3)).astype(np.float32)
    a = ox.Explainer(drawing(tmp_path / "m.onnx", body, **values))(x, target=(0,))
    assert np.isfinite(a.relevance["x"]).all()
    assert a.relevance["x"].any()
