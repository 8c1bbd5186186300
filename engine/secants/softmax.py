"""Softmax and its logarithm.

A softmax is ``s = exp(l)`` with ``l = x - lse(x)``. With the logarithmic mean ``L = (s - s') / (l - l') =
(s + s')/2 tanhc((l - l')/2)``, ``tanhc(t) = tanh(t)/t``, which never cancels, ``s - s' = L (x - x' - d)``,
d the difference of both lse. Probabilities sum to one in both passes, so ``0 = sum L (x - x' - d)``: d is
the mean of ``x - x'`` weighted with L. That makes

    ``m_in = L (m - sum(m L) / sum(L))``,

the derivative ``s (m - sum(m s))`` with L in the place of s. It is as large as probabilities are, and the
same whatever is added to all scores of one pass. A softmax taken as the product of exponentials and one
over their sum is as exact, but its multipliers grow with ``e^d`` and cancel.
"""

from __future__ import annotations

from ..ops.base import Expr, Ops
from ..rules.reduction import kept, reduced_axes, spread
from ..rules.softmax import softmax_axes
from .pair import PairContext
from .registry import secant

# In the place of a mask's -inf: what it is multiplied with is 0.
_LOW = -1e30
# Added before a number is divided by: 0 over 0 is then 1.
_TINY = 1.2345e-30


def tanhc(op: Ops, x: Expr) -> Expr:
    """``tanh(x) / x``, 1 at 0."""
    # Too little to change what is not 0, and no number that is likely to be met with the other sign.
    x = op.add(x, _TINY)
    return op.div(op.tanh(x), x)


def _log_mean(op: Ops, node: PairContext, x: Expr, s: Expr, total: Expr) -> Expr:
    """L of ``s = exp(x - total)``, where x may be -inf."""
    half = op.maximum(op.mul(op.sub(x, total), 0.5), _LOW)
    return op.mul(node.middle(s), tanhc(op, op.sub(half, op.reference(half))))


@secant("Softmax")
def softmax(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """``L (m - sum(m L) / sum(L))``, L the logarithmic mean of both probabilities."""
    axes = softmax_axes(node)
    x, s = node.here(0), node.made_here()
    # The sum of exponentials, from the largest score and its probability, which is never 0.
    total = op.sub(op.max(x, axes), op.log(op.max(s, axes)))
    mean = _log_mean(op, node, x, s, total)
    kept = op.div(op.sum(op.mul(m, mean), axes), op.sum(mean, axes))
    return [op.mul(mean, op.sub(m, kept))]


@secant("LogSoftmax")
def log_softmax(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """``m - sum(m) L / sum(L)``."""
    axes = softmax_axes(node)
    x, y = node.here(0), node.made_here()
    total = op.sub(op.max(x, axes), op.max(y, axes))
    mean = _log_mean(op, node, x, op.exp(y), total)
    return [op.sub(m, op.mul(mean, op.div(op.sum(m, axes), op.sum(mean, axes))))]


@secant("ReduceLogSumExp")
def reduce_log_sum_exp(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """``m L / sum(L)``, L as for a softmax."""
    axes, x = reduced_axes(node), node.here(0)
    total = op.reshape(node.made_here(), kept(node, axes))
    mean = _log_mean(op, node, x, op.exp(op.sub(x, total)), total)
    return [op.mul(spread(op, node, m, axes), op.div(mean, op.sum(mean, axes))), None][: node.count]
