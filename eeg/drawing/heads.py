"""What head maps share: colours that end at the outermost electrodes, and names that do not overprint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mne
import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.patches import Polygon
from numpy.typing import NDArray

from ..electrodes.names import normalise

RADIUS = 0.095  # of the head's outline, as `positions.head_positions` has it
INK = "#222222"
NARROW = 0.05  # radii: what is narrower is a line
MANY = 40  # electrodes: with more of them not all names are written
FIRST = 6  # names of the electrodes with most, whatever they are called
# The electrodes of the 10-20 system: by their names a reader finds his way on a dense cap.
LANDMARKS = frozenset(
    ("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz", "C4", "T8", "P7", "P3", "Pz", "P4", "P8")
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sides:
    """What the two colours of a map of signed relevance stand for: "for left, against right"."""

    red: str
    blue: str

    @property
    def two_lines(self) -> str:
        """For below a map."""
        return f"red: {self.red}\nblue: {self.blue}"

    @property
    def one_line(self) -> str:
        """For a colour bar."""
        return f"blue: {self.blue}; red: {self.red}"


def topomap(values: Floats, pos: Floats, axis: Axes, *, colours: str, span: tuple[float, float]) -> AxesImage:
    """Draw one map with a dot at each electrode; blank outside of the outermost: nothing was measured there.

    Parameters
    ----------
    values : ndarray, shape (electrode,)
    pos : ndarray, shape (electrode, 2)
        As `head_positions` has them.
    axis : Axes
    colours : str
        A colour map.
    span : (float, float)
        Its ends.
    """
    image: AxesImage
    image, _ = mne.viz.plot_topomap(
        values, pos, axes=axis, show=False, cmap=colours, vlim=span, sphere=(0.0, 0.0, 0.0, RADIUS),
        sensors=False, contours=0, res=160, extrapolate="local",
    )  # fmt: skip
    axis.plot(*pos.T, ".", ms=2.0, color=INK)
    edge = hull(pos)
    if edge is None:  # on one line there is nothing between electrodes
        image.set_visible(False)
        axis.scatter(pos[:, 0], pos[:, 1], c=values, cmap=colours, vmin=span[0], vmax=span[1], s=60, zorder=2)
    else:
        image.set_clip_path(Polygon(edge, transform=axis.transData))
    return image


def hull(pos: Floats) -> Floats | None:
    """The corners of the smallest convex outline around electrodes; None where they lie on one line."""
    from scipy.spatial import ConvexHull

    centred = pos - pos.mean(0)
    across = centred @ np.linalg.svd(centred, full_matrices=False)[2][1]
    return None if np.ptp(across) < NARROW * RADIUS else np.asarray(pos[ConvexHull(pos).vertices])


def named(pos: Floats, names: Sequence[str], weight: NDArray[Any], size: float) -> list[int]:
    """Which electrodes have their name written: all of few, and of many those that do not overprint.

    Parameters
    ----------
    pos : ndarray, shape (electrode, 2)
    names : sequence of str
    weight : ndarray, shape (electrode,)
        Those with most are named first, then the 10-20 system's.
    size : float
        Of the letters, in points; a map is 2.4 radii and 250 points wide.

    Returns
    -------
    list of int
        At most `MANY`.
    """
    if len(names) <= MANY:
        return list(range(len(names)))
    point = 2.4 * RADIUS / 250
    high, order = 1.25 * size * point, np.argsort(-np.asarray(weight), kind="stable").tolist()
    wide = [0.68 * size * point * len(name) for name in names]
    landmarks = [i for i in order if normalise(names[i]) in LANDMARKS]
    chosen: list[int] = []
    for i in dict.fromkeys([*order[:FIRST], *landmarks, *order]):
        clear = all(
            abs(pos[i, 0] - pos[j, 0]) > (wide[i] + wide[j]) / 2 or abs(pos[i, 1] - pos[j, 1]) > high
            for j in chosen
        )
        if clear and len(chosen) < MANY:
            chosen.append(i)
    return sorted(chosen)
