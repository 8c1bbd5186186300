"""One copy of a subgraph's nodes, under names of the graph around it."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from ..file.protobuf import subgraphs
from .emit import Emit
from .graphs import rename_free


def inline(
    emit: Emit, body: onnx.GraphProto, given: Mapping[str, str], label: str, *, keep: bool = False
) -> dict[str, str]:
    """Emit the nodes of a subgraph.

    Parameters
    ----------
    emit : Emit
        Where nodes and initialisers go.
    body : onnx.GraphProto
    given : dict of str to str
        Values of the body that are there already (its inputs), under the names they have outside.
    label : str
        What new names begin with.
    keep : bool
        Whether names that nothing else has can stay.

    Returns
    -------
    dict of str to str
        The name outside of every value of the body.
    """
    work = emit.work
    known = dict(given)

    def named(name: str) -> str:
        kept = keep and work.only_once(name)
        known[name] = name if kept else work.fresh(f"{label}/{name}")
        return known[name]

    for tensor in body.initializer:
        if tensor.name not in known:
            copy = onnx.TensorProto()
            copy.CopyFrom(tensor)
            copy.name = named(tensor.name)
            emit.initialisers.append(copy)
    for sparse in body.sparse_initializer:
        if sparse.values.name not in known:
            copied = onnx.SparseTensorProto()
            copied.CopyFrom(sparse)
            copied.values.name = named(sparse.values.name)
            emit.sparse.append(copied)
    for i, node in enumerate(body.node):
        if all(o in known for o in node.output if o):
            continue
        made = onnx.NodeProto()
        made.CopyFrom(node)
        name = node.name or f"{node.op_type}_{i}"
        made.name = work.fresh_node(name if keep and node.name else f"{label}/{name}")
        # A name that the body gives only further down still means the value outside.
        made.input[:] = [known.get(v, v) for v in node.input]
        for inner in subgraphs(made):
            rename_free(inner, known)
        made.output[:] = [named(o) if o else "" for o in node.output]
        emit.nodes.append(made)
    return known
