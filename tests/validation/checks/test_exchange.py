"""An artefact's part, exchanged between windows: what it says, and what of it counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from onnxplain.eeg.artefacts.parts import ArtefactPart
from onnxplain.eeg.exchange.pairs import why_not
from onnxplain.validation.case import Case
from onnxplain.validation.checks.exchange import exchanged, said_of


def _of(case: Case, *channels: str, kind: str = "eyes") -> ArtefactPart:
    part = np.zeros_like(case.signal)
    rows = [case.windows.channels.index(c) for c in channels]
    part[:, rows] = case.signal[:, rows]
    return ArtefactPart(kind, part, np.zeros((len(part), 1)), "it is said so")


@pytest.mark.parametrize("outputs", [2, 1])
def test_answers_go_with_all_that_the_model_reads(make_case: Any, outputs: int) -> None:
    case = make_case("hands", outputs=outputs, expects="{regions: [occipital]}")
    read = exchanged(case, _of(case, "C3"), "intervention.eyes", 0.5, 0.2)
    unread = exchanged(case, _of(case, "F7", "F8"), "intervention.eyes", 0.5, 0.2)
    assert read.evidence["follows"] == pytest.approx(1.0, abs=0.02)
    assert read.value > 0.9
    assert read.evidence["low"] > 0.5
    assert (read.status, read.threshold, read.role) == ("FAIL", 0.5, "sign")
    assert unread.value < 0.02
    assert unread.status == "PASS"
    assert ("the decision goes" if outputs == 2 else "the output goes") in read.said
    assert ("accuracy_without" in read.evidence) == (outputs == 2)


def test_what_fails_what_warns_and_what_nobody_declared(make_case: Any) -> None:
    case = make_case("hands", expects="{regions: [occipital]}")
    for limit, warns, status in ((0.5, 0.2, "FAIL"), (1.0, 0.2, "WARNING"), (1.0, 1.0, "PASS")):
        assert exchanged(case, _of(case, "C3"), "intervention.eyes", limit, warns).status == status
    # Nobody said what the task may use: an account of the eyes may have the brain's in it, and warns.
    unsaid = make_case("hands")
    assert exchanged(unsaid, _of(unsaid, "C3"), "intervention.eyes", 0.5, 0.2).status == "WARNING"
    for never in ("heart", "mains"):
        part = _of(unsaid, "C3", kind=never)
        assert exchanged(unsaid, part, f"intervention.{never}", 0.5, 0.2).status == "FAIL"


def test_what_the_task_may_use_of_a_part_stays(make_case: Any) -> None:
    """The burst of the hands at 12 Hz is in the part, and is the task's own."""
    case = make_case("hands", expects="{bands: [[8, 20]], regions: [central]}")
    found = exchanged(case, _of(case, "C3"), "intervention.muscle", 0.5, 0.2)
    assert (found.status, found.value) == ("PASS", pytest.approx(0, abs=0.05))
    # The heart is no part of any task, whatever its band.
    heart = exchanged(case, _of(case, "C3", kind="heart"), "intervention.heart", 0.5, 0.2)
    assert (heart.status, heart.value) == ("FAIL", pytest.approx(1, abs=0.05))


def test_what_the_policy_allows(make_case: Any) -> None:
    case = make_case("eyes", expects="{artefacts: [eyes]}")
    found = exchanged(case, _of(case, "F7", "F8"), "intervention.eyes", 0.5, 0.2)
    assert (found.status, found.why_not, found.artefact) == ("REPORTED", "policy", "eyes")


def test_the_disturbance_alone_is_taken_off(make_case: Any) -> None:
    # The part is of the right size and goes with nothing: what it changes is disturbance.
    case = make_case("hands")
    noise = np.random.default_rng(1).normal(0, 300, case.signal.shape)
    found = exchanged(case, replace(_of(case, "C3"), signal=noise), "intervention.eyes", 0.5, 0.2)
    assert found.evidence["disturbed"] > 0.3
    assert found.value < 0.15
    assert found.status == "PASS"


def test_all_parts_are_exchanged_in_the_same_pairs(honest: Case) -> None:
    assert honest.pairs is honest.pairs
    assert len(honest.pairs.i) == honest.policy.checks.follows.pairs
    found = honest.pairs.exchange(lambda i, j: honest.signal[j])
    assert (found.followed, found.disturbed) == (1.0, 0.0)
    assert said_of(honest, "it", found) == (
        "When it is exchanged between windows, the decision goes with it in 100% of the pairs "
        "(0% change by the disturbance alone)."
    )


def test_why_nothing_can_be_exchanged(constant: Case, honest: Case) -> None:
    assert honest.nothing_to_exchange is None
    assert constant.nothing_to_exchange == why_not(constant.outputs) == "The output is constant."
    found = exchanged(constant, _of(constant, "C3"), "intervention.eyes", 0.5, 0.2)
    assert (found.status, found.why_not, found.said) == ("NOT EVALUABLE", "model", "The output is constant.")
