"""Relevance by frequency: spectra, bands in time, and time by frequency. Bands are in `explanation.bands`.

With the multiplier m at the model's input x, relevance in any linear basis is free and exact, and nothing
is divided by x: for R(t) = x(t) m(t), Parseval gives
``sum over t of R = sum over f of w_f Re(conj(X_f) M_f) / N`` with X and M the real Fourier transforms, and
w = 1 for the constant and (N even) the Nyquist bin, 2 elsewhere. Each view is a partition: it sums to the
relevance it came from. Where a composite leaves relevance at the input without a multiplier, that part is a
band of its own, "unassigned".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.signal.windows import hann

from ...engine.errors import InputError
from ..drawing.sections import Picture, Section, Table, Term
from ..explanation import shares
from ..explanation.bands import (
    UNASSIGNED,
    band_coords,
    by_frequency,
    masks_of,
    named,
    unassigned_of,
    weight_of,
)
from ..explanation.explained import Explained
from ..explanation.pairs import mean_of
from ..explanation.view import View
from ..text import plain
from .registry import ViewContext, register

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

TITLE = "Which rhythms"


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
    n = explained.relevance.shape[-1]
    found = mean_of(explained, by_frequency)
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
    n = explained.relevance.shape[-1]
    masks = masks_of(n, explained.windows.sfreq, edges)

    def split(x: Floats, m: Floats) -> Floats:
        X = np.fft.rfft(x)
        return np.stack([np.fft.irfft(X * inside, n) * m for inside in masks.values()], -2)

    found, names = mean_of(explained, split), [*masks]
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
    sfreq, n = explained.windows.sfreq, explained.relevance.shape[-1]
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

    def split(x: Floats, m: Floats) -> Floats:
        # Outside the signal both are 0, and what S is there does not matter.
        share = np.pad(m, pad) / np.where(squares > 0, squares, 1.0)
        X = np.fft.rfft(np.pad(x, pad)[..., at + before] * g)
        M = np.fft.rfft(share[..., at + before] * g)
        r = np.asarray(weight * np.real(np.conj(X) * M) / length)
        return r.sum(0, keepdims=True) if mean else r

    found = mean_of(explained, split, size=8)
    if mean:
        found = found.sum(0) / len(explained.windows)
    coords = {
        "frame": ("frame", (starts + length / 2) / sfreq, {"units": "s", "long_name": "centre"}),
        "frequency": ("frequency", np.fft.rfftfreq(length, 1 / sfreq), {"units": "Hz"}),
    }
    return named(explained, found, ("frame", "frequency"), coords, epochs=not mean)


@dataclass(frozen=True)
class Rhythms(View):
    """Shares of the bands, and relevance by time and frequency.

    Attributes
    ----------
    bands : xarray.DataArray, dims (epoch, channel, band)
        As `explanation.bands.bands` makes it; it is in the dataset already.
    shares : tuple of BandShare
    """

    bands: xr.DataArray
    shares: tuple[shares.BandShare, ...]

    name = "bands"

    def summary(self, explained: Explained) -> list[dict[str, Any]]:
        """Shares of the bands."""
        return [asdict(share) for share in self.shares]

    def lines(self, explained: Explained) -> Iterator[tuple[str, str]]:
        """The bands with most."""
        most = sorted(self.shares, key=lambda share: -share.share)[:3]
        yield "bands", ", ".join(f"{share.name} {share.share:.0%}" for share in most)

    def rows(self, explained: Explained) -> Iterator[tuple[str, str, float, float, float]]:
        """A row for each band, beside its part of the frequencies."""
        for share in self.shares:
            yield "band", share.name, share.share, share.signed, share.of_frequencies

    def sections(self, explained: Explained) -> Iterator[Section]:
        """A table of the bands, by electrode, and over time."""
        head = ("Band", "Hz", "relevance share", "share of frequencies", f"signed sum ({explained.unit})")
        rows = [
            (
                share.name,
                f"{share.lower:g} to {share.upper:g}" if np.isfinite(share.lower) else "",
                f"{share.share:.1%}",
                f"{share.of_frequencies:.1%}",
                f"{share.signed:+.3g}",
            )
            for share in self.shares
        ]
        words = (
            "Each electrode's relevance is split into bands through the multiplier (Parseval), exactly: the "
            "bands add up to the electrode's relevance. ",
            Term("rest"),
            " is what lies in no band: the constant part, below the first and above the last.",
        )
        pictures = (self._by_electrode(explained), *self._over_time(explained))
        yield Section(TITLE, (Table(head, rows, (2, 3, 4)), words), pictures)

    def _by_electrode(self, explained: Explained) -> Picture:
        view = np.abs(self.bands.values)
        whole = view.sum((1, 2), keepdims=True)
        kept = whole[:, 0, 0] > 0
        by_band = (view[kept] / whole[kept]).mean(0) if kept.any() else np.zeros(view.shape[1:])
        names = [plain(b, 12) for b in self.bands["band"].values.tolist()]
        caption = (
            "Relevance share of each electrode and band, mean over windows; all cells sum to 1. Bars: "
            "the bands over all electrodes."
        )
        from ..drawing.figures import band_map

        figure = band_map(by_band, explained.electrodes, names)
        return Picture(figure, "bands", "Rhythms by electrode", TITLE, caption)

    def _over_time(self, explained: Explained) -> Iterator[Picture]:
        """By time and frequency, where the rate allows it."""
        seconds = min(0.5, explained.contract.seconds / 2)
        if seconds * explained.windows.sfreq < 8:
            return
        found = time_frequency(explained, seconds=seconds, mean=True).sum("channel")
        figure = time_frequency_map(
            found.transpose("frame", "frequency").values,
            found["frame"].values,
            found["frequency"].values,
            unit=explained.unit,
            highest=min(explained.contract.lowpass or 60.0, 60.0),
        )
        caption = (
            f"Relevance by time and frequency (windows of {seconds:g} s, so frequencies "
            f"{1 / seconds:g} Hz apart), summed over electrodes, mean over windows; exact through "
            "the multiplier."
        )
        title = "Rhythms over time"
        yield Picture(figure, "time_frequency", title, title, caption)


@register("bands", needs=("bands", "multiplier"), order=50, absent=[], always=True)
def _rhythms(explained: Explained, context: ViewContext) -> Rhythms:
    bands = explained.dataset["bands"]
    return Rhythms(bands, tuple(shares.by_band(bands)))


def time_frequency_map(
    values: NDArray[Any], times: NDArray[Any], frequencies: NDArray[Any], *, unit: str, highest: float
) -> Figure:
    """Relevance over time and frequency.

    Parameters
    ----------
    values : ndarray, shape (time, frequency)
        Summed over electrodes, mean over windows.
    times, frequencies : ndarray
        Centres, in seconds and Hz.
    unit : str
    highest : float
        Hz up to which it is drawn.
    """
    from matplotlib.figure import Figure

    from ..drawing.figures import SIGNED, limit, tidy

    shown = frequencies <= highest
    inside = (times >= 0) | (np.arange(len(times)) == len(times) - 1)
    some = values[np.ix_(inside, shown)]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axis = figure.subplots()
    top = limit(some)
    image = axis.pcolormesh(
        times[inside], frequencies[shown], some.T, cmap=SIGNED, vmin=-top, vmax=top, shading="nearest",
        rasterized=True,
    )  # fmt: skip
    axis.set_xlabel("time in the window (s)", fontsize=9)
    axis.set_ylabel("frequency (Hz)", fontsize=9)
    axis.tick_params(labelsize=8)
    bar = figure.colorbar(image, ax=axis, pad=0.02, fraction=0.04, aspect=25)
    bar.set_label(f"relevance ({unit})   blue: against, red: for", fontsize=8)
    tidy(bar)
    return figure
