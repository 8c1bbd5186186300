"""Events that a recording has as pulses on a channel (STI 014, Status), and not as annotations."""

from __future__ import annotations

import re
import warnings
from typing import Any

import mne
import numpy as np

# One channel with all codes, where a recording has one beside the single lines.
_TOGETHER = ("STI101", "STI 014", "STI014")
_PULSES = re.compile(r"(STI ?\d+|STATUS|TRIG|TRIGGERS?)", re.IGNORECASE)
_CODES = 2**16 - 1  # BioSemi has its own state in the bits above


def triggers(raw: Any) -> list[tuple[float, str]]:
    """When the code on a trigger channel rises, and what it is.

    Parameters
    ----------
    raw : mne.io.BaseRaw

    Returns
    -------
    list of (float, str)
        Seconds from the first sample, and the code; of several channels the channel and the code ("DIN1/1").
    """
    kinds = dict(zip(raw.ch_names, raw.get_channel_types(), strict=True))
    channels = [n for n, k in kinds.items() if k == "stim" or (k == "misc" and _PULSES.fullmatch(n))]
    channels = [n for n in _TOGETHER if n in channels][:1] or channels
    found = []
    for name in channels:
        for at, code in _steps(raw, name):
            found.append((at, code if len(channels) == 1 else f"{name}/{code}"))
    return sorted(found)


def _steps(raw: Any, name: str) -> list[tuple[float, str]]:
    x = raw.get_data(picks=[name])
    if not np.isfinite(x).all() or np.abs(x).max(initial=0.0) < 1:
        return []
    with mne.utils.use_log_level("error"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        events = mne.find_events(
            raw,
            stim_channel=name,
            shortest_event=1,
            mask=_CODES,
            mask_type="and",
            uint_cast=bool(x.min() < 0),
        )
    sfreq = float(raw.info["sfreq"])
    return [((int(at) - raw.first_samp) / sfreq, str(int(code))) for at, _, code in events]
