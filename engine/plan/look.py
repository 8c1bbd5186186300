"""A model looked at with one input: lowered, run, and found to take so many rows at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..analysis.analysis import Analysis
from ..analysis.probe import probe
from ..analysis.runs import Mode, SamplesMix
from ..errors import ModelError
from ..file.graph import from_model
from ..file.sound import at_random
from ..lowering import Lowered, lower
from ..lowering.ends import with_score
from ..lowering.opset import raised
from ..lowering.precision import any_half, widen
from ..steps import step
from .parity import disagreement, spread_of
from .recipe import Recipe, is_approximate
from .request import Request

Array = np.ndarray[Any, Any]


# Of a model with a node that draws at random: a few coins can fall alike twice.
RUNS = 4


def look(request: Request, feed: Mapping[str, Array]) -> Recipe:
    """Lower the model for this input and find its shapes, by rows where they are independent."""
    _refuse_chance(request, feed)
    inputs, axes = request.inputs, request.inputs.axes(feed)
    if all(axis is None for axis in axes.values()):
        is_open = any(i.open for i in inputs.by_name.values())
        mode: Mode = "joint" if is_open else "fixed"
        note = "the inputs have different lengths; they are explained together as one sample"
        return _probed(request, feed, feed, mode, (note,) if is_open else ())
    if not any(i.open for i in inputs.by_name.values()):
        one = inputs.take(feed, 0, 1)  # a file fixed at one row is fed row by row
        return _probed(request, one, one, "fixed")
    first = inputs.take(feed, 0, 1)
    some = inputs.take(feed, 0, min(inputs.rows(feed), 64))
    try:
        return _probed(request, first, some, "open")
    except SamplesMix:
        if any(n.op_type.startswith("DynamicQuantize") for n in request.proto.graph.node):
            note = "samples in one batch share a quantisation scale; each is explained alone"
            return _probed(request, first, first, "single", (note,))
    except ModelError:
        # One row alone may be no legal input: then the rows belong together.
        if inputs.rows(feed) == 1:
            raise
    note = "what the model says of one row depends on the others; explained as one sample"
    return _probed(request, feed, feed, "joint", (note,))


def _refuse_chance(request: Request, feed: Mapping[str, Array]) -> None:
    """Refuse a model whose output is another one in every run.

    Noise that an input scales (a speech synthesiser's temperature) is none where that input is 0.

    Raises
    ------
    ModelError
    """
    node = at_random(request.proto, request.output)
    if node is None:
        return
    session = request.runtime.on_cpu().session(request.proto)
    first, *others = (
        np.asarray(request.runtime.run(session, [request.output], feed)[0]) for _ in range(RUNS)
    )
    if not all(np.array_equal(first, y, equal_nan=first.dtype.kind == "f") for y in others):
        name = f" {node.name}" if node.name else ""
        raise ModelError(
            f"{request.where}: the node {node.op_type}{name} draws at random on the way to {request.output}, "
            "so that no two runs say the same and there is nothing to explain; export the model for "
            "inference, or set an input that scales the noise to 0"
        )


def look_again(recipe: Recipe, given: Mapping[str, Array]) -> Recipe:
    """The same model where it takes another branch: as many rows at a time as where it was seen.

    Parameters
    ----------
    recipe : Recipe
    given : dict of str to ndarray
        Conditions, and the values that they are taken to have.

    Raises
    ------
    RunError
        It does not run on the inputs that it was seen with.
    ModelError
        There, what it says of one row depends on the others.
    """
    try:
        request = replace(recipe.request, given=given)
        return _probed(request, *recipe.feeds, recipe.probe.mode, recipe.notes)
    except SamplesMix:
        raise ModelError(
            f"{recipe.request.where}: what the model says of one row depends on the others in one branch "
            "only; that cannot be one graph"
        ) from None


def _probed(
    request: Request,
    lower_with: Mapping[str, Array],
    example: Mapping[str, Array],
    mode: Mode,
    notes: tuple[str, ...] = (),
) -> Recipe:
    step("rewriting the model into elementary operators")
    wide = widen(raised(request.proto, request.where))
    lowered = lower(wide, lower_with, where=request.where, given=request.given)
    lowered = with_score(lowered, request.output, lower_with, request.where)
    if any_half(request.proto):
        lowered = replace(lowered, half=True)
    graph = from_model(lowered.proto, request.where)
    axes = request.inputs.axes(example)
    if mode == "open" and lowered.proto is not request.proto and not request.given:
        mode = _rewritten_mode(request, lowered, example, axes)
    try:
        found = probe(lowered.proto, graph, example, axes, where=request.where, mode=mode)
    except ModelError:
        if not lowered.decisions or not is_approximate(request, lowered):
            raise
        source = request.runtime.on_cpu().session(request.proto)
        request.runtime.run(source, [], example)
        raise ModelError(
            f"{request.where}: how many steps it takes depends on how its quantised layers round, and is "
            "another number once inner values are read; another input may do, or the model before it was "
            "quantised"
        ) from None
    return Recipe(request, lowered, Analysis(graph, found), notes, (lower_with, example))


def _rewritten_mode(
    request: Request, lowered: Lowered, example: Mapping[str, Array], axes: Mapping[str, int | None]
) -> Mode:
    """Whether a rewritten model takes any number of rows as its source does.

    Steps in time are unrolled: a model whose rows are steps would run on more of them, and be wrong. And
    elementary operators broadcast where a recurrent layer would refuse a batch that does not fit.

    Raises
    ------
    SamplesMix
        It does not.
    """
    feed = {
        n: x if axes[n] is None else np.take(x, np.arange(2) % x.shape[axes[n] or 0], axis=axes[n])
        for n, x in example.items()
    }
    outputs = [o.name for o in request.proto.graph.output]
    source = request.runtime.on_cpu().session(request.proto)
    try:
        own = request.runtime.run(source, outputs, feed)
    except ModelError:
        return "fixed"
    opened = request.runtime.on_cpu().session(lowered.proto)
    try:
        values = request.runtime.run(opened, outputs, feed)
    except ModelError:  # two rows make steps of another number than one
        raise SamplesMix from None
    spread = partial(spread_of, source, request.proto, feed, request.runtime)
    known, got = (dict(zip(outputs, made, strict=True)) for made in (own, values))
    if disagreement(known, got, spread if is_approximate(request, lowered) else None):
        raise SamplesMix
    return "open"
