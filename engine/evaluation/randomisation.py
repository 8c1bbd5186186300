"""Random-weight copies of a model: what an explanation owes to training and not to the architecture.

Adebayo et al. 2018, "Sanity checks for saliency maps": a map that stays the same when the weights are
random explains the input, not the model. Permuting each weight tensor keeps its distribution, which
redrawing would not.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from onnx import AttributeProto, NodeProto, TensorProto, numpy_helper

from ..errors import InputError
from ..file.protobuf import every_graph, subgraphs

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
    inside subgraphs and model-local functions. Integers (quantised weights too), scalars, scales
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
    _shuffle(proto, np.random.default_rng(seed), None)
    return _save(proto, Path(out))


def cascade(
    model: str | os.PathLike[str], folder: str | os.PathLike[str], *, stages: int = 4, seed: int = 0
) -> list[tuple[float, Path]]:
    """Copies in which ever more layers are random, from the output down (Adebayo et al. 2018, cascading).

    A layer is a node of the main graph that has weights of its own. The last copy is `randomised_copy`.

    Parameters
    ----------
    model : path-like
    folder : path-like
        Where the copies go.
    stages : int
        How many copies at most: a layer at a time would make a hundred.
    seed : int

    Returns
    -------
    list of (float, Path)
        The part of the layers that is random, and the copy.

    Raises
    ------
    InputError
        No stage is asked for, or the model has no weights.
    """
    if stages < 1:
        raise InputError(f"cascade: {stages} stages; at least 1")
    layers = layers_from_output(onnx.load(os.fspath(model), load_external_data=False))
    if not layers:
        raise InputError(f"{model}: has no floating weights that could be made random")
    counts = np.unique(np.ceil(np.linspace(0, len(layers), stages + 1)[1:]).astype(int))
    made = []
    for count in counts[:-1]:
        proto = onnx.load(os.fspath(model))
        names = {name for layer in layers[:count] for name in layer}
        _shuffle(proto, np.random.default_rng(seed), names)
        made.append((float(count / len(layers)), _save(proto, Path(folder) / f"cascade_{count}.onnx")))
    return [*made, (1.0, randomised_copy(model, Path(folder) / "cascade_all.onnx", seed))]


def layers_from_output(proto: onnx.ModelProto) -> list[list[str]]:
    """Names of the weights of each node of the main graph that has some, the last node first."""
    floating = {
        t.name for t in proto.graph.initializer if t.data_type in _FLOATING and np.prod(t.dims, dtype=int) > 1
    }
    for node in proto.graph.node:
        if node.op_type == "Constant" and node.domain in ("", "ai.onnx"):
            floating |= {
                node.output[0]
                for a in node.attribute
                if (a.type == AttributeProto.TENSOR and a.t.data_type in _FLOATING and np.prod(a.t.dims) > 1)
                or (a.type == AttributeProto.FLOATS and len(a.floats) > 1)
            }
    floating -= _shapes(proto.graph.node)
    layers, seen = [], set[str]()
    # Nodes are in topological order; a weight that several share counts with the last of them.
    for node in reversed(proto.graph.node):
        own = [n for n in dict.fromkeys(node.input) if n in floating and n not in seen]
        seen.update(own)
        if own:
            layers.append(own)
    return layers


def _shapes(nodes: Iterable[NodeProto]) -> set[str]:
    """Floating tensors that are sizes."""
    return {n.input[i] for n in nodes for i in _SHAPES.get(n.op_type, ()) if i < len(n.input)}


def _shuffle(proto: onnx.ModelProto, rng: np.random.Generator, only: set[str] | None) -> None:
    """Permute weights in place: all, or those of the main graph with these names."""
    graphs, nodes = _inside(proto) if only is None else ([proto.graph], list(proto.graph.node))
    kept = _shapes(nodes)

    def wanted(name: str) -> bool:
        return name not in kept and (only is None or name in only)

    for graph in graphs:
        for tensor in graph.initializer:
            if wanted(tensor.name):
                _permute(tensor, rng)
        for sparse in graph.sparse_initializer:
            if wanted(sparse.values.name):
                _permute(sparse.values, rng)
    for node in nodes:
        if node.op_type == "Constant" and node.domain in ("", "ai.onnx") and wanted(node.output[0]):
            _permute_constant(node, rng)


def _inside(proto: onnx.ModelProto) -> tuple[list[onnx.GraphProto], list[NodeProto]]:
    """All graphs and nodes of a model, those of its functions and subgraphs among them."""
    graphs = list(every_graph(proto.graph))
    nodes = [node for graph in graphs for node in graph.node]
    for node in (n for function in proto.functions for n in function.node):
        found = [graph for inner in subgraphs(node) for graph in every_graph(inner)]
        graphs += found
        nodes += [node, *(n for graph in found for n in graph.node)]
    return graphs, nodes


def _permute_constant(node: NodeProto, rng: np.random.Generator) -> None:
    """Shuffle what a Constant has in place."""
    for attribute in node.attribute:
        if attribute.type == AttributeProto.TENSOR:
            _permute(attribute.t, rng)
        elif attribute.type == AttributeProto.SPARSE_TENSOR:
            _permute(attribute.sparse_tensor.values, rng)
        elif attribute.type == AttributeProto.FLOATS and len(attribute.floats) > 1:
            attribute.floats[:] = rng.permutation(list(attribute.floats)).tolist()


def _save(proto: onnx.ModelProto, out: Path) -> Path:
    if proto.ByteSize() < 2**31 - 2**20:
        onnx.save(proto, out)
    else:
        # One protobuf holds 2 GiB at most.
        onnx.save(proto, out, save_as_external_data=True, location=out.name + ".data")
    return out


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
