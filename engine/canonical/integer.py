"""Integer products of a signal quantised by its own range, as the float layer they stand for.

``x -> DynamicQuantizeLinear -> MatMulInteger or ConvInteger -> Cast -> times both scales`` is x times the
weight, but for rounding. As a float layer it gets its bias, which is added later, and bounds of its input
in their unit.
"""

from __future__ import annotations

import numpy as np

from ..analysis.probe import Probe
from ..file.graph import ROUNDED, Array, Graph, Node
from . import match

# Kind of product, names of weight and zero point, type and bytes of the scale.
Key = tuple[str, str, str, str, bytes]

_FLOAT = {"MatMulInteger": "MatMul", "ConvInteger": "Conv"}


def run(graph: Graph, probe: Probe) -> Graph:
    """Put a MatMul or Conv in the place of every such product; what rounding adds goes to the ledger."""
    made: dict[Node, Node] = {}
    floats_of: dict[Key, str] = {}
    for node in graph.nodes:
        if node.domain != "" or node.op_type != "Mul" or node.outputs[0] not in probe.varying:
            continue
        for floats, scale in match.pairs(node):
            new = _layer(graph, probe, node, floats, scale, floats_of)
            if new is not None:
                made[node] = new
                break
    return match.replace(graph, made, set())


def _layer(
    graph: Graph, probe: Probe, node: Node, floats: str, scale: str, floats_of: dict[Key, str]
) -> Node | None:
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
            name = _float_weight(product, probe, probe.constants[other], floats_of)
            if name is None:
                return None
            attributes = {**product.attributes, ROUNDED: 1}
            kind = _FLOAT[product.op_type]
            return Node(product.name, "", kind, 13, (source.inputs[0], name), node.outputs, attributes)
    return None


def _float_weight(product: Node, probe: Probe, scale: Array, floats_of: dict[Key, str]) -> str | None:
    """Name of the weight as numbers: one for all products with it, as the steps of a recurrent layer are."""
    given = product.inputs[3] if len(product.inputs) > 3 else ""
    key = (product.op_type, product.inputs[1], given, scale.dtype.str, scale.tobytes())
    if key not in floats_of:
        weight = _weight(product, probe, scale)
        if weight is None:
            return None
        floats_of[key] = f"{product.name}/float_weight"
        probe.add_constant(floats_of[key], weight)
    return floats_of[key]


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
