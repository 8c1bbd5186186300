"""From a model and one input to a plan: everything that is worked out once for a shape of input."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import onnx

from ..analysis.analysis import Analysis
from ..analysis.probe import Probe, probe
from ..analysis.runs import Mode, SamplesMix
from ..canonical import canonical
from ..errors import InputError, ModelError
from ..file import runtime
from ..file.graph import Graph, from_model
from ..lowering import Lowered, lower
from ..lowering.opset import raised
from ..lowering.precision import any_half, widen
from ..steps import step
from ..walk.active_path import active_nodes
from ..walk.simplify.algebra import simplified
from ..walk.walker import Trace, trace
from .facts import Facts, facts
from .numpy_runner import Plan
from .onnx_runner import Sessions
from .parity import disagreement, spread_of
from .request import Task
from .targets import explained_tensor

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Prepared:
    """A plan for one shape of input, and for one way through the model's branches.

    Attributes
    ----------
    facts : Facts
    runner : Plan or Sessions
        Runs the model, and carries relevance back.
    plan : Plan
    probe : Probe
    trace : Trace
    lowered : Lowered
        The model in elementary operators.
    """

    facts: Facts
    runner: Plan | Sessions
    plan: Plan
    probe: Probe
    trace: Trace
    lowered: Lowered

    @property
    def proto(self) -> onnx.ModelProto:
        """The model in elementary operators."""
        return self.lowered.proto


@dataclass(frozen=True)
class Seen:
    """A lowered model and what a probe found out about it.

    Attributes
    ----------
    lowered : Lowered
    graph : Graph
    probe : Probe
    notes : tuple of str
    feeds : pair of dict of str to ndarray
        The inputs that it was lowered and probed with.
    """

    lowered: Lowered
    graph: Graph
    probe: Probe
    notes: tuple[str, ...]
    feeds: tuple[Mapping[str, Array], Mapping[str, Array]]


def prepare(task: Task, feed: Mapping[str, Array], seen: Seen | None = None) -> Prepared:
    """Work out how to explain inputs like this one; `seen` is what was found out about it already.

    Raises
    ------
    UnsupportedOperator
        A node between input and output has no rule.
    ModelError
        The model cannot be run, or says something else once inner values are read.
    """
    seen = look(task, feed) if seen is None else seen
    step("preparing the relevance rules")
    at = tensor_names(seen.graph, task.at, task.where)
    seen.graph.pinned = frozenset(at)
    analysis = canonical(Analysis(seen.graph, seen.probe))
    found = analysis.probe
    target, note = explained_tensor(analysis.graph, task.output)
    if any(name.startswith("re:") for name in task.at):
        at = _on_path(analysis, task, target, at)
    walked = trace(analysis, task.composite, target, where=task.where, ledger=task.ledger, at=at)
    recorded = simplified(walked, found.shapes)
    lowered, notes = seen.lowered, [*seen.notes, *([note] if note else [])]
    if lowered.approximate:
        names = ", ".join(lowered.approximate[:3])
        notes.append(f"quantised layers are run in float ({names}): the output differs slightly")
    if lowered.half:
        notes.append("half-precision layers are run in float32: the output differs by their rounding")
    known = facts(
        found,
        recorded,
        list(task.inputs),
        decisions=lowered.decisions,
        approximate=_approximate(task, lowered),
        notes=notes,
    )
    axes = task.inputs.axes(feed)
    plan = Plan(
        lowered.proto,
        found,
        recorded,
        where=task.where,
        providers=task.providers,
        threads=task.threads,
        axes=axes,
        extra=[name for name, _ in lowered.decisions],
    )
    runner: Plan | Sessions = plan
    if task.backend != "numpy":
        from .onnx_writer import Written

        first = feed if found.mode == "open" else task.inputs.pieces(known, dict(feed))[0][1]
        try:
            runner = Written(
                plan,
                lowered.proto,
                found,
                recorded,
                known,
                feed=first,
                axes=axes,
                providers=task.providers,
                threads=task.threads,
            )
        except (NotImplementedError, ModelError) as e:
            if task.backend == "onnx":
                raise ModelError(
                    f"{task.where}: {str(e).removeprefix(f'{task.where}: ')}; use the numpy backend"
                ) from None
            known = replace(known, notes=(*known.notes, f"numpy carries relevance back: {e}"))
    return Prepared(known, runner, plan, found, recorded, lowered)


def look(task: Task, feed: Mapping[str, Array]) -> Seen:
    """Lower the model for this input and find its shapes, by rows where they are independent."""
    inputs, axes = task.inputs, task.inputs.axes(feed)
    if all(axis is None for axis in axes.values()):
        is_open = any(i.open for i in inputs.by_name.values())
        mode: Mode = "joint" if is_open else "fixed"
        note = "the inputs have different lengths; they are explained together as one sample"
        return _probed(task, feed, feed, mode, (note,) if is_open else ())
    if not any(i.open for i in inputs.by_name.values()):
        one = inputs.take(feed, 0, 1)  # a file fixed at one row is fed row by row
        return _probed(task, one, one, "fixed")
    first = inputs.take(feed, 0, 1)
    some = inputs.take(feed, 0, min(inputs.rows(feed), 64))
    try:
        return _probed(task, first, some, "open")
    except SamplesMix:
        if any(n.op_type.startswith("DynamicQuantize") for n in task.proto.graph.node):
            note = "samples in one batch share a quantisation scale; each is explained alone"
            return _probed(task, first, first, "single", (note,))
    except ModelError:
        # One row alone may be no legal input: then the rows belong together.
        if inputs.rows(feed) == 1:
            raise
    note = "what the model says of one row depends on the others; explained as one sample"
    return _probed(task, feed, feed, "joint", (note,))


def look_again(task: Task, seen: Seen) -> Seen:
    """The same model where it takes another branch: as many rows at a time as where it was seen.

    Raises
    ------
    RunError
        It does not run on the inputs that it was seen with.
    ModelError
        There, what it says of one row depends on the others.
    """
    try:
        return _probed(task, *seen.feeds, seen.probe.mode, seen.notes)
    except SamplesMix:
        raise ModelError(
            f"{task.where}: what the model says of one row depends on the others in one branch only; "
            "that cannot be one graph"
        ) from None


def _probed(
    task: Task,
    lower_with: Mapping[str, Array],
    example: Mapping[str, Array],
    mode: Mode,
    notes: tuple[str, ...] = (),
) -> Seen:
    step("rewriting the model into elementary operators")
    wide = widen(raised(task.proto, task.where))
    lowered = lower(wide, lower_with, where=task.where, given=task.given)
    if any_half(task.proto):
        lowered = replace(lowered, half=True)
    graph = from_model(lowered.proto)
    axes = task.inputs.axes(example)
    if mode == "open" and lowered.proto is not task.proto and not task.given:
        mode = _rewritten_mode(task, lowered, example, axes)
    try:
        found = probe(lowered.proto, graph, example, axes, where=task.where, mode=mode)
    except ModelError:
        if not lowered.decisions or not _approximate(task, lowered):
            raise
        source = runtime.session(task.proto, where=task.where, asked=["CPUExecutionProvider"])
        runtime.run(source, [], example, where=task.where)
        raise ModelError(
            f"{task.where}: how many steps it takes hangs on how its quantised layers round, and is another "
            "number once inner values are read; another input may do, or the model before it was quantised"
        ) from None
    return Seen(lowered, graph, found, notes, (lower_with, example))


def _rewritten_mode(
    task: Task, lowered: Lowered, example: Mapping[str, Array], axes: Mapping[str, int | None]
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
    outputs = [o.name for o in task.proto.graph.output]
    source = runtime.session(task.proto, where=task.where, asked=["CPUExecutionProvider"])
    try:
        own = runtime.run(source, outputs, feed, where=task.where)
    except ModelError:
        return "fixed"
    opened = runtime.session(lowered.proto, where=task.where, asked=["CPUExecutionProvider"])
    try:
        values = runtime.run(opened, outputs, feed, where=task.where)
    except ModelError:  # two rows make steps of another number than one
        raise SamplesMix from None
    spread = partial(spread_of, source, task.proto, feed, task.where)
    known, got = (dict(zip(outputs, made, strict=True)) for made in (own, values))
    if disagreement(known, got, spread if _approximate(task, lowered) else None):
        raise SamplesMix
    return "open"


def _approximate(task: Task, lowered: Lowered) -> bool:
    """Whether the file's own outputs are known up to the rounding of 8 or 16 bits only."""
    return lowered.differs or any("Quantize" in n.op_type for n in task.proto.graph.node)


def tensor_names(graph: Graph, asked: Sequence[str], where: str) -> list[str]:
    """Tensors by name or by regular expression ("re:...").

    Raises
    ------
    InputError
        A name or expression fits no tensor; near names are listed.
    """
    made = (v for n in graph.nodes for v in n.outputs if v)
    known = list(dict.fromkeys([*graph.constants, *graph.inputs, *made]))
    found: list[str] = []
    for pattern in asked:
        if pattern.startswith("re:"):
            try:
                fits = [n for n in known if re.fullmatch(pattern[3:], n)]
            except re.error as e:
                raise InputError(f"{pattern!r} is no regular expression ({e})") from None
        else:
            fits = [n for n in known if n == pattern]
        if not fits:
            near = difflib.get_close_matches(pattern, known, 3)
            raise InputError(
                f"{where}: no tensor {pattern!r}" + (f"; near: {', '.join(near)}" if near else "")
            )
        found += fits
    return list(dict.fromkeys(found))


def _on_path(analysis: Analysis, task: Task, target: str, names: Sequence[str]) -> list[str]:
    """Of tensors that an expression fitted, those that relevance reaches; all that were named outright."""
    leaves = [n for n in names if analysis.is_constant(n)]
    _, values = active_nodes(analysis, task.composite, target, leaves)
    return [n for n in names if n in task.at or n in values]
