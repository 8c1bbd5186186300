"""Files that somebody made to do harm: in every place that weights can stand, and by their size."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import TensorProto, helper, numpy_helper

import onnxplain as ox
from onnxplain.engine.file.load import load

PLAIN = """<ir_version: 9, opset_import: ["" : 17]>
g (float[N, 3] x) => (float[N, 3] y) { y = Add(x, w) }"""
WEIGHT = np.array([1, 2, 3], np.float32)


def refused(path: Path, word: str, error: type[ox.OnnxplainError] = ox.ModelError) -> str:
    with pytest.raises(error, match=word) as caught:
        load(path)
    said = str(caught.value)
    assert "\n" not in said
    assert path.name in said
    return said


def saved(folder: Path, model: onnx.ModelProto) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


# -- weights beside the model, in every place where a tensor can stand -------------------------------------


def _initialiser(model: onnx.ModelProto) -> TensorProto:
    return model.graph.initializer.add()


def _attribute(model: onnx.ModelProto) -> TensorProto:
    node = helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(WEIGHT))
    model.graph.node.insert(0, node)
    return model.graph.node[0].attribute[0].t


def _attribute_of_many(model: onnx.ModelProto) -> TensorProto:
    attribute = model.graph.node[0].attribute.add(name="more", type=onnx.AttributeProto.TENSORS)
    return attribute.tensors.add()


def _sparse_values(model: onnx.ModelProto) -> TensorProto:
    return model.graph.sparse_initializer.add(dims=[3]).values


def _sparse_indices(model: onnx.ModelProto) -> TensorProto:
    sparse = model.graph.sparse_initializer.add(dims=[3])
    sparse.values.CopyFrom(numpy_helper.from_array(WEIGHT, "s"))
    return sparse.indices


def _sparse_attribute(model: onnx.ModelProto) -> TensorProto:
    node = helper.make_node("Constant", [], ["c"])
    model.graph.node.insert(0, node)
    attribute = model.graph.node[0].attribute.add(name="sparse_value", type=onnx.AttributeProto.SPARSE_TENSOR)
    return attribute.sparse_tensor.values


def _branch(model: onnx.ModelProto) -> TensorProto:
    body = helper.make_graph([], "b", [], [])
    model.graph.node.append(helper.make_node("If", ["x"], ["z"], then_branch=body, else_branch=body))
    return model.graph.node[-1].attribute[0].g.initializer.add()


def _function(model: onnx.ModelProto) -> TensorProto:
    node = helper.make_node("Constant", [], ["b"], value=numpy_helper.from_array(WEIGHT))
    opsets = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("own", "f", ["a"], ["b"], [node], opsets))
    return model.functions[0].node[0].attribute[0].t


PLACES: dict[str, Callable[[onnx.ModelProto], TensorProto]] = {
    f.__name__.strip("_"): f
    for f in (
        _initialiser, _attribute, _attribute_of_many, _sparse_values, _sparse_indices, _sparse_attribute,
        _branch, _function,
    )
}  # fmt: skip


def beside(folder: Path, place: str, location: str, **entries: str) -> Path:
    """A model with a tensor whose data are in a file that it names."""
    model = onnx.parser.parse_model(PLAIN)
    model.graph.initializer.append(numpy_helper.from_array(WEIGHT, "w"))
    tensor = PLACES[place](model)
    tensor.CopyFrom(TensorProto(name="beside", data_type=TensorProto.FLOAT, dims=[3]))
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)
    return saved(folder, model)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The model's folder; a file that is none of its business lies beside it."""
    (tmp_path / "secret.bin").write_bytes(WEIGHT.tobytes())
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.mark.row("M1")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "location", ["../secret.bin", "{}/secret.bin", "sub/../../secret.bin", "..\\secret.bin"]
)
def test_weights_outside_of_the_folder(home: Path, place: str, location: str) -> None:
    refused(beside(home, place, location.format(home.parent)), "outside the model's folder")


@pytest.mark.row("M2")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("way", ["file", "folder", "folder of a folder"])
def test_weights_behind_a_symbolic_link(home: Path, place: str, way: str) -> None:
    if way == "file":
        (home / "w.bin").symlink_to("../secret.bin")
        location = "w.bin"
    else:
        deep = home / "a" if way == "folder of a folder" else home
        deep.mkdir(exist_ok=True)
        (deep / "b").symlink_to(home.parent, target_is_directory=True)
        location = (deep / "b" / "secret.bin").relative_to(home).as_posix()
    refused(beside(home, place, location), "symbolic link")


@pytest.mark.row("M3")
@pytest.mark.parametrize("place", PLACES)
def test_weights_behind_a_hard_link(home: Path, place: str) -> None:
    os.link(home.parent / "secret.bin", home / "w.bin")
    refused(beside(home, place, "w.bin"), "hard link")


@pytest.mark.row("M4")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "entries",
    [{"offset": "-4"}, {"length": "-1"}, {"offset": "9" * 30}, {"length": "9" * 30}, {"offset": "1.5"},
     {"length": "all"}, {"offset": "4", "length": "12"}],
)  # fmt: skip
def test_a_part_of_a_file_that_there_is_not(home: Path, place: str, entries: dict[str, str]) -> None:
    (home / "w.bin").write_bytes(WEIGHT.tobytes())
    refused(beside(home, place, "w.bin", **entries), "past the end|no number")


@pytest.mark.row("M4")
@pytest.mark.parametrize("place", PLACES)
def test_no_such_file_of_weights(home: Path, place: str) -> None:
    refused(beside(home, place, "w.bin"), "is missing")


@pytest.mark.row("M5")
@pytest.mark.parametrize("place", ["initialiser", "function", "branch"])
def test_a_pipe_of_weights_is_not_opened(home: Path, place: str) -> None:
    os.mkfifo(home / "w.bin")
    refused(beside(home, place, "w.bin"), "not a regular file")


@pytest.mark.row("M5")
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/tty", "/dev/stdin"])
def test_a_device_is_no_model(device: str, home: Path) -> None:
    (home / "model.onnx").symlink_to(device)
    begun = time.monotonic()
    with pytest.raises(ox.ModelError, match=r"not a regular file|cannot be read|no such file"):
        load(home / "model.onnx")
    assert time.monotonic() - begun < 5


@pytest.mark.row("M6")
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_model_is_no_bytes(home: Path, kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its names of files would be looked for wherever the program happens to be."""
    (home / "w.bin").write_bytes(WEIGHT.tobytes())
    monkeypatch.chdir(home)
    with pytest.raises(ox.ModelError, match="given as a path, not as bytes"):
        load(kind(beside(home, "initialiser", "w.bin").read_bytes()))


@pytest.mark.row("M7")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("location", ["*/_ORT_MEM_ADDR_/*", "*/_ORT_MEM_ADDR_/140000", ""])
def test_weights_in_memory(home: Path, place: str, location: str) -> None:
    refused(beside(home, place, location), "does not name a file")


# -- sizes -------------------------------------------------------------------------------------------------


@pytest.mark.row("M9")
@pytest.mark.parametrize("size", [2**31, 2**33])
def test_a_file_beyond_what_protobuf_holds(home: Path, size: int) -> None:
    """It is full of holes, and never read."""
    path = home / "model.onnx"
    with path.open("wb") as file:
        file.truncate(size)
    begun = time.process_time()
    refused(path, "larger than 2 GiB in one file")
    assert time.process_time() - begun < 1


def _part(number: int, content: bytes | str | int) -> bytes:
    """A field of a protobuf message, written by hand: protobuf's own writers stop at 100 levels."""

    def varint(n: int) -> bytes:
        return (bytes([n & 127 | 128]) + varint(n >> 7)) if n > 127 else bytes([n])

    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    data = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(data)) + data


def _node(op_type: str, given: str, made: str, *more: bytes) -> bytes:
    return _part(1, _part(1, given) + _part(2, made) + _part(4, op_type) + b"".join(more))


def _graph_attribute(name: str, graph: bytes) -> bytes:
    return _part(5, _part(1, name) + _part(6, graph) + _part(20, onnx.AttributeProto.GRAPH))


def written(folder: Path, nodes: bytes) -> Path:
    """A model of a float input x and an output y."""
    model = onnx.parser.parse_model(PLAIN.replace("Add(x, w)", "Neg(x)"))
    path = folder / "model.onnx"
    # Fields may stand in any order, and a message that stands twice is merged.
    path.write_bytes(model.SerializeToString() + _part(7, nodes))
    return path


@pytest.mark.row("M15")
@pytest.mark.parametrize("kind", ["If", "Loop"])
@pytest.mark.parametrize("depth", [34, 100, 1000])
def test_graphs_within_graphs(home: Path, kind: str, depth: int) -> None:
    nodes = _node("Neg", "x", "a")
    for i in range(depth):
        names = ("body",) if kind == "Loop" else ("then_branch", "else_branch")
        bodies = [_graph_attribute(name, nodes if name != "else_branch" else b"") for name in names]
        nodes = _node(kind, "x", f"a{i}", *bodies)
    begun = time.process_time()
    refused(written(home, nodes), "nested more than 50 deep|not an ONNX model", ox.OnnxplainError)
    assert time.process_time() - begun < 5


@pytest.mark.row("M15")
@pytest.mark.parametrize("depth", [2, 15])
def test_branches_that_are_not_too_deep(home: Path, depth: int) -> None:
    body = "y = Mul(x, x)"
    for i in range(depth):
        body = (
            f"y = If (yes) <then_branch = t{i} () => (float[N, 3] y) {{ {body} }},"
            f" else_branch = e{i} () => (float[N, 3] n) {{ n = Neg(x) }}>"
        ).replace("(float[N, 3] y) { y =", f"(float[N, 3] y{i}) {{ y{i} =")
    model = onnx.parser.parse_model(PLAIN.replace("y = Add(x, w)", body))
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    a = ox.Explainer(saved(home, model))(X, target=(2,))
    np.testing.assert_allclose(a.relevance["x"], [[0, 0, 9]], rtol=1e-6)


@pytest.mark.row("M17")
@pytest.mark.parametrize("where", ["in a row", "beside one another", "in a branch"])
def test_nodes_beyond_the_limit(home: Path, where: str) -> None:
    row = where == "in a row"
    nodes = b"".join(_node("Neg", f"a{i - 1}" if row and i else "x", f"a{i}") for i in range(200_000))
    if where == "in a branch":
        nodes = _node("If", "x", "z", _graph_attribute("then_branch", nodes))
    begun = time.process_time()
    refused(
        written(home, nodes), r"200,\d+ nodes( one after the other)?; the limit is 100?,000", ox.LimitError
    )
    assert time.process_time() - begun < 60


@pytest.mark.row("M12")
@pytest.mark.parametrize("circle", [1, 2, 5])
def test_functions_in_a_circle(home: Path, circle: int) -> None:
    model = onnx.parser.parse_model(PLAIN)
    model.opset_import.append(helper.make_opsetid("own", 1))
    for i in range(circle):
        node = helper.make_node(f"f{(i + 1) % circle}", ["a"], ["b"], domain="own")
        model.functions.append(
            helper.make_function("own", f"f{i}", ["a"], ["b"], [node], list(model.opset_import))
        )
    model.graph.node[0].CopyFrom(helper.make_node("f0", ["x"], ["y"], domain="own"))
    refused(saved(home, model), "calls itself")


# -- what cannot be explained --------------------------------------------------------------------------------


def parsed(folder: Path, body: str, inputs: str = "float[N, 3] x", output: str = "float[N, 3] y") -> Path:
    text = f"""<ir_version: 9, opset_import: ["" : 17]> g ({inputs}) => ({output}) {{ {body} }}"""
    return saved(folder, onnx.parser.parse_model(text))


X = np.array([[1, -2, 3]], np.float32)


@pytest.mark.row("M18")
@pytest.mark.parametrize("domains", [("com.someone",), ("a.b", "c.d")])
def test_domains_that_nobody_defines_are_all_named(home: Path, domains: tuple[str, ...]) -> None:
    model = onnx.parser.parse_model(PLAIN.replace("Add(x, w)", "Neg(x)"))
    for i, domain in enumerate(domains):
        model.opset_import.append(helper.make_opsetid(domain, 1))
        model.graph.node.append(helper.make_node("Magic", ["x"], [f"m{i}"], domain=domain))
    said = refused(saved(home, model), "refused", ox.UnsupportedOperator)
    assert all(f"{domain}.Magic" in said for domain in domains)


@pytest.mark.row("M20")
@pytest.mark.parametrize(
    "body", ["y = Sqrt(x)", "z = Sub(x, x) y = Div(x, z)", "e = Exp(x) f = Exp(e) g = Exp(f) y = Mul(g, x)"]
)
def test_an_output_that_is_not_finite(home: Path, body: str) -> None:
    with pytest.raises(ox.OnnxplainError, match=r"finite|NaN|nothing to explain") as caught:
        ox.Explainer(parsed(home, body))(X * 2, target=(1,))
    assert "\n" not in str(caught.value)


@pytest.mark.row("M22")
@pytest.mark.parametrize(
    ("inputs", "body", "output", "said"),
    [
        ("string[N] x", "z = Shape(x) y = Cast<to = 1>(z)", "float[1] y", "not a numeric tensor"),
        ("float[N, 3] x", "y = ArgMax<axis = 1>(x)", "int64[N, 1] y", "none of the outputs|argmax|ArgMax"),
        ("float[N, 0] x", "y = Neg(x)", "float[N, 0] y", "shape"),
        ("float[N, 3] x, float[N, 3] z", "y = Add(x, z)", "float[N, 3] y", "2 inputs"),
    ],
    ids=["text", "no floating output", "an axis of nothing", "two inputs"],
)
def test_what_is_missing_is_named(home: Path, inputs: str, body: str, output: str, said: str) -> None:
    with pytest.raises(ox.OnnxplainError, match=said) as caught:
        ox.Explainer(parsed(home, body, inputs, output))(X)
    assert "\n" not in str(caught.value)


@pytest.mark.row("M22")
@pytest.mark.parametrize("output", ["float y", "float[M] y"])
def test_one_number_for_the_whole_batch(home: Path, output: str) -> None:
    a = ox.Explainer(parsed(home, "z = Mul(x, x) y = ReduceSum<keepdims = 0>(z)", output=output))(X)
    np.testing.assert_allclose(a.explained, (X**2).sum(), rtol=1e-6)
    assert a.closure().max() < 1e-5


@pytest.mark.row("M24")
@pytest.mark.parametrize("kind", ["float16", "double", "bfloat16"])
def test_other_precisions(home: Path, kind: str) -> None:
    """Explained, or refused by their name."""
    path = parsed(home, "y = Mul(x, x)", f"{kind}[N, 3] x", f"{kind}[N, 3] y")
    if kind == "bfloat16":
        with pytest.raises(
            ox.OnnxplainError, match=r"bfloat16|not a numeric tensor|NOT_IMPLEMENTED|not find"
        ):
            ox.Explainer(path)(X)
        return
    a = ox.Explainer(path)(X.astype(kind), target=(2,))
    np.testing.assert_allclose(a.relevance["x"], [[0, 0, 9]], rtol=1e-3)


# -- what is another model in every run, or none -------------------------------------------------------------


@pytest.mark.row("M23")
def test_a_batch_normalisation_in_training(home: Path) -> None:
    """What it says of a row depends on the others: all rows are explained as one, and it is said."""
    body = "y, m, v = BatchNormalization<training_mode = 1>(x, one, zero, mean, var)"
    model = onnx.parser.parse_model(PLAIN.replace("y = Add(x, w)", body))
    for name, value in (("one", 1), ("zero", 0), ("mean", 0.5), ("var", 2)):
        model.graph.initializer.append(numpy_helper.from_array(np.full(3, value, np.float32), name))
    x = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    a = ox.Explainer(saved(home, model))(x, target=(1,))
    assert any("depends on the others" in note for note in a.notes)
    assert a.relevance["x"].shape == x.shape
    assert a.closure().max() < 1e-4


@pytest.mark.row("M26")
@pytest.mark.parametrize(
    "body",
    ["s = Shape(x) f = Cast<to = 1>(s) y = Unsqueeze(f, zero)", "s = Shape(x) y = ConstantOfShape(s)"],
)
def test_an_output_of_the_shape_alone(home: Path, body: str) -> None:
    model = onnx.parser.parse_model(PLAIN.replace("y = Add(x, w)", body))
    model.graph.initializer.append(numpy_helper.from_array(np.array([0]), "zero"))
    with pytest.raises(ox.ModelError, match="nothing to explain"):
        ox.Explainer(saved(home, model))(X)


@pytest.mark.row("M27")
@pytest.mark.parametrize(
    "tail",
    ["y = Softmax(z)", "y = Sigmoid(z)", "y = LogSoftmax(z)", "y = Softmax(z) i = ArgMax<axis = 1>(y)"],
)
def test_the_score_before_the_end(home: Path, tail: str) -> None:
    a = ox.Explainer(parsed(home, f"z = Mul(x, x) {tail}"))(X, target=(2,))
    assert any("z" in note or "before it" in note for note in a.notes), a.notes
    np.testing.assert_allclose(a.explained, [9], rtol=1e-5)
    np.testing.assert_allclose(a.relevance["x"], [[0, 0, 9]], atol=1e-5)


@pytest.mark.row("M27")
def test_a_map_of_probabilities_by_class(home: Path) -> None:
    """What scikit-learn's exporters put at the end."""
    text = PLAIN.replace("y = Add(x, w)", "z = Mul(x, x) y = Softmax(z)")
    model = onnx.parser.parse_model(text)
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    zipped = helper.make_node(
        "ZipMap", ["y"], ["p"], domain="ai.onnx.ml", classlabels_strings=["left", "right", "rest"]
    )
    model.graph.node.append(zipped)
    del model.graph.output[:]
    entry = helper.make_map_type_proto(
        TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, [])
    )
    model.graph.output.append(helper.make_value_info("p", helper.make_sequence_type_proto(entry)))
    a = ox.Explainer(saved(home, model))(X, target=2)
    np.testing.assert_allclose(a.explained, [9], rtol=1e-5)
    assert a.notes
