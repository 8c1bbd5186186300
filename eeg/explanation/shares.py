"""Relevance shares: how much of an explanation lies on a set of electrodes.

The share of a set S of units is ``sum over S of |R_u| / sum over all of |R_u|``. Each R_u is summed
within its unit (here an electrode) and window first; the ratio is taken in each window, and averaged
over windows. Other orders of summing give other numbers: the same map can give 6 %, 31 % or 192 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...engine.errors import InputError
from ..electrodes import regions
from ..electrodes.positions import Electrodes

# The band of all frequencies that no other has.
REST = "rest"


@dataclass(frozen=True)
class Share:
    """The relevance share of one set of electrodes.

    Attributes
    ----------
    name : str
    share : float
        0 to 1, mean over windows; NaN where no window has any relevance.
    spread : float
        Standard deviation over windows.
    signed : float
        Sum of the set's relevance with its sign, mean over windows, in the unit of the output.
    of_electrodes : float
        The set's part of all electrodes: the share that evenly spread relevance would have.
    electrodes : tuple of str
    """

    name: str
    share: float
    spread: float
    signed: float
    of_electrodes: float
    electrodes: tuple[str, ...]


def per_window(units: NDArray[Any], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of a set in each window.

    Parameters
    ----------
    units : ndarray, shape (window, unit)
        Relevance, already summed within each unit and window.
    inside : ndarray of bool, shape (unit,)

    Returns
    -------
    ndarray, shape (window,)
        NaN where a window has no relevance at all.
    """
    size = np.abs(np.asarray(units, dtype=np.float64))
    total = size.sum(-1)
    out: NDArray[np.float64] = np.full(len(size), np.nan)
    np.divide(size[:, inside].sum(-1), total, out=out, where=total > 0)
    return out


@dataclass(frozen=True)
class Summed:
    """A set's share: mean and standard deviation over windows with relevance (NaN for none), and its sum."""

    share: float
    spread: float
    signed: float


def summed(units: NDArray[Any], inside: NDArray[np.bool_]) -> Summed:
    """Share of a set of units over all windows, whatever the units are.

    Parameters
    ----------
    units : ndarray, shape (window, unit)
        Relevance, already summed within each unit and window.
    inside : ndarray of bool, shape (unit,)
    """
    each = per_window(units, inside)
    each = each[np.isfinite(each)]
    nan = float("nan")
    return Summed(
        share=float(each.mean()) if len(each) else nan,
        spread=float(each.std()) if len(each) else nan,
        signed=float(units[:, inside].sum(-1).mean()) if len(units) else nan,
    )


def share(
    relevance: NDArray[Any], channels: Electrodes, electrodes: Sequence[str], *, name: str = ""
) -> Share:
    """Relevance share of a set of electrodes.

    Parameters
    ----------
    relevance : ndarray, shape (window, channel, time)
    channels : Electrodes
    electrodes : sequence of str
        Those among `channels` that make up the set.
    name : str

    Returns
    -------
    Share
    """
    units = np.asarray(relevance).sum(-1, dtype=np.float64)
    inside = np.isin(np.array(channels), np.array(electrodes, dtype=str))
    found = summed(units, inside)
    return Share(
        name=name,
        share=found.share,
        spread=found.spread,
        signed=found.signed,
        of_electrodes=float(inside.mean()),
        electrodes=tuple(c for c, i in zip(channels, inside, strict=True) if i),
    )


def by_electrode(relevance: NDArray[Any]) -> NDArray[np.float64]:
    """Share of each electrode, mean over windows, shape (channel,); they sum to 1.

    Parameters
    ----------
    relevance : ndarray, shape (window, channel, time)
    """
    units = np.abs(np.asarray(relevance).sum(-1, dtype=np.float64))
    units = units[units.sum(-1) > 0]
    each = units / units.sum(-1, keepdims=True)
    return each.mean(0) if len(each) else np.full(relevance.shape[1], np.nan)


def by_region(
    relevance: NDArray[Any], channels: Electrodes, parts: Mapping[str, Sequence[str]] | None = None
) -> list[Share]:
    """Shares of the regions of a partition; they sum to 1 (by default `regions.partition`, front to back)."""
    chosen = regions.partition(channels) if parts is None else parts
    return [share(relevance, channels, electrodes, name=where) for where, electrodes in chosen.items()]


def by_set(
    relevance: NDArray[Any], channels: Electrodes, sets: Mapping[str, Sequence[str]] | None = None
) -> list[Share]:
    """Shares of sets that may overlap and need not cover the head (by default `regions.SETS`)."""
    chosen = regions.SETS if sets is None else sets
    return [
        share(relevance, channels, regions.members(list(electrodes), channels), name=name)
        for name, electrodes in chosen.items()
    ]


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


def by_band(view: xr.DataArray) -> list[BandShare]:
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
