"""Reference windows, which a difference is explained against: their forward passes are made once.

A set of references is held against every sample. Their values are kept for one number of rows (a micro-
batch), each reference repeated that often, so that window and reference have values of the same shapes
whatever the model does with its batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DifferentBranches, InputError, ModelError
from .inputs import Inputs
from .runner import Plan

Array = np.ndarray[Any, Any]
Feed = dict[str, Array]

# Bytes that kept values of references may take; those beyond it are made anew for each micro-batch.
ROOM = 512 * 2**20


@dataclass
class References:
    """What windows are explained against.

    Parameters
    ----------
    feeds : list of dict of str to ndarray
        One for each reference: inputs of one row, or of a row for each row of the windows.
    shared : bool
        Whether each is one row, for all samples.
    axes : dict of str to (int or None)
        The axis of each input along which its rows lie.
    where : str
        The file, for messages.
    """

    feeds: list[Feed]
    shared: bool
    axes: Mapping[str, int | None]
    where: str

    def __post_init__(self) -> None:
        self._kept: dict[tuple[int, int, int], tuple[Plan, Feed, Mapping[str, Any]]] = {}
        self._size = 0

    def __len__(self) -> int:
        return len(self.feeds)

    def values(self, plan: Plan, feed: Feed, start: int, i: int) -> tuple[Feed, Mapping[str, Any]]:
        """What reference i is for one micro-batch, and what the model gives for it.

        Parameters
        ----------
        plan : Plan
        feed : dict of str to ndarray
            The windows of the micro-batch.
        start : int
            The first of their rows.
        i : int

        Raises
        ------
        InputError
            The model takes another way for it than for the window.
        """
        axis_of = {n: a for n, a in self.axes.items() if a is not None}
        rows = next((feed[n].shape[a] for n, a in axis_of.items()), 1)
        key = (id(plan), rows, i)
        if self.shared and key in self._kept:
            return self._kept[key][1:]
        given = {
            n: np.ascontiguousarray(
                x if (a := self.axes[n]) is None else _rows(x, a, rows, 0 if self.shared else start)
            )
            for n, x in self.feeds[i].items()
        }
        for n, x in given.items():
            if x.shape != feed[n].shape:
                raise InputError(
                    f"input {n!r}: the reference has shape {list(x.shape)}, the window "
                    f"{list(feed[n].shape)}; both must be alike"
                )
        try:
            values = plan.runner.forward(given)
        except ModelError as e:
            if not plan.facts.decisions:
                raise
            raise self._apart(str(e)) from None
        if plan.facts.decisions and not plan.facts.holds(values):
            differ = [n for n, v in plan.facts.decisions if not np.array_equal(values[n], v)]
            raise self._apart(f"condition {differ[0]!r} differs")
        size = plan.runner.size(values)
        if self.shared and self._size + size <= ROOM:
            # The plan is kept beside, so that its id stays taken.
            self._kept[key] = plan, given, values
            self._size += size
        return given, values

    def _apart(self, why: str) -> DifferentBranches:
        return DifferentBranches(
            f"{self.where}: window and reference take different branches ({why}): there is no difference "
            "between them to explain; choose a reference that the model treats alike"
        )


def _rows(x: Array, axis: int, rows: int, start: int) -> Array:
    if x.shape[axis] == rows:
        return x
    if x.shape[axis] == 1:
        return np.repeat(x, rows, axis)
    return np.take(x, range(start, start + rows), axis)


def references(inputs: Inputs, reference: Any, feed: Feed, where: str) -> References:
    """What a user gives as a reference, checked.

    Parameters
    ----------
    inputs : Inputs
    reference : ndarray, or dict of input name to ndarray
        One window; one for each row of the windows; or a set of n. As many as there are rows are one for
        each; a set of that many is written [n, 1, ...]. Inputs that are not named are as in the windows.
    feed : dict of str to ndarray
        The windows.
    where : str
        The file, for messages.

    Raises
    ------
    InputError
        Names, shapes, types or values do not fit.
    """
    if not isinstance(reference, Mapping):
        if len(inputs.by_name) != 1:
            raise InputError(
                f"{where} has {len(inputs.by_name)} inputs; give references as a dict with "
                f"{', '.join(inputs.by_name)}"
            )
        reference = {next(iter(inputs.by_name)): reference}
    unknown = [n for n in reference if n not in inputs.by_name]
    if unknown or not reference:
        raise InputError(f"{where}: no input {unknown}; its inputs are {', '.join(inputs.by_name)}")
    axes = inputs.axes(feed)
    sets = {n: _sets(np.asarray(v), feed[n], axes[n], n) for n, v in reference.items()}
    counts = {len(v) for v in sets.values()} - {1}
    if len(counts) > 1:
        raise InputError(f"{where}: inputs have different numbers of references ({sorted(counts)})")
    n = counts.pop() if counts else 1
    feeds = []
    for i in range(n):
        given = {name: v[i if len(v) > 1 else 0] for name, v in sets.items()}
        feeds.append(
            {
                k: known.array(given[k], where) if k in given else feed[k]
                for k, known in inputs.by_name.items()
            }
        )
    shared = all(
        axes[k] is None or x.shape[axes[k]] == 1 for f in feeds for k, x in f.items() if x is not feed.get(k)
    )
    if shared and any(f[k] is feed[k] for f in feeds for k in f):
        shared = all(_all_rows_alike(feed[k], axes[k]) for k in inputs.by_name if k not in sets)
        if shared:
            feeds = [{k: _first_row(x, axes[k]) for k, x in f.items()} for f in feeds]
    return References(feeds, shared, axes, where)


def _sets(value: Array, x: Array, axis: int | None, name: str) -> list[Array]:
    """The references of one input, each with the input's own axes."""
    if value.ndim == x.ndim + 1:
        found = list(value)
    elif value.ndim == x.ndim - 1 and axis is not None:
        found = [np.expand_dims(value, axis)]
    elif value.ndim == x.ndim:
        if axis is None or value.shape[axis] in (1, x.shape[axis]):
            found = [value]
        else:
            found = [np.take(value, [i], axis) for i in range(value.shape[axis])]
    else:
        found = []
    if not found:
        raise InputError(
            f"input {name!r}: a reference of shape {list(value.shape)} for windows of shape {list(x.shape)}; "
            "give one window, one for each, or a set [n, ...]"
        )
    for each in found:
        rows = 1 if axis is None else each.shape[axis]
        if rows not in (1, 1 if axis is None else x.shape[axis]):
            raise InputError(f"input {name!r}: {rows} references for {x.shape[axis or 0]} windows")
    return found


def _all_rows_alike(x: Array, axis: int | None) -> bool:
    return axis is None or bool((x == np.take(x, [0], axis)).all())


def _first_row(x: Array, axis: int | None) -> Array:
    return x if axis is None else np.take(x, [0], axis)
