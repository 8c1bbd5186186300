"""Determinism: a second run gives the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from onnxplain.engine.explainer import Explainer
from onnxplain.validation.case import Case
from onnxplain.validation.checks import determinism


@pytest.mark.parametrize("which", ["honest", "constant", "nameless"])
def test_the_same_twice(which: str, cases: dict[str, Case]) -> None:
    (found,) = determinism.check(cases[which])
    assert (found.status, found.value, found.role) == ("PASS", 0.0, "technical")


@pytest.mark.parametrize("what", ["relevance", "outputs"])
def test_a_run_that_differs(make_case: Any, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    case: Case = make_case()
    explained, runs = Explainer.__call__, []

    def moody(self: Explainer, x: Any, **options: Any) -> Any:
        runs.append(x)
        given = explained(self, x, **options)
        changed = {k: v * (1 + 0.01 * len(runs)) for k, v in getattr(given, what).items()}
        return replace(given, **{what: changed})

    monkeypatch.setattr(Explainer, "__call__", moody)
    (found,) = determinism.check(case)
    assert found.status == "FAIL"
    assert found.value == pytest.approx(0.01 / 1.01, rel=1e-3)
    assert "the model is random, or the machine is" in found.said
