"""Units: what a header says the stored numbers are, and what the reader took them for.

The two need not agree: a reader that does not know "uv" takes the numbers for volt. What a channel's values
have to be divided by to get the stored numbers back is the factor that was applied, never what is printed.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

VOLTS = {"V": 1.0, "mV": 1e-3, "uV": 1e-6, "nV": 1e-9}
GIVEN = ("V", "mV", "uV")  # what somebody may say that the numbers are

_NAMES = {
    **dict.fromkeys(("v", "volt", "volts"), "V"),
    **dict.fromkeys(("mv", "millivolt", "millivolts"), "mV"),
    **dict.fromkeys(("uv", "microv", "uvolt", "uvolts", "microvolt", "microvolts", "mcv"), "uV"),
    **dict.fromkeys(("nv", "nanovolt", "nanovolts"), "nV"),
}
# Greek mu, the micro sign, and what they become when text is read in another encoding.
_MU = re.compile("[\u00b5\u03bc]|\u00c2\u00b5|\u00ce\u00bc|\x83\xca|\x83\u00ca|\ufffd")
# Readers that take every channel's numbers for microvolt.
_MICROVOLT = {"RawCNT", "RawPersyst", "RawNicolet", "RawEEGLAB", "EpochsEEGLAB", "RawMff", "RawANT"}


def understood(text: str) -> str | None:
    """The unit that a header's text means: "V", "mV", "uV" or "nV"; None where it is none of these.

    >>> understood("UV"), understood("\u03bcV"), understood("Volts"), understood("bpm")
    ('uV', 'uV', 'V', None)
    """
    return _NAMES.get(_MU.sub("u", text).strip(" \x00.[]()").casefold())


def given(text: str) -> str | None:
    """The unit that a user typed, in any case; None where it is none of V, mV and uV."""
    unit = understood(text)
    return unit if unit in GIVEN else None


def applied(data: Any) -> dict[str, float]:
    """What each channel's stored numbers were multiplied by to be volt.

    Parameters
    ----------
    data : mne.io.BaseRaw or mne.BaseEpochs
        As the reader gave it.

    Returns
    -------
    dict of str to float
        Only channels for which it is not 1.
    """
    kind, names = type(data).__name__, data.ch_names
    extras = (getattr(data, "_raw_extras", None) or [None])[0]
    extras = extras if isinstance(extras, Mapping) else {}
    if kind in ("RawEDF", "RawBDF", "RawGDF"):
        # BIDS may have changed the order since.
        factors = dict(zip(extras.get("ch_names", names), np.ravel(extras.get("units", ())), strict=False))
    elif kind == "RawNihon":
        factors = dict(zip(names, np.ravel(extras.get("gains", ())), strict=False))
    elif kind in ("RawBrainVision", "RawNSX"):
        factors = {ch["ch_name"]: ch["range"] for ch in data.info["chs"]}
    elif kind == "RawEGI":
        factors = {ch["ch_name"]: 1e-6 if ch["cal"] == 1e-6 else 1.0 for ch in data.info["chs"]}
    elif kind == "RawCurry":
        said = getattr(data, "_orig_units", None) or {}
        factors = {n: 1e-6 if understood(said.get(n, "")) == "uV" else 1.0 for n in names}
    else:
        factors = dict.fromkeys(names, 1e-6 if kind in _MICROVOLT else 1.0)
    found = {n: float(factors.get(n, 1.0)) for n in names}
    return {n: f for n, f in found.items() if f > 0 and f != 1.0}


def of_table(path: Path, names: Sequence[str]) -> dict[str, str]:
    """Units that the channels.tsv beside a BIDS recording gives its channels; empty where there is none."""
    stem = re.sub(r"_eeg\.[a-z]+(\.gz)?$", "", path.name)
    table = path.with_name(f"{stem}_channels.tsv")
    if stem == path.name or not table.is_file() or table.stat().st_size > 5_000_000:
        return {}
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
    except (UnicodeDecodeError, csv.Error, OSError):
        return {}
    wanted = set(names)
    return {
        row["name"]: row["units"]
        for row in rows
        if row.get("name") in wanted and understood(row.get("units") or "") is not None
    }
