"""Codebooks: relevance on the nearest vector is that of what it stands for.

Vector-quantised tokenizers put a row of a table in the place of a vector z. The choice has no slope, so m
passes straight through to z, as gradients do in training (the straight-through estimator, van den Oord et al.
2017, section 3.2); what the row differs from z by is rounding, and goes to the ledger.
"""

from __future__ import annotations

from ..ops.base import Expr, Ops
from .node import NodeContext
from .registry import rule


@rule("Codebook", kind="scale", domain="onnxplain", carry="move")
def codebook(op: Ops, node: NodeContext, m: Expr) -> list[Expr]:
    """m goes straight through to what was quantised; what the chosen row differs by goes to the ledger."""
    z = node.input(0)
    back = op.reshape(m, node.shape(0))
    if not node.moves_relevance:
        node.absorb("rounding", back, op.sub(op.reshape(node.output(), node.shape(0)), z))
    return [back]
