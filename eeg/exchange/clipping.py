"""The range of an amplifier: amplitudes that are cut off at a level which all electrodes share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .parts import Floats, Group

ON_END = 2  # samples in a row at the largest amplitude: a signal that is not cut off has one
ELECTRODES = 2  # with one level: a flat piece on one electrode alone is none
SAME = 1e-3  # of the level
SLOPE = 0.25  # of a stretch's length, how far beyond the level its ends' slopes carry
BEYOND = 2.0  # times the level, at most


@dataclass(frozen=True)
class ClippingPart:
    """What is cut off above and below: the level, and what would be beyond it.

    Window i is cut off where window j is. Where i alone is, what is beyond the level is gone: it is put back
    as far as the slopes at both ends of each stretch say.
    """

    name: str = "clipping"
    said: str = "the level at which amplitudes are cut off (clipping)"
    group: Group = "machine"

    def swap(self, x: Floats, z: Floats) -> Floats:
        """Window x, cut off at the level of window z."""
        own, other = self._levels(x), self._levels(z)
        out = x.copy()
        for k in np.flatnonzero(np.isfinite(own) & (other > own)):
            out[k] = _put_back(x[k], own[k])
        return np.asarray(np.clip(out, -other[:, None, None], other[:, None, None]))

    def size(self, x: Floats) -> Floats:
        """One over the level, (window, 1); 0 where nothing is cut off."""
        return np.asarray(1 / self._levels(x))[:, None]

    def _levels(self, x: Floats) -> Floats:
        """The level of each window; infinite where there is none."""
        size = np.abs(x)
        top = size.max(-1)
        at_top = size >= top[..., None] * (1 - 1e-6)
        held = (at_top[..., 1:] & at_top[..., :-1]).sum(-1) >= ON_END - 1
        held &= top > 0
        # A flat electrode is at its largest amplitude all the time.
        held &= at_top.mean(-1) < 0.9
        levels = np.where(held, top, np.inf)
        order = np.sort(levels, axis=-1)
        if order.shape[-1] < ELECTRODES:
            return np.full(len(x), np.inf)
        least, next_ = order[:, 0], order[:, ELECTRODES - 1]
        with np.errstate(invalid="ignore"):
            same = np.isfinite(next_) & (next_ - least <= SAME * least)
        return np.where(same, least, np.inf)


def _put_back(x: Floats, level: float) -> Floats:
    """What is beyond the level, as a bow that goes on with the slopes at a stretch's ends."""
    out = x.copy()
    cut = np.abs(x) >= level * (1 - 1e-6)
    for row in np.flatnonzero(cut.any(-1)):
        for a, b in _stretches(cut[row]):
            before = x[row, a] - x[row, a - 1] if a else 0.0
            after = x[row, b - 1] - x[row, b] if b < x.shape[-1] else 0.0
            sign = np.sign(x[row, a])
            steep = max(sign * before, sign * after, 0.0)
            n = b - a
            bow = np.sin(np.pi * (np.arange(n) + 0.5) / n)
            out[row, a:b] += sign * min(SLOPE * n * steep, BEYOND * level) * bow
    return out


def _stretches(cut: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], cut.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
