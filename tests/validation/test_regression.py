"""The gate on a model with several numbers: the one that the policy names, or the first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from onnxplain.engine.errors import InputError
from onnxplain.engine.explainer import Explainer
from onnxplain.validation import Gate, Policy
from onnxplain.validation.case import Case
from onnxplain.validation.checks import task

TARGETS = {"left": "mV", "right": None}


def regression(case: Case, target: str | int | None = None) -> Case:
    """The same model, whose outputs are two numbers, and windows with numbers as labels."""
    contract = case.contract.model_copy(update={"classes": (), "targets": TARGETS})
    y = Explainer(case.model).predict({"x": case.windows.data})["y"]
    return replace(
        case,
        contract=contract,
        explainer=Explainer(case.model, composite=case.policy.composite, contract=contract),
        windows=replace(case.windows, labels=tuple(f"{v:.6f}" for v in y[:, 1])),
        policy=case.policy.model_copy(update={"target": target}),
    )


@pytest.mark.parametrize(("target", "column"), [(None, 0), ("left", 0), ("right", 1), (1, 1)])
def test_it_looks_at_one_number(honest: Case, target: Any, column: int) -> None:
    case = regression(honest, target)
    y = Explainer(case.model).predict({"x": case.windows.data})["y"]
    np.testing.assert_allclose(case.outputs, y[:, [column]], rtol=1e-5)
    assert (case.has_classes, case.is_number, case.target) == (False, True, column)
    assert case.explained.unit == ("mV", "right")[column]
    assert case.explained.dataset["target"].values.tolist() == [column] * len(case.windows)


def test_a_policy_names_a_number_that_there_is(honest: Case) -> None:
    with pytest.raises(InputError, match=r"unknown target 'middle'; known: 0 to 1 .left, right."):
        _ = regression(honest, "middle").outputs


def test_the_task_is_told_with_its_error_and_unit(honest: Case) -> None:
    for target, status, unit in (("right", "PASS", "right"), ("left", "FAIL", "mV")):
        (found,) = task.check(regression(honest, target))
        assert found.status == status
        assert f" {unit}." in found.said
    assert found.evidence["mae"] > 0
    (right,) = task.check(regression(honest, "right"))
    assert right.evidence["mae"] < 1e-5


def test_the_shortcut_is_found_in_a_number_as_in_classes(shortcut: Case) -> None:
    case = regression(shortcut, "right")
    policy = Policy.from_text("version: 1\ntarget: right\nexpects: {task: motor-imagery}\nreferences: 2")
    verdict = Gate(policy).judge(replace(case, policy=policy))
    assert verdict.status == "FAIL"
    assert any(name.startswith(("intervention.eyes", "follows.outside")) for name in
               (r.check for r in verdict.results if r.status == "FAIL"))  # fmt: skip
