"""Models under the composite `difference`: relevance is the difference of what they say.

What two passes in float32 say is rounded, and the difference of two outputs is as far off as they are. So the
sum of relevance is held against the difference in float64, and what the engine calls closure against how far
float32's difference is from that.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from exports import bert
from networks import CHANNELS, WINDOW, contract, frozen_double

import onnxplain as ox
from onnxplain.exporters import export
from onnxplain.exporters.api import builder
from onnxplain.exporters.request import Request
from onnxplain.exporters.torch import export_module

# What `make test` looks at; `make test-long` has the others.
QUICK = ("LSTM", "Bert")
# Of these one window is enough: numpy holds gigabytes for it.
LARGE = ("EEGPT", "REVE")
NAMES = ("EEGNet", "LaBraM", "CBraMod", "BIOT", "EEGPT", "REVE", "EEGConformer", "ATCNet")


class Recurrent(torch.nn.Module):
    """An LSTM in both directions, over every twentieth sample."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = torch.nn.LSTM(len(CHANNELS), 16, batch_first=True, bidirectional=True)
        self.head = torch.nn.Linear(32, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of a batch of windows."""
        y, _ = self.cells(x.transpose(1, 2)[:, ::20])
        return self.head(y[:, -1])


def _made(name: str, path: Path) -> torch.nn.Module:
    """Write a network's file; gives it in float64."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if name in ("LSTM", "Bert"):
            network = (Recurrent() if name == "LSTM" else bert()).eval()
            example = torch.randn(2, len(CHANNELS), WINDOW)
            export_module(network, example, path, contract=contract(), exporter="legacy")
            return frozen_double(network)
        export(name, path, seed=0)
        torch.manual_seed(0)
        double = frozen_double(builder(name)(Request()).module)
    if getattr(double, "default_pos", None) is not None:  # no buffer, so it was not converted
        double.default_pos = double.default_pos.double()
    return double


@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(n, marks=pytest.mark.long) for n in NAMES)])
def test_relevance_is_the_difference(name, tmp_path):
    path = tmp_path / "model.onnx"
    network = _made(name, path)
    both = [ox.Explainer(path, "difference", backend, threads=1) for backend in ("numpy", "onnx")]
    (shape,) = (i.shape[1:] for i in both[0].inputs.by_name.values())
    rng = np.random.default_rng(0)
    windows = 1 if name in LARGE else 2
    x = rng.standard_normal((windows, *shape)).astype(np.float32)
    reference = rng.standard_normal((1, *shape)).astype(np.float32)
    with torch.no_grad():
        outputs = [network(torch.tensor(v, dtype=torch.float64)).numpy() for v in (x, reference)]
    made = (outputs[0] - outputs[1])[:, 0]
    maps = []
    for explain in both:
        a = explain(x, reference=reference, target=0)
        (r,) = a.relevance.values()
        maps.append(r)
        total = r.reshape(windows, -1).sum(1, dtype=np.float64)
        size = np.maximum(np.abs(made), np.abs(r).max())
        assert (np.abs(total - made) <= 1e-5 * size).all()
        forward = np.abs(a.explained - made) / size
        assert (a.closure() <= 1e-5 + forward).all()
        assert {e.kind for e in a.ledger} <= {"decision"}
    assert np.abs(maps[0] - maps[1]).max() <= 5e-6 * np.abs(maps[0]).max()
