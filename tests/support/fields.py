"""Windows of which it is known what is in them: noise, noise like the brain's, smooth fields."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from onnxplain.eeg.electrodes.names import template_positions
from onnxplain.eeg.exchange.parts import frequencies

Floats = NDArray[np.float64]
SFREQ, N = 250.0, 500
TIMES = np.arange(N) / SFREQ
SMALL = ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T7", "T8", "P7", "P8")
CAP19 = (*SMALL, "Fz", "Cz", "Pz")
CAP32 = (
    *CAP19,
    *("FC5", "FC1", "FC2", "FC6", "CP5", "CP1", "CP2", "CP6", "FT9", "FT10", "POz", "PO3", "PO4"),
)


def noise(windows: int = 6, channels: int = 8, n: int = N, seed: int = 0) -> Floats:
    """Windows whose offsets and sizes differ."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 10, (windows, channels, n)) * rng.uniform(0.5, 2, (windows, channels, 1))
    return x + rng.normal(0, 20, (windows, channels, 1))


def background(windows: int, channels: int, n: int, seed: int, power: float = 1.0) -> Floats:
    """Noise whose power falls with frequency, as the brain's does."""
    rng = np.random.default_rng(seed)
    f = np.maximum(frequencies(n, SFREQ), 1.0)
    return np.asarray(fft.idct(rng.normal(0, 10, (windows, channels, n)) / f ** (power / 2), norm="ortho"))


def field(cap: tuple[str, ...], windows: int, seed: int, wide: float = 0.05, n: int = N) -> Floats:
    """Smooth fields over the head: many sources, each seen by the electrodes around it; a little noise."""
    rng = np.random.default_rng(seed)
    there = template_positions(cap)
    at = np.array([there[c] for c in cap])
    sources = at[rng.integers(0, len(cap), 60)] + rng.normal(0, 0.02, (60, 3))
    mix = np.exp(-((np.linalg.norm(at[:, None] - sources[None], axis=-1) / wide) ** 2) / 2)
    courses = background(windows, 60, n, seed + 1)
    x = np.einsum("cs,nst->nct", mix * rng.uniform(0.5, 2, 60), courses)
    return np.asarray(x + rng.normal(0, 0.05 * x.std(), x.shape))
