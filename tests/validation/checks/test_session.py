"""Session: whether the output goes with the time in the recording rather than with classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxplain.validation.case import Case
from onnxplain.validation.checks import session

HANDS = np.arange(64) // 2 % 2


def drifting(x: Any, truth: Any) -> Any:
    """O1 wanders off as the recording goes on."""
    x = x.copy()
    x[:, -2] += np.linspace(-40, 40, len(x))[:, None]
    return x


def test_decisions_for_classes(make_case: Any, truth: Any) -> None:
    (found,) = session.check(make_case("hands", truth=truth(hands=HANDS), record=drifting))
    assert (found.status, found.role, found.artefact) == ("PASS", "sign", "session")
    assert found.value is not None
    assert found.value < 0.4


def test_decisions_that_go_with_the_time(make_case: Any, truth: Any) -> None:
    (found,) = session.check(make_case("O1", truth=truth(hands=HANDS), record=drifting))
    assert found.status == "WARNING"
    assert found.value == pytest.approx(1.0, abs=0.1)
    assert found.evidence["p"] <= 0.01
    assert "goes with the time in the recording" in found.said


def test_what_cannot_be_told(constant: Case, make_case: Any, truth: Any) -> None:
    (found,) = session.check(constant)
    assert (found.status, found.why_not) == ("NOT EVALUABLE", "model")
    (found,) = session.check(make_case(truth=truth(labels=np.full(64, -1))))
    assert (found.status, found.why_not) == ("NOT EVALUABLE", "data")
