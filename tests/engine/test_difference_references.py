"""References of the composite `difference`: sets, batches, and what cannot be held against each other."""

from __future__ import annotations

import numpy as np
import pytest
from cases import Case, ints, normal
from differences import left_over, size

import onnxplain as ox
from onnxplain.engine.plan import references as module

BODY = "h = MatMul(x, w) t = Tanh(h) s = Softmax(t) u = MatMul(s, v) y = Mul(u, u)"
BACKENDS = pytest.mark.parametrize("backend", ["numpy", "onnx"])


@pytest.fixture
def path(tmp_path):
    """A small network, of rows that are samples."""
    return Case("net", BODY, {"x": normal(3, 4)}, {"w": normal(4, 5), "v": normal(5, 3)}).save(tmp_path)


def close(a: np.ndarray, b: np.ndarray) -> None:
    assert np.abs(a - b).max() <= 2e-6 * np.abs(b).max()


@BACKENDS
def test_a_set_is_the_mean_over_its_references(path, backend):
    """More rows than a micro-batch has, each held against each of three."""
    x, others = normal(10, 4), normal(3, 4)
    explain = ox.Explainer(path, "difference", backend)
    a = explain(x, target=1, reference=others)
    each = [explain(x, target=1, reference=r) for r in others]
    close(a.relevance["x"], np.mean([e.relevance["x"] for e in each], 0))
    close(a.multiplier["x"], np.mean([e.multiplier["x"] for e in each], 0))
    close(a.reference["x"], np.broadcast_to(others.mean(0), x.shape))
    assert len(a.against) == len(a.per_reference) == 3
    assert [len(e.per_reference) for e in each] == [1, 1, 1]
    values = explain.predict(x)["y"][:, 1] - explain.predict(others)["y"][:, 1].mean()
    close(a.explained, values)
    close(a.relevance["x"].sum(1), values)
    for found, own in zip(a.per_reference, each, strict=True):
        close(found.relevance["x"], own.relevance["x"])


@BACKENDS
def test_one_for_each_sample(path, backend):
    x, others = normal(6, 4), normal(6, 4)
    explain = ox.Explainer(path, "difference", backend)
    a = explain(x, target=[0, 1, 2, 0, 1, 2], reference=others)
    for i in range(6):
        alone = explain(x[i : i + 1], target=i % 3, reference=others[i])
        close(a.relevance["x"][i], alone.relevance["x"][0])
    # As many as there are windows are one for each; a set of that many has an axis more.
    as_set = explain(x, target=0, reference=others[:, None])
    assert len(as_set.per_reference) == 6
    close(as_set.relevance["x"].sum(1), as_set.explained)


@BACKENDS
def test_several_targets(path, backend):
    x, others = normal(5, 4), normal(2, 4)
    explain = ox.Explainer(path, "difference", backend)
    a = explain(x, target="all", reference=others)
    assert a.relevance["x"].shape == (3, 5, 4)
    for k in range(3):
        close(a.relevance["x"][k], explain(x, target=k, reference=others).relevance["x"])
    # The class that is called is that of the window.
    called = explain.predict(x)["y"].argmax(1)
    assert (explain(x, reference=others).target == called).all()


def test_what_is_inside_has_differences_too(path):
    x, other = normal(3, 4), normal(1, 4)
    a = ox.Explainer(path, "difference", at=["t", "u"])(x, target=0, reference=other)
    for r in a.at.values():
        close(r.sum(1), a.explained)


@pytest.mark.parametrize("shape", [(4,), (1, 4), (1, 1, 4), (2, 1, 4), (7, 4)])
def test_shapes_of_references(path, shape):
    x = normal(3, 4)
    a = ox.Explainer(path, "difference")(x, target=0, reference=normal(*shape))
    assert a.relevance["x"].shape == x.shape
    assert left_over(a) <= 1e-6 * size(a)


def test_references_are_run_once(path, monkeypatch):
    """For all micro-batches of one size, and for calls after that."""
    explain = ox.Explainer(path, "difference", "numpy")
    kept = explain.references(normal(2, 4), normal(1, 4))
    runs = []
    forward = module.References._forward
    monkeypatch.setattr(
        module.References, "_forward", lambda self, *args: runs.append(0) or forward(self, *args)
    )
    first = explain(normal(12, 4), target=0, reference=kept)
    assert len(runs) == 2
    explain(normal(8, 4), target=0, reference=kept)
    assert len(runs) == 2
    explain(normal(1, 4), target=0, reference=kept)  # one row at a time is another size
    assert len(runs) == 4
    assert len(first.per_reference) == 2


def test_no_more_is_kept_than_there_is_room_for(path, monkeypatch):
    explain = ox.Explainer(path, "difference", "numpy")
    x, others = normal(4, 4), normal(6, 4)
    plan = explain._plans.choose(explain.inputs.checked(x)).plan
    one = plan.runner.size(plan.runner.forward({"x": x}))
    monkeypatch.setattr(module, "ROOM", int(2.5 * one))
    kept = explain.references(others, x)
    a = explain(x, target=0, reference=kept)
    assert len(kept._kept) == 2
    assert kept._size <= module.ROOM
    monkeypatch.setattr(module, "ROOM", 0)
    none = explain.references(others, x)
    np.testing.assert_array_equal(explain(x, target=0, reference=none).relevance["x"], a.relevance["x"])
    assert not none._kept


def test_an_input_without_a_reference_is_as_in_the_window(tmp_path):
    """Also where references are kept, and the next window has another."""
    weights = {"t": normal(6, 4), "v": normal(4, 2)}
    body = "e = Gather(t, i) h = Mul(x, e) g = Tanh(h) y = MatMul(g, v)"
    rows = {"x": normal(3, 4), "i": ints(0, 1, 2)}
    explain = ox.Explainer(Case("two", body, rows, weights).save(tmp_path), "difference")
    other = normal(1, 4)
    kept = explain.references({"x": other}, rows)
    for i in (ints(0, 1, 2), ints(3, 4, 5), ints(1, 1, 1)):
        x = rows | {"i": i}
        a = explain(x, target=0, reference=kept)
        b = explain(x, target=0, reference={"x": np.repeat(other, 3, 0), "i": i})
        np.testing.assert_array_equal(a.relevance["x"], b.relevance["x"])
        assert not np.any(a.relevance["i"])
        assert left_over(a) <= 1e-6 * size(a)


@BACKENDS
def test_tokens_get_what_their_embeddings_differ_by(tmp_path, backend):
    weights = {"t": normal(6, 4), "w": normal(4, 4), "v": normal(4, 2)}
    body = "e = Gather(t, x) h = MatMul(e, w) g = Gelu(h) m = ReduceMean<keepdims = 0>(g, a) y = MatMul(m, v)"
    x, other = np.array([[1, 0, 3], [2, 2, 1]]), np.array([[1, 5, 4], [2, 0, 1]])
    case = Case("tokens", body, {"x": x}, weights | {"a": ints(1)})
    a = ox.Explainer(case.save(tmp_path), "difference", backend)(x, target=0, reference=other)
    assert (a.relevance["x"][x == other] == 0).all()
    assert (a.relevance["x"][x != other] != 0).all()
    assert not list(a.ledger)
    close(a.relevance["x"].sum(1), a.explained)


def test_quantised_embeddings(tmp_path):
    """A zero point is the same in both passes: no relevance is the token's for it."""
    table = np.random.default_rng(0).integers(0, 255, (6, 4)).astype(np.uint8)
    weights = {"t": table, "s": np.float32(0.02), "z": np.uint8(120), "w": normal(4, 3)}
    x, other = np.array([[1, 0, 3], [2, 2, 1]]), np.array([[1, 0, 5], [4, 2, 1]])
    body = "g = Gather(t, x) e = DequantizeLinear(g, s, z) h = Tanh(e) y = MatMul(h, w)"
    explain = ox.Explainer(Case("quantised", body, {"x": x}, weights).save(tmp_path), "difference")
    a = explain(x, target=np.ones((2, 3, 3), np.float32), reference=other)
    assert (a.relevance["x"][x == other] == 0).all()
    assert not list(a.ledger)
    close(a.relevance["x"].sum(1), a.explained)


def test_a_mask_that_differs(tmp_path):
    """What two masks take from the same signal is a decision; where they agree it is the signal's."""
    x = {"x": normal(2, 4), "m": np.array([[True, True, False, True]] * 2)}
    body = "h = Where(m, x, c) g = Exp(h) y = MatMul(g, w)"
    case = Case("mask", body, x, {"c": np.float32(-1e9), "w": normal(4, 2)})
    explain = ox.Explainer(case.save(tmp_path), "difference")
    alike = explain(x, target=0, reference={"x": normal(1, 4)})
    assert not any(np.any(e.relevance) for e in alike.ledger)
    assert not np.any(alike.relevance["x"][:, 2])
    close(alike.relevance["x"].sum(1), alike.explained)
    other = explain(x, target=0, reference={"x": normal(1, 4), "m": np.array([[True, False, True, True]])})
    assert {e.kind for e in other.ledger} == {"decision"}
    assert left_over(other) <= 1e-5 * size(other)


def _said(explain: ox.Explainer, x, reference) -> str:
    with pytest.raises(ox.InputError) as caught:
        explain(x, target=0, reference=reference)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_what_references_there_are_to_be(path):
    x = normal(3, 4)
    explain = ox.Explainer(path, "difference")
    assert "give reference=" in _said(explain, x, None)
    assert "composite='difference'" in _said(ox.Explainer(path), x, normal(1, 4))
    for shape in ((5,), (1, 5), (3, 5), (2, 1, 5), (2, 3, 1, 4), (2, 2, 4), ()):
        said = _said(explain, x, normal(*shape))
        assert "reference of shape" in said or "wants" in said, shape
    assert "'z'" in _said(explain, x, {"z": x})
    assert "its inputs are x" in _said(explain, x, {})
    assert "NaN" in _said(explain, x, np.full((1, 4), np.nan, np.float32))
    assert "numeric" in _said(explain, x, np.array([["a"] * 4]))


def test_references_of_several_inputs(tmp_path):
    x = {"a": normal(3, 4), "b": normal(3, 4)}
    explain = ox.Explainer(Case("two", "y = Mul(a, b)", x).save(tmp_path), "difference")
    assert "dict" in _said(explain, x, normal(1, 4))
    said = _said(explain, x, {"a": normal(2, 1, 4), "b": normal(5, 1, 4)})
    assert "a: 2" in said
    assert "b: 5" in said
    # One of them may be the same for all.
    a = explain(x, target=0, reference={"a": normal(2, 1, 4), "b": normal(1, 4)})
    assert len(a.per_reference) == 2


def test_prepared_references_are_checked_again(path, tmp_path):
    explain = ox.Explainer(path, "difference")
    for_three = explain.references(normal(3, 4), normal(3, 4))
    assert "reference of shape" in _said(explain, normal(5, 4), for_three)
    other = ox.Explainer(Case("other", "y = Exp(z)", {"z": normal(2, 4)}).save(tmp_path), "difference")
    assert "another model" in _said(other, normal(2, 4), explain.references(normal(1, 4), normal(1, 4)))


def test_another_branch(tmp_path):
    """The condition is the sign of a sum."""
    body = (
        "s = ReduceSum<keepdims = 0>(x) c = Greater(s, zero) "
        "y = If(c)<then_branch = a () => (float[batch, 4] p) { p = Exp(x) }, "
        "else_branch = b () => (float[batch, 4] q) { q = Neg(x) }>"
    )
    x = np.abs(normal(1, 4))
    case = Case("branch", body, {"x": x}, {"zero": np.float32(0)}, fixed=True)
    explain = ox.Explainer(case.save(tmp_path), "difference")
    a = explain(x, target=0, reference=2 * x)
    close(a.relevance["x"].sum(1), a.explained)
    assert "different branches" in _said(explain, x, -x)
    assert "different branches" in _said(explain, -x, x)


def test_another_length(tmp_path):
    """Of an axis that is no batch: both must be alike."""
    body = "s = ReduceSum<keepdims = 0>(x, a) y = MatMul(s, w)"
    x = normal(2, 5, 4)
    path = Case("length", body, {"x": x}, {"a": ints(1), "w": normal(4, 3)}).save(tmp_path)
    said = _said(ox.Explainer(path, "difference"), x, normal(1, 6, 4))
    assert "[1, 6, 4]" in said or "wants" in said


@BACKENDS
def test_lengths_that_the_input_decides(tmp_path, backend):
    """How many elements are not zero is not the same for both: one line says so."""
    body = (
        "n = NonZero(x) t = Transpose<perm=[1, 0]>(n) z = GatherND(x, t) y = ReduceSum<keepdims=0>(z, axes)"
    )
    x = np.array([[1.0, 0.0, 2.0, 3.0]], np.float32)
    path = Case("picked", body, {"x": x}, {"axes": ints(0)}, opset=13).save(tmp_path)
    explain = ox.Explainer(path, "difference", backend)
    same = explain(x, target=0, reference=np.array([[4.0, 0.0, 5.0, 7.0]], np.float32))
    assert same.relevance["x"].sum() == pytest.approx(-10.0)
    with pytest.raises(ox.InputError, match=r"for the window and .* for the reference"):
        explain(x, target=0, reference=np.array([[1.0, 1.0, 2.0, 0.0]], np.float32) * [[1, 1, 0, 0]])
