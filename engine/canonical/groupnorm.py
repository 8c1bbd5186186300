"""GroupNorm and InstanceNorm written around another normalisation as one operator.

Exporters write GroupNorm as a Reshape that sets the groups apart, a normalisation of each, a Reshape
back, and gamma and beta of each channel as Mul and Add. Whether beta is a sum of signals, which some
composites stabilise, must not depend on that.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..analysis.probe import Probe
from ..analysis.shapes import Shape
from ..file.graph import Graph, Node
from . import match


def run(graph: Graph, probe: Probe) -> Graph:
    """Put a GroupNormalization (one channel a group: InstanceNormalization) in the place of the parts."""
    made: dict[Node, Node] = {}
    gone: set[Node] = set()
    for node in graph.nodes:
        if not _is_plain(node, probe):
            continue
        x, y, nodes, groups = node.inputs[0], node.outputs[0], [node], probe.shapes[node.inputs[0]][1]
        before, after = match.made_by(graph, probe, x, "Reshape"), match.reader(graph, y)
        if before is not None and after is not None and after.op_type == "Reshape" and after.inputs[0] == y:
            outer = before.inputs[0]
            if _regrouped(probe.shapes[outer], probe.shapes[x], probe.shapes[after.outputs[0]]):
                x, y, nodes = outer, after.outputs[0], [node, after]
        shape = probe.shapes[x]
        channels = shape[1]
        y, scale, shift, factors = match.affine(graph, probe, y, (channels, *(1 for _ in shape[2:])))
        if not factors or not isinstance(channels, int):
            continue
        dtype = probe.dtypes[x]
        names = (f"{node.name}/scale", f"{node.name}/shift")
        for name, value, default in ((names[0], scale, 1), (names[1], shift, 0)):
            vector = np.full(channels, default, dtype) if value is None else value.reshape(channels)
            probe.add_constant(name, vector)
        attributes: dict[str, Any] = {"epsilon": float(node.attributes.get("epsilon", 1e-5))}
        kind = "InstanceNormalization"
        if groups != channels:
            kind, attributes["num_groups"] = "GroupNormalization", groups
        made[factors[-1]] = Node(node.name, "", kind, 21, (x, *names), (y,), attributes)
        gone |= {*nodes, *factors}
    return match.replace(graph, made, gone)


def _is_plain(node: Node, probe: Probe) -> bool:
    """Whether a node normalises each channel of each sample, without gamma and beta."""
    if node.domain != "" or node.inputs[0] not in probe.varying:
        return False
    rank = len(probe.shapes[node.inputs[0]])
    if rank < 3 or node.op_type not in ("InstanceNormalization", "LayerNormalization"):
        return False
    axis = int(node.attributes.get("axis", -1))
    if node.op_type == "LayerNormalization" and (axis + rank if axis < 0 else axis) != 2:
        return False
    if any(node.outputs[1:]):
        return False
    given = [probe.constants.get(v) for v in node.inputs[1:] if v]
    values = (c is not None and bool((c == k).all()) for c, k in zip(given, (1, 0), strict=False))
    return all(values)


def _regrouped(outer: Shape, inner: Shape, back: Shape) -> bool:
    """Whether a Reshape only splits the channels into groups, and another one puts them together again."""
    channels, groups = outer[1] if len(outer) > 2 else 0, inner[1]
    if outer != back or not isinstance(channels, int) or not isinstance(groups, int):
        return False
    return outer[0] == inner[0] and groups > 0 and channels % groups == 0
