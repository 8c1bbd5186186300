"""Relevance on the recording's own time line: windows joined, overlaps averaged."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .explained import Explained


def stitched(explained: Explained) -> tuple[NDArray[np.float64], NDArray[np.int64], float]:
    """Relevance on the recording's own time line.

    Where windows overlap, a sample has the mean of what each gave it.

    Parameters
    ----------
    explained : Explained

    Returns
    -------
    relevance : ndarray, shape (channel, time)
        NaN where no window is.
    covered : ndarray of int, shape (time,)
        How many windows hold a sample.
    start : float
        Seconds from the recording's first sample to the first one here.
    """
    windows = explained.windows
    first = np.round((windows.onsets - windows.onsets.min()) * windows.sfreq).astype(int)
    relevance = explained.relevance
    n = relevance.shape[-1]
    total = np.zeros((relevance.shape[1], int(first.max()) + n))
    covered = np.zeros(total.shape[1], dtype=np.int64)
    for at, one in zip(first, relevance, strict=True):
        total[:, at : at + n] += one
        covered[at : at + n] += 1
    total[:, covered == 0] = np.nan
    np.divide(total, covered, out=total, where=covered > 0)
    return total, covered, float(windows.onsets.min())


def on_time_line(explained: Explained) -> dict[str, xr.DataArray]:
    """Relevance of windows that overlap, once for each sample of the recording, as variables of a dataset.

    Parameters
    ----------
    explained : Explained

    Returns
    -------
    dict of str to xarray.DataArray
        timeline (channel, recording_time), NaN where no window is; windows_at (recording_time), how many
        windows hold a sample.
    """
    relevance, covered, start = stitched(explained)
    when = start + np.arange(len(covered)) / explained.windows.sfreq
    along = {"recording_time": ("recording_time", when, {"units": "s"})}
    of_each = {"channel": list(explained.electrodes), **along}
    note = "mean over the windows that hold a sample"
    return {
        "timeline": xr.DataArray(
            relevance,
            of_each,
            ("channel", "recording_time"),
            attrs={"units": explained.unit, "long_name": note},
        ),
        "windows_at": xr.DataArray(covered, along, ("recording_time",)),
    }
