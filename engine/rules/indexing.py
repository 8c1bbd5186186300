"""Operators that pick elements by index: relevance goes back to where they were picked."""

from __future__ import annotations

from ..ops.base import Expr, Ops
from ..registry import rule
from ..site import Site


@rule("Gather", kind="move", carry="move")
def gather(op: Ops, node: Site, m: Expr) -> list[Expr | None]:
    """Summed back into the slices that were picked."""
    axis = node.negative(int(node.attr("axis", 0)))
    return [op.ungather(m, node.input(1), axis, node.shape(0), node.rank(1)), None]


@rule("GatherND", kind="move", carry="move")
def gather_nd(op: Ops, node: Site, m: Expr) -> list[Expr | None]:
    """Summed back into the elements that were picked."""
    return [op.ungather_nd(m, node.input(1), int(node.attr("batch_dims", 0)), node.shape(0)), None]


@rule("ScatterND", kind="move", carry="move")
def scatter_nd(op: Ops, node: Site, m: Expr) -> list[Expr | None]:
    """The updates get what was written, the data what was left (or, for `add`, everything)."""
    reduction = node.attr("reduction", "none")
    if reduction not in ("none", "add"):
        raise node.refuse(f"reduction {reduction!r}")
    rest = m if reduction == "add" else op.mask_nd(m, node.input(1))
    written = op.gather_nd(m, node.input(1), 0)
    result: list[Expr | None] = [None, None, None]
    if node.active(0):
        result[0] = rest
    else:
        node.absorb("constant", rest, node.input(0), tensor=node.node.inputs[0])
    if node.active(2):
        result[2] = written
    elif reduction == "none":
        # In the shape of the output, where it is known which sample is where.
        node.absorb("constant", op.sub(m, rest), node.output(), tensor=node.node.inputs[2])
    else:
        raise node.refuse("it adds constants")
    return result
