"""Files that many tests read, made once."""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock

# The zoo has what computes in float64.
sys.path.insert(0, str(Path(__file__).parents[1] / "zoo"))
sys.path.insert(0, str(Path(__file__).parent))

from cases import core
from networks import CHANNELS, WINDOW, Exported, convnet, exported, frozen_double, labram


@pytest.fixture(autouse=True)
def numbers_of_its_own(request: pytest.FixtureRequest) -> None:
    """What a test draws depends on its name, not on the tests that ran before it in the same process."""
    fresh = np.random.default_rng([7, zlib.crc32(request.node.nodeid.encode())])
    core.rng.bit_generator.state = fresh.bit_generator.state


@pytest.fixture(scope="session")
def windows() -> np.ndarray:
    """Three windows of standard normal noise, float32 (3, 22, 800)."""
    return np.random.default_rng(0).standard_normal((3, len(CHANNELS), WINDOW)).astype(np.float32)


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Exported]:
    """Exports a network, or finds it exported by another process of the same run."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "exported"
    folder.mkdir(exist_ok=True)

    def once(network: torch.nn.Module, name: str, exporter: str) -> Exported:
        path = folder / f"{name}.onnx"
        with FileLock(path.with_suffix(".lock")):
            if path.exists():
                return Exported(path, frozen_double(network))
            return exported(network, path, exporter)

    return once


@pytest.fixture(scope="session")
def labram_files(once: Callable[..., Exported]) -> dict[str, Exported]:
    """LaBraM base with lively weights by both exporters: legacy (opset 17), dynamo (opset 20)."""
    network = labram()
    return {kind: once(network, f"labram_{kind}", kind) for kind in ("legacy", "dynamo")}


@pytest.fixture(scope="session")
def convnet_files(once: Callable[..., Exported]) -> dict[str, Exported]:
    """EEGNet and ShallowFBCSPNet with lively weights."""
    return {name: once(convnet(name), name, "dynamo") for name in ("EEGNet", "ShallowFBCSPNet")}
