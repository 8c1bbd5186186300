"""Quantised values: integers that stand for numbers.

Between QuantizeLinear and DequantizeLinear, and in integer products, relevance travels on the integers as
it would on what they stand for.
"""

from __future__ import annotations

from .graph import Graph
from .probe import Probe
from .tokens import look_ups

_MOVES = frozenset(
    {
        "Clip", "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "Max",
        "MaxPool", "Min", "Pad", "Reshape", "Resize", "Slice", "SpaceToDepth", "Split", "Squeeze",
        "Transpose", "Unsqueeze",
    }
)  # fmt: skip
_PRODUCTS = frozenset({"MatMulInteger", "ConvInteger"})
_AFTER = frozenset({"Cast", "Add", "Sub", "Mul"})


def quantised_values(graph: Graph, probe: Probe) -> set[str]:
    """Integer values that stand for numbers."""
    tables = {node for node, _ in look_ups(graph, probe)}
    found: set[str] = set()
    for node in graph.nodes:
        if node.domain != "":
            continue
        of_numbers = any(v in found for v in node.inputs)
        if node.op_type in ("QuantizeLinear", "DynamicQuantizeLinear") or node in tables:
            made = node.outputs[:1]
        elif of_numbers and (node.op_type in _MOVES or node.op_type in _PRODUCTS or node.op_type in _AFTER):
            made = node.outputs
        else:
            continue
        found.update(v for v in made if v in probe.varying and probe.dtypes[v].kind in "iu")
    return found
