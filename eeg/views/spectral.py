"""Relevance by frequency: spectra, bands in time, and time by frequency. Bands are in `explanation.bands`.

With the multiplier m at the model's input x, relevance in any linear basis is free and exact, and nothing
is divided by x: for R(t) = x(t) m(t), Parseval gives
``sum over t of R = sum over f of w_f Re(conj(X_f) M_f) / N`` with X and M the real Fourier transforms, and
w = 1 for the constant and (N even) the Nyquist bin, 2 elsewhere. Each view is a partition: it sums to the
relevance it came from. Where a composite leaves relevance at the input without a multiplier, that part is a
band of its own, "unassigned".
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.signal.windows import hann

from ...engine.errors import InputError
from ..explanation.bands import (
    UNASSIGNED,
    band_coords,
    blocks,
    by_frequency,
    masks_of,
    named,
    signals_of,
    unassigned_of,
    weight_of,
)
from ..explanation.explained import Explained

Floats = NDArray[np.float64]


def spectrum(explained: Explained) -> xr.DataArray:
    """Relevance of every frequency.

    Parameters
    ----------
    explained : Explained

    Returns
    -------
    xarray.DataArray, dims (epoch, channel, frequency)
        Sums over frequency to ``x m`` summed over time.

    Raises
    ------
    InputError
        There is no multiplier.
    """
    x, m = signals_of(explained)
    n = x.shape[-1]
    found = np.concatenate([by_frequency(x[s], m[s]) for s in blocks(len(x))])
    frequency = np.fft.rfftfreq(n, 1 / explained.windows.sfreq)
    return named(explained, found, ("frequency",), {"frequency": ("frequency", frequency, {"units": "Hz"})})


def band_time(explained: Explained, edges: Mapping[str, tuple[float, float]] | None = None) -> xr.DataArray:
    """Relevance by band and time: the signal of each band times the multiplier.

    The bands of the signal add up to the signal, so these add up to ``x m`` at every sample. A band's sum
    over time is that of `bands`: only what the multiplier has in the same band survives the sum. Within the
    window, products of unlike frequencies oscillate and need not vanish.

    Parameters
    ----------
    explained : Explained
    edges : dict of str to (float, float), optional

    Returns
    -------
    xarray.DataArray, dims (epoch, channel, band, time)

    Raises
    ------
    InputError
        There is no multiplier; or an edge makes no sense.
    """
    x, m = signals_of(explained)
    n = x.shape[-1]
    masks = masks_of(n, explained.windows.sfreq, edges)
    parts = []
    for s in blocks(len(x)):
        X = np.fft.rfft(x[s])
        parts.append(np.stack([np.fft.irfft(X * inside, n) * m[s] for inside in masks.values()], -2))
    found, names = np.concatenate(parts), [*masks]
    left = unassigned_of(explained)
    if left is not None:
        found, names = np.concatenate([found, left[..., None, :]], -2), [*names, UNASSIGNED]
    coords = {**band_coords(names, edges), "time": ("time", explained.windows.times, {"units": "s"})}
    return named(explained, found, ("band", "time"), coords)


def time_frequency(
    explained: Explained, *, seconds: float = 0.5, overlap: float = 0.75, mean: bool = False
) -> xr.DataArray:
    """Relevance by time and frequency.

    Windows g of Hann's shape slide over the signal. With S(t) the sum of their squares, which padding keeps
    above 0, ``R_kf = w_f Re(conj(rfft(g_k x)) rfft(g_k m / S)) / L`` adds up to the sum of ``x m``.

    Parameters
    ----------
    explained : Explained
    seconds : float
        Length of a window; frequencies are 1 / seconds apart.
    overlap : float
        Of neighbouring windows, 0.5 or more and below 1.
    mean : bool
        The mean over epochs, without the others in memory.

    Returns
    -------
    xarray.DataArray, dims ([epoch,] channel, frame, frequency)

    Raises
    ------
    InputError
        There is no multiplier; or the windows do not fit.
    """
    x, m = signals_of(explained)
    sfreq, n = explained.windows.sfreq, x.shape[-1]
    length = round(seconds * sfreq) if np.isfinite(seconds) else 0
    if not 4 <= length <= n or not 0.5 <= overlap < 1:
        raise InputError(
            f"time-frequency: windows of {seconds:g} s that overlap by {overlap:g} do not fit a window of "
            f"{n / sfreq:g} s (4 samples or more, overlap 0.5 or more and below 1)"
        )
    hop = max(1, round(length * (1 - overlap)))
    g = hann(length, sym=False)
    starts = np.arange(-(length - 1), n, hop)
    at = starts[:, None] + np.arange(length)  # [frame, sample] in the signal's own time
    before, after = -int(at.min()), max(0, int(at.max()) + 1 - n)
    squares = np.zeros(before + n + after)
    np.add.at(squares, (at + before).ravel(), np.tile(g**2, len(at)))
    pad = ((0, 0), (0, 0), (before, after))
    weight = weight_of(length)
    total: Floats | None = None
    parts = []
    for s in blocks(len(x), 8):
        # Outside the signal both are 0, and what S is there does not matter.
        share = np.pad(m[s], pad) / np.where(squares > 0, squares, 1.0)
        X = np.fft.rfft(np.pad(x[s], pad)[..., at + before] * g)
        M = np.fft.rfft(share[..., at + before] * g)
        r = weight * np.real(np.conj(X) * M) / length
        if mean:
            total = r.sum(0) if total is None else total + r.sum(0)
        else:
            parts.append(r)
    found = np.concatenate(parts) if total is None else total / len(x)
    coords = {
        "frame": ("frame", (starts + length / 2) / sfreq, {"units": "s", "long_name": "centre"}),
        "frequency": ("frequency", np.fft.rfftfreq(length, 1 / sfreq), {"units": "Hz"}),
    }
    return named(explained, found, ("frame", "frequency"), coords, epochs=not mean)
