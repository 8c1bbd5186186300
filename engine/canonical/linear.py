"""MatMul + Add of a constant as one Linear layer, so that its output has the bias in it.

LRP-epsilon divides by the layer's output, and an exporter may write the same layer as one Gemm. A quantiser
rounds between the two.
"""

from __future__ import annotations

from ..analysis.analysis import Analysis
from ..file.graph import ROUNDED, Node
from . import match
from .rewrite import Rewrite


def run(analysis: Analysis) -> Analysis:
    """Put one layer in the place of every MatMul, or Gemm without bias, whose only reader adds a constant."""
    rewrite = Rewrite(analysis)
    for node in analysis.nodes:
        if node.domain != "" or not (node.op_type == "MatMul" or _is_bare_gemm(node)):
            continue
        if (analysis.is_constant(node.inputs[0])) == (analysis.is_constant(node.inputs[1])):
            continue
        value, rounding = node.outputs[0], list[Node]()
        if node.op_type == "MatMul":
            value, rounding = _past_rounding(analysis, value)
        adder = match.reader(analysis, value)
        if adder is None or adder.domain != "" or adder.op_type != "Add":
            continue
        other = adder.inputs[1 - adder.inputs.index(value)]
        same = analysis.shape(adder.outputs[0]) == analysis.shape(node.outputs[0])
        if analysis.is_constant(other) and same:
            fused = _with_bias(node, other, adder.outputs, rounded=bool(rounding))
            rewrite.put(fused, adder, without=[node, *rounding])
    return rewrite.done()


def _is_bare_gemm(node: Node) -> bool:
    return node.op_type == "Gemm" and not any(node.inputs[2:])


def _past_rounding(analysis: Analysis, value: str) -> tuple[str, list[Node]]:
    """A value after QuantizeLinear and DequantizeLinear, where they alone read it; and the two."""
    first = match.reader(analysis, value)
    if first is None or first.domain != "" or first.op_type != "QuantizeLinear" or first.inputs[0] != value:
        return value, []
    second = match.reader(analysis, first.outputs[0])
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
