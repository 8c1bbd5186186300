"""What users ask of an Explainer: targets, several inputs, batches, bad input."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from cases import BATCH, Case, ints, normal

import onnxplain as ox

CLASSES = ("left", "right", "feet")
W, B = normal(4, 3), normal(3)


def _contract() -> ox.InputContract:
    return ox.InputContract(input="x", channels=("Cz",), sfreq=4, window=4, classes=CLASSES)


@pytest.fixture
def linear(tmp_path):
    """A linear classifier of four numbers, with class names."""
    model = Case("linear", "y = Gemm(x, w, b)", {"x": normal(1, 4)}, {"w": W, "b": B}).model()
    for key, value in _contract().to_metadata().items():
        model.metadata_props.add(key=key, value=value)
    path = tmp_path / "linear.onnx"
    onnx.save(model, path)
    return ox.Explainer(path)


X = normal(7, 4)


def test_predicted_is_the_default(linear):
    a = linear(X)
    y = X @ W + B
    np.testing.assert_array_equal(a.target, y.argmax(1))
    np.testing.assert_allclose(a.explained, y.max(1), rtol=1e-5)
    np.testing.assert_allclose(a.outputs["y"], y, rtol=1e-5)
    np.testing.assert_allclose(a.multiplier["x"], W.T[y.argmax(1)], rtol=1e-6)
    np.testing.assert_allclose(a.relevance["x"], X * W.T[y.argmax(1)], rtol=1e-6)


@pytest.mark.parametrize(
    "target", [2, "feet", "FEET", "2", np.int64(2), [2] * 7, np.full(7, 2), ["feet"] * 7]
)
def test_ways_to_name_one_class(linear, target):
    np.testing.assert_allclose(linear(X, target=target).multiplier["x"], np.tile(W[:, 2], (7, 1)), rtol=1e-6)


def test_one_class_a_sample(linear):
    target = [0, 1, 2, 0, 1, 2, 0]
    np.testing.assert_allclose(linear(X, target=target).multiplier["x"], W.T[target], rtol=1e-6)


def test_a_contrast_of_two_classes(linear):
    a = linear(X, target={"left": 1, "right": -1})
    np.testing.assert_allclose(a.multiplier["x"], np.tile(W[:, 0] - W[:, 1], (7, 1)), rtol=1e-5)
    y = X @ W + B
    np.testing.assert_allclose(a.explained, y[:, 0] - y[:, 1], rtol=1e-4, atol=1e-5)


def test_a_class_against_the_rest(linear):
    a = linear(X, target="left", contrast="rest")
    np.testing.assert_allclose(a.multiplier["x"], np.tile(W[:, 0] - W[:, 1:].mean(1), (7, 1)), rtol=1e-5)
    assert (a.closure() < 1e-6).all()


def test_all_targets_at_once(linear):
    a = linear(X, target="all")
    assert a.relevance["x"].shape == (3, 7, 4)
    assert a.explained.shape == a.ledger.total().shape == a.closure().shape == (3, 7)
    for k in range(3):
        one = linear(X, target=k)
        np.testing.assert_allclose(a.relevance["x"][k], one.relevance["x"], rtol=1e-6)
        np.testing.assert_allclose(a.ledger.total()[k], one.ledger.total(), rtol=1e-6)
    np.testing.assert_allclose(linear(X, target="all", contrast="rest").multiplier["x"].sum(0), 0, atol=1e-6)


def test_a_seed_of_ones_own(linear):
    seed = normal(7, 3)
    np.testing.assert_allclose(linear(X, target=seed).multiplier["x"], seed @ W.T, rtol=1e-4, atol=1e-6)


def test_an_element_of_a_dense_output(tmp_path):
    path = Case("dense", "y = Conv(x, w)", {"x": normal(BATCH, 2, 8)}, {"w": normal(3, 2, 3)}).save(tmp_path)
    x = normal(BATCH, 2, 8)
    explain = ox.Explainer(path)
    a = explain(x, target=(1, 4))
    np.testing.assert_allclose(a.explained, explain.predict(x)["y"][:, 1, 4], rtol=1e-6)
    assert (a.relevance["x"][:, :, :4] == 0).all()
    assert (a.relevance["x"][:, :, 7:] == 0).all()


@pytest.mark.row("O1")
@pytest.mark.parametrize(
    ("target", "words"),
    [
        (3, ["out of range", "0 to 2", "left, right, feet"]),
        (-1, ["out of range"]),
        ("tongue", ["unknown target", "left, right, feet"]),
        ([0, 1], ["2 targets for 7 samples"]),
        ((0, 1), ["does not fit"]),
        (np.ones((2, 3), np.float32), ["shape"]),
        (None, ["not understood"]),
        (True, ["not understood"]),
        ({"tongue": 1}, ["unknown target"]),
    ],
)
def test_targets_that_do_not_fit(linear, target, words):
    with pytest.raises(ox.InputError) as caught:
        linear(X, target=target)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.row("M22")
@pytest.mark.parametrize(
    ("x", "words"),
    [
        (normal(2, 5), ["shape [2, 5]", "4"]),
        (normal(4), ["shape [4]"]),
        (np.zeros((0, 4), "f"), ["empty"]),
        (np.full((1, 4), np.nan, "f"), ["NaN"]),
        (np.array([["a"] * 4]), ["numeric"]),
        ({"z": X}, ["'x' is missing", "no input 'z'"]),
        ({}, ["'x' is missing"]),
    ],
)
def test_inputs_that_do_not_fit(linear, x, words):
    with pytest.raises(ox.InputError) as caught:
        linear(x)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.row("O2")
def test_options_that_do_not_exist(linear):
    for options, word in [
        ({"composite": "lrp"}, "attnlrp"),
        ({"backend": "torch"}, "numpy"),
        ({"threads": 0}, "threads"),
        ({"output": "z"}, "known: y"),
        ({"epsilon": -1.0}, "epsilon"),
        ({"epsilon": float("nan")}, "epsilon"),
        ({"gama": 1.0}, "gama"),
        ({"providers": ["TpuExecutionProvider"]}, "TpuExecutionProvider"),
    ]:
        with pytest.raises(ox.OnnxplainError, match=word):
            ox.Explainer(linear.path, **options)


@pytest.mark.row("M22")
def test_several_inputs_and_outputs(tmp_path):
    body = "s = Concat<axis = 1>(a, b) z = MatMul(s, w) y = Relu(s) "
    case = Case("two", body, {"a": normal(BATCH, 2), "b": normal(BATCH, 3)}, {"w": normal(5, 4)})
    model = case.model()
    model.graph.output.append(onnx.helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, None))
    onnx.save(model, tmp_path / "two.onnx")
    a = ox.Explainer(tmp_path / "two.onnx", output="z")(case.inputs, target=1)
    np.testing.assert_allclose(a.relevance["a"], case.inputs["a"] * case.weights["w"][:2, 1], rtol=1e-5)
    np.testing.assert_allclose(a.relevance["b"], case.inputs["b"] * case.weights["w"][2:, 1], rtol=1e-5)
    assert set(a.outputs) == {"y", "z"}
    assert ox.Explainer(tmp_path / "two.onnx").output == "y"
    with pytest.raises(ox.InputError, match="2 inputs"):
        ox.Explainer(tmp_path / "two.onnx")(case.inputs["a"])


def test_an_input_that_plays_no_part_gets_zeros(tmp_path):
    case = Case("unused", "z = Relu(b) y = Neg(a)", {"a": normal(BATCH, 2), "b": normal(BATCH, 3)})
    a = ox.Explainer(case.save(tmp_path))(case.inputs, target=0)
    assert a.relevance["b"].shape == (BATCH, 3)
    assert not a.relevance["b"].any()
    assert (a.closure() < 1e-6).all()


@pytest.mark.row("O9")
def test_a_file_fixed_at_one_sample_is_explained_sample_by_sample(tmp_path, linear):
    model = Case("one", "y = Gemm(x, w, b)", {"x": X[:1]}, {"w": W, "b": B}, fixed=True)
    a = ox.Explainer(model.save(tmp_path))(X)
    b = linear(X)
    np.testing.assert_allclose(a.relevance["x"], b.relevance["x"], rtol=1e-6)
    np.testing.assert_allclose(a.ledger.total(), b.ledger.total(), rtol=1e-6)


@pytest.mark.row("M27")
def test_a_softmax_at_the_end_is_looked_through(tmp_path):
    case = Case("classifier", "z = MatMul(x, w) y = Softmax(z)", {"x": X}, {"w": W})
    a = ox.Explainer(case.save(tmp_path))(X, target=1)
    assert a.output == "z"
    assert "Softmax" in a.notes[0]
    np.testing.assert_allclose(a.explained, (X @ W)[:, 1], rtol=1e-5)
    np.testing.assert_allclose(a.outputs["y"].sum(1), 1, rtol=1e-5)


@pytest.mark.row("M26")
def test_nothing_to_explain(tmp_path):
    case = Case("constant", "s = Shape(x) f = Cast<to = 1>(s) y = Unsqueeze(f, a)", {"x": X}, {"a": ints(0)})
    with pytest.raises(ox.ModelError, match="nothing to explain"):
        ox.Explainer(case.save(tmp_path))(X)


@pytest.mark.row("M18")
def test_an_operator_without_a_rule_is_named(tmp_path):
    # A determinant is written out up to four rows.
    large = np.random.default_rng(0).standard_normal((3, 25)).astype(np.float32)
    case = Case(
        "det",
        "s = Reshape(x, k) d = Det(s) y = Unsqueeze(d, a)",
        {"x": large},
        {"k": ints(-1, 5, 5), "a": ints(1)},
    )
    path = case.save(tmp_path)
    with pytest.raises(ox.UnsupportedOperator, match=r"Det, opset 20") as caught:
        ox.Explainer(path)(large)
    assert "\n" not in str(caught.value)
    found = ox.inspect(path)
    assert [n.op_type for n in found.unsupported] == ["Det"]
    assert found.coverage == pytest.approx(2 / 3)


def test_samples_that_mix_are_explained_as_one(tmp_path):
    case = Case("mixed", "m = ReduceMean(x, a) y = Sub(x, m)", {"x": X}, {"a": ints(0)})
    explain = ox.Explainer(case.save(tmp_path))
    seed = normal(7, 4)
    a = explain(X, target=seed)
    assert "depends on the others" in a.notes[0]
    assert a.explained.shape == (1,)
    np.testing.assert_allclose(a.multiplier["x"], seed - seed.mean(0), rtol=1e-4, atol=1e-6)
    assert (a.closure() < 1e-5).all()
    np.testing.assert_allclose(
        explain(X[:3], target=seed[:3]).multiplier["x"], seed[:3] - seed[:3].mean(0), atol=1e-5
    )


def test_a_state_with_its_batch_in_the_middle(tmp_path):
    body = "s = Transpose<perm = [1, 0, 2]>(h) f = Flatten(s) y = Add(x, f)"
    case = Case("state", body, {"x": normal(6, 4), "h": normal(2, 6, 2)})
    model = case.model()
    for value, dims in zip(model.graph.input, (["batch", 4], [2, "batch", 2]), strict=True):
        value.CopyFrom(onnx.helper.make_tensor_value_info(value.name, 1, dims))
    onnx.save(model, tmp_path / "state.onnx")
    a = ox.Explainer(tmp_path / "state.onnx")(case.inputs, target=3)
    want = np.zeros((2, 6, 2), np.float32)
    want[1, :, 1] = case.inputs["h"][1, :, 1]
    np.testing.assert_allclose(a.relevance["h"], want, rtol=1e-6)
    assert a.explained.shape == (6,)
    assert (a.closure() < 1e-6).all()


def test_a_second_call_with_another_batch_size(linear):
    np.testing.assert_allclose(linear(X[:2]).relevance["x"], linear(X).relevance["x"][:2], rtol=1e-6)


@pytest.mark.row("O11")
def test_the_same_twice(linear):
    np.testing.assert_array_equal(linear(X).relevance["x"], linear(X).relevance["x"])


def test_relevance_of_inner_tensors(tmp_path):
    body = "h = MatMul(x, w) b = Add(h, c) r = Relu(b) y = MatMul(r, v)"
    case = Case("inner", body, {"x": X}, {"w": W, "c": B, "v": normal(3, 2)})
    path = case.save(tmp_path)
    a = ox.Explainer(path, at=["r", "h"])(X, target=1)
    r = np.maximum(X @ W + B, 0)
    np.testing.assert_allclose(a.at["r"], r * case.weights["v"][:, 1], rtol=1e-4, atol=1e-6)
    # The bias has its share of b; h has the rest, though MatMul and Add are one layer otherwise.
    np.testing.assert_allclose(a.at["h"], (X @ W) * (r > 0) * case.weights["v"][:, 1], rtol=1e-4, atol=1e-5)
    assert set(ox.Explainer(path, at=["re:[bry]"])(X, target=1).at) == {"b", "r", "y"}
    for wrong in ("q", "re:q.*", "re:["):
        with pytest.raises(ox.InputError):
            ox.Explainer(path, at=[wrong])(X)


def test_relevance_of_a_position_embedding(tmp_path):
    """A constant that is added gets relevance of its own, sample by sample; weights stay weights."""
    body = "e = Gather<axis = 1>(p, i) s = Add(x, e) f = Flatten(s) y = MatMul(f, w)"
    x, p, w = normal(3, 2, 4), normal(1, 5, 4), normal(8, 2)
    case = Case("position", body, {"x": x}, {"p": p, "i": ints(3, 0), "w": w})
    path = case.save(tmp_path)
    a = ox.Explainer(path, at=["p"])(x, target=[0, 1, 0])
    assert a.at["p"].shape == (3, 1, 5, 4)
    want = np.zeros((3, 1, 5, 4), np.float32)
    for n, k in enumerate([0, 1, 0]):
        want[n, 0, [3, 0]] = p[0, [3, 0]] * w[:, k].reshape(2, 4)
    np.testing.assert_allclose(a.at["p"], want, rtol=1e-5, atol=1e-7)
    plain = ox.Explainer(path)(x, target=[0, 1, 0])
    np.testing.assert_allclose(a.relevance["x"], plain.relevance["x"], rtol=1e-6)
    np.testing.assert_allclose(a.ledger.total(), plain.ledger.total(), rtol=1e-4, atol=1e-6)
    assert (a.closure() < 1e-5).all()
    with pytest.raises(ox.InputError, match="no relevance reaches"):
        ox.Explainer(path, at=["w"])(x)


@pytest.mark.parametrize("opset", [7, 8])
def test_an_old_file(tmp_path, opset):
    body = "h = MatMul(x, w) b = Add(h, c) r = Relu(b) y = MatMul(r, v)"
    weights = {"w": W, "c": B, "v": normal(3, 2)}
    path = Case("old", body, {"x": X}, weights, opset=opset).save(tmp_path)
    a = ox.Explainer(path)(X, target=1)
    r = X @ W + B > 0
    np.testing.assert_allclose(a.multiplier["x"], (r * weights["v"][:, 1]) @ W.T, rtol=1e-4, atol=1e-5)


@pytest.mark.row("M24")
def test_half_precision(tmp_path):
    """Run as float32 inside; inputs and outputs keep their type."""
    case = Case(
        "float", "h = MatMul(x, w) r = Tanh(h) y = MatMul(r, v)", {"x": X}, {"w": W, "v": normal(3, 2)}
    )
    weights = {k: v.astype(np.float16) for k, v in case.weights.items()}
    half = Case("half", case.body, {"x": X.astype(np.float16)}, weights).model()
    half.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    onnx.save(half, tmp_path / "half.onnx")
    a = ox.Explainer(tmp_path / "half.onnx")(X.astype(np.float16), target=0)
    b = ox.Explainer(case.save(tmp_path))(X, target=0)
    np.testing.assert_allclose(a.relevance["x"], b.relevance["x"], rtol=2e-2, atol=2e-2)
    assert a.outputs["y"].dtype == np.float16
    assert "float32" in a.notes[0]
    assert (a.closure() < 1e-5).all()


@pytest.mark.row("M23")
def test_a_random_output_is_refused_by_name(tmp_path):
    path = Case("random", "n = RandomNormalLike(x) y = Mul(x, n)", {"x": normal(2, 4)}).save(tmp_path)
    explain = ox.Explainer(path)
    explain.predict(normal(2, 4))  # the first run of two sessions draws the same numbers
    with pytest.raises(ox.ModelError, match=r"the node RandomNormalLike .*draws at random on the way to y"):
        explain(normal(2, 4))


def test_a_length_that_values_decide_may_change(tmp_path):
    """Steps are written out for one length: another input of the same shape can have another."""
    body = (
        "n = Ceil(k) i = Cast<to = 7>(n) j = Squeeze(i) r = Range(zero, j, one) f = Cast<to = 1>(r) "
        "g = Reshape(f, s) m = ReduceMean<keepdims = 0>(x) h = Mul(g, m) "
        "y, l, c = LSTM<hidden_size = 2>(h, w, u)"
    )
    weights = {
        "zero": np.int64(0), "one": np.int64(1), "s": ints(-1, 1, 1), "w": normal(1, 8, 1),
        "u": normal(1, 8, 2),
    }  # fmt: skip
    inputs = {"x": normal(1, 4), "k": np.array([1.5], np.float32)}
    explain = ox.Explainer(Case("lengths", body, inputs, weights, fixed=True).save(tmp_path))
    for k in (1.5, 3.5, 0.5, 3.5):
        feed = {**inputs, "k": np.array([k], np.float32)}
        y = explain.predict(feed)["y"]
        assert len(y) == np.ceil(k)
        a = explain(feed, target=np.ones_like(y))
        assert (a.closure() <= 1e-5).all()
