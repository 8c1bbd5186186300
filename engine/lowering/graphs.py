"""Names in a protobuf graph: who gives them, who reads them, and what a value is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import onnx

from ..file.graph import SHAPE_ONLY, TYPE_ONLY
from ..file.protobuf import domain_of, every_graph, free, own_names, subgraphs
from ..file.sound import is_random


def defined(graph: onnx.GraphProto) -> Counter[str]:
    """How often each value name is given to something, subgraphs included."""
    found: Counter[str] = Counter()
    for at in every_graph(graph):
        found.update({i.name for i in at.input} | {t.name for t in at.initializer})
        found.update(s.values.name for s in at.sparse_initializer)
        for node in at.node:
            found.update(o for o in node.output if o)
    return found


def rename_free(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Rename what a subgraph reads from outside."""
    own = own_names(graph)
    outside = {k: v for k, v in names.items() if k not in own and k != v}
    if not outside:
        return
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name in outside:
                node.input[i] = outside[name]
        for inner in subgraphs(node):
            rename_free(inner, outside)
    for output in graph.output:
        if output.name in outside:
            output.name = outside[output.name]


def reads(node: onnx.NodeProto) -> set[str]:
    """Values that a node reads, as operands or inside its subgraphs."""
    found = {i for i in node.input if i}
    for inner in subgraphs(node):
        found |= free(inner)
    return found


def ancestors(nodes: Sequence[onnx.NodeProto], names: Iterable[str]) -> list[onnx.NodeProto]:
    """The nodes that `names` need, in the order given."""
    made = {o: i for i, node in enumerate(nodes) for o in node.output if o}
    wanted: set[int] = set()
    stack = [made[n] for n in names if n in made]
    while stack:
        i = stack.pop()
        if i not in wanted:
            wanted.add(i)
            stack.extend(made[v] for v in reads(nodes[i]) if v in made)
    return [nodes[i] for i in sorted(wanted)]


def varying(graph: onnx.GraphProto, *, with_shapes: bool = True) -> set[str]:
    """Values that can change from one input to the next, be it with its shape.

    A rank cannot: the file declares it. So what is read off a shape's own shape does not vary, and no
    more does what has only its type from another value.

    Parameters
    ----------
    with_shapes : bool
        False leaves out what changes with an input's shape alone.
    """
    shapes = {n.output[0] for n in graph.node if n.op_type == "Shape" and not domain_of(n)}
    constant = {t.name for t in graph.initializer}
    found = {i.name for i in graph.input if i.name not in constant}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        if is_random(node):
            found.update(o for o in node.output if o)
        own = not domain_of(node)
        if own and node.op_type in SHAPE_ONLY and (node.input[0] in shapes or not with_shapes):
            continue
        skipped = {node.input[i] for i in TYPE_ONLY.get(node.op_type, ())} if own else set()
        for v in reads(node):
            if v not in skipped or list(node.input).count(v) > 1:
                readers.setdefault(v, []).append(node)
    stack = list(found)
    while stack:
        for node in readers.get(stack.pop(), ()):
            new = {o for o in node.output if o} - found
            found |= new
            stack.extend(new)
    return found
