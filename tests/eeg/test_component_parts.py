"""Artefacts' parts by independent components: of each subject, and what ICLabel takes noise for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from onnxplain.eeg.artefacts.component_parts import component_parts
from onnxplain.eeg.artefacts.ica import maps_at_once
from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.eeg.recording.read import read
from onnxplain.eeg.recording.windows import Windows, cut
from onnxplain.engine.errors import InputError


@pytest.fixture(scope="module")
def windows(demo_of: Any) -> Windows:
    demo = demo_of(False)
    return cut(read(demo.recording), demo.contract, events="left,right")


def test_the_eyes_of_the_demo(demo_cap: Any) -> None:
    naming = demo_cap.naming
    # Fewer windows do to see that places are known; the first run is of all of them.
    asked = "left/agree,right/agree" if naming.own else "left,right"
    windows = cut(read(demo_cap.recording), demo_cap.contract, events=asked)
    eyes = component_parts(windows, ["a"] * len(windows))["eyes"]
    share = (eyes.signal**2).sum((0, 2)) / (windows.signal.astype(float) ** 2).sum((0, 2))
    near = [windows.channels.index(naming(c)) for c in ("Fp1", "Fp2")]
    far = [windows.channels.index(naming(c)) for c in ("O1", "O2", "Pz")]
    assert share[near].min() > 0.5
    assert share[far].max() < 0.4  # the average reference spreads them
    # What is fast in them is no eye's.
    power = np.abs(np.fft.rfft(eyes.signal)) ** 2
    fast = np.fft.rfftfreq(windows.signal.shape[-1], 1 / windows.sfreq) > 25
    assert power[..., fast].sum() < 1e-3 * power.sum()


def test_topographies_are_interpolated_as_mne_icalabel_does() -> None:
    """All points at once give what its loop gives; a point of the grid on an electrode is among them."""
    from mne_icalabel.iclabel import features

    rng = np.random.default_rng(0)
    x, y, v = rng.uniform(-0.5, 0.5, (3, 24, 1))
    x[0], y[0] = 0.1, 0.2
    grid = np.meshgrid(np.linspace(-0.5, 0.5, 11), np.linspace(-0.5, 0.5, 11))
    grid[0][3, 4], grid[1][3, 4] = 0.1, 0.2
    with np.errstate(divide="ignore", invalid="ignore"):
        theirs = features._gdatav4(x, y, v, *grid)
    with maps_at_once():
        ours = features._gdatav4(x, y, v, *grid)
    for a, b in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_noise_of_one_electrode_is_no_muscle(windows: Windows) -> None:
    rng = np.random.default_rng(0)
    x = windows.signal.astype(np.float64).copy()
    row = windows.channels.index("P3")
    planted = rng.normal(0, 25, x[:, row].shape) * (np.arange(len(x)) % 2)[:, None]
    x[:, row] += planted
    found = component_parts(replace(windows, signal=x), ["a"] * len(x))
    assert "muscle" not in found
    part = found["electrode"]
    assert "one electrode far from muscles" in part.how
    left = planted - part.signal[:, row]
    assert (left**2).sum() < 0.2 * (planted**2).sum()
    size = (part.signal**2).sum((0, 2))
    assert size[row] > 0.7 * size.sum()


def test_each_subject_has_a_decomposition_where_there_is_signal_enough(windows: Windows) -> None:
    n = len(windows)
    short = component_parts(windows, ["a"] * (n // 2) + ["b"] * (n - n // 2))
    assert short["eyes"].how.endswith("of one decomposition.")
    again = {name: np.concatenate([getattr(windows, name)] * 2) for name in ("data", "signal", "onsets")}
    double = replace(windows, labels=windows.labels * 2, **again)
    both = component_parts(double, ["a"] * n + ["b"] * n)["eyes"]
    assert both.how.endswith("of 2 decompositions.")
    np.testing.assert_allclose(both.signal[:n], both.signal[n:], atol=1e-6)
    np.testing.assert_allclose(both.signal[:n], short["eyes"].signal, atol=1e-6)


def test_electrodes_without_a_place_are_refused(windows: Windows) -> None:
    nameless = replace(windows, channels=Electrodes(f"E{i}x" for i in range(len(windows.channels))))
    with pytest.raises(InputError, match="0 electrodes with a known position; 5 are needed"):
        component_parts(nameless, ["a"] * len(windows))


def test_what_cannot_be_labelled_is_refused(windows: Windows) -> None:
    few = replace(windows, signal=windows.signal[:4])
    with pytest.raises(InputError, match="1600 samples of 27 electrodes; 3645 and more are needed"):
        component_parts(few, ["a"] * 4)
    slow = replace(windows, signal=windows.signal[..., ::4], sfreq=50.0)
    with pytest.raises(InputError, match="50 Hz; ICLabel needs 100 Hz or more"):
        component_parts(slow, ["a"] * len(windows))
    flat = replace(windows, signal=np.zeros_like(windows.signal))
    with pytest.raises(InputError, match="cannot be decomposed"):
        component_parts(flat, ["a"] * len(windows))
