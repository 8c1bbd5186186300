"""Operators that the standard defines by others."""

from __future__ import annotations

import numpy as np
import pytest
from lowered import check, model, normal, operators, same, session

from onnxplain.engine import registry
from onnxplain.engine.lowering import functions, lower

LENGTH, HIDDEN = 4, 6
X = {"x": ["batch", LENGTH, HIDDEN]}
Q = {n: ["batch", 2, LENGTH, 3] for n in "qkv"}
COS = {"cos": np.cos(normal(9, 3)), "sin": np.sin(normal(9, 3))}
CASES = {
    "RMSNormalization": ("y = RMSNormalization<axis = -1, epsilon = 0.01>(x, g)", X, {"g": normal(HIDDEN)}, 23),
    "MeanVarianceNormalization": ("y = MeanVarianceNormalization<axes = [1, 2]>(x)", X, {}, 13),
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
        "y = Attention(q, k, v, m)", Q, {"m": np.where(normal(LENGTH, LENGTH) > -1, 0, -9).astype(np.float32)}, 23,
    ),
    "Attention-flat": (
        "y = Attention<q_num_heads = 2, kv_num_heads = 2>(x, x, x)", X, {}, 23,
    ),
    "RotaryEmbedding": (
        "h = Reshape(x, s) y = RotaryEmbedding(h, cos, sin, at)", X,
        {"cos": np.cos(normal(9, 1)), "sin": np.sin(normal(9, 1)), "s": np.array([0, 3, LENGTH, 2]),
         "at": np.arange(LENGTH)[None]}, 23,
    ),
    "AffineGrid": (
        "y = AffineGrid<align_corners = 1>(x, s)", {"x": ["batch", 2, 3]}, {"s": np.array([1, 1, 3, 4])}, 20,
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
    fixed = {"AffineGrid", "RotaryEmbedding"}  # made for one sample

    def feed(batch):
        rows = 1 if kind in fixed else batch
        return {n: normal(rows, *s[1:], seed=i) for i, (n, s) in enumerate(inputs.items())}

    explain = kind != "AffineGrid"
    check(source, feed, kind, tmp_path, smooth=kind not in ROUGH, explain=explain)


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
