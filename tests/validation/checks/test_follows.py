"""Follows: what decisions go with of all that a signal is made of, and what of it counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest
from numpy.typing import NDArray

from onnxplain.eeg.exchange import field
from onnxplain.engine.explainer import Explainer
from onnxplain.validation.case import Case
from onnxplain.validation.checks import follows
from onnxplain.validation.result import CheckResult

Floats = NDArray[np.float64]
CHANNELS, LENGTH = 11, 128
FIRST = slice(0, 3)  # 20 ms
MOTOR = "{task: motor-imagery}"
FEW = "{follows: {pairs: 60, electrodes: 1}}"


@pytest.fixture(scope="module")
def make(make_case: Any) -> Any:
    """Fewer pairs, so that it takes less time."""
    return lambda *reads, **more: make_case(*reads, **{"checks": FEW, **more})


def sides(truth: Any) -> Floats:
    return np.asarray(2.0 * truth.side("hands") - 1)


def spread(x: Floats, truth: Any) -> Floats:
    """The hand area's burst as other electrodes have it too: a source in the head reaches several."""
    t = np.arange(LENGTH) / 128
    burst = np.sin(2 * np.pi * 12 * t) * np.exp(-(((t - 0.5) / 0.12) ** 2))
    out = x.copy()
    for row, size in ((5, 12.0), (6, 12.0), (7, 8.0), (8, 12.0)):
        out[:, row] += size * sides(truth)[:, None] * burst
    return out


def offset(x: Floats, truth: Any) -> Floats:
    """All electrodes stand a little higher or lower, by class."""
    return np.asarray(x + 15 * sides(truth)[:, None, None])


def first(x: Floats, truth: Any) -> Floats:
    """What is left of a trigger in the first 20 ms."""
    out = x.copy()
    out[..., FIRST] += 30 * sides(truth)[:, None, None]
    return out


def louder(x: Floats, truth: Any) -> Floats:
    """One class was recorded with another gain."""
    return np.asarray(x * np.where(sides(truth) > 0, 2.0, 1.0)[:, None, None])


def held(x: Floats, truth: Any) -> Floats:
    """One class was recorded in steps of 10 microvolt."""
    return np.asarray(np.where((sides(truth) > 0)[:, None, None], np.round(x / 10) * 10, x))


def of_time(where: slice) -> Floats:
    weights = np.zeros((CHANNELS, LENGTH))
    weights[:, where] = 1.0
    return weights / weights.sum()


def of_size(case: Case, threshold: float, folder: Path) -> Case:
    """The same case with a model that goes by how large a window is on the back of the head."""
    model = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : 17]>
        size (float[N, {CHANNELS}, {LENGTH}] x) => (float[N, 2] y)
        <int64[1] from = {{8}}, int64[1] to = {{11}}, int64[1] axis = {{1}},
         float[1] least = {{{threshold}}}, float[2] ends = {{-1, 1}}>
        {{ s = Slice(x, from, to, axis) a = Abs(s) m = ReduceMean<axes = [1, 2], keepdims = 0>(a)
           d = Sub(m, least) c = Constant<value_ints = [-1, 1]>() e = Reshape(d, c) y = Mul(e, ends) }}"""
    )
    onnx.helper.set_model_props(model, case.contract.to_metadata())
    onnx.save(model, folder / "size.onnx")
    explainer = Explainer(folder / "size.onnx", composite=case.policy.composite, contract=case.contract)
    return replace(case, model=folder / "size.onnx", explainer=explainer)


def bad(results: list[CheckResult]) -> dict[str, str]:
    return {r.check.removeprefix("follows."): r.status for r in results if r.status in ("WARNING", "FAIL")}


@pytest.mark.parametrize("expects", ["null", MOTOR, "{regions: [central], seconds: [0.2, 0.8]}"])
def test_an_honest_model_follows_nothing_that_counts(make: Any, known: str, expects: str) -> None:
    found = follows.check(make("hands", naming=known, record=spread, expects=expects))
    assert bad(found) == {}
    value = {r.check: r.value for r in found}
    # What its task is made of it follows, and that is told.
    assert value["follows.alpha"] > 0.6
    assert value["follows.offset"] < 0.05
    assert all(r.role == "follows" for r in found)
    names = {"outside bands", "outside regions"} if expects == MOTOR else set()
    outside = {
        r.check.partition(".")[2].replace("-", " ") for r in found if r.evidence.get("judged") == "outside"
    }
    assert outside == (names if expects != "{regions: [central], seconds: [0.2, 0.8]}" else {
        "outside regions", "outside seconds"})  # fmt: skip


def test_what_a_result_has(make: Any, result: Any) -> None:
    case = make("hands", record=spread, expects=MOTOR)
    found = follows.check(case)
    alpha = result(found, "follows.alpha")
    assert alpha.said.startswith(
        "When alpha (8 to 13 Hz) is exchanged between windows, the decision goes with it"
    )
    assert (alpha.threshold, alpha.status) == (None, "REPORTED")
    assert alpha.evidence["part"] == "alpha (8 to 13 Hz)"
    assert alpha.evidence["low"] <= alpha.value <= alpha.evidence["high"]
    assert (alpha.evidence["group"], alpha.evidence["judged"], alpha.evidence["expected"]) == (
        "band",
        "",
        True,
    )
    assert result(found, "follows.delta").evidence["expected"] is False
    assert result(found, "follows.electrode-C3").evidence["expected"] is True
    assert result(found, "follows.region-frontopolar").evidence["expected"] is False
    assert result(found, "follows.gain").threshold == 0.5
    assert result(found, "follows.gain").evidence["judged"] == "machine"


def test_a_shortcut_by_offset(make: Any, known: str, result: Any) -> None:
    weights = of_time(slice(None))
    found = follows.check(make(weights, naming=known, record=offset))
    of = result(found, "follows.offset")
    assert (of.status, of.evidence["judged"]) == ("WARNING", "undeclared")
    assert of.value > 0.9
    # Where the task is said to be at 8 to 30 Hz, an offset is no part of it.
    found = follows.check(make(weights, naming=known, record=offset, expects=MOTOR))
    outside = result(found, "follows.outside-bands")
    assert (outside.status, outside.evidence["judged"], outside.threshold) == ("FAIL", "outside", 0.5)
    assert result(found, "follows.offset").status == "REPORTED"  # by itself: outside-bands judges it
    assert "frequencies that the task has no use for" in outside.said
    # A task of slow potentials may use it.
    found = follows.check(make(weights, naming=known, record=offset, expects="{bands: [[0, 12]]}"))
    assert bad(found) == {}


def test_a_shortcut_by_the_first_20_ms(make: Any, result: Any) -> None:
    weights = of_time(FIRST)
    for expects in ("null", "{bands: [[0, 64]]}", "{regions: [central, occipital]}"):
        edge = result(follows.check(make(weights, record=first, expects=expects)), "follows.first")
        assert (edge.status, edge.evidence["judged"]) == ("WARNING", "undeclared")
        assert edge.value > 0.9
        assert "the first 23 ms of the window" in edge.said
    found = follows.check(make(weights, record=first, expects="{seconds: [0.2, 0.9]}"))
    assert result(found, "follows.outside-seconds").status == "FAIL"
    assert result(found, "follows.last").status == "PASS"


def test_a_shortcut_by_gain(make: Any, tmp_path: Path, result: Any) -> None:
    for expects in ("null", MOTOR):
        case = make("hands", record=louder, expects=expects)
        size = np.abs(case.signal[:, 8:]).mean((1, 2))
        limit = float(np.sqrt(size[case.labels == 0].mean() * size[case.labels == 1].mean()))
        found = follows.check(of_size(case, limit, tmp_path))
        gain = result(found, "follows.gain")
        assert (gain.status, gain.evidence["judged"]) == ("FAIL", "machine")
        assert gain.value > 0.7
        assert result(found, "follows.resolution").value == 0
        assert result(found, "follows.order").value == 0


def test_decisions_that_go_with_other_electrodes(make: Any, known: str, result: Any) -> None:
    for expects in ("{regions: [central]}", "{regions: [central, occipital], bands: [[0, 12]]}"):
        found = follows.check(make("eyes", naming=known, expects=expects))
        outside = result(found, "follows.outside-regions")
        assert (outside.status, outside.evidence["judged"]) == ("FAIL", "outside")
        assert outside.value > 0.7
    found = follows.check(make("eyes", naming=known, expects="{regions: [frontal]}"))
    assert result(found, "follows.outside-regions").status == "PASS"


@pytest.mark.parametrize(
    ("seconds", "status"), [("[0.2, 0.8]", "PASS"), ("[0, 0.3]", "FAIL"), ("[0, 9]", None)]
)
def test_decisions_that_go_with_other_seconds(make: Any, seconds: str, status: str | None) -> None:
    found = {r.check: r for r in follows.check(make("hands", expects=f"{{seconds: {seconds}}}"))}
    if status is None:  # all of the window: nothing is outside
        assert "follows.outside-seconds" not in found
        return
    assert found["follows.outside-seconds"].status == status
    assert "the signal outside of the task's seconds" in found["follows.outside-seconds"].said


def test_between_the_two_limits_it_warns(make: Any, result: Any) -> None:
    """The same following, held against other limits."""
    for limits, status in (
        ("max_follow: 0.5, warn_follow: 0.2", "FAIL"), ("max_follow: 1.0, warn_follow: 0.2", "WARNING"),
        ("max_follow: 1.0, warn_follow: 1.0", "PASS"),
    ):  # fmt: skip
        case = make("eyes", expects="{regions: [central]}", checks=f"{{follows: {{{limits}}}}}")
        assert result(follows.check(case), "follows.outside-regions").status == status


def test_what_one_electrode_has_alone_warns_where_most_decisions_go_with_it(make: Any, result: Any) -> None:
    found = follows.check(make("hands"))  # the burst is on C3, and on no other
    alone = result(found, "follows.alone-C3")
    assert (alone.status, alone.evidence["judged"]) == ("WARNING", "alone")
    case = make("hands", checks="{follows: {electrodes: 0}}")
    assert not [r for r in follows.check(case) if "alone" in r.check or "electrode" in r.check]


def test_an_output_that_is_a_number(make: Any, result: Any) -> None:
    found = follows.check(make("eyes", outputs=1, expects="{regions: [central]}"))
    outside = result(found, "follows.outside-regions")
    assert outside.status == "FAIL"
    assert outside.value > 0.7
    assert "the output goes with it" in outside.said
    found = follows.check(make("hands", outputs=1, record=spread, expects=MOTOR))
    assert bad(found) == {}


def test_windows_that_do_not_differ_in_a_part(make: Any, result: Any) -> None:
    case = make("hands", record=lambda x, truth: x - x.mean(-1, keepdims=True))
    found = result(follows.check(case), "follows.offset")
    assert (found.status, found.value) == ("PASS", 0.0)
    assert found.said == "Windows hardly differ in each electrode's offset."
    assert "follows" not in found.evidence


def test_a_class_that_was_recorded_in_steps_is_told_apart_by_no_honest_model(make: Any, result: Any) -> None:
    """Windows differ in their resolution here, and the model does not care."""
    both = lambda x, truth: held(spread(x, truth), truth)  # noqa: E731
    steps = result(follows.check(make("hands", record=both)), "follows.resolution")
    assert steps.status == "PASS"
    assert steps.value < 0.1
    assert "follows" in steps.evidence


def test_what_can_decide_nothing(constant: Case) -> None:
    (found,) = follows.check(constant)
    assert (found.check, found.role) == ("follows", "follows")
    assert (found.status, found.why_not, found.said) == ("NOT EVALUABLE", "model", "The output is constant.")


def test_electrodes_of_which_it_is_not_known_where_they_lie(nameless: Case) -> None:
    found = {r.check: r.status for r in follows.check(nameless)}
    assert "follows.order" not in found
    assert not [c for c in found if "region" in c]
    assert found["follows.offset"] == found["follows.gain"] == found["follows.reference"] == "PASS"


def test_one_electrode_inside_of_what_the_task_may_use(make: Any, result: Any) -> None:
    """A source may be as small as that where the task's own is expected, and in no other band."""
    inside = make("hands", expects="{regions: [central], bands: [[4, 30]]}")
    assert result(follows.check(inside), "follows.alone-C3").status == "PASS"
    for expects in ("{regions: [occipital], bands: [[4, 30]]}", "{regions: [central]}"):
        found = result(follows.check(make("hands", expects=expects)), "follows.alone-C3")
        assert (found.status, found.evidence["judged"]) == ("WARNING", "alone")
    other_band = make("hands", expects="{regions: [central], bands: [[30, 60]]}")
    assert result(follows.check(other_band), "follows.alone-C3").status == "WARNING"


def test_what_says_nothing_of_the_labels_is_told_and_counts(make: Any, result: Any) -> None:
    """The model reads the eyes: where they go with no label of this data, it may be a cue that is broken."""
    eyes = np.random.default_rng([0, *b"eyes"]).permutation(np.arange(64) % 2)
    for labels, told in ((eyes, False), (np.random.default_rng(3).permutation(eyes), True)):
        case = make("eyes", expects="{regions: [central]}")
        case = replace(case, windows=replace(case.windows, labels=said(labels)))
        found = result(follows.check(case), "follows.outside-regions")
        assert found.status == "FAIL"
        assert ("That it tells labels here is not shown" in found.said) is told


def said(labels: NDArray[np.int64]) -> tuple[str, ...]:
    return tuple(("left", "right")[v] for v in labels)


def test_where_it_is_most_is_said(make: Any, result: Any) -> None:
    found = follows.check(make(of_time(slice(None)), record=offset, expects=MOTOR))
    assert "Most of it is the offset." in result(found, "follows.outside-bands").said


def test_a_field_that_hardly_a_source_has(
    make: Any, result: Any, monkeypatch: pytest.MonkeyPatch, known: str
) -> None:
    """Interference in the task's own band, on each electrode as its cable picks it up."""
    monkeypatch.setattr(field, "PLACED", CHANNELS)
    cables = np.array([3.0, -2, 1, 2, -3, 2, -1, 3, -2, 2, -3])
    t = np.arange(LENGTH) / 128

    def picked_up(x: Floats, truth: Any) -> Floats:
        course = np.sin(2 * np.pi * 12 * t) * np.exp(-(((t - 0.5) / 0.2) ** 2))
        return np.asarray(x + 4 * sides(truth)[:, None, None] * cables[:, None] * course)

    weights = cables[:, None] * np.sin(2 * np.pi * 12 * t) / LENGTH
    found = follows.check(make(weights, record=picked_up, expects="{bands: [[8, 30]]}", naming=known))
    of = result(found, "follows.field")
    assert (of.status, of.evidence["judged"]) == ("WARNING", "field")
    assert "hardly a source in the head" in of.said
    assert of.value > 0.5
    honest = follows.check(make("hands", record=spread, expects="{bands: [[8, 30]]}", naming=known))
    assert not [r for r in honest if r.check == "follows.field"]
