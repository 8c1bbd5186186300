"""Stability: does the map stay when the input changes a little, or where nothing that matters changed?

Each change of the map stands beside the change of what it explains: a map that moves because the output did
is right to move. Stability alone says nothing of faithfulness: a map that never changes is the most stable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..steps import step
from .intervals import Estimate, cosine, estimate, random_relevance, spearman
from .replacement import Transplant
from .sanity import Similarity
from .setting import Method, Setting

Array = np.ndarray[Any, Any]

SNR = 20.0  # dB
DRAWS = 5
DROPPED = 0.25


@dataclass(frozen=True)
class Change:
    """What one kind of change does, over windows (means over draws within each).

    Attributes
    ----------
    what : str
    similarity : Similarity
        Of the maps before and after.
    output : Estimate
        |f(x') - f(x)|, in the unit of what was explained.
    power : Similarity
        The same of the groups' power before and after: what a map that only follows the signal would do.
    random : Similarity
        Of two random maps.
    average, largest : Estimate
        ``|R(x') - R(x)| / |R(x)|`` (Euclidean over groups), mean and largest over draws: average and maximum
        sensitivity (Yeh et al. 2019, with the map's own size as the unit), Quantus' AvgSensitivity and
        MaxSensitivity.
    """

    what: str
    similarity: Similarity
    output: Estimate
    power: Similarity
    random: Similarity
    average: Estimate
    largest: Estimate


# So many axes at the end of the input, or those axes, slowest first.
TimeAxes = int | tuple[int, ...]


def _along(x: Array, time_axes: TimeAxes) -> tuple[int, ...]:
    """Axes of time, from the last."""
    if isinstance(time_axes, int):
        return tuple(range(-time_axes, 0))
    return tuple(axis if axis < 0 else axis - x.ndim for axis in time_axes)


def noisy(x: Array, rng: np.random.Generator, snr: float = SNR, time_axes: TimeAxes = 1) -> Array:
    """White noise added at a signal-to-noise ratio in every channel.

    Parameters
    ----------
    x : ndarray, shape (window, ..., time)
    rng : numpy Generator
    snr : float
        dB, of variances over the axes of time.
    time_axes : int or tuple of int
        So many axes at the end, or those axes, slowest first.
    """
    level = x.std(axis=_along(x, time_axes), keepdims=True, dtype=np.float64) * 10 ** (-snr / 20)
    return np.asarray(x + level * rng.standard_normal(x.shape), dtype=x.dtype)


def shifted(x: Array, samples: int, time_axes: TimeAxes = 1) -> Array:
    """The input rolled along time.

    Parameters
    ----------
    x : ndarray, shape (window, ..., time)
        Or (window, ..., patch, sample) with two time axes, which are one line of samples.
    samples : int
    time_axes : int or tuple of int
        So many axes at the end, or those axes, slowest first.
    """
    axes = _along(x, time_axes)
    last = tuple(range(-len(axes), 0))
    moved = np.moveaxis(x, axes, last)
    line = moved.reshape(*moved.shape[: x.ndim - len(axes)], -1)
    return np.moveaxis(np.roll(line, samples, axis=-1).reshape(moved.shape), last, axes)


def stability(
    setting: Setting,
    method: Method,
    own: Array,
    *,
    time_axes: TimeAxes = 1,
    snr: float = SNR,
    shift: int = 2,
    dropped: float = DROPPED,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Change]:
    """Change the input in three ways, and compare maps.

    Parameters
    ----------
    setting : Setting
    method : Method
    own : ndarray, shape (window, group)
        The map of the windows as they are.
    time_axes : int or tuple of int
        How many axes at the end of the input are time: 1, or 2 for patches; or which, slowest first; 0 where
        there is none, and then
        neither noise by channel nor a shift (noise is of the whole window then).
    snr : float
        Signal-to-noise ratio in dB.
    shift : int
        Samples, to both sides.
    dropped : float
        Part of the groups that is transplanted from other windows; the map of the others is compared.
    draws : int
    seed : int

    Returns
    -------
    dict of str to Change
        "noise", "shift" (where there is time), "dropout".

    Raises
    ------
    InputError
        An amount makes no sense.
    """
    if draws < 1 or not 0 < dropped < 1 or shift < 1 or not np.isfinite(snr):
        raise InputError(
            f"stability: draws {draws}, shift {shift} (at least 1), dropped {dropped} (between 0 and 1), "
            f"snr {snr} (finite)"
        )
    n, groups = own.shape
    rng = np.random.default_rng((seed, 0x57))
    everything = np.ones((n, groups), dtype=bool)

    def by_noise() -> Iterator[tuple[Array, Array]]:
        axes = time_axes or setting.x.ndim - 1
        for _ in range(draws):
            yield noisy(setting.x, rng, snr, axes), everything

    def by_shift() -> Iterator[tuple[Array, Array]]:
        for samples in (shift, -shift):
            yield shifted(setting.x, samples, time_axes), everything

    def by_dropout() -> Iterator[tuple[Array, Array]]:
        filling = Transplant(setting.features, setting.x, donors=draws, seed=seed)
        count = min(max(1, round(dropped * groups)), groups - 1)
        for draw in range(filling.draws):
            gone = rng.random((n, groups)).argsort(1) < count
            yield filling(setting.x, np.arange(n), gone, draw), ~gone

    ways: dict[str, Callable[[], Iterator[tuple[Array, Array]]]] = {"noise": by_noise}
    if time_axes:
        ways["shift"] = by_shift
    ways["dropout"] = by_dropout
    return {what: _change(what, setting, method, own, made(), seed) for what, made in ways.items()}


def _change(
    what: str,
    setting: Setting,
    method: Method,
    own: Array,
    changed: Iterator[tuple[Array, Array]],
    seed: int,
) -> Change:
    rows, power = np.arange(len(own)), setting.features.power(setting.x)
    columns: dict[str, list[Array]] = {}

    def keep(values: Mapping[str, Array]) -> None:
        for name, each in values.items():
            columns.setdefault(name, []).append(each)

    chance = random_relevance(own.shape, seed), random_relevance(own.shape, seed + 1)
    for x, stays in changed:
        step(f"explaining changed windows ({what})")
        there = setting.maps(method, x=x)
        far = np.linalg.norm(np.where(stays, there - own, 0), axis=-1)
        size = np.linalg.norm(np.where(stays, own, 0), axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            relative = np.where(size > 0, far / size, np.nan)
        keep(
            {
                **_compared("map", own, there, stays),
                **_compared("power", power, setting.features.power(x), stays),
                **_compared("random", *chance, stays),
                "output": np.abs(setting.value(x, rows) - setting.explained),
                "relative": relative,
            }
        )
    mean = {name: estimate(np.mean(each, axis=0), seed=seed) for name, each in columns.items()}
    return Change(
        what,
        Similarity(mean["map rank"], mean["map cosine"]),
        mean["output"],
        Similarity(mean["power rank"], mean["power cosine"]),
        Similarity(mean["random rank"], mean["random cosine"]),
        mean["relative"],
        estimate(np.max(columns["relative"], axis=0), seed=seed),
    )


def _compared(what: str, a: Array, b: Array, stays: Array) -> dict[str, Array]:
    """Similarities over the groups that stay, which may be others in each window, but are as many."""
    n = len(a)
    first, second = a[stays].reshape(n, -1), b[stays].reshape(n, -1)
    return {
        f"{what} rank": spearman(np.abs(first), np.abs(second)),
        f"{what} cosine": cosine(first, second),
    }
