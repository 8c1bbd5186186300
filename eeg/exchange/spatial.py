"""Parts told by how electrodes go together: what they share, what one has alone, and their covariance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..electrodes.positions import Electrodes
from ..electrodes.regions import partition
from ..text import plain
from .parts import Floats, Group, LinearPart, on_electrodes

RIDGE = 0.05  # of the mean power of an electrode: what predicts an electrode must not be its own shadow
ENOUGH = 8  # electrodes: fewer do not predict one another
FLOOR = 1e-3  # of the mean power: directions with less are not coloured


def second_moment(x: Floats) -> Floats:
    """Mean of ``x x^T`` over windows and time, offsets included, (channel, channel)."""
    flat = x.swapaxes(0, 1).reshape(x.shape[1], -1)
    return np.asarray(flat @ flat.T / flat.shape[1])


def unshared(x: Floats) -> Floats:
    """The matrix that leaves of each electrode what all others do not predict, (channel, channel).

    The residual of the ridge regression of each electrode on all others is its row of the inverse second
    moment, over that row's diagonal element.
    """
    moment = second_moment(x)
    level = float(np.trace(moment)) / len(moment)
    inverse = np.linalg.inv(moment + RIDGE * max(level, 1e-12) * np.eye(len(moment)))
    return np.asarray(inverse / np.diag(inverse)[:, None])


def space_parts(x: Floats, electrodes: Electrodes) -> list[LinearPart | CovariancePart]:
    """What all electrodes have in common, what each has alone, and how they go together.

    Parameters
    ----------
    x : ndarray, shape (window, channel, time)
        All windows, which say what electrodes share.
    electrodes : Electrodes
    """
    n = len(electrodes)
    if n < 2:
        return []
    alone = unshared(x)
    return [
        LinearPart("common", "what all electrodes have in common", "space", _matrix(np.full((n, n), 1 / n))),
        LinearPart(
            "unshared", "what each electrode has that the others do not predict", "space", _matrix(alone)
        ),
        CovariancePart(),
    ]


def electrode_parts(electrodes: Electrodes, rows: Sequence[int] | None = None) -> list[LinearPart]:
    """All that one electrode has, for each of them."""
    found = []
    for i in range(len(electrodes)) if rows is None else rows:
        mask = np.arange(len(electrodes)) == i
        name = plain(electrodes[i])
        found.append(
            LinearPart(f"electrode {name}", f"the signal of {name}", "electrode", on_electrodes(mask))
        )
    return found


def alone_parts(x: Floats, electrodes: Electrodes, rows: Sequence[int]) -> list[LinearPart]:
    """What one electrode has that the others do not predict, for some of them.

    A source in the head reaches several electrodes: what is on one alone is more often the electrode's.
    """
    if len(electrodes) < ENOUGH:
        return []
    weights = unshared(x)
    found = []
    for i in rows:
        one = np.zeros_like(weights)
        one[i] = weights[i]
        name = plain(electrodes[i])
        said = f"what {name} has that the other electrodes do not predict"
        found.append(LinearPart(f"alone {name}", said, "electrode", _matrix(one)))
    return found


def region_parts(electrodes: Electrodes) -> list[LinearPart]:
    """All that the electrodes of a region have, for each region but one that is all of the head."""
    found = []
    for region, members in partition(electrodes).items():
        mask = np.array([c in members for c in electrodes])
        if region != "other" and not mask.all():
            said = f"the signal of {region} electrodes"
            found.append(LinearPart(f"region {region}", said, "space", on_electrodes(mask)))
    return found


def _matrix(weights: Floats):  # type: ignore[no-untyped-def]
    return lambda x: np.einsum("ab,nbt->nat", weights, x, optimize=True)


@dataclass(frozen=True)
class CovariancePart:
    """How electrodes go together in a window: what a band power or a connectivity is made of.

    Window i is made white by its own covariance and coloured by that of window j: its courses stay, and their
    sizes and mixture become those of j.
    """

    name: str = "covariance"
    said: str = "the electrodes' covariance"
    group: Group = "space"

    def swap(self, x: Floats, z: Floats) -> Floats:
        """``C_z^(1/2) C_x^(-1/2) x``, offsets kept."""
        mean = x.mean(-1, keepdims=True)
        course = x - mean
        (own, axes), (other, others) = (_axes(v) for v in (course, z - z.mean(-1, keepdims=True)))
        white = np.einsum("nab,nb,ncb,nct->nat", axes, own**-0.5, axes, course, optimize=True)
        return np.asarray(
            mean + np.einsum("nab,nb,ncb,nct->nat", others, other**0.5, others, white, optimize=True)
        )

    def size(self, x: Floats) -> Floats:
        """Logarithm of each electrode's power."""
        return np.asarray(np.log(x.std(-1) + 1e-6))


def _axes(course: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues, of which none is tiny, and eigenvectors of each window's covariance."""
    moment = course @ course.swapaxes(-1, -2) / course.shape[-1]
    values, vectors = np.linalg.eigh(moment)
    floor = FLOOR * np.maximum(values.mean(-1, keepdims=True), 1e-12)
    return np.maximum(values, floor), vectors
