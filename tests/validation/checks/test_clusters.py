"""Clusters: a strategy that goes with an artefact, which carries its relevance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxplain.validation.case import Case
from onnxplain.validation.checks import clusters

# The eyes look aside in half of the windows, to either side.
SOMETIMES = np.where(np.arange(64) // 2 % 2, 40.0, 0.0)
HANDS = np.arange(64) % 2
LIMIT = "{clusters: {max_correlation: 0.3}}"


def test_one_thing_is_read_in_all_windows(honest: Case, shortcut: Case) -> None:
    for case in (honest, shortcut):
        (found,) = clusters.check(case)
        assert (found.check, found.status, found.role, found.artefact) == ("clusters", "PASS", "sign", "")


def test_windows_in_which_the_eyes_are_read(make_case: Any, truth: Any, known: str) -> None:
    there = truth(gaze=SOMETIMES, hands=HANDS)
    case = make_case({"hands": 1.0, "eyes": 6.0}, truth=there, checks=LIMIT, naming=known)
    (found,) = clusters.check(case)
    assert (found.check, found.status, found.artefact) == ("clusters.eyes", "FAIL", "eyes")
    assert found.value is not None
    assert found.value > 0.4
    assert "which carry its relevance" in found.said


def test_eyes_that_move_and_are_not_read(make_case: Any, truth: Any) -> None:
    # Hands move in the windows in which eyes do: clusters of hands go with the eyes, and are no sign.
    case = make_case("hands", truth=truth(gaze=SOMETIMES, hands=(SOMETIMES > 0).astype(int)), checks=LIMIT)
    (found,) = clusters.check(case)
    assert (found.check, found.status, found.artefact) == ("clusters", "PASS", "")
    assert found.value is not None
    assert found.value > 0.4
    assert "that they carry its relevance is not shown" in found.said


@pytest.mark.parametrize(
    ("settings", "windows", "why"),
    [
        ({"reads": "nothing"}, 64, "model"),
        ({}, 12, "data"),
    ],
)
def test_no_clusters(make_case: Any, truth: Any, settings: dict[str, Any], windows: int, why: str) -> None:
    (found,) = clusters.check(make_case(**settings, truth=truth(windows=windows)))
    assert (found.status, found.why_not) == ("NOT EVALUABLE", why)


@pytest.mark.parametrize(("naming", "why"), [("10-20", "data"), ("unknown", "electrodes")])
def test_no_artefact_that_clusters_could_go_with(
    make_case: Any, nothing_seen: Any, naming: str, why: str
) -> None:
    # A pass would rest on nothing.
    (found,) = clusters.check(nothing_seen(make_case(naming=naming)))
    assert (found.status, found.why_not) == ("NOT EVALUABLE", why)
    assert "none that a cluster could go with" in found.said
