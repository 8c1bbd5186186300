"""Networks with weights that matter, exported for the tests."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from onnxplain.engine.contract import InputContract
from onnxplain.exporters.extras import braindecode_models
from onnxplain.exporters.torch import export_module
from onnxplain.exporters.weights import enliven

CHANNELS = [
    "FP1", "FP2", "F7", "F3", "FZ", "F4", "F8", "FC5", "FC1", "FC2", "FC6",
    "T7", "C3", "CZ", "C4", "T8", "P7", "P3", "PZ", "P4", "P8", "OZ",
]  # fmt: skip
WINDOW = 800
CLASSES = ("left", "right", "feet", "tongue")


@dataclass(frozen=True)
class Exported:
    """A network and its file.

    Attributes
    ----------
    path : Path
    network : torch.nn.Module
        In float64, without gradients of its parameters.
    """

    path: Path
    network: Callable[[Any], Any]


class Named(torch.nn.Module):
    """A Labram that knows its channels."""

    def __init__(self, network: torch.nn.Module, names: list[str]) -> None:
        super().__init__()
        self.network, self.names = network, names

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of a batch of windows."""
        return self.network(x, ch_names=self.names)


def frozen_double(network: torch.nn.Module) -> torch.nn.Module:
    """A float64 copy whose parameters ask for no gradient."""
    return deepcopy(network).double().eval().requires_grad_(False)


def contract(window: int = WINDOW) -> InputContract:
    """The contract of the networks here."""
    return InputContract(
        input="x", channels=tuple(CHANNELS), sfreq=200.0, window=window, classes=CLASSES, scale=0.01
    )


def labram(layers: int = 12) -> torch.nn.Module:
    """LaBraM base (12 layers, 22 channels, 4 s: 89 tokens) with lively weights."""
    torch.manual_seed(0)
    models = braindecode_models()
    network = models.Labram(
        n_times=WINDOW, n_outputs=len(CLASSES), n_chans=len(CHANNELS), sfreq=200, num_layers=layers
    )
    return Named(enliven(network), CHANNELS).eval()


def convnet(name: str) -> torch.nn.Module:
    """EEGNet or ShallowFBCSPNet with lively weights."""
    torch.manual_seed(0)
    models = braindecode_models()
    made = getattr(models, name)(n_chans=len(CHANNELS), n_outputs=len(CLASSES), n_times=WINDOW, sfreq=200)
    return enliven(made)


def exported(network: torch.nn.Module, path: Path, exporter: str, opset: int | None = None) -> Exported:
    """Write a network to a file."""
    example = torch.randn(2, len(CHANNELS), WINDOW)
    export_module(network, example, path, contract=contract(), exporter=exporter, opset=opset)
    return Exported(path, frozen_double(network))
