"""A model that takes one number of rows only: how many samples these are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ModelError
from .layouts import layouts_of
from .runs import Mode, Observed, Runs
from .shapes import Layout

Array = np.ndarray[Any, Any]


def observe_closed(runs: Runs, mode: Mode) -> Observed:
    """What a model shows at the example's own number of rows; at one row in mode single.

    Raises
    ------
    ModelError
        onnxruntime cannot run it.
    """
    feed = {n: runs.example[n] for n in runs.graph.inputs}
    if mode == "single":
        feed = {n: x if n not in runs.axes else np.take(x, [0], axis=runs.axes[n]) for n, x in feed.items()}
    values = runs.values(feed)
    if mode != "fixed":
        return Observed(values, values, mode)
    # A file that fixes its batch: how many samples that is shows at the outputs.
    axes: Mapping[str, int] = runs.axes
    rows = next((feed[n].shape[a] for n, a in axes.items()), 0)
    if not axes:
        rows = max((len(x) for x in feed.values() if x.ndim), default=1)
        axes = {n: 0 for n, x in feed.items() if x.ndim and len(x) == rows}
    lead = next((values[o].shape[0] for o in runs.graph.outputs if o in values and values[o].ndim), 1)
    batch = lead if lead and rows % lead == 0 else 1
    layouts: dict[str, Layout] | None = {}
    if batch > 1:
        own = runs.rows_of_sample(feed, values, batch, rows, axes)
        layouts = layouts_of(values, runs.values(runs.change(feed, own, axes)), batch, sample=1)
        if layouts is not None:
            layouts = _moved_further(runs, feed, values, own, axes, batch, layouts)
        if layouts is None:
            batch, layouts = 1, {}
    return Observed(values, values, "fixed", rows // batch, batch, layouts or {})


def _moved_further(
    runs: Runs,
    feed: Mapping[str, Array],
    values: Mapping[str, Array],
    own: Sequence[int],
    axes: Mapping[str, int],
    batch: int,
    known: dict[str, Layout],
) -> dict[str, Layout] | None:
    """Layouts of more values, and whether the first samples are as independent as the second.

    Steps and what is sorted move with a larger change only; running sums depend on what is before.
    """
    rows = next(feed[n].shape[a] for n, a in axes.items())
    moved = [(own, 1)] + ([([0], 0), ([batch - 1], batch - 1)] if rows == batch else [])
    for at, sample in moved:
        for further in (_stretched, _mirrored, _far):
            changed = dict(feed)
            for name, axis in axes.items():
                x = np.moveaxis(feed[name].copy(), axis, 0)
                if x.dtype.kind == "f":
                    x[list(at)] = further(x, x[list(at)])
                changed[name] = np.ascontiguousarray(np.moveaxis(x, 0, axis))
            try:
                more = layouts_of(values, runs.values(changed), batch, sample)
            except ModelError:  # what was changed were indices
                continue
            if more is None:
                return None
            known = more | known
    return known


def _stretched(x: Array, some: Array) -> Array:
    return np.asarray(3 * some + 1)


def _mirrored(x: Array, some: Array) -> Array:
    return np.asarray(-2 * some)


def _far(x: Array, some: Array) -> Array:
    return np.asarray(some + 10 * np.abs(x).max(initial=1))
