"""BatchNormalization merged into the layer before it.

At inference it is a scale and a shift of each channel. Rules that look at weights (gamma, z-plus, ...) and
LRP-epsilon's denominator must see the layer as it acts; nothing changes for the others.
"""

from __future__ import annotations

import numpy as np

from ..graph import Array, Graph, Node
from ..probe import Probe

_WEIGHT_AXIS = {"Conv": 0, "Gemm": None, "Linear": -1}


def run(graph: Graph, probe: Probe) -> Graph:
    """Put one layer in the place of every layer whose only reader is a BatchNormalization."""
    merged: dict[Node, Node] = {}
    gone: set[Node] = set()
    for norm in graph.nodes:
        if norm.op_type != "BatchNormalization" or norm.domain != "" or norm.attributes.get("training_mode"):
            continue
        layer = graph.producer.get(norm.inputs[0])
        if layer is None or layer.op_type not in _WEIGHT_AXIS or graph.keeps(norm.inputs[0]):
            continue
        if graph.consumers(norm.inputs[0]) != [norm] or not all(
            v in probe.constants for v in norm.inputs[1:]
        ):
            continue
        new = _merge(layer, norm, probe)
        if new is not None:
            merged[norm] = new
            gone.add(layer)
    if not merged:
        return graph
    nodes = [merged.get(n, n) for n in graph.nodes if n not in gone]
    return graph.with_nodes(nodes)


def _merge(layer: Node, norm: Node, probe: Probe) -> Node | None:
    if not all(v in probe.constants for v in layer.inputs[1:] if v) or layer.inputs[0] not in probe.varying:
        return None
    gamma, beta, mean, variance = (probe.constants[v].astype(np.float64) for v in norm.inputs[1:5])
    scale = gamma / np.sqrt(variance + float(norm.attributes.get("epsilon", 1e-5)))
    weight = probe.constants[layer.inputs[1]].astype(np.float64)
    attributes = dict(layer.attributes)
    per_output = _per_output(layer, weight, scale)
    if per_output is None:
        return None
    bias = np.zeros(len(scale))
    if len(layer.inputs) > 2 and layer.inputs[2]:
        factor = float(attributes.get("beta", 1.0)) if layer.op_type == "Gemm" else 1.0
        bias = factor * probe.constants[layer.inputs[2]].astype(np.float64)
    if layer.op_type == "Gemm":
        attributes["beta"] = 1.0
    names = [f"{norm.name}/merged_weight", f"{norm.name}/merged_bias"]
    dtype = probe.constants[layer.inputs[1]].dtype
    for name, value in zip(names, (per_output, (bias - mean) * scale + beta), strict=True):
        probe.add_constant(name, value.astype(dtype))
    return Node(
        layer.name,
        layer.domain,
        layer.op_type,
        layer.version,
        (layer.inputs[0], *names),
        norm.outputs[:1],
        attributes,
    )


def _per_output(layer: Node, weight: Array, scale: Array) -> Array | None:
    """The weight with every output channel scaled."""
    axis = _WEIGHT_AXIS[layer.op_type]
    if axis is None:
        axis = 0 if layer.attributes.get("transB", 0) else 1
    if weight.shape[axis] != len(scale):
        return None
    shape = [1] * weight.ndim
    shape[axis] = -1
    scaled: Array = weight * scale.reshape(shape)
    return scaled
