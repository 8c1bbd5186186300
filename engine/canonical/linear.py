"""MatMul + Add of a constant as one Linear layer, so that its output has the bias in it.

LRP-epsilon divides by the layer's output, and an exporter may write the same layer as one Gemm. A quantiser
rounds between the two.
"""

from __future__ import annotations

from ..analysis.probe import Probe
from ..file.graph import ROUNDED, Graph, Node
from . import match


def run(graph: Graph, probe: Probe) -> Graph:
    """Put one layer in the place of every MatMul, or Gemm without bias, whose only reader adds a constant."""
    pairs: list[tuple[Node, Node, int, bool]] = []
    gone: set[Node] = set()
    for node in graph.nodes:
        if node.domain != "" or not (node.op_type == "MatMul" or _is_bare_gemm(node)):
            continue
        if (node.inputs[0] in probe.constants) == (node.inputs[1] in probe.constants):
            continue
        value, rounding = node.outputs[0], list[Node]()
        if node.op_type == "MatMul":
            value, rounding = _past_rounding(graph, value)
        adder = match.reader(graph, value)
        if adder is None or adder.domain != "" or adder.op_type != "Add":
            continue
        other = adder.inputs[1 - adder.inputs.index(value)]
        same = probe.shapes[adder.outputs[0]] == probe.shapes[node.outputs[0]]
        if other in probe.constants and same:
            pairs.append((node, adder, adder.inputs.index(other), bool(rounding)))
            gone |= {node, *rounding}
    if not pairs:
        return graph
    fused = {
        adder: _with_bias(node, adder.inputs[at], adder.outputs, rounded=rounded)
        for node, adder, at, rounded in pairs
    }
    return match.replace(graph, fused, gone)


def _is_bare_gemm(node: Node) -> bool:
    return node.op_type == "Gemm" and not any(node.inputs[2:])


def _past_rounding(graph: Graph, value: str) -> tuple[str, list[Node]]:
    """A value after QuantizeLinear and DequantizeLinear, where they alone read it; and the two."""
    first = match.reader(graph, value)
    if first is None or first.domain != "" or first.op_type != "QuantizeLinear" or first.inputs[0] != value:
        return value, []
    second = match.reader(graph, first.outputs[0])
    if second is None or second.domain != "" or second.op_type != "DequantizeLinear":
        return value, []
    return second.outputs[0], [first, second]


def _with_bias(node: Node, bias: str, outputs: tuple[str, ...], *, rounded: bool) -> Node:
    inputs = (*node.inputs[:2], bias)
    attributes = {**node.attributes, **({ROUNDED: 1} if rounded else {})}
    if node.op_type == "Gemm":
        attributes["beta"] = 1.0
        return Node(node.name, "", "Gemm", node.version, inputs, outputs, attributes)
    return Node(node.name, "onnxplain", "Linear", 1, inputs, outputs, attributes)
