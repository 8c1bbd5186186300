"""Audit: what the data offers is told, and never counts against a model."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxplain.validation import Policy
from onnxplain.validation.case import Case
from onnxplain.validation.checks import audit
from onnxplain.validation.result import CheckResult
from onnxplain.validation.verdict import decide

SIDES = np.random.default_rng(5).permutation(np.arange(64) % 2)


def test_nothing_is_offered(honest: Case) -> None:
    found = audit.check(honest)
    assert {r.role for r in found} == {"data"}
    assert {r.status for r in found} <= {"REPORTED", "NOT EVALUABLE"}
    assert {"audit.offset", "audit.gain", "audit.time", "audit.fast-gain"} <= {r.check for r in found}


def test_an_offset_that_goes_with_the_label(make_case: Any, truth: Any, result: Any) -> None:
    case: Case = make_case(truth=truth(hands=SIDES))
    moved = np.array(case.windows.signal)
    moved[SIDES == 1, 9] += 40.0
    object.__setattr__(case.windows, "signal", moved)
    found = audit.check(case)
    offset = result(found, "audit.offset")
    assert (offset.status, offset.threshold) == ("FAIL", 0.5)
    assert offset.value > 0.9
    assert "offers a shortcut" in offset.said
    # All that failed is a note: the verdict is the one without it.
    policy = Policy(version=1)
    rest = [CheckResult("follows.gain", "follows", "PASS", "Nothing.", 0.0, 0.5, evidence={"follows": 0.0})]
    plain, noted = decide(rest, {}, policy), decide([*rest, *found], {}, policy)
    assert (noted.status, noted.reasons, noted.exit_code) == (plain.status, plain.reasons, plain.exit_code)
    assert offset.said in noted.notes


def test_subjects_with_one_class(make_case: Any, truth: Any, result: Any) -> None:
    sides = np.arange(64) // 32
    groups = tuple("ab"[k] for k in sides)
    found = audit.check(make_case(truth=truth(hands=sides, groups=groups)))
    assert result(found, "audit.subject").status == "FAIL"
    assert result(found, "audit.offset").status == "NOT EVALUABLE"


def test_no_labels(make_case: Any, truth: Any) -> None:
    for labels in (np.full(64, -1), np.zeros(64, int)):
        (found,) = audit.check(make_case(truth=truth(labels=labels)))
        assert (found.check, found.status) == ("audit", "NOT EVALUABLE")
        assert (found.role, found.why_not) == ("data", "data")
