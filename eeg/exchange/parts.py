"""What can be exchanged between two windows: a part of the signal, told by the signal alone.

A part is an exact split of a window, ``x = a + rest``, made without any account of where it comes from.
Window i gets the part of window j as ``x_i - a_i + a_j``. All but a few parts are linear, ``a = P x``, so
that this is ``x_i + P (x_j - x_i)``. Nothing is ever set to zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Floats = NDArray[np.float64]
Project = Callable[[Floats], Floats]

# What a part could be.
#   machine: no brain signal carries it, whatever the task
#   slow, fast, edge: the brain may carry it, and more often electrodes, muscles and the recorder do
#   band, time, space, electrode: what tasks are made of
#   artefact: a part by an account of where it comes from
Group = Literal["machine", "slow", "fast", "edge", "band", "time", "space", "electrode", "artefact"]

DRIFT = 0.6  # Hz: what is slower is drift, and the mean is the offset
BANDS = {
    "delta": (DRIFT, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 13.0),
    "beta": (13.0, 30.0),
    "gamma": (30.0, 52.0),
}
FAST = 52.0  # Hz
LINES, LINE_WIDTH = (50.0, 60.0, 100.0, 120.0, 150.0, 180.0), 1.5  # Hz, on each side
# A tone stands out of what is beside it by so many times its power, is no wider than this, and no rhythm's.
TONE, TONE_WIDTH, TONE_BESIDE, TONE_ABOVE = 6.0, 1.0, 5.0, 15.0  # times; Hz; Hz; Hz
TONES = 3
EDGE = 0.02  # seconds
SIXTHS = 6
FADE = 0.05  # seconds over which a stretch fades in and out


class Swappable(Protocol):
    """What can be exchanged between windows."""

    def swap(self, x: Floats, z: Floats) -> Floats:
        """Windows x with the part of windows z, both (window, channel, time) in microvolt."""


class SignalPart(Swappable, Protocol):
    """A part of a window."""

    @property
    def name(self) -> str:
        """Short, and unlike all others: "offset", "electrode C3"."""

    @property
    def said(self) -> str:
        """In words, as the object of a sentence: "each electrode's offset"."""

    @property
    def group(self) -> Group:
        """What it could be."""

    def size(self, x: Floats) -> Floats:
        """How much of the part is in each window, (window, feature): what a decoder of labels gets."""


@dataclass(frozen=True)
class LinearPart:
    """A part that is a linear function of the window.

    Attributes
    ----------
    name, said : str
    group : Group
    project : callable
        The part of windows (window, channel, time).
    power : bool
        Whether its sizes are logarithms of its power by electrode; else its means.
    """

    name: str
    said: str
    group: Group
    project: Project
    power: bool = True

    def swap(self, x: Floats, z: Floats) -> Floats:
        """``x + P (z - x)``."""
        return x + self.project(z - x)

    def size(self, x: Floats) -> Floats:
        """Logarithm of the power, or mean, of each electrode's part."""
        part = self.project(x)
        return np.asarray(np.log(part.std(-1) + 1e-6) if self.power else part.mean(-1))


def frequencies(n: int, sfreq: float) -> Floats:
    """Frequency in Hz of each coefficient of the cosine transform (DCT-II) of n samples.

    Coefficient k has k half periods in the window. The transform takes a window as it is: its ends need not
    meet, as they must for Fourier's, where a drift is in all frequencies.
    """
    return np.asarray(np.arange(n) * sfreq / (2 * n))


def in_frequency(gain: Floats) -> Project:
    """The part of some frequencies: a gain from 0 to 1 for each coefficient of the cosine transform."""
    if not gain.any():
        return np.zeros_like

    def project(x: Floats) -> Floats:
        return np.asarray(fft.idct(fft.dct(x, norm="ortho", axis=-1) * gain, norm="ortho", axis=-1))

    return project


def in_time(gate: Floats) -> Project:
    """The part of some samples: a gate from 0 to 1 for each."""
    return lambda x: x * gate


def on_electrodes(rows: NDArray[np.bool_]) -> Project:
    """All that some electrodes have."""
    return lambda x: np.where(rows[:, None], x, 0.0)


def one_after_another(*projects: Project) -> Project:
    """A part of a part: electrodes, then a band, then a stretch of time."""

    def project(x: Floats) -> Floats:
        for one in projects:
            x = one(x)
        return x

    return project


def stretch(n: int, start: int, stop: int, fade: int) -> Floats:
    """One within a stretch of n samples, 0 outside, with soft edges inside the window."""
    inside = np.zeros(n + 2 * fade)
    inside[fade + start : fade + stop] = 1.0
    if start == 0:
        inside[:fade] = 1.0
    if stop == n:
        inside[fade + n :] = 1.0
    if not fade:
        return inside
    kernel = np.hanning(fade + 2)[1:-1]
    return np.asarray(np.convolve(inside, kernel / kernel.sum(), "same")[fade : fade + n])


def line_of(f: Floats, wider: float = 0.0) -> NDArray[np.bool_]:
    """Frequencies at the lines of 50 and 60 Hz, their harmonics, and neighbours."""
    width = max(LINE_WIDTH, 3 * (f[1] if len(f) > 1 else 0.0)) + wider
    return np.asarray(np.min([np.abs(f - line) for line in LINES], axis=0) <= width)


def tones(x: Floats, sfreq: float) -> list[float]:
    """Narrow lines of the spectrum that are not the power's: a stimulator, a train, a screen.

    Parameters
    ----------
    x : ndarray, shape (window, channel, time)
    sfreq : float

    Returns
    -------
    list of float
        Hz, the strongest first.
    """
    n = x.shape[-1]
    f = np.asarray(np.fft.rfftfreq(n, 1 / sfreq), np.float64)
    power = (np.abs(np.fft.rfft((x - x.mean(-1, keepdims=True)) * np.hanning(n))) ** 2).mean(0)
    wide = max(TONE_WIDTH, 2 * f[1])
    over = np.zeros(len(f))
    for k in np.flatnonzero((f > TONE_ABOVE) & (f < 0.95 * f[-1]) & ~line_of(f, wide)):
        away = np.abs(f - f[k])
        beside = (away > wide) & (away <= TONE_BESIDE + wide)
        if beside.sum() > 2:
            over[k] = (power[:, k] / np.maximum(np.median(power[:, beside], axis=-1), 1e-30)).max()
    found: list[float] = []
    for k in np.argsort(-over):
        if over[k] < TONE or len(found) == TONES:
            break
        if all(abs(f[k] - other) > 2 * wide for other in found):
            found.append(float(f[k]))
    return found


def tone_part(tone: float, n: int, sfreq: float) -> LinearPart:
    """What lies at a narrow line of the spectrum, and its neighbours."""
    f = frequencies(n, sfreq)
    inside = np.abs(f - tone) <= max(LINE_WIDTH, 3 * f[1])
    return LinearPart(
        f"tone {tone:.1f} Hz", f"the narrow line at {tone:.1f} Hz", "band", in_frequency(inside.astype(float))
    )


def shared_tone(tone: float, n: int, sfreq: float) -> LinearPart:
    """What all electrodes have in common of a narrow line: no source in the head reaches all alike."""
    project = tone_part(tone, n, sfreq).project

    def common(x: Floats) -> Floats:
        return np.broadcast_to(project(x.mean(1, keepdims=True)), x.shape).copy()

    said = f"the narrow line at {tone:.1f} Hz that all electrodes have in common"
    return LinearPart(f"shared tone {tone:.1f} Hz", said, "machine", common)


def spectrum_parts(n: int, sfreq: float) -> list[LinearPart]:
    """Offset, drift, bands, line, and what is faster: a partition of the spectrum.

    Parameters
    ----------
    n : int
        Samples of a window.
    sfreq : float
        Hz.

    Returns
    -------
    list of LinearPart
        They sum to the signal.
    """
    f = frequencies(n, sfreq)
    line = line_of(f)
    masks: dict[str, tuple[str, Group, NDArray[np.bool_]]] = {
        "offset": ("each electrode's offset", "slow", f == 0),
        "drift": (f"drift below {DRIFT:g} Hz", "slow", (f > 0) & (f < DRIFT)),
    }
    for name, (low, high) in BANDS.items():
        masks[name] = (f"{name} ({low:g} to {high:g} Hz)", "band", (f >= low) & (f < high) & ~line)
    masks["line"] = ("the power line with its neighbours", "machine", line)
    masks["fast"] = (f"what is faster than {FAST:g} Hz", "fast", (f >= FAST) & ~line)
    return [
        LinearPart(name, said, group, in_frequency(inside.astype(float)), power=name != "offset")
        for name, (said, group, inside) in masks.items()
        if inside.any()
    ]


NEAR = 0.15  # of a window: what lies in this much of it lies at its end


def when(start: int, stop: int, n: int, sfreq: float) -> str:
    """A stretch of a window in words."""
    if start == 0:
        return f"in the first {stop / sfreq:.2f} s of the window"
    if stop == n:
        return f"in the last {(n - start) / sfreq:.2f} s of the window"
    seconds = f"from {start / sfreq:.2f} to {stop / sfreq:.2f} s"
    if stop <= NEAR * n:
        return f"{seconds}, at the beginning of the window,"
    if start >= (1 - NEAR) * n:
        return f"{seconds}, at the end of the window,"
    return seconds


def time_parts(n: int, sfreq: float) -> list[LinearPart]:
    """The first and the last milliseconds of the window, and its sixths.

    The sixths sum to the signal.
    """
    few = max(1, round(EDGE * sfreq))
    ms = 1000 * few / sfreq
    first, last = np.zeros(n), np.zeros(n)
    first[:few] = last[-few:] = 1.0
    found = [
        LinearPart("first", f"the first {ms:.0f} ms of the window", "edge", in_time(first)),
        LinearPart("last", f"the last {ms:.0f} ms of the window", "edge", in_time(last)),
    ]
    bounds = np.round(np.linspace(0, n, SIXTHS + 1)).astype(int)
    fade = max(1, round(FADE * sfreq))
    for i, (a, b) in enumerate(pairwise(bounds)):
        said = f"the signal {when(a, b, n, sfreq)}"
        found.append(LinearPart(f"sixth {i + 1}", said, "time", in_time(stretch(n, a, b, fade))))
    return found
