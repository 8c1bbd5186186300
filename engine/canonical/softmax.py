"""Softmax and LogSoftmax written in parts as one operator.

``exp(x - max x) / sum exp(x - max x)``: taken operator by operator, the exponential would be an activation
and the sum a normaliser, and relevance of the logits would come out by another rule than softmax has.
"""

from __future__ import annotations

from ..graph import Graph, Node
from ..probe import Probe
from . import match


def run(graph: Graph, probe: Probe) -> Graph:
    """Put a Softmax in the place of every quotient of exponentials, a LogSoftmax for its logarithm."""
    made: dict[Node, Node] = {}
    for node in graph.nodes:
        found = _quotient(graph, probe, node) or _difference(graph, probe, node)
        if found is not None:
            kind, x, axis = found
            made[node] = Node(node.name, "", kind, 13, (x,), node.outputs, {"axis": axis})
    return match.replace(graph, made, set())


def _quotient(graph: Graph, probe: Probe, node: Node) -> tuple[str, str, int] | None:
    """``e / sum e`` or ``e * (1 / sum e)``, e an exponential."""
    if node.domain != "" or node.op_type not in ("Div", "Mul") or node.outputs[0] not in probe.varying:
        return None
    orders = list(match.pairs(node))
    for e, total in orders[:1] if node.op_type == "Div" else orders:
        if node.op_type == "Mul":
            inverse = match.made_by(graph, probe, total, "Reciprocal", "Div")
            if inverse is None or (len(inverse.inputs) == 2 and match.number(probe, inverse.inputs[0]) != 1):
                continue
            total = inverse.inputs[-1]
        power = match.made_by(graph, probe, e, "Exp")
        axis = None if power is None else _summed(graph, probe, total, e)
        if power is None or axis is None or graph.keeps(e) or graph.keeps(total):
            continue
        return "Softmax", _unshifted(graph, probe, power.inputs[0], axis), axis
    return None


def _difference(graph: Graph, probe: Probe, node: Node) -> tuple[str, str, int] | None:
    """``x - log sum exp x``."""
    if node.domain != "" or node.op_type != "Sub" or node.outputs[0] not in probe.varying:
        return None
    x, other = node.inputs
    log = match.made_by(graph, probe, other, "Log")
    total = None if log is None else match.made_by(graph, probe, log.inputs[0], "ReduceSum")
    if total is None:
        return None
    power = match.made_by(graph, probe, total.inputs[0], "Exp")
    axes = match.reduced(total, probe)
    if power is None or axes is None or len(axes) != 1 or not match.same(graph, probe, power.inputs[0], x):
        return None
    if any(graph.keeps(v) for v in (other, *total.outputs, *power.outputs)):
        return None
    return "LogSoftmax", _unshifted(graph, probe, x, axes[0]), axes[0]


def _summed(graph: Graph, probe: Probe, total: str, e: str) -> int | None:
    """The axis over which a value is the sum of e."""
    node = match.made_by(graph, probe, total, "ReduceSum")
    axes = None if node is None else match.reduced(node, probe)
    if node is None or axes is None or len(axes) != 1:
        return None
    return axes[0] if match.same(graph, probe, node.inputs[0], e) else None


def _unshifted(graph: Graph, probe: Probe, value: str, axis: int) -> str:
    """The logits before their maximum was taken off, which softmax does not see."""
    node = match.made_by(graph, probe, value, "Sub")
    if node is None or graph.keeps(value):
        return value
    top = match.made_by(graph, probe, node.inputs[1], "ReduceMax")
    if top is None or graph.keeps(node.inputs[1]) or match.reduced(top, probe) != (axis,):
        return value
    return node.inputs[0] if match.same(graph, probe, top.inputs[0], node.inputs[0]) else value
