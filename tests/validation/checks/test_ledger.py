"""Ledger: relevance and what did not reach an input add up to what was explained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from onnxplain.validation.case import Case
from onnxplain.validation.checks import ledger


@pytest.mark.parametrize("which", ["honest", "shortcut", "constant", "nameless"])
def test_a_complete_account(which: str, cases: dict[str, Case]) -> None:
    (found,) = ledger.check(cases[which])
    assert (found.status, found.role) == ("PASS", "technical")
    assert found.value is not None
    assert found.value < 1e-5


def test_one_window_that_does_not_add_up(make_case: Any) -> None:
    case: Case = make_case()
    closure = case.explained.dataset["closure"].copy()
    closure[3] = 0.02
    case.explained = replace(case.explained, dataset=case.explained.dataset.assign(closure=closure))
    (found,) = ledger.check(case)
    assert (found.status, found.value, found.threshold) == ("FAIL", 0.02, 1e-3)
    assert "trust no map of it" in found.said
