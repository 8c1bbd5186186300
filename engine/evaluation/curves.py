"""Deletion and insertion curves: does the number fall soonest when what is said to matter most goes first?

Groups are taken away in an order, and the number that was explained is followed. With f(q) its value once the
part q of the groups is gone:

* most relevant first (Samek et al. 2017): a good order falls soon. ``AOPC = mean over steps of f(0) - f(q)``
  (their eq. 12, with steps at even parts of the groups).
* least relevant first: a good order falls late.
* ``ABPC = integral of (f_least(q) - f_most(q)) dq``, the area between the two, divided by the part that was
  taken away (Bluecher et al. 2024, "symmetric relevance gain"): what is the replacement's own doing moves
  both curves, and cancels. An order that knows nothing has 0.

Insertion needs no runs of its own: the input that keeps the k most relevant groups is the one that has lost
all others, least relevant first. So the insertion curve is the least-first curve read from its other end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..steps import step
from .intervals import Estimate, estimate
from .replacement import Replacement
from .setting import Setting

Array = np.ndarray[Any, Any]

POINTS = 8
RANDOM = 5
RUNS = 200_000  # rows that the model is run on, at most
RANDOM_NAME = "random"


@dataclass(frozen=True, eq=False)
class Curves:
    """The curves of one method.

    Attributes
    ----------
    method : str
    gone : ndarray, shape (point,)
        The part of the groups that is taken away, from 0.
    most, least : ndarray, shape (window, point)
        The number that was explained, mean over fillings: most relevant first, least relevant first.
    """

    method: str
    gone: Array
    most: Array
    least: Array

    @property
    def aopc(self) -> Array:
        """Fall on average, most relevant first (Samek et al. 2017, eq. 12), shape (window,)."""
        return np.asarray((self.most[:, :1] - self.most).mean(1))

    @property
    def aopc_least(self) -> Array:
        """The same, least relevant first: low is good."""
        return np.asarray((self.least[:, :1] - self.least).mean(1))

    @property
    def abpc(self) -> Array:
        """Area between the curves over the part taken away (Bluecher et al. 2024), shape (window,)."""
        return np.asarray(_area(self.least - self.most, self.gone))

    @property
    def deletion(self) -> Array:
        """Area under the most-first curve (Petsiuk et al. 2018): low is good, shape (window,)."""
        return np.asarray(_area(self.most, self.gone))

    @property
    def insertion(self) -> Array:
        """Area under the insertion curve, most relevant put back first: high is good, shape (window,)."""
        return np.asarray(_area(self.least, self.gone))


@dataclass(frozen=True)
class Faithfulness:
    """The curves of a method in numbers, over windows.

    Attributes
    ----------
    method : str
    aopc, aopc_least, abpc, deletion, insertion : Estimate
        In the unit of what was explained.
    over_random, abpc_over_random : Estimate
        AOPC and ABPC less those of random orders, in pairs within each window.
    """

    method: str
    aopc: Estimate
    aopc_least: Estimate
    abpc: Estimate
    deletion: Estimate
    insertion: Estimate
    over_random: Estimate
    abpc_over_random: Estimate


def faithfulness(
    setting: Setting,
    maps: Mapping[str, Array],
    replacement: Replacement,
    *,
    points: int = POINTS,
    random: int = RANDOM,
    runs: int = RUNS,
    seed: int = 0,
) -> tuple[dict[str, Curves], dict[str, Faithfulness]]:
    """Deletion curves of several maps and of random orders, on the same windows with the same fillings.

    Parameters
    ----------
    setting : Setting
    maps : dict of str to ndarray, shape (window, group)
        Relevance by method, signed; or anything else to order groups by, such as their power.
    replacement : Replacement
    points : int
        Steps from nothing taken away to all (or to `replacement.least` groups); fewer where there are fewer
        groups.
    random : int
        Random orders, each forwards and backwards.
    runs : int
        How many rows the model is run on at most.
    seed : int

    Returns
    -------
    curves : dict of str to Curves
        By method; "random" is the mean over random orders.
    numbers : dict of str to Faithfulness
        Without the differences' own reference: "random" has 0 there.

    Raises
    ------
    InputError
        A map does not fit, or more runs would be needed than are allowed.
    """
    n, groups = len(setting), len(setting.features.names)
    for name, m in maps.items():
        if np.shape(m) != (n, groups) or name == RANDOM_NAME:
            raise InputError(f"{name}: a map of shape {list(np.shape(m))} for {n} windows of {groups} groups")
    if random < 1 or points < 1:
        raise InputError("faithfulness: at least one random order and one step are needed")
    counts = steps_of(groups - replacement.least, points)
    rng = np.random.default_rng((seed, 0xC0))
    orders: dict[str, list[Array]] = {name: [order_of(m, rng)] for name, m in maps.items()}
    orders[RANDOM_NAME] = [rng.random((n, groups)).argsort(1) for _ in range(random)]
    walks = 2 * sum(map(len, orders.values()))
    needed = n * replacement.draws * (walks * (len(counts) - 1) + 1)
    if needed > runs:
        raise InputError(
            f"faithfulness: {needed} runs of the model are needed and {runs} allowed; "
            "take fewer windows, steps, donors or methods"
        )
    found, done = {}, 0
    whole: dict[int, Array] = {}
    for name, several in orders.items():
        walked = []
        for order in several:
            for direction in (order, order[:, ::-1]):
                walked.append(_walk(setting, replacement, direction, counts, whole, (done, walks)))
                done += 1
        most, least = np.mean(walked[::2], axis=0), np.mean(walked[1::2], axis=0)
        found[name] = Curves(name, counts / groups, most, least)
    chance = found[RANDOM_NAME]
    return found, {name: _numbers(c, chance, seed) for name, c in found.items()}


def order_of(relevance: Array, rng: np.random.Generator) -> Array:
    """Groups from the most relevant to the least, signed; ties at random, shape (window, group)."""
    lot = rng.random(relevance.shape)
    keys = np.stack([lot, -np.asarray(relevance, dtype=np.float64)])  # the last key counts first
    return np.lexsort(keys, axis=-1)


def steps_of(groups: int, points: int) -> Array:
    """How many groups are gone at each step, from 0 to all of them, as even as whole groups allow."""
    return np.unique(np.round(np.linspace(0, groups, min(points, groups) + 1)).astype(np.int64))


def _walk(
    setting: Setting,
    replacement: Replacement,
    order: Array,
    counts: Array,
    whole: dict[int, Array],
    done: tuple[int, int],
) -> Array:
    """The number at each step, mean over fillings, [window, point]."""
    n, groups = order.shape
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.arange(groups)[None], axis=1)
    out = np.empty((n, len(counts)))
    out[:, 0] = setting.explained
    rows = np.arange(n)
    for at, count in enumerate(counts[1:], 1):
        if count == groups and count in whole:  # all are gone, whatever the order
            out[:, at] = whole[count]
            continue
        gone, total = place < count, np.zeros(n)
        for draw in range(replacement.draws):
            within = (at - 1 + draw / replacement.draws) / (len(counts) - 1)
            step(f"taking features away ({replacement.name})", (done[0] + within) / done[1])
            for start in range(0, n, setting.batch):
                own = rows[start : start + setting.batch]
                filled = replacement(setting.x[own], own, gone[own], draw)
                total[own] += setting.value(filled, own)
        out[:, at] = total / replacement.draws
        if count == groups:
            whole[int(count)] = out[:, at]
    return out


def _area(values: Array, gone: Array) -> Array:
    """Trapezoids over the part taken away, divided by its largest."""
    width = np.diff(gone)
    return np.asarray(((values[:, 1:] + values[:, :-1]) / 2 * width).sum(1) / gone[-1])


def _numbers(curves: Curves, chance: Curves, seed: int) -> Faithfulness:
    return Faithfulness(
        curves.method,
        *(
            estimate(each, seed=seed)
            for each in (
                curves.aopc,
                curves.aopc_least,
                curves.abpc,
                curves.deletion,
                curves.insertion,
                curves.aopc - chance.aopc,
                curves.abpc - chance.abpc,
            )
        ),
    )
