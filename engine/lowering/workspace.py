"""The model being rewritten: its names, what onnxruntime says of its values, and the edits themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import onnx
from onnx import numpy_helper

from ..errors import LimitError, ModelError
from ..file import runtime
from ..file.graph import SCORE
from ..file.load import MAX_NODES
from ..file.protobuf import Array, attributes, constant_value, domain_of, free
from .graphs import ancestors, defined, varying


class Workspace:
    """A model with the input it is rewritten for.

    Parameters
    ----------
    proto : onnx.ModelProto
        Is not changed: the first edit makes a copy.
    feed : dict of str to ndarray
    where : str
        The file, for messages.
    given : dict of str to ndarray
        Conditions to take these values for, whatever the feed says.

    Attributes
    ----------
    proto : onnx.ModelProto
        The model as it is by now.
    decisions : dict of str to ndarray
        Values that the rewriting has taken as given.
    reasons : dict of str to str
        The node that each of them is of.
    conditions : set of str
        Those that choose a branch.
    approximate : list of str
        Nodes whose elementary form does not give exactly what they give.
    """

    def __init__(
        self,
        proto: onnx.ModelProto,
        feed: Mapping[str, Array],
        where: str,
        given: Mapping[str, Array] | None = None,
    ) -> None:
        self.proto, self.feed, self.where, self.given = proto, feed, where, given or {}
        self.decisions: dict[str, Array] = {}
        self.reasons: dict[str, str] = {}
        self.conditions: set[str] = set()
        self.approximate: list[str] = []
        self._source = proto
        self._known: dict[str, Array] = {}
        self._settle()

    def _settle(self) -> None:
        """Work out what depends on the nodes that there are."""
        graph = self.proto.graph
        self.nodes = list(graph.node)
        self._varying: set[str] | None = None
        self._signals: set[str] | None = None
        self._defined = defined(graph)
        self._node_names = {n.name for n in self.nodes if n.name}
        self._tensors = {t.name: t for t in graph.initializer}
        self._constants = {n.output[0]: n for n in self.nodes if n.op_type == "Constant"}

    # -- what is known ----------------------------------------------------------------------------

    def version(self, domain: str = "") -> int:
        """The opset version that a domain is imported with."""
        for entry in self.proto.opset_import:
            if ("" if entry.domain == "ai.onnx" else entry.domain) == domain:
                return int(entry.version)
        return 1

    def label(self, node: onnx.NodeProto) -> str:
        """A node's name, or one made of operator and position."""
        return node.name or f"{node.op_type}_{self.nodes.index(node)}"

    def named(self, node: onnx.NodeProto) -> str:
        """A node, for messages."""
        domain = domain_of(node)
        return f"node {self.label(node)!r} ({domain + '.' if domain else ''}{node.op_type})"

    def has_score(self, node: onnx.NodeProto) -> bool:
        """Whether the score of a classifier stands beside it."""
        return self._defined[self.score_of(node)] > 0

    def score_of(self, node: onnx.NodeProto) -> str:
        """Where the score of a classifier is, if it has one."""
        return f"{self.label(node)}/{SCORE}"

    def at(self, node: onnx.NodeProto) -> str:
        """File and node, for messages."""
        return f"{self.where}: {self.named(node)}"

    def varies(self, name: str) -> bool:
        """Whether a value can be another one for the next input."""
        if self._varying is None:
            self._varying = varying(self.proto.graph)
        return name in self._varying

    def is_signal(self, name: str) -> bool:
        """Whether a value depends on what is in an input, not just on its shape."""
        if self._signals is None:
            self._signals = varying(self.proto.graph, with_shapes=False)
        return name in self._signals

    def constant(self, name: str) -> Array | None:
        """The value of an initialiser, a Constant node, or anything that only such make; else None."""
        if name in self._known and not self.varies(name):
            return self._known[name]
        if name in self._tensors:
            self._known[name] = numpy_helper.to_array(self._tensors[name])
        elif name in self._constants:
            node = self._constants[name]
            value = constant_value(node.op_type, domain_of(node), attributes(node))
            if value is None:
                return None
            self._known[name] = value
        elif not name or self.varies(name):
            return None
        else:
            self.observe([name])
        return self._known.get(name)

    def observe(self, names: Iterable[str]) -> dict[str, Array]:
        """Values for this feed, found by running what they need in onnxruntime; tensors only."""
        names = list(dict.fromkeys(names))
        self._known.update({n: self.feed[n] for n in names if n in self.feed})
        missing = [n for n in names if n not in self._known]
        for name in [n for n in missing if n in self._tensors]:
            self._known[name] = numpy_helper.to_array(self._tensors[name])
            missing.remove(name)
        if missing:
            self._known.update(self.run(missing, {}))
        return {n: self._known[n] for n in names if n in self._known}

    def run(self, names: Sequence[str], patched: Mapping[int, onnx.NodeProto]) -> dict[str, Array]:
        """Run the part of the model that makes `names`.

        Parameters
        ----------
        names : sequence of str
        patched : dict of int to NodeProto
            Nodes to run in the place of those at these positions; values of theirs can be asked for.
        """
        source = self.proto.graph
        model = onnx.ModelProto(ir_version=self.proto.ir_version, opset_import=self.proto.opset_import)
        model.graph.name = source.name or "graph"
        nodes = [patched.get(i, node) for i, node in enumerate(self.nodes)]
        model.graph.node.extend(ancestors(nodes, names))
        model.graph.input.extend(source.input)
        read = free(model.graph) | {i.name for i in source.input}
        model.graph.initializer.extend(t for t in source.initializer if t.name in read)
        model.graph.sparse_initializer.extend(s for s in source.sparse_initializer if s.values.name in read)
        model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names)
        opened = runtime.session(model, where=self.where, asked=["CPUExecutionProvider"], optimise=False)
        made = runtime.run(opened, names, self.feed, where=self.where)
        return {n: v for n, v in zip(names, made, strict=True) if isinstance(v, np.ndarray)}

    def decide(self, name: str, value: Array, reason: str) -> None:
        """Note that the rewriting of a node (`reason`) holds for this value of a tensor."""
        if self.varies(name):
            self.decisions[name] = value
            self.reasons.setdefault(name, reason)

    def forget(self) -> None:
        """Look anew at every value that is asked for."""
        self._known.clear()

    # -- names ------------------------------------------------------------------------------------

    def fresh(self, name: str) -> str:
        """A value name that nothing has yet, as close to this one as can be."""
        made, i = name, 1
        while made in self._defined:
            made, i = f"{name}_{i}", i + 1
        self._defined[made] += 1
        return made

    def fresh_node(self, name: str) -> str:
        """A node name that no node has yet."""
        made, i = name, 1
        while made in self._node_names:
            made, i = f"{name}_{i}", i + 1
        self._node_names.add(made)
        return made

    def only_once(self, name: str) -> bool:
        """Whether one value alone in the whole model has this name."""
        return self._defined[name] == 1

    # -- edits ------------------------------------------------------------------------------------

    def replace(
        self,
        made: Mapping[int, Sequence[onnx.NodeProto]],
        initialisers: Iterable[onnx.TensorProto] = (),
        sparse: Iterable[onnx.SparseTensorProto] = (),
    ) -> None:
        """Put nodes in the place of those at the positions given."""
        if not made:
            return
        gone = [self.nodes[i] for i in made]
        after: list[onnx.NodeProto] = []
        for i, node in enumerate(self.nodes):
            after.extend(made.get(i, (node,)))
        if len(after) > MAX_NODES:
            raise LimitError(
                f"{self.at(max(zip(made.values(), gone, strict=True), key=lambda p: len(p[0]))[1])} makes "
                f"{len(after):,} nodes of the model; the limit is {MAX_NODES:,}"
            )
        new = onnx.GraphProto(node=after)
        # What was declared of a fused node's output may be true of another branch only.
        stale = {o for node in gone for o in node.output}
        new.value_info.extend(v for v in self.proto.graph.value_info if v.name not in stale)
        if self.proto is self._source:
            copy = onnx.ModelProto()
            copy.CopyFrom(self._source)
            self.proto = copy
        graph = self.proto.graph
        del graph.node[:], graph.value_info[:]
        graph.node.extend(new.node)
        graph.value_info.extend(new.value_info)
        graph.initializer.extend(initialisers)
        graph.sparse_initializer.extend(sparse)
        self._settle()

    def refuse(self, node: onnx.NodeProto, why: str) -> ModelError:
        """The error that says what of a node cannot be rewritten."""
        return ModelError(f"{self.at(node)}: {why}")
