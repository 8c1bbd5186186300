"""Small models and simulated recordings for the tests of eeg/."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mne
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnxplain.engine.contract import InputContract

NAMES = ("Fp1", "Fp2", "F7", "F8", "C3", "Cz", "C4", "T7", "T8", "Pz", "O1", "O2")
MakeRaw = Callable[..., Any]


def contract(names: Sequence[str] = NAMES, **changes: Any) -> InputContract:
    """Two seconds at 100 Hz in patches of half a second, left or right."""
    settings: dict[str, Any] = {
        "model": "Tiny",
        "input": "x",
        "axes": ("batch", "channel", "patch", "sample"),
        "channels": tuple(names),
        "sfreq": 100.0,
        "window": 200,
        "patch": 50,
        "scale": 0.01,
        "classes": ("left", "right"),
        **changes,
    }
    if settings["patch"] is None:
        settings["axes"] = ("batch", "channel", "time")
    return InputContract(**settings)


def write_model(path: Path, settings: InputContract, *, seed: int = 0, embed: bool = True) -> Path:
    """Two dense layers with a ReLU between them, as an ONNX file."""
    rng = np.random.default_rng(seed)
    n = int(np.prod(settings.shape))
    shape = ["N", *settings.shape]
    weights = {
        "w1": (rng.normal(size=(n, 16)) / np.sqrt(n)).astype(np.float32),
        "b1": (rng.normal(size=16) * 0.1).astype(np.float32),
        "w2": rng.normal(size=(16, 2)).astype(np.float32),
        "b2": (rng.normal(size=2) * 0.1).astype(np.float32),
        "eps": np.array(1e-5, dtype=np.float32),
        "axes": np.array([0, -1], dtype=np.int64),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Reshape", ["x", "axes"], ["flat"]),
            helper.make_node("Gemm", ["flat", "w1", "b1"], ["h"]),
            helper.make_node("Relu", ["h"], ["a"]),
            helper.make_node("Gemm", ["a", "w2", "b2"], ["y0"]),
            helper.make_node("Add", ["y0", "eps"], ["y"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(a, name) for name, a in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if embed:
        helper.set_model_props(model, settings.to_metadata())
    onnx.save(model, path)
    return path


def signal(n: int, seconds: float, sfreq: float, seed: int = 0) -> np.ndarray[Any, Any]:
    """Noise of about 15 microvolt with an alpha rhythm, in volt."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * sfreq)) / sfreq
    alpha = np.sin(2 * np.pi * 10 * t + rng.uniform(0, 6, (n, 1)))
    return (rng.normal(size=(n, len(t))) * 10 + 12 * alpha) * 1e-6


@pytest.fixture
def make_raw() -> MakeRaw:
    """Make an mne.io.RawArray: names, seconds, rate, data, marks as (onset, duration, description)."""

    def make(
        names: Sequence[str] = NAMES,
        *,
        seconds: float = 20.0,
        sfreq: float = 100.0,
        data: np.ndarray[Any, Any] | None = None,
        marks: Sequence[tuple[float, float, str]] = (),
        types: Any = "eeg",
        seed: int = 0,
    ) -> Any:
        data = signal(len(names), seconds, sfreq, seed) if data is None else data
        raw = mne.io.RawArray(data, mne.create_info(list(names), sfreq, types), verbose="error")
        if marks:
            raw.set_annotations(mne.Annotations(*zip(*marks, strict=True)))
        return raw

    return make


@pytest.fixture
def recorded(make_raw: MakeRaw, tmp_path: Path) -> Callable[..., Path]:
    """Write a raw recording as FIF (or EDF by its name) and give the path."""

    def write(name: str = "rec_raw.fif", **settings: Any) -> Path:
        raw = make_raw(**settings)
        path = tmp_path / name
        if path.suffix == ".fif":
            raw.save(path, overwrite=True, verbose="error")
        else:
            mne.export.export_raw(path, raw, overwrite=True, verbose="error")
        return path

    return write


@pytest.fixture
def make_contract() -> Callable[..., InputContract]:
    """Make an input contract (see `contract`)."""
    return contract


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """Write a small model for a contract and give the path."""

    def make(settings: InputContract, name: str = "tiny.onnx", **more: Any) -> Path:
        return write_model(tmp_path / name, settings, **more)

    return make
