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
from .plans import Run
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
        One for each reference: inputs of one row, or of a row for each row of the windows. An input that is
        not among them is as in the windows.
    axes : dict of str to (int or None)
        The axis of each input along which its rows lie.
    where : str
        The file, for messages.
    """

    feeds: list[Feed]
    axes: Mapping[str, int | None]
    where: str

    def __post_init__(self) -> None:
        rows = (x.shape[a] for f in self.feeds for n, x in f.items() if (a := self.axes[n]) is not None)
        self._shared = all(n == 1 for n in rows)
        self._kept: dict[tuple[int, int, int], tuple[Plan, Feed, Mapping[str, Any]]] = {}
        self._size = 0

    def __len__(self) -> int:
        return len(self.feeds)

    def check(self, feed: Feed) -> None:
        """Whether windows can be held against these.

        Raises
        ------
        InputError
            They have other inputs, or other shapes.
        """
        for reference in self.feeds:
            for n, x in reference.items():
                if n not in feed:
                    raise InputError(f"{self.where}: no input {n!r}; the references are of another model")
                want, a = feed[n].shape, self.axes[n]
                if x.shape != want and (
                    a is None or x.shape != (*want[:a], x.shape[a], *want[a + 1 :]) or x.shape[a] != 1
                ):
                    raise InputError(
                        f"input {n!r}: a reference of shape {list(x.shape)} for windows of shape "
                        f"{list(want)}; give one window, one for each, or a set [n, ...]"
                    )

    def values(self, run: Run, i: int) -> tuple[Feed, Mapping[str, Any]]:
        """What reference i is for one micro-batch, and what the model gives for it.

        Parameters
        ----------
        run : Run
            The micro-batch.
        i : int

        Raises
        ------
        InputError
            The model takes another way for it than for the window.
        """
        plan, feed, axes = run.plan, run.feed, self.axes
        rows = next((feed[n].shape[a] for n, a in axes.items() if a is not None), 1)
        key = (id(plan), rows, i)
        own = self.feeds[i]
        as_in_window = {n: x for n, x in feed.items() if n not in own}
        if key in self._kept:
            _, given, values = self._kept[key]
            if all(np.array_equal(given[n], x) for n, x in as_in_window.items()):
                return given, values
        start = run.samples.start * plan.facts.rows
        given = {n: _rows(own[n], axes[n], rows, start) if n in own else x for n, x in feed.items()}
        values = self._forward(plan, given)
        size = plan.runner.size(values)
        if self._shared and key not in self._kept and self._size + size <= ROOM:
            # The plan is kept beside, so that its id stays taken.
            self._kept[key] = plan, given, values
            self._size += size
        return given, values

    def _forward(self, plan: Plan, given: Feed) -> Mapping[str, Any]:
        try:
            values = plan.runner.forward(given)
        except ModelError as e:
            if not plan.facts.decisions:
                raise
            raise self._apart(str(e)) from None
        if plan.facts.decisions and not plan.facts.holds(values):
            differ = [n for n, v in plan.facts.decisions if not np.array_equal(values[n], v)]
            raise self._apart(f"condition {differ[0]!r} differs")
        return values

    def _apart(self, why: str) -> DifferentBranches:
        return DifferentBranches(
            f"{self.where}: window and reference take different branches ({why}): there is no difference "
            "between them to explain; choose a reference that the model treats alike"
        )


def _rows(x: Array, axis: int | None, rows: int, start: int) -> Array:
    """A reference's part for some rows of the windows."""
    if axis is None:
        return x
    if x.shape[axis] == 1:
        return np.ascontiguousarray(np.repeat(x, rows, axis))
    return np.ascontiguousarray(np.take(x, range(start, start + rows), axis))


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
    names = ", ".join(inputs.by_name)
    if not isinstance(reference, Mapping):
        if len(inputs.by_name) != 1:
            raise InputError(
                f"{where} has {len(inputs.by_name)} inputs; give references as a dict with {names}"
            )
        reference = {next(iter(inputs.by_name)): reference}
    unknown = ", ".join(repr(n) for n in reference if n not in inputs.by_name)
    if unknown or not reference:
        raise InputError(f"{where}: no input {unknown or 'is given a reference'}; its inputs are {names}")
    axes = inputs.axes(feed)
    sets = {
        n: [inputs.by_name[n].array(x, where) for x in _sets(np.asarray(v), feed[n], axes[n], n)]
        for n, v in reference.items()
    }
    counts = {n: len(v) for n, v in sets.items() if len(v) > 1}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{n}: {k}" for n, k in counts.items())
        raise InputError(f"{where}: the inputs have different numbers of references ({listed})")
    feeds = [
        {n: v[i if len(v) > 1 else 0] for n, v in sets.items()}
        for i in range(max(counts.values(), default=1))
    ]
    made = References(feeds, axes, where)
    made.check(feed)
    return made


def _sets(value: Array, x: Array, axis: int | None, name: str) -> list[Array]:
    """The references of one input, each with the input's own axes."""
    found: list[Array] = []
    if value.ndim == x.ndim + 1:
        found = list(value)
    elif value.ndim == x.ndim - 1 and axis is not None:
        found = [np.expand_dims(value, axis)]
    elif value.ndim == x.ndim:
        one = axis is None or value.shape[axis] in (1, x.shape[axis])
        found = [value] if one else [np.take(value, [i], axis) for i in range(value.shape[axis])]
    if not found:
        raise InputError(
            f"input {name!r}: a reference of shape {list(value.shape)} for windows of shape {list(x.shape)}; "
            "give one window, one for each, or a set [n, ...]"
        )
    return found
