"""Operators that the standard defines by others."""

from __future__ import annotations

import numpy as np
import pytest
from lowered import check, model, normal, operators, same, session
from onnx import TensorProto

from onnxplain.engine.lowering import functions, lower
from onnxplain.engine.rules import registry

LENGTH, HIDDEN = 4, 6
X = {"x": ["batch", LENGTH, HIDDEN]}
Q = {n: ["batch", 2, LENGTH, 3] for n in "qkv"}
IMAGE = {"x": ["batch", 2, 3, 4]}
CASES = {
    "RMSNormalization": ("y = RMSNormalization<epsilon = 0.01>(x, g)", X, {"g": normal(HIDDEN)}, 23),
    "MeanVarianceNormalization": ("y = MeanVarianceNormalization<axes = [1, 2]>(x)", X, {}, 13),
    "MeanVarianceNormalization-default": ("y = MeanVarianceNormalization(x)", IMAGE, {}, 13),
    "MeanVarianceNormalization-18": ("y = MeanVarianceNormalization<axes = [2]>(x)", X, {}, 20),
    "Mish": ("y = Mish(x)", X, {}, 20),
    "Celu": ("y = Celu<alpha = 0.7>(x)", X, {}, 17),
    "Shrink": ("y = Shrink<lambd = 0.4, bias = 0.3>(x)", X, {}, 20),
    "HardSwish": ("y = HardSwish(x)", X, {}, 17),
    "ThresholdedRelu": ("y = ThresholdedRelu<alpha = 0.3>(x)", X, {}, 20),
    "Swish": ("y = Swish<alpha = 0.8>(x)", X, {}, 24),
    "CenterCropPad": ("y = CenterCropPad<axes = [1, 2]>(x, s)", X, {"s": np.array([2, 8])}, 20),
    "Attention": ("y = Attention(q, k, v)", Q, {}, 23),
    "Attention-causal": ("y = Attention<is_causal = 1, scale = 0.3>(q, k, v)", Q, {}, 23),
    "Attention-masked": (
        "y = Attention(q, k, v, m)", Q, {"m": np.minimum(9 * normal(LENGTH, LENGTH), 0)}, 23,
    ),
    "Attention-flat": (
        "y = Attention<q_num_heads = 2, kv_num_heads = 2>(x, x, x)", X, {}, 23,
    ),
    "RotaryEmbedding": (
        "h = Reshape(x, s) y = RotaryEmbedding(h, cos, sin, at)", X,
        {"cos": np.cos(normal(9, 1)), "sin": np.sin(normal(9, 1)), "s": np.array([0, 3, LENGTH, 2]),
         "at": np.arange(LENGTH)[None]}, 23,
    ),
}  # fmt: skip
ROUGH = {"Shrink", "ThresholdedRelu", "CenterCropPad", "Celu", "HardSwish"}


@pytest.fixture
def no_rules(monkeypatch):
    """As if there were no rules for these operators, so that their definitions are written out."""
    names = {name.split("-")[0] for name in CASES}
    find = registry.find
    monkeypatch.setattr(
        functions.registry, "find", lambda node: None if node.op_type in names else find(node)
    )


@pytest.mark.parametrize("name", CASES)
def test_definition(name, tmp_path, no_rules):
    body, inputs, weights, opset = CASES[name]
    kind = name.split("-")[0]
    source = model(body, inputs, weights, opset=opset)

    def feed(batch):
        rows = 1 if kind == "RotaryEmbedding" else batch  # its positions are of one sample
        return {n: normal(rows, *s[1:], seed=i) for i, (n, s) in enumerate(inputs.items())}

    # Under a stabiliser, relevance of a sum with a mask of -inf is not a number.
    composites = ("attnlrp",) if name == "Attention-causal" else ("attnlrp", "epsilon")
    check(source, feed, kind, tmp_path, smooth=kind not in ROUGH, composites=composites)


def test_a_scale_with_only_its_type_and_length_from_the_input_is_no_signal():
    """So PyTorch writes a BatchNorm without scale and shift."""
    body = (
        "t = CastLike(one, x) s = Shape<start = 1, end = 2>(x) g = Expand(t, s) "
        "y = BatchNormalization(x, g, b, b, g)"
    )
    weights = {"one": np.float32(1), "b": normal(LENGTH)}
    source = model(body, X, weights, opset=20)
    done = lower(source, {"x": normal(2, LENGTH, HIDDEN)}, where="norm")
    assert "BatchNormalization" in operators(done.proto)


def test_what_has_a_rule_stays():
    source = model("a = HardSwish(x) y = Relu(a)", X)
    assert lower(source, {"x": normal(1, LENGTH, HIDDEN)}, where="m").proto is source


def test_constants_stay(no_rules):
    source = model("c = Mish(k) y = Add(x, c)", X, {"k": normal(HIDDEN)}, opset=20)
    made = lower(source, {"x": normal(1, LENGTH, HIDDEN)}, where="m")
    assert made.proto is source


def test_inside_a_branch(no_rules):
    """A function within a branch comes up with it, and its turn comes after."""
    source = model(
        "c = Constant<value = bool {1}>() y = If(c) < then_branch = t () => (o) { o = Mish(x) }, "
        "else_branch = e () => (o) { o = Neg(x) } >",
        X,
        opset=20,
    )
    x = {"x": normal(2, LENGTH, HIDDEN)}
    made = lower(source, x, where="m").proto
    assert not {"If", "Mish"} & operators(made)
    same(session(made).run(None, x), session(source).run(None, x))


@pytest.mark.parametrize("corners", [0, 1])
@pytest.mark.parametrize("sizes", [(3, 4), (2, 3, 4)])
def test_affine_grid(corners, sizes, tmp_path):
    """By its own rewriting: the standard's definition fails on one sample."""
    n = len(sizes)
    inputs = {"x": ["batch", n, n + 1], "s": [n + 2]}
    source = model(
        f"y = AffineGrid<align_corners = {corners}>(x, s)", inputs, opset=20, types={"s": TensorProto.INT64}
    )

    def feed(batch):
        return {"x": normal(batch, n, n + 1), "s": np.array([batch, 1, *sizes])}

    made = check(source, feed, "AffineGrid", tmp_path, explain=False)
    ((_, value),) = made.decisions
    assert tuple(value) == sizes
    fixed = model(
        f"y = AffineGrid<align_corners = {corners}>(x, s)",
        {"x": [1, n, n + 1]},
        {"s": np.array([1, 1, *sizes])},
        opset=20,
    )
    check(fixed, lambda batch: {"x": normal(1, n, n + 1)}, "AffineGrid", tmp_path)
