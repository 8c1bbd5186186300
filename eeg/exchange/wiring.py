"""References and bridges as recordings have them: nearly, and not to the last digit.

Behind a filter, and with each electrode's own noise, what an electrode lacks as the reference is not zero. So
a window's reference is looked for among those that are in use (the average, one electrode, a pair of ears or
temples): what it would leave of a window is small there, and in other windows is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..electrodes.positions import Electrodes
from .parts import Floats, Group

# A reference leaves less than this of a usual electrode's size, and of what it leaves in other windows.
LEAVES, THAN_OTHERS = 0.2, 0.3
UNKNOWN = -1
PAIRS_OF = (("TP9", "TP10"), ("M1", "M2"), ("A1", "A2"), ("T7", "T8"))
# Bridged electrodes differ by less than this part of their power, and by ten times more in other windows.
BRIDGED, ELSEWHERE = 0.01, 10.0


@dataclass(frozen=True, eq=False)
class ReferenceElectrodePart:
    """Which reference a window has: the average, an electrode, or a pair.

    Every reference becomes the average by taking the mean over electrodes, and the average becomes another
    one by taking what that one reads. Where a window's reference is none of these, what all of its electrodes
    have in common stands for it.

    Attributes
    ----------
    weights : ndarray, shape (reference, channel)
        What each reads of a window; each sums to 1. The first is the average.
    usual : ndarray, shape (reference,)
        What each leaves of windows that do not have it, of an electrode's size.
    """

    weights: Floats
    usual: Floats
    name: str = "reference electrode"
    said: str = "the reference (the average, or which electrode)"
    group: Group = "machine"

    def swap(self, x: Floats, z: Floats) -> Floats:
        """Window x in the reference of window z."""
        out = x.copy()
        for i, (own, other) in enumerate(zip(self._found(x), self._found(z), strict=True)):
            if own == other:
                continue
            even = x[i] - x[i].mean(0)
            out[i] = even + z[i].mean(0) if other == UNKNOWN else even - self.weights[other] @ even
        return out

    def size(self, x: Floats) -> Floats:
        """What each reference leaves, (window, reference)."""
        return np.log(_left(x, self.weights) + 1e-6)

    def _found(self, x: Floats) -> NDArray[np.int64]:
        """Which reference each window has; `UNKNOWN` for none of them."""
        left = _left(x, self.weights)
        fits = np.where(left < np.minimum(LEAVES, THAN_OTHERS * self.usual), left / self.usual, np.inf)
        return np.where(np.isfinite(fits).any(-1), fits.argmin(-1), UNKNOWN)


def reference_electrode_part(x: Floats, electrodes: Electrodes) -> ReferenceElectrodePart | None:
    """Which reference windows have; None where all have one, or none can be told.

    Parameters
    ----------
    x : ndarray, shape (window, channel, time)
    electrodes : Electrodes
    """
    if x.shape[1] < 4 or x.shape[-1] < 4 * x.shape[1]:
        return None
    weights = np.array(list(_weights(electrodes)))
    made = ReferenceElectrodePart(weights, np.quantile(_left(x, weights), 0.75, axis=0))
    return made if len(np.unique(made._found(x))) > 1 else None


def _weights(electrodes: Electrodes) -> Iterator[Floats]:
    n = len(electrodes)
    yield np.full(n, 1 / n)
    yield from np.eye(n)
    keys = [electrodes.key(name) for name in electrodes]
    for pair in PAIRS_OF:
        if all(one in keys for one in pair):
            weight = np.zeros(n)
            weight[[keys.index(one) for one in pair]] = 0.5
            yield weight


def _left(x: Floats, weights: Floats) -> Floats:
    """What references would leave of windows, of the size of a usual electrode, (window, reference)."""
    course = x - x.mean(-1, keepdims=True)
    size = np.maximum(np.median(course.std(-1), axis=-1), 1e-9)
    return np.asarray(np.einsum("rc,nct->nrt", weights, course, optimize=True).std(-1) / size[:, None])


@dataclass(frozen=True, eq=False)
class BridgePart:
    """Electrodes that are joined by gel or salt, and show the same signal.

    Attributes
    ----------
    pairs : ndarray of int, shape (pair, 2)
        Electrodes that are joined in some windows.
    usual : ndarray, shape (pair,)
        How far they differ where they are not, of their power.
    """

    pairs: NDArray[np.int64]
    usual: Floats
    name: str = "bridge"
    said: str = "which electrodes are bridged, and show the same signal,"
    group: Group = "machine"

    def swap(self, x: Floats, z: Floats) -> Floats:
        """Window x with the electrodes joined that are in window z, and those parted that are not."""
        out, own, other = x.copy(), self._joined(x), self._joined(z)
        for k, (a, b) in enumerate(self.pairs):
            join, part = other[:, k] & ~own[:, k], own[:, k] & ~other[:, k]
            out[join, a] = out[join, b] = out[join][:, [a, b]].mean(1)
            half = (z[part, a] - z[part, b]) / 2
            out[part, a], out[part, b] = out[part, a] + half, out[part, b] - half
        return out

    def size(self, x: Floats) -> Floats:
        """Logarithm of how far each pair differs, (window, pair)."""
        return np.log(_apart(x, self.pairs) + 1e-9)

    def _joined(self, x: Floats) -> NDArray[np.bool_]:
        apart = _apart(x, self.pairs)
        return np.asarray((apart < BRIDGED) & (apart * ELSEWHERE < self.usual))


def bridge_part(x: Floats) -> BridgePart | None:
    """Electrodes that are joined in some windows and not in others; None where there are none.

    Parameters
    ----------
    x : ndarray, shape (window, channel, time)
    """
    n = x.shape[1]
    if n < 3:
        return None
    every = np.array([(a, b) for a in range(n) for b in range(a + 1, n)])
    apart = _apart(x, every)
    usual = np.quantile(apart, 0.75, axis=0)
    some = ((apart < BRIDGED) & (apart * ELSEWHERE < usual)).mean(0)
    picked = np.flatnonzero(some > 0.02)
    return BridgePart(every[picked], usual[picked]) if len(picked) else None


def _apart(x: Floats, pairs: NDArray[np.int64]) -> Floats:
    """How far two electrodes differ, of their power, (window, pair)."""
    moment = x - x.mean(-1, keepdims=True)
    moment = moment @ moment.swapaxes(-1, -2)
    own = np.diagonal(moment, axis1=-2, axis2=-1)
    a, b = pairs.T
    both = own[:, a] + own[:, b]
    return np.asarray(np.maximum(both - 2 * moment[:, a, b], 0.0) / np.maximum(both, 1e-12))
