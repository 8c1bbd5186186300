"""Operators whose form depends on the opset: attributes that became operands."""

from __future__ import annotations

# The opset from which axes are an operand; those of the other reductions became one with opset 18.
_AXES = {"ReduceSum": 13, "Squeeze": 13, "Unsqueeze": 13}
_OTHER_REDUCTIONS = 18


def axes_are_operand(op_type: str, opset: int) -> bool:
    """Whether an operator of the standard (Reduce*, Squeeze, Unsqueeze) takes its axes as an operand."""
    return opset >= _AXES.get(op_type, _OTHER_REDUCTIONS)
