"""How a head map is made of electrodes: what each has in the points of a grid among them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

GRID = 44  # points on each side
_WHOLE = 16384  # stands for 1: smooth interpolation goes a little beyond what electrodes have


def head_weights(places: Sequence[tuple[float, float] | None]) -> dict[str, Any] | None:
    """Weights of a smooth interpolation between electrodes.

    Parameters
    ----------
    places : sequence of (float, float) or None
        Of each electrode seen from above, in metre, on a head of radius 0.095.

    Returns
    -------
    dict or None
        grid, points a side over the square around the head; inside, the points that lie among electrodes, by
        their number; rows, the electrodes that have a place; weights, base64 of int16 (point, electrode), in
        parts of `whole`. None where fewer than four electrodes have a place, or all lie on a line.
    """
    from scipy.interpolate import CloughTocher2DInterpolator
    from scipy.spatial import QhullError

    rows = [i for i, place in enumerate(places) if place is not None]
    if len(rows) < 4:
        return None
    at = np.array([place for place in places if place is not None])
    line = (np.arange(GRID) + 0.5) / GRID * 0.19 - 0.095
    x, y = np.meshgrid(line, -line)
    try:
        smooth = CloughTocher2DInterpolator(at, np.eye(len(rows)))(np.stack([x.ravel(), y.ravel()], -1))
    except QhullError:
        return None
    inside = np.flatnonzero(np.isfinite(smooth).all(-1))
    if not len(inside):
        return None
    weights = np.rint(smooth[inside] * _WHOLE).clip(-32767, 32767).astype("<i2")
    return {
        "grid": GRID,
        "whole": _WHOLE,
        "inside": inside.tolist(),
        "rows": rows,
        "weights": base64.b64encode(weights.tobytes()).decode("ascii"),
    }
