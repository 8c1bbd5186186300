"""Models whose branches depend on the input's values, compiled: the file chooses as the model does."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from lowered import model
from onnx import TensorProto

import onnxplain as ox

WEIGHTS = {
    "zero": np.float32(0),
    "two": np.float32(2),
    "A": np.random.default_rng(1).standard_normal((64, 64)).astype(np.float32),
    "b": np.random.default_rng(2).standard_normal(64).astype(np.float32),
}
# The condition is of the whole batch, as in models that take a sampling rate.
NESTED = """
s = ReduceSum<keepdims = 0>(x)
c = Greater(s, zero)
h = If(c) <
    then_branch = yes () => (a) {
        u = MatMul(x, A)
        v = Add(u, b)
        top = ReduceMax<keepdims = 0>(v)
        d = Greater(top, two)
        a = If(d) <then_branch = yy () => (p) { p = Tanh(v) }, else_branch = yn () => (q) { q = Sigmoid(v) }>
    },
    else_branch = no () => (e) { w = MatMul(x, A)  e = Relu(w) }
>
y = Mul(h, two)
"""


def _save(proto: onnx.ModelProto, tmp_path):
    path = tmp_path / "m.onnx"
    onnx.save(proto, path)
    return path


def _run(path, feed):
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))


def _inputs(rng):
    """Four inputs, one for each way and one more, of several sizes of batch."""
    base = rng.standard_normal((3, 64)).astype(np.float32)
    return {
        "then, then": np.abs(base),
        "then, else": 1e-3 * np.abs(base[:1]),
        "else": -np.abs(base[:2]),
        "anything": base,
    }


@pytest.mark.parametrize("targets", [None, 2])
def test_every_way(tmp_path, targets):
    source = _save(model(NESTED, {"x": ["batch", 64]}, WEIGHTS), tmp_path)
    explain = ox.Explainer(source, backend="numpy")
    rng = np.random.default_rng(0)
    for example in _inputs(rng).values():
        path = ox.compile(source, tmp_path / "c.onnx", targets=targets, ledger=True, example=example)
        onnx.checker.check_model(path, full_check=True)
        for name, x in _inputs(rng).items():
            seeds = rng.standard_normal((targets or 1, *x.shape)).astype(np.float32)
            want = [explain(x, target=s) for s in seeds]
            got = _run(path, {"x": x, "seed": seeds if targets else seeds[0]})
            np.testing.assert_allclose(got["y"], want[0].outputs["y"], rtol=1e-5, atol=1e-6)
            for k, a in enumerate(want):
                kinds = a.ledger.by_kind()
                size = max(float(np.abs(v).max()) for v in (a.relevance["x"], *kinds.values()))
                one = {n: v[k] if targets else v for n, v in got.items() if n != "y"}
                assert np.abs(one["relevance.x"] - a.relevance["x"]).max() <= 2e-6 * size, name
                for kind in {n for n in one if n.startswith("ledger.")}:
                    ledger = kinds.get(kind.removeprefix("ledger."), 0)
                    assert np.abs(one[kind] - ledger).max() <= 2e-5 * size, (name, kind)
                assert {f"ledger.{kind}" for kind in kinds} <= set(one), name
    about = json.loads({p.key: p.value for p in onnx.load(path).metadata_props}["onnxplain.compiled"])
    assert about["ways"] == 3
    # The weights are in the file once, whatever the number of ways.
    assert path.stat().st_size < 1.9 * source.stat().st_size


def test_a_way_that_shapes_forbid(tmp_path):
    """The model fails there by itself, and so does the compiled file; elsewhere both work."""
    source = _save(
        model(
            """
            c = Equal(rate, fast)
            h = If(c) <
                then_branch = yes () => (a) { a = MatMul(x, W) },
                else_branch = no () => (e) { e = MatMul(x, V) }
            >
            y = Tanh(h)
            """,
            {"x": ["batch", "samples"], "rate": []},
            {
                "fast": np.int64(16000),
                "W": np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32),
                "V": np.random.default_rng(0).standard_normal((4, 4)).astype(np.float32),
            },
            types={"rate": TensorProto.INT64},
        ),
        tmp_path,
    )
    x = np.random.default_rng(0).standard_normal((2, 8)).astype(np.float32)
    feed = {"x": x, "rate": np.array(16000)}
    path = ox.compile(source, tmp_path / "c.onnx", example=feed)
    seed = np.ones((2, 4), np.float32)
    want = ox.Explainer(source, backend="numpy")(feed, target=seed).relevance["x"]
    np.testing.assert_allclose(_run(path, {**feed, "seed": seed})["relevance.x"], want, rtol=1e-5, atol=1e-6)
    with pytest.raises(Exception, match="MatMul"):
        _run(path, {"x": x, "rate": np.array(8000), "seed": seed})
    from onnxplain.engine.compile.compiler import about

    assert any("cannot run on inputs of this shape" in note for note in about(path)["notes"])


def test_what_is_no_branch_is_refused_by_node(tmp_path):
    source = _save(
        model(
            """
            n = ReduceMax<keepdims = 0>(times)
            [repeat] y = Loop(n, , x) <
                body = once (int64 i, bool go, float[batch, 3] h) => (bool on, float[batch, 3] k) {
                    on = Identity(go)  k = Mul(h, two)
                }
            >
            """,
            {"x": ["batch", 3], "times": [1]},
            {"two": np.float32(2)},
            types={"times": TensorProto.INT64},
        ),
        tmp_path,
    )
    feed = {"x": np.ones((1, 3), np.float32), "times": np.array([2])}
    with pytest.raises(ox.ModelError, match=r"node 'repeat' \(Loop\).*depends on the value of 'n'"):
        ox.compile(source, tmp_path / "c.onnx", example=feed)
    assert not (tmp_path / "c.onnx").exists()


@pytest.mark.row("M18")
def test_a_branch_without_a_rule_is_named(tmp_path):
    source = _save(
        model(
            """
            s = ReduceSum<keepdims = 0>(x)
            c = Greater(s, zero)
            [choose] y = If(c) <
                then_branch = yes () => (a) { a = Tanh(x) },
                else_branch = no () => (e) { e = Identity(zero) }
            >
            """,
            {"x": ["batch", 3]},
            {"zero": np.float32(0)},
        ),
        tmp_path,
    )
    with pytest.raises(ox.ModelError, match="in the other branch of node 'choose'"):
        ox.compile(source, tmp_path / "c.onnx", example=np.ones((1, 3), np.float32))


def test_too_many_ways(tmp_path):
    steps = "\n".join(
        f"s{i} = ReduceSum<keepdims = 0>(h{i})  c{i} = Greater(s{i}, zero)  h{i + 1} = If(c{i}) <"
        f"then_branch = t{i} () => (a{i}) {{ a{i} = Tanh(h{i}) }}, "
        f"else_branch = e{i} () => (b{i}) {{ b{i} = Sigmoid(h{i}) }}>"
        for i in range(6)
    )
    body = f"h0 = Identity(x)\n{steps}\ny = Identity(h6)"
    source = _save(model(body, {"x": ["batch", 3]}, {"zero": np.float32(0)}), tmp_path)
    with pytest.raises(ox.ModelError, match="one graph holds 16 ways"):
        ox.compile(source, tmp_path / "c.onnx", example=np.ones((1, 3), np.float32))
