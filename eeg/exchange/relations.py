"""Parts that are a relation between electrodes: the reference, a bridge, electrodes that changed places.

Each is read off a window by itself and carried over to another one as what it is, so that the brain's signal
stays: a window is referenced anew, two electrodes are joined, or they change places.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..electrodes.positions import Electrodes
from .parts import Floats, Group
from .spatial import second_moment

# A direction that has so little of what it has over all windows is one that a window lacks.
LACKS = 1e-6
# Directions that no window has, as after an average reference, are none that one lacks.
NOWHERE = 1e-9
# The sum over electrodes of a direction of length 1: at least 1 where one electrode is the reference.
REFERENCED = 0.5
SMALLEST_MOMENT = 8  # samples for each electrode, at least
NEAR = 6  # electrodes that predict one
FLIPPED, SWAPPED, BETTER = -0.5, 0.6, 0.4


@dataclass(frozen=True)
class ReferencePart:
    """What a window lacks altogether: its reference, the difference of bridged electrodes, a dead electrode.

    Attributes
    ----------
    whiten : ndarray, shape (channel, direction)
        Makes the second moment of all windows together white, on the directions that any has.
    """

    whiten: Floats
    name: str = "reference"
    said: str = "the rank of the signal (its reference, bridged or dead electrodes)"
    group: Group = "machine"

    def swap(self, x: Floats, z: Floats) -> Floats:
        """Window x without what window z lacks, and with what it lacks itself taken from z."""
        out = x.copy()
        for i, (own, other) in enumerate(zip(self._lacking(x), self._lacking(z), strict=True)):
            if _same(own, other):
                continue
            (reference, others), (anew, taken) = _apart(own), _apart(other)
            # From one reference to another nothing is lost that the other window would have to give.
            given = others if anew.shape[1] else np.concatenate([reference, others], axis=1)
            out[i] = _without(_given(x[i], z[i], given), anew, taken)
        return out

    def size(self, x: Floats) -> Floats:
        """How many directions are lacking, and what each electrode has of them, (window, 1 + channel)."""
        found = [
            np.concatenate([[v.shape[1]], np.abs(v).sum(1) if v.shape[1] else np.zeros(x.shape[1])])
            for v in self._lacking(x)
        ]
        return np.array(found)

    def _lacking(self, x: Floats) -> list[Floats]:
        """Unit vectors over electrodes in which each window has nothing, (channel, n) of each."""
        moment = x @ x.swapaxes(-1, -2) / x.shape[-1]
        values, vectors = np.linalg.eigh(self.whiten.T @ moment @ self.whiten)
        level = np.median(values, axis=-1, keepdims=True)
        found = []
        for few, axes in zip(values < LACKS * np.maximum(level, 1e-12), vectors, strict=True):
            v = self.whiten @ axes[:, few]
            found.append(np.linalg.qr(v)[0] if v.shape[1] else v)
        return found


def _same(a: Floats, b: Floats) -> bool:
    """Whether two sets of directions are one."""
    return a.shape == b.shape and bool(
        np.allclose(np.abs(np.linalg.svd(a.T @ b, compute_uv=False)), 1, atol=1e-3)
    )


def _apart(lacking: Floats) -> tuple[Floats, Floats]:
    """What is lacking as a reference, (channel, 0 or 1), and the directions that no reference changes.

    Referencing takes the same from all electrodes, so that only one direction of those lacking, the one
    nearest to what all have in common, tells of it. The others have none of it: a bridge is a difference.
    """
    common = lacking.sum(0)  # of each direction what all electrodes have in common
    size = float(np.linalg.norm(common))
    if size < REFERENCED:
        return lacking[:, :0], lacking
    turned = np.linalg.qr(common[:, None], mode="complete")[0]
    return lacking @ turned[:, :1], lacking @ turned[:, 1:]


def _given(x: Floats, z: Floats, lacking: Floats) -> Floats:
    """Window x with what window z has in these directions."""
    return np.asarray(x + lacking @ (lacking.T @ (z - x)))


def _without(x: Floats, reference: Floats, others: Floats) -> Floats:
    """A window that lacks these directions: the others are taken out, and then it is referenced anew."""
    x = x - others @ (others.T @ x)
    for v in reference.T:
        x = x - np.outer(np.ones(len(x)), v @ x) / v.sum()
    return x


def reference_part(x: Floats) -> ReferencePart | None:
    """What windows lack; None where windows are too short to say.

    Parameters
    ----------
    x : ndarray, shape (window, channel, time)
    """
    if x.shape[1] < 3 or x.shape[-1] < SMALLEST_MOMENT * x.shape[1]:
        return None
    values, vectors = np.linalg.eigh(second_moment(x))
    there = values > NOWHERE * values[-1]
    return ReferencePart(vectors[:, there] * values[there] ** -0.5) if there.sum() > 2 else None


@dataclass(frozen=True)
class OrderPart:
    """Electrodes that have changed places, or their sign, against what their neighbours say.

    Attributes
    ----------
    predict : ndarray, shape (channel, channel)
        Predicts each electrode from its neighbours on the head.
    """

    predict: Floats
    name: str = "order"
    said: str = "which electrodes are swapped, or have their polarity flipped,"
    group: Group = "machine"

    def swap(self, x: Floats, z: Floats) -> Floats:
        """Window x in the order and with the signs of window z."""
        (own, sign), (other, others) = self._found(x), self._found(z)
        proper = np.take_along_axis(x * sign[..., None], own[..., None], axis=1)
        return np.asarray(np.take_along_axis(proper, other[..., None], axis=1) * others[..., None])

    def size(self, x: Floats) -> Floats:
        """Which electrodes are not where, or what, they should be, (window, 2 channel)."""
        order, sign = self._found(x)
        return np.concatenate([order != np.arange(x.shape[1]), sign < 0], axis=1).astype(float)

    def _found(self, x: Floats) -> tuple[NDArray[np.int64], Floats]:
        """For each window which electrode stands in the place of each, and its sign."""
        course = x - x.mean(-1, keepdims=True)
        course = course / np.maximum(course.std(-1, keepdims=True), 1e-9)
        said = np.einsum("ab,nbt->nat", self.predict, course, optimize=True)
        said = said / np.maximum(said.std(-1, keepdims=True), 1e-9)
        like = course @ said.swapaxes(-1, -2) / x.shape[-1]  # [window, electrode, place]
        n, channels = x.shape[:2]
        order, sign = np.tile(np.arange(channels), (n, 1)), np.ones((n, channels))
        own = np.diagonal(like, axis1=-2, axis2=-1)
        sign[own < FLIPPED] = -1.0
        for i in range(n):
            for a, b in _swapped(like[i], own[i]):
                order[i, [a, b]] = b, a
                sign[i, [a, b]] = 1.0  # in the wrong place it may well be unlike its neighbours
        return order, sign


def _swapped(like: Floats, own: Floats) -> list[tuple[int, int]]:
    """Pairs of electrodes, each of which is like what the other's neighbours say, and unlike its own's."""
    gain = np.minimum(like - own[:, None], (like - own[:, None]).T)
    fits = np.minimum(like, like.T)
    found: list[tuple[int, int]] = []
    candidates = np.argwhere(np.triu((gain > BETTER) & (fits > SWAPPED), 1))
    for a, b in sorted(candidates.tolist(), key=lambda ab: -gain[ab[0], ab[1]]):
        if not any(a in pair or b in pair for pair in found):
            found.append((a, b))
    return found


def order_part(electrodes: Electrodes) -> OrderPart | None:
    """The order of electrodes; None where it is not known where most of them lie."""
    places = [electrodes.positions.get(name) for name in electrodes]
    known = [i for i, p in enumerate(places) if p is not None]
    if len(known) < NEAR + 2 or len(known) < 0.8 * len(places):
        return None
    predict = np.zeros((len(places), len(places)))
    at = np.array([places[i] for i in known])
    apart = np.linalg.norm(at[:, None] - at[None], axis=-1)
    for row, i in enumerate(known):
        near = np.argsort(apart[row])[1 : NEAR + 1]
        weight = 1 / np.maximum(apart[row, near], 1e-3) ** 2
        predict[i, [known[k] for k in near]] = weight / weight.sum()
    return OrderPart(predict)
