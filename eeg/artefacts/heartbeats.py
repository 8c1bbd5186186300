"""Heartbeats in EEG without an ECG: sharp peaks that come regularly, in some combination of electrodes.

Independent components (FastICA, Hyvärinen 1999) give candidates. Each is sharpened to a matched filter: the
field and the course that its peaks have in common, against the covariance of everything else. The candidate
whose intervals are the most regular for their number is the heart, if they are as regular as hearts are.
"""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import signal as sg

Floats = NDArray[np.float64]
Beats = list[tuple[int, int]]

BEAT = (0.45, 1.6)  # seconds between two beats
WIDTH = 0.06  # seconds on each side of a peak that a matched filter looks at
HEIGHT = 5.0  # a peak's, over the usual size
# Standard deviation over mean of intervals: a heart at rest varies by 0.03 to 0.1, with every breath; peaks
# that come by chance in windows of some seconds by 0.3 and more.
REGULAR, CHANCE = 0.15, 0.35
FEWEST = 8  # intervals


def beats(course: Floats, sfreq: float, height: float = HEIGHT) -> Beats:
    """(window, sample) of peaks of the larger side, at least a heartbeat apart.

    Parameters
    ----------
    course : ndarray, shape (window, time)
    sfreq : float
        Hertz.
    height : float
        In median absolute values of the course.
    """
    usual = float(np.median(np.abs(course))) or 1e-12
    side = 1 if np.quantile(course, 0.999) > -np.quantile(course, 0.001) else -1
    found = []
    for i, one in enumerate(course):
        peaks, _ = sg.find_peaks(side * one, height=height * usual, distance=max(1, round(BEAT[0] * sfreq)))
        found += [(i, int(t)) for t in peaks]
    return found


def pulse(fast: Floats, sfreq: float) -> Beats | None:
    """The heart's beats.

    Parameters
    ----------
    fast : ndarray, shape (window, channel, time)
        Microvolt, from about 4 to 25 Hz.
    sfreq : float
        Hertz.

    Returns
    -------
    list of (int, int) or None
        Window and sample of each; None where nothing is regular enough.
    """
    n, channels, samples = fast.shape
    flat = fast.swapaxes(0, 1).reshape(channels, -1)
    sources = _sources(flat)
    spread = np.atleast_2d(np.cov(flat))
    spread += np.trace(spread) / channels * 1e-2 * np.eye(channels)
    best: tuple[float, Beats] | None = None
    for course in sources:
        found = _sharpened(fast, beats(course.reshape(n, samples), sfreq), spread, sfreq)
        score = _regularity(found, sfreq)
        if score > 0 and (best is None or score > best[0]):
            best = (score, found)
    return None if best is None else best[1]


def _sources(flat: Floats) -> Floats:
    """Candidates, shape (source, sample)."""
    if len(flat) < 3:
        return flat
    from sklearn.decomposition import FastICA

    k = min(len(flat) - 1, 12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ica = FastICA(k, random_state=0, max_iter=200, tol=1e-3, whiten="unit-variance")
        return np.asarray(ica.fit_transform(flat.T).T)


def _sharpened(fast: Floats, found: Beats, spread: Floats, sfreq: float, rounds: int = 2) -> Beats:
    """Peaks of the matched filter of what the peaks have in common."""
    half = round(WIDTH * sfreq)
    for _ in range(rounds):
        inside = [(i, t) for i, t in found if half <= t < fast.shape[-1] - half]
        if len(inside) < FEWEST:
            return []
        mean = np.mean([fast[i, :, t - half : t + half + 1] for i, t in inside], axis=0)
        fields, _, courses = np.linalg.svd(mean - mean.mean(1, keepdims=True), full_matrices=False)
        seen = np.einsum("c,nct->nt", np.linalg.solve(spread, fields[:, 0]), fast)
        found = beats(sg.fftconvolve(seen, courses[:1, ::-1], mode="same", axes=-1), sfreq)
    return found


def _regularity(found: Beats, sfreq: float) -> float:
    """How much more regular than chance, times the number of intervals; 0 for what is no heart."""
    gaps = np.array([(b - a) / sfreq for (i, a), (j, b) in pairwise(found) if i == j])
    if len(gaps) < FEWEST or np.mean((gaps > BEAT[0]) & (gaps < BEAT[1])) <= 0.9:
        return 0.0
    # Rates differ between subjects, and drift: intervals are held against their neighbours'.
    k = min(9, len(gaps) - 1 + len(gaps) % 2)
    usual = sg.medfilt(np.pad(gaps, k // 2, mode="symmetric"), k)[k // 2 : k // 2 + len(gaps)]
    varies = max(float(np.std(gaps / usual - 1)), 1e-3)
    return len(gaps) * float(np.log(CHANCE / varies)) if varies < REGULAR else 0.0
