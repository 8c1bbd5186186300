"""Courses in time: bumps, rhythms, bursts, beats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from shared import shaped

Array = NDArray[np.float64]


def bump(t: Array, start: float, stop: float, rise: float) -> Array:
    """0, then 1 from `start` to `stop` seconds, with smooth flanks `rise` seconds wide."""
    up = np.clip((t - start) / rise, 0, 1)
    down = np.clip((t - stop) / rise, 0, 1)
    return np.asarray((up * up * (3 - 2 * up)) * (1 - down * down * (3 - 2 * down)))


def peak(t: Array, at: float, width: float) -> Array:
    """A smooth deflection of 1 at `at` seconds."""
    return np.asarray(np.exp(-0.5 * ((t - at) / width) ** 2))


def rhythm(rng: np.random.Generator, n: int, rows: int, sfreq: float, centre: float, width: float) -> Array:
    """Narrow-band rhythms of unit power that wax and wane."""
    f = np.fft.rfftfreq(n, 1 / sfreq)
    return shaped(rng, n, rows, np.exp(-0.5 * ((f - centre) / width) ** 2))


def emg(rng: np.random.Generator, n: int, rows: int, sfreq: float) -> Array:
    """Muscle of unit power: broad, above 20 Hz."""
    f = np.fft.rfftfreq(n, 1 / sfreq)
    return shaped(rng, n, rows, np.clip((f - 18) / 15, 0, 1) * np.exp(-f / 80))


def ecg(t: Array, beats: Array) -> Array:
    """R peaks of height 1 at `beats`, each with its small S and its slow T wave."""
    out = np.zeros(len(t))
    for b in beats:
        near = slice(*np.searchsorted(t, [b - 0.15, b + 0.5]))
        s = t[near] - b
        out[near] += np.exp(-0.5 * (s / 0.012) ** 2) - 0.25 * np.exp(-0.5 * ((s - 0.03) / 0.012) ** 2)
        out[near] += 0.2 * np.exp(-0.5 * ((s - 0.25) / 0.05) ** 2)
    return out


def beats(rng: np.random.Generator, start: float, stop: float, rate: float) -> Array:
    """Times of heartbeats, `rate` of them a second, unevenly."""
    n = int((stop - start) * rate * 1.5) + 3
    at = start + rng.uniform(0, 1 / rate) + np.cumsum(rng.normal(1 / rate, 0.04 / rate, n))
    return np.asarray(at[at < stop])
