"""From microvolt to the numbers that a model takes: unit, scale, and scaling of each window by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine.contract import InputContract, Scaling
from ...engine.errors import InputError

FROM_MICROVOLT = {"V": 1e-6, "mV": 1e-3, "uV": 1.0}
# Added to a percentile, as BIOT has it.
_LEAST = 1e-8
Floats = NDArray[np.float64]


def centre_and_gain(signal: NDArray[Any], contract: InputContract) -> tuple[Floats, Floats]:
    """What is taken off a signal, and what the rest is multiplied by, to make the model's input of it.

    Parameters
    ----------
    signal : ndarray, shape (..., channel, time)
        Microvolt.
    contract : InputContract

    Returns
    -------
    centre : ndarray, shape (..., channel or 1, 1), or ()
        Microvolt.
    gain : ndarray of the same shape
        The model's unit per microvolt. Where scaling clips, that is besides.

    Raises
    ------
    InputError
        Scaling is over the recording, and nothing says how large its signal is.
    """
    factor, scaling = np.float64(FROM_MICROVOLT[contract.unit] * contract.scale), contract.scaling
    if scaling is None:
        return np.zeros(()), np.asarray(factor)
    if scaling.over == "recording":
        if scaling.spread is None or scaling.centre is None:
            raise InputError("scaling over the recording: it is known for windows of a recording alone")
        return np.array(scaling.centre)[:, None], factor / np.array(scaling.spread)[:, None]
    axes = (-1,) if scaling.over == "channel" else (-2, -1)
    centre, spread = _statistics(np.asarray(signal, dtype=np.float64) * factor, scaling, axes)
    return centre / factor, factor / spread


def scaled(signal: NDArray[Any], contract: InputContract) -> NDArray[np.float32]:
    """A signal as the model has it, channel by time.

    Parameters
    ----------
    signal : ndarray, shape (..., channel, time)
        Microvolt.
    contract : InputContract

    Returns
    -------
    ndarray of float32, of the same shape
    """
    centre, gain = centre_and_gain(signal, contract)
    made = signal * gain if contract.scaling is None else (signal - centre) * gain
    clip = contract.scaling.clip if contract.scaling is not None else None
    return np.asarray(made if clip is None else made.clip(-clip, clip), dtype=np.float32)


def with_recording(contract: InputContract, pieces: Sequence[NDArray[Any]]) -> InputContract:
    """The contract with how large the signal of a recording is, where that is what windows are scaled by.

    Parameters
    ----------
    contract : InputContract
    pieces : sequence of ndarray, shape (channel, time)
        All of the recording, in microvolt, referenced, filtered and resampled.
    """
    scaling = contract.scaling
    if scaling is None or scaling.over != "recording" or not pieces:
        return contract
    factor = FROM_MICROVOLT[contract.unit] * contract.scale
    whole = np.concatenate([np.asarray(p, dtype=np.float64) for p in pieces], axis=-1) * factor
    centre, spread = (v[:, 0].tolist() for v in _statistics(whole, scaling, (-1,)))
    known = scaling.model_copy(update={"centre": tuple(c / factor for c in centre), "spread": tuple(spread)})
    return contract.model_copy(update={"scaling": known})


def said(contract: InputContract) -> list[str]:
    """How windows are scaled, in a sentence."""
    scaling = contract.scaling
    if scaling is None:
        return []
    how = (
        "z-scored" if scaling.by == "zscore" else f"divided by percentile {scaling.percentile:g} of its size"
    )
    over = {
        "channel": "Each electrode of each window",
        "window": "Each window",
        "recording": "Each electrode, over the whole recording,",
    }[scaling.over]
    clipped = "" if scaling.clip is None else f", then clipped at {scaling.clip:g}"
    return [f"{over} is {how}{clipped}, as the contract says."]


def _statistics(x: Floats, scaling: Scaling, axes: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Centre and spread over some axes, which are kept; a flat signal is divided by one."""
    if scaling.by == "zscore":
        centre, spread = x.mean(axis=axes, keepdims=True), x.std(axis=axes, keepdims=True)
        # What rounding leaves of a flat signal is no spread.
        return centre, np.where(spread > 1e-10 * np.abs(centre), spread, 1.0)
    size = np.quantile(np.abs(x), scaling.percentile / 100, axis=axes, keepdims=True) + _LEAST
    return np.zeros_like(size), size
