"""GroupNorm and InstanceNorm written around another normalisation as one operator.

Exporters write GroupNorm as a Reshape that sets the groups apart, a normalisation of each, a Reshape
back, and gamma and beta of each channel as Mul and Add. Whether beta is a sum of signals, which some
composites stabilise, must not depend on that.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..analysis.analysis import Analysis
from ..analysis.shapes import Shape
from ..file.graph import Node
from . import match
from .rewrite import Rewrite


def run(analysis: Analysis) -> Analysis:
    """Put a GroupNormalization (one channel a group: InstanceNormalization) in the place of the parts."""
    rewrite = Rewrite(analysis)
    for node in analysis.nodes:
        if not _is_plain(analysis, node):
            continue
        x, y, nodes, groups = node.inputs[0], node.outputs[0], [node], analysis.shape(node.inputs[0])[1]
        before, after = match.made_by(analysis, x, "Reshape"), match.reader(analysis, y)
        if before is not None and after is not None and after.op_type == "Reshape" and after.inputs[0] == y:
            outer = before.inputs[0]
            if _regrouped(analysis.shape(outer), analysis.shape(x), analysis.shape(after.outputs[0])):
                x, y, nodes = outer, after.outputs[0], [node, after]
        shape = analysis.shape(x)
        channels = shape[1]
        y, scale, shift, factors = match.affine(analysis, y, (channels, *(1 for _ in shape[2:])))
        if not factors or not isinstance(channels, int):
            continue
        dtype = analysis.dtype(x)
        names = (f"{node.name}/scale", f"{node.name}/shift")
        for name, value, default in ((names[0], scale, 1), (names[1], shift, 0)):
            vector = np.full(channels, default, dtype) if value is None else value.reshape(channels)
            rewrite.constant(name, vector)
        attributes: dict[str, Any] = {"epsilon": float(node.attributes.get("epsilon", 1e-5))}
        kind = "InstanceNormalization"
        if groups != channels:
            kind, attributes["num_groups"] = "GroupNormalization", groups
        whole = Node(node.name, "", kind, 21, (x, *names), (y,), attributes)
        rewrite.put(whole, factors[-1], without=[*nodes, *factors])
    return rewrite.done()


def _is_plain(analysis: Analysis, node: Node) -> bool:
    """Whether a node normalises each channel of each sample, without gamma and beta."""
    if node.domain != "" or not analysis.varies(node.inputs[0]):
        return False
    rank = analysis.rank(node.inputs[0])
    if rank < 3 or node.op_type not in ("InstanceNormalization", "LayerNormalization"):
        return False
    axis = int(node.attributes.get("axis", -1))
    if node.op_type == "LayerNormalization" and (axis + rank if axis < 0 else axis) != 2:
        return False
    if any(node.outputs[1:]):
        return False
    given = [analysis.constant(v) for v in node.inputs[1:] if v]
    values = (c is not None and bool((c == k).all()) for c, k in zip(given, (1, 0), strict=False))
    return all(values)


def _regrouped(outer: Shape, inner: Shape, back: Shape) -> bool:
    """Whether a Reshape only splits the channels into groups, and another one puts them together again."""
    channels, groups = outer[1] if len(outer) > 2 else 0, inner[1]
    if outer != back or not isinstance(channels, int) or not isinstance(groups, int):
        return False
    return outer[0] == inner[0] and groups > 0 and channels % groups == 0
