"""Values that need not be finite, although what is made of them is.

A flat channel gives 0/0 in the branch that a Where does not take, or the logarithm of 0 that a Clip cuts off:
the forward pass throws it away. No relevance goes there either, and 0 times what is not finite is nothing:
rules are shown such values as finite ones, and their factors count as 0 where they are none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set

import numpy as np

from ..analysis.analysis import Analysis
from ..file.graph import Node

# Finite numbers in; what is not finite, or has no finite slope, can come out.
_POLES = frozenset(
    {"Div", "Log", "Sqrt", "Reciprocal", "Pow", "Asin", "Acos", "Acosh", "Atanh", "Tan", "ReduceLogSum"}
)
_NORMS = frozenset({"LayerNormalization", "InstanceNormalization", "GroupNormalization"})
_OVERFLOW = frozenset({"Exp", "Sinh", "Cosh"})
# What comes out can be finite whatever one of the operands is.
_CHOOSE = frozenset({"Where", "Max", "Min", "Clip", "ReduceMax", "ReduceMin", "MaxPool", "GlobalMaxPool"})
# These cut off what is infinite, or leave a part of their operand out: only where no layer mixes it before.
_SATURATE = frozenset(
    {
        *("Exp", "Tanh", "Sigmoid", "HardSigmoid", "Erf", "Softsign", "Atan", "Relu", "LeakyRelu", "Elu"),
        *("Softplus", "HardSwish", "Gelu", "Selu", "Celu", "Mish", "Reciprocal", "Div", "TopK"),
        *("Softmax", "LogSoftmax"),
        *("Slice", "Gather", "GatherND", "GatherElements", "Split", "Compress"),
    }
)
# Of a mask of -inf these make something finite that is no multiple of it: exp(-inf) is 0, and exp(0) is 1.
_BOUNDED = _SATURATE - {
    *("Softmax", "LogSoftmax", "TopK", "Slice", "Gather", "GatherND", "GatherElements", "Split", "Compress")
}
_MIX = frozenset(
    {
        *("MatMul", "Gemm", "Linear", "Conv", "ConvTranspose", "Einsum", "Softmax", "LogSoftmax"),
        *_NORMS,
    }
)


def loose_values(analysis: Analysis) -> frozenset[str]:
    """Floating values that need not be finite, and what poles are of.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    frozenset of str
        Operands and results of functions with a pole; and all that lies between one and an operator that
        can throw its result away. What a mask of -inf is on, where a function other than a softmax reads it.
    """
    nodes = [n for n in analysis.nodes if any(analysis.varies(v) for v in n.outputs if v)]
    poles = [n for n in nodes if n.op_type in _POLES | _NORMS and _has_pole(analysis, n)]
    makers = [*poles, *(n for n in nodes if n.op_type in _OVERFLOW)]
    masked = {v for n in nodes if _masks(analysis, n) for v in n.outputs}
    if not makers and not masked:
        return frozenset()
    starts = {v for n in makers for v in n.outputs}
    wide = _between(nodes, starts, lambda n: n.op_type in _CHOOSE, lambda n: False)
    near = _between(nodes, starts, lambda n: n.op_type in _SATURATE, lambda n: n.op_type in _MIX)
    found = wide | near
    thrown = [n for n in makers if n in poles or any(v in found for v in n.outputs)]
    found |= {v for n in thrown for v in (*n.inputs, *n.outputs)}
    # What is masked where a pole was met: -inf here, and perhaps not there.
    made = _between(nodes, starts, lambda n: True, lambda n: False)
    found |= {v for n in nodes if n.op_type == "Where" and n.inputs[0] in made for v in n.outputs}
    found |= _between(nodes, masked, lambda n: n.op_type in _BOUNDED, lambda n: n.op_type in _MIX)
    return frozenset(v for v in found if v and analysis.varies(v) and analysis.kind(v) == "f")


def thrown_away(analysis: Analysis, value: str) -> bool:
    """Whether an operator reads a value that can throw it away where it is not finite."""
    return any(n.op_type in _CHOOSE | _SATURATE for n in analysis.readers(value))


def _masks(analysis: Analysis, node: Node) -> bool:
    """Whether a constant puts infinite numbers into what it makes."""
    constants = (analysis.constant(v) for v in node.inputs if v)
    return any(c is not None and c.dtype.kind == "f" and bool(np.isinf(c).any()) for c in constants)


def _has_pole(analysis: Analysis, node: Node) -> bool:
    """Whether it has one for some input: a divisor or a power that no input can change may have none."""
    if node.op_type == "Div":
        return analysis.varies(node.inputs[1])
    if node.op_type == "Pow":
        exponent = analysis.constant(node.inputs[1])
        return exponent is None or bool((exponent < 1).any())
    if node.op_type in _NORMS:
        return float(node.attributes.get("epsilon", 1e-5)) == 0
    return True


def _between(
    nodes: Iterable[Node], starts: Set[str], ends: Callable[[Node], bool], stops: Callable[[Node], bool]
) -> set[str]:
    """Values on a way from `starts` to an operand of a node that `ends` it, through none that `stops`."""
    after, order = set(starts), list(nodes)
    for node in order:
        if not stops(node) and any(v in after for v in node.inputs):
            after.update(v for v in node.outputs if v)
    before: set[str] = set()
    for node in reversed(order):
        if ends(node) or (not stops(node) and any(v in before for v in node.outputs)):
            before.update(v for v in node.inputs if v in after)
    return before
