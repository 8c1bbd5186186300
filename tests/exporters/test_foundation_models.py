"""Foundation models: exported, verified, and explained as float64 torch does it by the same rules."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import onnxplain as ox
from onnxplain.exporters import export
from onnxplain.exporters.api import builder
from onnxplain.exporters.request import Request

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))

# What `make test` looks at; `make test-long` has the others.
QUICK = "BIOT"
# How far float32 is from float64.
BOUNDS = {"CBraMod": 5e-6, "BIOT": 5e-6, "EEGPT": 5e-6, "REVE": 5e-6}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n == QUICK else [pytest.mark.long]) for n in BOUNDS]
)
def test_exported_and_explained(name: str, tmp_path: Path) -> None:
    from networks import frozen_double
    from torch_lrp import relevance

    path = tmp_path / "model.onnx"
    report = export(name, path, seed=0)
    assert report.parity <= 1e-3
    assert report.coverage == 1.0
    assert report.contract.model == name
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = frozen_double(builder(name)(Request()).module)
    if getattr(network, "default_pos", None) is not None:  # no buffer, so it was not converted
        network.default_pos = network.default_pos.double()
    x = np.random.default_rng(0).standard_normal((2, *report.contract.shape)).astype(np.float32)
    for composite in ("attnlrp", "gradient"):
        want = relevance(network, x, [0, 1], composite)
        a = ox.Explainer(path, composite)(x, target=[0, 1])
        error = np.abs(a.relevance["x"] - want).max() / np.abs(want).max()
        assert error <= BOUNDS[name], composite
        assert a.closure().max() <= 1e-4
