"""BatchNormalization, or what is left of one, merged into the layer before it.

At inference it is a scale and a shift of each channel, which some exporters write as Mul and Add. Rules
that look at weights (gamma, z-plus, ...) and LRP-epsilon's denominator must see the layer as it acts;
nothing changes for the others.
"""

from __future__ import annotations

import numpy as np

from ..analysis.analysis import Analysis
from ..file.graph import Node
from ..file.protobuf import Array
from . import match
from .rewrite import Rewrite

_LAYERS = frozenset({"Conv", "ConvTranspose", "Gemm", "Linear", "MatMul"})


def run(analysis: Analysis) -> Analysis:
    """Put one layer in the place of every layer whose only reader scales and shifts its channels."""
    rewrite = Rewrite(analysis)
    for node in analysis.nodes:
        for value in node.inputs if node.domain == "" else ():
            layer = analysis.producer(value)
            if layer is None or layer.op_type not in _LAYERS or match.reader(analysis, value) is not node:
                continue
            if rewrite.replaces(layer):
                continue
            new = _merge(analysis, layer, node, value, rewrite)
            if new is not None:
                rewrite.put(new, node, without=[layer])
                break
    made = rewrite.done()
    # What is merged may be scaled and shifted again.
    return analysis if made is analysis else run(made)


def _merge(analysis: Analysis, layer: Node, norm: Node, value: str, rewrite: Rewrite) -> Node | None:
    x, *weights = layer.inputs
    if not analysis.varies(x) or not all(analysis.is_constant(v) for v in weights if v):
        return None
    if norm.op_type == "BatchNormalization":
        found = _normalisation(analysis, norm, value)
    else:
        found = _affine(analysis, layer, norm, value)
    if found is None:
        return None
    scale, shift = found
    weight = analysis.constants[layer.inputs[1]].astype(np.float64)
    attributes = dict(layer.attributes)
    per_output = _per_output(layer, weight, scale, analysis.rank(value))
    if per_output is None:
        return None
    bias: Array = np.zeros(len(scale))
    if len(layer.inputs) > 2 and layer.inputs[2]:
        factor = float(attributes.get("beta", 1.0)) if layer.op_type == "Gemm" else 1.0
        bias = factor * analysis.constants[layer.inputs[2]].astype(np.float64)
    if layer.op_type == "Gemm":
        attributes["beta"] = 1.0
    names = [f"{norm.name}/merged_weight", f"{norm.name}/merged_bias"]
    dtype = analysis.constants[layer.inputs[1]].dtype
    for name, array in zip(names, (per_output, bias * scale + shift), strict=True):
        rewrite.constant(name, array.astype(dtype))
    plain = layer.op_type == "MatMul"
    return Node(
        layer.name,
        "onnxplain" if plain else layer.domain,
        "Linear" if plain else layer.op_type,
        1 if plain else layer.version,
        (layer.inputs[0], *names),
        norm.outputs[:1],
        attributes,
    )


def _normalisation(analysis: Analysis, norm: Node, value: str) -> tuple[Array, Array] | None:
    """Scale and shift of each channel, of a BatchNormalization."""
    if norm.inputs[0] != value or norm.attributes.get("training_mode"):
        return None
    if not all(analysis.is_constant(v) for v in norm.inputs[1:]):
        return None
    gamma, beta, mean, variance = (analysis.constants[v].astype(np.float64) for v in norm.inputs[1:5])
    scale = gamma / np.sqrt(variance + float(norm.attributes.get("epsilon", 1e-5)))
    return scale, beta - mean * scale


def _affine(analysis: Analysis, layer: Node, node: Node, value: str) -> tuple[Array, Array] | None:
    """Scale and shift of each channel, of an operator with a constant after a convolution."""
    if layer.op_type not in ("Conv", "ConvTranspose") or len(node.inputs) != 2:
        return None
    if node.inputs.count(value) != 1:
        return None
    shape, at = analysis.shape(value), node.inputs.index(value)
    constant = analysis.constant(node.inputs[1 - at])
    channels = shape[1]
    if constant is None or not isinstance(channels, int) or analysis.shape(node.outputs[0]) != shape:
        return None
    if node.op_type in ("Mul", "Div") and (constant.ndim == 0 or constant.size == 1 < channels):
        return None  # part of what comes next, an activation's scale: no normalisation has one number
    spread = match.spread(constant.astype(np.float64), (channels, *(1 for _ in shape[2:])))
    if spread is None:
        return None
    by, one, none = spread.reshape(channels), np.ones(channels), np.zeros(channels)
    if node.op_type == "Mul":
        return by, none
    if node.op_type == "Div" and at == 0 and by.all():
        return 1 / by, none
    if node.op_type == "Add":
        return one, by
    if node.op_type == "Sub" and at == 0:
        return one, -by
    return None


def _per_output(layer: Node, weight: Array, scale: Array, rank: int) -> Array | None:
    """The weight with every output channel scaled."""
    if layer.op_type == "ConvTranspose":
        return _per_output_transposed(weight, scale, int(layer.attributes.get("group", 1)))
    if layer.op_type == "Conv":
        axis = 0
    elif layer.op_type == "Gemm":
        axis = 0 if layer.attributes.get("transB", 0) else 1
    elif rank == 2:
        axis = -1
    else:
        return None  # the channels are on axis 1, the layer's outputs on the last
    if weight.shape[axis] != len(scale):
        return None
    shape = [1] * weight.ndim
    shape[axis] = -1
    scaled: Array = weight * scale.reshape(shape)
    return scaled


def _per_output_transposed(weight: Array, scale: Array, groups: int) -> Array | None:
    """The same for [inputs, outputs of a group, ...], where each group of inputs has outputs of its own."""
    inputs, outputs = weight.shape[:2]
    if groups * outputs != len(scale):
        return None
    split = weight.reshape(groups, inputs // groups, *weight.shape[1:])
    spread = scale.reshape(groups, 1, outputs, *(1 for _ in weight.shape[2:]))
    scaled: Array = (split * spread).reshape(weight.shape)
    return scaled
