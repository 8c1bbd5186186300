"""Gradient-family methods and occlusion, beside the relevance rules.

All of them take a model file or an `Explainer` and give an `Attribution`, so that maps of unlike
methods can be compared with one another.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from ..attribution import Attribution, Ledger, LedgerEntry
from ..errors import InputError
from ..explainer import Explainer
from ..plan.references import references
from ..plan.results import averaged
from ..steps import step

Array = np.ndarray[Any, Any]
Model = str | os.PathLike[str] | Explainer
Baseline = float | Array | Mapping[str, Array | float]

# Rows of all steps that are explained in one call: enough to keep the cores busy.
_CHUNK = 64


def input_x_gradient(
    model: Model, x: Array | Mapping[str, Array], target: Any = "predicted", contrast: str | None = None
) -> Attribution:
    """Input times gradient (Shrikumar et al. 2016): the `gradient` composite.

    Parameters
    ----------
    model : path-like or Explainer
    x : ndarray, or dict of input name to ndarray
        Batch first.
    target, contrast
        As for `Explainer`.
    """
    return _gradients(model)(x, target=target, contrast=contrast)


def smoothgrad(
    model: Model,
    x: Array | Mapping[str, Array],
    target: Any = "predicted",
    contrast: str | None = None,
    *,
    samples: int = 25,
    noise: float = 0.1,
    seed: int = 0,
    times_input: bool = True,
) -> Attribution:
    """Gradients averaged over noisy copies of the input (Smilkov et al. 2017, eq. 1).

    Parameters
    ----------
    model : path-like or Explainer
    x : ndarray, or dict of input name to ndarray
    target, contrast
        As for `Explainer`; "predicted" is what the model says of x without noise.
    samples : int
        Noisy copies.
    noise : float
        Standard deviation of the noise, as a part of each sample's range.
    seed : int
    times_input : bool
        Whether relevance is x times the averaged gradient, or the averaged gradient itself.

    Raises
    ------
    InputError
        `samples` or `noise` makes no sense.
    """
    if samples < 1 or not noise >= 0:
        raise InputError(f"smoothgrad needs samples >= 1 and noise >= 0, not {samples} and {noise}")
    explain = _gradients(model)
    first = explain(x, target=target, contrast=contrast)
    feed = explain.inputs.checked(x)
    rng = np.random.default_rng(seed)

    def noisy(_: int) -> dict[str, Array]:
        made = dict(feed)
        for n, a in feed.items():
            if a.dtype.kind == "f":
                made[n] = a + (noise * _range(a) * rng.standard_normal(a.shape)).astype(a.dtype)
        return made

    mean = _mean_multipliers(explain, noisy, samples, first, contrast, "smoothing gradients")
    relevance = {n: m * feed[n] if times_input else m for n, m in mean.items()}
    return _with(first, relevance, mean, (), "smoothgrad")


def integrated_gradients(
    model: Model,
    x: Array | Mapping[str, Array],
    target: Any = "predicted",
    contrast: str | None = None,
    *,
    baseline: Baseline = 0.0,
    steps: int = 64,
) -> Attribution:
    """Integrated Gradients (Sundararajan et al. 2017, eq. 1), by the midpoint rule.

    Relevance sums to the difference of what is explained at x and at the baseline; the ledger has the
    baseline's own value, so that `closure` is the error of the integration.

    Parameters
    ----------
    model : path-like or Explainer
    x : ndarray, or dict of input name to ndarray
    target, contrast
        As for `Explainer`; "predicted" is what the model says of x.
    baseline : float, ndarray or dict of input name to either
        Where the path starts.
    steps : int
        Points on the path.

    Raises
    ------
    InputError
        `steps` is below 1, or the baseline does not fit x.
    """
    if steps < 1:
        raise InputError(f"integrated gradients need at least one step, not {steps}")
    explain = _gradients(model)
    first = explain(x, target=target, contrast=contrast)
    feed = explain.inputs.checked(x)
    start = _baseline(feed, baseline)

    mean = _integrated(explain, start, feed, steps, first, contrast)
    relevance = {n: m * (feed[n] - start[n]) for n, m in mean.items()}
    at_baseline = explain(start, target=first.target, contrast=contrast).explained
    entry = LedgerEntry("", "baseline", first.output, at_baseline)
    return _with(first, relevance, mean, (entry,), "integrated_gradients")


def expected_gradients(
    model: Model,
    x: Array | Mapping[str, Array],
    target: Any = "predicted",
    contrast: str | None = None,
    *,
    reference: Array | Mapping[str, Array],
    steps: int = 8,
) -> Attribution:
    """Gradients along the way from reference windows (Erion et al. 2021, eq. 3), by the midpoint rule.

    The many-step sibling of the composite `difference`: the same references, each way walked in the same
    number of steps instead of at random. Relevance sums to what is explained at x less its mean over the
    references, but for the error of the integration, which `closure` shows.

    Parameters
    ----------
    model : path-like or Explainer
    x : ndarray, or dict of input name to ndarray
    target, contrast
        As for `Explainer`; "predicted" is what the model says of x.
    reference
        As for `Explainer`.
    steps : int
        Points on the way from each reference.

    Raises
    ------
    InputError
        `steps` is below 1, or a reference does not fit x.
    """
    if steps < 1:
        raise InputError(f"expected gradients need at least one step, not {steps}")
    explain = _gradients(model)
    first = explain(x, target=target, contrast=contrast)
    feed = explain.inputs.checked(x)
    made = []
    for start in references(explain.inputs, reference, feed, str(explain.path)).feeds:
        there = {n: np.broadcast_to(start.get(n, a), a.shape).astype(a.dtype) for n, a in feed.items()}
        apart = {n: a.astype(np.float64) - there[n] for n, a in feed.items() if a.dtype.kind == "f"}

        mean = _integrated(explain, there, feed, steps, first, contrast)
        relevance = {
            n: (m * apart[n]).astype(m.dtype) if n in apart else np.zeros_like(m) for n, m in mean.items()
        }
        value = explain.value(there, target=first.target, contrast=contrast)
        own = _with(first, relevance, mean, (), "expected_gradients")
        made.append(replace(own, explained=first.explained - value, reference=there))
    return averaged(made)


def occlusion(
    model: Model,
    x: Array | Mapping[str, Array],
    target: Any = "predicted",
    contrast: str | None = None,
    *,
    window: Mapping[str, Sequence[int]] | Sequence[int],
    stride: Mapping[str, Sequence[int]] | Sequence[int] | None = None,
    baseline: Baseline = 0.0,
) -> Attribution:
    """How far the explained number falls when a window of the input is replaced (Zeiler & Fergus 2014).

    Model-agnostic: only outputs are looked at. Each element gets the mean, over the windows that cover it,
    of the fall divided by the window's size.

    Parameters
    ----------
    model : path-like or Explainer
    x : ndarray, or dict of input name to ndarray
    target, contrast
        As for `Explainer`.
    window : sequence of int, or dict of input name to such
        Size of what is replaced along each axis but the batch.
    stride : the same, optional
        Steps between windows; the window's own size by default.
    baseline : float, ndarray or dict of input name to either
        What it is replaced with.

    Raises
    ------
    InputError
        Window, stride or baseline does not fit x.
    """
    explain = model if isinstance(model, Explainer) else Explainer(model)
    if explain.composite.is_difference:  # no references are needed to take something away
        explain = _gradients(explain)
    first = explain(x, target=target, contrast=contrast)
    feed = explain.inputs.checked(x)
    start = _baseline(feed, baseline)
    windows = window if isinstance(window, Mapping) else dict.fromkeys(feed, window)
    strides = stride if isinstance(stride, Mapping) else dict.fromkeys(feed, stride)
    relevance = {n: np.zeros(a.shape, dtype=np.float64) for n, a in feed.items()}
    for name, size in windows.items():
        if name not in feed:
            raise InputError(f"no input {name!r}; known: {', '.join(feed)}")
        covers = np.zeros(feed[name].shape[1:])
        places = _places(feed[name].shape[1:], size, strides.get(name) or size, name)
        for done, place in enumerate(places):
            step(f"occluding {name}", done / len(places))
            changed = {n: a.copy() if n == name else a for n, a in feed.items()}
            at = (slice(None), *place)
            changed[name][at] = start[name][at]
            fall = first.explained - explain.value(changed, target=first.target, contrast=contrast)
            count = changed[name][at][0].size
            relevance[name][at] += (fall / count).reshape(-1, *[1] * len(place))
            covers[place] += 1
        relevance[name] /= np.maximum(covers, 1)
    zeros = {n: np.zeros_like(r) for n, r in relevance.items()}
    return _with(first, relevance, zeros, (), "occlusion")


def _places(
    shape: Sequence[int], size: Sequence[int], stride: Sequence[int], name: str
) -> list[tuple[slice, ...]]:
    if len(size) != len(shape) or len(stride) != len(shape) or min(*size, *stride) < 1:
        raise InputError(
            f"input {name!r} needs a window and stride of {len(shape)} numbers >= 1, not {list(size)}"
        )
    starts = [range(0, n, s) for n, s in zip(shape, stride, strict=True)]
    return [tuple(slice(a, a + w) for a, w in zip(at, size, strict=True)) for at in product(*starts)]


def _gradients(model: Model) -> Explainer:
    if not isinstance(model, Explainer):
        return Explainer(model, composite="gradient")
    return model if model.composite.is_gradient else model.with_composite("gradient")


def _range(a: Array) -> Array:
    axes = tuple(range(1, a.ndim))
    return np.asarray(a.max(axis=axes, keepdims=True) - a.min(axis=axes, keepdims=True))


def _baseline(feed: Mapping[str, Array], baseline: Baseline) -> dict[str, Array]:
    """The baseline of every input, shaped like it; integer inputs keep their own values."""
    made = {}
    for name, a in feed.items():
        value = baseline.get(name, a) if isinstance(baseline, Mapping) else baseline
        if a.dtype.kind != "f":
            made[name] = a
            continue
        try:
            made[name] = np.broadcast_to(np.asarray(value, dtype=a.dtype), a.shape)
        except ValueError:
            raise InputError(
                f"the baseline of input {name!r} has shape {list(np.shape(value))}, "
                f"which does not fit {list(a.shape)}"
            ) from None
    return made


def _mean_multipliers(
    explain: Explainer,
    point: Callable[[int], dict[str, Array]],
    count: int,
    first: Attribution,
    contrast: str | None,
    what: str,
) -> dict[str, Array]:
    """The multipliers averaged over points, several points a call."""
    rows = len(next(iter(first.relevance.values())))
    at_once = max(1, min(count, _CHUNK // max(rows, 1)))
    total = {n: np.zeros(m.shape, dtype=np.float64) for n, m in first.multiplier.items()}
    several = isinstance(first.target, np.ndarray) and len(first.target) == first.explained.shape[-1]
    for start in range(0, count, at_once):
        step(what, start / count)
        points = [point(i) for i in range(start, min(start + at_once, count))]
        stacked = len(points) > 1 and several and first.rows_are_samples
        for group in [points] if stacked else [[p] for p in points]:
            feed = (
                {n: np.concatenate([p[n] for p in group]) for n in group[0]} if len(group) > 1 else group[0]
            )
            target = np.concatenate([first.target] * len(group)) if len(group) > 1 else first.target
            a = explain(feed, target=target, contrast=contrast)
            for n, m in a.multiplier.items():
                total[n] += m.reshape(len(group), *total[n].shape).sum(0)
    return {n: (t / count).astype(first.multiplier[n].dtype) for n, t in total.items()}


def _integrated(
    explain: Explainer,
    start: Mapping[str, Array],
    feed: Mapping[str, Array],
    steps: int,
    first: Attribution,
    contrast: str | None,
) -> dict[str, Array]:
    """The multipliers averaged along the straight way from `start` to `feed`, by the midpoint rule."""

    def between(i: int) -> dict[str, Array]:
        at = (i + 0.5) / steps
        return {
            n: (start[n] + at * (a - start[n])).astype(a.dtype) if a.dtype.kind == "f" else a
            for n, a in feed.items()
        }

    return _mean_multipliers(explain, between, steps, first, contrast, "integrating gradients")


def _with(
    first: Attribution,
    relevance: Mapping[str, Array],
    multiplier: Mapping[str, Array],
    entries: tuple[LedgerEntry, ...],
    name: str,
) -> Attribution:
    """An attribution with a method's relevance in the place of the gradient's."""
    return replace(
        first,
        relevance=dict(relevance),
        multiplier=dict(multiplier),
        reached={n: first.per_sample(n, r) for n, r in relevance.items()},
        ledger=Ledger(entries, first.explained.shape),
        unassigned={},
        composite=name,
    )
