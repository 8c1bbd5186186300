"""What windows are held against in an evaluation, and maps of a difference, where the answer is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import Case
from grouped import WINDOWS, W, X, linear_model, parts, setting

import onnxplain as ox
from onnxplain.engine.composite import composite
from onnxplain.engine.evaluation.curves import faithfulness
from onnxplain.engine.evaluation.intervals import estimate
from onnxplain.engine.evaluation.measure import measure
from onnxplain.engine.evaluation.references import Against, anybody, drawn, otherwise
from onnxplain.engine.evaluation.replacement import Transplant
from onnxplain.engine.evaluation.sanity import sanity
from onnxplain.engine.evaluation.setting import AGAINST_OTHERS, Setting, holds
from onnxplain.engine.evaluation.stability import stability

METHODS = ("difference", "expected_gradients", "exchange")


@pytest.fixture
def linear(tmp_path: Path) -> Path:
    return linear_model(tmp_path)


@pytest.fixture
def curved(tmp_path: Path) -> Path:
    """Two classes by a hidden layer: not linear, so that references matter."""
    rng = np.random.default_rng(6)
    weights = {
        "a": (rng.standard_normal((60, 8)) / 4).astype(np.float32),
        "b": rng.standard_normal((8, 2)).astype(np.float32),
    }
    return Case(
        "curved", "f = Flatten(x) h = MatMul(f, a) t = Tanh(h) y = MatMul(t, b)", {"x": X}, weights
    ).save(tmp_path)


def either(path: Path, **more: Any) -> Setting:
    return setting(path, target="predicted", contrast="rest", **more).settled()


# --- the choice


def test_others_are_called_otherwise() -> None:
    y = np.array([[1.0, 0], [0, 1], [0, 2], [3, 0], [0, 1]])
    found = otherwise(y)
    assert [list(pool) for pool in found.rows] == [[1, 2, 4], [0, 3], [0, 3], [1, 2, 4], [0, 3]]
    assert found.note == ""
    alike = otherwise(np.abs(y[:, :1]) * [[2.0, 1]] + [[1, 0]])
    assert [list(pool) for pool in alike.rows] == [list(range(5))] * 5
    assert "calls all 5 windows alike" in alike.note


def test_of_a_number_they_are_at_the_far_end() -> None:
    y = np.array([5.0, 0, 3, 1, 2, 4, 6, 7])[:, None]
    found = otherwise(y)
    assert sorted(found.rows[1]) == sorted(found.rows[4]) == [6, 7]  # of small numbers the largest
    assert sorted(found.rows[7]) == [1, 3]
    assert "far end" in found.how
    assert "one value" in otherwise(np.ones((4, 1))).note


def test_the_same_few_for_all_and_never_the_window_itself() -> None:
    rows = drawn(anybody(9).rows, 3, np.random.default_rng(0))
    assert all(len(row) == 3 and i not in row for i, row in enumerate(rows))
    assert len(np.unique(rows)) == 4  # one more, in the place of those three
    never = np.array([[(i + 1) % 9, (i + 2) % 9] for i in range(9)])
    for i, row in enumerate(drawn(anybody(9).rows, 8, np.random.default_rng(0), never)):
        assert set(row) == set(range(9)) - {i, *never[i]}
    pool = np.array([0, 1])
    none_else = drawn((pool, pool), 2, np.random.default_rng(0), np.array([[1], [0]]))
    assert [list(row) for row in none_else] == [[1], [0]]


def test_a_window_is_not_held_against_what_it_is_tested_with(curved: Path) -> None:
    at = either(curved, against=Against(references=6))
    donors = Transplant(at.features, at.x, donors=at.donors, seed=at.seed).donors
    classes = at.explainer.predict(X)["y"].argmax(1)
    assert at.held.index.shape == (WINDOWS, 6)
    for i, row in enumerate(at.held.index):
        assert not set(row) & {i, *donors[i]}
        assert (classes[row] != classes[i]).all()
    half = at.some(np.arange(0, WINDOWS, 2))
    assert len(half.held.data) == WINDOWS // 2  # a half knows nothing of the other
    assert at.held.said == "6 windows that the model calls otherwise"


def test_windows_beside_those_evaluated(linear: Path) -> None:
    beside = (X[:3] + 100).astype(np.float32)
    nobody = np.zeros(WINDOWS, dtype=bool)
    at = setting(linear, against=Against("rows of a file", 3, beside=beside, own=nobody))
    assert (at.held.of(np.arange(WINDOWS)).mean((1, 2, 3)) > 90).all()
    assert at.held.said == "3 rows of a file"
    few = setting(linear, against=Against("rows of a file", 5, beside=beside, own=nobody))
    assert few.held.index.shape == (WINDOWS, 3)
    assert "Only 3 to be held against, 5 were asked for." in few.held.note
    own = np.arange(WINDOWS) < 8
    labelled = setting(linear, against=Against("windows labelled rest", 2, own=own))
    assert labelled.held.index.max() < 8
    for against in (Against("x", 2, own=nobody), Against(references=0)):
        with pytest.raises(ox.InputError, match="references"):
            setting(linear, against=against).held  # noqa: B018


# --- maps


def test_maps_of_a_linear_model_are_the_parts_of_the_difference(linear: Path) -> None:
    at = setting(linear, against=Against("any", 4))
    r = parts()
    want = np.mean([r - r[j] for j in at.held.index.T], axis=0)
    for method in METHODS:
        assert holds(method)
        np.testing.assert_allclose(at.maps(method), want, rtol=1e-3, atol=1e-3)
    assert not any(holds(m) for m in ("attnlrp", "occlusion", "integrated_gradients"))
    assert AGAINST_OTHERS == METHODS
    assert holds(replace(composite("difference"), name="mine"))


def test_relevance_is_the_mean_over_references(curved: Path) -> None:
    at = either(curved, against=Against(references=3))
    total = at.maps("difference").sum(1)
    values = [at.value(at.held.data[j], np.arange(WINDOWS)) for j in at.held.index.T]
    np.testing.assert_allclose(total, at.explained - np.mean(values, axis=0), rtol=1e-3, atol=1e-4)
    # A batch cuts windows and their references alike.
    np.testing.assert_allclose(replace(at, batch=5).maps("difference"), at.maps("difference"), atol=1e-5)


def test_features_get_how_far_windows_are_apart(curved: Path) -> None:
    """Those that go by the multiplier have (x - x') m, for each reference by itself."""

    class ByMultiplier:
        names = tuple("abcdef")

        def relevance(
            self, x: np.ndarray, relevance: np.ndarray, multiplier: np.ndarray | None
        ) -> np.ndarray:
            assert multiplier is not None
            return (x * multiplier).sum(-1)

        def mixed(self, x: np.ndarray, other: np.ndarray, gone: np.ndarray) -> np.ndarray:
            return np.where(gone[..., None], other, x)

        def power(self, x: np.ndarray) -> np.ndarray:
            return x.var(-1)

    at = either(curved, against=Against(references=3))
    for method in ("difference", "expected_gradients"):
        want = at.maps(method)
        np.testing.assert_allclose(replace(at, features=ByMultiplier()).maps(method), want, atol=1e-4)


def test_references_stay_where_windows_or_weights_change(curved: Path) -> None:
    at = either(curved)
    seen: list[np.ndarray] = []
    own = Setting._explained

    def spy(self: Setting, method: Any, rows: np.ndarray, held: Any) -> Any:
        seen.append(held)
        return own(self, method, rows, held)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Setting, "_explained", spy)
        stable = stability(at, "difference", at.maps("difference"), snr=30.0)
        sane = sanity(at, "difference", at.maps("difference"), stages=2)
    assert len(seen) > 10
    assert all(np.array_equal(h, at.held.of(np.arange(WINDOWS))) for h in seen)
    assert stable["noise"].similarity.rank.value > 0.8
    assert sane.stages[-1].similarity.rank.value < 0.6
    assert sane.target is not None


# --- together


def test_curves_tell_what_decides(tmp_path: Path) -> None:
    """An offset that all windows share decides nothing; relevance against zero puts it first."""
    x = X.copy()
    x[:, 3:] = 0.05 * x[:, 3:] + 5
    body = "f = Flatten(x) h = MatMul(f, w) y = MatMul(h, v)"
    weights = {"w": np.abs(W).reshape(-1, 1), "v": np.float32([[1, -1]])}
    at = either(Case("shared", body, {"x": x}, weights).save(tmp_path), x=x, against=Against("any", 4))
    maps = {m: at.maps(m) for m in ("attnlrp", *METHODS)}
    curves, _ = faithfulness(at, maps, Transplant(at.features, x, seed=at.seed), points=6)
    for method in METHODS:
        assert estimate(curves[method].abpc - curves["attnlrp"].abpc).above_zero


def test_what_cannot_be_had_is_left_out(tmp_path: Path, linear: Path) -> None:
    """A branch that the window's values choose: against a window of the other there is no difference."""
    body = """
    t = ReduceMax <keepdims=0> (x) c = Greater(t, level)
    f = Flatten(x) h = MatMul(f, w)
    y = If (c) <then_branch = up () => (float[N, 2] u) { u = Mul(h, two) },
                else_branch = down () => (float[N, 2] d) { d = Neg(h) }>
    """
    weights = {
        "level": np.float32(3.0), "two": np.float32(2.0),
        "w": np.stack([W.ravel(), -W.ravel()], 1),
    }  # fmt: skip
    at = either(Case("branch", body, {"x": X[:1]}, weights, fixed=True).save(tmp_path))
    made = measure(at, ("difference", "attnlrp", "occlusion"), [Transplant(at.features, X)], stages=1)
    assert made.methods == ("attnlrp", "occlusion")
    assert "branches" in made.left_out["difference"]
    assert made.held is None
    with pytest.raises(ox.OnnxplainError, match="branches"):
        measure(at, ("difference",), [Transplant(at.features, X)], stages=1)
