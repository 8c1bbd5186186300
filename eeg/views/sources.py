"""Relevance in source space: how much of a decision is carried by which part of the brain, and by the eyes.

The signal is ``x = L s + rest`` with the lead field L of a head and the dipole moments s; their estimate
``s = K x`` is the minimum-norm one (Hamalainen & Ilmoniemi 1994) or eLORETA (Pascual-Marqui 2007). With the
multiplier m at the input, source k has ``R_k(t) = s_k(t) . (L^T m)_k(t)``, summed over three orientations,
without dividing by anything; what the estimate does not explain is the residual ``rest * m``. Their sum is
the relevance of all electrodes at every sample.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import mne
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...engine.contract import InputContract
from ...engine.errors import InputError
from ..electrodes.positions import Electrodes
from ..explanation.explained import Explained
from ..explanation.pairs import n_pairs, pairs
from ..explanation.shares import summed
from ..recording.scaling import centre_and_gain
from ..recording.windows import from_model_layout
from ..text import counted, listed, plain
from .head_model import METHODS, Inverse, inverse

Floats = NDArray[np.float64]

RESIDUAL, UNASSIGNED = "residual", "unassigned"
FEWEST = 16  # electrodes
SPACING = (5.0, 20.0)  # mm: finer needs gigabytes, and coarser leaves regions without dipoles


@dataclass(frozen=True)
class SourceShare:
    """The relevance share of one region.

    Attributes
    ----------
    name : str
        A region, "residual" or "unassigned".
    share : float
        0 to 1: its |R| over |R| of all regions and the residual, mean over windows.
    spread : float
        Standard deviation over windows.
    signed : float
        Sum with its sign, mean over windows, in the unit of the output.
    of_signal : float
        The share that relevance without regard to the signal would have: the region's part of the sum of
        root-mean-square amplitudes that its sources put on the electrodes, mean over windows.
    of_sources : float
        The share with dipoles as units: what for and against cancels within a region counts.
    sources : int
        How many dipoles it has.
    """

    name: str
    share: float
    spread: float
    signed: float
    of_signal: float
    of_sources: float
    sources: int


@dataclass(frozen=True)
class Sources:
    """Relevance in the coordinates of sources.

    Attributes
    ----------
    dataset : xarray.Dataset
        Relevance, in the unit of the output: by_source (epoch, source), by_region (epoch, region), course
        (epoch, region, time), residual (epoch, time), unassigned (epoch, time) where there is any. Estimate:
        moment (source), root-mean-square length in nanoampere metre; amplitude (epoch, unit), what a region
        or the residual puts on the electrodes, in microvolt; fit (epoch), the part of the signal's power in
        average reference that the estimate explains. Resolution: crosstalk (planted, region) and matched
        (planted, unit). Coordinates of source: x, y, z in mm in the head frame, and in_region.
    notes : tuple of str
        What limits the estimate.

    Notes
    -----
    ``crosstalk`` is from the resolution matrix ``K L``: of the squared moments that are estimated for a
    dipole of region `planted`, the part that lands in `region`. ``matched`` is what `shares` would say of a
    signal that is this dipole's alone, read by a multiplier that is its topography. Both are means over the
    dipoles and three orientations of `planted`, and rows sum to 1.
    """

    dataset: xr.Dataset
    notes: tuple[str, ...]

    def shares(self) -> list[SourceShare]:
        """Relevance shares of the regions and the residual; they sum to 1. Units are regions.

        A window without relevance has no share and is left out; NaN where no window has any.
        """
        data = self.dataset
        extra = [n for n in (RESIDUAL, UNASSIGNED) if n in data]
        names = np.array([*data["region"].values.tolist(), *extra])
        rest = [data[n].sum("time").values for n in extra]
        units = np.column_stack([data["by_region"].values, *rest])
        each = np.column_stack([data["by_source"].values, *rest])
        of_each = np.array([*data["in_region"].values.tolist(), *extra])
        amplitude = data["amplitude"].values
        amplitude = np.pad(amplitude, ((0, 0), (0, len(names) - amplitude.shape[1])))
        return [
            SourceShare(
                name=str(name),
                **asdict(summed(units, names == name)),
                of_signal=summed(amplitude, names == name).share,
                of_sources=summed(each, of_each == name).share,
                sources=int((of_each == name).sum()) if name not in extra else 0,
            )
            for name in names
        ]


def sources(
    explained: Explained,
    *,
    regions: Mapping[str, Collection[str]] | None = None,
    spacing_mm: float = 10.0,
    snr: float = 3.0,
    method: str = "MNE",
    noise_cov: Any = None,
) -> Sources:
    """Split relevance by the sources that a linear inverse finds in a spherical head.

    Parameters
    ----------
    explained : Explained
    regions : dict of str to collection of str, optional
        Name -> 10-10 electrodes: cortex belongs to the region that has the electrode nearest to it, by angle;
        below no electrode that is named it is "other". By default left and right frontal, central, temporal,
        parietal and occipital cortex. "eyes" and "deep" are always there.
    spacing_mm : float
        Of the grid of dipoles, 5 to 20 mm.
    snr : float
        Ratio of amplitudes that the estimate assumes; it is regularised with ``1 / snr ** 2``.
    method : str
        "MNE", the minimum norm without depth weighting, or "eLORETA", which sees more of the signal deep.
    noise_cov : mne.Covariance, optional
        Of the sensors' noise, with the model's electrodes by name. Only its form matters, since its level is
        taken from `snr`. By default the same for all electrodes and independent.

    Returns
    -------
    Sources

    Raises
    ------
    InputError
        There is no multiplier; too few electrodes, or one without a position; an option has no such value; a
        region has no dipole; the noise covariance does not fit.
    """
    if "multiplier" not in explained.dataset:
        raise InputError("sources: this explanation has no multiplier, so its relevance has no sources")
    channels = explained.electrodes
    _check(channels, spacing_mm, snr, method, noise_cov)
    contract = explained.contract
    against, known = _reference(contract, channels)
    found = inverse(
        channels, wanted=regions, reference=against, spacing_mm=spacing_mm, snr=snr, method=method,
        noise_cov=noise_cov,
    )  # fmt: skip
    factor = centre_and_gain(explained.windows.signal, contract)[1]
    x = from_model_layout(explained.windows.data, contract).astype(np.float64) / factor
    n = len(channels)
    gain, kernel = found.gain.reshape(n, -1), found.kernel.reshape(-1, n)
    owner = np.repeat(np.array(found.region), 3)
    # What a region puts on the electrodes of the signal x is P x.
    parts = np.stack([gain[:, owner == name] @ kernel[owner == name] for name in found.names])
    whole = gain @ kernel
    course = np.zeros((len(x), len(found.names), x.shape[-1]))
    residual = np.zeros((len(x), x.shape[-1]))
    by_source = np.zeros((len(x), len(found.grid)))
    amplitude = np.empty((len(x), len(found.names) + 1))
    fit = np.full(len(x), np.nan)
    for d, m in pairs(explained, "sources", microvolt=True):
        for i, (apart, multiplier) in enumerate(zip(d, m / n_pairs(explained), strict=True)):
            for j, part in enumerate(parts):
                course[i, j] += ((part @ apart) * multiplier).sum(0)
            residual[i] += ((apart - whole @ apart) * multiplier).sum(0)
            # The sum over time of s_k (L^T m)_k, from the products of electrodes alone.
            by_source[i] += ((kernel @ (apart @ multiplier.T)) * gain.T).sum(-1).reshape(-1, 3).sum(-1)
    for i, signal in enumerate(x):
        for j, part in enumerate(parts):
            amplitude[i, j] = np.sqrt(((part @ signal) ** 2).mean())
        rest = signal - whole @ signal
        amplitude[i, -1] = np.sqrt((rest**2).mean())
        power = ((signal - signal.mean(0)) ** 2).sum()
        if power > 0:
            fit[i] = 1 - ((rest - rest.mean(0)) ** 2).sum() / power
    covariance = np.einsum("ect,edt->cd", x, x, optimize=True) / (len(x) * x.shape[-1])
    square = ((kernel @ covariance) * kernel).sum(-1).reshape(-1, 3).sum(-1)
    moment = np.sqrt(np.maximum(square, 0))  # rounding leaves less than nothing of a common offset
    crosstalk, matched = _resolution(found, parts)
    unit = {"units": explained.unit}
    data: dict[str, Any] = {
        "by_source": (("epoch", "source"), by_source, unit),
        "by_region": (("epoch", "region"), course.sum(-1), unit),
        "course": (("epoch", "region", "time"), course, unit),
        "residual": (("epoch", "time"), residual, unit),
        "moment": ("source", moment, {"units": "nAm"}),
        "amplitude": (("epoch", "unit"), amplitude, {"units": "uV"}),
        "fit": ("epoch", fit),
        "crosstalk": (("planted", "region"), crosstalk),
        "matched": (("planted", "unit"), matched),
    }
    if UNASSIGNED in explained.dataset:
        data[UNASSIGNED] = (("epoch", "time"), explained.dataset[UNASSIGNED].values.sum(1, dtype=np.float64))
    coords: dict[str, Any] = {
        "epoch": explained.dataset["epoch"].values,
        "time": explained.windows.times,
        "source": np.arange(len(found.grid)),
        **{a: ("source", found.grid[:, i] * 1e3, {"units": "mm"}) for i, a in enumerate("xyz")},
        "in_region": ("source", np.array(found.region)),
        "region": list(found.names),
        "planted": list(found.names),
        "unit": [*found.names, RESIDUAL],
    }
    attrs = {"method": method, "snr": float(snr), "spacing_mm": float(spacing_mm)}
    return Sources(xr.Dataset(data, coords, attrs), _notes(explained, known, crosstalk, fit, found.names))


def _check(channels: Electrodes, spacing_mm: float, snr: float, method: str, noise_cov: Any) -> None:
    """Refuse what cannot be estimated."""
    nowhere = channels.nowhere
    if nowhere:
        raise InputError(
            f"sources: no position is known for {listed(nowhere)}; a lead field needs one for every electrode"
        )
    if len(channels) < FEWEST:
        raise InputError(
            f"sources: {counted(len(channels), 'electrode')}; an estimate of sources needs {FEWEST} or more"
        )
    if not SPACING[0] <= spacing_mm <= SPACING[1]:
        raise InputError(f"sources: spacing_mm is {spacing_mm}; give {SPACING[0]:g} to {SPACING[1]:g}")
    if not (math.isfinite(snr) and snr > 0):
        raise InputError(f"sources: snr is {snr}; give a ratio above 0, 3 for instance")
    if method not in METHODS:
        raise InputError(f"sources: no method {plain(method)!r}; there are {listed(METHODS)}")
    if noise_cov is None:
        return
    if not isinstance(noise_cov, mne.Covariance):
        raise InputError(f"sources: noise_cov is a {type(noise_cov).__name__}; give an mne.Covariance")
    absent = [c for c in channels if c not in noise_cov.ch_names]
    if absent:
        raise InputError(f"sources: the noise covariance lacks {listed(absent)}; name its electrodes alike")
    power = np.diag(noise_cov.data) if noise_cov.data.ndim == 2 else noise_cov.data
    if not (np.isfinite(noise_cov.data).all() and (power > 0).all()):
        raise InputError("sources: the noise covariance has electrodes without power; give each some, in V^2")


def _reference(contract: InputContract, channels: Electrodes) -> tuple[Electrodes, bool]:
    """Electrodes whose mean the lead field is against, and whether that is the signal's own reference."""
    wanted = contract.reference
    if wanted in ("average", "as recorded"):
        return channels, wanted == "average"
    names = channels.some([wanted] if isinstance(wanted, str) else wanted)
    return (channels, False) if names.nowhere else (names, True)


def _resolution(found: Inverse, parts: Floats) -> tuple[Floats, Floats]:
    """Where a planted dipole lands: by squared moment, and by relevance of its own topography."""
    n = found.gain.shape[0]
    gain, kernel = found.gain.reshape(n, -1), found.kernel.reshape(-1, n)
    owner = np.repeat(np.array(found.region), 3)
    inside = owner == np.array(found.names)[:, None]
    landed = np.stack([_energy(kernel[rows], gain) for rows in inside], 1)
    read = np.einsum("cj,rcd,dj->jr", gain, parts, gain, optimize=True)
    read = np.abs(np.column_stack([read, (gain**2).sum(0) - read.sum(1)]))
    tables = []
    for table in (landed, read):
        part = table / table.sum(1, keepdims=True)
        tables.append(np.stack([part[rows].mean(0) for rows in inside]))
    return tables[0], tables[1]


def _energy(kernel: Floats, gain: Floats) -> Floats:
    """Squared moments that are estimated for each column of the gain, summed over the kernel's rows."""
    return np.asarray(((kernel.T @ kernel @ gain) * gain).sum(0), dtype=np.float64)


def _notes(
    explained: Explained, known: bool, crosstalk: Floats, fit: Floats, names: Sequence[str]
) -> tuple[str, ...]:
    """What a reader of the regions should know."""
    own = np.diag(crosstalk)
    worst = int(own.argmin())
    said = [
        "A sphere at template positions is a rough head: regions are directions, not anatomy, and the eyes "
        "are drawn into it.",
        "A linear estimate spreads: of what is planted in a region, "
        f"{own.min():.0%} ({names[worst]}) to {own.max():.0%} lands there; the table crosstalk has the rest.",
        "How much goes to the eyes depends on how strong they are assumed: read shares beside of_signal.",
    ]
    if not known:
        said.append(
            f"The signal's reference ({plain(explained.contract.reference, 40)}) has no known place: what "
            "all electrodes have in common is in the residual."
        )
    if explained.windows.interpolated:
        said.append(
            f"Interpolated electrodes add nothing to the estimate: {listed(explained.windows.interpolated)}."
        )
    if np.isfinite(fit).any() and np.nanmean(fit) < 0.8:
        said.append(f"The estimate explains {np.nanmean(fit):.0%} of the signal's power.")
    return tuple(said)
