"""Randomisation: maps change when weights are random."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from onnxplain.validation.case import Case
from onnxplain.validation.checks import randomisation


def test_maps_that_change(honest: Case, nameless: Case) -> None:
    for case in (honest, nameless):
        (found,) = randomisation.check(case)
        assert (found.status, found.role) == ("PASS", "method")
        assert found.value is not None
        assert found.value < 0.5


def test_maps_that_do_not(make_case: Any) -> None:
    case: Case = make_case()
    case.copies = [case.explained] * 3  # a method that shows the input alone
    (found,) = randomisation.check(case)
    assert found.status == "FAIL"
    assert found.value is not None
    assert found.value > 0.999
    assert "not what was learnt" in found.said


def test_maps_of_nothing(constant: Case, make_case: Any) -> None:
    (found,) = randomisation.check(constant)
    assert (found.status, found.why_not) == ("NOT EVALUABLE", "model")
    case: Case = make_case()
    dataset = case.explained.dataset
    none = dataset["relevance"].copy(data=np.zeros_like(dataset["relevance"].values))
    case.copies = [replace(case.explained, dataset=dataset.assign(relevance=none))]
    (found,) = randomisation.check(case)
    assert (found.status, found.why_not) == ("NOT EVALUABLE", "map")
