"""Resampling that is exact in time: sample k of the result is at k / rate, however long the recording.

The rate of a recording need not go with the model's: clocks that were measured (LSL), devices at 600.615 Hz,
records of 1.0001 s. A ratio of small numbers that is a little wrong adds up to whole windows over an hour.
"""

from __future__ import annotations

from fractions import Fraction

import mne
import numpy as np
from numpy.typing import NDArray
from scipy.signal.windows import kaiser

Signal = NDArray[np.float64]

_DRIFT = 0.01  # sample at the end, at most, for a ratio that stands for another
_CROSSINGS = 32  # of the sinc, on either side
_BETA = 8.0  # of its Kaiser window
_PASSED = 0.95  # of the smaller Nyquist frequency
_AT_A_TIME = 4096


def resample(x: Signal, sfreq: float, rate: float) -> Signal:
    """Resample along the last axis, exactly in time.

    MNE's FFT method pads to a power of two and rounds its length, which shifts the signal by part of a
    sample; the polyphase method is exact once the length is a multiple of the ratio's denominator, where the
    ratio has a small one. For other ratios each sample is a windowed sinc's, at its own time.

    Parameters
    ----------
    x : ndarray, shape (..., time)
    sfreq, rate : float
        Old and new sampling rate in Hz.
    """
    n = x.shape[-1]
    ratio = Fraction(rate / sfreq).limit_denominator(1000)
    up, down = ratio.numerator, ratio.denominator
    if up == 0 or abs(up * sfreq / (down * rate) - 1) * n * max(1.0, rate / sfreq) > _DRIFT:
        return _interpolated(x, sfreq, rate)
    if up == down:
        return np.array(x, dtype=np.float64)
    more = -n % down
    width = [(0, 0)] * (x.ndim - 1) + [(0, more)]
    whole = np.pad(x, width, mode="reflect", reflect_type="odd") if more else x
    out = mne.filter.resample(whole, up=up, down=down, method="polyphase", verbose="warning")
    return np.asarray(out[..., : round(n * up / down)], dtype=np.float64)


def _interpolated(x: Signal, sfreq: float, rate: float) -> Signal:
    """By a windowed sinc at each new sample's time; it passes what both rates can have."""
    n = x.shape[-1]
    new = round(n * rate / sfreq)
    cutoff = _PASSED * min(1.0, rate / sfreq)  # in units of the old Nyquist frequency
    half = int(np.ceil(_CROSSINGS / cutoff))
    flat = x.reshape(-1, n)
    padded = np.pad(flat, [(0, 0), (half, half + 1)], mode="reflect", reflect_type="odd")
    # The window between its samples, by linear interpolation of a fine table.
    table = kaiser(64 * half * 2 + 1, _BETA)
    fine = np.linspace(-half, half, len(table))
    taps = np.arange(-half + 1, half + 1)
    out = np.empty((len(flat), new))
    for first in range(0, new, _AT_A_TIME):
        at = np.arange(first, min(first + _AT_A_TIME, new)) * (sfreq / rate)
        base = np.floor(at).astype(np.int64)
        away = (at - base)[:, None] - taps
        weight = np.sinc(cutoff * away) * np.interp(away, fine, table)
        weight /= weight.sum(-1, keepdims=True)
        near = base[:, None] + taps + half
        for channel, row in zip(out, padded, strict=True):
            channel[first : first + len(at)] = np.einsum("kt,kt->k", row[near], weight)
    return out.reshape(*x.shape[:-1], new)
