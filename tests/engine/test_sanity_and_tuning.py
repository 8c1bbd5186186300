"""Sanity, stability and the choice of a composite, on models whose right answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cases import Case
from grouped import W, X, linear_model, rng, setting

import onnxplain as ox
from onnxplain.engine.composite import composite
from onnxplain.engine.evaluation import intervals, sanity, stability
from onnxplain.engine.evaluation.randomisation import cascade, layers_from_output, randomised_copy
from onnxplain.engine.evaluation.references import Against
from onnxplain.engine.evaluation.replacement import Interpolation
from onnxplain.engine.evaluation.tuning import Candidate, Tuned, candidates, differences, halves, tune


@pytest.fixture
def linear(tmp_path: Path) -> Path:
    return linear_model(tmp_path)


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
    rules = {name: Candidate(composite(name)) for name in ("gradient", "attnlrp")}
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
    names = ("gradient", "cplrp", "zplus", "attnlrp", "epsilon")
    found = tune(setting(linear), {name: Candidate(composite(name)) for name in names})
    assert found.chosen == "attnlrp"
    assert found.tried[-1].name == "zplus"  # evidence against is left out
    assert found.summary()["better"] is False


def test_tune_chooses_references_too(tmp_path: Path) -> None:
    """The same offset in all windows decides nothing, and is all that relevance against zero sees."""
    decides = np.random.default_rng(4).standard_normal((48, 6, 1)) * np.array([1, 1, 1, 0, 0, 0])[:, None]
    x = decides + np.array([0, 0, 0, 3.0, 4, -5])[:, None] + 0 * X[:1]
    x = (x + 0.01 * np.random.default_rng(5).standard_normal(x.shape)).astype(np.float32)
    body = "m = ReduceMean <keepdims=0> (x, axes) h = Gelu(m) y = MatMul(h, v)"
    v = np.stack([np.ones(6), -np.ones(6)], 1).astype(np.float32)
    case = Case("offset", body, {"x": x}, {"v": v, "axes": np.array([2])}, opset=20)
    at = setting(case.save(tmp_path), x=x, target="predicted", against=Against(references=3))
    found = tune(at, default="attnlrp")
    assert found.candidate.composite.name == "difference"
    assert found.candidate.against in ("other", "any")
    assert found.better
    assert found.summary()["references"] == found.candidate.references in (2, 4, 8)
    assert len(found.tried) == len(candidates()) == 18
    labelled = candidates(Against("windows labelled rest"))
    assert set(labelled) - set(candidates()) == set(differences("windows labelled rest"))
    assert len(labelled) == 15


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
        "zplus", "attnlrp", Candidate(composite("zplus")), Candidate(composite("attnlrp")), (), one, one,
        intervals.Estimate(*gain, 20), one, (20, 20), {}, "interpolation" if also else "",
        intervals.Estimate(*also, 20) if also else None,
    )  # fmt: skip
    assert found.better is better
    name, advised = found.advised
    assert name == advised.composite.name == found.summary()["advised"] == ("zplus" if better else "attnlrp")
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
