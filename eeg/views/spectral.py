"""Relevance by frequency: bands, spectra, and time by frequency.

With the multiplier m at the model's input x, relevance in any linear basis is free and exact, and nothing
is divided by x: for R(t) = x(t) m(t), Parseval gives
``sum over t of R = sum over f of w_f Re(conj(X_f) M_f) / N`` with X and M the real Fourier transforms, and
w = 1 for the constant and (N even) the Nyquist bin, 2 elsewhere. Each view is a partition: it sums to the
relevance it came from. Where a composite leaves relevance at the input without a multiplier, that part is a
band of its own, "unassigned".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.signal.windows import hann

from ...engine.errors import InputError
from ..explanation.explained import Explained
from ..explanation.shares import summed
from ..recording.windows import from_model_layout
from ..text import plain

Floats = NDArray[np.float64]

# Half-open, in Hz; alpha is mu over the sensorimotor cortex.
BANDS: Mapping[str, tuple[float, float]] = {
    "delta": (1.0, 4.0),
    "theta": (4.0, 8.0),
    "alpha/mu": (8.0, 13.0),
    "beta": (13.0, 30.0),
    "gamma": (30.0, 45.0),
}
REST, UNASSIGNED = "rest", "unassigned"
_BLOCK = 64  # windows at a time: transforms are complex float64


@dataclass(frozen=True)
class BandShare:
    """The relevance share of a band.

    Attributes
    ----------
    name : str
    lower, upper : float
        Hz; NaN for the rest and for what is unassigned.
    share : float
        0 to 1: |R| of its electrodes over |R| of all electrodes and bands, mean over windows.
    spread : float
        Standard deviation over windows.
    signed : float
        Sum with its sign, mean over windows, in the unit of the output.
    of_frequencies : float
        The band's part of all frequencies up to Nyquist: what evenly spread relevance would have.
    """

    name: str
    lower: float
    upper: float
    share: float
    spread: float
    signed: float
    of_frequencies: float


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
    x, m = _signals(explained)
    n = x.shape[-1]
    found = np.concatenate([by_frequency(x[s], m[s]) for s in _blocks(len(x))])
    frequency = np.fft.rfftfreq(n, 1 / explained.windows.sfreq)
    return _named(explained, found, ("frequency",), {"frequency": ("frequency", frequency, {"units": "Hz"})})


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
    x, m = _signals(explained)
    masks = masks_of(x.shape[-1], explained.windows.sfreq, edges)
    parts = []
    for s in _blocks(len(x)):
        r = by_frequency(x[s], m[s])
        parts.append(np.stack([r[..., inside].sum(-1) for inside in masks.values()], -1))
    found = np.concatenate(parts)
    left = _unassigned(explained)
    names = [*masks]
    if left is not None:
        found, names = np.concatenate([found, left.sum(-1)[..., None]], -1), [*names, UNASSIGNED]
    return _named(explained, found, ("band",), _band_coords(names, edges))


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
    x, m = _signals(explained)
    n = x.shape[-1]
    masks = masks_of(n, explained.windows.sfreq, edges)
    parts = []
    for s in _blocks(len(x)):
        X = np.fft.rfft(x[s])
        parts.append(np.stack([np.fft.irfft(X * inside, n) * m[s] for inside in masks.values()], -2))
    found, names = np.concatenate(parts), [*masks]
    left = _unassigned(explained)
    if left is not None:
        found, names = np.concatenate([found, left[..., None, :]], -2), [*names, UNASSIGNED]
    coords = {**_band_coords(names, edges), "time": ("time", explained.windows.times, {"units": "s"})}
    return _named(explained, found, ("band", "time"), coords)


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
    x, m = _signals(explained)
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
    weight = _weight(length)
    total: Floats | None = None
    parts = []
    for s in _blocks(len(x), 8):
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
    return _named(explained, found, ("frame", "frequency"), coords, epochs=not mean)


def shares(view: xr.DataArray) -> list[BandShare]:
    """Relevance shares of the bands of `bands`; they sum to 1.

    Units are electrode and band: relevance is summed within them first, the ratio is taken in each window.

    Parameters
    ----------
    view : xarray.DataArray, dims (epoch, channel, band)

    Raises
    ------
    InputError
        It is another view.
    """
    if view.dims != ("epoch", "channel", "band"):
        raise InputError(f"shares: a view by {', '.join(map(str, view.dims))} is not that of `bands`")
    units = view.values.reshape(len(view), -1)  # electrode and band
    nyquist = view.attrs["sfreq"] / 2
    width = np.minimum(view["upper"].values, nyquist) - np.minimum(view["lower"].values, nyquist)
    rest = max(0.0, 1.0 - float(np.nansum(width)) / nyquist)
    found = []
    for i, name in enumerate(view["band"].values.tolist()):
        part = width[i] / nyquist if np.isfinite(width[i]) else rest if name == REST else 0.0
        inside = np.tile(np.arange(view.sizes["band"]) == i, view.sizes["channel"])
        found.append(
            BandShare(
                name=str(name),
                lower=float(view["lower"].values[i]),
                upper=float(view["upper"].values[i]),
                **asdict(summed(units, inside)),
                of_frequencies=float(part),
            )
        )
    return found


def _signals(explained: Explained) -> tuple[Floats, Floats]:
    """The model's input and the multiplier, [epoch, channel, time] in float64."""
    if "multiplier" not in explained.dataset:
        raise InputError("bands: this explanation has no multiplier, so its relevance has no frequencies")
    x = from_model_layout(explained.windows.data, explained.contract)
    return x.astype(np.float64), explained.dataset["multiplier"].values.astype(np.float64)


def _unassigned(explained: Explained) -> Floats | None:
    data = explained.dataset
    return data["unassigned"].values.astype(np.float64) if "unassigned" in data else None


def _weight(n: int) -> Floats:
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
    return np.asarray(_weight(n) * np.real(np.conj(np.fft.rfft(x)) * np.fft.rfft(m)) / n)


def _blocks(n: int, size: int = _BLOCK) -> list[slice]:
    return [slice(a, a + size) for a in range(0, n, size)]


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


def _band_coords(names: list[str], edges: Mapping[str, tuple[float, float]] | None) -> dict[str, Any]:
    chosen = dict(BANDS if edges is None else edges)
    nothing = (float("nan"), float("nan"))
    return {
        "band": names,
        "lower": ("band", [float(chosen.get(n, nothing)[0]) for n in names], {"units": "Hz"}),
        "upper": ("band", [float(chosen.get(n, nothing)[1]) for n in names], {"units": "Hz"}),
    }


def _named(
    explained: Explained, found: Floats, dims: tuple[str, ...], coords: dict[str, Any], *, epochs: bool = True
) -> xr.DataArray:
    data = explained.dataset
    lead = ("epoch", "channel") if epochs else ("channel",)
    own = {k: data.coords[k] for k in lead}
    attrs = {"units": explained.unit, "sfreq": explained.windows.sfreq}
    return xr.DataArray(found, {**own, **coords}, (*lead, *dims), name="relevance", attrs=attrs)
