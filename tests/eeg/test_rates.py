"""Rates that do not go with the model's: windows lie where their time is, after an hour too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest

from onnxplain.eeg.recording.read import Recording
from onnxplain.eeg.recording.resampling import resample
from onnxplain.eeg.recording.windows import cut

Make = Callable[..., Any]


@pytest.mark.parametrize("sfreq", [600.615, 256 / 1.0001, 199.9, 200.1, 200.0001, 999.7, 128.03, 33.3, 512.0])
def test_a_slow_wave_keeps_its_time(sfreq: float) -> None:
    """Sample k of the result is the wave at k / rate, to the last one."""
    rate, seconds = 200.0, 1500.0
    t = np.arange(round(seconds * sfreq)) / sfreq
    out = resample(np.sin(2 * np.pi * 3.3 * t)[None], sfreq, rate)[0]
    assert abs(len(out) - seconds * rate) <= 1
    want = np.sin(2 * np.pi * 3.3 * np.arange(len(out)) / rate)
    inside = slice(200, -200)
    assert np.abs(out - want)[inside].max() < 2e-3


def test_what_a_slower_rate_cannot_hold_is_gone() -> None:
    sfreq = 600.615
    t = np.arange(round(60 * sfreq)) / sfreq
    out = resample(np.sin(2 * np.pi * 160 * t), sfreq, 200.0)
    assert np.abs(out[200:-200]).max() < 1e-3


@pytest.mark.row("E8")
@pytest.mark.parametrize("sfreq", [499.9, 333.33, 200.05])
def test_windows_at_late_events(sfreq: float, make_contract: Make) -> None:
    """A pulse of a second, and the window that starts at it."""
    at = 900.25
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, round(910 * sfreq))) * 2e-6
    x[1, round(at * sfreq) : round((at + 1) * sfreq)] += 2e-4
    raw = mne.io.RawArray(x, mne.create_info(["C3", "C4"], sfreq, "eeg"), verbose="error")
    raw.set_annotations(mne.Annotations([at], [0], ["pulse"]))
    contract = make_contract(["C3", "C4"], patch=None, sfreq=200.0, window=200)
    windows = cut(Recording.of(raw), contract, events="pulse")
    assert windows.onsets[0] == pytest.approx(at, abs=0.003)
    assert int((windows.signal[0, 1] > 100).sum()) >= 198


@pytest.mark.row("E8")
@pytest.mark.parametrize("sfreq", [200.15, 199.85, 200.0002])
def test_epochs_of_a_measured_rate(sfreq: float, make_contract: Make, tmp_path: Path) -> None:
    """Epochs have the samples of their nominal length, at whatever rate the clock really ran."""
    rng = np.random.default_rng(2)
    info = mne.create_info(["C3", "C4"], sfreq, "eeg")
    x = rng.normal(size=(3, 2, 2000)) * 1e-5
    events = np.array([[i * 2000, 0, 1] for i in range(3)])
    epochs = mne.EpochsArray(x, info, events, 0.0, {"rest": 1}, verbose="error")
    contract = make_contract(["C3", "C4"], patch=None, sfreq=200.0, window=2000)
    windows = cut(Recording.of(epochs), contract)
    np.testing.assert_allclose(windows.signal, x * 1e6, rtol=1e-5)
    assert windows.onsets[2] == pytest.approx(4000 / sfreq)
