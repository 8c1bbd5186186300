"""Softmaxes that are attention weights: what CP-LRP treats as constants.

A softmax whose output is one factor of a product with another signal (attention times values) is
attention. One that ends a classifier, or is averaged into an output, is not.
"""

from __future__ import annotations

from ..analysis.analysis import Analysis
from ..file.graph import Node

_MOVES = frozenset(
    {
        "Cast", "DequantizeLinear", "Dropout", "Expand", "Flatten", "Gather", "Identity", "QuantizeLinear",
        "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze",
    }
)  # fmt: skip
_PRODUCTS = frozenset({"MatMul", "Mul", "Gemm", "Einsum", "FusedMatMul"})
# What may stand between the softmax and the product without making it something else.
_MASKS = frozenset({"Where", "Mul", "Add"})


def attention_weights(analysis: Analysis) -> list[Node]:
    """Softmax nodes whose output weighs another signal."""
    return [
        n
        for n in analysis.nodes
        if n.op_type == "Softmax" and n.domain == "" and _weighs(analysis, n.outputs[0])
    ]


def _weighs(analysis: Analysis, value: str) -> bool:
    stack, seen = [value], set()
    while stack:
        at = stack.pop()
        if at in seen:
            continue
        seen.add(at)
        for node in analysis.readers(at):
            # What a Where chooses by is no signal: exporters write `where(isnan(weights), 0, weights)`.
            operands = node.inputs[1:] if node.op_type == "Where" else node.inputs
            others = [v for v in operands if v != at and analysis.varies(v)]
            if node.op_type in _PRODUCTS and others:
                return True
            if node.op_type in _MOVES or (node.op_type in _MASKS and not others):
                stack.extend(node.outputs)
    return False
