"""Evaluation on small models whose right answer is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import Case

import onnxplain as ox
from onnxplain.engine.composite import composite
from onnxplain.engine.evaluation import complexity as of
from onnxplain.engine.evaluation import intervals, sanity, stability
from onnxplain.engine.evaluation.agreement import agreement
from onnxplain.engine.evaluation.curves import faithfulness, steps_of
from onnxplain.engine.evaluation.features import Groups, along
from onnxplain.engine.evaluation.metrics import METRICS
from onnxplain.engine.evaluation.randomisation import cascade, layers_from_output, randomised_copy
from onnxplain.engine.evaluation.replacement import Interpolation, Transplant
from onnxplain.engine.evaluation.run import measure
from onnxplain.engine.evaluation.setting import Setting
from onnxplain.engine.evaluation.tuning import Tuned, halves, tune

WINDOWS, GROUPS, TIME = 24, 6, 10
rng = np.random.default_rng(3)
X = rng.standard_normal((WINDOWS, GROUPS, TIME)).astype(np.float32)
W = (rng.standard_normal((GROUPS, TIME)) * np.array([3, 0.1, 2, 0.5, 1, 0.2])[:, None]).astype(np.float32)


def setting(path: Path, x: np.ndarray = X, **more: Any) -> Setting:
    given = {"target": 0, "contrast": None, **more}
    return Setting(ox.Explainer(path), x, along(x.shape[1:]), **given)


@pytest.fixture
def linear(tmp_path: Path) -> Path:
    """y = sum of w x + 0.75, two outputs of which the second is half the first."""
    weights = np.stack([W.ravel(), W.ravel() / 2], 1)
    body = "f = Flatten(x) h = MatMul(f, w) y = Add(h, b)"
    return Case("linear", body, {"x": X}, {"w": weights, "b": np.float32([0.75, 0.75])}).save(tmp_path)


def parts(x: np.ndarray = X) -> np.ndarray:
    return (x.astype(np.float64) * W).sum(-1)


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
    weights = np.stack([W.ravel(), W.ravel() / 2], 1)
    body = "f = Flatten(x) h = MatMul(f, w) y = Add(h, b)"
    other = Case("moved", body, {"x": X}, {"w": weights, "b": np.float32([50.75, 0.75])}).save(tmp_path)
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
        "SymmetricRelevanceGain", "RegionPerturbation", "PixelFlipping", "MPRT", "RandomLogit", "AvgSensitivity", "MaxSensitivity",
        "Complexity", "Sparseness", "EffectiveComplexity",
    }  # fmt: skip
    assert {r.metric.name for r in rows} == set(METRICS)
    compared = [r for r in rows if not r.metric.name.endswith("sensitivity")]
    assert all(r.random is not None and r.power is not None for r in compared)


# --- sanity


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """Four dense layers and a skip connection around the last three."""
    sizes = [(60, 20), (20, 20), (20, 20), (20, 2)]
    weights = {f"w{i}": rng.standard_normal(s).astype(np.float32) / 4 for i, s in enumerate(sizes)}
    body = (
        "f = Flatten(x) a = MatMul(f, w0) r = Relu(a) b = MatMul(r, w1) s = Relu(b) c = MatMul(s, w2)"
        " t = Add(c, r) y = MatMul(t, w3)"
    )
    return Case("deep", body, {"x": X}, weights).save(tmp_path)


def test_the_cascade_begins_at_the_output(deep: Path, tmp_path: Path) -> None:
    import onnx

    model = onnx.load(deep)
    assert layers_from_output(model) == [["w3"], ["w2"], ["w1"], ["w0"]]

    def changed(path: Path) -> set[str]:
        both = [
            {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(p).graph.initializer}
            for p in (deep, path)
        ]
        assert all(
            np.array_equal(np.sort(a.ravel()), np.sort(both[1][n].ravel())) for n, a in both[0].items()
        )
        return {n for n, a in both[0].items() if not np.array_equal(a, both[1][n])}

    copies = cascade(deep, tmp_path, stages=4, seed=5)
    assert [part for part, _ in copies] == [0.25, 0.5, 0.75, 1.0]
    assert [changed(path) for _, path in copies] == [
        {"w3"}, {"w3", "w2"}, {"w3", "w2", "w1"}, {"w3", "w2", "w1", "w0"},
    ]  # fmt: skip
    whole = randomised_copy(deep, tmp_path / "whole.onnx", 5)
    assert whole.read_bytes() == copies[-1][1].read_bytes()
    with pytest.raises(ox.InputError, match="no floating weights"):
        cascade(Case("none", "y = Relu(x)", {"x": X}).save(tmp_path), tmp_path)


def test_a_map_of_the_input_alone_stays_and_one_of_the_model_does_not(deep: Path) -> None:
    at = setting(deep, contrast=None)
    found = sanity.sanity(at, "attnlrp", at.maps("attnlrp"), baselines={"power": at.features.power(X)})
    assert [s.random for s in found.stages] == [0.25, 0.5, 0.75, 1.0]
    assert found.stages[-1].similarity.rank.value < 0.5
    assert abs(found.references["random"].rank.value) < 0.3
    own = sanity.alike(at.maps("attnlrp"), at.maps("attnlrp"))
    assert own.rank.value == pytest.approx(1)
    assert own.cosine.value == pytest.approx(1)
    assert found.target is not None
    assert found.target.cosine.value < 0.9


def test_one_output_has_no_other_class(tmp_path: Path) -> None:
    path = Case("one", "f = Flatten(x) y = MatMul(f, w)", {"x": X}, {"w": W.reshape(-1, 1)}).save(tmp_path)
    at = setting(path)
    found = sanity.sanity(at.settled(), "attnlrp", at.maps("attnlrp"), stages=1)
    assert found.target is None
    assert len(found.stages) == 1


# --- stability


def test_changes_are_of_the_size_that_was_asked_for() -> None:
    x = rng.standard_normal((3, 2, 4, 500)) * np.array([1.0, 50])[:, None, None]
    noise = stability.noisy(x, np.random.default_rng(0), 10.0, 2) - x
    ratio = 10 * np.log10(x.var((-2, -1)) / noise.var((-2, -1)))
    np.testing.assert_allclose(ratio, 10, atol=0.5)
    line = stability.shifted(x, 3, 2).reshape(3, 2, -1)
    np.testing.assert_array_equal(line[..., 3:], x.reshape(3, 2, -1)[..., :-3])


def test_stability_of_a_linear_model(linear: Path) -> None:
    at = setting(linear)
    found = stability.stability(at, "attnlrp", at.maps("attnlrp"), snr=30.0)
    assert list(found) == ["noise", "shift", "dropout"]
    assert found["noise"].similarity.rank.value > 0.9
    assert found["dropout"].similarity.rank.value == pytest.approx(1)  # each group for itself
    assert found["dropout"].average.value == pytest.approx(0, abs=1e-5)
    assert found["dropout"].output.value > 0.5
    assert abs(found["noise"].random.rank.value) < 0.3
    assert found["noise"].largest.value >= found["noise"].average.value > 0
    louder = stability.stability(at, "attnlrp", at.maps("attnlrp"), snr=0.0)
    assert louder["noise"].average.value > 5 * found["noise"].average.value
    with pytest.raises(ox.InputError, match="stability"):
        stability.stability(at, "attnlrp", at.maps("attnlrp"), dropped=1.0)


# --- tuning


@pytest.fixture
def saturated(tmp_path: Path) -> Path:
    """y = sum over groups of c tanh(a x): exact under attnlrp; the gradient of what is saturated vanishes."""
    a = np.float32([20, 0.2, 20, 0.2, 1, 1]).reshape(1, 6, 1)
    c = np.float32([3, 2, 2, 3, 1, 1]).reshape(6, 1)
    body = "m = ReduceMean <keepdims=1> (x, axes) h = Mul(m, a) t = Tanh(h) f = Flatten(t) y = MatMul(f, c)"
    return Case("saturated", body, {"x": X}, {"a": a, "c": c, "axes": np.array([2])}).save(tmp_path)


def test_tune_finds_the_composite_that_is_exact(saturated: Path) -> None:
    offset = np.random.default_rng(1).standard_normal((60, 6, 1))
    x = (0.1 * np.random.default_rng(2).standard_normal((60, 6, 10)) + offset).astype(np.float32)
    at = setting(saturated, x=x)
    rules = {name: composite(name) for name in ("gradient", "attnlrp")}
    found = tune(at, rules, default="gradient")
    assert found.chosen == "attnlrp"
    assert found.better
    assert found.gain.low > 0
    assert "better by" in found.sentence
    assert found.windows == (30, 30)
    assert not found.contradicted
    back = tune(at, rules, default="attnlrp", also=Interpolation(lambda x, gone: x[:, ::-1]))
    assert back.chosen == back.default == "attnlrp"
    assert not back.better
    assert "The default, attnlrp, is the best" in back.sentence
    assert back.gain.value == 0


def test_where_all_are_the_same_the_default_stays(linear: Path) -> None:
    rules = {name: composite(name) for name in ("gradient", "cplrp", "zplus", "attnlrp", "epsilon")}
    found = tune(setting(linear), rules)
    assert found.chosen == "attnlrp"
    assert found.tried[-1].name == "zplus"  # evidence against is left out
    assert found.summary()["better"] is False


@pytest.mark.parametrize(
    ("gain", "also", "better", "said"),
    [
        ((1.0, 0.5, 1.5), None, True, "better by 1 (0.5 to 1.5)."),
        (
            (1.0, 0.5, 1.5),
            (0.3, -0.1, 0.6),
            True,
            "By interpolation, which had no say, the difference is 0.3",
        ),
        ((1.0, 0.5, 1.5), (-2.0, -3.0, -1.0), False, "contradict each other"),
        ((0.2, -0.5, 0.9), (1.0, 0.5, 1.5), False, "no reason to leave attnlrp"),
        ((-1.0, -1.5, -0.5), None, False, "What chose it was chance; keep attnlrp"),
    ],
)
def test_what_is_said_of_a_choice(
    gain: tuple[float, ...], also: tuple[float, ...] | None, better: bool, said: str
) -> None:
    one = intervals.Estimate(2.0, 1.0, 3.0, 20)
    found = Tuned(
        "zplus", "attnlrp", composite("zplus"), (), one, one, intervals.Estimate(*gain, 20), one, (20, 20), {},
        "interpolation" if also else "", intervals.Estimate(*also, 20) if also else None,
    )  # fmt: skip
    assert found.better is better
    assert said in found.sentence


def test_halves_share_nothing() -> None:
    first, second = halves(21, 3)
    assert sorted([*first, *second]) == list(range(21))
    assert not np.array_equal(first, halves(21, 4)[0])


def test_a_composite_survives_yaml(tmp_path: Path) -> None:
    for name in ox.composites():
        path = tmp_path / f"{name}.yaml"
        rules = composite(name, {"gamma": 0.5})
        path.write_text(rules.to_yaml(), encoding="utf-8")
        assert ox.Composite.from_file(path) == rules


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
