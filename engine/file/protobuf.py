"""The protobuf itself: the graphs and nodes inside a graph, the names they read, a node's attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

Array = np.ndarray[Any, Any]

# What a Constant node can hold as numbers, and of what type that is where the attribute does not say.
_NUMBERS = (
    ("value", None),
    ("value_float", np.float32),
    ("value_floats", np.float32),
    ("value_int", np.int64),
    ("value_ints", np.int64),
)


def domain_of(node: onnx.NodeProto) -> str:
    """The node's domain, "" for ai.onnx."""
    return "" if node.domain == "ai.onnx" else str(node.domain)


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Graphs among a node's attributes."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def every_graph(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph and every graph inside it, each before those inside it."""
    stack = [graph]
    while stack:
        at = stack.pop()
        yield at
        stack.extend(reversed([inner for node in at.node for inner in subgraphs(node)]))


def every_node(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """All nodes, those of subgraphs included."""
    for inner in every_graph(graph):
        yield from inner.node


def own_names(graph: onnx.GraphProto) -> set[str]:
    """Names that a graph gives itself, those of its subgraphs not included."""
    names = {i.name for i in graph.input} | {t.name for t in graph.initializer}
    names |= {s.values.name for s in graph.sparse_initializer}
    return names | {o for node in graph.node for o in node.output if o}


def free(graph: onnx.GraphProto) -> set[str]:
    """Names that a graph, and those inside it, read from outside."""
    read = {i for node in graph.node for i in node.input if i} | {o.name for o in graph.output}
    for node in graph.node:
        for inner in subgraphs(node):
            read |= free(inner)
    return read - own_names(graph)


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """A node's attributes as Python values; text as str, tensors as arrays."""
    found: dict[str, Any] = {}
    for a in node.attribute:
        value = onnx.helper.get_attribute_value(a)
        if isinstance(value, bytes):
            value = value.decode()
        elif isinstance(value, onnx.TensorProto):
            value = numpy_helper.to_array(value)
        elif a.type == onnx.AttributeProto.STRINGS:
            value = [v.decode() for v in value]
        elif a.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS):
            value = list(value)
        found[a.name] = value
    return found


def constant_value(op_type: str, domain: str, given: Mapping[str, Any]) -> Array | None:
    """The value of a Constant node that holds numbers, by its attributes; None for all others."""
    if op_type != "Constant" or domain:
        return None
    return next((np.asarray(given[key], dtype) for key, dtype in _NUMBERS if key in given), None)
