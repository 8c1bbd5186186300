"""Products of more than two factors, and quotients.

For two factors the derivative at the middle is exact, and it is what the Shapley value of two players gives
each: ``da bbar + db abar = a b - a' b'``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

from ..ops.base import Expr, Ops
from ..rules.common import unbroadcast
from ..rules.einsum import Equation
from ..rules.einsum import einsum as einsum_rule
from ..rules.node import Message
from ..rules.reduction import kept, reduced_axes
from .functions import pair
from .pair import PairContext
from .registry import secant

# Factors whose Shapley values are summed over all orders; more are taken in two.
_ALL_ORDERS = 4


@secant("Div")
def div(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """``y = a / b`` as what it undoes: ``a = b y``, so ``m / bbar`` and ``-m ybar / bbar``.

    Where b has another sign than b', its mean can be 0: there it is the product of a and ``1/b``.
    """
    b = pair(op, node.here(1))
    sent: list[Expr | None] = [None, None]
    one_side = op.greater(op.mul(b.a, b.b), 0.0)
    both = op.mul(b.a, b.b)
    safe = op.where(one_side, b.middle(op), both)
    if node.active(0):
        per = op.where(one_side, op.div(1.0, safe), op.div(b.middle(op), safe))
        sent[0] = unbroadcast(op, op.mul(m, per), node.out_shape(), node.shape(0))
    if node.active(1):
        # What is divided may be larger than b: the choice is made where the quotient is.
        shape = node.out_shape()
        part = op.where(one_side, op.div(node.output(), safe), op.div(node.input(0), safe))
        sent[1] = unbroadcast(op, op.neg(op.mul(m, part)), shape, node.shape(1))
    return sent


@secant("Einsum")
def einsum(op: Ops, node: PairContext, m: Expr) -> Sequence[Message | Expr | None]:
    """Shapley values of the active factors: of two, each with the mean of the other's two values."""
    varying = [i for i in range(node.count) if node.active(i)]
    if len(varying) < 3:
        return einsum_rule(op, node, m)
    equation = Equation(op, node)
    here = {i: equation.value(i, node.here(i)) for i in range(node.count)}
    there = {i: equation.value(i, node.there(i)) for i in varying}
    orders = _orders(varying)
    sent: list[Message | Expr | None] = [None] * node.count
    for i in varying:
        total: Expr | None = None
        for order in orders:
            before = set(order[: order.index(i)])
            others = {k: there[k] if k in before else here[k] for k in range(node.count) if k != i}
            got = equation.adjoint(i, m, others)
            total = got if total is None else op.add(total, got)
        assert total is not None
        sent[i] = equation.whole(i, op.mul(total, 1.0 / len(orders)))
    return sent


def _orders(players: list[int]) -> list[tuple[int, ...]]:
    """All orders of few players; of many one and its reverse, which is exact too."""
    if len(players) <= _ALL_ORDERS:
        return list(permutations(players))
    return [tuple(players), tuple(reversed(players))]


@secant("ReduceProd")
def reduce_product(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """Factor by factor: ``(prod before, here) (prod after, there)``, and the other way round."""
    axes = reduced_axes(node)
    if not axes:
        return [m, None][: node.count]
    shape, rank = node.shape(0), node.rank()
    last = [i for i in range(rank) if i - rank in axes]
    perm = [i for i in range(rank) if i not in last] + last
    sizes = [shape[i] for i in last]
    count = 1
    for s in sizes:
        if not isinstance(s, int):
            raise node.refuse("it multiplies along the batch")
        count *= s
    moved = tuple(shape[i] for i in perm)
    flat = (*moved[: rank - len(last)], count)

    def laid(x: Expr) -> Expr:
        return op.reshape(op.transpose(x, perm), flat)

    slopes = _each_factor(op, laid(node.here(0)), laid(node.there(0)), count, -1)
    whole = op.concat(slopes, -1)
    back = op.transpose(op.reshape(whole, moved), [perm.index(i) for i in range(rank)])
    return [op.mul(op.reshape(m, kept(node, axes)), back), None][: node.count]


def _at(op: Ops, a: Expr, i: int, axis: int) -> Expr:
    return op.slice(a, [i], [i + 1], [axis], [1])


def _ends(op: Ops, x: Expr, count: int, axis: int) -> tuple[list[Expr | None], list[Expr | None]]:
    """Products of the factors before each one, and of those after it."""
    before: list[Expr | None] = [None]
    for i in range(count - 1):
        own, so_far = _at(op, x, i, axis), before[-1]
        before.append(own if so_far is None else op.mul(so_far, own))
    after: list[Expr | None] = [None]
    for i in range(count - 1, 0, -1):
        own, so_far = _at(op, x, i, axis), after[-1]
        after.append(own if so_far is None else op.mul(so_far, own))
    return before, after[::-1]


def _each_factor(op: Ops, a: Expr, b: Expr, count: int, axis: int) -> list[Expr]:
    """The secant of a product in each of its factors, the mean of both ways to go through them."""
    before_a, after_a = _ends(op, a, count, axis)
    before_b, after_b = _ends(op, b, count, axis)
    one = op.where(op.equal(_at(op, a, 0, axis), 0.0), 1.0, 1.0)

    def times(x: Expr | None, y: Expr | None) -> Expr:
        present = [v for v in (x, y) if v is not None]
        return one if not present else present[0] if len(present) == 1 else op.mul(*present)

    return [
        op.mul(op.add(times(before_a[i], after_b[i]), times(before_b[i], after_a[i])), 0.5)
        for i in range(count)
    ]


@secant("CumProd")
def cumulative_product(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """Each of the products as ReduceProd."""
    axis = node.negative(int(node.needs_const(1, "axis").reshape(())))
    exclusive, reverse = bool(node.attr("exclusive", 0)), bool(node.attr("reverse", 0))
    length = node.shape(0)[axis]
    if not isinstance(length, int):
        raise node.refuse("it multiplies along the batch")
    order = list(range(length))[:: -1 if reverse else 1]
    a, b = node.here(0), node.there(0)
    found: dict[int, Expr] = {}
    for at, place in enumerate(order):
        factors = order[:at] if exclusive else order[: at + 1]
        if not factors:
            continue
        first, second = (op.concat([_at(op, x, i, axis) for i in factors], axis) for x in (a, b))
        own = _at(op, m, place, axis)
        for i, slope in zip(factors, _each_factor(op, first, second, len(factors), axis), strict=True):
            got = op.mul(own, slope)
            found[i] = got if i not in found else op.add(found[i], got)
    empty = op.mul(_at(op, m, 0, axis), 0.0)
    return [op.concat([found.get(i, empty) for i in range(length)], axis), None]
