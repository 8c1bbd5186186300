"""Parts that no brain signal carries: gain, amplitude resolution, samples that repeat.

None is a sum of two signals, so each says itself how window i gets it from window j.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from .parts import Floats, Group, frequencies, line_of

FAST_GAIN = 30.0  # Hz: the fast part, whose size is exchanged
LEAST = 8  # frequencies: fewer do not say how large a window is
SLOW = 13.0  # Hz: a filter or muscles move what is faster, drift and eyes what is slower
HEARD = 1e4  # times below the largest: a frequency that filters have taken away says nothing
# A window of so few unlike values, of all that it could have, has a coarse resolution.
COARSE = 0.7
# Two samples are one where they differ by less than this part of the usual step.
SAME = 1e-5
STRAIGHT, LONG = 0.005, 5  # of the usual bend, in so many samples on end
MANY = 0.25  # of a window's samples: repeated one by one, as of a signal that was recorded slower


@dataclass(frozen=True)
class GainPart:
    """How large all of a window is: the level that most frequencies have in common.

    A rhythm moves its own few frequencies, a filter those on one side; an amplifier moves all alike. So the
    gain is the median, over frequencies, of the mean over electrodes of the logarithm of the amplitude, and
    no more of it counts than slow and fast frequencies both have. Frequencies that the task may use say
    nothing of it.

    Attributes
    ----------
    counted : ndarray of bool, shape (time,)
        Coefficients of the cosine transform that say it.
    slow : int
        How many of these are slow.
    """

    counted: NDArray[np.bool_]
    slow: int
    name: str = "gain"
    said: str = "the gain of the whole window"
    group: Group = "machine"

    def swap(self, x: Floats, z: Floats) -> Floats:
        """The window times the ratio of gains."""
        each = self._levels(z) - self._levels(x)
        low, high = (np.median(part, axis=-1) for part in (each[:, : self.slow], each[:, self.slow :]))
        both = np.where(low * high > 0, np.sign(low) * np.minimum(np.abs(low), np.abs(high)), 0.0)
        return np.asarray(x * np.exp(both)[:, None, None])

    def size(self, x: Floats) -> Floats:
        """The logarithm of the gain, (window, 1)."""
        return np.median(self._levels(x), axis=-1, keepdims=True)

    def _levels(self, x: Floats) -> Floats:
        amplitude = np.abs(fft.dct(x, norm="ortho", axis=-1)[..., self.counted])
        return np.asarray(np.log(amplitude + 1e-9).mean(1))


def gain_part(x: Floats, sfreq: float, expected: NDArray[np.bool_] | None = None) -> GainPart | None:
    """The gain of windows; None where too few frequencies say it.

    Parameters
    ----------
    x : ndarray, shape (window, channel, time)
    sfreq : float
    expected : ndarray of bool, shape (time,), optional
        Coefficients that the task may use.
    """
    f = frequencies(x.shape[-1], sfreq)
    level = np.abs(fft.dct(x[:64], norm="ortho", axis=-1)).mean((0, 1))
    heard = (f > 0) & ~line_of(f) & (level > level[1:].max(initial=0.0) / HEARD)
    if expected is not None:
        heard &= ~expected
    if heard.sum() < LEAST:
        return None
    slow = int((heard & (f < SLOW)).sum())
    # Where the task takes nearly all of one side, the halves of what is left.
    few = min(slow, int(heard.sum()) - slow) < LEAST // 2
    return GainPart(heard, int(heard.sum()) // 2 if few else slow)


@dataclass(frozen=True)
class FastGainPart:
    """How large the fast part of a window is."""

    sfreq: float
    name: str = "fast gain"
    said: str = f"the size of what is faster than {FAST_GAIN:g} Hz (as filters or muscles leave it)"
    group: Group = "fast"

    def swap(self, x: Floats, z: Floats) -> Floats:
        """The window, its fast part times the ratio of sizes."""
        fast, ratio = self._fast(x), np.exp(self.size(z) - self.size(x))[..., None]
        return np.asarray(x + fast * (ratio - 1))

    def size(self, x: Floats) -> Floats:
        """The logarithm of its mean size over electrodes, (window, 1)."""
        return np.asarray(np.log(self._fast(x).std(-1) + 1e-6).mean(-1, keepdims=True))

    def _fast(self, x: Floats) -> Floats:
        f = frequencies(x.shape[-1], self.sfreq)
        inside = (f >= FAST_GAIN) & ~line_of(f)
        return np.asarray(fft.idct(fft.dct(x, norm="ortho", axis=-1) * inside, norm="ortho", axis=-1))


def fast_gain_part(sfreq: float) -> FastGainPart | None:
    """The size of the fast part; None where the sampling rate has none."""
    return FastGainPart(sfreq) if sfreq / 2 > FAST_GAIN + 5 else None


@dataclass(frozen=True)
class ResolutionPart:
    """The steps in which amplitudes come: what a converter leaves of a signal.

    A coarse window is rounded to the other's steps; where window i alone is coarse, its steps are filled
    evenly.
    """

    name: str = "resolution"
    said: str = "the amplitude resolution"
    group: Group = "machine"

    def swap(self, x: Floats, z: Floats) -> Floats:
        """Window x in the steps of window z."""
        own, other = self._steps(x), self._steps(z)
        fill = np.random.default_rng(0).uniform(-0.5, 0.5, x.shape)
        smooth = x + np.where(own > other, own, 0.0)[..., None] * fill
        step = np.where(other > own, other, 0.0)[..., None]
        rounded = np.round(smooth / np.where(step > 0, step, 1.0)) * step
        return np.asarray(np.where(step > 0, rounded, smooth))

    def size(self, x: Floats) -> Floats:
        """Each electrode's step, (window, channel); 0 where there is none."""
        return self._steps(x)

    def _steps(self, x: Floats) -> Floats:
        """The usual distance of neighbouring values, where there are few of them; 0 elsewhere."""
        apart = np.diff(np.sort(x, axis=-1), axis=-1)
        usual = np.ptp(x, axis=-1) / x.shape[-1]
        real = apart > 1e-3 * np.maximum(usual, 1e-12)[..., None]
        few = real.sum(-1) < COARSE * (x.shape[-1] - 1)
        steps = np.nanmedian(np.where(real, apart, np.nan), axis=-1) if real.any() else np.zeros(few.shape)
        # A flat electrode has one value: it repeats, and has no steps.
        return np.where(few & (real.sum(-1) > 2), np.nan_to_num(steps), 0.0)


@dataclass(frozen=True)
class RepeatsPart:
    """Samples that repeat the one before: a flat or clipped electrode, a lost packet.

    Where window j repeats, window i holds its last sample; where window i does and j does not, it gets the
    signal of j there, moved to where its own left off.
    """

    name: str = "repeats"
    said: str = "the repetition of samples"
    group: Group = "machine"

    def swap(self, x: Floats, z: Floats) -> Floats:
        """Window x, flat where window z is."""
        own, other = self._flat(x), self._flat(z)
        filled = np.where(own & ~other, _continued(x, z, own), x)
        last = np.where(other, 0, np.arange(x.shape[-1]))
        at = np.maximum.accumulate(last, axis=-1)
        return np.asarray(np.where(other, np.take_along_axis(filled, at, -1), filled))

    def size(self, x: Floats) -> Floats:
        """The part of each electrode's samples that repeat, (window, channel)."""
        return np.asarray(self._flat(x).mean(-1))

    def _flat(self, x: Floats) -> NDArray[np.bool_]:
        step = np.abs(np.diff(x, axis=-1))
        flat = _first(step <= SAME * _usual(step), x)
        # One equal pair is chance where amplitudes are coarse: three in a row are not, and neither are many.
        many = flat.mean(-1, keepdims=True) > MANY
        exact = ndimage.binary_opening(flat, np.ones((1, 1, 3), bool)) | (flat & many)
        # A filter leaves a slope of what was held: it is straight, which a signal is for no five samples.
        bend = np.abs(np.diff(x, n=2, axis=-1))
        straight = _first(bend <= STRAIGHT * _usual(bend), x)
        return np.asarray(exact | ndimage.binary_opening(straight, np.ones((1, 1, LONG), bool)))


def _usual(step: Floats) -> Floats:
    """The usual size of steps in each window, and of all windows where one has hardly any."""
    usual = np.median(step, axis=(-2, -1), keepdims=True)
    return np.maximum(usual, np.median(step[step > 0]) if (step > 0).any() else 1e-12)


def _first(found: NDArray[np.bool_], x: Floats) -> NDArray[np.bool_]:
    """With as many samples as the signal: the first are never found."""
    missing = np.zeros((*x.shape[:-1], x.shape[-1] - found.shape[-1]), bool)
    return np.concatenate([missing, found], -1)


def _continued(x: Floats, z: Floats, flat: NDArray[np.bool_]) -> Floats:
    """The signal of z, shifted in each flat stretch so that it goes on from x."""
    n = x.shape[-1]
    before = np.maximum.accumulate(np.where(flat, 0, np.arange(n)), axis=-1)
    shift = np.take_along_axis(x, before, -1) - np.take_along_axis(z, before, -1)
    return np.asarray(z + shift)
