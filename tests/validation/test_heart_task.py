"""A model that is there to find R peaks: it passes where the policy says that it may use the heart."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import onnx
import onnx.parser
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from onnxplain.engine.contract import InputContract
from onnxplain.validation import Gate, Policy

CHANNELS = ("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz", "C4", "T8", "P3", "Pz", "P4", "O1")
SFREQ, LENGTH, WINDOWS = 128.0, 256, 96
CLASSES = ("rest", "beats")
COMPLEX = np.array([0, -4, -2, 12, 40, 12, -8, -3, 0], float) / 40  # about 70 ms of Q, R and S


def recording(path: Path) -> Path:
    """Windows in which a heart beats, at any phase, and windows in which none does."""
    rng = np.random.default_rng(5)
    n = WINDOWS * LENGTH
    f = np.fft.rfftfreq(n, 1 / SFREQ)
    sources = np.fft.irfft((rng.normal(size=(8, len(f), 2)) @ [1, 1j]) / np.maximum(f, 0.5) ** 0.7, n)
    x = rng.normal(size=(len(CHANNELS), 8)) @ (sources / sources.std(-1, keepdims=True)) * 3
    x += rng.normal(0, 1.5, x.shape)
    field = np.linspace(-1, 1, len(CHANNELS))
    label = rng.permutation(np.arange(WINDOWS) % 2)
    for i in np.flatnonzero(label):
        at = i * LENGTH + int(rng.integers(5, 90))
        while at + len(COMPLEX) < (i + 1) * LENGTH:
            x[:, at : at + len(COMPLEX)] += np.outer(field, COMPLEX) * 45
            at += int(SFREQ * rng.uniform(0.75, 0.9))
    for at in rng.integers(0, n - 128, 40):  # blinks, whatever the label
        x[:2, at : at + 64] += 90 * np.hanning(64)
    raw = mne.io.RawArray(x * 1e-6, mne.create_info(list(CHANNELS), SFREQ, "eeg"), verbose="error")
    onsets = np.arange(WINDOWS) * LENGTH / SFREQ
    raw.set_annotations(mne.Annotations(onsets, LENGTH / SFREQ, [CLASSES[y] for y in label]))
    raw.save(path, verbose="error")
    return path


def model(path: Path) -> Path:
    """The largest match of the complex within the window, over electrodes weighted by the heart's field."""
    contract = InputContract(input="x", channels=CHANNELS, sfreq=SFREQ, window=LENGTH, classes=CLASSES)
    kernel: NDArray[np.float64] = np.linspace(-1, 1, len(CHANNELS))[:, None] * (COMPLEX - COMPLEX.mean())
    kernel = kernel + np.random.default_rng(0).normal(0, 1e-3, kernel.shape)
    made = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : 17]>
        peaks (float[N, {len(CHANNELS)}, {LENGTH}] x) => (float[N, 2] y) {{
            h = Conv(x, w) a = Relu(h) m = ReduceMax<axes = [2], keepdims = 0>(a) y = Gemm(m, v, b) }}"""
    )
    size = float((kernel**2).sum()) * 45
    for name, value in (
        ("w", kernel[None] / size), ("v", np.array([[-4.0, 4.0]])), ("b", np.array([2.0, -2.0])),
    ):  # fmt: skip
        made.graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), name))
    onnx.helper.set_model_props(made, contract.to_metadata())
    onnx.save(made, path)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("heart")
    return model(folder / "peaks.onnx"), recording(folder / "ecg_raw.fif")


def test_it_passes_where_the_heart_is_what_it_is_for(files: tuple[Path, Path]) -> None:
    policy = Policy.from_text("version: 1\nexpects: {task: R peaks, artefacts: [heart]}")
    found = Gate(policy).run(*files)
    assert (found.status, found.exit_code) == ("PASS", 0), found.reasons


@pytest.mark.parametrize("expects", ["{task: motor-imagery}", "null"])
def test_it_fails_where_it_is_not(files: tuple[Path, Path], expects: str) -> None:
    found = Gate(Policy.from_text(f"version: 1\nexpects: {expects}")).run(*files)
    assert (found.status, found.exit_code) == ("FAIL", 1), found.reasons
    assert "heart" in found.artefacts
