"""Attention rows in which everything is masked: softmax makes NaN of them, and a Where zeros of that.

Relevance must not meet the NaN: softmax is given a row of zeros there instead, and the Where stays.
"""

from __future__ import annotations

import onnx

from ...file.protobuf import domain_of
from ..emit import Emit, apply
from ..workspace import Workspace

_HAND_ON = frozenset({"Cast", "Identity"})


def run(work: Workspace) -> bool:
    """Guard every such softmax; whether there were any."""
    made_by = {o: n for n in work.nodes for o in n.output if not domain_of(n)}
    made: dict[int, Emit] = {}
    for i, node in enumerate(work.nodes):
        if node.op_type != "Where" or domain_of(node) or not _constant(work, made_by, node.input[1]):
            continue
        softmax = _origin(made_by, node.input[2])
        if softmax is None or softmax.op_type != "Softmax" or not work.varies(softmax.output[0]):
            continue
        source = made_by.get(softmax.input[0])
        guarded = source is not None and source.op_type == "Where" and source.input[0] == node.input[0]
        if guarded or not _whole_rows(work, made_by, node, softmax):
            continue
        emit = made[i] = Emit(work, node)
        kind = work.observe([softmax.input[0]])[softmax.input[0]].dtype
        x = emit.op("Where", node.input[0], emit.const(0, dtype=kind), softmax.input[0], what="alive")
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in softmax.attribute}
        s = emit.op("Softmax", x, what="Softmax", **attributes)
        at = node.input[2]
        casts = []
        while made_by[at] is not softmax:
            casts.append(made_by[at])
            at = made_by[at].input[0]
        for cast in reversed(casts):
            to = {a.name: onnx.helper.get_attribute_value(a) for a in cast.attribute}
            s = emit.op(cast.op_type, s, what=cast.op_type, **to)
        emit.give({node.output[0]: emit.op("Where", node.input[0], node.input[1], s, what="Where")})
    apply(work, made)
    return bool(made)


def _constant(work: Workspace, made_by: dict[str, onnx.NodeProto], value: str) -> bool:
    """Whether a value is one, its type aside."""
    node = made_by.get(value)
    if node is not None and node.op_type == "CastLike":
        value = node.input[0]
    return work.constant(value) is not None


def _origin(made_by: dict[str, onnx.NodeProto], value: str) -> onnx.NodeProto | None:
    """The node that makes a value, behind casts."""
    node = made_by.get(value)
    while node is not None and node.op_type in _HAND_ON:
        node = made_by.get(node.input[0])
    return node


def _whole_rows(
    work: Workspace, made_by: dict[str, onnx.NodeProto], node: onnx.NodeProto, softmax: onnx.NodeProto
) -> bool:
    """Whether the condition takes rows whole: a NaN of the softmax itself, or one bit a row."""
    test = made_by.get(node.input[0])
    if test is not None and test.op_type == "IsNaN":
        return _origin(made_by, test.input[0]) is softmax
    values = work.observe([node.input[0], softmax.output[0]])
    axis = next((a.i for a in softmax.attribute if a.name == "axis"), -1)
    rank = values[softmax.output[0]].ndim
    if work.version() < 13 or axis % rank != rank - 1 or values[softmax.output[0]].shape[-1] == 1:
        return False
    return values[node.input[0]].ndim == 0 or values[node.input[0]].shape[-1] == 1
