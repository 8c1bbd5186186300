"""Activations written in parts as one operator: Sigmoid, LeakyRelu, Relu.

What is ``x f(x)`` (GELU, SiLU, HardSwish) is left to `gates`.
"""

from __future__ import annotations

from typing import Any

from ..analysis.analysis import Analysis
from ..file.graph import Node
from . import match
from .rewrite import Rewrite


def run(analysis: Analysis) -> Analysis:
    """Put one operator in the place of the last of its parts."""
    rewrite = Rewrite(analysis)
    for node in analysis.nodes:
        if node.domain != "" or not analysis.varies(node.outputs[0]):
            continue
        found = _sigmoid(analysis, node) or _rectified(analysis, node)
        if found is not None:
            kind, x, attributes = found
            rewrite.put(Node(node.name, "", kind, 16, (x,), node.outputs, attributes), node)
    return rewrite.done()


def _sigmoid(analysis: Analysis, node: Node) -> tuple[str, str, dict[str, Any]] | None:
    """``1 / (1 + exp(-x))``."""
    if node.op_type not in ("Div", "Reciprocal"):
        return None
    if node.op_type == "Div" and match.number(analysis, node.inputs[0]) != 1:
        return None
    total = match.made_by(analysis, node.inputs[-1], "Add")
    for one, other in match.pairs(total) if total is not None else ():
        power = match.made_by(analysis, other, "Exp")
        minus = None if power is None else match.made_by(analysis, power.inputs[0], "Neg", "Mul")
        if power is None or minus is None or match.number(analysis, one) != 1:
            continue
        if analysis.keeps(node.inputs[-1], other, power.inputs[0]):
            continue
        if minus.op_type == "Neg":
            return "Sigmoid", minus.inputs[0], {}
        for x, factor in match.pairs(minus):
            if match.number(analysis, factor) == -1:
                return "Sigmoid", x, {}
    return None


def _rectified(analysis: Analysis, node: Node) -> tuple[str, str, dict[str, Any]] | None:
    """``max(x, 0)`` or ``max(x, a x)`` with a between 0 and 1."""
    if node.op_type != "Max":
        return None
    for x, other in match.pairs(node):
        if not analysis.varies(x) or analysis.shape(x) != analysis.shape(node.outputs[0]):
            continue
        constant = analysis.constant(other)
        if constant is not None and not constant.any():
            return "Relu", x, {}
        scaled = match.made_by(analysis, other, "Mul")
        for signal, factor in match.pairs(scaled) if scaled is not None and not analysis.keeps(other) else ():
            alpha = match.number(analysis, factor)
            if alpha is not None and 0 <= alpha <= 1 and match.same(analysis, signal, x):
                return "LeakyRelu", x, {"alpha": alpha}
    return None
