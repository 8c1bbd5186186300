"""MatMul + Add of a constant as one Linear layer, so that its output has the bias in it.

LRP-epsilon divides by the layer's output, and an exporter may write the same layer as one Gemm.
"""

from __future__ import annotations

from ..graph import Graph, Node
from ..probe import Probe


def run(graph: Graph, probe: Probe) -> Graph:
    """Put a Linear in the place of every MatMul whose only reader adds a constant."""
    pairs: list[tuple[Node, Node, int]] = []
    for node in graph.nodes:
        if node.op_type != "MatMul" or node.domain != "":
            continue
        if (node.inputs[0] in probe.constants) == (node.inputs[1] in probe.constants):
            continue
        readers = graph.consumers(node.outputs[0])
        if len(readers) != 1 or graph.keeps(node.outputs[0]) or readers[0].op_type != "Add":
            continue
        adder = readers[0]
        other = adder.inputs[1 - adder.inputs.index(node.outputs[0])]
        same = probe.shapes[adder.outputs[0]] == probe.shapes[node.outputs[0]]
        if other in probe.constants and same:
            pairs.append((node, adder, adder.inputs.index(other)))
    if not pairs:
        return graph
    fused = {
        adder: Node(node.name, "onnxplain", "Linear", 1, (*node.inputs, adder.inputs[at]), adder.outputs)
        for node, adder, at in pairs
    }
    gone = {node for node, _, _ in pairs}
    nodes = [fused.get(n, n) for n in graph.nodes if n not in gone]
    return graph.with_nodes(nodes)
