"""Codebooks: the difference passes straight through the choice; the rest stays there."""

from __future__ import annotations

from ..ops.base import Expr, Ops
from .pair import PairContext
from .registry import secant


@secant("Codebook", domain="onnxplain")
def codebook(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """m goes straight through to what was quantised; what rows change by otherwise is rounding."""
    sent: list[Expr | None] = [op.reshape(m, node.shape(0))]
    node.keep_rest("rounding", m, sent)
    return sent
