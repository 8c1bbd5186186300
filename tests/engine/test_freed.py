"""What was freed raises when it is used, and is never zeros in silence."""

from __future__ import annotations

import numpy as np
import pytest
from cases import Case, normal

import onnxplain as ox
from onnxplain.engine.file.load import load
from onnxplain.engine.file.runtime import Runtime
from onnxplain.engine.plan.build import build
from onnxplain.engine.plan.look import look
from onnxplain.engine.plan.request import Request


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A model with weights, and an input of it."""
    monkeypatch.setenv("ONNXPLAIN_CACHE", "off")
    x = normal(3, 12)
    body = "h = MatMul(x, w) t = Tanh(h) y = MatMul(t, v)"
    return Case("net", body, {"x": x}, {"w": normal(12, 15), "v": normal(15, 3)}).save(tmp_path), x


@pytest.fixture
def freed(model):
    """What a plan was made from, its backward pass written as a graph and its weights freed."""
    path, x = model
    loaded = load(path)
    runtime = Runtime(str(path))
    session = runtime.session(loaded.proto)
    request = Request.of(loaded.proto, session, runtime, ox.Explainer(path).composite, backend="onnx")
    recipe = look(request, {"x": x})
    plan = build(recipe)
    assert plan.graphs is not None
    plan.graphs.free()
    return recipe, x


def test_numpy_cannot_go_on_with_freed_weights(freed):
    recipe, x = freed
    values = recipe.numpy.forward({"x": x})
    seed = np.ones((1, *values[recipe.recording.target].shape), np.float32)
    with pytest.raises(RuntimeError, match="freed"):
        recipe.numpy.backward(values, seed, len(x))


def test_a_freed_model_is_not_an_empty_one(freed):
    recipe, x = freed
    recipe.numpy.instrumented.free()
    with pytest.raises(AttributeError, match="model"):
        recipe.numpy.instrumented.model.SerializeToString()
    recipe.numpy.forward({"x": x})  # its session is still there


def test_a_closed_runner_does_not_run(freed):
    recipe, x = freed
    recipe.numpy.close()
    with pytest.raises(AttributeError, match="session"):
        recipe.numpy.forward({"x": x})


def test_more_targets_can_still_be_written(model):
    path, x = model
    every = ox.Explainer(path, backend="onnx")
    every(x)
    got, want = every(x, target="all"), ox.Explainer(path, backend="numpy")(x, target="all")
    np.testing.assert_allclose(got.relevance["x"], want.relevance["x"], rtol=1e-4, atol=1e-5)
