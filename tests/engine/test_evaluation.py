"""Evaluation on small models whose right answer is known: the curves first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import Case
from grouped import GROUPS, WINDOWS, X, linear_model, parts, rng, setting

import onnxplain as ox
from onnxplain.engine.evaluation import complexity as of
from onnxplain.engine.evaluation import intervals
from onnxplain.engine.evaluation.agreement import agreement
from onnxplain.engine.evaluation.curves import faithfulness, steps_of
from onnxplain.engine.evaluation.features import Groups, along
from onnxplain.engine.evaluation.measure import measure
from onnxplain.engine.evaluation.metrics import METRICS
from onnxplain.engine.evaluation.replacement import Interpolation, Transplant
from onnxplain.engine.evaluation.setting import Setting
from onnxplain.engine.evaluation.tuning import tune


@pytest.fixture
def linear(tmp_path: Path) -> Path:
    return linear_model(tmp_path)


# --- the number that is followed


def test_value_is_what_is_explained(linear: Path) -> None:
    explain = ox.Explainer(linear)
    for target, contrast in ((0, None), ("predicted", "rest"), ({0: 1.0, 1: -0.5}, None), ("all", None)):
        a = explain(X, target=target, contrast=contrast)
        np.testing.assert_allclose(explain.value(X, target=target, contrast=contrast), a.explained, rtol=1e-5)
    own = list(np.arange(WINDOWS) % 2)
    np.testing.assert_allclose(explain.value(X, target=own), explain(X, target=own).explained, rtol=1e-5)


def test_value_before_a_softmax_and_in_a_file_of_one_row(tmp_path: Path) -> None:
    w = rng.standard_normal((4, 3)).astype(np.float32)
    x = rng.standard_normal((6, 4)).astype(np.float32)
    body = "h = MatMul(x, w) y = Softmax <axis=-1> (h)"
    for fixed in (False, True):
        case = Case(f"soft{fixed}", body, {"x": x[:1] if fixed else x}, {"w": w}, fixed=fixed)
        explain = ox.Explainer(case.save(tmp_path))
        target = [0, 1, 2, 0, 1, 2]
        np.testing.assert_allclose(explain.value(x, target=target), (x @ w)[np.arange(6), target], rtol=1e-4)


# --- curves


def test_curves_of_a_linear_model_are_those_of_the_sum(linear: Path) -> None:
    at, r = setting(linear), parts()
    filling = Transplant(at.features, X, donors=5, seed=1)
    assert filling.donors.shape == (WINDOWS, 5)
    for row, donors in enumerate(filling.donors):
        assert len({row, *donors}) == 6  # never itself, never twice
    everyone = Transplant(at.features, X, donors=99)
    assert (np.sort(np.c_[np.arange(WINDOWS), everyone.donors], axis=1) == np.arange(WINDOWS)).all()
    maps = {"attnlrp": at.maps("attnlrp")}
    np.testing.assert_allclose(maps["attnlrp"], r, rtol=1e-3, atol=1e-4)
    curves, numbers = faithfulness(at, maps, filling, points=GROUPS)
    donated = r[filling.donors].mean(1)
    order = np.argsort(-r, axis=1)
    drop = np.take_along_axis(r - donated, order, axis=1)
    most = 0.75 + r.sum(1, keepdims=True) - np.c_[np.zeros(WINDOWS), drop.cumsum(1)]
    least = 0.75 + r.sum(1, keepdims=True) - np.c_[np.zeros(WINDOWS), drop[:, ::-1].cumsum(1)]
    found = curves["attnlrp"]
    np.testing.assert_allclose(found.gone, np.arange(GROUPS + 1) / GROUPS)
    np.testing.assert_allclose(found.most, most, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found.least, least, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found.aopc, np.c_[np.zeros(WINDOWS), drop.cumsum(1)].mean(1), atol=1e-3)
    np.testing.assert_allclose(found.abpc, np.trapezoid(least - most, found.gone, axis=1), atol=1e-3)
    np.testing.assert_allclose(found.abpc, found.insertion - found.deletion, atol=1e-9)
    assert numbers["attnlrp"].abpc.value == pytest.approx(found.abpc.mean())


def test_the_true_order_beats_random_and_its_reverse_loses(linear: Path) -> None:
    at, r = setting(linear), parts()
    noise = np.random.default_rng(8).standard_normal(r.shape)
    maps = {"true": r, "reversed": -r, "noise": noise}
    _, numbers = faithfulness(at, maps, Transplant(at.features, X, donors=8), points=GROUPS, random=20)
    assert numbers["true"].over_random.low > 0
    assert numbers["true"].abpc_over_random.low > 0
    assert numbers["reversed"].abpc.value == pytest.approx(-numbers["true"].abpc.value)
    assert numbers["noise"].abpc.low < 0 < numbers["noise"].abpc.high
    assert abs(numbers["random"].abpc.value) < 0.1 * numbers["true"].abpc.value


def test_a_constant_in_the_output_changes_nothing(linear: Path, tmp_path: Path) -> None:
    other = linear_model(tmp_path, 50.75)
    found = []
    for path in (linear, other):
        at = setting(path)
        _, numbers = faithfulness(at, {"m": parts()}, Transplant(at.features, X), points=3)
        found.append(numbers["m"])
    assert found[0].abpc.value == pytest.approx(found[1].abpc.value, rel=1e-3)
    assert found[0].aopc.value == pytest.approx(found[1].aopc.value, rel=1e-3)
    assert found[1].deletion.value - found[0].deletion.value == pytest.approx(50, rel=1e-3)


def test_nothing_is_replaced_by_zeros(linear: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    own = Setting.value

    def spy(self: Setting, x: np.ndarray, rows: np.ndarray) -> np.ndarray:
        seen.append(x.copy())
        return own(self, x, rows)

    monkeypatch.setattr(Setting, "value", spy)
    at = setting(linear)
    fill = Interpolation(lambda x, gone: np.where(gone[..., None], x[:, ::-1] * 0.5, x), least=2)
    for replacement in (Transplant(at.features, X), fill):
        faithfulness(at, {"m": at.maps("occlusion")}, replacement, points=4)
    everything = np.concatenate(seen)
    assert len(everything) > 1000
    assert (everything.std(-1) > 0.1).all()  # no group is flat, nowhere


def test_all_are_gone_at_the_end_or_so_many_as_can_be(linear: Path) -> None:
    at = setting(linear)
    whole, _ = faithfulness(at, {"a": parts(), "b": -parts()}, Transplant(at.features, X))
    np.testing.assert_allclose(whole["a"].most[:, -1], whole["b"].least[:, -1])
    np.testing.assert_allclose(whole["a"].most[:, -1], whole["random"].least[:, -1], rtol=1e-6)
    fill = Interpolation(lambda x, gone: np.where(gone[..., None], x[:, ::-1], x), least=2)
    kept, _ = faithfulness(at, {"a": parts()}, fill)
    assert kept["a"].gone[-1] == pytest.approx(4 / 6)
    assert list(steps_of(27, 4)) == [0, 7, 14, 20, 27]
    assert list(steps_of(3, 8)) == [0, 1, 2, 3]


def test_the_number_of_runs_is_bounded(linear: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = setting(linear)
    runs = 0
    own = ox.Explainer.value

    def counted(self: Any, x: Any, **more: Any) -> Any:
        nonlocal runs
        runs += len(x["x"])
        return own(self, x, **more)

    monkeypatch.setattr(ox.Explainer, "value", counted)
    needed = WINDOWS * 2 * (2 * 6 * 3 + 1)
    faithfulness(at, {"m": parts()}, Transplant(at.features, X, donors=2), points=3, runs=needed)
    assert 0 < runs <= needed
    with pytest.raises(
        ox.InputError, match=f"{needed} runs of the model are needed and {needed - 1} allowed"
    ):
        faithfulness(at, {"m": parts()}, Transplant(at.features, X, donors=2), points=3, runs=needed - 1)


def test_the_same_seed_gives_the_same_numbers(linear: Path) -> None:
    def once(seed: int) -> list[Any]:
        at = setting(linear, seed=seed)
        made = measure(at, ("attnlrp", "occlusion"), [Transplant(at.features, X, seed=seed)], seed=seed)
        return [row.to_dict() for row in made.rows()]

    first, again, other = once(0), once(0), once(1)
    assert first == again
    assert first != other


# --- features


def test_groups() -> None:
    at = Groups(("a", "b"), np.array([[0, 1, 1], [0, 0, 1]]))
    x = np.arange(6.0).reshape(1, 2, 3)
    np.testing.assert_allclose(at.relevance(x, x, None), [[0 + 3 + 4, 1 + 2 + 5]])
    mixed = at.mixed(x, -x, np.array([[False, True]]))
    np.testing.assert_allclose(mixed, [[[0, -1, -2], [3, 4, -5]]])
    np.testing.assert_allclose(at.power(x), [[np.var([0, 3, 4]), np.var([1, 2, 5])]])
    np.testing.assert_allclose(along((3,)).power(np.array([[1.0, 2, -3]])), [[1, 4, 9]])
    with pytest.raises(ox.InputError, match="every group needs elements"):
        Groups(("a", "b", "c"), np.zeros((2, 3), dtype=int))


# --- intervals and similarity


def test_estimates() -> None:
    values = np.random.default_rng(0).normal(2, 1, 400)
    found = intervals.estimate(values)
    assert found.low < 2 < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 / 20, rel=0.15)
    assert intervals.estimate([1.0, np.nan, 3.0]).n == 2
    assert np.isnan(intervals.estimate([1.0]).low)
    assert not intervals.estimate([1.0]).tells


def test_rank_correlation_with_ties() -> None:
    stats = pytest.importorskip("scipy.stats")
    a, b = rng.integers(0, 4, (5, 9)), rng.standard_normal((5, 9))
    want = [stats.spearmanr(x, y).statistic for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(intervals.spearman(a, b), want, atol=1e-12)
    assert np.isnan(intervals.spearman(np.ones((1, 4)), b[:1, :4])).all()


def test_agreement() -> None:
    a = np.array([[5.0, -4, 3, 2, 1, 0, 0, 0.5]])
    b = np.array([[-6.0, 0.1, 5, 2, 1, 0, 0.2, 0.5]])
    found = agreement({"a": a.repeat(3, 0), "b": b.repeat(3, 0), "c": -a.repeat(3, 0)})
    assert found.k == 2
    assert found.chance == 0.25
    pair = {(p.first, p.second): p for p in found.pairs}
    assert pair["a", "b"].top.value == 0.5
    assert pair["a", "c"].rank.value == pytest.approx(1)  # sizes alone are compared
    np.testing.assert_allclose(found.matrix(), found.matrix().T)
    with pytest.raises(ox.InputError, match="two methods"):
        agreement({"a": a})


def test_complexity() -> None:
    even, one = np.ones((2, 8)), np.eye(8)[:2]
    np.testing.assert_allclose(of.entropy(even), np.log(8))
    np.testing.assert_allclose(of.effective_groups(even), 8)
    np.testing.assert_allclose(of.effective_groups(-one), 1)
    np.testing.assert_allclose(of.gini(even), 0, atol=1e-12)
    np.testing.assert_allclose(of.gini(one), 7 / 8)
    x = np.array([[1.0, 3, 2]])
    pairs = np.abs(x[0][:, None] - x[0]).sum() / (2 * 3 * 6)  # half the relative mean difference
    np.testing.assert_allclose(of.gini(x), pairs)
    np.testing.assert_allclose(of.effective_complexity(np.array([[1.0, 0.02, 0.005]])), 2)
    assert np.isnan(of.entropy(np.zeros((1, 3)))).all()


def test_the_table_has_quantus_names(linear: Path) -> None:
    at = setting(linear)
    made = measure(at, ("attnlrp", "gradient"), [Transplant(at.features, X)])
    rows = made.rows()
    assert {r.metric.quantus for r in rows} >= {
        "SymmetricRelevanceGain", "RegionPerturbation", "PixelFlipping", "MPRT", "RandomLogit",
        "AvgSensitivity", "MaxSensitivity", "Complexity", "Sparseness", "EffectiveComplexity",
    }  # fmt: skip
    assert {r.metric.name for r in rows} == set(METRICS)
    compared = [r for r in rows if not r.metric.name.endswith("sensitivity")]
    assert all(r.random is not None and r.power is not None for r in compared)


# --- what makes no sense


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda at: Transplant(at.features, X[:1]), "two or more"),
        (lambda at: Transplant(at.features, X, donors=0), "donors"),
        (
            lambda at: faithfulness(at, {"m": np.ones((2, 2))}, Transplant(at.features, X)),
            "m: a map of shape",
        ),
        (lambda at: tune(at.some(np.arange(5))), "5 windows; 8 are needed"),
        (lambda at: tune(at, default="nothing"), "not among"),
        (lambda at: at.maps("nonsense"), "unknown composite 'nonsense'"),
        (lambda at: Setting(at.explainer, X, at.features, target="all"), "target all"),
        (lambda at: intervals.top_k(X[:, :, 0], X[:, :, 0], 9), "top-k"),
        (lambda at: along((1, 5)), "two or more"),
    ],
)
def test_one_line_for_what_makes_no_sense(linear: Path, call: Any, said: str) -> None:
    with pytest.raises(ox.InputError, match=said) as caught:
        call(setting(linear))
    assert "\n" not in str(caught.value)
