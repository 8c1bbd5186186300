"""The way back as an ONNX graph of its own, beside the instrumented forward pass.

Two graphs instead of one: the explained class is known only when the model has spoken, and a second forward
pass would cost as much as the way back. Activations go from one to the other as onnxruntime's own
values, without a copy, on the device where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper

from . import runtime
from .ops.onnx import Emitter
from .plan import SEED, Plan, Result, counting
from .probe import Probe
from .walk import Trace

Array = np.ndarray[Any, Any]

# What the way back is written in.
_OPSET, _IR = 18, 8


class Values(Mapping[str, Any]):
    """Values of a forward pass: onnxruntime's own, as arrays where they are asked for.

    Parameters
    ----------
    feed : dict of str to ndarray
    made : dict of str to OrtValue
    other : callable
        Gives a value by name that is no tensor.
    """

    def __init__(
        self, feed: Mapping[str, Array], made: Mapping[str, ort.OrtValue], other: Callable[[str], Any]
    ) -> None:
        self._arrays: dict[str, Any] = dict(feed)
        self._made, self._other = made, other

    def __getitem__(self, name: str) -> Any:
        if name not in self._arrays:
            value = self._made[name]
            self._arrays[name] = value.numpy() if value.is_tensor() else self._other(name)
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays.keys() | self._made.keys())

    def __len__(self) -> int:
        return len(self._arrays.keys() | self._made.keys())

    def own(self, name: str) -> ort.OrtValue:
        """A value as onnxruntime has it."""
        if name in self._made:
            return self._made[name]
        return ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(self._arrays[name]))


class OnnxPlan(Plan):
    """A plan whose way back onnxruntime runs too.

    Takes what `Plan` does, and an input with which the shapes on the way back are found.
    """

    def __init__(
        self, proto: onnx.ModelProto, probe: Probe, trace: Trace, *, feed: Mapping[str, Array], **options: Any
    ) -> None:
        super().__init__(proto, probe, trace, **options)
        self._probe, self._options = probe, options
        self._initialisers = list(proto.graph.initializer)
        self._shapes = self.shapes(feed)
        self._backward: dict[int, ort.InferenceSession] = {}
        self._session_for(1)  # what cannot be written shows at once

    def forward(self, feed: Mapping[str, Array]) -> Values:  # type: ignore[override]
        """Run the model."""
        names = list(dict.fromkeys([*self.outputs, *self.fetch]))

        def other(name: str) -> Any:
            return runtime.run(self._session, [name], feed, where=self.where)[0]

        return Values(feed, runtime.run_values(self._session, names, feed, where=self.where), other)

    def backward(
        self,
        values: Mapping[str, Any],
        seed: Array,
        batch: int,
        shapes: dict[int, tuple[int, ...]] | None = None,
    ) -> Result:
        """Carry `seed`, [K, *shape of the explained tensor], back to the inputs."""
        assert isinstance(values, Values)
        opened = self._session_for(len(seed))
        given = np.ascontiguousarray(seed if len(seed) > 1 else seed[0], self.trace.ops.dtype)
        feed = {SEED: ort.OrtValue.ortvalue_from_numpy(given)}
        for i in opened.get_inputs():
            if i.name != SEED:
                feed[i.name] = values.own(i.name)
        names = [o.name for o in opened.get_outputs()]
        made = runtime.run_values(opened, names, feed, where=self.where)
        arrays = {n: v.numpy() for n, v in made.items()}
        if len(seed) == 1:
            arrays = {n: a[None] for n, a in arrays.items()}
        trace = self.trace
        return Result(
            {n: arrays[f"m.{n}"] for n, m in trace.messages.items() if m.m is not None},
            {n: arrays[f"r.{n}"] for n, m in trace.messages.items() if m.r is not None},
            [arrays[f"entry.{i}"] for i in range(len(trace.entries))],
            {n: arrays[f"at.{n}"] for n in trace.at},
        )

    def _session_for(self, targets: int) -> ort.InferenceSession:
        if targets not in self._backward:
            made = self._written(None if targets == 1 else targets)
            self._backward[targets] = runtime.session(
                made,
                where=self.where,
                asked=self._options.get("providers"),
                threads=self._options.get("threads"),
            )
        return self._backward[targets]

    def _written(self, targets: int | None) -> onnx.ModelProto:
        trace, dtype = self.trace, self.trace.ops.dtype
        model = onnx.ModelProto(ir_version=_IR, opset_import=[helper.make_opsetid("", _OPSET)])
        graph = model.graph
        graph.name = "relevance"
        graph.initializer.extend(self._initialisers)
        emitter = Emitter(
            model,
            self._probe.dtypes,
            dtype,
            targets=targets,
            shapes=self._shapes,
            samples=counting(self._probe, self._options["axes"]),
            prefix="onnxplain/back/",
            shared=self.shared,
        )
        for index, name in self._fetched.items():
            emitter.given(index, name)
        wanted = {f"m.{n}": m.m for n, m in trace.messages.items() if m.m is not None}
        wanted |= {f"r.{n}": m.r for n, m in trace.messages.items() if m.r is not None}
        wanted |= {f"entry.{i}": e.relevance for i, e in enumerate(trace.entries)}
        wanted |= {f"at.{n}": e for n, e in trace.at.items()}
        for name, e in wanted.items():
            graph.node.append(helper.make_node("Identity", [emitter.name(e)], [name], name=name))
            graph.output.append(onnx.ValueInfoProto(name=name))
        read = {i for n in graph.node for i in n.input}
        weights = [t for t in graph.initializer if t.name in read]
        del graph.initializer[:]
        graph.initializer.extend(weights)
        known = {o for n in graph.node for o in n.output} | {t.name for t in weights}
        known |= {""}
        types = {v.name: runtime.numpy_dtype(v.type) for v in self._session.get_outputs()}
        types |= {v.name: runtime.numpy_dtype(v.type) for v in self._session.get_inputs()}
        types[SEED] = dtype
        for name in sorted(read - known):
            kind = helper.np_dtype_to_tensor_dtype(types[name] or dtype)
            graph.input.append(helper.make_tensor_value_info(name, kind, None))
        return model
