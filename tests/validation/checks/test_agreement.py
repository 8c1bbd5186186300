"""Agreement: occlusion finds the electrodes that maps show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from onnxplain.validation.case import Case
from onnxplain.validation.checks import agreement


@pytest.mark.parametrize("which", ["honest", "shortcut", "nameless"])
def test_an_unlike_method_agrees(which: str, cases: dict[str, Case]) -> None:
    (found,) = agreement.check(cases[which])
    assert (found.status, found.role, found.threshold) == ("PASS", "method", 0.2)
    assert found.value is not None
    assert found.value > 0.8


def _order(case: Case, change: Any) -> Case:
    dataset = case.explained.dataset
    relevance = dataset["relevance"].copy(data=change(dataset["relevance"].values))
    case.explained = replace(case.explained, dataset=dataset.assign(relevance=relevance))
    return case


def test_maps_of_other_electrodes(make_case: Any) -> None:
    def turned(r: Any) -> Any:
        size = np.abs(r.sum(-1, keepdims=True))
        return np.broadcast_to(1 / (size + 1e-3 * size.max()), r.shape)

    (found,) = agreement.check(_order(make_case(), turned))
    assert found.status == "FAIL"
    assert found.value is not None
    assert found.value < 0


@pytest.mark.filterwarnings("ignore:An input array is constant")
def test_maps_of_nothing(constant: Case, make_case: Any) -> None:
    (found,) = agreement.check(constant)
    assert (found.status, found.why_not) == ("NOT EVALUABLE", "model")
    (found,) = agreement.check(_order(make_case(), np.zeros_like))
    assert (found.status, found.why_not) == ("NOT EVALUABLE", "map")
