"""Arrays of one window as text that a page can hold: whole numbers of a step, deflated, in base64.

What is drawn needs few digits: a signal is rounded to a part of its own size, relevance to a part of the
window's largest. Relevance is rounded where it is summed from the window's start on, so that the sum over any
segment is off by one step at most, however many numbers it has.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

# Steps that a usual electrode's standard deviation has, and that the largest relevance has: at the full rate,
# and at others.
FINE, PARTS = (12, 5), (4096, 256)
LARGEST = 32767  # of two bytes


@dataclass(frozen=True)
class Level:
    """How finely a window is drawn.

    Attributes
    ----------
    samples : int
        Samples of the signal that one point is the mean of.
    bin : int
        Samples that one number of relevance is the sum of.
    """

    samples: int
    bin: int

    @property
    def full(self) -> bool:
        """Whether every sample is a point; only then are artefact parts there too."""
        return self.samples == 1


def level(samples: int, sfreq: float) -> Level:
    """A level by the samples of a point; relevance in 20 ms, or more where points are coarse."""
    fine = fine_bin(sfreq)
    return Level(samples, fine if samples == 1 else fine * -(-5 * samples // fine))


def fine_bin(sfreq: float) -> int:
    """Samples in 20 ms, which bins of every level are whole numbers of."""
    return max(1, round(0.02 * sfreq))


def means(signal: Floats, samples: int) -> Floats:
    """Means of every so many samples, over the last axis; the last one may be of fewer."""
    starts = np.arange(0, signal.shape[-1], samples)
    counts = np.diff([*starts, signal.shape[-1]])
    return np.asarray(
        np.add.reduceat(np.nan_to_num(np.asarray(signal, np.float64)), starts, axis=-1) / counts
    )


def sums(relevance: Floats, samples: int) -> Floats:
    """Sums of every so many samples, over the last axis; the last one may be of fewer."""
    starts = np.arange(0, relevance.shape[-1], samples)
    return np.asarray(np.add.reduceat(np.nan_to_num(np.asarray(relevance, np.float64)), starts, axis=-1))


def signal_step(signal: Floats, full: bool = True) -> float:
    """The step of a window's signal, shape (channel, time): a part of the median electrode's deviation."""
    usual = float(np.median(signal.std(-1)))
    return _step(usual / FINE[not full], float(np.abs(signal).max(initial=0.0)))


def relevance_step(binned: Floats, full: bool = True) -> float:
    """The step of relevance in bins: a part of the largest."""
    largest = float(np.abs(binned).max(initial=0.0))
    return _step(largest / PARTS[not full], float(np.abs(binned.cumsum(-1)).max(initial=0.0)))


def _step(wanted: float, largest: float) -> float:
    """The step that is wanted, larger where numbers would not fit two bytes; never 0."""
    return max(wanted, largest / LARGEST, 1e-30)


def of_signal(signal: Floats, step: float) -> NDArray[np.int64]:
    """Differences of neighbours in steps, the first from 0; a running sum gives the signal back."""
    return np.asarray(np.diff(_whole(signal, step), prepend=0, axis=-1))


def of_relevance(binned: Floats, step: float) -> NDArray[np.int64]:
    """Relevance of each bin in steps, rounded where it is summed."""
    return np.asarray(np.diff(_whole(binned.cumsum(-1), step), prepend=0, axis=-1))


def _whole(values: Floats, step: float) -> NDArray[np.int64]:
    return np.asarray(np.rint(values / step), dtype=np.int64)


def packed(arrays: Sequence[NDArray[np.int64]]) -> str:
    """Whole numbers, deflated, as base64.

    Parameters
    ----------
    arrays : sequence of ndarray of int
        One after the other: the low bytes of an array, then its high ones, which are nearly all alike.
    """
    planes = []
    for values in arrays:
        both = values.astype("<i2").ravel().view(np.uint8).reshape(-1, 2)
        planes += [both[:, 0].tobytes(), both[:, 1].tobytes()]
    return base64.b64encode(zlib.compress(b"".join(planes), 6)).decode("ascii")


def floats(values: Floats) -> str:
    """Numbers of four bytes each, as base64."""
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode("ascii")
