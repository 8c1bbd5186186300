"""Sanity: does a map change when the model or the question does? (Adebayo et al. 2018; Sixt et al. 2020)

A map that stays as it is when the weights are random explains the input and not the model. The test is
necessary and no ranking: it has no right amount of change. How much a map changes depends on the architecture
(skip connections carry the input past random layers), on how noisy the method is, and on what similarity is
taken of (Binder et al. 2023, "Shortcomings of top-down randomization-based sanity checks"): noise passes
best.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import ModelError, OnnxplainError
from ..steps import step
from .intervals import Estimate, cosine, estimate, random_relevance, spearman
from .randomisation import cascade
from .setting import Method, Setting

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Similarity:
    """How alike two maps are, means over windows.

    Attributes
    ----------
    rank : Estimate
        Spearman's correlation of |relevance| over groups.
    cosine : Estimate
        With signs.
    """

    rank: Estimate
    cosine: Estimate


@dataclass(frozen=True)
class Stage:
    """One step of the cascade: the part of the layers that is random, and the map before against after."""

    random: float
    similarity: Similarity


@dataclass(frozen=True)
class Sanity:
    """How much one method's map keeps when the model, or the question, is another.

    Attributes
    ----------
    method : str
    stages : tuple of Stage
        From the output on; the last has all weights random (model-parameter randomisation).
    target : Similarity or None
        The map of another class, by its plain output; None for models of one output.
    references : dict of str to Similarity
        The map against random relevance, and against what else the caller gave (the groups' power).
    notes : tuple of str
    """

    method: str
    stages: tuple[Stage, ...]
    target: Similarity | None
    references: Mapping[str, Similarity]
    notes: tuple[str, ...] = field(default=())


def alike(a: Array, b: Array, seed: int = 0) -> Similarity:
    """Similarity of maps of the same windows, shape (window, group)."""
    return Similarity(estimate(spearman(np.abs(a), np.abs(b)), seed=seed), estimate(cosine(a, b), seed=seed))


def sanity(
    setting: Setting,
    method: Method,
    own: Array,
    *,
    baselines: Mapping[str, Array] | None = None,
    stages: int = 4,
    seed: int = 0,
) -> Sanity:
    """Compare a map with those of ever more random copies of the model, and with another class's.

    Parameters
    ----------
    setting : Setting
    method : Method
    own : ndarray, shape (window, group)
        The map of the model as it is.
    baselines : dict of str to ndarray, shape (window, group), optional
        What else to compare it with.
    stages : int
    seed : int

    Returns
    -------
    Sanity
    """
    name = method if isinstance(method, str) else method.name
    made, notes = [], []
    with tempfile.TemporaryDirectory() as folder:
        copies = cascade(setting.explainer.path, folder, stages=stages, seed=seed)
        for i, (part, path) in enumerate(copies):
            step("explaining copies with random weights", i / len(copies))
            try:
                there = setting.maps(method, model=path)
            except ModelError:  # random weights can overflow
                notes.append(f"With {part:.0%} of the layers random the model gives no finite number.")
                continue
            made.append(Stage(part, alike(own, there, seed)))
    other = None
    try:
        other = _other_class(setting, method, seed)
    except OnnxplainError as error:
        notes.append(f"No other class was explained: {error}.")
    against = {"random": random_relevance(own.shape, seed), **(baselines or {})}
    return Sanity(
        name, tuple(made), other, {k: alike(own, v, seed) for k, v in against.items()}, tuple(notes)
    )


def _other_class(setting: Setting, method: Method, seed: int) -> Similarity | None:
    """Each window's class against another one at random (Quantus: RandomLogit), by the plain outputs.

    Against the rest, the other of two classes would have the same map with its sign turned, whatever the
    method.
    """
    target = np.asarray(setting.target)
    n = setting.outputs
    if n < 2 or target.dtype.kind not in "iu" or target.ndim > 1:
        return None
    classes = np.broadcast_to(target, (len(setting),))
    lot = np.random.default_rng((seed, 0x7A)).integers(1, n, len(setting))
    first = setting.maps(method, target=classes, contrast=None)
    return alike(first, setting.maps(method, target=(classes + lot) % n, contrast=None), seed)
