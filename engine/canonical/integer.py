"""Integer products of a signal quantised by its own range, as the float layer they stand for.

``x -> DynamicQuantizeLinear -> MatMulInteger or ConvInteger -> Cast -> times both scales`` is x times the
weight, but for rounding. As a float layer it gets its bias, which is added later, and bounds of its input
in their unit.
"""

from __future__ import annotations

import numpy as np

from ..graph import ROUNDED, Array, Graph, Node
from ..probe import Probe
from . import match

_FLOAT = {"MatMulInteger": "MatMul", "ConvInteger": "Conv"}


def run(graph: Graph, probe: Probe) -> Graph:
    """Put a MatMul or Conv in the place of every such product; what rounding adds goes to the ledger."""
    made: dict[Node, Node] = {}
    for node in graph.nodes:
        if node.domain != "" or node.op_type != "Mul" or node.outputs[0] not in probe.varying:
            continue
        for floats, scale in match.pairs(node):
            new = _layer(graph, probe, node, floats, scale)
            if new is not None:
                made[node] = new
                break
    return match.replace(graph, made, set())


def _layer(graph: Graph, probe: Probe, node: Node, floats: str, scale: str) -> Node | None:
    cast = match.made_by(graph, probe, floats, "Cast")
    product = None if cast is None else match.made_by(graph, probe, cast.inputs[0], *_FLOAT)
    scales = match.made_by(graph, probe, scale, "Mul")
    if cast is None or product is None or scales is None:
        return None
    source = match.made_by(graph, probe, product.inputs[0], "DynamicQuantizeLinear")
    if source is None or product.inputs[2:3] != source.outputs[2:3]:
        return None
    if any(graph.keeps(v) for v in (floats, cast.inputs[0], *source.outputs)):
        return None
    for own, other in match.pairs(scales):
        if own == source.outputs[1] and other in probe.constants:
            weight = _weight(product, probe, probe.constants[other])
            if weight is None:
                return None
            name = f"{product.name}/float_weight"
            probe.add_constant(name, weight)
            attributes = {**product.attributes, ROUNDED: 1}
            kind = _FLOAT[product.op_type]
            return Node(product.name, "", kind, 13, (source.inputs[0], name), node.outputs, attributes)
    return None


def _weight(product: Node, probe: Probe, scale: Array) -> Array | None:
    """The weight as numbers; its scale and zero point are one, or one for each output."""
    weight = probe.constants.get(product.inputs[1])
    given = product.inputs[3] if len(product.inputs) > 3 else ""
    zero = probe.constants.get(given) if given else np.zeros((), np.int32)
    if weight is None or zero is None:
        return None
    axis = -1 if product.op_type == "MatMulInteger" else 0
    shape = [1] * weight.ndim
    shape[axis] = -1
    if any(a.size not in (1, weight.shape[axis]) for a in (zero, scale)):
        return None
    shifted = weight.astype(np.int32) - zero.astype(np.int32).reshape(shape)
    made: Array = (shifted * scale.reshape(shape)).astype(scale.dtype)
    return made
