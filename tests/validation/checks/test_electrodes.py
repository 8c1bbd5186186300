"""Electrodes: whether decisions go with what one in trouble has alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from onnxplain.eeg.recording.windows import as_input
from onnxplain.validation.case import Case
from onnxplain.validation.checks import electrodes

ROW = 9  # O1


def _wandering(case: Case, size: float = 60.0) -> Case:
    """The case with an O1 that is offset to one side, and noisy, in half of the windows."""
    rng = np.random.default_rng(0)
    x = case.windows.signal.astype(np.float64)
    side = np.where(rng.permutation(len(x)) % 2, 1.0, -1.0)
    x[:, ROW] += side[:, None] * size + rng.normal(0, 25.0, x[:, ROW].shape)
    data = as_input(x, case.contract)
    return replace(case, windows=replace(case.windows, signal=x.astype(np.float32), data=data))


def test_decisions_that_go_with_a_noisy_electrode(make_case: Any, result: Any) -> None:
    found = electrodes.check(_wandering(make_case({"O1": 1.0})))
    one = result(found, "electrodes.O1")
    assert one.status in ("WARNING", "FAIL")
    assert (one.role, one.artefact, one.evidence_of) == ("sign", "electrode", "exchange")
    assert one.value > 0.5
    assert one.said.startswith("When what O1 has that the others do not predict (")
    assert "of 64 windows) is exchanged between windows" in one.said


def test_decisions_that_do_not(make_case: Any, result: Any) -> None:
    one = result(electrodes.check(_wandering(make_case("hands"))), "electrodes.O1")
    assert one.status == "PASS"
    assert one.value < 0.1


def test_no_electrode_has_trouble(honest: Case) -> None:
    (found,) = electrodes.check(honest)
    assert (found.check, found.status, found.why_not) == ("electrodes", "NOT EVALUABLE", "data")


def test_too_few_electrodes(make_case: Any) -> None:
    (found,) = electrodes.check(make_case("hands", channels=("C3", "C4", "Pz")))
    assert (found.status, found.why_not) == ("NOT EVALUABLE", "model")


def test_a_constant_output(constant: Case) -> None:
    (found,) = electrodes.check(_wandering(constant))
    assert (found.check, found.status, found.why_not) == ("electrodes.O1", "NOT EVALUABLE", "model")
