"""The methods whose maps are held against the truth, and what each costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from simulate import CHANNELS, SFREQ

import onnxplain as ox
from onnxplain.eeg.explanation import bands
from onnxplain.engine.composite import Composite

Array = NDArray[Any]

REFERENCES, STEPS, PATH = 4, 8, 24
STRETCH = 50  # samples that occlusion takes away from one electrode at a time


class Map(NamedTuple):
    """What a method says of some windows.

    Attributes
    ----------
    relevance : ndarray, shape (window, channel, time)
        One sample of time where a method knows none.
    bands : ndarray, shape (window, band), or None
        Relevance of each band over all electrodes, with a rest.
    """

    relevance: Array
    bands: Array | None


@dataclass(frozen=True)
class Asked:
    """Windows that a network calls one class, and windows to hold them against.

    Attributes
    ----------
    path : Path
    x : ndarray
        As the model takes them.
    called : int
    other, any, same : ndarray
        Windows that it calls otherwise, that it calls anything, that it calls the same; none is in x.
    explainers : dict
        Those made so far for this file.
    """

    path: Path
    x: Array
    called: int
    other: Array
    any: Array
    same: Array
    explainers: dict[str, ox.Explainer]

    def explainer(self, composite: Composite | str) -> ox.Explainer:
        """Made once for all windows."""
        name = composite if isinstance(composite, str) else composite.name
        if name not in self.explainers:
            self.explainers[name] = ox.Explainer(self.path, composite, threads=1, ledger=False)
        return self.explainers[name]

    @property
    def target(self) -> dict[str, Any]:
        """What is explained: the class that the windows are called, against the rest."""
        return {"target": self.called, "contrast": "rest"}


Method = Callable[[Asked], Map]


def flat(x: Array) -> Array:
    """Windows as [window, channel, time], whatever axes of one a model wants beside."""
    return x.reshape(len(x), len(CHANNELS), -1)


def by_band(x: Array, m: Array) -> Array:
    """Relevance of each band over all electrodes, [window, band], with a rest."""
    r = bands.by_frequency(flat(x).astype(np.float64), flat(m).astype(np.float64)).sum(1)
    return np.stack([r[:, inside].sum(-1) for inside in band_masks(x).values()], -1)


def band_masks(x: Array) -> Mapping[str, NDArray[np.bool_]]:
    """Frequencies of each band."""
    return bands.masks_of(x.shape[-1], SFREQ)


def only(a: Mapping[str, Array]) -> Array:
    """The model's one input."""
    return next(iter(a.values()))


def of_zero(a: ox.Attribution, x: Array) -> Map:
    """The map of an attribution that is the signal times a multiplier."""
    return Map(flat(only(a.relevance)), by_band(x, only(a.multiplier)))


def of_difference(a: ox.Attribution, x: Array, references: Array) -> Map:
    """The map of an attribution that is the mean over references of a difference times a multiplier."""
    each = [by_band(x - r, only(one.multiplier)) for r, one in zip(references, a.per_reference, strict=True)]
    return Map(flat(only(a.relevance)), np.mean(each, axis=0))


def rules(composite: Composite | str, asked: Asked) -> Map:
    """Relevance against zero under one composite."""
    return of_zero(asked.explainer(composite)(asked.x, **asked.target), asked.x)


def integrated(asked: Asked) -> Map:
    """Gradients on the way from zero."""
    explain = asked.explainer("gradient")
    return of_zero(ox.methods.integrated_gradients(explain, asked.x, steps=PATH, **asked.target), asked.x)


def occlusion(asked: Asked) -> Map:
    """Zeros in the place of a stretch of one electrode."""
    window = (1, *([1] * (asked.x.ndim - 3)), STRETCH)
    a = ox.methods.occlusion(asked.explainer("gradient"), asked.x, window=window, **asked.target)
    return Map(flat(only(a.relevance)), None)


def difference(asked: Asked, of: str = "other", count: int = REFERENCES) -> Map:
    """Secants against windows of the other class, or of any."""
    references = getattr(asked, of)[:count]
    a = asked.explainer("difference")(asked.x, reference=references[:, None], **asked.target)
    return of_difference(a, asked.x, references)


def expected(asked: Asked) -> Map:
    """Gradients on the way from windows of the other class."""
    references = asked.other[:REFERENCES]
    a = ox.methods.expected_gradients(
        asked.explainer("gradient"), asked.x, reference=references[:, None], steps=STEPS, **asked.target
    )
    return of_difference(a, asked.x, references)


def exchange(asked: Asked) -> Map:
    """How far the answer falls when one electrode is that of a window of the other class."""
    explain, electrode = asked.explainer("gradient"), asked.x.shape.index(len(CHANNELS))
    n, falls = len(asked.x), []
    before = explain.value(asked.x, **asked.target)
    for r in asked.other[:REFERENCES]:
        changed = np.repeat(asked.x[None], len(CHANNELS), 0)
        for i in range(len(CHANNELS)):
            at = (slice(None),) * (electrode - 1) + (i,)
            changed[(i, slice(None), *at)] = r[at]
        after = explain.value(changed.reshape(-1, *asked.x.shape[1:]), **asked.target)
        falls.append(before[:, None] - after.reshape(len(CHANNELS), n).T)
    return Map(np.mean(falls, axis=0)[:, :, None], None)


def less_same(asked: Asked, count: int = REFERENCES) -> Map:
    """The difference to the other class, less that to windows of the same.

    It sums to how far both classes are apart, and for a linear network it is the difference of their means:
    what this window has beside its class cancels, its noise and its own time as well.
    """
    other, same = (difference(asked, of, count) for of in ("other", "same"))
    assert other.bands is not None
    assert same.bands is not None
    return Map(other.relevance - same.relevance, other.bands - same.bands)


def _each(asked: Asked, of: str, count: int) -> tuple[Array, Array, Array]:
    """Relevance and multiplier against each reference, [reference, window, channel, time]; references."""
    references = getattr(asked, of)[:count]
    a = asked.explainer("difference")(asked.x, reference=references[:, None], **asked.target)
    relevance, multiplier = (
        np.stack([flat(only(getattr(one, what))) for one in a.per_reference])
        for what in ("relevance", "multiplier")
    )
    return relevance, multiplier, references


def _weighted(asked: Asked, each: tuple[Array, Array, Array], kept: Array) -> Map:
    """The difference with every electrode times a number of its own, [window, channel]."""
    relevance, multiplier, references = each
    parts = [
        by_band(flat(asked.x - r), m * kept[:, :, None]) for r, m in zip(references, multiplier, strict=True)
    ]
    return Map(relevance.mean(0) * kept[:, :, None], np.mean(parts, axis=0))


def steady(asked: Asked, count: int = REFERENCES) -> Map:
    """Each electrode by how steady its relevance r is over references: ``r^2 / (r^2 + s^2/n)`` of it."""
    each = _each(asked, "other", count)
    sums = each[0].sum(-1)
    square = sums.mean(0) ** 2
    return _weighted(asked, each, square / (square + sums.var(0, ddof=1) / count))


def unlike_same(asked: Asked, count: int = REFERENCES) -> Map:
    """Each electrode by how much more it has than against windows of the same class: ``r^2 / (r^2 + q^2)``.

    q^2 is the mean square of its relevance against those: what differs at random.
    """
    each = _each(asked, "other", count)
    square = each[0].sum(-1).mean(0) ** 2
    noise = (_each(asked, "same", count)[0].sum(-1) ** 2).mean(0)
    return _weighted(asked, each, square / (square + noise))


def at_random(asked: Asked) -> Map:
    """A random multiplier times the signal: follows amplitude, and nothing else."""
    m = np.random.default_rng([35, asked.called]).standard_normal(asked.x.shape)
    return Map(flat(m * asked.x), by_band(asked.x, m))


def difference_at_random(asked: Asked) -> Map:
    """A random multiplier times the difference: follows how far both windows are apart."""
    rng, references = np.random.default_rng([36, asked.called]), asked.other[:REFERENCES]
    m = rng.standard_normal((len(references), *asked.x.shape))
    apart = asked.x - references[:, None]
    return Map(
        flat((m * apart).mean(0)),
        np.mean([by_band(a, own) for a, own in zip(apart, m, strict=True)], axis=0),
    )


class Entry(NamedTuple):
    """A method of the tables: what it is, and its passes for one window, forward and back."""

    make: Method
    forward: int
    back: int

    @property
    def passes(self) -> int:
        """Both."""
        return self.forward + self.back


_STRETCHES = 8  # of one electrode
# Passes of the references themselves are made once for all windows, and not counted.
METHODS: Mapping[str, Entry] = {
    "difference": Entry(difference, 1, REFERENCES),
    "difference, any class": Entry(partial(difference, of="any"), 1, REFERENCES),
    "expected gradients": Entry(expected, REFERENCES * STEPS, REFERENCES * STEPS),
    "exchange of electrodes": Entry(exchange, 1 + REFERENCES * len(CHANNELS), 0),
    "difference, less same class": Entry(less_same, 1, 2 * REFERENCES),
    "difference, steady electrodes": Entry(steady, 1, REFERENCES),
    "difference, unlike same class": Entry(unlike_same, 1, 2 * REFERENCES),
    "attnlrp": Entry(partial(rules, "attnlrp"), 1, 1),
    "attnlrp_pooled": Entry(partial(rules, "attnlrp_pooled"), 1, 1),
    "cplrp": Entry(partial(rules, "cplrp"), 1, 1),
    "cplrp_pooled": Entry(partial(rules, "cplrp_pooled"), 1, 1),
    "gradient x input": Entry(partial(rules, "gradient"), 1, 1),
    "integrated gradients": Entry(integrated, PATH, PATH),
    "occlusion": Entry(occlusion, 1 + _STRETCHES * len(CHANNELS), 0),
    "random": Entry(at_random, 0, 0),
    "random difference": Entry(difference_at_random, 0, 0),
}
