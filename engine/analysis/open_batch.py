"""A model that takes any number of samples at once: run at two and at three of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import ModelError
from .closed_batch import observe_closed
from .layouts import Places, folded
from .runs import Observed, Runs, SamplesMix

Array = np.ndarray[Any, Any]

# Rows fed per sample, tried in this order: ICLabel folds four copies of a component into one.
_ROWS_PER_SAMPLE = (1, 2, 3, 4, 6, 8)


def observe_open(runs: Runs) -> Observed:
    """What a model shows at two and at three samples; at the example's own number if it runs at no other.

    Raises
    ------
    ModelError
        onnxruntime cannot run it.
    SamplesMix
        Rows are not independent.
    """
    try:
        return _observed(runs)
    except ModelError:
        if not runs.noise:
            raise
    # Noise may have made indices that are none: shuffle what was given instead.
    runs.noise = False
    return _observed(runs)


def _observed(runs: Runs) -> Observed:
    problem: ModelError | None = None
    for rows in _ROWS_PER_SAMPLE:
        try:
            two = _only_shapes(runs, runs.values(runs.feed(2 * rows)))
            feed = runs.feed(3 * rows)
            values = runs.values(feed)
        except ModelError as e:
            problem = problem or e
            continue
        own = runs.rows_of_sample(feed, values, 3, 3 * rows, runs.axes)
        # Every value of a large model, twice, is more than memory holds.
        three, before = _only_shapes(runs, values), {n: folded(a) for n, a in values.items()}
        del values
        if any(two[n].ndim != three[n].ndim for n in two):
            raise SamplesMix
        places = Places(3, before, _growing(two, three))
        places.see(runs.values(runs.change(feed, own, runs.axes)), 1)
        if places.mixed:
            raise SamplesMix
        return Observed(two, three, "open", rows, 0, places.layouts())
    # It may run at its own batch size only, whatever it declares.
    try:
        return observe_closed(runs, "fixed")
    except ModelError:
        assert problem is not None
        raise problem from None


def _growing(two: Mapping[str, Array], three: Mapping[str, Array]) -> dict[str, list[int]]:
    """Axes that are longer with three samples than with two."""
    return {
        n: [i for i, (a, b) in enumerate(zip(two[n].shape, three[n].shape, strict=True)) if 3 * a == 2 * b]
        for n in two
    }


def _only_shapes(runs: Runs, values: Mapping[str, Array]) -> dict[str, Array]:
    """The same, without the memory of what is only asked for its shape."""
    varying = runs.graph.depends_on_input()
    return {
        n: np.broadcast_to(np.zeros((), a.dtype), a.shape) if n in varying else a.copy()
        for n, a in values.items()
    }
