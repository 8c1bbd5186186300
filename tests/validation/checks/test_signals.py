"""Signals: relevance is locked to what the model is known to use."""

from __future__ import annotations

from typing import Any

from onnxplain.validation.case import Case
from onnxplain.validation.checks import signals

# The burst that the model reads is in the middle of each window.
BURSTS = tuple((i + 0.3, "burst") for i in range(64))
NAMED = "{signals: {events: [burst]}}"


def test_relevance_at_the_burst(make_case: Any, result: Any) -> None:
    found = result(signals.check(make_case(checks=NAMED, marks=BURSTS)), "signals.burst")
    assert (found.status, found.role, found.threshold) == ("PASS", "method", 0.05)
    assert found.value <= 0.05
    assert found.said.startswith("Relevance around burst:")


def test_relevance_that_is_not_at_the_event(make_case: Any, result: Any) -> None:
    # The same mark in windows of a model that reads a constant offset: relevance is the same all the time.
    case = make_case("O1", checks=NAMED, marks=BURSTS)
    found = result(signals.check(case), "signals.burst")
    assert found.status == "FAIL"
    assert found.value > 0.05


def test_no_such_event_and_none_asked_for(make_case: Any, honest: Case) -> None:
    (found,) = signals.check(honest)
    assert (found.status, found.why_not) == ("REPORTED", "policy")
    (found,) = signals.check(make_case(checks=NAMED, marks=((0.5, "click"),)))
    assert (found.check, found.status, found.why_not) == ("signals.burst", "NOT EVALUABLE", "data")
    assert "no annotation burst" in found.said
    (found,) = signals.check(make_case(checks=NAMED, marks=None))
    assert (found.status, found.why_not) == ("NOT EVALUABLE", "data")
    assert "not in a dataset" in found.said
