"""Files that many tests read, made once."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

# The zoo has what computes in float64.
sys.path.insert(0, str(Path(__file__).parents[1] / "zoo"))
sys.path.insert(0, str(Path(__file__).parent))

from cases import core
from networks import CHANNELS, WINDOW, Exported, convnet, exported, labram


@pytest.fixture(autouse=True)
def numbers_of_its_own(request: pytest.FixtureRequest) -> None:
    """What a test draws hangs on its name, not on the tests that ran before it in the same process."""
    fresh = np.random.default_rng([7, zlib.crc32(request.node.nodeid.encode())])
    core.rng.bit_generator.state = fresh.bit_generator.state


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
