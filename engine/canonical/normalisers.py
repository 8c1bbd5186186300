"""Denominators: in ``a / b`` with both depending on the input, b is a normaliser, held constant.

That is the LN rule for every spelling of a normalisation: ``(x - mean) / std`` is left as a centring.
The same for ``a * (1 / b)`` and ``a * b^-p``, where b is made of a's own statistics.
"""

from __future__ import annotations

from ..analysis.analysis import Analysis

_INVERSES = frozenset({"Reciprocal"})
_PASSING = frozenset({"Cast", "DequantizeLinear", "Expand", "Identity", "QuantizeLinear"})


def run(analysis: Analysis) -> Analysis:
    """Hold the denominators."""
    for node in analysis.nodes:
        if node.domain != "":
            continue
        if node.op_type == "Div" and analysis.varies(node.inputs[0]) and analysis.varies(node.inputs[1]):
            node.held.add(1)
        if node.op_type == "Mul":
            for i, j in ((0, 1), (1, 0)):
                if analysis.varies(node.inputs[j]) and _is_inverse(analysis, node.inputs[i]):
                    node.held.add(i)
                    break
    return analysis


def _is_inverse(analysis: Analysis, value: str) -> bool:
    """Whether a value is one over something that varies."""
    node = analysis.producer(value)
    if node is None or node.domain != "" or not analysis.varies(value):
        return False
    if node.op_type in _INVERSES:
        return True
    if node.op_type in _PASSING:
        return _is_inverse(analysis, node.inputs[0])
    if node.op_type == "Mul":  # gamma, taken in before the signal is
        varying = analysis.varying_inputs(node)
        return len(varying) == 1 and _is_inverse(analysis, varying[0])
    if node.op_type == "Div":
        return not analysis.varies(node.inputs[0])
    if node.op_type == "Pow":
        exponent = analysis.constant(node.inputs[1])
        return exponent is not None and bool((exponent < 0).all())
    return False
