"""What a model file must not have: names that are no text or stand twice, types that are none, chance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import numpy_helper

from ..errors import ModelError
from .protobuf import every_graph, every_node, subgraphs

# Operators whose output is another one in every run.
_RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)
_ELEMENTS = frozenset(onnx.TensorProto.DataType.values()) - {onnx.TensorProto.UNDEFINED}


def check_names(path: Path, proto: onnx.ModelProto) -> None:
    """Refuse names that are not text, and values that are made twice.

    Protocol buffers keep bytes of any kind as names, and fail, or not, when one is asked for.

    Raises
    ------
    ModelError
    """
    try:
        broken = any(isinstance(name, bytes) for name in _names(proto))
    except UnicodeDecodeError:
        broken = True
    if broken:
        raise ModelError(f"{path}: a name in it is not text (UTF-8); the file is damaged")
    bodies = [(g.node, [i.name for i in g.input]) for g in every_graph(proto.graph)]
    bodies += [(f.node, list(f.input)) for f in proto.functions]
    for nodes, given in bodies:
        made = set(given)
        for node in nodes:
            for name in filter(None, node.output):
                if name in made:
                    raise ModelError(
                        f"{path}: the value {name[:80]!r} is made twice, the second time by a node "
                        f"{node.op_type[:80]}; the file is damaged"
                    )
                made.add(name)


def _names(proto: onnx.ModelProto) -> Iterator[str | bytes]:
    """All texts of a model, but for what is written for readers alone."""
    todo: list[Any] = [proto]
    while todo:
        message = todo.pop()
        for field, value in message.ListFields():
            several = isinstance(value, Sequence) and not isinstance(value, str | bytes)
            if field.message_type is not None:
                todo.extend(value if several else (value,))
            elif field.type == field.TYPE_STRING and field.name != "doc_string":
                yield from value if several else (value,)


def check_element(path: Path, tensor: onnx.TensorProto) -> None:
    """Refuse a tensor of a type that onnx does not have.

    Raises
    ------
    ModelError
    """
    if tensor.data_type not in _ELEMENTS:
        raise ModelError(
            f"{path}: initialiser {tensor.name[:80]!r} has the data type {tensor.data_type}, which onnx does "
            "not have; the file is damaged, or made by a newer onnx"
        )


def at_random(proto: onnx.ModelProto, output: str) -> onnx.NodeProto | None:
    """A node that draws at random on the way to an output; None where there is none."""
    graph = proto.graph
    known = {t.name: t for t in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            known[node.output[0]] = node.attribute[0].t
    producers = {name: node for node in graph.node for name in node.output}
    todo, seen = [output], set[str]()
    while todo:
        name = todo.pop()
        maker = producers.get(name)
        if name in seen or maker is None:
            continue
        seen.add(name)
        for one in (maker, *(n for inner in subgraphs(maker) for n in every_node(inner))):
            drawn: onnx.NodeProto = one
            if is_random(drawn) or _is_training(drawn, known):
                return drawn
            todo += drawn.input
    return None


def is_random(node: onnx.NodeProto) -> bool:
    """Whether two runs of a node can differ."""
    return node.domain in ("", "ai.onnx") and node.op_type in _RANDOM


def _is_training(node: onnx.NodeProto, known: dict[str, onnx.TensorProto]) -> bool:
    """Whether a Dropout drops."""
    if node.op_type != "Dropout" or len(node.input) < 3 or node.domain not in ("", "ai.onnx"):
        return False
    training = known.get(node.input[2])
    return training is not None and bool(numpy_helper.to_array(training).any())
