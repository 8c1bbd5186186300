"""Quantised values: integers that stand for numbers.

Between QuantizeLinear and DequantizeLinear, and in integer products, relevance travels on the integers as
it would on what they stand for.

An integer q is not zero where the number it stands for is, but at its zero point: q times its multiplier
counts that too. Where a signal was quantised, the zero point came in by QuantizeLinear and the ledger has
both ends of it. Numbers read from a table were never quantised here: their relevance, which is their
token's, carries what the zero point takes off as a message r.
"""

from __future__ import annotations

import numpy as np

from ..analysis.analysis import Analysis
from ..file.graph import Node
from ..rules import registry
from .integers import look_ups

_MOVES = frozenset(
    {
        "Clip", "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "GatherElements", "GatherND",
        "Identity", "Max", "MaxPool", "Min", "Pad", "Reshape", "Resize", "ReverseSequence", "Slice",
        "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze",
    }
)  # fmt: skip
_PRODUCTS = frozenset({"MatMulInteger", "ConvInteger"})
_AFTER = frozenset({"Cast", "Add", "Sub", "Mul"})


def quantised_values(analysis: Analysis) -> set[str]:
    """Integer values that stand for numbers."""
    tables = {node for node, _ in look_ups(analysis)}
    found: set[str] = set()
    for node in analysis.nodes:
        if node.domain != "":
            continue
        of_numbers = any(v in found for v in node.inputs)
        if node.op_type in ("QuantizeLinear", "DynamicQuantizeLinear") or node in tables:
            made = node.outputs[:1]
        elif of_numbers and (node.op_type in _MOVES or node.op_type in _PRODUCTS or node.op_type in _AFTER):
            made = node.outputs
        else:
            continue
        found.update(v for v in made if analysis.varies(v) and analysis.dtype(v).kind in "iu")
    return found


def embedded_values(analysis: Analysis) -> set[str]:
    """Quantised values that were read from tables, and moved about since: no QuantizeLinear made any of them.

    Only moves of elements take a message r as it is; behind other operators the zero point is a constant.
    """
    found = {node.outputs[0] for node, _ in look_ups(analysis)} & quantised_values(analysis)
    for node in analysis.nodes:
        read = [v for v in node.inputs if _is_byte(analysis, v)]
        if read and all(v in found for v in read) and _moves(node):
            found.update(v for v in node.outputs if _is_byte(analysis, v))
    return found


def _is_byte(analysis: Analysis, value: str) -> bool:
    return analysis.varies(value) and analysis.probe.dtypes.get(value) in (np.int8, np.uint8)


def _moves(node: Node) -> bool:
    rule = registry.find(node)
    return node.domain == "" and node.op_type in _MOVES and rule is not None and rule.carry == "move"


def zero_points(analysis: Analysis) -> dict[str, str]:
    """The zero point of every signal that was quantised by one, also after it was moved about."""
    found: dict[str, str] = {}
    for node in analysis.nodes:
        if node.domain != "":
            continue
        if node.op_type == "QuantizeLinear" and len(node.inputs) > 2 and node.inputs[2]:
            found[node.outputs[0]] = node.inputs[2]
        elif node.op_type == "DynamicQuantizeLinear":
            found[node.outputs[0]] = node.outputs[2]
        elif node.op_type in _MOVES:
            known = {found.get(v, "") for v in node.inputs if _is_byte(analysis, v)}
            if len(known) == 1:
                found.update(dict.fromkeys(node.outputs, *known))
    return {v: zero for v, zero in found.items() if analysis.probe.shapes.get(zero) in ((), (1,))}
