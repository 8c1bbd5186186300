"""A recorded walk made ready to run: onnxruntime does the forward part, numpy the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import onnx

from ..analysis.probe import Probe
from ..analysis.shapes import Batch, Shape
from ..file import runtime
from ..ops import numpy as kernels
from ..ops import onnx_moves, onnx_windows  # noqa: F401 (they register what they write)
from ..ops.base import Array, Expr
from ..ops.onnx import Emitter
from ..ops.onnx_gelu import share_gates
from ..ops.shape_inference import Unknown, shapes_of
from ..walk.walker import Trace
from .inputs import rows_like
from .onnx_runner import Result


def counting(probe: Probe, axes: Mapping[str, int | None]) -> Callable[[Emitter], str]:
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


class Plan:
    """One model, target and composite, ready to explain any number of batches.

    Parameters
    ----------
    proto : onnx.ModelProto
        The model; a copy with more outputs is made.
    probe : Probe
    trace : Trace
    where : str
        The file, for messages.
    providers, threads
        For onnxruntime.
    axes : dict of str to (int or None)
        The axis of each input along which its rows lie.
    extra : sequence of str
        Tensors to give beside what the rules read.
    """

    def __init__(
        self,
        proto: onnx.ModelProto,
        probe: Probe,
        trace: Trace,
        *,
        where: str,
        providers: Sequence[str] | None = None,
        threads: int | None = None,
        axes: Mapping[str, int | None],
        extra: Sequence[str] = (),
    ) -> None:
        self.trace, self.where = trace, where
        self._mode, self._rows, self._samples, self._axes = probe.mode, probe.rows, probe.batch, axes
        self._known = probe.shapes
        self._steps = _live(trace)
        model = onnx.ModelProto()
        model.CopyFrom(proto)
        initialisers = {t.name for t in model.graph.initializer}
        inputs = {i.name for i in model.graph.input} - initialisers
        self.outputs = [o.name for o in proto.graph.output]
        emitter = Emitter(model, probe.dtypes, trace.ops.dtype, samples=counting(probe, axes))
        is_input = inputs.__contains__
        self.fetched: dict[int, str] = {}
        for expr in self._steps:
            for arg in expr.args:
                if expr.kind == "backward" and arg.kind == "forward":
                    self.fetched[arg.index] = emitter.fetch(arg, is_input)
        self.fetch = [n for n in dict.fromkeys([trace.target, *self.fetched.values()]) if n not in inputs]
        self.fetch += [n for n in extra if n not in self.fetch and n not in inputs]
        there = {o.name for o in model.graph.output}
        model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in self.fetch if n not in there)
        share_gates(model.graph, trace.ops.dtype)
        self.names = list(dict.fromkeys([*self.outputs, *self.fetch]))
        self.model = model
        self.session = runtime.session(model, where=where, asked=providers, threads=threads)

    def free(self) -> None:
        """Free the instrumented model, which its session holds too. Reading it afterwards raises."""
        del self.model

    def close(self) -> None:
        """Free the session too: what is known of the plan stays, and running it raises."""
        self.free()
        del self.session

    def forward(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        """Run the model: its outputs, the explained tensor, and what the rules read."""
        values = runtime.run(self.session, self.names, feed, where=self.where)
        return {**feed, **dict(zip(self.names, values, strict=True))}

    def backward(
        self,
        values: Mapping[str, Array],
        seed: Array,
        batch: int,
        shapes: dict[int, tuple[int, ...]] | None = None,
    ) -> Result:
        """Carry `seed`, [K, *shape of the explained tensor], back to the inputs.

        `shapes` is filled with those of all backward values, without K.
        """
        known: dict[int, Array] = {i: values[name] for i, name in self.fetched.items()}
        uses = self._uses.copy()
        contexts = (kernels.Context(batch, 0), kernels.Context(batch, 1))
        wanted = self._wanted
        kept: dict[int, Array] = {}
        with np.errstate(all="ignore"):
            for expr in self._steps:
                if expr.op == "seed":
                    known[expr.index] = seed.astype(self.trace.ops.dtype)
                elif expr.op == "const":
                    known[expr.index] = expr.attrs["array"]
                elif expr.kind == "backward":
                    args = [known[a.index] for a in expr.args]
                    known[expr.index] = kernels.run(
                        expr.op, args, expr.attrs, contexts[expr.args[0].kind == "backward"]
                    )
                    for a in expr.args:
                        uses[a.index] -= 1
                        if not uses[a.index]:
                            del known[a.index]  # the last reader has read it
                if shapes is not None and (expr.kind == "backward" or expr.op == "seed"):
                    shapes[expr.index] = known[expr.index].shape[1:]
                if expr.index in wanted:
                    kept[expr.index] = known[expr.index]
        messages = self.trace.messages.items()
        return Result(
            {n: kept[m.m.index] for n, m in messages if m.m is not None},
            {n: kept[m.r.index] for n, m in messages if m.r is not None},
            [kept[e.relevance.index] for e in self.trace.entries],
            {n: kept[e.index] for n, e in self.trace.at.items()},
        )

    def shapes(self, feed: Mapping[str, Array]) -> dict[int, Shape]:
        """Shapes of all recorded values, with the batch in them; `feed` is used where it takes a run."""
        try:
            return shapes_of(self.trace.ops.record, self._known, self._known[self.trace.target])
        except Unknown:
            return self.measured(feed)

    def measured(self, feed: Mapping[str, Array]) -> dict[int, Shape]:
        """Shapes of all backward values, with the batch in them: found by carrying a seed back.

        Parameters
        ----------
        feed : dict of str to ndarray
            An input of the shape that the plan is for.
        """

        def at(samples: int, rows: Mapping[str, Array]) -> dict[int, tuple[int, ...]]:
            values = self.forward(rows)
            found: dict[int, tuple[int, ...]] = {}
            seed = np.ones((1, *values[self.trace.target].shape))
            self.backward(values, seed, samples, found)
            return found

        if self._mode != "open":
            return {i: tuple(s) for i, s in at(self._samples, feed).items()}
        two, three = (at(n, rows_like(feed, self._axes, n * self._rows)) for n in (2, 3))
        return {
            i: tuple(m if m == n else Batch(n - m, m - 2 * (n - m)) for m, n in zip(s, three[i], strict=True))
            for i, s in two.items()
        }

    @property
    def shared(self) -> set[int]:
        """Backward values that several others read, by index."""
        uses = self._uses
        return {e.index for e in self._steps if e.kind == "backward" and uses.get(e.index, 0) > 1}

    @property
    def _wanted(self) -> set[int]:
        return {e.index for e in _results(self.trace)}

    @property
    def _uses(self) -> dict[int, int]:
        """How often each value is read, so that it can be let go after the last time."""
        count: dict[int, int] = {}
        for expr in self._steps:
            if expr.kind == "backward":
                for a in expr.args:
                    count[a.index] = count.get(a.index, 0) + 1
        return count


def _results(trace: Trace) -> Iterable[Expr]:
    for message in trace.messages.values():
        yield from (e for e in (message.m, message.r) if e is not None)
    for entry in trace.entries:
        yield entry.relevance
    yield from trace.at.values()


def _live(trace: Trace) -> list[Expr]:
    """The part of the record that a result needs, in order: backward values and constants they read."""
    needed = {e.index for e in _results(trace)}
    for expr in reversed(trace.ops.record):
        if expr.index in needed and expr.kind == "backward":
            needed.update(a.index for a in expr.args)
    return [e for e in trace.ops.record if e.index in needed and e.kind != "forward"]
