"""A model that takes any number of samples at once: run at two and at three of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np

from ..errors import ModelError
from .closed_batch import observe_closed
from .layouts import Places, folded
from .runs import Observed, Runs, SamplesMix
from .shapes import Layout

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
            found = _of_rows(runs, rows)
        except ModelError as e:
            problem = problem or e
            continue
        return found
    # It may run at its own batch size only, whatever it declares.
    try:
        return observe_closed(runs, "fixed")
    except ModelError:
        assert problem is not None
        raise problem from None


def _of_rows(runs: Runs, rows: int) -> Observed:
    """What is seen where so many rows make a sample; a piece that does not run by itself is none."""
    two, three = runs.feed(2 * rows), runs.feed(3 * rows)
    own = [1]
    if rows > 1:
        runs.values(two)
        own = runs.rows_of_sample(three, runs.values(three), 3, 3 * rows, runs.axes)
    changed = runs.change(three, own, runs.axes)
    try:
        return _seen(runs, rows, [two, three, changed])
    except ModelError:
        if not runs.cut:
            raise
    runs.cut = False
    return _seen(runs, rows, [two, three, changed])


def _seen(runs: Runs, rows: int, feeds: Sequence[Mapping[str, Array]]) -> Observed:
    """What two samples, three of them, and three of which one was changed give."""
    varying = runs.graph.depends_on_input()
    two: dict[str, Array] = {}
    three: dict[str, Array] = {}
    layouts: dict[str, Layout] = {}
    for values in runs.in_pieces(feeds):
        some = _only_shapes(varying, next(values))
        # Every value of a large model, twice, is more than memory holds.
        all_of_three = next(values)
        more, before = _only_shapes(varying, all_of_three), {n: folded(a) for n, a in all_of_three.items()}
        del all_of_three
        if any(some[n].ndim != more[n].ndim for n in some):
            raise SamplesMix
        places = Places(3, before, _growing(some, more))
        places.see(next(values), 1)
        if places.mixed:
            raise SamplesMix
        two.update(some)
        three.update(more)
        layouts.update(places.layouts())
    return Observed(two, three, "open", rows, 0, layouts)


def _growing(two: Mapping[str, Array], three: Mapping[str, Array]) -> dict[str, list[int]]:
    """Axes that are longer with three samples than with two."""
    return {
        n: [i for i, (a, b) in enumerate(zip(two[n].shape, three[n].shape, strict=True)) if 3 * a == 2 * b]
        for n in two
    }


def _only_shapes(varying: Set[str], values: Mapping[str, Array]) -> dict[str, Array]:
    """The same, without the memory of what is only asked for its shape."""
    return {
        n: np.broadcast_to(np.zeros((), a.dtype), a.shape) if n in varying else a.copy()
        for n, a in values.items()
    }
