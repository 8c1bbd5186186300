"""Which windows a window is held against: others that the model calls otherwise.

A difference is explained against real windows. What they are decides what the map is of, so that they are
chosen here once for all: by what the model gives for each, the same few for all windows that may have them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import InputError

Array = np.ndarray[Any, Any]

OTHER, ANY = "other", "any"
FEW = 4
# Of the windows of an output that is a number, the part at either end of its range that counts as far away.
FAR = 0.25


@dataclass(frozen=True, eq=False)
class Pools:
    """From which windows the references of each are drawn.

    Attributes
    ----------
    rows : tuple of ndarray of int
        For each window; those with the same pool share one array.
    how : str
        Which they are, in words that go on from a number.
    note : str
        Why they are any others, where none is called otherwise; "" where some are.
    """

    rows: tuple[Array, ...]
    how: str
    note: str = ""


def anybody(n: int) -> Pools:
    """All windows for each."""
    return Pools((np.arange(n),) * n, "of any other windows")


def otherwise(outputs: Array) -> Pools:
    """For each window those that the model calls otherwise.

    Parameters
    ----------
    outputs : ndarray, shape (window, ...)
        What the model gives: numbers for two classes or more, or one (or several, of which the mean counts)
        that is a size: then windows at the far end of its range are called otherwise.

    Returns
    -------
    Pools
        Any others, with a note, where the model calls all windows alike.
    """
    n = len(outputs)
    if outputs.ndim == 2 and outputs.shape[1] > 1:
        guess = outputs.argmax(1)
        by_class = {g: np.flatnonzero(guess != g) for g in np.unique(guess)}
        if len(by_class) > 1:
            return Pools(tuple(by_class[g] for g in guess), "windows that the model calls otherwise")
        why = f"The model calls all {n} windows alike, so there is none that it calls otherwise"
    else:
        value = outputs.reshape(n, -1).mean(1)
        if np.ptp(value) > 0:
            order = np.argsort(value, kind="stable")
            many = max(1, int(np.ceil(FAR * n)))
            low, high, middle = order[:many], order[-many:], np.median(value)
            return Pools(
                tuple(high if v < middle else low for v in value),
                "windows at the far end of the output's range",
            )
        why = f"The model gives one value for all {n} windows"
    return replace(anybody(n), note=f"{why}: they are held against any others.")


def one_number(outputs: Array, column: int) -> Array:
    """One of the numbers that a model gives for each window; all of an output that is no row of numbers.

    Raises
    ------
    InputError
        There is no such number.
    """
    if outputs.ndim != 2:
        return outputs
    if not 0 <= column < outputs.shape[1]:
        raise InputError(f"target {column} is out of range; the model gives {outputs.shape[1]}, from 0")
    return outputs[:, [column]]


def drawn(
    pools: Sequence[Array],
    wanted: int,
    rng: np.random.Generator,
    never: Array | Sequence[Array] | None = None,
) -> tuple[Array, ...]:
    """The same few of a pool for all windows that have it; never a window itself.

    Parameters
    ----------
    pools : sequence of ndarray of int
        For each window; window i is i in its pool, if it is there.
    wanted : int
        How many; fewer where a pool has no more.
    rng : numpy Generator
    never : ndarray of int, shape (window, n), or as many of them, optional
        Which others a window is not held against, unless there are none else.

    Returns
    -------
    tuple of ndarray of int
        For each window; empty where its pool holds nothing but itself.
    """
    order: dict[int, Array] = {}
    found = []
    for i, pool in enumerate(pools):
        if id(pool) not in order:
            order[id(pool)] = rng.permutation(pool)
        mine = order[id(pool)]
        mine = mine[mine != i]
        if never is not None:
            kept = mine[~np.isin(mine, never[i])]
            mine = kept if len(kept) else mine
        found.append(mine[:wanted])
    return tuple(found)


@dataclass(frozen=True, eq=False)
class Held:
    """What windows are held against.

    Attributes
    ----------
    data : ndarray, shape (candidate, *input)
    index : ndarray of int, shape (window, reference)
        Which of `data` each window is held against.
    said : str
        Which they are, in words that go on from "against".
    note : str
    """

    data: Array
    index: Array
    said: str
    note: str = ""

    def some(self, rows: Array) -> Held:
        """Of some of the windows."""
        return replace(self, index=self.index[rows])

    def of(self, rows: Array) -> Array:
        """Those of some windows, shape (reference, window, *input)."""
        return np.asarray(self.data[self.index[rows].T])


@dataclass(frozen=True, eq=False)
class Against:
    """Which windows those that are evaluated are to be held against.

    Attributes
    ----------
    which : str
        "other": windows that the model calls otherwise; "any": any others; anything else is said as it is of
        those that `beside` and `own` leave.
    references : int
        How many for each.
    beside : ndarray, shape (n, *input), optional
        Windows that are not evaluated, and may be references.
    own : ndarray of bool, shape (window,), optional
        Which of those that are evaluated may be, too; all by default.
    """

    which: str = OTHER
    references: int = FEW
    beside: Array | None = None
    own: Array | None = None

    def some(self, rows: Array) -> Against:
        """Of some of the windows, which are then the only ones evaluated that may be references."""
        return self if self.own is None else replace(self, own=self.own[rows])

    def candidates(self, x: Array) -> Array:
        """Windows that may be references, those evaluated first."""
        return x if self.beside is None else np.concatenate([x, self.beside.astype(x.dtype, copy=False)])

    def held(self, x: Array, outputs: Array | None, donors: Array, seed: int) -> Held:
        """Choose.

        Parameters
        ----------
        x : ndarray, shape (window, *input)
            The windows that are evaluated.
        outputs : ndarray or None, shape (candidate, ...)
            What the model gives for all `candidates`; needed for "other" alone.
        donors : ndarray of int, shape (window, n)
            The windows that each is tested with. It is not held against them, as long as there are others:
            a map must not know what it will be tested with.
        seed : int

        Raises
        ------
        InputError
            A window has none to be held against.
        """
        if self.references < 1:
            raise InputError(f"references {self.references}: at least 1")
        data, n = self.candidates(x), len(x)
        own = np.ones(n, dtype=bool) if self.own is None else self.own
        found = anybody(len(data)) if outputs is None else otherwise(outputs)
        left = np.concatenate([own, np.ones(len(data) - n, dtype=bool)])
        pools = {id(pool): pool[left[pool]] for pool in found.rows}
        rng = np.random.default_rng((seed, 0x4E))
        rows = drawn([pools[id(p)] for p in found.rows[:n]], self.references, rng, donors)
        fewest = min(map(len, rows))
        if not fewest:
            raise InputError("references: there is a window that has none to be held against")
        how = found.how if self.which in (OTHER, ANY) else self.which
        note = found.note
        if fewest < self.references:
            note = f"{note} Only {fewest} to be held against, {self.references} were asked for.".strip()
        return Held(data, np.stack([row[:fewest] for row in rows]), f"{fewest} {how}", note)
