"""Integer inputs: relevance at the embedding.

A token has no size to multiply with. Where a table that depends on no input is read by index (Gather,
OneHot), the relevance of what was read, summed over the embedding, is the token's. It then travels on as a
message r, through whatever moved the tokens about, to the integer input.
"""

from __future__ import annotations

import numpy as np

from .graph import Graph, Node
from .probe import Probe

# What may stand between an integer input and a look-up: an element stays an element.
_PASS = frozenset(
    {
        "Abs", "Add", "Cast", "Clip", "Concat", "Div", "Expand", "Flatten", "Gather", "Identity",
        "Max", "Min", "Mod", "Mul", "Neg", "Pad", "Reshape", "ReverseSequence", "Slice", "Split",
        "Squeeze", "Sub", "Tile", "Transpose", "Unsqueeze", "Where",
    }
)  # fmt: skip


def look_ups(graph: Graph, probe: Probe) -> list[tuple[Node, int]]:
    """Nodes that read a constant by an index that varies, and the operand that is the index."""
    found = []
    for node in graph.nodes:
        if node.domain != "":
            continue
        if (
            node.op_type == "Gather"
            and node.inputs[0] not in probe.varying
            and node.inputs[1] in probe.varying
        ):
            found.append((node, 1))
        if node.op_type == "OneHot" and node.inputs[0] in probe.varying:
            found.append((node, 0))
    return [(n, i) for n, i in found if _floating(probe, n.outputs[0]) or _quantised(probe, n.outputs[0])]


def token_values(graph: Graph, probe: Probe) -> set[str]:
    """Integer values on the way from an integer input to a look-up."""
    found: set[str] = set()
    stack = [node.inputs[i] for node, i in look_ups(graph, probe)]
    while stack:
        value = stack.pop()
        dtype = probe.dtypes.get(value)
        if value in found or value not in probe.varying or dtype is None or dtype.kind not in "iu":
            continue
        found.add(value)
        node = graph.producer.get(value)
        if node is not None and node.domain == "" and node.op_type in _PASS:
            stack.extend(v for v in node.inputs if v and probe.dtypes.get(v) is not None)
    return found


def numeric_values(graph: Graph, probe: Probe) -> set[str]:
    """Integer values that are cast to floating ones: numbers, not names."""
    found: set[str] = set()
    stack = [
        node.inputs[0]
        for node in graph.nodes
        if node.op_type == "Cast" and node.domain == "" and _floating(probe, node.outputs[0])
    ]
    while stack:
        value = stack.pop()
        dtype = probe.dtypes.get(value)
        if value in found or value not in probe.varying or dtype is None or dtype.kind not in "iu":
            continue
        found.add(value)
        node = graph.producer.get(value)
        if node is not None and node.domain == "" and node.op_type in _PASS:
            stack.extend(v for v in node.inputs if v)
    return found


def _quantised(probe: Probe, value: str) -> bool:
    """Whether a value can be a quantised embedding; wider integers are indices of something else."""
    return probe.dtypes.get(value) in (np.int8, np.uint8)


def _floating(probe: Probe, value: str) -> bool:
    dtype = probe.dtypes.get(value)
    return dtype is not None and dtype.kind == "f"
