"""Random-weight copies of a model: what an explanation owes to training and not to the architecture.

Adebayo et al. 2018, "Sanity checks for saliency maps": a map that stays the same when the weights are
random explains the input, not the model. Permuting each weight tensor keeps its distribution, which
redrawing would not.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, numpy_helper

# Inputs that are sizes and scales of a shape although they are floating.
_SHAPES = {"Resize": (1, 2), "Upsample": (1,), "Range": (0, 1, 2)}

_FLOATING = {
    TensorProto.DataType.Value(name)
    for name in TensorProto.DataType.keys()  # noqa: SIM118 (an enum wrapper, not a dict)
    if name in ("DOUBLE", "BFLOAT16") or (name.startswith("FLOAT") and name != "FLOAT8E8M0")
}

# A mask is no weight: permuted, it could close every path at once.
_MASK = 1e30


def randomised_copy(model: str | os.PathLike[str], out: str | os.PathLike[str], seed: int) -> Path:
    """Write a copy of a model in which every weight tensor is permuted.

    Floating initialisers and floating Constant nodes of more than one element are shuffled, also those
    inside subgraphs and model-local functions. Integers (quantized weights too), scalars, scales
    of a Resize and additive masks (values beyond 1e30 or infinite) stay; so do metadata and names.

    Parameters
    ----------
    model : path-like
    out : path-like
        Where the copy goes, as one file.
    seed : int
        The same seed gives the same copy.

    Returns
    -------
    Path
        `out`.
    """
    proto = onnx.load(os.fspath(model))
    rng = np.random.default_rng(seed)
    graphs = list(_graphs(proto.graph))
    nodes = [node for graph in graphs for node in graph.node]
    for function in proto.functions:
        for node in function.node:
            nodes.append(node)
            for inner in _subgraphs(node):
                found = list(_graphs(inner))
                graphs += found
                nodes += [n for graph in found for n in graph.node]
    kept = {node.input[i] for node in nodes for i in _SHAPES.get(node.op_type, ()) if i < len(node.input)}
    for graph in graphs:
        for tensor in graph.initializer:
            if tensor.name not in kept:
                _permute(tensor, rng)
        for sparse in graph.sparse_initializer:
            if sparse.values.name not in kept:
                _permute(sparse.values, rng)
    for node in nodes:
        if node.op_type == "Constant" and node.domain in ("", "ai.onnx") and node.output[0] not in kept:
            for attribute in node.attribute:
                if attribute.type == AttributeProto.TENSOR:
                    _permute(attribute.t, rng)
                elif attribute.type == AttributeProto.SPARSE_TENSOR:
                    _permute(attribute.sparse_tensor.values, rng)
                elif attribute.type == AttributeProto.FLOATS and len(attribute.floats) > 1:
                    attribute.floats[:] = rng.permutation(list(attribute.floats)).tolist()
    out = Path(out)
    if proto.ByteSize() < 2**31 - 2**20:
        onnx.save(proto, out)
    else:
        # One protobuf holds 2 GiB at most.
        onnx.save(proto, out, save_as_external_data=True, location=out.name + ".data")
    return out


def _subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == AttributeProto.GRAPHS:
            yield from attribute.graphs


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """The graph and every graph inside it."""
    yield graph
    for node in graph.node:
        for inner in _subgraphs(node):
            yield from _graphs(inner)


def _permute(tensor: TensorProto, rng: np.random.Generator) -> None:
    """Shuffle a floating tensor of more than one element in place, whatever its width."""
    if tensor.data_type not in _FLOATING:
        return
    array = numpy_helper.to_array(tensor)
    if array.size < 2:
        return
    with np.errstate(all="ignore"):
        wide = array.astype(np.float64)
        if (np.abs(wide) > _MASK).any():
            return
    shuffled = array.reshape(-1)[rng.permutation(array.size)].reshape(array.shape)
    fresh = numpy_helper.from_array(shuffled, tensor.name)
    doc = tensor.doc_string
    tensor.CopyFrom(fresh)
    if doc:
        tensor.doc_string = doc
