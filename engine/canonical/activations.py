"""Activations written in parts as one operator: Sigmoid, LeakyRelu, Relu.

What is ``x f(x)`` (GELU, SiLU, HardSwish) is left to `gates`.
"""

from __future__ import annotations

from typing import Any

from ..analysis.probe import Probe
from ..file.graph import Graph, Node
from . import match


def run(graph: Graph, probe: Probe) -> Graph:
    """Put one operator in the place of the last of its parts."""
    made: dict[Node, Node] = {}
    for node in graph.nodes:
        if node.domain != "" or node.outputs[0] not in probe.varying:
            continue
        found = _sigmoid(graph, probe, node) or _rectified(graph, probe, node)
        if found is not None:
            kind, x, attributes = found
            made[node] = Node(node.name, "", kind, 16, (x,), node.outputs, attributes)
    return match.replace(graph, made, set())


def _sigmoid(graph: Graph, probe: Probe, node: Node) -> tuple[str, str, dict[str, Any]] | None:
    """``1 / (1 + exp(-x))``."""
    if node.op_type not in ("Div", "Reciprocal"):
        return None
    if node.op_type == "Div" and match.number(probe, node.inputs[0]) != 1:
        return None
    total = match.made_by(graph, probe, node.inputs[-1], "Add")
    for one, other in match.pairs(total) if total is not None else ():
        power = match.made_by(graph, probe, other, "Exp")
        minus = None if power is None else match.made_by(graph, probe, power.inputs[0], "Neg", "Mul")
        if power is None or minus is None or match.number(probe, one) != 1:
            continue
        if any(graph.keeps(v) for v in (node.inputs[-1], other, power.inputs[0])):
            continue
        if minus.op_type == "Neg":
            return "Sigmoid", minus.inputs[0], {}
        for x, factor in match.pairs(minus):
            if match.number(probe, factor) == -1:
                return "Sigmoid", x, {}
    return None


def _rectified(graph: Graph, probe: Probe, node: Node) -> tuple[str, str, dict[str, Any]] | None:
    """``max(x, 0)`` or ``max(x, a x)`` with a between 0 and 1."""
    if node.op_type != "Max":
        return None
    for x, other in match.pairs(node):
        if x not in probe.varying or probe.shapes[x] != probe.shapes[node.outputs[0]]:
            continue
        constant = probe.constants.get(other)
        if constant is not None and not constant.any():
            return "Relu", x, {}
        scaled = match.made_by(graph, probe, other, "Mul")
        for signal, factor in match.pairs(scaled) if scaled is not None and not graph.keeps(other) else ():
            alpha = match.number(probe, factor)
            if alpha is not None and 0 <= alpha <= 1 and match.same(graph, probe, signal, x):
                return "LeakyRelu", x, {"alpha": alpha}
    return None
