"""A model that gives what the backward pass reads, beside its own outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import onnx

from ..analysis.probe import Probe
from ..ops import onnx_moves, onnx_windows  # noqa: F401 (they register what they write)
from ..ops.base import Expr
from ..ops.onnx import Emitter
from ..ops.onnx_gelu import share_gates
from ..walk.walker import RecordedWalk


@dataclass
class Instrumented:
    """The instrumented model.

    Attributes
    ----------
    model : onnx.ModelProto
    outputs : list of str
        The model's own.
    names : list of str
        All that a run is asked for.
    fetched : dict of int to str
        Values of the forward pass that the backward pass reads: index in the recording -> tensor.
    """

    model: onnx.ModelProto
    outputs: list[str]
    names: list[str]
    fetched: dict[int, str]

    def free(self) -> None:
        """Free the model, which a session holds too. Reading it afterwards raises AttributeError."""
        del self.model


def instrument(
    proto: onnx.ModelProto,
    probe: Probe,
    recording: RecordedWalk,
    axes: Mapping[str, int | None],
    extra: Sequence[str] = (),
) -> Instrumented:
    """Make a copy of a model with more outputs.

    Parameters
    ----------
    proto : onnx.ModelProto
    probe : Probe
    recording : RecordedWalk
    axes : dict of str to (int or None)
        The axis of each input along which its rows lie.
    extra : sequence of str
        Tensors to give beside what the rules read.
    """
    model = onnx.ModelProto()
    model.CopyFrom(proto)
    inputs = {i.name for i in model.graph.input} - {t.name for t in model.graph.initializer}
    outputs = [o.name for o in proto.graph.output]
    dtype = recording.ops.dtype
    emitter = Emitter(model, probe.dtypes, dtype, samples=count_samples(probe, axes))
    fetched: dict[int, str] = {}
    for expr in needed(recording):
        for arg in expr.args:
            if arg.kind == "forward":
                fetched[arg.index] = emitter.fetch(arg, inputs.__contains__)
    wanted = dict.fromkeys([recording.target, *fetched.values(), *extra])
    fetch = [n for n in wanted if n not in inputs]
    there = {o.name for o in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in fetch if n not in there)
    share_gates(model.graph, dtype)
    return Instrumented(model, outputs, list(dict.fromkeys([*outputs, *fetch])), fetched)


def count_samples(probe: Probe, axes: Mapping[str, int | None]) -> Callable[[Emitter], str]:
    """What writes the number of samples into a graph."""

    def samples(e: Emitter) -> str:
        if probe.mode != "open":
            return e.ints([probe.batch])
        name, axis = next((n, a) for n, a in axes.items() if a is not None)
        if e.opset >= 15:
            size = e.node("Shape", [name], start=axis, end=axis + 1)
        else:
            size = e.node("Gather", [e.node("Shape", [name]), e.ints([axis])], axis=0)
        return size if probe.rows == 1 else e.node("Div", [size, e.ints([probe.rows])])

    return samples


def results(recording: RecordedWalk) -> Iterable[Expr]:
    """What a backward pass is asked for."""
    for message in recording.messages.values():
        yield from (e for e in (message.m, message.r) if e is not None)
    for entry in recording.entries:
        yield entry.relevance
    yield from recording.at.values()
    yield from recording.at_multipliers.values()


def needed(recording: RecordedWalk) -> list[Expr]:
    """The part of a recording that a result needs, in order: all but the forward values it is made of."""
    wanted = {e.index for e in results(recording)}
    for expr in reversed(recording.ops.record):
        if expr.index in wanted and expr.kind in ("paired", "backward"):
            wanted.update(a.index for a in expr.args)
    return [e for e in recording.ops.record if e.index in wanted and e.kind != "forward"]
