"""Artefacts' parts: they hold what was planted, little else, and add up with the rest to the signal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from onnxplain.eeg.artefacts.parts import look, parts
from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.eeg.recording.windows import Windows

NAMES = ("Fp1", "Fp2", "F7", "F8", "C3", "Cz", "C4", "T7", "T8", "Pz", "O1", "O2")
HEADS = Electrodes(NAMES)
SFREQ, SAMPLES = 200.0, 400
T = np.arange(SAMPLES) / SFREQ
EYES = np.array([1.0, 1.0, 0.6, 0.6, 0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.0, 0.0])
SIDES = np.array([0.3, -0.3, 1.0, -1.0, 0.2, 0.0, -0.2, 0.4, -0.4, 0.0, 0.0, 0.0])
HEART = np.array([0.2, -0.3, 0.6, -0.8, 0.3, 0.0, -0.4, 0.9, -1.0, 0.1, 0.3, -0.4])


def _windows(signal: np.ndarray, electrodes: Electrodes = HEADS) -> Windows:
    n = len(signal)
    return Windows(
        data=signal.astype(np.float32), signal=signal, channels=electrodes, times=T,
        onsets=np.arange(n) * 2.0, labels=(None,) * n, sfreq=SFREQ, decisions=(),
    )  # fmt: skip


def _noise(n: int, seed: int = 0) -> np.ndarray:
    """Noise with a 10 Hz rhythm at Pz and the occipital electrodes, microvolt."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 5, (n, len(NAMES), SAMPLES))
    phase = rng.uniform(0, 6, (n, 1, 1))
    x[:, 9:] += 12 * np.sin(2 * np.pi * 10 * T + phase)
    return x


def _explained(planted: np.ndarray, part: np.ndarray) -> float:
    """How much of what was planted is in the part."""
    return float(1 - ((planted - part) ** 2).sum() / (planted**2).sum())


def _lids(n: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    at = rng.uniform(0.3, 1.7, (n, 1))
    return np.exp(-0.5 * ((T - at) / 0.07) ** 2) * rng.uniform(100, 180, (n, 1)) * (np.arange(n) % 2)[:, None]


def test_blinks_and_saccades_are_in_the_eyes(naming: Any) -> None:
    rng = np.random.default_rng(2)
    lid = EYES[:, None] * _lids(60)[:, None]
    at = rng.uniform(0.3, 0.9, (60, 1))
    gaze = 70 * ((at < T) & (at + 0.6 > T)) * rng.choice([-1, 1], (60, 1))
    for planted in (lid, SIDES[:, None] * gaze[:, None]):
        x = _noise(60) + planted
        found = parts(_windows(x, naming.electrodes(NAMES)))["eyes"]
        assert naming("F7") in found.how
        assert found.signal.shape == x.shape
        assert _explained(planted, found.signal) > 0.8
        # What it takes of the rhythm is next to nothing.
        rest = x - found.signal
        power = np.abs(np.fft.rfft(rest[:, 9:]))[..., 20]
        assert np.allclose(power, np.abs(np.fft.rfft(x[:, 9:]))[..., 20], rtol=0.05)


def test_an_eog_channel_is_taken_where_there_is_one() -> None:
    lids = _lids(60)
    planted = EYES[:, None] * lids[:, None]
    aside = {"VEOG": lids + np.random.default_rng(3).normal(0, 3, lids.shape)}
    found = parts(_windows(_noise(60) + planted), aside)["eyes"]
    assert "VEOG" in found.how
    assert _explained(planted, found.signal) > 0.9


def _beats(n: int, seed: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    course = np.zeros((n, SAMPLES))
    for i in range(n):
        for k in range(3):
            course[i] += np.exp(-0.5 * ((T - (rng.uniform(0.15, 0.35) + 0.75 * k)) / 0.02) ** 2)
    return course, (np.arange(n) % 2)[:, None] * 60.0


@pytest.mark.parametrize("ecg", [True, False])
def test_r_peaks_are_in_the_heart(ecg: bool) -> None:
    course, size = _beats(80)
    planted = HEART[:, None] * (course * size)[:, None]
    aside = {"ECG": course * 800 + np.random.default_rng(5).normal(0, 20, course.shape)} if ecg else None
    found = parts(_windows(_noise(80) + planted), aside)["heart"]
    assert _explained(planted, found.signal) > 0.7
    assert ("ECG" in found.how) == ecg
    assert np.corrcoef(found.size[:, 0], size[:, 0])[0, 1] > 0.9


@pytest.mark.parametrize("rows", [[8], [7, 8]])
def test_a_heart_on_one_or_two_electrodes(rows: list[int]) -> None:
    course, size = _beats(80)
    planted = HEART[rows, None] * (course * size)[:, None]
    names = tuple(NAMES[i] for i in rows)
    found = parts(replace(_windows(_noise(80)[:, rows] + planted), channels=Electrodes(names)))["heart"]
    assert _explained(planted, found.signal) > 0.5
    assert "heart" not in parts(replace(_windows(_noise(80)[:, rows]), channels=Electrodes(names)))


def test_no_heart_where_there_is_none() -> None:
    assert "heart" not in parts(_windows(_noise(80)))


@pytest.mark.parametrize("size", [25.0, 40.0])
def test_a_faint_heart_is_found_beside_steps_that_come_regularly(size: float) -> None:
    """Two saccades in every window come about as regularly as beats by chance; a heart is more regular."""
    rng = np.random.default_rng(8)
    at = rng.uniform(0.1, 0.5, (80, 1))
    gaze = 60 * ((at < T) & (at + rng.uniform(0.5, 1.4, (80, 1)) > T)) * rng.choice([-1, 1], (80, 1))
    steps = SIDES[:, None] * gaze[:, None]
    course, some = _beats(80)
    planted = HEART[:, None] * (course * (some > 0) * size)[:, None]
    found = parts(_windows(_noise(80) + steps + planted))["heart"]
    assert np.corrcoef(found.size[:, 1], some[:, 0])[0, 1] > 0.9
    assert "heart" not in parts(_windows(_noise(80) + steps))


def test_a_model_may_have_eog_among_its_channels() -> None:
    lids = _lids(60)
    names = (*NAMES[4:], "VEOG")
    planted = np.concatenate([EYES[4:], [1.0]])[:, None] * lids[:, None]
    x = np.concatenate([_noise(60)[:, 4:], np.random.default_rng(3).normal(0, 3, (60, 1, SAMPLES))], 1)
    found = parts(replace(_windows(x + planted), channels=Electrodes(names)))["eyes"]
    assert "VEOG" in found.how
    assert _explained(planted, found.signal) > 0.9


def test_what_is_as_strong_beside_50_hz_is_no_mains() -> None:
    rng = np.random.default_rng(9)
    x = _noise(40)
    f = np.fft.rfftfreq(SAMPLES, 1 / SFREQ)
    fast = np.fft.irfft(np.fft.rfft(rng.normal(0, 15, (40, SAMPLES))) * ((f > 25) & (f < 75)), SAMPLES)
    x[:, 8] += fast
    found = parts(_windows(x)).get("mains")
    around = np.abs(np.fft.rfft(fast))[:, np.abs(f - 50) <= 1.5]
    left = 0.0 if found is None else (np.abs(np.fft.rfft(found.signal[:, 8])) ** 2).sum()
    assert left < 0.15 * (around**2).sum()


def test_muscle_and_mains_are_told_apart(naming: Any) -> None:
    rng = np.random.default_rng(6)
    x = _noise(40)
    hum = 8 * np.sin(2 * np.pi * 50 * T)[None, None] * np.ones((40, len(NAMES), 1))
    emg = np.zeros_like(x)
    f = np.fft.rfftfreq(SAMPLES, 1 / SFREQ)
    band = (f > 30) & (f < 45)
    for row in (2, 3, 7, 8):
        spectrum = np.fft.rfft(rng.normal(0, 15, (40, SAMPLES))) * band
        emg[:, row] = np.fft.irfft(spectrum, SAMPLES)
    found = parts(_windows(x + hum + emg, naming.electrodes(NAMES)))
    assert _explained(hum, found["mains"].signal) > 0.9
    assert _explained(emg, found["muscle"].signal) > 0.4
    others = [i for i in range(len(NAMES)) if i not in (2, 3, 7, 8)]
    assert not found["muscle"].signal[:, others].any()
    hum_left = np.abs(np.fft.rfft(found["muscle"].signal[:, 2]))[:, 100].mean()
    assert hum_left < 0.05 * np.abs(np.fft.rfft(hum[:, 2]))[:, 100].mean()


def test_a_slow_recording_has_no_muscle_or_heart() -> None:
    x = np.random.default_rng(0).normal(0, 5, (30, len(NAMES), 100))
    slow = Windows(
        data=x.astype(np.float32), signal=x, channels=Electrodes(NAMES), times=np.arange(100) / 50,
        onsets=np.arange(30) * 2.0,
        labels=(None,) * 30, sfreq=50.0, decisions=(),
    )  # fmt: skip
    assert not {"muscle", "heart", "mains"} & set(parts(slow))


@pytest.mark.parametrize(
    "names", [[f"E{i}" for i in range(12)], [f"A{i}" for i in range(1, 13)], [str(i) for i in range(12)]]
)
def test_where_channels_lie_is_not_known(names: list[str]) -> None:
    """Neither names nor positions: no eyes and no muscle, and it is said which electrodes they need."""
    windows = _windows(_noise(60) + EYES[:, None] * _lids(60)[:, None], Electrodes(names))
    assert not {"eyes", "muscle"} & set(parts(windows))
    missing = look(windows)[1]
    assert {kind: missing[kind].why for kind in ("eyes", "muscle", "heart")} == {
        "eyes": "electrodes", "muscle": "electrodes", "heart": "data",
    }  # fmt: skip
    assert "Fp1" in missing["eyes"].said
    assert "T7" in missing["muscle"].said
    assert "eyes" not in look(_windows(_noise(2)))[1]
