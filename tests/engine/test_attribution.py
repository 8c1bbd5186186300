"""What an explanation can be asked for: inner multipliers, named axes."""

from __future__ import annotations

import numpy as np
import pytest
from cases import Case, normal

import onnxplain as ox
from onnxplain.models import demo_file

X, W, V, B = normal(6, 4), normal(4, 5), normal(5, 3), normal(4)
BODY = "e = Add(x, b) h = MatMul(e, w) t = Tanh(h) y = MatMul(t, v)"


@pytest.fixture
def network(tmp_path):
    """Two layers."""
    return Case("net", BODY, {"x": X}, {"w": W, "v": V, "b": B}).save(tmp_path)


@pytest.mark.parametrize("backend", ["numpy", "onnx"])
def test_inner_multipliers_give_the_inner_relevance(network, backend):
    a = ox.Explainer(network, backend=backend, at=["t", "b"])(X, target=1)
    t = np.tanh((X + B) @ W)
    np.testing.assert_allclose(a.at_multiplier["t"], np.broadcast_to(V[:, 1], (6, 5)), rtol=1e-6)
    np.testing.assert_allclose(a.at["t"], t * a.at_multiplier["t"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(a.at["b"], B * a.at_multiplier["b"], rtol=1e-5, atol=1e-6)
    assert a.at_multiplier["b"].shape == (6, 4)


def test_inner_multipliers_of_several_targets(network):
    a = ox.Explainer(network, at=["t"])(X, target="all")
    np.testing.assert_allclose(a.at_multiplier["t"][2], np.broadcast_to(V[:, 2], (6, 5)), rtol=1e-6)


def test_relevance_alone_has_no_multiplier(network):
    a = ox.Explainer(network, "epsilon_plus_flat", at=["h"])(X, target=0)
    assert "h" in a.at
    assert set(a.at_multiplier) <= {"h"}


def test_axes_of_a_file_without_a_contract(network):
    made = ox.Explainer(network)(X, target="all").to_xarray()
    assert made["relevance"].dims == ("target", "sample", "x_1")
    assert made["output_y"].dims == ("sample", "output_y_1")
    assert made["ledger"].dims == ("kind", "target", "sample")
    total = made["relevance"].sum("x_1") + made["ledger"].sum("kind")
    np.testing.assert_allclose(total, made["explained"], rtol=1e-5, atol=1e-5)
    assert "ledger" not in ox.Explainer(network, ledger=False)(X).to_xarray()


def test_axes_by_the_contract():
    explain = ox.Explainer(demo_file("honest.onnx"))
    c = explain.contract
    x = np.random.default_rng(0).standard_normal((2, *c.shape)).astype(np.float32)
    made = explain(x).to_xarray()
    assert made["relevance"].sel(channel="C3").sizes["sample"] == 2
    assert list(made["channel"].values) == list(c.channels)
    every = explain(x, target="all").to_xarray()
    np.testing.assert_allclose(every["explained"].sel(target=c.classes[0]), every["explained"][0])
