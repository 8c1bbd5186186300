"""The model as a graph of nodes and values, in the order it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import networkx as nx
import onnx
import onnx_ir as ir
from onnx import numpy_helper

from ..errors import ModelError
from ..storage.text import one_line
from .protobuf import Array, constant_value, free, subgraphs

# What these give depends on the shape of their input only: no relevance, and no value either.
SHAPE_ONLY = frozenset({"Shape", "Size"})
# Operands of which only the type or the shape is used.
TYPE_ONLY = {"CastLike": (1,), "EyeLike": (0,), "RandomNormalLike": (0,), "RandomUniformLike": (0,)}
# Attribute of a product that a canonical pass found to be an activation: x f(x).
SELF_GATED = "onnxplain.self_gated"
# Attribute of a layer whose output has rounding in it, which its weights do not say.
ROUNDED = "onnxplain.rounded"
# Attribute of a product with a table of waves: no layer, but a Fourier transform.
TRANSFORM = "onnxplain.transform"
# In the name of the score of a classifier that gives probabilities found by iteration.
SCORE = "onnxplain.score"
# In the names of values of trees written out: bits that relevance of a branch is on, and which are reached.
BRANCH, REACHED = "onnxplain.branch", "onnxplain.reached"


@dataclass(eq=False)
class Node:
    """One operation.

    Attributes
    ----------
    name : str
        The file's own name, or one made of operator and position.
    domain, op_type, version : str, str, int
        Operator, and the opset version it was imported with.
    inputs, outputs : tuple of str
        Value names; "" where an optional one is left out.
    attributes : dict
    captures : tuple of str
        Values of the outer graph that its subgraphs read.
    held : set of int
        Operands that count as constants although they depend on the input, set by canonical
        passes: the gate of a self-gated activation, the denominator of a normalisation.
    """

    name: str
    domain: str
    op_type: str
    version: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    captures: tuple[str, ...] = ()
    held: set[int] = field(default_factory=set)

    @property
    def reads(self) -> list[str]:
        """Values that it or its subgraphs read, each once."""
        return [v for v in dict.fromkeys((*self.inputs, *self.captures)) if v]

    def __str__(self) -> str:
        domain = f"{self.domain}." if self.domain else ""
        return f"{self.name!r} ({domain}{self.op_type}, opset {self.version})"


class Graph:
    """Nodes in the order they run, and which value comes from where and goes where.

    Attributes
    ----------
    nodes : list of Node
    inputs, outputs : list of str
    constants : dict of str to ndarray
        Initialisers and the values of Constant nodes.
    pinned : set of str
        Values that must stay, because something is asked of them.
    producer : dict of str to Node
    """

    def __init__(
        self,
        nodes: list[Node],
        inputs: list[str],
        outputs: list[str],
        constants: dict[str, Array],
        pinned: Iterable[str] = (),
    ) -> None:
        self.inputs, self.outputs, self.constants = inputs, outputs, constants
        self.pinned = frozenset(pinned)
        self.producer = {v: n for n in nodes for v in n.outputs if v}
        self.nodes = nodes if self._is_order(nodes) else self._ordered(nodes)
        self._readers: dict[str, list[Node]] = {}
        for node in self.nodes:
            for value in node.reads:
                self._readers.setdefault(value, []).append(node)

    def _is_order(self, nodes: list[Node]) -> bool:
        """Whether every value is made before it is read."""
        made: set[str] = set()
        for node in nodes:
            if any(v in self.producer and v not in made for v in node.reads):
                return False
            made.update(node.outputs)
        return True

    def _ordered(self, nodes: list[Node]) -> list[Node]:
        """Nodes in an order they can run in, as near to the one given as can be."""
        try:
            order = list(nx.lexicographical_topological_sort(_net(nodes), key=_Position(nodes)))
        except nx.NetworkXUnfeasible:
            raise ModelError("the graph has a cycle") from None
        return [n for n in order if isinstance(n, Node)]

    @cached_property
    def _net(self) -> nx.DiGraph[Any]:
        """Values and the nodes that read and make them, for what is asked of paths."""
        return _net(self.nodes)

    def with_nodes(self, nodes: list[Node]) -> Graph:
        """The same graph made of other nodes."""
        return Graph(nodes, self.inputs, self.outputs, self.constants, self.pinned)

    def keeps(self, value: str) -> bool:
        """Whether a value must stay when nodes are put together."""
        return value in self.outputs or value in self.pinned

    def readers(self, value: str) -> Sequence[Node]:
        """Nodes that read a value, as an operand or in a subgraph, in the order they run."""
        return self._readers.get(value, ())

    def made_of(self, values: Iterable[str]) -> set[str]:
        """These values and all that descend from them."""
        return {v for v in _reach(self._net, [v for v in values if v in self._net]) if isinstance(v, str)}

    def depends_on_input(self) -> set[str]:
        """Values that can depend on what is in an input, not just on its shape."""
        cut = self._by_value()
        random = [n for n in self.nodes if n.op_type.startswith(("Random", "Bernoulli", "Multinomial"))]
        return {v for v in _reach(cut, [*self.inputs, *random]) if isinstance(v, str)}

    def _by_value(self) -> nx.DiGraph[Any]:
        """The net without what hands on shapes and types only."""
        net = self._net.copy()
        net.remove_nodes_from([n for n in self.nodes if n.op_type in SHAPE_ONLY and n.domain == ""])
        for node in self.nodes:
            for i in TYPE_ONLY.get(node.op_type, ()) if node.domain == "" else ():
                if node.inputs.count(node.inputs[i]) == 1:
                    net.remove_edge(node.inputs[i], node)
        return net

    def active(
        self, sources: Iterable[str], target: str, carries: set[str], blocked: set[tuple[Node, int]]
    ) -> set[str]:
        """Values on a path from `sources` to `target`.

        Parameters
        ----------
        sources : iterable of str
            Where relevance may end.
        target : str
            The explained tensor.
        carries : set of str
            Values that relevance can be on: floating, and not just shapes.
        blocked : set of (Node, int)
            Operands that count as constants.
        """
        net = self._by_value()
        net.remove_nodes_from([v for v in list(net) if isinstance(v, str) and v not in carries])
        for node, operand in blocked:
            name = node.inputs[operand]
            if not any(v == name and (node, i) not in blocked for i, v in enumerate(node.inputs)):
                net.remove_edges_from([(name, node)])
        if target not in net:
            return set()
        down = _reach(net, [s for s in sources if s in net])
        up = nx.ancestors(net, target) | {target}
        return {v for v in down & up if isinstance(v, str)}


def _net(nodes: Iterable[Node]) -> nx.DiGraph[Any]:
    net: nx.DiGraph[Any] = nx.DiGraph()
    for node in nodes:
        net.add_node(node)
        net.add_edges_from((v, node) for v in node.reads)
        net.add_edges_from((node, v) for v in node.outputs if v)
    return net


class _Position:
    """Sort key that keeps the file's own order wherever it is a legal one."""

    def __init__(self, nodes: list[Node]) -> None:
        self._at = {n: i for i, n in enumerate(nodes)}

    def __call__(self, item: Any) -> tuple[int, str]:
        return (self._at[item], "") if isinstance(item, Node) else (-1, item)


def _reach(net: nx.DiGraph[Any], sources: Iterable[Any]) -> set[Any]:
    """Everything that descends from the sources, themselves included."""
    found: set[Any] = set()
    for layer in nx.bfs_layers(net, [s for s in sources if s in net]):
        found.update(layer)
    return found


def from_model(proto: onnx.ModelProto, where: str = "model") -> Graph:
    """Read a graph (functions already inlined) into nodes and values.

    Raises
    ------
    ModelError
        A node reads what nothing in the model makes, or the graph is damaged.
    """
    try:
        model = ir.from_proto(_without_maps(proto))
    except Exception as e:  # of onnx_ir, around what its parts raise
        reason: BaseException = e
        while reason.__cause__ is not None:
            reason = reason.__cause__
        raise ModelError(f"{where}: the graph cannot be read ({one_line(reason, 200)})") from None
    opsets = {("" if d == "ai.onnx" else d): v for d, v in model.opset_imports.items()}
    constants = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
    nodes: list[Node] = []
    seen: set[str] = set()
    for i, (n, own) in enumerate(zip(model.graph, proto.graph.node, strict=True)):
        name = n.name or f"{n.op_type}_{i}"
        name = name if name not in seen else f"{name}_{i}"
        seen.add(name)
        node = _node(n, own, name, opsets)
        value = constant_value(node.op_type, node.domain, node.attributes)
        if value is not None:
            constants[node.outputs[0]] = value
        else:
            nodes.append(node)
    inputs = [v.name or "" for v in model.graph.inputs if v.name not in constants]
    outputs = [v.name or "" for v in model.graph.outputs]
    known = {*inputs, *constants, *(o for n in nodes for o in n.outputs)}
    for node in nodes:
        for v in node.inputs:
            if v and v not in known:
                raise ModelError(f"{where}: node {node} reads {v!r}, which nothing in the model makes")
    return Graph(nodes, inputs, outputs, constants)


def _node(n: ir.Node, proto: onnx.NodeProto, name: str, opsets: Mapping[str, int]) -> Node:
    """One node, under a name that no other has."""
    domain = "" if n.domain == "ai.onnx" else n.domain
    return Node(
        name,
        domain,
        n.op_type,
        opsets.get(domain, 1),
        tuple(v.name or "" if v is not None else "" for v in n.inputs),
        tuple(v.name or "" for v in n.outputs),
        {a.name: _attribute(a) for a in n.attributes.values() if isinstance(a, ir.Attr)},
        tuple(sorted({v for inner in subgraphs(proto) for v in free(inner)})),
    )


def _without_maps(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model without the types of maps, which onnx_ir does not read; they are outputs of ZipMap only."""
    odd = [
        v
        for v in (*proto.graph.output, *proto.graph.value_info)
        if v.type.WhichOneof("value") == "sequence_type"
    ]
    if not odd:
        return proto
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    for value in (*copy.graph.output, *copy.graph.value_info):
        if value.type.WhichOneof("value") == "sequence_type":
            value.ClearField("type")
    return copy


def _attribute(a: ir.Attr) -> Any:
    if a.type == ir.AttributeType.TENSOR:
        return a.value.numpy()
    if a.type == ir.AttributeType.STRING:
        return a.as_string()
    if a.type in (ir.AttributeType.INTS, ir.AttributeType.FLOATS, ir.AttributeType.STRINGS):
        return list(a.value)
    return a.value
