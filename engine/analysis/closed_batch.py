"""A model that takes one number of rows only: how many samples these are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from ..errors import ModelError
from .alone import settle
from .layouts import Places
from .runs import Mode, Observed, Runs

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
    if batch == 1:
        return Observed(values, values, "fixed", rows)
    own = runs.rows_of_sample(feed, values, batch, rows, axes)
    places = Places(batch, values)
    places.see(runs.values(runs.change(feed, own, axes)), 1)
    for changed, sample in _further(feed, own, axes, batch):
        if places.mixed:
            break
        with suppress(ModelError):  # what was changed were indices
            places.see(runs.values(changed), sample)
    if places.mixed:
        return Observed(values, values, "fixed", rows)
    settle(runs, places, feed, axes)
    return Observed(values, values, "fixed", rows // batch, batch, places.layouts())


def _further(
    feed: Mapping[str, Array], own: Sequence[int], axes: Mapping[str, int], batch: int
) -> Iterator[tuple[dict[str, Array], int]]:
    """Feeds in which one sample is further away, and which one.

    Steps and what is sorted move with a larger change only; running sums depend on what is before, so that
    the first samples may be less independent than the second.
    """
    rows = next(feed[n].shape[a] for n, a in axes.items())
    which = [(own, 1)] + ([([0], 0), ([batch - 1], batch - 1)] if rows == batch else [])
    for at, sample in which:
        for further in (_stretched, _mirrored, _far):
            changed = dict(feed)
            for name, axis in axes.items():
                x = np.moveaxis(feed[name].copy(), axis, 0)
                if x.dtype.kind == "f":
                    x[list(at)] = further(x, x[list(at)])
                changed[name] = np.ascontiguousarray(np.moveaxis(x, 0, axis))
            yield changed, sample


def _stretched(x: Array, some: Array) -> Array:
    return np.asarray(3 * some + 1)


def _mirrored(x: Array, some: Array) -> Array:
    return np.asarray(-2 * some)


def _far(x: Array, some: Array) -> Array:
    return np.asarray(some + 10 * np.abs(x).max(initial=1))
