"""What was freed raises when it is used, and is never zeros in silence."""

from __future__ import annotations

import numpy as np
import pytest
from cases import Case, normal

import onnxplain as ox


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """What an Explainer has made for one shape of input, its backward pass written as a graph."""
    monkeypatch.setenv("ONNXPLAIN_CACHE", "off")
    x = normal(3, 12)
    case = Case("net", "h = MatMul(x, w) t = Tanh(h) y = MatMul(t, v)", {"x": x})
    case.weights.update(w=normal(12, 15), v=normal(15, 3))
    explain = ox.Explainer(case.save(tmp_path), backend="onnx")
    explain(x)
    ((ready,),) = explain._prepared.values()
    return explain, ready.runner, x


def test_numpy_cannot_go_on_with_freed_weights(prepared):
    _, runner, x = prepared
    values = runner.forward({"x": x})
    seed = np.ones((1, *values[runner.facts.target].shape), np.float32)
    with pytest.raises(RuntimeError, match="freed"):
        runner.plan.backward(values, seed, len(x))


def test_the_freed_model_is_not_an_empty_one(prepared):
    _, runner, _ = prepared
    with pytest.raises(AttributeError, match="model"):
        _ = runner.plan.model


def test_more_targets_can_still_be_written(prepared):
    explain, _, x = prepared
    every = explain(x, target="all")
    by_numpy = ox.Explainer(explain.path, backend="numpy")(x, target="all")
    np.testing.assert_allclose(every.relevance["x"], by_numpy.relevance["x"], rtol=1e-4, atol=1e-5)
