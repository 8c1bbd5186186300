"""The ledger is made from causes, so it opens when a rule is wrong."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from cases import CASES

import onnxplain as ox
from onnxplain.engine.rules import registry
from onnxplain.engine.rules.node import Message

SCRAMBLED = {
    "MatMul-Add": ("onnxplain", "Linear"),
    "MatMul": ("", "MatMul"),
    "Gemm": ("", "Gemm"),
    "Conv": ("", "Conv"),
    "Softmax": ("", "Softmax"),
    "LayerNormalization": ("", "LayerNormalization"),
    "Gelu": ("", "Gelu"),
    "Sigmoid": ("", "Sigmoid"),
    "Mul-both": ("", "Mul"),
    "Add-constant": ("", "Add"),
    "AveragePool": ("", "AveragePool"),
}


def _closure(case, folder) -> float:
    explain = ox.Explainer(case.save(folder), max_closure=None)
    y = explain.predict(case.inputs)["y"]
    seed = np.random.default_rng(3).standard_normal(y.shape).astype(np.float32)
    return float(explain(case.inputs, target=seed).closure().max())


def _scaled(op, got):
    if isinstance(got, Message):
        return Message(*(None if e is None else op.mul(e, 1.05) for e in (got.m, got.r)))
    return None if got is None else op.mul(got, 1.05)


@pytest.mark.parametrize("name", SCRAMBLED)
def test_a_wrong_rule_opens_the_ledger(tmp_path, monkeypatch, name):
    case = CASES[name]
    assert _closure(case, tmp_path) < 1e-4
    known = registry._RULES[SCRAMBLED[name]]

    def scrambled(rule):
        def function(op, node, *m):
            return [_scaled(op, g) for g in rule.function(op, node, *m)]

        return dataclasses.replace(rule, function=function)

    monkeypatch.setitem(registry._RULES, SCRAMBLED[name], [scrambled(r) for r in known])
    assert _closure(case, tmp_path) > 1e-3
    # And such an explanation is not handed out.
    explain = ox.Explainer(tmp_path / f"{case.name}.onnx")
    seed = np.random.default_rng(3).standard_normal(explain.predict(case.inputs)["y"].shape)
    with pytest.raises(ox.ModelError, match=r"do not add up.* first at node"):
        explain(case.inputs, target=seed.astype(np.float32))


def test_entries_name_node_kind_and_tensor(tmp_path):
    case = CASES["MatMul-Add"]
    explain = ox.Explainer(case.save(tmp_path))
    a = explain(case.inputs, target=np.ones_like(explain.predict(case.inputs)["y"]))
    (entry,) = a.ledger
    assert (entry.kind, entry.tensor) == ("bias", "y")
    np.testing.assert_allclose(entry.relevance, np.full(3, 5 * case.weights["b"].sum()), rtol=1e-5)
    assert list(a.ledger.by_kind()) == ["bias"]
    np.testing.assert_allclose(a.ledger.total(), entry.relevance)


def test_ledger_can_be_left_out(tmp_path):
    case = CASES["MatMul-Add"]
    path = case.save(tmp_path)
    y = np.ones_like(ox.Explainer(path).predict(case.inputs)["y"])
    with_ledger, without = (ox.Explainer(path, ledger=k)(case.inputs, target=y) for k in (True, False))
    assert len(without.ledger) == 0
    np.testing.assert_array_equal(with_ledger.relevance["x"], without.relevance["x"])
