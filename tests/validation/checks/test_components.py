"""Components: the exchange and the share of what independent components have, whatever made them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from onnxplain.engine.errors import InputError
from onnxplain.validation.case import Case
from onnxplain.validation.checks import components

ASKED = "{components: {artefacts: [eyes, electrode]}}"


def _with_eyes(case: Case) -> Case:
    """As if a decomposition had found the eyes, and nothing else."""
    case.component_parts = {"eyes": replace(case.parts["eyes"], account=" in independent components")}
    return case


def test_decisions_and_relevance_of_the_hands(make_case: Any, known: str, result: Any) -> None:
    found = components.check(_with_eyes(make_case("hands", checks=ASKED, naming=known)))
    for check in ("components.eyes", "components.eyes.share"):
        assert (result(found, check).status, result(found, check).artefact) == ("PASS", "eyes")


def test_decisions_and_relevance_of_the_eyes(make_case: Any, known: str, result: Any) -> None:
    case = make_case("eyes", checks=ASKED, naming=known, expects="{task: motor-imagery}")
    found = components.check(_with_eyes(case))
    exchanged, carried = result(found, "components.eyes"), result(found, "components.eyes.share")
    assert (exchanged.status, exchanged.evidence_of) == ("FAIL", "exchange")
    assert (carried.status, carried.evidence_of) == ("FAIL", "relevance")
    assert "in independent components" in exchanged.said
    assert "in independent components" in carried.said


def test_where_nobody_said_what_the_task_may_use_an_exchange_warns(make_case: Any, result: Any) -> None:
    found = components.check(_with_eyes(make_case("eyes", checks=ASKED)))
    assert result(found, "components.eyes").status == "WARNING"
    assert result(found, "components.eyes").value > 0.9


def test_no_component_of_a_kind(make_case: Any, result: Any) -> None:
    found = components.check(_with_eyes(make_case("hands", checks=ASKED)))
    noise = result(found, "components.electrode")
    assert (noise.status, noise.why_not, noise.artefact) == ("NOT EVALUABLE", "data", "electrode")


@pytest.mark.parametrize("settings", [{"naming": "unknown"}, {"channels": ("C3", "C4", "Pz")}])
def test_too_few_electrodes_whose_place_is_known(make_case: Any, settings: dict[str, Any]) -> None:
    (found,) = components.check(make_case("hands", **settings))
    assert (found.check, found.status, found.why_not) == ("components", "NOT EVALUABLE", "electrodes")
    assert "with a known position; 5 are needed." in found.said


def test_too_little_signal(make_case: Any, truth: Any) -> None:
    (found,) = components.check(make_case(truth=truth(windows=4)))
    assert (found.status, found.why_not) == ("NOT EVALUABLE", "data")


def test_no_decomposition(make_case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise InputError("components: it failed")

    monkeypatch.setattr("onnxplain.validation.case.component_parts", fails)
    (found,) = components.check(make_case())
    assert (found.status, found.why_not) == ("NOT EVALUABLE", "data")
    assert found.said == "No independent components: it failed."
