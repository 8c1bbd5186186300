"""Maps of the gate that are of a difference: what windows are held against, and what checks make of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from onnxplain.engine.errors import InputError
from onnxplain.validation.case import Case
from onnxplain.validation.checks import agreement, determinism, ledger, randomisation, share


def held(case: Case, **said: Any) -> Case:
    """The same case under a policy of a difference."""
    policy = case.policy.model_copy(update={"composite": "difference", **said})
    return replace(case, policy=policy, explainer=case.explainer.with_composite("difference"))


@pytest.fixture(scope="module")
def of_two(make_case: Any, truth: Any) -> Case:
    """The shortcut model on windows of two subjects."""
    return held(make_case("eyes", truth=truth(groups=("one",) * 30 + ("two",) * 34)))


def test_references_are_called_otherwise_and_of_the_same_subject(of_two: Case) -> None:
    found = of_two.references
    assert found is not None
    assert found.index.shape == (64, 4)
    assert (of_two.decisions[found.index] != of_two.decisions[:, None]).all()
    assert ((found.index < 30) == (np.arange(64) < 30)[:, None]).all()
    assert found.how == "4 windows that the model calls otherwise"
    labelled = held(of_two, against="left", references=2).references
    assert labelled is not None
    assert {of_two.windows.labels[i] for i in labelled.index.ravel()} == {"left"}
    assert labelled.index.shape == (64, 2)
    anyone = held(of_two, against="any").references
    assert anyone is not None
    assert not (of_two.decisions[anyone.index] != of_two.decisions[:, None]).all()
    with pytest.raises(InputError, match="no window has this label"):
        _ = held(of_two, against="asleep").references


def test_checks_of_a_difference(of_two: Case, honest: Case, result: Any) -> None:
    """The eyes carry the difference where the model goes by them, and not where it goes by the hands."""
    total = of_two.explained.relevance.sum((1, 2), dtype=np.float64)
    np.testing.assert_allclose(total, of_two.explained.dataset["explained"].values, rtol=1e-3, atol=1e-4)
    eyes = result(share.check(of_two), "share.eyes")
    assert eyes.evidence["share"] > 0.95 > 0.9 > max(eyes.evidence["random"])
    other = result(share.check(held(honest)), "share.eyes")
    assert other.status == "PASS"
    assert other.evidence["share"] < 0.05
    for check in (ledger, determinism, randomisation, agreement):
        assert result(check.check(of_two), check.__name__.rpartition(".")[2]).status == "PASS"


def test_against_zero_there_is_none(honest: Case) -> None:
    assert honest.references is None
    assert honest.against(np.arange(3)) == {}
