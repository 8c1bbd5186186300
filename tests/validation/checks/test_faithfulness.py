"""Faithfulness: the answer falls sooner in the map's order of electrodes than in random ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from onnxplain.validation.case import Case
from onnxplain.validation.checks import faithfulness


def _mapped(case: Case, change: Any) -> Case:
    """The case with other maps than the model's."""
    dataset = case.explained.dataset
    relevance = dataset["relevance"].copy(data=change(dataset["relevance"].values))
    case.explained = replace(case.explained, dataset=dataset.assign(relevance=relevance))
    return case


@pytest.mark.parametrize("which", ["honest", "shortcut", "nameless"])
def test_maps_of_what_is_read(which: str, cases: dict[str, Case]) -> None:
    case = cases[which]
    (found,) = faithfulness.check(case)
    assert (found.status, found.role) == ("PASS", "method")
    assert found.value is not None
    assert found.value > 0
    # Where no position is known, electrodes cannot be made of the others.
    assert found.evidence["replacement"] == ("transplant" if which == "nameless" else "interpolation")


def test_maps_that_name_what_matters_last(make_case: Any) -> None:
    (found,) = faithfulness.check(_mapped(make_case(), np.negative))
    assert found.status == "FAIL"
    assert "it is not faithful" in found.said


def test_maps_in_an_order_of_chance(make_case: Any) -> None:
    rng = np.random.default_rng(3)
    case = _mapped(make_case(), lambda r: rng.normal(size=r.shape))
    (found,) = faithfulness.check(case)
    assert (found.status, found.why_not) == ("NOT EVALUABLE", "data")
    assert "is not shown" in found.said


def test_what_has_no_order(constant: Case, make_case: Any) -> None:
    for case in (constant, make_case(channels=("C3", "C4", "Pz"))):
        (found,) = faithfulness.check(case)
        assert (found.status, found.why_not) == ("NOT EVALUABLE", "model")
