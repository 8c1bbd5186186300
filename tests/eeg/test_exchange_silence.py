"""Silent moments: padding and lost data, before filters and behind them; a quiet brain is none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal as sg

from onnxplain.eeg.exchange.silence import SilencePart

SFREQ = 200.0
PART = SilencePart(SFREQ)


def eeg(seed: int, n: int = 6) -> np.ndarray:
    """Noise as EEG has it: more of what is slow, and an alpha rhythm that comes and goes."""
    rng = np.random.default_rng(seed)
    x = sg.lfilter([1], [1, -0.95], rng.normal(0, 2, (n, 12, 400)), axis=-1)
    t = np.arange(400) / SFREQ
    comes = np.abs(np.sin(2 * np.pi * 0.4 * t + rng.uniform(0, 6, (n, 1, 1))))
    return np.asarray(x + 12 * comes * np.sin(2 * np.pi * 10 * t))


def padded(x: np.ndarray, first: int = 280) -> np.ndarray:
    """Zeros from a sample on."""
    return np.where(np.arange(x.shape[-1]) >= first, 0.0, x)


def filtered(x: np.ndarray) -> np.ndarray:
    """As a contract's filters leave it."""
    return np.asarray(sg.sosfiltfilt(sg.butter(4, [0.5, 40], "band", fs=SFREQ, output="sos"), x, axis=-1))


@pytest.mark.parametrize("through", [lambda x: x, filtered], ids=["as it is", "filtered"])
def test_padding_is_found_and_exchanged(through: object) -> None:
    x, z = eeg(0), through(padded(eeg(1)))  # type: ignore[operator]
    size = PART.size(z)[:, 0]
    assert (np.abs(size - 0.3) < 0.08).all()
    got = PART.swap(x, z)
    assert (got[..., 310:] == 0).all()
    np.testing.assert_array_equal(got[..., :250], x[..., :250])
    back = PART.swap(z, x)
    np.testing.assert_array_equal(back[..., 310:], x[..., 310:])


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x,
        filtered,
        lambda x: x * 0.01,  # a small gain
        lambda x: x * np.linspace(1, 0.4, 400),  # a rhythm that fades
        lambda x: np.where(np.arange(12)[:, None] == 4, 0.0, x),  # one dead electrode
        lambda x: np.round(x / 2) * 2,  # coarse
    ],
)
def test_nothing_else_is_taken_for_it(change: object) -> None:
    assert PART.size(change(eeg(2))).max() == 0  # type: ignore[operator]


def test_two_silent_windows_stay() -> None:
    x, z = padded(eeg(3)), padded(eeg(4))
    got = PART.swap(x, z)
    np.testing.assert_array_equal(got[..., :260], x[..., :260])
    assert np.abs(got[..., 300:]).max() == 0
