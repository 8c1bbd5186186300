"""Files that many tests read, made once."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from networks import CHANNELS, WINDOW, Exported, convnet, exported, labram


@pytest.fixture(scope="session")
def windows() -> np.ndarray:
    """Three windows of standard normal noise, float32 (3, 22, 800)."""
    return np.random.default_rng(0).standard_normal((3, len(CHANNELS), WINDOW)).astype(np.float32)


@pytest.fixture(scope="session")
def labram_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Exported]:
    """LaBraM base with lively weights by both exporters: legacy (opset 17), dynamo (opset 20)."""
    folder = tmp_path_factory.mktemp("labram")
    network = labram()
    return {
        "legacy": exported(network, folder / "legacy.onnx", "legacy"),
        "dynamo": exported(network, folder / "dynamo.onnx", "dynamo"),
    }


@pytest.fixture(scope="session")
def convnet_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Exported]:
    """EEGNet and ShallowFBCSPNet with lively weights."""
    folder = tmp_path_factory.mktemp("convnets")
    return {
        name: exported(convnet(name), folder / f"{name}.onnx", "dynamo")
        for name in ("EEGNet", "ShallowFBCSPNet")
    }
