"""Relevance against float64 torch autograd with the same rules written by detaching."""

from __future__ import annotations

import numpy as np
import pytest
from torch_lrp import relevance

import onnxplain as ox

TARGET = [0, 3, 1]


def _error(got: np.ndarray, want: np.ndarray) -> float:
    return float(np.abs(got - want).max() / np.abs(want).max())


@pytest.mark.parametrize("exporter", ["legacy", "dynamo"])
@pytest.mark.parametrize(
    ("composite", "bound"),
    [
        ("attnlrp", 2e-6),
        ("attnlrp_pooled", 2e-6),
        ("cplrp", 2e-6),
        ("cplrp_pooled", 2e-6),
        ("gradient", 1e-5),
    ],
)
def test_labram(labram_files, windows, exporter, composite, bound):
    file = labram_files[exporter]
    want = relevance(file.network, windows, TARGET, composite)
    a = ox.Explainer(file.path, composite=composite)(windows, target=TARGET)
    assert _error(a.relevance["x"], want) <= bound
    assert np.allclose(a.relevance["x"], windows * a.multiplier["x"])


@pytest.mark.parametrize("composite", ["attnlrp", "cplrp", "cplrp_pooled", "epsilon", "gradient"])
@pytest.mark.parametrize("exporter", ["legacy", "dynamo"])
def test_ledger_closes(labram_files, windows, exporter, composite):
    a = ox.Explainer(labram_files[exporter].path, composite=composite)(windows, target="predicted")
    assert a.closure().shape == (3,)
    assert (a.closure() <= 1e-5).all()
    # What is closed is not trivially small: a good part of the logit never reaches the input.
    assert np.abs(a.ledger.total()).max() > 0.1 * np.abs(a.explained).max()


@pytest.mark.parametrize("composite", ["attnlrp", "cplrp", "gradient"])
def test_both_exports_give_one_map(labram_files, windows, composite):
    maps = [
        ox.Explainer(labram_files[e].path, composite=composite)(windows, target=TARGET).relevance["x"]
        for e in ("legacy", "dynamo")
    ]
    assert _error(maps[0], maps[1]) <= 1e-5


@pytest.mark.parametrize("name", ["EEGNet", "ShallowFBCSPNet"])
@pytest.mark.parametrize("composite", ["attnlrp", "gradient"])
def test_convnets(convnet_files, windows, name, composite):
    file = convnet_files[name]
    want = relevance(file.network, windows, TARGET, composite)
    a = ox.Explainer(file.path, composite=composite)(windows, target=TARGET)
    assert _error(a.relevance["x"], want) <= 1e-5
    assert (a.closure() <= 1e-5).all()
