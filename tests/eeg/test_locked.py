"""Relevance locked to events, against random moments."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import mne
import numpy as np
import pytest

from onnxplain.eeg.artefacts.events import blinks, r_peaks, stimuli
from onnxplain.eeg.explanation.around_events import event_locked, fitting
from onnxplain.eeg.explanation.explained import Explained
from onnxplain.eeg.recording.read import Mark, Recording
from onnxplain.engine.errors import InputError

sys.path.insert(0, str(Path(__file__).parent))

from explanations import made

NAMES = ("Fp1", "C3", "C4")


def explained_of(line: np.ndarray, *, gap: bool = False) -> Explained:
    """Relevance on C3 that follows a line at 100 Hz, in windows of two seconds."""
    relevance = np.zeros((len(line) // 200, 3, 200))
    relevance[:, 1] = line[: len(relevance) * 200].reshape(-1, 200)
    onsets = (5.0 if gap else 2.0) * np.arange(len(relevance))
    return made(NAMES, relevance=relevance, onsets=onsets.tolist())


@pytest.fixture
def beating() -> tuple[np.ndarray, np.ndarray]:
    """Noise with a deflection 0.12 s after each beat; the line, and the beats."""
    rng = np.random.default_rng(0)
    beats = np.cumsum(rng.uniform(0.7, 1.1, 60)) + 1
    t = np.arange(8000) / 100
    line = rng.normal(size=8000) - 3 * sum(np.exp(-0.5 * ((t - b - 0.12) / 0.03) ** 2) for b in beats)
    return line, beats


def test_a_planted_lag_is_found(beating: tuple[np.ndarray, np.ndarray]) -> None:
    line, beats = beating
    e = explained_of(line)
    found = event_locked(e, beats, signed=True)
    assert found.peak == pytest.approx(0.12, abs=0.03)
    assert found.p < 0.01
    at = int(np.argmin(abs(found.times - 0.12)))
    assert found.high[at] < found.null_low[at]
    assert found.low[at] < -2.9 < found.high[at]
    assert found.events + found.dropped == len(beats)
    np.testing.assert_array_equal(event_locked(e, beats, signed=True).low, found.low)
    size = event_locked(e, beats)  # size counts whatever the sign
    assert size.p < 0.01
    with pytest.raises(InputError, match="none of"):
        event_locked(e, beats, electrodes="occipital")
    assert event_locked(e, beats, electrodes=["C4"]).mean.max() == 0


def test_events_that_have_nothing_to_do_with_it(beating: tuple[np.ndarray, np.ndarray]) -> None:
    line, _ = beating
    e = explained_of(line)
    rng = np.random.default_rng(5)
    p = [event_locked(e, np.sort(rng.uniform(1, 78, 50)), signed=True, resamples=200).p for _ in range(20)]
    assert sum(q < 0.05 for q in p) <= 4
    assert max(p) > 0.3


def test_events_across_gaps_are_dropped(beating: tuple[np.ndarray, np.ndarray]) -> None:
    e = explained_of(beating[0], gap=True)  # windows at 0, 5, 10 s, ...
    starts = np.arange(20) * 5.0
    found = event_locked(e, [*(starts + 1), 3.0, 1.9, -4.0, 1e6], before=0.2, after=0.6)
    assert found.events == 20
    assert found.dropped == 4
    with pytest.raises(InputError, match="0 events of 2"):
        event_locked(e, [3.0, 4.0])
    with pytest.raises(InputError, match="no segment"):
        event_locked(e, starts, after=float("nan"))


def test_events_of_a_recording() -> None:
    rng = np.random.default_rng(0)
    t = np.arange(60 * 250) / 250
    beats = np.arange(1, 59) * 0.95 + rng.uniform(-0.02, 0.02, 58)
    ecg = sum(np.exp(-0.5 * ((t - b) / 0.012) ** 2) for b in beats) * 1e-3
    lids = np.arange(3.0, 58, 4.1)
    lid = sum(np.exp(-0.5 * ((t - b) / 0.08) ** 2) for b in lids) * 2e-4
    data = np.stack([lid + 5e-6 * rng.normal(size=len(t)), 5e-6 * rng.normal(size=len(t)), ecg])
    info = mne.create_info(["Fp1", "C3", "ECG"], 250, ["eeg", "eeg", "ecg"])
    recording = Recording("r.fif", mne.io.RawArray(data, info), (Mark(1.5, 0.1, "target/left"),))
    found = r_peaks(recording)
    assert np.abs(found[:, None] - beats[None]).min(1).max() < 0.05
    assert len(found) >= 50
    lids_found = blinks(recording)
    assert np.abs(lids_found[:, None] - lids[None]).min(1).max() < 0.15
    assert stimuli(recording, "target").tolist() == [1.5]
    with pytest.raises(InputError, match="target/left"):
        stimuli(recording, "standard")
    plain = Recording("r.fif", mne.io.RawArray(data[1:2], mne.create_info(["C3"], 250, "eeg")))
    with pytest.raises(InputError, match="no ECG channel to find R peaks on, and no heartbeat was seen"):
        r_peaks(plain)
    with pytest.raises(InputError, match="neither an EOG channel"):
        blinks(plain)


def test_r_peaks_without_an_ecg_channel() -> None:
    """What EEG has of the heart, as the gate finds it, on the recording's own time line."""
    rng = np.random.default_rng(2)
    names = ["Fp1", "F7", "F8", "C3", "Cz", "C4", "P3", "Pz", "P4", "O1", "O2", "T7"]
    t = np.arange(120 * 250) / 250
    beats = np.cumsum(rng.uniform(0.75, 1.0, 130)) + 0.5
    beats = beats[beats < 119]
    wave = sum(np.exp(-0.5 * ((t - b) / 0.012) ** 2) for b in beats) * 30e-6
    field = np.linspace(-1, 1, len(names))[:, None]
    data = field * wave + 6e-6 * rng.normal(size=(len(names), len(t)))
    recording = Recording("r.fif", mne.io.RawArray(data, mne.create_info(names, 250, "eeg")))
    found = r_peaks(recording)
    near = np.abs(found[:, None] - beats[None]).min(1)
    assert (near < 0.05).mean() > 0.9
    assert (np.abs(beats[:, None] - found[None]).min(1) < 0.05).mean() > 0.6


def test_lags_are_those_that_windows_have() -> None:
    e = explained_of(np.random.default_rng(0).normal(size=4000), gap=True)  # windows of 2 s every 5 s
    starts = np.arange(20) * 5.0
    assert fitting(e, starts, 0.2, 0.8) == pytest.approx((0.0, 0.8))
    assert fitting(e, starts + 0.1, 0.2, 5.0) == pytest.approx((0.1, 1.89))
    assert fitting(e, starts + 3.0, 0.2, 0.8) == (0.0, 0.0)
    assert fitting(e, starts + 0.5, 0.2, 0.8) == pytest.approx((0.2, 0.8))


def test_bursts_of_events_and_a_drift_are_not_a_lock() -> None:
    """Most events lie in the half where relevance is larger; nothing follows any of them."""
    near, anywhere = [], []
    for seed in range(20):
        rng = np.random.default_rng(1000 + seed)
        e = explained_of(np.where(np.arange(8000) < 4000, 2.0, 1.0) * rng.normal(size=8000))
        events = np.concatenate([rng.uniform(1, 39, 40), rng.uniform(41, 78, 10)])
        near.append(event_locked(e, events, resamples=200).p)
        anywhere.append(event_locked(e, events, resamples=200, jitter=math.inf).p)
    assert sum(q < 0.05 for q in near) <= 4
    assert sum(q < 0.05 for q in anywhere) >= 15  # what the jitter is for


def test_unrelated_events_lie_within_the_null(beating: tuple[np.ndarray, np.ndarray]) -> None:
    line, _ = beating
    e = explained_of(line)
    inside = []
    for seed in range(10):
        found = event_locked(
            e, np.random.default_rng(40 + seed).uniform(1, 78, 50), signed=True, resamples=400
        )
        inside.append(((found.mean >= found.null_low) & (found.mean <= found.null_high)).mean())
    assert np.mean(inside) == pytest.approx(0.95, abs=0.04)


def test_events_that_cannot_be_moved(beating: tuple[np.ndarray, np.ndarray]) -> None:
    """Windows that start at the event leave no room: their own courses are shifted in a circle."""
    starts = np.arange(20) * 5.0
    p = []
    for seed in range(20):
        e = explained_of(np.random.default_rng(seed).normal(size=4000), gap=True)  # 2 s, gaps between
        found = event_locked(e, starts, before=0.0, after=1.97, resamples=200)
        assert "shifted in a circle" in found.notes[0]
        assert found.events == 20
        p.append(found.p)
    assert sum(q <= 0.05 for q in p) <= 4
    line = np.random.default_rng(0).normal(size=(20, 200))
    line[:, 70:80] *= 6
    found = event_locked(explained_of(line.ravel(), gap=True), starts, before=0.0, after=1.97)
    assert found.p <= 0.05
    assert found.peak == pytest.approx(0.745, abs=0.06)
    assert "largest at +0." in found.said()
    e = explained_of(beating[0], gap=True)
    assert event_locked(e, starts, before=0.0, after=1.0).events == 20
    assert event_locked(e, starts, before=0.0, after=1.0).notes == ()
    with pytest.raises(InputError, match="jitter"):
        event_locked(e, starts, jitter=0.0)
