"""Sequences and optionals as the tensors they hold.

Once loops are iterations, it is known of every sequence which tensors are in it: what reads one reads
them instead. Positions and sizes that depend on the input are decisions.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import onnx

from ..file.protobuf import attributes, domain_of, every_node
from .emit import Emit, apply
from .workspace import Workspace

_MAKERS = frozenset(
    {"SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert", "SplitToSequence"}
)
_READERS = frozenset({"ConcatFromSequence", "SequenceAt", "SequenceLength", "OptionalGetElement"})
OPERATORS = _MAKERS | _READERS | {"Optional"}


def run(work: Workspace) -> bool:
    """Rewrite what reads sequences whose tensors are known; whether there was any."""
    if not any(n.op_type in _READERS and not domain_of(n) for n in work.nodes):
        return False
    tensors: dict[str, list[str]] = {}
    optional: dict[str, str] = {}
    made: dict[int, Emit] = {}
    for i, node in enumerate(work.nodes):
        if domain_of(node) or not node.output:
            continue
        source = optional.get(node.input[0], node.input[0]) if node.input else ""
        if node.op_type == "Optional" and source:
            optional[node.output[0]] = source
        elif node.op_type in ("Identity", "OptionalGetElement") and source in tensors:
            tensors[node.output[0]] = tensors[source]
        elif node.op_type == "OptionalGetElement":
            if node.input[0] in optional or source in work.observe([source]):
                made[i] = _handed(Emit(work, node), source)
        elif node.op_type in _MAKERS:
            emit = Emit(work, node)
            held = _maker(emit, node, tensors)
            if held is not None:
                tensors[node.output[0]] = held
                if emit.nodes:
                    made[i] = emit
        elif node.op_type in _READERS and source in tensors:
            made[i] = Emit(work, node)
            _WRITERS[node.op_type](made[i], node, tensors[source])
    if not any(work.nodes[i].op_type in _READERS for i in made):
        return False
    apply(work, _without_unread(work, made, {*tensors, *optional}))
    return True


def _handed(emit: Emit, value: str) -> Emit:
    emit.give({emit.node.output[0]: value})
    return emit


def _position(emit: Emit, name: str) -> int:
    """A position, which another input must have too."""
    value = emit.work.observe([name])[name]
    emit.note(name, value)
    return int(value.reshape(-1)[0])


def _maker(emit: Emit, node: onnx.NodeProto, tensors: dict[str, list[str]]) -> list[str] | None:
    """The tensors in the sequence that a node makes; None where they are not known."""
    if node.op_type == "SequenceEmpty":
        return []
    if node.op_type == "SequenceConstruct":
        return list(node.input)
    if node.op_type == "SplitToSequence":
        return _split(emit, node)
    if node.input[0] not in tensors:
        return None
    held = list(tensors[node.input[0]])
    if node.op_type == "SequenceInsert":
        given = len(node.input) > 2 and node.input[2]
        at = _position(emit, node.input[2]) if given else len(held)
        held.insert(at, node.input[1])
    else:
        del held[_position(emit, node.input[1]) if len(node.input) > 1 and node.input[1] else -1]
    return held


def _split(emit: Emit, node: onnx.NodeProto) -> list[str]:
    given, x = attributes(node), node.input[0]
    value = emit.work.observe([x])[x]
    axis = int(given.get("axis", 0)) % value.ndim
    size = value.shape[axis]
    emit.note_size(x, axis, size)
    if len(node.input) < 2 or not node.input[1]:
        parts = emit.split(x, [1] * size, axis)
        return parts if given.get("keepdims", 1) else [emit.squeeze(p, axis) for p in parts]
    asked = emit.work.observe([node.input[1]])[node.input[1]]
    emit.note(node.input[1], asked)
    if asked.ndim:
        return emit.split(x, [int(v) for v in asked], axis)
    ends = [*range(0, size, int(asked)), size]
    return emit.split(x, [b - a for a, b in pairwise(ends)], axis)


def _at(emit: Emit, node: onnx.NodeProto, held: list[str]) -> None:
    _handed(emit, held[_position(emit, node.input[1])])


def _length(emit: Emit, node: onnx.NodeProto, held: list[str]) -> None:
    _handed(emit, emit.const(np.int64(len(held)), "length"))


def _concat(emit: Emit, node: onnx.NodeProto, held: list[str]) -> None:
    given = attributes(node)
    axis = int(given["axis"])
    parts = held
    if given.get("new_axis", 0):
        if axis < 0:
            axis += emit.work.observe([held[0]])[held[0]].ndim + 1
        parts = [emit.unsqueeze(p, axis) for p in held]
    _handed(emit, emit.concat(parts, axis))


_WRITERS: dict[str, Callable[[Emit, onnx.NodeProto, list[str]], None]] = {
    "ConcatFromSequence": _concat,
    "SequenceAt": _at,
    "SequenceLength": _length,
}


def _without_unread(work: Workspace, made: dict[int, Emit], sequences: set[str]) -> dict[int, Emit]:
    """Makers of sequences that nothing reads any more are taken out; others stay beside their tensors."""
    kept = {o.name for o in work.proto.graph.output}
    result = dict(made)
    for i in reversed(range(len(work.nodes))):
        node = work.nodes[i]
        is_maker = bool(node.output) and node.output[0] in sequences
        if is_maker and node.output[0] not in kept:
            result.setdefault(i, Emit(work, node))
            continue
        if is_maker and i in made:
            made[i].nodes.append(node)
        if is_maker or i not in made:
            kept.update(node.input)
            kept.update(v for g in _inside(node) for v in g.input)
    return result


def _inside(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    return list(every_node(onnx.GraphProto(node=[node])))
