"""The exchange of a part of the signal between windows, which three checks make."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxplain.validation.case import Case
from onnxplain.validation.checks.exchange import exchange, why_not


def _of(case: Case, *channels: str) -> Any:
    part = np.zeros_like(case.signal)
    rows = [case.windows.channels.index(c) for c in channels]
    part[:, rows] = case.signal[:, rows]
    return part


@pytest.mark.parametrize("outputs", [2, 1])
def test_answers_go_with_all_that_the_model_reads(make_case: Any, outputs: int) -> None:
    case = make_case("hands", outputs=outputs)
    rng = np.random.default_rng(0)
    read, unread = exchange(case, _of(case, "C3"), rng), exchange(case, _of(case, "O1", "O2"), rng)
    assert read.followed == pytest.approx(1.0, abs=0.02)
    assert read.beyond > 0.9
    assert read.low > 0.5
    assert unread.beyond < 0.02
    assert ("the decision goes" if outputs == 2 else "the output goes") in read.said(case, "it")


def test_the_disturbance_alone_is_taken_off(make_case: Any) -> None:
    # The part is of the right size and goes with nothing: what it changes is disturbance.
    case = make_case("hands")
    noise = np.random.default_rng(1).normal(0, 300, case.signal.shape)
    found = exchange(case, noise, np.random.default_rng(0))
    assert found.disturbed > 0.3
    assert found.beyond < 0.15


def test_why_nothing_can_be_exchanged(make_case: Any, constant: Case, honest: Case) -> None:
    assert why_not(honest) is None
    assert why_not(constant) == "The output is constant."
