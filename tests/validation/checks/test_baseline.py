"""Baseline: whether the label can be read from an artefact alone, whatever the model reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxplain.validation.case import Case
from onnxplain.validation.checks import baseline

SIDES = np.arange(64) % 2


def test_eyes_by_chance(honest: Case, result: Any) -> None:
    eyes = result(baseline.check(honest), "baseline.eyes")
    assert (eyes.status, eyes.role, eyes.artefact, eyes.threshold) == ("REPORTED", "data", "eyes", 0.5)
    assert eyes.value < 0.7


@pytest.mark.parametrize("groups", [(), ("a", "a", "b", "b") * 16])
def test_eyes_that_look_where_the_label_is(
    make_case: Any, truth: Any, result: Any, known: str, groups: tuple[str, ...]
) -> None:
    case = make_case("hands", truth=truth(hands=SIDES, eyes=SIDES, groups=groups), naming=known)
    eyes = result(baseline.check(case), "baseline.eyes")
    assert eyes.status == "FAIL"
    assert eyes.value > 0.9
    assert eyes.said.endswith("the data offers a shortcut.")


def test_no_labels(make_case: Any, truth: Any) -> None:
    (found,) = baseline.check(make_case(truth=truth(labels=np.full(64, -1))))
    assert (found.check, found.status, found.why_not) == ("baseline", "NOT EVALUABLE", "data")


@pytest.mark.parametrize(("naming", "why"), [("10-20", "data"), ("unknown", "electrodes")])
def test_no_artefact(make_case: Any, nothing_seen: Any, naming: str, why: str) -> None:
    (found,) = baseline.check(nothing_seen(make_case(naming=naming)))
    assert (found.status, found.why_not) == ("NOT EVALUABLE", why)
    assert found.said == "No artefact could be told apart in these windows."
