"""Share: how much of the relevance is an artefact's, against copies with random weights."""

from __future__ import annotations

from typing import Any

import pytest

from onnxplain.validation.case import Case
from onnxplain.validation.checks import share

HELD = "{share: {max_share: {frontal-ocular: 0.3, sensorimotor: 0.3}, max_band: {delta: 0.5, gamma: 0.3}}}"


def test_relevance_of_the_hands(honest: Case, result: Any) -> None:
    eyes = result(share.check(honest), "share.eyes")
    assert (eyes.status, eyes.role, eyes.artefact) == ("PASS", "sign", "eyes")
    assert eyes.value < 1
    assert eyes.evidence["share"] < 0.1


def test_relevance_of_the_eyes(shortcut: Case, result: Any) -> None:
    found = share.check(shortcut)
    eyes = result(found, "share.eyes")
    assert eyes.status == "FAIL"
    assert eyes.value > 1.5
    assert eyes.evidence["share"] > 0.9 > max(eyes.evidence["random"])
    assert eyes.said.startswith("The eyes' part carries")
    assert result(found, "share.muscle").status == "PASS"


def test_a_small_share_is_no_sign(make_case: Any, result: Any) -> None:
    case = make_case("eyes", checks="{share: {min_share: 1.0, artefacts: [eyes]}}")
    eyes = result(share.check(case), "share.eyes")
    assert eyes.value > 1.5
    assert eyes.status == "PASS"


def test_what_has_no_part(honest: Case, nameless: Case, constant: Case, result: Any) -> None:
    for case, check, why in (
        (honest, "share.heart", "data"),
        (nameless, "share.eyes", "electrodes"),
        (nameless, "share.muscle", "electrodes"),
        (constant, "share.eyes", "model"),
    ):
        one = result(share.check(case), check)
        assert (one.status, one.why_not) == ("NOT EVALUABLE", why)


@pytest.mark.parametrize(
    ("reads", "failing"),
    [("hands", {"share.sensorimotor"}), ("eyes", {"share.frontal-ocular", "share.delta"})],
)
def test_regions_and_bands_held_to_numbers(make_case: Any, known: str, reads: str, failing: set[str]) -> None:
    found = share.check(make_case(reads, naming=known, checks=HELD))
    held = {r.check for r in found if r.role == "technical"}
    assert held == {"share.frontal-ocular", "share.sensorimotor", "share.delta", "share.gamma"}
    assert {r.check for r in found if r.role == "technical" and r.status == "FAIL"} == failing


def test_a_region_that_no_electrode_is_known_to_lie_in(make_case: Any, result: Any) -> None:
    unknown = result(share.check(make_case(naming="unknown", checks=HELD)), "share.frontal-ocular")
    assert (unknown.status, unknown.why_not, unknown.threshold) == ("NOT EVALUABLE", "electrodes", 0.3)


def test_a_region_that_the_model_has_no_electrode_in(make_case: Any, known: str, result: Any) -> None:
    case = make_case(naming=known, channels=("C3", "C4", "Pz"), checks=HELD)
    away = result(share.check(case), "share.frontal-ocular")
    assert (away.status, away.why_not) == ("NOT EVALUABLE", "model")
