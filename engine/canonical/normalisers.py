"""Denominators: in ``a / b`` with both depending on the input, b is a normaliser, held constant.

That is the LN rule for every spelling of a normalisation: ``(x - mean) / std`` is left as a centring.
The same for ``a * (1 / b)`` and ``a * b^-p``, where b is made of a's own statistics.
"""

from __future__ import annotations

from ..analysis.probe import Probe
from ..file.graph import Graph

_INVERSES = frozenset({"Reciprocal"})
_PASSING = frozenset({"Cast", "DequantizeLinear", "Expand", "Identity", "QuantizeLinear"})


def run(graph: Graph, probe: Probe) -> Graph:
    """Hold the denominators."""
    for node in graph.nodes:
        if node.domain != "":
            continue
        if node.op_type == "Div" and node.inputs[0] in probe.varying and node.inputs[1] in probe.varying:
            node.held.add(1)
        if node.op_type == "Mul":
            for i, j in ((0, 1), (1, 0)):
                if node.inputs[j] in probe.varying and _is_inverse(graph, probe, node.inputs[i]):
                    node.held.add(i)
                    break
    return graph


def _is_inverse(graph: Graph, probe: Probe, value: str) -> bool:
    """Whether a value is one over something that varies."""
    node = graph.producer.get(value)
    if node is None or node.domain != "" or value not in probe.varying:
        return False
    if node.op_type in _INVERSES:
        return True
    if node.op_type in _PASSING:
        return _is_inverse(graph, probe, node.inputs[0])
    if node.op_type == "Mul":  # gamma, taken in before the signal is
        varying = [v for v in node.inputs if v in probe.varying]
        return len(varying) == 1 and _is_inverse(graph, probe, varying[0])
    if node.op_type == "Div":
        return node.inputs[0] not in probe.varying
    if node.op_type == "Pow":
        exponent = probe.constants.get(node.inputs[1])
        return exponent is not None and bool((exponent < 0).all())
    return False
