"""Pieces of a graph of pairs: what a recording needs, and nodes in the order and under names they need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx

from ..analysis.shapes import Shape
from ..file.protobuf import subgraphs
from ..file.sound import is_random
from ..lowering.graphs import ancestors, reads, rename_free
from ..ops.base import Expr, Ops
from ..plan.instrument import results
from ..plan.onnx_runner import REFERENCE
from ..plan.recipe import Recipe
from .one_graph import in_order


def copied(proto: onnx.ModelProto) -> onnx.ModelProto:
    """A model to change."""
    made = onnx.ModelProto()
    made.CopyFrom(proto)
    return made


def live(recipe: Recipe, amount: Expr) -> list[Expr]:
    """What the outputs are made of, in order: paired and backward values and constants."""
    wanted = {e.index for e in results(recipe.recording)} | {amount.index}
    record = recipe.recording.ops.record
    for e in reversed(record):
        if e.index in wanted and e.kind in ("paired", "backward"):
            wanted.update(a.index for a in e.args)
    return [e for e in record if e.index in wanted and e.kind != "forward"]


def alone(live: Sequence[Expr]) -> list[Expr]:
    """Values that are made of the reference alone."""
    found: dict[int, Expr] = {}
    for e in live:
        own = all(a.kind == "const" or a.index in found for a in e.args)
        if e.kind == "paired" and (e.op == "reference" or own):
            found[e.index] = e
    return list(found.values())


def read_outside(live: Sequence[Expr], alone: Sequence[Expr]) -> list[Expr]:
    """Those of them that something else reads."""
    inside = {e.index for e in alone}
    read = {a.index for e in live if e.index not in inside for a in e.args}
    return [e for e in alone if e.index in read]


def forward(ops: Ops, alone: Sequence[Expr], shapes: dict[int, Shape]) -> dict[int, Expr]:
    """Each as a value of one forward pass, by index; what is new gets the same shape."""
    made: dict[int, Expr] = {}
    for e in alone:
        if e.op == "reference":
            made[e.index] = e.args[0]
            continue
        made[e.index] = ops.make(e.op, [made.get(a.index, a) for a in e.args], e.attrs)
        if e.index in shapes:
            shapes.setdefault(made[e.index].index, shapes[e.index])
    return made


def constant(graph: onnx.GraphProto) -> set[str]:
    """Weights, and values that are made of them alone."""
    found = {t.name for t in graph.initializer} | {t.values.name for t in graph.sparse_initializer}
    for node in graph.node:
        if not is_random(node) and all(v in found for v in reads(node)):
            found.update(o for o in node.output if o)
    return found


def renamed(
    tensors: Sequence[onnx.TensorProto], nodes: Sequence[onnx.NodeProto], names: Mapping[str, str]
) -> None:
    """Give values of nodes, and tensors, other names, in place."""
    for tensor in tensors:
        tensor.name = names.get(tensor.name, tensor.name)
    for node in nodes:
        node.name = REFERENCE + node.name if node.name else ""
        node.input[:] = [names.get(v, v) for v in node.input]
        node.output[:] = [names.get(v, v) for v in node.output]
        for inner in subgraphs(node):
            rename_free(inner, names)


def ordered(nodes: Sequence[onnx.NodeProto], ends: Sequence[str]) -> list[onnx.NodeProto]:
    """What some values need, in an order in which every value is made before it is read."""
    model = onnx.ModelProto(graph=onnx.GraphProto(node=ancestors(nodes, ends)))
    return list(in_order(model).graph.node)


def invariant(
    nodes: Sequence[onnx.NodeProto], scanned: set[str]
) -> tuple[list[onnx.NodeProto], list[onnx.NodeProto]]:
    """Nodes that are the same for every reference, and the others."""
    changing, outer, inner = set(scanned), [], []
    for node in nodes:
        named = node.op_type == "Identity" and node.output[0].startswith(REFERENCE)
        if reads(node) & changing or named or node.op_type == "Cast":
            changing.update(node.output)
            inner.append(node)
        else:
            outer.append(node)
    return outer, inner
