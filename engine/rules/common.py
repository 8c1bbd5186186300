"""Steps that many rules share."""

from __future__ import annotations

from ..analysis.shapes import Shape, broadcast_axes
from ..ops.base import HUGE, Expr, Ops
from .node import DELTA, NodeContext


def unbroadcast(op: Ops, m: Expr, shape: Shape, to: Shape) -> Expr:
    """The adjoint of broadcasting: sum `m`, shaped `shape`, back to the shape `to`."""
    m = op.sum(m, broadcast_axes(to, shape))
    return m if len(shape) == len(to) else op.reshape(m, to)


def relevance(op: Ops, node: NodeContext, m: Expr | None) -> Expr:
    """All relevance of the output, ``y m + r``."""
    r = node.take_remainder()
    if m is None:
        assert r is not None
        return r
    product = op.mul(m, node.activation())
    return product if r is None else op.add(product, r)


def stabilised(op: Ops, node: NodeContext, m: Expr | None, parameter: str) -> Expr:
    """``R / (y + eps sign(y))``, in the multiplier form ``m |y| / (|y| + eps)`` where R is ``y m``.

    With eps 0 nothing is recorded. What the stabiliser keeps, ``R eps sign(y) / (y + eps sign(y))``, goes
    to the ledger, and all of a message r where y is 0 but for rounding: as a multiplier it would be huge, and
    what operands that cancel (x - x) make of it is rounding.
    """
    eps = 0.0 if node.gradient else node.parameter(parameter)
    if not eps:
        return node.as_multiplier(m)
    # A mask adds -inf, where no relevance is: inf / inf is not to be formed.
    y = op.maximum(op.minimum(node.activation(), HUGE), -HUGE)
    if node.remainder is not None:
        signed = op.where(op.less(y, 0.0), -eps, eps)
        whole = op.add(y, signed)
        r, none = relevance(op, node, m), op.less(op.abs(y), DELTA / 10)
        node.absorb("stabilizer", r, op.where(none, 1.0, op.div(signed, whole)))
        return op.mul(r, op.where(none, 0.0, op.div(1.0, whole)))
    assert m is not None
    size = op.abs(y)
    below = op.add(size, eps)
    node.absorb("stabilizer", m, op.mul(op.div(y, below), eps))
    return op.mul(m, op.div(size, below))


def shares(node: NodeContext, *operands: int) -> dict[int, float]:
    """How much of its adjoint each active factor of a product gets.

    AttnLRP's uniform rule (Achtibat et al. 2024, Prop. 3.3): k active factors get 1/k each, so
    that relevance is conserved. A derivative gives each the whole.
    """
    active = [i for i in operands if node.active(i)]
    whole = node.variant("product") == "gradient"
    return {i: 1.0 if whole else 1.0 / len(active) for i in active}


def absorb_product(op: Ops, node: NodeContext, m: Expr, active: int) -> None:
    """The ledger of a derivative through k active factors: the output's relevance counted k times."""
    if active > 1 and node.variant("product") == "gradient":
        node.absorb("product", m, op.mul(node.output(), 1.0 - active))
