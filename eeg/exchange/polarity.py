"""Electrodes whose sign is turned round, one or a whole plug of them: neighbours contradict each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..electrodes.positions import Electrodes
from .parts import Floats, Group

NEIGHBOURS, FAR = 3, 0.085  # the nearest ones, in metre: neighbours in a head's field are alike
AGAINST = -0.25  # mean correlation across the border of what is turned round, at most
BORDER = 3  # pairs of neighbours across it, at least


@dataclass(frozen=True)
class PolarityPart:
    """Which electrodes have their sign turned round, by the signs of neighbours.

    The signs that make most neighbours alike are those of the leading eigenvector of their correlations, as
    in a cut of a graph in two; fewer electrodes than half are the ones turned round.

    Attributes
    ----------
    near : ndarray, shape (channel, channel)
        One for neighbours.
    """

    near: Floats
    name: str = "polarity"
    said: str = "which electrodes have their polarity turned round"
    group: Group = "machine"

    def swap(self, x: Floats, z: Floats) -> Floats:
        """Window x with the signs of window z."""
        return np.asarray(x * (self._signs(x) * self._signs(z))[..., None])

    def size(self, x: Floats) -> Floats:
        """One for electrodes that are turned round, (window, channel)."""
        return np.asarray(self._signs(x) < 0, dtype=float)

    def _signs(self, x: Floats) -> Floats:
        course = x - x.mean(-1, keepdims=True)
        course = course / np.maximum(course.std(-1, keepdims=True), 1e-9)
        alike = course @ course.swapaxes(-1, -2) / x.shape[-1] * self.near
        signs = np.where(np.linalg.eigh(alike)[1][..., -1] < 0, -1.0, 1.0)
        signs = np.where((signs < 0).mean(-1, keepdims=True) > 0.5, -signs, signs)
        across = self.near * (signs[:, :, None] * signs[:, None, :] < 0)
        pairs = across.sum((1, 2)) / 2
        mean = (alike * across).sum((1, 2)) / np.maximum(2 * pairs, 1)
        sure = (pairs >= BORDER) & (mean <= AGAINST)
        return np.where(sure[:, None], signs, 1.0)


def polarity_part(electrodes: Electrodes) -> PolarityPart | None:
    """The signs of electrodes; None where the places of fewer than eight are known."""
    known = [i for i, name in enumerate(electrodes) if name in electrodes.positions]
    if len(known) < 8:
        return None
    at = np.array([electrodes.positions[electrodes[i]] for i in known])
    apart = np.linalg.norm(at[:, None] - at[None], axis=-1)
    near = np.zeros((len(electrodes), len(electrodes)))
    for row, i in enumerate(known):
        for k in np.argsort(apart[row])[1 : NEIGHBOURS + 1]:
            if apart[row, k] < FAR:
                near[i, known[k]] = near[known[k], i] = 1.0
    return PolarityPart(near)
