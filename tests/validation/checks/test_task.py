"""Task: decisions are right more often than by chance, on labels that tell classes from subjects."""

from __future__ import annotations

from dataclasses import replace
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
    """Decisions that have nothing to do with the labels: nothing is shown, neither that they do the task."""
    (found,) = task.check(shortcut)
    assert (found.status, found.why_not) == ("NOT EVALUABLE", "data")
    assert found.evidence["p"] > 0.01
    assert found.evidence["low"] < 0.5 < found.evidence["high"]
    assert found.said.startswith("Whether it does its task here is not shown. Right in ")


def test_a_model_that_is_right_less_often_than_by_chance(make_case: Any, truth: Any) -> None:
    hands = np.arange(64) % 2
    (found,) = task.check(make_case(truth=truth(hands=hands, labels=1 - hands)))
    assert (found.status, found.value, found.threshold) == ("FAIL", 0.0, 0.5)
    assert found.said.startswith(
        "It is right less often than by chance: are its classes in this order? Right in 0"
    )


def _some_wrong(make_case: Any, truth: Any, wrong: int, least: str, windows: int = 64) -> Any:
    hands = np.arange(windows) % 2
    labels = np.where(np.arange(windows) < wrong, 1 - hands, hands)
    checks = f"{{task: {{min_accuracy: {least}}}}}"
    (found,) = task.check(make_case(truth=truth(windows=windows, hands=hands, labels=labels), checks=checks))
    return found


@pytest.mark.parametrize(
    ("least", "status", "said"),
    [
        ("0.95", "FAIL", "It is right less often than the 95% asked for. Right in 54 of 64"),
        # 84 % of 64 windows may be 90 % of all: it is not shown, and neither is that it is not.
        ("0.9", "NOT EVALUABLE", "Whether it does its task here is not shown."),
        ("0.8", "PASS", "Right in 54 of 64"),
        ("null", "PASS", "Right in 54 of 64"),
    ],
)
def test_above_chance_and_what_is_asked_for(
    make_case: Any, truth: Any, least: str, status: str, said: str
) -> None:
    found = _some_wrong(make_case, truth, 10, least)
    assert (found.status, found.threshold) == (status, 0.5 if least == "null" else float(least))
    assert found.value == pytest.approx(54 / 64)
    assert found.evidence["low"] < found.value < found.evidence["high"]
    assert found.said.startswith(said)


def test_how_many_windows_it_would_take(make_case: Any, truth: Any) -> None:
    found = _some_wrong(make_case, truth, 26, "null")  # right in 59 %
    assert found.status == "NOT EVALUABLE"
    assert 100 < found.evidence["needed"] < 500
    assert f"At this accuracy about {found.evidence['needed']} windows would be needed." in found.said
    none = _some_wrong(make_case, truth, 32, "null")
    assert none.evidence["needed"] is None
    assert none.said.endswith("At this accuracy more windows would hardly show it.")


@pytest.mark.row("E16")
def test_labels_that_go_with_the_subject(make_case: Any, truth: Any) -> None:
    hands = (np.arange(64) < 32).astype(int)
    groups = tuple(f"sub-{i // 8}" for i in range(64))
    confounded, accuracy, of_each = task.check(make_case(truth=truth(hands=hands, groups=groups)))
    assert (of_each.check, of_each.status) == (
        "task.subjects",
        "REPORTED",
    )  # and named is no one as the worst
    assert of_each.evidence["worst"] is None
    assert (confounded.check, confounded.status, confounded.confounds) == (
        "task.confounded",
        "NOT EVALUABLE",
        True,
    )
    assert "each of the 8 has windows of one class only" in confounded.said
    assert (accuracy.check, accuracy.confounds) == ("task", False)
    # One subject with both classes, and labels go with the subject no more.
    alone, of_each = task.check(make_case(truth=truth(hands=np.arange(64) % 2, groups=groups)))
    assert (alone.check, of_each.check) == ("task", "task.subjects")
    (one,) = task.check(make_case(truth=truth(hands=hands)))
    assert one.check == "task"


def _numbers(case: Case, values: Any) -> Case:
    """Windows whose labels are numbers."""
    labels = tuple(None if not np.isfinite(v) else f"arousal/{v:.4f}" for v in values)
    return replace(case, windows=replace(case.windows, labels=labels))


def test_an_output_that_is_a_number(make_case: Any) -> None:
    case = make_case(outputs=1)
    y = case.outputs[:, 0]
    rng = np.random.default_rng(0)
    (found,) = task.check(_numbers(case, y + rng.normal(0, 0.5 * y.std(), 64)))
    assert (found.status, found.threshold) == ("PASS", 0.0)
    assert 0.7 < found.evidence["low"] < found.value < found.evidence["high"] < 1
    assert found.said.startswith("The output goes with the labels of 64 windows by r = ")
    (found,) = task.check(_numbers(case, -y))
    assert found.status == "FAIL"
    assert found.said.startswith("The output goes against the labels.")
    (found,) = task.check(_numbers(case, rng.normal(size=64)))
    assert (found.status, found.why_not) == ("NOT EVALUABLE", "data")
    assert found.said.startswith("Whether it does its task here is not shown.")
    for values in (np.full(64, 3.0), np.where(np.arange(64) < 9, y, np.nan)):
        (found,) = task.check(_numbers(case, values))
        assert (found.status, found.why_not, found.threshold) == ("NOT EVALUABLE", "data", 0.0)


def test_an_output_that_is_neither_classes_nor_a_number(make_case: Any) -> None:
    case = make_case()
    case.outputs = np.random.default_rng(0).normal(size=(64, 2, 3))
    (found,) = task.check(case)
    assert (found.status, found.why_not) == ("NOT EVALUABLE", "model")
    assert "no choice between classes" in found.said


@pytest.mark.row("M26")
def test_a_constant_output(constant: Case) -> None:
    (found,) = task.check(constant)
    assert (found.status, found.value) == ("FAIL", 0.0)
    assert found.said == "The output is the same for every window."


@pytest.mark.row("E16")
@pytest.mark.parametrize(
    ("settings", "labels", "why", "said"),
    [
        ({"outputs": 1}, None, "data", "The output is a number, and labels are none"),
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
