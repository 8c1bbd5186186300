"""Half precision run in float32.

A processor without half-precision units computes in float32 and rounds after every operator. Those roundings
have no place in an account of relevance that closes to 1e-5, so the model is run as float32 throughout;
its inputs and outputs keep their types.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..file.protobuf import every_graph

_HALF = frozenset({TensorProto.FLOAT16, TensorProto.BFLOAT16})


def widen(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model in float32, or the very same where nothing is in half precision.

    Parameters
    ----------
    proto : onnx.ModelProto
        Local functions inlined. It is not changed.
    """
    if not any_half(proto):
        return proto
    wide = onnx.ModelProto()
    wide.CopyFrom(proto)
    for graph in every_graph(wide.graph):
        _widen_graph(graph)
    _keep_types(wide.graph, proto.graph)
    return wide


def any_half(proto: onnx.ModelProto) -> bool:
    """Whether anything in the model is in half precision."""
    return any(_has_half(g) for g in every_graph(proto.graph))


def _has_half(graph: onnx.GraphProto) -> bool:
    types = {v.type.tensor_type.elem_type for v in (*graph.input, *graph.output)}
    types |= {t.data_type for t in graph.initializer}
    for node in graph.node:
        for a in node.attribute:
            if a.HasField("t"):
                types.add(a.t.data_type)
            if node.op_type == "Cast" and a.name == "to":
                types.add(a.i)
    return bool(types & _HALF)


def _widen_graph(graph: onnx.GraphProto) -> None:
    del graph.value_info[:]
    for tensor in graph.initializer:
        _widen_tensor(tensor)
    for value in (*graph.input, *graph.output):
        if value.type.tensor_type.elem_type in _HALF:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    for node in graph.node:
        for a in node.attribute:
            if a.HasField("t"):
                _widen_tensor(a.t)
            for tensor in a.tensors:
                _widen_tensor(tensor)
            if a.name in ("to", "dtype", "output_dtype") and a.i in _HALF:
                a.i = TensorProto.FLOAT


def _widen_tensor(tensor: TensorProto) -> None:
    if tensor.data_type in _HALF:
        wide = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(wide, tensor.name))


def _keep_types(graph: onnx.GraphProto, source: onnx.GraphProto) -> None:
    """Casts at the model's own inputs and outputs, which stay in half precision."""
    initialisers = {t.name for t in graph.initializer}
    before, after, renamed = [], [], {}
    for value, old in zip(graph.input, source.input, strict=True):
        kind = old.type.tensor_type.elem_type
        if kind in _HALF and value.name not in initialisers:
            value.type.tensor_type.elem_type = kind
            renamed[value.name] = f"{value.name}/float32"
            before.append(
                helper.make_node(
                    "Cast", [value.name], [renamed[value.name]], renamed[value.name], to=TensorProto.FLOAT
                )
            )
    for value, old in zip(graph.output, source.output, strict=True):
        kind = old.type.tensor_type.elem_type
        if kind in _HALF:
            value.type.tensor_type.elem_type = kind
            renamed[value.name] = f"{value.name}/float32"
            after.append(
                helper.make_node("Cast", [renamed[value.name]], [value.name], f"{value.name}/half", to=kind)
            )
    for inner in every_graph(graph):
        for node in inner.node:
            for names in (node.input, node.output):
                for i, name in enumerate(names):
                    names[i] = renamed.get(name, name)
        if inner is not graph:
            for value in inner.output:
                value.name = renamed.get(value.name, value.name)
    nodes = [*before, *graph.node, *after]
    kept = [onnx.NodeProto.FromString(n.SerializeToString()) for n in nodes]
    del graph.node[:]
    graph.node.extend(kept)
