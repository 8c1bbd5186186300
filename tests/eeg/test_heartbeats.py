"""Hearts in simulated EEG: found from some size on, and not where there is none.

All of it is simulated at 128, 200 or 256 Hz, in windows of 1, 2 or 4 s, with or without breaks in between.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from onnxplain.eeg.artefacts.heartbeats import best, pulse
from onnxplain.eeg.artefacts.parts import HEART_ABOVE, HEART_BELOW, lowpass
from onnxplain.eeg.artefacts.trains import DEAD, likelihood, locked, segments, starts_of

Floats = NDArray[np.float64]
Rng = np.random.Generator


def _field(rng: Rng, channels: int) -> Floats:
    field = rng.normal(size=channels)
    return np.asarray(field / np.abs(field).max())[:, None]


def _shaped(rng: Rng, rows: int, n: int, gain: Callable[[Floats], Floats], sfreq: float) -> Floats:
    f = np.fft.rfftfreq(n, 1 / sfreq)
    x = np.fft.irfft((rng.normal(size=(rows, len(f), 2)) @ [1, 1j]) * gain(f), n)
    return np.asarray(x / x.std(-1, keepdims=True))


def _brain(rng: Rng, channels: int, n: int, sfreq: float) -> Floats:
    """Noise with a spectrum of 1/f, 9 microvolt, that electrodes share, and their own of 1.5."""
    sources = _shaped(rng, max(channels, 6), n, lambda f: 1 / np.maximum(f, 0.5) ** 0.6, sfreq)
    x = rng.normal(size=(channels, len(sources))) @ sources
    return np.asarray(9 * x / x.std() + rng.normal(0, 1.5, x.shape))


def _beats(rng: Rng, n: int, sfreq: float, rate: float) -> Floats:
    """R peaks, 30 ms wide, with Q and S; intervals vary by 5 % and with the breath."""
    t, course, at = np.arange(n) / sfreq, np.zeros(n), rng.uniform(0, 1)
    while at < t[-1]:
        for size, shift in ((1.0, 0.0), (-0.2, -0.028), (-0.25, 0.028)):
            course += size * np.exp(-0.5 * ((t - at - shift) / 0.014) ** 2)
        at += 60 / rate * (1 + 0.05 * rng.normal() + 0.04 * np.sin(np.pi * at / 2))
    return course


def _other(kind: str, rng: Rng, channels: int, n: int, sfreq: float) -> Floats:
    t = np.arange(n) / sfreq
    field = _field(rng, channels)
    if kind == "alpha":
        return field * _shaped(rng, 1, n, lambda f: (f > 9) & (f < 11), sfreq) * rng.uniform(8, 25)
    if kind == "mu":  # arches: not the same upside down
        phase = 2 * np.pi * 10 * t + np.cumsum(rng.normal(0, 0.15, n))
        envelope = np.abs(_shaped(rng, 1, n, lambda f: f < 1, sfreq))
        return np.asarray(field * (np.abs(np.cos(phase / 2)) ** 0.8 - 0.6) * envelope * rng.uniform(15, 40))
    if kind == "line":
        return np.asarray(rng.uniform(2, 30, (channels, 1)) * np.sin(2 * np.pi * 50 * t))
    course, at = np.zeros(n), rng.uniform(0.5, 3)
    while at < t[-1]:
        if kind == "spindles":
            course += 30 * np.exp(-0.5 * ((t - at) / 0.3) ** 2) * np.sin(2 * np.pi * 13 * t)
            at += rng.uniform(2, 8)
        elif kind == "blinks":
            course += rng.uniform(80, 180) * np.exp(-0.5 * ((t - at) / rng.uniform(0.05, 0.08)) ** 2)
            at += rng.uniform(1, 5)
        elif kind == "twitches":  # as short as beats, and at any time
            course += rng.uniform(30, 60) * np.exp(-0.5 * ((t - at) / 0.02) ** 2)
            at += 0.2 + rng.exponential(0.8)
        else:
            length = rng.uniform(0.1, 0.6)
            course += (t >= at) & (t < at + length)
            at += length + rng.uniform(0.2, 3)
    if kind == "muscle":
        return np.asarray(field * course * _shaped(rng, channels, n, lambda f: f > 20, sfreq) * 50)
    return np.asarray(field * course)


def _cut(x: Floats, sfreq: float, length: float, gap: float, n: int) -> tuple[Floats, Floats]:
    """What the search gets: windows between `HEART_ABOVE` and `HEART_BELOW`, and their onsets."""
    samples, step = round(length * sfreq), round((length + gap) * sfreq)
    windows = np.stack([x[:, i * step : i * step + samples] for i in range(n)])
    fast = windows - lowpass(windows, sfreq, HEART_ABOVE)
    return lowpass(fast, sfreq, HEART_BELOW), np.arange(n) * step / sfreq


def _case(
    seed: int, length: float, sfreq: float, *, size: float = 0.0, rate: float = 70.0, kind: str = "",
    channels: int = 12, gap: float = 0.5, n: int = 64,
) -> tuple[Floats, Floats]:  # fmt: skip
    rng = np.random.default_rng([seed, *kind.encode()])
    samples = round((length + gap) * sfreq) * n + 10
    x = _brain(rng, channels, samples, sfreq)
    if kind:
        x += _other(kind, rng, channels, samples, sfreq)
    if size:
        x += size * _field(rng, channels) * _beats(rng, samples, sfreq, rate)
    return _cut(x, sfreq, length, gap, n)


@pytest.mark.parametrize(
    ("length", "size", "rate", "sfreq"),
    [
        (1.0, 20.0, 50.0, 128.0),
        (1.0, 60.0, 110.0, 200.0),
        (2.0, 12.0, 72.0, 200.0),
        pytest.param(1.0, 20.0, 72.0, 256.0, marks=pytest.mark.long),
        pytest.param(2.0, 12.0, 110.0, 256.0, marks=pytest.mark.long),
        pytest.param(4.0, 12.0, 50.0, 256.0, marks=pytest.mark.long),
    ],
)
def test_a_heart_is_found(length: float, size: float, rate: float, sfreq: float) -> None:
    fast, onsets = _case(1, length, sfreq, size=size, rate=rate, kind="alpha")
    found = pulse(fast, sfreq, None, onsets)
    assert found is not None
    there = 64 * length * rate / 60
    assert 0.7 * there < len(found) < 1.2 * there


def test_a_faint_heart_is_not_made_up() -> None:
    assert pulse(*_only(_case(1, 2.0, 200.0, size=1.0), 200.0)) is None


@pytest.mark.parametrize("kind", ["", "alpha", "mu", "line", "spindles", "blinks", "twitches", "muscle"])
@pytest.mark.parametrize(
    ("length", "sfreq", "gap"),
    [(1.0, 128.0, 0.0), pytest.param(2.0, 200.0, 0.5, marks=pytest.mark.long)],
)
def test_there_is_none(kind: str, length: float, sfreq: float, gap: float) -> None:
    fast, onsets = _case(0, length, sfreq, kind=kind, gap=gap, channels=8)
    assert pulse(fast, sfreq, None, onsets) is None


def test_responses_to_a_stimulus_in_every_window_are_no_beats() -> None:
    """As short, as tall and as regular as beats, and always at one time of the window."""
    rng = np.random.default_rng(0)
    n, sfreq = 64, 200.0
    x = _brain(rng, 8, n * 200, sfreq)
    t = np.arange(n * 200) / sfreq
    at = 0.3 + np.arange(n) + rng.normal(0, 0.02, n)
    response = sum(np.exp(-0.5 * ((t - a) / 0.015) ** 2) for a in at)
    fast, onsets = _cut(x + 60 * _field(rng, 8) * response, sfreq, 1.0, 0.0, n)
    found = best(fast, sfreq, starts_of(n, 1.0, onsets, None))
    assert found is not None
    assert found.ratio > 14
    assert not found.holds()


def test_a_person_whose_heart_is_seen_beside_one_whose_heart_is_not() -> None:
    mine, onsets = _case(3, 2.0, 200.0, size=40.0, rate=60.0)
    other, _ = _case(4, 2.0, 200.0)
    found = pulse(np.concatenate([mine, other]), 200.0, ["a"] * 64 + ["b"] * 64, np.tile(onsets, 2))
    assert found is not None
    assert {i for i, _ in found} <= set(range(64))
    assert len(found) > 90


def test_one_electrode_tells_a_heart_too() -> None:
    fast, onsets = _case(2, 2.0, 200.0, size=60.0, kind="alpha", channels=1)
    assert pulse(fast, 200.0, None, onsets) is not None
    fast, onsets = _case(2, 2.0, 200.0, kind="alpha", channels=1)
    assert pulse(fast, 200.0, None, onsets) is None


def test_trains_that_are_regular_are_likelier_as_hearts() -> None:
    rng = np.random.default_rng(1)
    alone = np.arange(40)

    def ratio(draw: Callable[[], float]) -> float:
        found = []
        for i in range(40):
            at = rng.uniform(0, 0.8)
            while at < 2.0:
                found.append((i, int(at * 200)))
                at += draw()
        return likelihood(segments(found, alone, 400, 200.0))[0]

    assert ratio(lambda: rng.normal(0.8, 0.05)) > 30
    assert ratio(lambda: DEAD + rng.exponential(0.5)) < 5
    assert ratio(lambda: rng.normal(0.8, 0.05) * rng.choice([1, 2], p=[0.85, 0.15])) > 10  # some are missed


def test_one_window_has_no_halves() -> None:
    """Filters are made on half of the windows and tried on the other."""
    signal = np.random.default_rng(0).normal(0, 10, (1, 4, 1000))
    signal[0, :, 100::200] += 200
    assert pulse(signal, 200.0, None, np.zeros(1)) is None


def test_windows_that_follow_each_other_are_one_segment() -> None:
    onsets = np.array([0.0, 1.0, 2.0, 4.0, 5.0, 0.0])
    assert starts_of(6, 1.0, onsets, None).tolist() == [0, 0, 0, 3, 3, 5]
    assert starts_of(6, 1.0, onsets, ["a", "b", "b", "b", "b", "b"]).tolist() == [0, 1, 1, 3, 3, 5]
    found = segments([(0, 150), (1, 50), (3, 20)], starts_of(6, 1.0, onsets, None), 200, 200.0)
    assert found.gaps.tolist() == [0.5]
    assert found.length.tolist() == [3.0, 2.0, 1.0]
    assert np.isnan(found.first[2])


def test_beats_fall_anywhere_in_windows() -> None:
    rng = np.random.default_rng(0)
    assert locked([(0, int(t)) for t in rng.uniform(0, 400, 100)], 400, 200.0) < 0.5
    assert locked([(0, int(t)) for t in rng.normal(200, 10, 100)], 400, 200.0) > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_as_many_beats_a_second_as_windows(seed: int) -> None:
    """They walk slowly through windows without breaks, and are a heart's all the same."""
    fast, onsets = _case(seed, 1.0, 128.0, size=40.0, rate=60.0, gap=0.0, channels=6)
    assert pulse(fast, 128.0, None, onsets) is not None


def _only(case: tuple[Floats, Floats], sfreq: float) -> tuple[Floats, float, None, Floats]:
    return case[0], sfreq, None, case[1]
