"""LayerNorm written in parts as one LayerNormalization.

Exporters below opset 17 write ``(x - mean) / sqrt(mean((x - mean)^2) + eps) * gamma + beta`` with seven
to nine operators. The denominator held constant gives the LN rule for either spelling, but the sums in
it (the centring, beta) would be stabilised as sums of signals where a composite asks for that.
"""

from __future__ import annotations

import numpy as np

from ..analysis.analysis import Analysis
from ..file.graph import Node
from . import match
from .rewrite import Rewrite


def run(analysis: Analysis) -> Analysis:
    """Put a LayerNormalization in the place of every normalisation over the last axes."""
    rewrite = Rewrite(analysis)
    for node in analysis.nodes:
        found = _normalised(analysis, node)
        if found is None:
            continue
        x, axes, epsilon = found
        over = analysis.shape(node.outputs[0])[axes[0] :]
        if axes != tuple(range(-len(axes), 0)) or not all(isinstance(d, int) for d in over):
            continue
        y, scale, shift, nodes = match.affine(analysis, node.outputs[0], over)
        dtype = analysis.dtype(x)
        scale = np.ones([d for d in over if isinstance(d, int)], dtype) if scale is None else scale
        inputs = [x, rewrite.constant(f"{node.name}/scale", scale)]
        if shift is not None:
            inputs.append(rewrite.constant(f"{node.name}/shift", shift))
        attributes = {"axis": axes[0], "epsilon": epsilon}
        whole = Node(node.name, "", "LayerNormalization", 17, tuple(inputs), (y,), attributes)
        rewrite.put(whole, nodes[-1] if nodes else node, without=[node, *nodes])
    return rewrite.done()


def _normalised(analysis: Analysis, node: Node) -> tuple[str, tuple[int, ...], float] | None:
    """The signal, axes and epsilon, where a node divides a centred signal by its own deviation."""
    if node.domain != "" or node.op_type not in ("Div", "Mul") or not analysis.varies(node.outputs[0]):
        return None
    for centred, other in match.pairs(node):
        root = _variance_of(analysis, other, inverse=node.op_type == "Mul")
        centring = match.made_by(analysis, centred, "Sub")
        if root is None or centring is None:
            continue
        variance, epsilon = root
        mean = match.made_by(analysis, centring.inputs[1], "ReduceMean")
        if mean is None or not match.same(analysis, mean.inputs[0], centring.inputs[0]):
            continue
        squared = _squared(analysis, variance.inputs[0])
        axes = match.reduced(analysis, mean)
        if squared is None or axes is None or axes != match.reduced(analysis, variance):
            continue
        if not match.same(analysis, squared, centred):
            continue
        inner = (centred, other, *mean.outputs, *variance.outputs, *variance.inputs)
        if not analysis.keeps(*inner):
            return centring.inputs[0], axes, epsilon
        if node.op_type == "Div":
            break
    return None


def _variance_of(analysis: Analysis, value: str, *, inverse: bool) -> tuple[Node, float] | None:
    """The mean of squares v and epsilon, where a value is ``sqrt(v + eps)`` or one over that."""
    power = 0.5
    if inverse:
        node = match.made_by(analysis, value, "Reciprocal", "Div", "Pow")
        if node is None:
            return None
        if node.op_type == "Pow":
            power = -0.5
        elif node.op_type == "Div" and match.number(analysis, node.inputs[0]) != 1.0:
            return None
        else:
            value = node.inputs[-1]
    node = match.made_by(analysis, value, "Sqrt", "Pow")
    if node is None or (node.op_type == "Sqrt" and power < 0):
        return None
    if node.op_type == "Pow" and match.number(analysis, node.inputs[1]) != power:
        return None
    floor = match.made_by(analysis, node.inputs[0], "Add", "ReduceMean")
    if floor is None:
        return None
    if floor.op_type == "ReduceMean":
        return floor, 0.0
    for inner, constant in match.pairs(floor):
        epsilon, mean = match.number(analysis, constant), match.made_by(analysis, inner, "ReduceMean")
        if epsilon is not None and mean is not None:
            return mean, epsilon
    return None


def _squared(analysis: Analysis, value: str) -> str | None:
    """What a value is the square of."""
    node = match.made_by(analysis, value, "Pow", "Mul")
    if node is None:
        return None
    if node.op_type == "Pow":
        return node.inputs[0] if match.number(analysis, node.inputs[1]) == 2.0 else None
    return node.inputs[0] if match.same(analysis, *node.inputs) else None
