"""LayerNorm written in parts as one LayerNormalization.

Exporters below opset 17 write ``(x - mean) / sqrt(mean((x - mean)^2) + eps) * gamma + beta`` with seven
to nine operators. The denominator held constant gives the LN rule for either spelling, but the sums in
it (the centring, beta) would be stabilised as sums of signals where a composite asks for that.
"""

from __future__ import annotations

import numpy as np

from ..analysis.probe import Probe
from ..file.graph import Graph, Node
from . import match


def run(graph: Graph, probe: Probe) -> Graph:
    """Put a LayerNormalization in the place of every normalisation over the last axes."""
    made: dict[Node, Node] = {}
    gone: set[Node] = set()
    for node in graph.nodes:
        found = _normalised(graph, probe, node)
        if found is None:
            continue
        x, axes, epsilon = found
        over = probe.shapes[node.outputs[0]][axes[0] :]
        if axes != tuple(range(-len(axes), 0)) or not all(isinstance(d, int) for d in over):
            continue
        y, scale, shift, nodes = match.affine(graph, probe, node.outputs[0], over)
        dtype = probe.dtypes[x]
        scale = np.ones([d for d in over if isinstance(d, int)], dtype) if scale is None else scale
        names = [f"{node.name}/scale", *([] if shift is None else [f"{node.name}/shift"])]
        for name, value in zip(names, (scale, shift), strict=False):
            assert value is not None
            probe.add_constant(name, value)
        attributes = {"axis": axes[0], "epsilon": epsilon}
        last = nodes[-1] if nodes else node
        made[last] = Node(node.name, "", "LayerNormalization", 17, (x, *names), (y,), attributes)
        gone |= {node, *nodes}
    return match.replace(graph, made, gone)


def _normalised(graph: Graph, probe: Probe, node: Node) -> tuple[str, tuple[int, ...], float] | None:
    """The signal, axes and epsilon, where a node divides a centred signal by its own deviation."""
    if node.domain != "" or node.op_type not in ("Div", "Mul") or node.outputs[0] not in probe.varying:
        return None
    for centred, other in match.pairs(node):
        root = _variance_of(graph, probe, other, inverse=node.op_type == "Mul")
        centring = match.made_by(graph, probe, centred, "Sub")
        if root is None or centring is None:
            continue
        variance, epsilon = root
        mean = match.made_by(graph, probe, centring.inputs[1], "ReduceMean")
        if mean is None or not match.same(graph, probe, mean.inputs[0], centring.inputs[0]):
            continue
        squared = _squared(graph, probe, variance.inputs[0])
        axes = match.reduced(mean, probe)
        if squared is None or axes is None or axes != match.reduced(variance, probe):
            continue
        if not match.same(graph, probe, squared, centred):
            continue
        inner = (centred, other, *mean.outputs, *variance.outputs, *variance.inputs)
        if not any(graph.keeps(v) for v in inner):
            return centring.inputs[0], axes, epsilon
        if node.op_type == "Div":
            break
    return None


def _variance_of(graph: Graph, probe: Probe, value: str, *, inverse: bool) -> tuple[Node, float] | None:
    """The mean of squares v and epsilon, where a value is ``sqrt(v + eps)`` or one over that."""
    power = 0.5
    if inverse:
        node = match.made_by(graph, probe, value, "Reciprocal", "Div", "Pow")
        if node is None:
            return None
        if node.op_type == "Pow":
            power = -0.5
        elif node.op_type == "Div" and match.number(probe, node.inputs[0]) != 1.0:
            return None
        else:
            value = node.inputs[-1]
    node = match.made_by(graph, probe, value, "Sqrt", "Pow")
    if node is None or (node.op_type == "Sqrt" and power < 0):
        return None
    if node.op_type == "Pow" and match.number(probe, node.inputs[1]) != power:
        return None
    floor = match.made_by(graph, probe, node.inputs[0], "Add", "ReduceMean")
    if floor is None:
        return None
    if floor.op_type == "ReduceMean":
        return floor, 0.0
    for inner, constant in match.pairs(floor):
        epsilon, mean = match.number(probe, constant), match.made_by(graph, probe, inner, "ReduceMean")
        if epsilon is not None and mean is not None:
            return mean, epsilon
    return None


def _squared(graph: Graph, probe: Probe, value: str) -> str | None:
    """What a value is the square of."""
    node = match.made_by(graph, probe, value, "Pow", "Mul")
    if node is None:
        return None
    if node.op_type == "Pow":
        return node.inputs[0] if match.number(probe, node.inputs[1]) == 2.0 else None
    return node.inputs[0] if match.same(graph, probe, *node.inputs) else None
