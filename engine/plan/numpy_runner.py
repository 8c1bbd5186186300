"""onnxruntime runs the model forward, numpy carries relevance back."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import onnxruntime as ort

from ..analysis.probe import Probe
from ..analysis.shapes import Batch, Shape
from ..file.runtime import Runtime
from ..ops import numpy as kernels
from ..ops.base import Array, Expr
from ..ops.shape_inference import Unknown, shapes_of
from ..walk.walker import RecordedWalk
from .instrument import Instrumented, needed, results
from .runner import Result, check_alike


class NumpyRunner:
    """Carries out a recording, step by step.

    Parameters
    ----------
    instrumented : Instrumented
    recording : RecordedWalk
    probe : Probe
    runtime : Runtime
    axes : dict of str to (int or None)
        The axis of each input along which its rows lie.
    """

    def __init__(
        self,
        instrumented: Instrumented,
        recording: RecordedWalk,
        probe: Probe,
        runtime: Runtime,
        axes: Mapping[str, int | None],
    ) -> None:
        self.instrumented, self.recording, self.runtime = instrumented, recording, runtime
        self._probe, self._axes = probe, axes
        self._steps = needed(recording)
        self._wanted = {e.index for e in results(recording)}
        self._uses = _readers(self._steps)
        self.session: ort.InferenceSession = runtime.session(instrumented.model)

    def close(self) -> None:
        """Free the session and its model: what is known stays, and running it raises AttributeError."""
        self.instrumented.free()
        del self.session

    def forward(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        """Run the model: its outputs, the explained tensor, and what the rules read."""
        names = self.instrumented.names
        return {**feed, **dict(zip(names, self.runtime.run(self.session, names, feed), strict=True))}

    def size(self, values: Mapping[str, Array]) -> int:
        """Bytes that the values of a forward pass take."""
        return sum(np.asarray(v).nbytes for v in values.values())

    def backward(
        self,
        values: Mapping[str, Array],
        seed: Array,
        batch: int,
        reference: Mapping[str, Array] | None = None,
        shapes: dict[int, tuple[int, ...]] | None = None,
        watch: Callable[[str, Array], None] | None = None,
    ) -> Result:
        """Carry `seed`, [K, *shape of the explained tensor], back to the inputs.

        `shapes` is filled with those of all paired and backward values, without K. `watch` is called with
        each backward value, and the node whose rule made it.
        """
        recording, fetched = self.recording, self.instrumented.fetched
        known: dict[int, Array] = {i: values[name] for i, name in fetched.items()}
        uses = self._uses.copy()
        contexts = (kernels.Context(batch, 0), kernels.Context(batch, 1))
        kept: dict[int, Array] = {}
        with np.errstate(all="ignore"):
            for expr in self._steps:
                if expr.op == "seed":
                    known[expr.index] = seed.astype(recording.ops.dtype)
                elif expr.op == "const":
                    known[expr.index] = expr.attrs["array"]
                elif expr.op == "reference":
                    assert reference is not None
                    name = fetched[expr.args[0].index]
                    known[expr.index] = reference[name]
                    check_alike(self.runtime.where, name, values[name].shape, reference[name].shape)
                else:
                    args = [known[a.index] for a in expr.args]
                    known[expr.index] = kernels.run(
                        expr.op, args, expr.attrs, contexts[expr.args[0].kind == "backward"]
                    )
                    for a in expr.args:
                        uses[a.index] -= 1
                        if not uses[a.index]:
                            del known[a.index]  # the last reader has read it
                if watch is not None and expr.kind == "backward":
                    watch(recording.ops.nodes[expr.index], known[expr.index])
                if shapes is not None and expr.op != "const":
                    lead = int(expr.kind == "backward")
                    shapes[expr.index] = known[expr.index].shape[lead:]
                if expr.index in self._wanted:
                    kept[expr.index] = known[expr.index]
        messages = recording.messages.items()
        return Result(
            {n: kept[m.m.index] for n, m in messages if m.m is not None},
            {n: kept[m.r.index] for n, m in messages if m.r is not None},
            [kept[e.relevance.index] for e in recording.entries],
            {n: kept[e.index] for n, e in recording.at.items()},
            {n: kept[e.index] for n, e in recording.at_multipliers.items()},
        )

    def shapes(self, feed: Mapping[str, Array]) -> dict[int, Shape]:
        """Shapes of all recorded values, with the batch in them; `feed` is used where it takes a run."""
        known, target = self._probe.shapes, self.recording.target
        try:
            return shapes_of(self.recording.ops.record, known, known[target])
        except Unknown:
            return self.measured_shapes(feed)

    def measured_shapes(self, feed: Mapping[str, Array]) -> dict[int, Shape]:
        """Shapes of all paired and backward values, with the batch in them: found by carrying a seed back.

        Parameters
        ----------
        feed : dict of str to ndarray
            An input of the shape that the plan is for.
        """

        def at(samples: int, rows: Mapping[str, Array]) -> dict[int, tuple[int, ...]]:
            values = self.forward(rows)
            found: dict[int, tuple[int, ...]] = {}
            seed = np.ones((1, *values[self.recording.target].shape))
            self.backward(values, seed, samples, values, found)
            return found

        if self._probe.mode != "open":
            return {i: tuple(s) for i, s in at(self._probe.batch, feed).items()}
        two, three = (at(n, _repeated(feed, self._axes, n * self._probe.rows)) for n in (2, 3))
        return {
            i: tuple(m if m == n else Batch(n - m, m - 2 * (n - m)) for m, n in zip(s, three[i], strict=True))
            for i, s in two.items()
        }

    @property
    def shared(self) -> set[int]:
        """Backward values that several others read, by index."""
        return {e.index for e in self._steps if e.kind == "backward" and self._uses.get(e.index, 0) > 1}


def _readers(steps: list[Expr]) -> dict[int, int]:
    """How often each value is read, so that it can be freed after the last time."""
    count: dict[int, int] = {}
    for expr in steps:
        if expr.op != "reference":
            for a in expr.args:
                count[a.index] = count.get(a.index, 0) + 1
    return count


def _repeated(feed: Mapping[str, Array], axes: Mapping[str, int | None], rows: int) -> dict[str, Array]:
    """The feed's rows, repeated or cut to some number."""
    return {
        n: x if (axis := axes[n]) is None else np.take(x, np.arange(rows) % x.shape[axis], axis=axis)
        for n, x in feed.items()
    }
