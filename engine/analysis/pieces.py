"""A model run a piece at a time: all of its values are seen, and never all are held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper

from ..file import runtime
from ..file.protobuf import every_graph, free, subgraphs

Array = np.ndarray[Any, Any]

# Bytes of weights from which a piece is full, and the fewest nodes that it has: a session has a price, too.
FULL, FEWEST = 2**20, 16


def can_be_cut(proto: onnx.ModelProto) -> bool:
    """Whether a model can be run in pieces: it is large, in order, and passes on nothing but arrays."""
    graph = proto.graph
    if sum(map(_bytes, graph.initializer)) < 2 * FULL or graph.sparse_initializer:
        return False
    known = {i.name for i in graph.input} | {t.name for t in graph.initializer}
    for node in graph.node:
        if not _reads(node) <= known:
            return False
        known.update(o for o in node.output if o)
    inner = {n.op_type for at in every_graph(graph) for n in at.node}
    made = {o for node in graph.node for o in node.output} | {i.name for i in graph.input}
    return not any("Sequence" in op or "Optional" in op or op == "ZipMap" for op in inner) and all(
        o.name in made for o in graph.output
    )


Values = dict[str, Array]


def run(
    proto: onnx.ModelProto, feeds: Sequence[Mapping[str, Array]], *, where: str
) -> Iterator[Iterator[Values]]:
    """Run a model on several feeds, piece by piece.

    A piece is a model of its own, with its own weights only, opened, run on every feed and closed. Of what
    it makes only what later pieces read is kept, and that as long as they do.

    Parameters
    ----------
    proto : onnx.ModelProto
        For which `can_be_cut` holds.
    feeds : sequence of mapping of str to ndarray
    where : str
        The file, for messages.

    Yields
    ------
    iterator of dict of str to ndarray
        The values of one piece, of each feed, to be used up before the next piece; first what was fed.

    Raises
    ------
    ModelError
        onnxruntime cannot open or run a piece.
    """
    yield map(dict, feeds)
    known = [dict(feed) for feed in feeds]
    pieces = list(_cut(proto.graph))
    last = {name: i for i, nodes in enumerate(pieces) for node in nodes for name in _reads(node)}
    weights = {t.name: t for t in proto.graph.initializer}
    constants = {n.output[0]: n for n in proto.graph.node if n.op_type == "Constant" and not n.domain}
    for i, nodes in enumerate(pieces):
        model, reads, makes = _piece(proto, nodes, weights, constants, known[0])
        session = runtime.session(model, where=where, asked=["CPUExecutionProvider"], optimise=False)
        del model
        kept = {n for n in makes if last.get(n, -1) > i and n not in constants}
        yield (_run(session, makes, reads, k, kept, where) for k in known)
        del session
        for k in known:
            for name in [n for n in k if last.get(n, -1) <= i]:
                del k[name]


def _run(
    session: ort.InferenceSession,
    makes: Sequence[str],
    reads: Sequence[str],
    known: Values,
    kept: Set[str],
    where: str,
) -> Values:
    """Run a piece on what is known of one feed, and add to it what later pieces read."""
    made = runtime.run(session, makes, {n: known[n] for n in reads}, where=where)
    values = {n: v for n, v in zip(makes, made, strict=True) if isinstance(v, np.ndarray)}
    # Copies: onnxruntime's memory of a run is held until all that came of it is freed.
    known.update({n: v.copy() for n, v in values.items() if n in kept})
    return values


def _cut(graph: onnx.GraphProto) -> Iterator[list[onnx.NodeProto]]:
    """Nodes in their order, a piece at a time."""
    sizes = {t.name: _bytes(t) for t in graph.initializer}
    piece: list[onnx.NodeProto] = []
    held: set[str] = set()
    for node in graph.node:
        piece.append(node)
        held |= _reads(node) & sizes.keys()
        if len(piece) >= FEWEST and sum(sizes[n] for n in held) >= FULL:
            yield piece
            piece, held = [], set()
    if piece:
        yield piece


def _piece(
    proto: onnx.ModelProto,
    nodes: Sequence[onnx.NodeProto],
    weights: Mapping[str, onnx.TensorProto],
    constants: Mapping[str, onnx.NodeProto],
    known: Mapping[str, Array],
) -> tuple[onnx.ModelProto, list[str], list[str]]:
    """A model of some nodes; what it reads of what is known, and what it makes."""
    makes = [o for node in nodes for o in node.output if o]
    reads = dict.fromkeys(n for node in nodes for n in sorted(_reads(node)))
    # Kernels may want a Constant as one, and not as an input.
    again = [constants[n] for n in reads if n in constants and n not in makes]
    outside = [n for n in reads if n not in makes and n not in constants and n not in weights]
    inputs = [
        helper.make_tensor_value_info(
            n, helper.np_dtype_to_tensor_dtype(known[n].dtype), known[n].ndim * [None]
        )
        for n in outside
    ]
    model = onnx.ModelProto(
        ir_version=proto.ir_version, opset_import=proto.opset_import, functions=proto.functions
    )
    model.graph.name = "piece"
    model.graph.input.extend(inputs)
    model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in makes)
    model.graph.initializer.extend(weights[n] for n in reads if n in weights)
    model.graph.node.extend([*again, *nodes])
    return model, outside, makes


def _reads(node: onnx.NodeProto) -> set[str]:
    """Values that a node reads, as operands or inside its subgraphs."""
    return {i for i in node.input if i}.union(*map(free, subgraphs(node)))


def _bytes(tensor: onnx.TensorProto) -> int:
    """Of a tensor in the file; 0 where its numbers lie in a list or outside."""
    return len(tensor.raw_data)
