"""Integer products of a signal quantised by its own range, as the float layer they stand for.

``x -> DynamicQuantizeLinear -> MatMulInteger or ConvInteger -> Cast -> times both scales`` is x times the
weight, but for rounding. As a float layer it gets its bias, which is added later, and bounds of its input
in their unit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..analysis.analysis import Analysis
from ..file.graph import ROUNDED, Node
from ..file.protobuf import Array
from . import match
from .rewrite import Rewrite

# Kind of product, names of weight and zero point, type and bytes of the scale.
Key = tuple[str, str, str, str, bytes]

_FLOAT = {"MatMulInteger": "MatMul", "ConvInteger": "Conv"}


def run(analysis: Analysis) -> Analysis:
    """Put a MatMul or Conv in the place of every such product; what rounding adds goes to the ledger."""
    rewrite = Rewrite(analysis)
    floats_of: dict[Key, str] = {}
    for node in analysis.nodes:
        if node.domain != "" or node.op_type != "Mul" or not analysis.varies(node.outputs[0]):
            continue
        for floats, scale in match.pairs(node):
            product = _product(analysis, floats, scale)
            if product is None:
                continue
            weight = _float_weight(analysis, product, rewrite, floats_of)
            if weight is not None:
                rewrite.put(_layer(product, weight, node), node)
                break
    return rewrite.done()


@dataclass(frozen=True)
class _Product:
    """An integer product of a quantised signal: the signal before, and the scale of the weight."""

    node: Node
    signal: str
    scale: Array


def _product(analysis: Analysis, floats: str, scale: str) -> _Product | None:
    """The product that was made floating, and is multiplied by its signal's own scale and another one."""
    cast = match.made_by(analysis, floats, "Cast")
    product = None if cast is None else match.made_by(analysis, cast.inputs[0], *_FLOAT)
    scales = match.made_by(analysis, scale, "Mul")
    if cast is None or product is None or scales is None:
        return None
    source = match.made_by(analysis, product.inputs[0], "DynamicQuantizeLinear")
    if source is None or product.inputs[2:3] != source.outputs[2:3]:
        return None
    if analysis.keeps(floats, cast.inputs[0], *source.outputs):
        return None
    for own, other in match.pairs(scales):
        known = analysis.constant(other)
        if own == source.outputs[1] and known is not None:
            return _Product(product, source.inputs[0], known)
    return None


def _layer(product: _Product, weight: str, last: Node) -> Node:
    """The float layer, in the place of the last of its parts."""
    node = product.node
    attributes = {**node.attributes, ROUNDED: 1}
    return Node(node.name, "", _FLOAT[node.op_type], 13, (product.signal, weight), last.outputs, attributes)


def _float_weight(
    analysis: Analysis, product: _Product, rewrite: Rewrite, floats_of: dict[Key, str]
) -> str | None:
    """Name of the weight as numbers: one for all products with it, as the steps of a recurrent layer are."""
    node, scale = product.node, product.scale
    given = node.inputs[3] if len(node.inputs) > 3 else ""
    key = (node.op_type, node.inputs[1], given, scale.dtype.str, scale.tobytes())
    if key not in floats_of:
        weight = _weight(analysis, node, scale)
        if weight is None:
            return None
        floats_of[key] = rewrite.constant(f"{node.name}/float_weight", weight)
    return floats_of[key]


def _weight(analysis: Analysis, product: Node, scale: Array) -> Array | None:
    """The weight as numbers; its scale and zero point are one, or one for each output."""
    weight = analysis.constant(product.inputs[1])
    given = product.inputs[3] if len(product.inputs) > 3 else ""
    zero = analysis.constant(given) if given else np.zeros((), np.int32)
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
