"""Operators that the standard defines by others, where there is no rule for them: their definition."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import onnx
from onnx import defs, helper

from ..file.graph import Node
from ..file.protobuf import Array, domain_of, subgraphs
from ..rules import registry
from .emit import Emit, apply
from .inline import inline
from .workspace import Workspace

# Not of signals, or of sequences.
LEFT = frozenset(
    {
        "Bernoulli", "BlackmanWindow", "CastLike", "DynamicQuantizeLinear", "GreaterOrEqual", "HammingWindow",
        "HannWindow", "LessOrEqual", "Range", "SequenceMap",
    }
)  # fmt: skip


def run(work: Workspace) -> bool:
    """Write out every such operator; whether there were any."""
    found = {i: node for i, node in enumerate(work.nodes) if _wanted(work, node)}
    if not found:
        return False
    values = work.observe(v for node in found.values() for v in node.input if v)
    made: dict[int, Emit] = {}
    for i, node in found.items():
        function = _definition(work, node, [values[v] if v else None for v in node.input])
        if function is None:
            continue
        emit = made[i] = Emit(work, node)
        given = dict.fromkeys(function.input, "")
        given |= dict(zip(function.input, node.input, strict=False))
        body = onnx.GraphProto(node=function.node)
        _fill(body, _attributes(work, function, node))
        known = inline(emit, body, given, emit.prefix)
        emit.give({o: known[f] for o, f in zip(node.output, function.output, strict=False) if o})
    apply(work, made)
    return bool(made)


def _wanted(work: Workspace, node: onnx.NodeProto) -> bool:
    if domain_of(node) or node.op_type in LEFT or not any(work.varies(v) for v in node.input):
        return False
    try:
        schema: Any = defs.get_schema(node.op_type, work.version(), "")
    except defs.SchemaError:
        return False
    if not (schema.has_function or schema.has_context_dependent_function):
        return False
    as_node = Node(node.name, "", node.op_type, work.version(), tuple(node.input), tuple(node.output))
    return registry.find(as_node) is None


def _definition(
    work: Workspace, node: onnx.NodeProto, values: list[Array | None]
) -> onnx.FunctionProto | None:
    """The function of the newest version that the model's opset knows."""
    schema: Any = defs.get_schema(node.op_type, work.version(), "")
    function = onnx.FunctionProto()
    if schema.has_function:
        fit = [v for v in schema.function_opset_versions if v <= work.version()]
        if not fit:
            return None
        function.ParseFromString(schema.get_function_with_opset_version(max(fit)))
        return function
    fit = [v for v in schema.context_dependent_function_opset_versions if v <= work.version()]
    if not fit:
        return None
    # What is made from ranks alone serves every batch.
    for known in (False, True):
        types = [_type(value, known).SerializeToString() for value in values]
        made = schema.get_context_dependent_function_with_opset_version(
            max(fit), node.SerializeToString(), types
        )
        if made:
            function.ParseFromString(made)
            if function.node:
                return function
    return None


def _type(value: Array | None, known: bool) -> onnx.TypeProto:
    if value is None:
        return onnx.TypeProto()
    shape = value.shape if known else [None] * value.ndim
    return helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(value.dtype), shape)


def _attributes(
    work: Workspace, function: onnx.FunctionProto, node: onnx.NodeProto
) -> dict[str, onnx.AttributeProto]:
    """The call's attributes, and the defaults of those that it leaves out."""
    schema = defs.get_schema(node.op_type, work.version(), "")
    found = {name: a.default_value for name, a in schema.attributes.items() if a.default_value.name}
    return found | {a.name: a for a in (*function.attribute_proto, *node.attribute)}


def _fill(graph: onnx.GraphProto, given: dict[str, onnx.AttributeProto]) -> None:
    """Put the call's attributes where the definition refers to them."""
    for node in graph.node:
        node_attributes = [_referred(a, given) for a in node.attribute]
        del node.attribute[:]
        node.attribute.extend(_there(node_attributes))
        for inner in subgraphs(node):
            _fill(inner, given)


def _referred(
    attribute: onnx.AttributeProto, given: dict[str, onnx.AttributeProto]
) -> onnx.AttributeProto | None:
    if not attribute.ref_attr_name:
        return attribute
    if attribute.ref_attr_name not in given:
        return None
    made = onnx.AttributeProto()
    made.CopyFrom(given[attribute.ref_attr_name])
    made.name = attribute.name
    return made


def _there(found: Iterable[onnx.AttributeProto | None]) -> list[onnx.AttributeProto]:
    return [a for a in found if a is not None]
