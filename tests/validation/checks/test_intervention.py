"""Intervention: whether decisions go with an artefact that is exchanged between windows."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxplain.validation.case import Case
from onnxplain.validation.checks import intervention


def test_decisions_that_go_with_the_hands(honest: Case, result: Any) -> None:
    found = intervention.check(honest)
    assert [r.check for r in found] == [f"intervention.{a}" for a in ("eyes", "heart", "muscle", "mains")]
    eyes = result(found, "intervention.eyes")
    assert (eyes.status, eyes.artefact, eyes.role) == ("PASS", "eyes", "sign")
    assert eyes.value < 0.05
    assert eyes.evidence["accuracy_without"] > 0.95


def test_decisions_that_go_with_the_eyes(make_case: Any, known: str, result: Any) -> None:
    case = make_case("eyes", naming=known, expects="{task: motor-imagery}")
    found = intervention.check(case)
    eyes = result(found, "intervention.eyes")
    assert (eyes.status, eyes.threshold) == ("FAIL", 0.5)
    assert eyes.value > 0.9
    assert eyes.evidence["follows"] > eyes.evidence["disturbed"]
    assert "the decision goes with it" in eyes.said
    assert result(found, "intervention.muscle").status == "PASS"


def test_where_nobody_said_what_the_task_may_use_it_warns(shortcut: Case, result: Any) -> None:
    eyes = result(intervention.check(shortcut), "intervention.eyes")
    assert eyes.status == "WARNING"
    assert eyes.value > 0.9


def test_what_the_task_may_use(make_case: Any, result: Any) -> None:
    # Eyes are the task's: nothing is held against a model that reads them.
    case = make_case("eyes", expects="{bands: [[0, 64]], artefacts: [eyes]}")
    eyes = result(intervention.check(case), "intervention.eyes")
    assert (eyes.status, eyes.why_not) == ("REPORTED", "policy")
    # All that an eye's account has may be the brain's too where any frequency of the electrodes may be used.
    case = make_case("eyes", expects="{regions: [frontal, frontopolar]}")
    assert result(intervention.check(case), "intervention.eyes").value < 0.2


def test_an_artefact_that_is_not_in_the_data(honest: Case, result: Any) -> None:
    heart = result(intervention.check(honest), "intervention.heart")
    assert (heart.status, heart.why_not) == ("NOT EVALUABLE", "data")
    assert "No peaks come as regularly as a heart's" in heart.said


def test_electrodes_of_which_it_is_not_known_where_they_lie(nameless: Case, result: Any) -> None:
    found = intervention.check(nameless)
    for artefact in ("eyes", "muscle"):
        one = result(found, f"intervention.{artefact}")
        assert (one.status, one.why_not, one.artefact) == ("NOT EVALUABLE", "electrodes", artefact)
    assert result(found, "intervention.mains").why_not != "electrodes"


def test_an_eog_channel_tells_where_electrodes_do_not(make_case: Any, result: Any) -> None:
    case = make_case(
        "eyes", naming="unknown", checks="{intervention: {artefacts: [eyes]}}", expects="{bands: [[8, 30]]}"
    )
    case.aside = {"EOG h": case.signal[:, 2] - case.signal[:, 3], "EOG v": case.signal[:, 0]}
    assert result(intervention.check(case), "intervention.eyes").status == "FAIL"


def test_electrodes_away_from_eyes_and_muscles(make_case: Any, known: str, result: Any) -> None:
    found = intervention.check(make_case(naming=known, channels=("C3", "C4", "Pz")))
    assert result(found, "intervention.eyes").why_not == "electrodes"  # blinks reach them, and nothing tells
    assert result(found, "intervention.muscle").why_not == "model"


def test_what_can_decide_nothing(constant: Case, make_case: Any, truth: Any, result: Any) -> None:
    eyes = result(intervention.check(constant), "intervention.eyes")
    assert (eyes.status, eyes.why_not) == ("NOT EVALUABLE", "model")
    one_class = make_case(truth=truth(hands=np.ones(64, dtype=int)))
    eyes = result(intervention.check(one_class), "intervention.eyes")
    assert (eyes.status, eyes.why_not) == ("NOT EVALUABLE", "model")
    assert "one class in nearly all windows" in eyes.said


def test_only_what_the_policy_asks_for(make_case: Any) -> None:
    case = make_case(checks="{intervention: {artefacts: [mains]}}")
    assert [r.check for r in intervention.check(case)] == ["intervention.mains"]
