"""Transplant: whether decisions go with all that a region's electrodes have, where the policy asks."""

from __future__ import annotations

from typing import Any

from onnxplain.validation.case import Case
from onnxplain.validation.checks import transplant

LIMITS = "{transplant: {max_follow: {sensorimotor: 0.3, frontal-ocular: 0.3, cardiac-prone: 0.3}}}"


def test_nothing_is_said_of_regions_that_nobody_asked_about(honest: Case, shortcut: Case) -> None:
    for case in (honest, shortcut):
        assert transplant.check(case) == []


def test_regions_held_to_numbers(make_case: Any, known: str, result: Any) -> None:
    found = transplant.check(make_case("hands", naming=known, checks=LIMITS))
    sensorimotor = result(found, "transplant.sensorimotor")
    assert (sensorimotor.status, sensorimotor.role, sensorimotor.threshold) == ("FAIL", "technical", 0.3)
    assert sensorimotor.value > 0.9
    assert sensorimotor.evidence["low"] > 0.5
    assert sensorimotor.evidence["electrodes"] == 2
    assert "the signal of sensorimotor electrodes" in sensorimotor.said
    assert result(found, "transplant.frontal-ocular").status == "PASS"
    assert result(found, "transplant.frontal-ocular").value < 0.05
    found = transplant.check(make_case("eyes", naming=known, checks=LIMITS))
    assert result(found, "transplant.sensorimotor").status == "PASS"
    assert result(found, "transplant.frontal-ocular").status == "FAIL"


def test_a_region_without_electrodes(make_case: Any, known: str, result: Any) -> None:
    none = result(transplant.check(make_case(naming=known, checks=LIMITS)), "transplant.cardiac-prone")
    assert (none.status, none.why_not, none.threshold) == ("NOT EVALUABLE", "model", 0.3)
    frontal = make_case("eyes", naming=known, channels=("Fp1", "Fp2", "F7", "F8"), checks=LIMITS)
    only = result(transplant.check(frontal), "transplant.frontal-ocular")
    assert (only.status, only.why_not) == ("NOT EVALUABLE", "model")
    assert "only frontal-ocular" in only.said


def test_electrodes_of_which_it_is_not_known_where_they_lie(make_case: Any, result: Any) -> None:
    found = transplant.check(make_case(naming="unknown", checks=LIMITS))
    assert len(found) == 3
    for one in found:
        assert (one.status, one.why_not, one.threshold) == ("NOT EVALUABLE", "electrodes", 0.3)
    assert "No place on the head is known of E1, E2" in result(found, "transplant.sensorimotor").said


def test_a_constant_output(make_case: Any) -> None:
    (found,) = transplant.check(make_case("nothing", checks=LIMITS))
    assert (found.status, found.why_not) == ("NOT EVALUABLE", "model")
