"""The way back written as an ONNX graph of its own, beside the instrumented forward pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper

from ..analysis.probe import Probe
from ..file import runtime
from ..ops.onnx import Emitter, free_weights
from ..walk.walker import Trace
from .facts import Facts
from .numpy_runner import Plan, counting
from .onnx_runner import SEED, Sessions

Array = np.ndarray[Any, Any]

# What the way back is written in.
_OPSET, _IR = 18, 8


class Written(Sessions):
    """A plan written out.

    Parameters
    ----------
    plan : Plan
    proto : onnx.ModelProto
        The model that the plan is of.
    probe : Probe
    trace : Trace
    facts : Facts
    feed : dict of str to ndarray
        An input with which shapes are found, where they take a run.
    axes : dict of str to (int or None)
        The axis of each input along which its rows lie.
    providers, threads
        For onnxruntime.

    Raises
    ------
    NotImplementedError
        A step has no form in ONNX here.
    """

    def __init__(
        self,
        plan: Plan,
        proto: onnx.ModelProto,
        probe: Probe,
        trace: Trace,
        facts: Facts,
        *,
        feed: Mapping[str, Array],
        axes: Mapping[str, int | None],
        providers: Any = None,
        threads: int | None = None,
    ) -> None:
        super().__init__(facts, plan.session, plan.names, self.opened, plan.where)
        self.plan, self._probe, self._trace, self._axes = plan, probe, trace, axes
        self._providers, self._threads = providers, threads
        self._initialisers = list(proto.graph.initializer)
        self._shapes = plan.shapes(feed)
        self._sessions: dict[int, ort.InferenceSession] = {}
        self.opened(1)  # what cannot be written shows at once

    def free(self) -> None:
        """Free what the sessions hold too: weights, and what numpy would carry relevance back with."""
        self.plan.free()
        free_weights(self._trace.ops.record, {t.name for t in self._initialisers})

    def opened(self, targets: int) -> ort.InferenceSession:
        """The session back for K targets."""
        if targets not in self._sessions:
            self._sessions[targets] = runtime.session(
                self.written(targets), where=self.where, asked=self._providers, threads=self._threads
            )
        return self._sessions[targets]

    def written(self, targets: int) -> onnx.ModelProto:
        """The graph of the way back for K targets."""
        trace, dtype = self._trace, self._trace.ops.dtype
        model = onnx.ModelProto(ir_version=_IR, opset_import=[helper.make_opsetid("", _OPSET)])
        graph = model.graph
        graph.name = "relevance"
        graph.initializer.extend(self._initialisers)
        emitter = Emitter(
            model,
            self._probe.dtypes,
            dtype,
            targets=None if targets == 1 else targets,
            shapes=self._shapes,
            samples=counting(self._probe, self._axes),
            prefix="onnxplain/back/",
            shared=self.plan.shared,
        )
        for index, name in self.plan.fetched.items():
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
        made = {o for n in graph.node for o in n.output} | {t.name for t in weights} | {""}
        ends = (*self.plan.session.get_outputs(), *self.plan.session.get_inputs())
        types = {v.name: runtime.numpy_dtype(v.type) for v in ends} | {SEED: dtype}
        for name in sorted(read - made):
            kind = helper.np_dtype_to_tensor_dtype(types[name] or dtype)
            graph.input.append(helper.make_tensor_value_info(name, kind, None))
        return model
