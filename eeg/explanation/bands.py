"""Relevance by frequency band.

With the multiplier m at the model's input x, relevance in any linear basis is free and exact, and nothing
is divided by x: for R(t) = x(t) m(t), Parseval gives
``sum over t of R = sum over f of w_f Re(conj(X_f) M_f) / N`` with X and M the real Fourier transforms, and
w = 1 for the constant and (N even) the Nyquist bin, 2 elsewhere. Bands are a partition: they sum to the
relevance they came from. Of a difference x is how far the signal is from a
reference, and bands are the mean over references. Where a composite leaves relevance at the input without a
multiplier, that part is a band of its own, "unassigned".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...engine.errors import InputError
from ..text import plain
from .explained import Explained
from .pairs import mean_of
from .shares import REST

Floats = NDArray[np.float64]

# Half-open, in Hz; alpha is mu over the sensorimotor cortex.
BANDS: Mapping[str, tuple[float, float]] = {
    "delta": (1.0, 4.0),
    "theta": (4.0, 8.0),
    "alpha/mu": (8.0, 13.0),
    "beta": (13.0, 30.0),
    "gamma": (30.0, 45.0),
}
UNASSIGNED = "unassigned"


def bands(explained: Explained, edges: Mapping[str, tuple[float, float]] | None = None) -> xr.DataArray:
    """Relevance by band.

    Parameters
    ----------
    explained : Explained
    edges : dict of str to (float, float), optional
        Half-open bands in Hz, `BANDS` by default. What lies in none is the band "rest".

    Returns
    -------
    xarray.DataArray, dims (epoch, channel, band)
        Sums over bands to the electrode view. Coordinates lower and upper.

    Raises
    ------
    InputError
        There is no multiplier; or an edge makes no sense.
    """
    masks = masks_of(explained.relevance.shape[-1], explained.windows.sfreq, edges)

    def split(x: Floats, m: Floats) -> Floats:
        r = by_frequency(x, m)
        return np.stack([r[..., inside].sum(-1) for inside in masks.values()], -1)

    found = mean_of(explained, split)
    left = unassigned_of(explained)
    names = [*masks]
    if left is not None:
        found, names = np.concatenate([found, left.sum(-1)[..., None]], -1), [*names, UNASSIGNED]
    return named(explained, found, ("band",), band_coords(names, edges))


def unassigned_of(explained: Explained) -> Floats | None:
    """Relevance at the input without a multiplier, [epoch, channel, time]; None where there is none."""
    data = explained.dataset
    return data["unassigned"].values.astype(np.float64) if "unassigned" in data else None


def weight_of(n: int) -> Floats:
    """How often each frequency of n samples counts: twice but for the constant and Nyquist."""
    weight = np.full(n // 2 + 1, 2.0)
    weight[0] = 1.0
    if n % 2 == 0:
        weight[-1] = 1.0
    return weight


def by_frequency(x: Floats, m: Floats) -> Floats:
    """Relevance of every frequency of ``x m``: ``w_f Re(conj(X_f) M_f) / N``, over the last axis.

    Parameters
    ----------
    x, m : ndarray, shape (..., time)

    Returns
    -------
    ndarray, shape (..., time // 2 + 1)
        Sums to ``x m`` summed over time.
    """
    n = x.shape[-1]
    return np.asarray(weight_of(n) * np.real(np.conj(np.fft.rfft(x)) * np.fft.rfft(m)) / n)


def masks_of(
    n: int, sfreq: float, edges: Mapping[str, tuple[float, float]] | None = None
) -> dict[str, NDArray[np.bool_]]:
    """Which frequencies of n samples a band has; the last one is the rest.

    Parameters
    ----------
    n : int
    sfreq : float
    edges : dict of str to (float, float), optional
        Half-open bands in Hz, `BANDS` by default.

    Raises
    ------
    InputError
        An edge makes no sense.
    """
    chosen = dict(BANDS if edges is None else edges)
    # Not rfftfreq, which rounds some whole frequencies to just below themselves, and out of their band.
    frequency = np.arange(n // 2 + 1) * sfreq / n
    masks: dict[str, NDArray[np.bool_]] = {}
    if not chosen:
        raise InputError("bands: none is given")
    for name, edge in chosen.items():
        if name in (REST, UNASSIGNED):
            raise InputError(f"band {plain(name)}: this name is taken")
        try:
            low, high = map(float, edge)
        except (TypeError, ValueError):
            raise InputError(f"band {plain(name)}: two numbers in Hz are needed, not {plain(edge)}") from None
        if not (np.isfinite(low) and np.isfinite(high) and 0 <= low < high):
            raise InputError(f"band {plain(name)}: from {low:g} to {high:g} Hz is no band")
        if edges is not None and low >= sfreq / 2:
            raise InputError(f"band {plain(name)}: starts at {low:g} Hz, above Nyquist ({sfreq / 2:g} Hz)")
        inside = (frequency >= low) & (frequency < high)
        others = [chosen[k] for k in masks]
        if any(low < b and a < high for a, b in others):
            raise InputError(f"band {plain(name)}: overlaps another one; bands are a partition")
        if edges is not None and not inside.any():
            step = sfreq / n
            raise InputError(f"band {plain(name)}: holds no frequency, they are {step:g} Hz apart")
        masks[name] = inside
    masks[REST] = ~np.any(list(masks.values()), axis=0)
    return masks


def band_coords(names: list[str], edges: Mapping[str, tuple[float, float]] | None) -> dict[str, Any]:
    """The coordinates of bands: names, and edges in Hz."""
    chosen = dict(BANDS if edges is None else edges)
    nothing = (float("nan"), float("nan"))
    return {
        "band": names,
        "lower": ("band", [float(chosen.get(n, nothing)[0]) for n in names], {"units": "Hz"}),
        "upper": ("band", [float(chosen.get(n, nothing)[1]) for n in names], {"units": "Hz"}),
    }


def named(
    explained: Explained, found: Floats, dims: tuple[str, ...], coords: dict[str, Any], *, epochs: bool = True
) -> xr.DataArray:
    """Numbers with the axes of an explanation named."""
    data = explained.dataset
    lead = ("epoch", "channel") if epochs else ("channel",)
    own = {k: data.coords[k] for k in lead}
    attrs = {"units": explained.unit, "sfreq": explained.windows.sfreq}
    return xr.DataArray(found, {**own, **coords}, (*lead, *dims), name="relevance", attrs=attrs)
