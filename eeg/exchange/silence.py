"""Moments in which all electrodes are silent: padding, a lost packet, an amplifier that was off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .parts import Floats, Group

LOOK, LEAST = 0.05, 0.08  # seconds: over which size is taken, and of which a silence is at least
QUIET = 0.12  # of a window's usual size: a brain is never so silent on all electrodes, and filters ring


@dataclass(frozen=True)
class SilencePart:
    """When nothing is recorded, on any electrode; what filters leave of it is not zero, but small.

    Where window j is silent, window i is made silent; where window i alone is, it gets the signal of j.

    Attributes
    ----------
    sfreq : float
        Hz.
    """

    sfreq: float
    name: str = "silence"
    said: str = "the moments in which all electrodes are silent (padding, lost data)"
    group: Group = "machine"

    def swap(self, x: Floats, z: Floats) -> Floats:
        """Window x, silent where window z is."""
        own, other = self._silent(x), self._silent(z)
        filled = np.where((own & ~other)[:, None], z, x)
        return np.asarray(np.where((other & ~own)[:, None], 0.0, filled))

    def size(self, x: Floats) -> Floats:
        """The part of the window that is silent, (window, 1)."""
        return np.asarray(self._silent(x).mean(-1, keepdims=True))

    def _silent(self, x: Floats) -> NDArray[np.bool_]:
        """Samples of each window, (window, time)."""
        steps = np.diff(x, axis=-1, prepend=x[..., :1]) ** 2
        width = max(3, round(LOOK * self.sfreq))
        mean = np.maximum(ndimage.uniform_filter1d(steps, width, axis=-1), 0.0)
        size = np.median(np.sqrt(mean), axis=1)
        usual = np.quantile(size, 0.75, axis=-1, keepdims=True)
        low = size < QUIET * np.maximum(usual, 1e-12)
        long = np.ones((1, max(2, round(LEAST * self.sfreq))), bool)
        return np.asarray(ndimage.binary_opening(low, long))
