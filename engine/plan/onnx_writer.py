"""The backward pass written as an ONNX graph of its own, beside the instrumented forward pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper

from ..analysis.probe import Probe
from ..file.runtime import numpy_dtype
from ..ops.base import Expr
from ..ops.onnx import Emitter, free_weights
from ..walk.walker import RecordedWalk
from .instrument import count_samples
from .numpy_runner import NumpyRunner
from .onnx_runner import REFERENCE, SEED

Array = np.ndarray[Any, Any]

# What the backward pass is written in.
_OPSET, _IR = 18, 8


class BackwardGraphs:
    """The backward pass as a graph, for any number of targets.

    Parameters
    ----------
    numpy : NumpyRunner
        What is written out.
    proto : onnx.ModelProto
        The model that it is of.
    probe : Probe
    feed : dict of str to ndarray
        An input with which shapes are found, where they take a run.
    axes : dict of str to (int or None)
        The axis of each input along which its rows lie.
    """

    def __init__(
        self,
        numpy: NumpyRunner,
        proto: onnx.ModelProto,
        probe: Probe,
        feed: Mapping[str, Array],
        axes: Mapping[str, int | None],
    ) -> None:
        self._recording, self._runtime, self._probe, self._axes = numpy.recording, numpy.runtime, probe, axes
        self._initialisers = list(proto.graph.initializer)
        self._shapes, self._shared, self._fetched = (
            numpy.shapes(feed),
            numpy.shared,
            numpy.instrumented.fetched,
        )
        ends = (*numpy.session.get_outputs(), *numpy.session.get_inputs())
        self._types = {v.name: numpy_dtype(v.type) for v in ends} | {SEED: numpy.recording.ops.dtype}

    def free(self) -> None:
        """Free the weights that sessions hold too: numpy cannot carry relevance back any more."""
        free_weights(self._recording.ops.record, {t.name for t in self._initialisers})

    def opened(self, targets: int) -> ort.InferenceSession:
        """A session of the graph for K targets."""
        return self._runtime.session(self.written(targets))

    def written(self, targets: int) -> onnx.ModelProto:
        """The graph for K targets.

        Raises
        ------
        NotImplementedError
            A step has no form in ONNX here.
        """
        model = onnx.ModelProto(ir_version=_IR, opset_import=[helper.make_opsetid("", _OPSET)])
        graph = model.graph
        graph.name = "relevance"
        graph.initializer.extend(self._initialisers)
        emitter = Emitter(
            model,
            self._probe.dtypes,
            self._recording.ops.dtype,
            targets=None if targets == 1 else targets,
            shapes=self._shapes,
            samples=count_samples(self._probe, self._axes),
            prefix="onnxplain/back/",
            shared=self._shared,
        )
        for index, name in self._fetched.items():
            emitter.given(index, name)
        for e in self._recording.ops.record:
            if e.op == "reference" and e.args[0].index in self._fetched:
                emitter.given(e.index, REFERENCE + self._fetched[e.args[0].index])
        for name, e in _outputs(self._recording).items():
            graph.node.append(helper.make_node("Identity", [emitter.name(e)], [name], name=name))
            graph.output.append(onnx.ValueInfoProto(name=name))
        read = {i for n in graph.node for i in n.input}
        weights = [t for t in graph.initializer if t.name in read]
        del graph.initializer[:]
        graph.initializer.extend(weights)
        made = {o for n in graph.node for o in n.output} | {t.name for t in weights} | {""}
        for name in sorted(read - made):
            dtype = self._types[name.removeprefix(REFERENCE)]
            kind = helper.np_dtype_to_tensor_dtype(dtype or self._recording.ops.dtype)
            graph.input.append(helper.make_tensor_value_info(name, kind, None))
        return model


def _outputs(recording: RecordedWalk) -> dict[str, Expr]:
    """What the graph gives, by name: multipliers, messages r, the ledger's entries, inner tensors."""
    messages = recording.messages.items()
    found = {f"m.{n}": m.m for n, m in messages if m.m is not None}
    found |= {f"r.{n}": m.r for n, m in messages if m.r is not None}
    found |= {f"entry.{i}": e.relevance for i, e in enumerate(recording.entries)}
    found |= {f"at.{n}": e for n, e in recording.at.items()}
    return found | {f"at_m.{n}": e for n, e in recording.at_multipliers.items()}
