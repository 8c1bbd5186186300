"""Softmax and LogSoftmax."""

from __future__ import annotations

from ..ops.base import Expr, Ops
from .node import Site
from .registry import rule


def _axes(node: Site, default: int, from_axis_on: bool) -> tuple[int, ...]:
    axis = node.negative(int(node.attr("axis", default)))
    # Before opset 13 the tensor is seen as a matrix, cut at the axis: all later axes are normalised.
    return tuple(range(axis, 0)) if from_axis_on else (axis,)


def _softmax(op: Ops, node: Site, m: Expr, axes: tuple[int, ...]) -> list[Expr | None]:
    s = node.output()
    inner = op.mul(s, op.sub(m, op.sum(op.mul(s, m), axes)))
    node.absorb("softmax", m, s)
    node.absorb("softmax", inner, op.neg(node.input(0)))
    return [inner]


@rule("Softmax", kind="softmax", carry="softmax")
def softmax_before_13(op: Ops, node: Site, m: Expr) -> list[Expr | None]:
    """``s (m - sum(s m))`` over all axes from `axis` on (AttnLRP, Achtibat et al. 2024, eq. 13)."""
    return _softmax(op, node, m, _axes(node, 1, from_axis_on=True))


@rule("Softmax", kind="softmax", since=13, carry="softmax")
def softmax(op: Ops, node: Site, m: Expr) -> list[Expr | None]:
    """``s (m - sum(s m))`` (AttnLRP, Achtibat et al. 2024, eq. 13): a Taylor step at x.

    It is not conservative: ``sum s m - sum x m_in`` stays, and goes to the ledger.
    """
    return _softmax(op, node, m, _axes(node, -1, from_axis_on=False))


def _log_softmax(op: Ops, node: Site, m: Expr, axes: tuple[int, ...]) -> list[Expr | None]:
    y = node.output()
    inner = op.sub(m, op.mul(op.exp(y), op.sum(m, axes)))
    node.absorb("softmax", m, y)
    node.absorb("softmax", inner, op.neg(node.input(0)))
    return [inner]


@rule("LogSoftmax", kind="softmax")
def log_softmax_before_13(op: Ops, node: Site, m: Expr) -> list[Expr | None]:
    """``m - s sum(m)`` over all axes from `axis` on: a Taylor step at x."""
    return _log_softmax(op, node, m, _axes(node, 1, from_axis_on=True))


@rule("LogSoftmax", kind="softmax", since=13)
def log_softmax(op: Ops, node: Site, m: Expr) -> list[Expr | None]:
    """``m - s sum(m)``: a Taylor step at x."""
    return _log_softmax(op, node, m, _axes(node, -1, from_axis_on=False))
