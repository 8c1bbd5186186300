"""Electrodes where nobody says which, and where they are on the head."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from onnxplain.engine.errors import InputError

from .extras import need

# 22 electrodes over the motor cortex (BCI competition IV 2a), and more of the 10-10 system behind them.
USUAL = (
    "Fz", "FC3", "FC1", "FCz", "FC2", "FC4", "C5", "C3", "C1", "Cz", "C2", "C4", "C6", "CP3", "CP1", "CPz",
    "CP2", "CP4", "P1", "Pz", "P2", "POz", "Fp1", "Fp2", "F7", "F3", "F4", "F8", "T7", "T8", "P7", "P3", "P4",
    "P8", "O1", "Oz", "O2", "FC5", "FC6", "CP5", "CP6", "AF3", "AF4", "PO3", "PO4", "F1", "F2", "F5", "F6",
    "FT7", "FT8", "TP7", "TP8", "P5", "P6", "PO7", "PO8", "AF7", "AF8", "AFz", "FPz", "Iz", "F9", "F10",
)  # fmt: skip


def usual(count: int) -> tuple[str, ...]:
    """Names of so many channels: electrodes, or plain numbers where there are more than those."""
    return USUAL[:count] if count <= len(USUAL) else tuple(f"ch{i + 1}" for i in range(count))


@cache
def _positions() -> dict[str, Any]:
    mne = need("mne", what="the positions of electrodes")
    known = set(mne.channels.get_builtin_montages())
    name = next(n for n in ("colin27_1005", "standard_1005") if n in known)  # MNE 1.13 renamed it
    made = mne.channels.make_standard_montage(name).get_positions()["ch_pos"]
    return {name.upper(): np.asarray(place) for name, place in made.items()}


def positions(names: Sequence[str]) -> list[tuple[float, float, float]]:
    """Places of electrodes on a standard head, in metres.

    Raises
    ------
    InputError
        One is not of the 10-05 system.
    """
    known = _positions()
    missing = [n for n in names if n.upper() not in known]
    if missing:
        raise InputError(f"channels: no place on the head is known for {', '.join(missing[:5])}")
    return [tuple(float(v) for v in known[n.upper()]) for n in names]  # type: ignore[misc]


def channel_info(names: Sequence[str]) -> list[dict[str, Any]]:
    """What braindecode asks of each channel: its name, kind, and place where that is known."""
    info = []
    for name in names:
        try:
            place = np.concatenate([positions([name])[0], np.zeros(9)])
        except InputError:
            place = np.full(12, np.nan)
        info.append({"ch_name": name, "kind": "eeg", "loc": place})
    return info


def quietly(build: Any, *arguments: Any, **options: Any) -> Any:
    """Call without the warnings that constructors make of what they fall back to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return build(*arguments, **options)
