"""Integer inputs: relevance at the embedding.

A token has no size to multiply with. Where a table that depends on no input is read by index (Gather,
OneHot, a comparison with all indices there are), the relevance of what was read, summed over the
embedding, is the token's. It then travels on as a message r, through whatever moved the tokens about, to
the integer input. Integers that are cast to floating numbers, the pixels of an image say, are no tokens:
they carry a multiplier.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..analysis.analysis import Analysis
from ..file.graph import Node

# What may stand between an integer input and a look-up: an element stays an element.
_PASS = frozenset(
    {
        "Abs", "Add", "Cast", "CenterCropPad", "Clip", "Compress", "Concat", "DepthToSpace", "Div", "Expand",
        "Flatten", "Gather", "GatherElements", "GatherND", "Identity", "Max", "Min", "Mod", "Mul", "Neg",
        "Pad", "Relu", "Reshape", "Resize", "ReverseSequence", "ScatterElements", "ScatterND", "Slice",
        "SpaceToDepth", "Split", "Squeeze", "Sub", "Tile", "Transpose", "Trilu", "Unsqueeze", "Where",
    }
)  # fmt: skip
_TABLES = frozenset({"Gather", "GatherElements", "GatherND"})
COMPARISONS = frozenset({"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"})
LOGIC = frozenset({"And", "Not", "Or", "Xor"})
# A number of 8 or 16 bits is a sample of a signal; a wider one that is cast can be a mask.
_NARROW = tuple(np.dtype(t) for t in ("uint8", "int8", "uint16", "int16"))


def look_ups(analysis: Analysis) -> list[tuple[Node, int]]:
    """Nodes that read a constant by an index that varies, and the operand that is the index."""
    found = []
    for node in analysis.nodes:
        if node.domain != "":
            continue
        if (
            node.op_type in _TABLES
            and not analysis.varies(node.inputs[0])
            and analysis.varies(node.inputs[1])
        ):
            found.append((node, 1))
        if node.op_type == "OneHot" and analysis.varies(node.inputs[0]):
            found.append((node, 0))
    return [
        (n, i) for n, i in found if analysis.kind(n.outputs[0]) == "f" or _quantised(analysis, n.outputs[0])
    ]


def one_hots(analysis: Analysis) -> list[tuple[Node, int]]:
    """Comparisons of tokens with all indices there are, and the operand that is the tokens.

    Comparison with one number (a padding index) makes a mask, and no one-hot code.
    """
    found = []
    for node in analysis.nodes:
        if node.domain == "" and node.op_type == "Equal":
            for i, (mine, other) in enumerate((node.inputs, node.inputs[::-1])):
                known = analysis.constant(other)
                tokens = analysis.varies(mine) and analysis.kind(mine) in "iu"
                if tokens and known is not None and len(np.unique(known)) > 1:
                    found.append((node, i))
    return found


def token_values(analysis: Analysis) -> set[str]:
    """Integer values on the way from an integer input to a look-up, and the bits of one-hot codes.

    An index that was found from computed numbers (the largest score's) is a decision, and no token.
    """
    codes = one_hots(analysis)
    found = _indices(analysis)
    own = elements(analysis)
    for value in list(found):
        node = analysis.producer(value)
        if node is not None and any(
            analysis.kind(v) == "f" and v not in own for v in analysis.varying_inputs(node)
        ):
            found.discard(value)
    codes = [(node, i) for node, i in codes if node.inputs[i] in found]
    stack = [node.outputs[0] for node, _ in codes]
    while stack:  # bits of the code, for as long as they are bits
        value = stack.pop()
        if value not in found and analysis.kind(value) == "b":
            found.add(value)
            stack.extend(o for node in analysis.readers(value) for o in node.outputs if o)
    return found


def elements(analysis: Analysis) -> set[str]:
    """Inputs and what is made of their elements one by one: an index stays an index."""
    found = set(analysis.graph.inputs)
    for node in analysis.nodes:
        read = analysis.varying_inputs(node)
        if node.domain == "" and node.op_type in _PASS and read and all(v in found for v in read):
            found.update(node.outputs)
    return found


def _indices(analysis: Analysis) -> set[str]:
    """Integers that something is looked up by."""
    read = (*look_ups(analysis), *one_hots(analysis))
    return _behind(analysis, [n.inputs[i] for n, i in read], "iu")


def sample_values(analysis: Analysis) -> set[str]:
    """Integer values that are samples of a signal: an input of 8 or 16 bits, made floating."""
    found: set[str] = set()
    for start in _made_floating(analysis):
        chain = _behind(analysis, [start], "iu")
        if any(v in analysis.graph.inputs and analysis.dtype(v) in _NARROW for v in chain):
            found |= chain
    return found


def numeric_values(analysis: Analysis) -> set[str]:
    """Integer values that are cast to floating ones: numbers, not names."""
    return _behind(analysis, _made_floating(analysis), "iu")


def decided_values(analysis: Analysis) -> set[str]:
    """Bits and indices that a floating value depends on, and the integers that they are found from."""
    bits = {v for v in analysis.probe.varying if analysis.kind(v) == "b"}
    read = [v for n in analysis.nodes if n.op_type in COMPARISONS and n.domain == "" for v in n.inputs]
    found = _behind(analysis, [*read, *_made_floating(analysis)], "iub")
    return bits | found | _indices(analysis)


def _made_floating(analysis: Analysis) -> list[str]:
    """Integers that are cast, or stand for numbers by a scale."""
    return [
        node.inputs[0]
        for node in analysis.nodes
        if node.op_type in ("Cast", "DequantizeLinear")
        and node.domain == ""
        and analysis.kind(node.outputs[0]) == "f"
    ]


def _behind(analysis: Analysis, starts: Iterable[str], kinds: str) -> set[str]:
    """These values, where they are of such a type, and those that they are elements of."""
    found: set[str] = set()
    stack = list(starts)
    while stack:
        value = stack.pop()
        if value in found or not analysis.varies(value) or analysis.kind(value) not in kinds:
            continue
        found.add(value)
        node = analysis.producer(value)
        if node is not None and node.domain == "" and node.op_type in _PASS:
            stack.extend(v for v in node.inputs if v)
    return found


def _quantised(analysis: Analysis, value: str) -> bool:
    """Whether a value can be a quantised embedding; wider integers are indices of something else."""
    return analysis.probe.dtypes.get(value) in (np.int8, np.uint8)
