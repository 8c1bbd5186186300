"""Softmax and LogSoftmax.

AttnLRP (Achtibat et al. 2024, Prop. 3.1, eq. 13) is a Taylor step at x. From the relevance ``R`` of the
outputs ``s`` the input ``x_i`` gets

    ``x_i (R_i - s_i sum_j R_j)``.

Relevance comes as ``R = s m + r``, and what goes back is a multiplier of x:

    ``s (m - sum(s m))`` of the part that is a multiple of s, and ``r - s sum(r)`` of the part that is none.

It is not conservative: ``sum R`` less x times the multiplier stays, and goes to the ledger.
"""

from __future__ import annotations

from ..ops.base import HUGE, Expr, Ops
from .node import NodeContext
from .registry import rule


def _axes(node: NodeContext, default: int, from_axis_on: bool) -> tuple[int, ...]:
    axis = node.negative(int(node.attr("axis", default)))
    # Before opset 13 the tensor is seen as a matrix, cut at the axis: all later axes are normalised.
    return tuple(range(axis, 0)) if from_axis_on else (axis,)


def softmax_axes(node: NodeContext) -> tuple[int, ...]:
    """The axes that a Softmax or LogSoftmax normalises over."""
    late = node.node.version >= 13
    return _axes(node, -1 if late else 1, from_axis_on=not late)


def _softmax(op: Ops, node: NodeContext, m: Expr | None, axes: tuple[int, ...]) -> list[Expr | None]:
    """The rule (AttnLRP, eq. 13) for both forms of relevance."""
    s, x, r = node.output(), node.input(0), node.take_remainder()
    parts = []
    if m is not None:
        of_multiplier = op.mul(s, op.sub(m, op.sum(op.mul(s, m), axes)))
        node.absorb("softmax", m, s)
        node.absorb("softmax", of_multiplier, op.neg(x))
        parts.append(of_multiplier)
    if r is not None:
        # Relevance of what was masked (x of -inf) stays where it is.
        seen = op.where(op.less(op.abs(x), HUGE), 1.0, 0.0)
        of_relevance = op.mul(seen, op.sub(r, op.mul(s, op.sum(r, axes))))
        node.absorb("softmax", r)
        node.absorb("softmax", of_relevance, op.neg(x))
        parts.append(of_relevance)
    return [parts[0] if len(parts) == 1 else op.add(*parts)]


@rule("Softmax", kind="softmax", carry="own")
def softmax_before_13(op: Ops, node: NodeContext, m: Expr | None) -> list[Expr | None]:
    """``s (m - sum(s m))`` over all axes from `axis` on (AttnLRP, Achtibat et al. 2024, eq. 13)."""
    return _softmax(op, node, m, _axes(node, 1, from_axis_on=True))


@rule("Softmax", kind="softmax", since=13, carry="own")
def softmax(op: Ops, node: NodeContext, m: Expr | None) -> list[Expr | None]:
    """``s (m - sum(s m))`` (AttnLRP, Achtibat et al. 2024, eq. 13): a Taylor step at x.

    It is not conservative: ``sum s m - sum x m_in`` stays, and goes to the ledger.
    """
    return _softmax(op, node, m, _axes(node, -1, from_axis_on=False))


def _log_softmax(op: Ops, node: NodeContext, m: Expr, axes: tuple[int, ...]) -> list[Expr | None]:
    y = node.output()
    inner = op.sub(m, op.mul(op.exp(y), op.sum(m, axes)))
    node.absorb("softmax", m, y)
    node.absorb("softmax", inner, op.neg(node.input(0)))
    return [inner]


@rule("LogSoftmax", kind="softmax")
def log_softmax_before_13(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """``m - s sum(m)`` over all axes from `axis` on: a Taylor step at x."""
    return _log_softmax(op, node, m, _axes(node, 1, from_axis_on=True))


@rule("LogSoftmax", kind="softmax", since=13)
def log_softmax(op: Ops, node: NodeContext, m: Expr) -> list[Expr | None]:
    """``m - s sum(m)``: a Taylor step at x."""
    return _log_softmax(op, node, m, _axes(node, -1, from_axis_on=False))
