"""A model's outputs in float64, by a runtime that shares nothing with the one under test.

onnxruntime has no double kernel for convolutions and recurrent layers. ONNX's own reference evaluator
computes in whatever type it is given; its windowed operators, which are loops in Python, are replaced by
torch's (float64_operators.py). Quantised layers are computed as the float layers that they stand for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
import torch
from float64_operators import OPERATORS
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

Array = np.ndarray[Any, Any]

_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16)


class Double:
    """A model in float64.

    Parameters
    ----------
    model : onnx.ModelProto
        With its weights; it is changed.
    output : str
        An output or an inner tensor.
    at : dict of str to str
        Inner tensor to the name of a new input that it is multiplied with.
    """

    def __init__(self, model: onnx.ModelProto, output: str, at: Mapping[str, str]) -> None:
        cast(model)
        _scale(model.graph, at)
        del model.graph.output[:]
        model.graph.output.append(helper.make_empty_tensor_value_info(output))
        _prune(model.graph)
        model.opset_import.append(helper.make_opsetid("onnxplain", 1))
        self._evaluator = ReferenceEvaluator(model, new_ops=OPERATORS)
        self._inputs = {i.name for i in model.graph.input}

    def __call__(self, feed: Mapping[str, Array]) -> Array:
        """The output for some inputs; floating ones in float64."""
        with np.errstate(all="ignore"), torch.no_grad():
            made = self._evaluator.run(None, {n: v for n, v in feed.items() if n in self._inputs})
        return np.asarray(made[0])


def cast(model: onnx.ModelProto) -> None:
    """Turn every floating constant, cast and input into float64."""
    for graph in (model.graph, *model.functions):
        for part in _graphs(graph):
            if isinstance(part, onnx.GraphProto):
                for tensor in part.initializer:
                    _widen(tensor)
                for value in (*part.input, *part.output):
                    kind = value.type.tensor_type
                    if kind.elem_type in _FLOATS:
                        kind.elem_type = TensorProto.DOUBLE
                del part.value_info[:]
            for node in part.node:
                for attribute in node.attribute:
                    if attribute.HasField("t"):
                        _widen(attribute.t)
                    if attribute.name in ("to", "dtype") and attribute.i in _FLOATS:
                        attribute.i = TensorProto.DOUBLE
                if node.op_type == "ConstantOfShape" and not node.attribute:
                    zero = numpy_helper.from_array(np.zeros(1))
                    node.attribute.append(helper.make_attribute("value", zero))
                if node.op_type == "Constant":
                    _constant(node)


def _constant(node: onnx.NodeProto) -> None:
    for attribute in list(node.attribute):
        if attribute.name in ("value_float", "value_floats"):
            value = np.asarray(helper.get_attribute_value(attribute), np.float64)
            node.attribute.remove(attribute)
            node.attribute.append(helper.make_attribute("value", numpy_helper.from_array(value)))


def _graphs(graph: Any) -> Iterator[Any]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _graphs(attribute.g)


def _widen(tensor: TensorProto) -> None:
    if tensor.data_type in _FLOATS:
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), name))


def _scale(graph: onnx.GraphProto, at: Mapping[str, str]) -> None:
    """Multiply each of some inner tensors with a new input, right where it is made."""
    nodes = []
    for node in graph.node:
        nodes.append(node)
        for i, name in enumerate(node.output):
            if name in at:
                node.output[i] = f"{name}/before"
                nodes.append(
                    helper.make_node("Scale", [f"{name}/before", at[name]], [name], domain="onnxplain")
                )
    del graph.node[:]
    graph.node.extend(nodes)
    for name in at.values():
        graph.input.append(helper.make_tensor_value_info(name, TensorProto.DOUBLE, None))


def _prune(graph: onnx.GraphProto) -> None:
    """Leave out what the output does not need: it may be slow, or unknown to the evaluator."""
    needed = {o.name for o in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            kept.append(node)
            for part in _graphs(onnx.GraphProto(node=[node])):
                needed.update(v for n in part.node for v in n.input)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    inputs = [i for i in graph.input if i.name in needed]
    del graph.input[:]
    graph.input.extend(inputs)
