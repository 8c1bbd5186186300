"""Parity: the file says what a reference says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from onnxplain.validation.case import Case
from onnxplain.validation.checks import parity


def _against(make_case: Any, reference: Path, **settings: Any) -> Case:
    case: Case = make_case(checks=f"{{parity: {{reference: {str(reference)!r}}}}}", **settings)
    return case


def test_the_same_weights(make_case: Any, honest: Case) -> None:
    (found,) = parity.check(_against(make_case, honest.model))
    assert (found.status, found.value, found.role) == ("PASS", 0.0, "technical")
    assert "0 of 64 decisions differ" in found.said


def test_other_weights(make_case: Any, shortcut: Case) -> None:
    (found,) = parity.check(_against(make_case, shortcut.model))
    assert found.status == "FAIL"
    assert found.value is not None
    assert found.value > 0.5


def test_a_reference_that_cannot_be_compared(make_case: Any, tmp_path: Path) -> None:
    (found,) = parity.check(_against(make_case, tmp_path / "none.onnx"))
    assert (found.status, found.why_not) == ("FAIL", None)
    assert "cannot be compared" in found.said
    one = make_case(outputs=1)
    (found,) = parity.check(_against(make_case, one.model))
    assert found.status == "FAIL"


@pytest.mark.parametrize("which", ["honest", "constant"])
def test_no_reference_is_asked_for(which: str, cases: dict[str, Case]) -> None:
    (found,) = parity.check(cases[which])
    assert (found.status, found.why_not) == ("REPORTED", "policy")
