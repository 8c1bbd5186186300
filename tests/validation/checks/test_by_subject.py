"""Accuracy by subject: the worst is named, with its windows and an interval; a policy can ask for a least."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from results import DECLARED, GOOD

from onnxplain.validation.checks import task
from onnxplain.validation.verdict import decide

HANDS = np.arange(96) % 2


def of(
    make_case: Any, truth: Any, result: Any, wrong: dict[str, int], least: str = "null", **sizes: int
) -> Any:
    """The outcome where so many labels of each subject are not what the model says."""
    sizes = sizes or dict.fromkeys(wrong, 96 // len(wrong))
    groups = tuple(name for name, n in sizes.items() for _ in range(n))
    hands, labels = HANDS[: len(groups)], HANDS[: len(groups)].copy()
    for name, n in wrong.items():
        first = groups.index(name)
        labels[first : first + n] = 1 - labels[first : first + n]
    checks = f"{{task: {{min_subject_accuracy: {least}}}}}"
    case = make_case(
        truth=truth(windows=len(groups), hands=hands, labels=labels, groups=groups), checks=checks
    )
    return result(task.check(case), "task.subjects")


def test_the_worst_is_named_with_its_windows_and_an_interval(make_case: Any, truth: Any, result: Any) -> None:
    found = of(make_case, truth, result, {"sub-1": 0, "sub-2": 14, "sub-3": 2})
    assert (found.status, found.role, found.threshold) == ("REPORTED", "task", None)
    assert found.value == pytest.approx(18 / 32)
    assert found.said.startswith("Of 3 subjects it is right least often for sub-2 (56%, ")
    assert found.said.endswith(" of 32 windows).")
    first, second, third = found.evidence["subjects"]
    assert [s["subject"] for s in (first, second, third)] == ["sub-2", "sub-3", "sub-1"]
    assert (first["windows"], first["right"]) == (32, 18)
    # 95 % for all three together: wider than of one subject alone (Jeffreys: 39 % to 72 %).
    assert first["low"] < 0.39
    assert first["high"] > 0.72
    assert first["low"] < first["accuracy"] < first["high"] < third["high"]


@pytest.mark.parametrize(
    ("least", "status", "said"),
    [
        ("0.85", "FAIL", "It is not right as often as the 85% asked for of every subject for sub-2 (56%, "),
        (
            "0.6",
            "NOT EVALUABLE",
            "Whether it is right as often as the 60% asked for of every subject is not shown ",
        ),
        ("0.5", "PASS", "Of 3 subjects it is right least often for sub-2 (56%, "),
    ],
)
def test_what_the_policy_asks_for(
    make_case: Any, truth: Any, result: Any, least: str, status: str, said: str
) -> None:
    found = of(make_case, truth, result, {"sub-1": 0, "sub-2": 14, "sub-3": 2}, least)
    assert (found.status, found.threshold) == (status, float(least))
    assert found.said.startswith(said)
    assert (found.why_not == "data") == (status == "NOT EVALUABLE")


def test_a_subject_with_too_few_windows(make_case: Any, truth: Any, result: Any) -> None:
    wrong = {"sub-1": 0, "sub-2": 4}
    few = of(make_case, truth, result, wrong, "0.6", **{"sub-1": 40, "sub-2": 8})
    assert (few.status, few.why_not) == ("NOT EVALUABLE", "data")
    assert few.said.endswith("1 subject (sub-2) has fewer than 10 labelled windows, or one class only.")
    told = of(make_case, truth, result, wrong, **{"sub-1": 40, "sub-2": 8})
    assert (told.status, told.evidence["worst"]) == ("REPORTED", "sub-1")
    assert told.said.startswith("Of 1 subject it is right least often for sub-1 (100%, ")
    assert [s["enough"] for s in told.evidence["subjects"]] == [True, False]


def test_one_subject(make_case: Any, truth: Any, result: Any) -> None:
    hands = np.arange(64) % 2
    assert [r.check for r in task.check(make_case(truth=truth(hands=hands)))] == ["task"]
    asked = task.check(make_case(truth=truth(hands=hands), checks="{task: {min_subject_accuracy: 0.9}}"))
    assert result(asked, "task.subjects").status == "PASS"


def test_a_number_has_no_accuracy(make_case: Any, result: Any) -> None:
    case = make_case(outputs=1, checks="{task: {min_subject_accuracy: 0.9}}")
    found = result(task.check(case), "task.subjects")
    assert (found.status, found.why_not, found.threshold) == ("NOT EVALUABLE", "model", 0.9)
    assert len(task.check(make_case(outputs=1))) == 1


def test_what_it_means_for_the_verdict(make_case: Any, truth: Any, result: Any) -> None:
    for least, status in (("null", "PASS"), ("0.5", "PASS"), ("0.6", "NOT EVALUABLE"), ("0.85", "FAIL")):
        found = of(make_case, truth, result, {"sub-1": 0, "sub-2": 14, "sub-3": 2}, least)
        verdict = decide([*GOOD, found], {}, DECLARED)
        assert (verdict.status, verdict.exit_code) == (status, 0 if status == "PASS" else 1)
        if status != "PASS":
            assert "sub-2 (56%, " in verdict.reasons[0]
