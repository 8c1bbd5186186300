"""Softmax and its logarithm.

A softmax is ``s = exp(l)`` with ``l = a - lse(a)``. Both steps have secants that never cancel. With the
logarithmic mean ``L(x, y) = (x - y) / (ln x - ln y) = (x + y)/2 tanhc((ln x - ln y)/2)``, where
``tanhc(t) = tanh(t)/t``, the first gives ``g = m L(s, s')``, and the second

    ``lse - lse' = sum w (a - a')``,  ``w = (s q + s' (1 - q)) tanhc((a - a')/2) / tanhc(d/2)``,

with ``d = lse - lse'`` and ``q = 1 / (1 + e^-d)``. So ``m_in = g - w sum(g)``. The weights are positive and as
large as probabilities, whatever is added to all scores: softmax taken as the product of exponentials and one
over their sum is as exact, but its multipliers grow with ``e^d`` and cancel.
"""

from __future__ import annotations

from ..ops.base import Expr, Ops
from ..rules.softmax import softmax_axes
from .pair import PairContext
from .registry import secant


def tanhc(op: Ops, x: Expr) -> Expr:
    """``tanh(x) / x``, 1 at 0."""
    zero = op.equal(x, 0.0)
    return op.where(zero, 1.0, op.div(op.tanh(x), op.where(zero, 1.0, x)))


def log_sum_weights(op: Ops, d_x: Expr, d: Expr, s: Expr, t: Expr) -> Expr:
    """The secant of ``lse(x)``: w with ``sum w (x - x') = lse - lse'``.

    Parameters
    ----------
    d_x, d : Expr
        ``x - x'`` and ``lse - lse'``.
    s, t : Expr
        ``exp(x - lse)`` here and there.
    """
    q = op.sigmoid(d)
    mixed = op.add(t, op.mul(q, op.sub(s, t)))
    return op.mul(mixed, op.div(tanhc(op, op.mul(d_x, 0.5)), tanhc(op, op.mul(d, 0.5))))


def _log_sum(op: Ops, x: Expr, s: Expr, axes: tuple[int, ...]) -> Expr:
    """``lse(x)``, from what a softmax gives."""
    return op.sub(op.max(x, axes), op.log(op.max(s, axes)))


@secant("Softmax")
def softmax(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """``g - w sum(g)`` with ``g = m L(s, s')``."""
    axes = softmax_axes(node)
    x, s = node.here(0), node.made_here()
    total, t = _log_sum(op, x, s, axes), node.made_there()
    d_x, d = node.apart(0), op.sub(total, op.reference(total))
    g = op.mul(m, op.mul(node.middle(s), tanhc(op, op.mul(op.sub(d_x, d), 0.5))))
    w = log_sum_weights(op, d_x, d, s, t)
    return [op.sub(g, op.mul(w, op.sum(g, axes)))]


@secant("LogSoftmax")
def log_softmax(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """``m - w sum(m)``."""
    axes = softmax_axes(node)
    x, y = node.here(0), node.made_here()
    s = op.exp(y)
    total = op.sub(op.max(x, axes), op.max(y, axes))
    d_x, d = node.apart(0), op.sub(total, op.reference(total))
    w = log_sum_weights(op, d_x, d, s, op.reference(s))
    return [op.sub(m, op.mul(w, op.sum(m, axes)))]
