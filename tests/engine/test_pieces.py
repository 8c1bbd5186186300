"""A model run piece by piece shows what it shows as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from cases import Case, normal
from onnx import TensorProto, helper

from onnxplain.engine.analysis import pieces
from onnxplain.engine.analysis.probe import Probe, probe
from onnxplain.engine.errors import ModelError
from onnxplain.engine.file import runtime
from onnxplain.engine.file.graph import from_model

MAPS = Path(__file__).parents[1] / "golden" / "maps"
NETWORKS = sorted({p.stem for p in MAPS.glob("*.onnx")} - {"llamalike"})  # that one passes on a sequence


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "FULL", 64)
    monkeypatch.setattr(pieces, "FEWEST", 3)


def _example(proto: onnx.ModelProto) -> dict[str, np.ndarray]:
    found = {}
    for i in from_model(proto).inputs:
        kind = next(v.type.tensor_type for v in proto.graph.input if v.name == i)
        shape = [d.dim_value or 2 for d in kind.shape.dim]
        x = normal(*shape)
        found[i] = x if kind.elem_type == TensorProto.FLOAT else np.abs(x * 3).astype(np.int64)
    return found


def _observed(proto: onnx.ModelProto, x: dict[str, np.ndarray]) -> Probe:
    return probe(proto, from_model(proto), x, dict.fromkeys(x, 0), where="it")


def _alike(a: Probe, b: Probe) -> None:
    assert (a.shapes, a.dtypes, a.layouts) == (b.shapes, b.dtypes, b.layouts)
    assert (a.varying, a.outputs, a.rows, a.mode, a.batch) == (b.varying, b.outputs, b.rows, b.mode, b.batch)
    assert a.constants.keys() == b.constants.keys()
    for name, value in a.constants.items():
        np.testing.assert_array_equal(value, b.constants[name], err_msg=name)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    proto = onnx.load(MAPS / f"{name}.onnx")
    assert pieces.can_be_cut(proto)
    assert len(list(pieces._cut(proto.graph))) > 1
    x = _example(proto)
    found = _observed(proto, x)
    monkeypatch.setattr(pieces, "can_be_cut", lambda proto: False)
    _alike(found, _observed(proto, x))


def _weights(n: int) -> dict[str, np.ndarray]:
    return {f"w{i}": normal(8, 8) for i in range(n)}


BODIES = {
    # A branch that reads from pieces before, and an axis that has to be a constant in each.
    "branch": (
        "a = MatMul(x, w0) k = Constant<value_ints = [1]>() s = ReduceSum(a, k) b = MatMul(a, w1) z = Exp(b) "
        "m = ReduceMax<keepdims = 0>(big) n = Cast<to = 9>(m) "
        "c = If(n)<then_branch = g() => (p) { q = Add(a, z) p = MatMul(q, w2) }, "
        "else_branch = h() => (p) { p = MatMul(z, w2) }> d = MatMul(c, w3) t = ReduceSum(d, k) y = Add(d, s)"
    ),
    # One input, read in the last piece too, and a value that is both given and read on.
    "late": "a = MatMul(x, w0) b = Relu(a) c = MatMul(b, w1) d = Tanh(c) e = MatMul(d, w2) y = Add(e, x)",
}


@pytest.mark.parametrize("name", BODIES)
def test_what_passes_between_pieces(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = {**_weights(4), "big": np.array([1.0], np.float32)}
    weights = {n: w for n, w in weights.items() if n in BODIES[name]}
    proto = Case("it", BODIES[name], {"x": normal(2, 8)}, weights).model()
    assert len(list(pieces._cut(proto.graph))) > 1
    x = {"x": normal(2, 8)}
    found = _observed(proto, x)
    monkeypatch.setattr(pieces, "can_be_cut", lambda proto: False)
    _alike(found, _observed(proto, x))


def test_values_are_let_go() -> None:
    """Nothing stays that no later piece reads: not even what was fed."""
    body = "a = MatMul(x, w0) b = Relu(a) c = MatMul(b, w1) d = Tanh(c) e = MatMul(d, w2) y = Neg(e)"
    proto = Case("it", body, {"x": normal(2, 8)}, _weights(3)).model()
    feeds = [{"x": normal(2, 8)}]
    held: list[set[str]] = []
    opened = runtime.session

    def spied(*args: object, **more: object) -> object:
        made = opened(*args, **more)  # type: ignore[arg-type]
        held.append({i.name for i in made.get_inputs()})
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runtime, "session", spied)
        seen = [set(v) for some in pieces.run(proto, feeds, where="it") for v in some]
    assert [len(h) for h in held] == [1] * len(held)  # a chain passes one value on
    assert set.union(*seen) == {"x", "y", *"abcde"}
    assert sum(map(len, seen)) == 7


@pytest.mark.parametrize("why", ["sequence", "order", "small"])
def test_what_is_run_as_a_whole(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "a = MatMul(x, w0) b = Relu(a) c = MatMul(b, w1) y = Tanh(c)"
    proto = Case("it", body, {"x": normal(2, 8)}, _weights(2)).model()
    assert pieces.can_be_cut(proto)
    if why == "sequence":
        proto.graph.node.insert(1, helper.make_node("SequenceConstruct", ["a"], ["s"]))
    if why == "order":
        nodes = [*proto.graph.node]
        del proto.graph.node[:]
        proto.graph.node.extend(nodes[::-1])
    if why == "small":
        monkeypatch.setattr(pieces, "FULL", 2**20)
    assert not pieces.can_be_cut(proto)


def test_a_piece_that_does_not_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a kernel wants as a constant is an operand in a piece: the whole model is run then."""
    body = "a = MatMul(x, w0) b = Relu(a) c = MatMul(b, w1) d = Tanh(c) e = MatMul(d, w2) y = Neg(e)"
    proto = Case("it", body, {"x": normal(2, 8)}, _weights(3)).model()

    def broken(*_: object, **__: object) -> Iterator[Iterator[pieces.Values]]:
        raise ModelError("zero point must be a constant")
        yield iter(())

    found = _observed(proto, {"x": normal(2, 8)})
    monkeypatch.setattr(pieces, "run", broken)
    _alike(found, _observed(proto, {"x": normal(2, 8)}))
