"""Task: decisions are right more often than by chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxplain.validation.case import Case
from onnxplain.validation.checks import task


def test_the_label_is_read(honest: Case) -> None:
    (found,) = task.check(honest)
    assert (found.status, found.value, found.role) == ("PASS", 1.0, "task")
    assert found.evidence["p"] <= 0.001
    assert found.said.startswith("Right in 64 of 64 labelled windows")


def test_another_thing_than_the_label_is_read(shortcut: Case) -> None:
    (found,) = task.check(shortcut)
    assert found.status == "FAIL"
    assert found.evidence["p"] > 0.01
    assert found.said.startswith("It does not do its task here.")


def test_above_chance_and_below_what_is_asked_for(make_case: Any, truth: Any) -> None:
    hands = np.arange(64) % 2
    labels = np.where(np.arange(64) < 10, 1 - hands, hands)  # ten labels are wrong
    case = make_case(truth=truth(hands=hands, labels=labels), checks="{task: {min_accuracy: 0.9}}")
    (found,) = task.check(case)
    assert (found.status, found.threshold) == ("FAIL", 0.9)
    assert found.value == pytest.approx(54 / 64)
    assert found.said.startswith("It does worse than the 90% asked for.")


def test_a_constant_output(constant: Case) -> None:
    (found,) = task.check(constant)
    assert (found.status, found.value) == ("FAIL", 0.0)
    assert found.said == "The output is the same for every window."


@pytest.mark.parametrize(
    ("settings", "labels", "why", "said"),
    [
        ({"outputs": 1}, None, "model", "no choice between classes"),
        ({}, np.full(64, -1), "data", "0 windows have a label"),
        ({}, np.zeros(64, dtype=int), "data", "64 windows have a label"),
    ],
)
def test_what_cannot_be_held_against_labels(
    make_case: Any, truth: Any, settings: dict[str, Any], labels: Any, why: str, said: str
) -> None:
    (found,) = task.check(make_case(truth=truth(labels=labels), **settings))
    assert (found.status, found.why_not) == ("NOT EVALUABLE", why)
    assert said in found.said


def test_uneven_classes_are_noted(make_case: Any, truth: Any) -> None:
    hands = np.array([1] * 12 + [0] * 52)
    found, uneven = task.check(make_case(truth=truth(hands=hands)))
    assert (found.status, found.value) == ("PASS", 1.0)
    assert (uneven.check, uneven.role, uneven.status) == ("task.imbalance", "data", "FAIL")
    assert uneven.value == pytest.approx(52 / 64)
    assert uneven.evidence["counts"] == [52, 12]
    assert "are left" in uneven.said
