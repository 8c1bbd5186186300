"""Recordings of a BIDS dataset, read with what stands beside them, through mne-bids."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

_NAME = re.compile(r"sub-[A-Za-z0-9]+(_[a-z]+-[A-Za-z0-9]+)*_eeg\.(edf|bdf|vhdr|set|fif)")
ROOT = "dataset_description.json"
USED, MISSING = "onnxplain: bids", "onnxplain: no mne-bids"


def root_of(path: Path) -> Path | None:
    """The dataset that a recording belongs to; None where its name or place is none of BIDS'."""
    if not _NAME.fullmatch(path.name):
        return None
    for folder in path.resolve().parents[:4]:
        if (folder / ROOT).is_file():
            return folder
    return None


def open_recording(path: Path) -> Any | None:
    """MNE's raw object with events.tsv, channels.tsv and electrodes.tsv applied; None where it is no BIDS.

    What it has to say goes out as warnings `USED` and `MISSING`, which `recording.read` puts into words.
    """
    root = root_of(path)
    if root is None:
        return None
    try:
        import mne_bids
    except ImportError:
        warnings.warn(MISSING, stacklevel=1)
        return None
    found = mne_bids.get_bids_path_from_fname(path, check=False, verbose="error")
    raw = mne_bids.read_raw_bids(found, on_ch_mismatch="reorder", verbose="error")
    warnings.warn(USED, stacklevel=1)
    return raw
