"""Features of EEG windows: electrodes, seconds of electrodes, bands; and electrodes from the others.

They are what an evaluation takes away: see `engine.evaluation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from ...engine.contract import InputContract
from ...engine.errors import InputError
from ...engine.evaluation.features import Features, Groups
from ...engine.evaluation.replacement import Interpolation
from ..electrodes.positions import Electrodes
from ..explanation.bands import by_frequency, masks_of
from ..recording.windows import from_model_layout, to_model_layout
from ..text import plain

Floats = NDArray[np.float64]
Array = NDArray[Any]

KINDS = ("electrodes", "segments", "bands")

# A spline needs neighbours on all sides: curves end where a quarter of the electrodes is left.
KEPT = 0.25
FEWEST = 8
_TERMS, _STIFFNESS, _RIDGE = 50, 4, 1e-5  # as in MNE


def features(
    kind: str, contract: InputContract, bands: Mapping[str, tuple[float, float]] | None = None
) -> Features:
    """Features of a model's windows.

    Parameters
    ----------
    kind : {"electrodes", "segments", "bands"}
        Electrodes over the whole window; each second of each electrode; or frequency bands (over all
        electrodes).
    contract : InputContract
    bands : dict of str to (float, float), optional
        In Hz; `bands.BANDS` by default.

    Raises
    ------
    InputError
        Another kind, or bands that make no sense.
    """
    names = [plain(c, 24) for c in contract.channels]
    channel = np.arange(len(names))[:, None]
    if kind == "electrodes":
        index = np.broadcast_to(channel, (len(names), contract.window))
        return Groups(tuple(names), to_model_layout(index, contract))
    if kind == "segments":
        second = _seconds(contract)
        count = int(second[-1]) + 1
        labels = tuple(f"{name} {s} to {s + 1} s" for name in names for s in range(count))
        return Groups(labels, to_model_layout(channel * count + second, contract))
    if kind == "bands":
        return Bands(contract, bands)
    raise InputError(f"features {plain(kind)}: known are {', '.join(KINDS)}")


def _seconds(contract: InputContract) -> NDArray[np.int64]:
    """Which second each sample lies in; a rest below half a second goes to the one before."""
    second = (np.arange(contract.window) / contract.sfreq).astype(np.int64)
    last = int(second[-1])
    if last and (second == last).sum() < contract.sfreq / 2:
        second[second == last] = last - 1
    return second


class Bands:
    """Frequency bands over all electrodes; what lies in none is the last, "rest".

    Relevance of a band goes by the multiplier (see `spectral`); a band is taken away by putting the
    frequencies of another window in the place of its own.

    Parameters
    ----------
    contract : InputContract
    edges : dict of str to (float, float), optional
    """

    def __init__(
        self, contract: InputContract, edges: Mapping[str, tuple[float, float]] | None = None
    ) -> None:
        self._contract = contract
        masks = masks_of(contract.window, contract.sfreq, edges)
        self._names = tuple(name for name, inside in masks.items() if inside.any())
        self._masks = np.stack([masks[name] for name in self._names])
        if len(self._names) < 2:
            raise InputError("one frequency band is nothing to rank; name two or more below half the rate")

    @property
    def names(self) -> tuple[str, ...]:
        """Of the bands."""
        return self._names

    def relevance(self, x: Array, relevance: Array, multiplier: Array | None) -> Array:
        """Relevance of each band, shape (window, band).

        Raises
        ------
        InputError
            There is no multiplier.
        """
        if multiplier is None:
            raise InputError("bands: this composite leaves relevance without a multiplier, so without bands")
        signal, m = (from_model_layout(v, self._contract).astype(np.float64) for v in (x, multiplier))
        each = by_frequency(signal, m).sum(1)
        return np.asarray(each @ self._masks.T.astype(np.float64))

    def mixed(self, x: Array, other: Array, gone: Array) -> Array:
        """`x` with some bands taken from `other`."""
        mine, others = (np.fft.rfft(from_model_layout(v, self._contract)) for v in (x, other))
        away = (gone.astype(np.int64) @ self._masks.astype(np.int64)) > 0
        made = np.fft.irfft(np.where(away[:, None], others, mine), self._contract.window)
        return np.asarray(to_model_layout(made, self._contract).astype(x.dtype))

    def power(self, x: Array) -> Array:
        """Power of each band, mean over electrodes; a constant offset is none."""
        signal = from_model_layout(x, self._contract).astype(np.float64)
        signal = signal - signal.mean(-1, keepdims=True)
        return np.asarray(by_frequency(signal, signal).mean(1) @ self._masks.T.astype(np.float64))


def spline_interpolation(contract: InputContract, electrodes: Electrodes) -> Interpolation | None:
    """Electrodes from those that remain, by spherical splines (Perrin et al. 1989, eq. 1 to 3).

    Parameters
    ----------
    contract : InputContract
    electrodes : Electrodes
        The contract's channels in its order, and where they lie.

    Returns
    -------
    Interpolation or None
        None where an electrode has no known position, or there are fewer than eight.
    """
    placed = electrodes.positions
    if electrodes.nowhere or len(placed) < FEWEST:
        return None
    weights = Spline(np.array([placed[c] for c in electrodes]))

    def fill(x: Array, gone: Array) -> Array:
        signal = from_model_layout(x, contract)
        made = np.stack([weights(g) @ s for g, s in zip(gone, signal, strict=True)])
        return np.asarray(to_model_layout(made, contract).astype(x.dtype))

    return Interpolation(fill, least=max(4, round(KEPT * len(placed))))


class Spline:
    """Weights that make some electrodes from the others.

    As `mne.channels` has them (stiffness 4, 50 terms, 1e-5 on the diagonal), for thousands of sets of
    electrodes: a raw object for each would take minutes.

    Parameters
    ----------
    places : ndarray, shape (channel, 3)
        Metre; they are put on the sphere that fits them best.
    """

    def __init__(self, places: Floats) -> None:
        ones = np.c_[2 * places, np.ones(len(places))]
        centre = np.linalg.lstsq(ones, (places**2).sum(1), rcond=None)[0][:3]
        unit = places - centre
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        n = np.arange(1, _TERMS + 1)
        factors = (2 * n + 1) / (n**_STIFFNESS * (n + 1.0) ** _STIFFNESS * 4 * np.pi)
        self._g = legendre.legval(np.clip(unit @ unit.T, -1, 1), [0, *factors])
        self._known: dict[bytes, Floats] = {}

    def __call__(self, gone: NDArray[np.bool_]) -> Floats:
        """The matrix for one set, shape (channel, channel): an identity where nothing is gone."""
        key = np.packbits(gone).tobytes()
        if key not in self._known:
            if len(self._known) > 20000:
                self._known.clear()
            self._known[key] = self._matrix(gone)
        return self._known[key]

    def _matrix(self, gone: NDArray[np.bool_]) -> Floats:
        out, stay = np.eye(len(gone)), ~gone
        if not gone.any():
            return out
        m = int(stay.sum())
        system = np.zeros((m + 1, m + 1))
        system[:m, :m] = self._g[np.ix_(stay, stay)] + _RIDGE * np.eye(m)
        system[:m, m] = system[m, :m] = 1
        to = np.c_[self._g[np.ix_(gone, stay)], np.ones(int(gone.sum()))]
        out[gone] = 0
        out[np.ix_(gone, stay)] = np.linalg.solve(system.T, to.T).T[:, :m]
        return np.asarray(out)
