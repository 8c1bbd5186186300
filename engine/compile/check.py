"""A compiled file against its source, and against what numpy says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx

from ..errors import ModelError
from ..file.runtime import Runtime
from ..plan.onnx_runner import SEED
from ..plan.parity import disagreement, gap, spread_of
from ..plan.recipe import Recipe
from .one_graph import EXPLAINED, GRADIENT, REFERENCES, RELEVANCE, with_gradient

Array = np.ndarray[Any, Any]
Feed = Mapping[str, Array]

# How far a compiled file's relevance may be from numpy's, relative to the largest.
AGREES = 1e-3
# How much of a made-up reference is its window, one sample earlier.
_SHIFTED = (0.25, 0.5)


@dataclass(frozen=True)
class Wanted:
    """What a compiled model is compared with.

    Attributes
    ----------
    feed : dict of str to ndarray
    seed : ndarray
        As the compiled model takes it.
    outputs : dict of str to ndarray
        Of the instrumented model.
    added : dict of str to ndarray
        Relevance and gradients, by numpy, and what is explained of a difference.
    approximate : bool
        Whether numbers are rounded to 8 or 16 bits.
    references : dict of str to ndarray
        What the compiled model takes beside the feed.
    """

    feed: Feed
    seed: Array
    outputs: Mapping[str, Any]
    added: Mapping[str, Array]
    approximate: bool
    references: Feed = field(default_factory=dict)


def wanted(
    recipe: Recipe,
    targets: int | None,
    baked: Sequence[Feed] | None = None,
    *,
    guarded: bool = False,
    flat: bool = False,
) -> Wanted:
    """Explain random targets by numpy.

    Parameters
    ----------
    recipe : Recipe
    targets : int or None
    baked : sequence of dict of str to ndarray, optional
        References, where the file has them: of one row each.
    guarded : bool
        Whether one that takes other branches than the recipe's leaves no numbers.
    flat : bool
        Whether the first channel of every signal is flat, as padded channels are.
    """
    numpy, is_difference = recipe.numpy, recipe.request.composite.is_difference
    at, feed = recipe.request.inputs.micro_batches(recipe.facts, _windows(recipe, is_difference, flat))[0]
    batch = at.stop - at.start
    values = numpy.forward(feed)
    y = values[recipe.recording.target]
    seed = np.random.default_rng(0).standard_normal((targets or 1, *y.shape))
    seed = seed.astype(recipe.recording.ops.dtype)
    pairs: list[tuple[Feed | None, Mapping[str, Array] | None]] = [(None, None)]
    if is_difference:
        pairs = _pairs(recipe, feed, baked)
    each: list[dict[str, Array]] = []
    slopes = with_gradient(recipe)
    for there, given in pairs:
        found = numpy.backward(values, seed, batch, given)
        apart = guarded and given is not None and not recipe.facts.holds(given)
        made = {}
        for name in recipe.request.inputs:
            m, r, x = found.multipliers.get(name), found.remainders.get(name), feed[name]
            amount = x if there is None else x.astype(seed.dtype) - there[name].astype(seed.dtype)
            full: Any = (0 if m is None else m * amount) + (0 if r is None else r)
            made[RELEVANCE + name] = np.broadcast_to(np.nan if apart else full, (len(seed), *x.shape))
        for name in slopes:
            m, shape = found.multipliers.get(name), (len(seed), *feed[name].shape)
            made[GRADIENT + name] = np.broadcast_to(seed.dtype.type(0) if m is None else m, shape)
        each.append(made)
    added = {n: np.mean([e[n] for e in each], axis=0) for n in each[0]}
    outputs = {name: values[name] for name in numpy.instrumented.outputs}
    return Wanted(
        feed,
        seed if targets is not None else seed[0],
        outputs,
        {n: a if targets is not None else a[0] for n, a in added.items()},
        recipe.facts.approximate,
        _stacked(recipe, pairs) if is_difference and baked is None else {},
    )


def on_flat_channels(recipe: Recipe, targets: int | None) -> Wanted | None:
    """What is wanted of an input whose first channel is flat.

    None where the model has no number for it, takes another branch, or has no signals with channels.
    """
    if recipe.request.composite.is_difference or not any(map(_has_channels, recipe.first.values())):
        return None
    try:
        found = wanted(recipe, targets, flat=True)
        held = recipe.facts.holds(recipe.numpy.forward(found.feed))
    except ModelError:
        return None
    finite = all(np.isfinite(a).all() for a in found.added.values())
    return found if held and finite else None


def _has_channels(x: Array) -> bool:
    return x.dtype.kind == "f" and x.ndim > 2


def _windows(recipe: Recipe, is_difference: bool, flat: bool = False) -> dict[str, Array]:
    """What was looked at; of a difference two rows, where any number is taken."""
    first, axes = dict(recipe.first), recipe.axes
    if flat:
        first = {n: x.copy() if _has_channels(x) else x for n, x in first.items()}
        for x in filter(_has_channels, first.values()):
            x[..., 0, :] = 0
    if not is_difference or recipe.probe.mode != "open" or recipe.probe.rows != 1:
        return first
    taken = {}
    for n, x in first.items():
        axis = axes[n]
        taken[n] = x if axis is None else np.take(x, np.arange(2) % x.shape[axis], axis)
    return taken


Pair = tuple[Feed, Mapping[str, Array]]


def _pairs(recipe: Recipe, feed: Feed, baked: Sequence[Feed] | None) -> list[Any]:
    """References, each as large as the windows, and what the model gives for them."""
    axes = recipe.axes if recipe.probe.mode != "joint" else dict.fromkeys(feed)
    if baked is None:
        given = [_made_up(feed, axes, part) for part in _SHIFTED]
        if not all(_same_way(recipe, g) for g in given):
            given = [_made_up(feed, axes, 0.0)]
    else:
        given = [{n: _repeated(x, axes[n], feed[n]) for n, x in f.items()} for f in baked]
    return [(g, recipe.numpy.forward(g)) for g in given]


def _made_up(feed: Feed, axes: Mapping[str, int | None], part: float) -> dict[str, Array]:
    """A mixture of a window and of itself one sample earlier: its values are such as the model takes."""
    made = {}
    for name, x in feed.items():
        first = x if axes[name] is None else np.take(x, [0], axes[name] or 0)
        if x.dtype.kind == "f" and x.ndim:
            mixed = (1 - part) * first + part * np.roll(first, 1, -1)
            first = mixed.astype(x.dtype)
        made[name] = _repeated(first, axes[name], x)
    return made


def _repeated(x: Array, axis: int | None, like: Array) -> Array:
    return x if axis is None else np.repeat(x, like.shape[axis] // x.shape[axis], axis)


def _same_way(recipe: Recipe, feed: Feed) -> bool:
    try:
        return recipe.facts.holds(recipe.numpy.forward(feed))
    except ModelError:
        return False


def _stacked(recipe: Recipe, pairs: Sequence[Any]) -> dict[str, Array]:
    """References as a compiled file takes them."""
    axes = recipe.axes if recipe.probe.mode != "joint" else dict.fromkeys(recipe.axes)
    found = {}
    for name, axis in axes.items():
        rows = [p[0][name] for p in pairs]
        found[REFERENCES + name] = (
            np.stack(rows) if axis is None else np.concatenate([np.take(r, [0], axis) for r in rows], axis)
        )
    return found


def check(made: onnx.ModelProto, source: onnx.ModelProto, every: Sequence[Wanted], runtime: Runtime) -> None:
    """Run a compiled model on some inputs, and compare it with its source and with numpy.

    Raises
    ------
    ModelError
        It does not run, its outputs are not the source's, or its relevance not numpy's.
    """

    def outcomes(model: onnx.ModelProto, more: Callable[[Wanted], Feed]) -> list[dict[str, Any]]:
        # One session at a time: each has the weights twice.
        opened = runtime.session(model)
        names = [o.name for o in opened.get_outputs()]
        runs = (runtime.run(opened, names, {**w.feed, **more(w)}) for w in every)
        return [dict(zip(names, values, strict=True)) for values in runs]

    compiled = outcomes(made, lambda w: {SEED: w.seed, **w.references})
    for wanted, got, own in zip(every, compiled, outcomes(source, lambda w: {}), strict=True):
        _compare(wanted, got, own, source, runtime)


def _compare(
    wanted: Wanted, got: Mapping[str, Any], own: Mapping[str, Any], source: onnx.ModelProto, runtime: Runtime
) -> None:
    def spread() -> dict[str, float]:
        return spread_of(runtime.session(source), source, wanted.feed, runtime)

    found = disagreement(own, got, spread if wanted.approximate else None)
    if found is not None:
        raise ModelError(f"{runtime.where}: compiled, output {found[0]!r} changes by {found[1]:.1e}; refused")
    if wanted.approximate and disagreement(wanted.outputs, got, None) is not None:
        return  # activations are others, by a step of 8 bits here and there: so is relevance
    # An input that nearly nothing depends on has rounding for relevance: it is measured by the others'.
    relevance, slopes = _largest(wanted.added, RELEVANCE), _largest(wanted.added, GRADIENT)
    for name, array in wanted.added.items():
        apart = gap(got[name], array, slopes if name.startswith(GRADIENT) else relevance)
        if not apart <= AGREES:
            kind, _, of = name.partition(".")
            what = "what is explained" if name == EXPLAINED else f"{kind} of {of!r}"
            raise ModelError(f"{runtime.where}: compiled, {what} is {apart:.1e} from numpy's; refused")


def _largest(added: Mapping[str, Array], kind: str) -> float:
    """The largest number of one kind, over all inputs."""
    found = (np.abs(a[np.isfinite(a)]) for n, a in added.items() if n.startswith(kind))
    return max((float(a.max(initial=0.0)) for a in found), default=0.0)
