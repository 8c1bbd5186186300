"""Subjects: whether the output tells subjects apart rather than classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxplain.validation.case import Case
from onnxplain.validation.checks import subjects

TWO = ("a", "b") * 32
OFFSETS = {"a": -20.0, "b": 20.0}
HANDS = np.arange(64) // 2 % 2  # both classes in both subjects


@pytest.fixture(autouse=True)
def few_shuffles(monkeypatch: pytest.MonkeyPatch) -> None:
    """How well subjects can be told is beside the verdict here, and 99 shuffles take a while."""
    monkeypatch.setattr(subjects, "SHUFFLES", 5)


def test_decisions_for_classes(make_case: Any, truth: Any) -> None:
    (found,) = subjects.check(make_case("hands", truth=truth(groups=TWO, offsets=OFFSETS, hands=HANDS)))
    assert (found.status, found.role, found.artefact) == ("PASS", "sign", "subject")
    assert found.value is not None
    assert found.value < 0.1
    # Heads differ in the signal, and that alone is no sign.
    assert found.evidence["told_from"]["signal"]["accuracy"] > 0.5


def test_decisions_for_subjects(make_case: Any, truth: Any) -> None:
    (found,) = subjects.check(make_case("O1", truth=truth(groups=TWO, offsets=OFFSETS, hands=HANDS)))
    assert found.status == "WARNING"
    assert found.value is not None
    assert found.value > 0.9
    assert found.evidence["p"] <= 0.05
    assert found.evidence["by_subject"] > found.evidence["by_class"]


@pytest.mark.row("E16")
def test_what_cannot_be_told_apart(make_case: Any, truth: Any, honest: Case) -> None:
    (found,) = subjects.check(honest)
    assert (found.status, found.why_not) == ("NOT EVALUABLE", "data")
    assert "One subject only" in found.said
    (found,) = subjects.check(make_case(truth=truth(groups=TWO, hands=np.arange(64) % 2)))
    assert (found.status, found.why_not) == ("NOT EVALUABLE", "data")
    assert "class and subject cannot be told apart" in found.said


@pytest.mark.parametrize("settings", [{"reads": "nothing"}, {"outputs": 1}])
def test_no_decisions(make_case: Any, truth: Any, settings: dict[str, Any]) -> None:
    (found,) = subjects.check(make_case(**settings, truth=truth(groups=TWO)))
    assert (found.status, found.why_not) == ("NOT EVALUABLE", "model")
