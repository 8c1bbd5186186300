"""Operators that pick: what was picked here and what was picked there share the difference.

Let i be picked in the window (a) and j in the reference (a'), so that the outputs differ by ``a_i -
a'_j``. For maxima the straight way from one to the other crosses where both are alike, at

    ``p = (a'_j - a'_i) / (a'_j - a'_i + a_i - a_j)``

of it; ``1 - p`` of the multiplier to i and p to j is exact. Where something else picks, the two may jump:
then half goes to each, and what that leaves is a decision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from ..analysis.shapes import Batch, Shape
from ..ops.base import HUGE, Expr, Ops
from ..rules import elementwise, indexing
from ..rules.common import unbroadcast
from ..rules.conv import window
from ..rules.node import Message
from ..rules.reduction import kept, reduced_axes
from ..rules.selection import winner
from .functions import pair, quotient
from .pair import PairContext
from .registry import secant


def crossing(op: Ops, a_i: Expr, a_j: Expr, b_i: Expr, b_j: Expr) -> Expr:
    """The part p of the multiplier that goes to what was picked in the reference.

    Parameters
    ----------
    a_i, a_j : Expr
        In the window: what is picked there, and what the reference picks.
    b_i, b_j : Expr
        The same two in the reference.
    """
    a_i, a_j, b_i, b_j = (op.maximum(op.minimum(v, HUGE), -HUGE) for v in (a_i, a_j, b_i, b_j))
    before, after = op.sub(b_j, b_i), op.sub(a_i, a_j)
    total = op.add(before, after)
    none = op.equal(total, 0.0)
    part = op.div(before, op.where(none, 1.0, total))
    outside = op.greater(op.abs(op.sub(part, 0.5)), 0.5)
    # Both 0: nothing was changed for something else, or both are alike. Opposite and equal: a jump.
    return op.where(none, op.where(op.equal(before, 0.0), 0.0, 0.5), op.where(outside, 0.5, part))


@secant("Where")
def where(op: Ops, node: PairContext, m: Expr) -> Sequence[Message | Expr | None]:
    """Where both passes choose alike the chosen operand gets everything; a token what it has chosen."""
    if not node.active(1) and not node.active(2):
        if node.active(0):
            return elementwise.where(op, node, m)
        node.keep_rest("decision", m, [])
        return [None, None, None]
    chosen, other = node.here(0), node.there(0)
    if not node.varies(0):
        to_first, to_second = op.where(chosen, 1.0, 0.0), op.where(chosen, 0.0, 1.0)
    else:
        # i is what the window takes, j what the reference takes.
        x, y = (node.here(1), node.there(1)), (node.here(2), node.there(2))
        a_i, b_j = node.made_here(), node.made_there()
        a_j, b_i = op.where(other, x[0], y[0]), op.where(chosen, x[1], y[1])
        p = crossing(op, a_i, a_j, b_i, b_j)
        # A branch that is not finite in the pass that does not take it has no difference to speak of.
        p = op.where(op.less(op.abs(a_j), HUGE), p, 0.0)
        stays = op.where(op.less(op.abs(b_i), HUGE), op.sub(1.0, p), 0.0)
        to_first = op.add(op.where(chosen, stays, 0.0), op.where(other, p, 0.0))
        to_second = op.add(op.where(chosen, 0.0, stays), op.where(other, 0.0, p))
    sent: list[Expr | None] = [None]
    for i, part in ((1, to_first), (2, to_second)):
        got = unbroadcast(op, op.mul(m, part), node.out_shape(), node.shape(i)) if node.active(i) else None
        sent.append(got)
    if node.varies(0):
        node.keep_rest("decision", m, sent)
    return sent


@secant("Max", "Min")
def extremum(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """The largest operand here and the largest there share by their crossing."""
    here = _first_equal(op, [node.number(i) for i in range(node.count)], node.number_made())
    return _among(op, node, m, list(range(node.count)), here)


def _first_equal(op: Ops, values: list[Expr], y: Expr) -> list[Expr]:
    """One where an operand is the one that came out, the first of those that are alike."""
    found: list[Expr] = []
    free: Expr | None = None
    for value in values:
        wins = op.where(op.equal(value, y), 1.0, 0.0)
        found.append(wins if free is None else op.mul(wins, free))
        lost = op.sub(1.0, wins)
        free = lost if free is None else op.mul(free, lost)
    return found


def _among(op: Ops, node: PairContext, m: Expr, operands: list[int], here: list[Expr]) -> list[Expr | None]:
    """Operands share what one of them gave here, and another there."""
    parts = _parts(op, [node.number(i) for i in operands], here, node.number_made())
    sent: list[Expr | None] = [None] * node.count
    for i, part in zip(operands, parts, strict=True):
        if node.active(i):
            sent[i] = unbroadcast(op, op.mul(m, part), node.out_shape(), node.shape(i))
    return sent


def _parts(op: Ops, values: list[Expr], here: list[Expr], y: Expr) -> list[Expr]:
    """Of the multiplier of what is picked among values, what each of them gets."""
    there = [op.reference(w) for w in here]
    a_j = _picked(op, there, values)
    b_i = _picked(op, here, [op.reference(v) for v in values])
    p = crossing(op, y, a_j, b_i, op.reference(y))
    stays = op.sub(1.0, p)
    return [op.add(op.mul(w, stays), op.mul(v, p)) for w, v in zip(here, there, strict=True)]


def _picked(op: Ops, which: list[Expr], values: list[Expr]) -> Expr:
    """The value that is picked: the others may be infinite, and 0 times that is not to be formed."""
    total: Expr | None = None
    for w, v in zip(which, values, strict=True):
        part = op.where(op.greater(w, 0.5), v, 0.0)
        total = part if total is None else op.add(total, part)
    assert total is not None
    return total


@secant("Clip")
def clip(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """The signal and its bounds share as those of a maximum, and of a minimum of that and the other, do.

    One step after the other: from one bound to the other it is the signal that moves.
    """
    if any(node.active(i) for i in (1, 2) if node.has(i)):
        low = op.maximum(node.number(0), node.number(1)) if node.has(1) else node.number(0)
        return _bounded(op, node, m, low)
    x, y = pair(op, node.number(0)), pair(op, node.number_made())
    part = quotient(op, x, y, op.where(op.equal(x.a, y.a), 1.0, 0.0))
    return [op.mul(m, part), *[None] * (node.count - 1)]


def _bounded(op: Ops, node: PairContext, m: Expr, low: Expr) -> list[Expr | None]:
    """What signal, lower and upper bound get; `low` is the signal or its lower bound, whichever is more."""
    parts: dict[int, Expr] = {}
    rest: Expr | None = None
    if node.has(2):
        made = [low, node.number(2)]
        rest, parts[2] = _parts(op, made, _first_equal(op, made, node.number_made()), node.number_made())
    given = [node.number(0), *([node.number(1)] if node.has(1) else [])]
    for i, part in enumerate(_parts(op, given, _first_equal(op, given, low), low)):
        parts[i] = part if rest is None else op.mul(rest, part)
    return [
        unbroadcast(op, op.mul(m, parts[i]), node.out_shape(), node.shape(i)) if node.active(i) else None
        for i in range(node.count)
    ]


@secant("ReduceMax", "ReduceMin")
def reduce_extremum(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """The winner here and the winner there share by their crossing."""
    axes = reduced_axes(node)
    if not axes:
        return [m, None][: node.count]
    sign = 1.0 if node.node.op_type == "ReduceMax" else -1.0
    return [_by_winners(op, node, op.reshape(m, kept(node, axes)), axes, sign), None][: node.count]


@secant("GlobalMaxPool")
def global_max_pool(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """The winner here and the winner there share by their crossing."""
    return [_by_winners(op, node, m, tuple(range(2 - node.rank(), 0)), 1.0)]


def _by_winners(op: Ops, node: PairContext, m: Expr, axes: tuple[int, ...], sign: float) -> Expr:
    x = node.here(0)
    here = winner(op, node, op.mul(x, sign), axes)
    there = op.reference(here)
    shape = kept(node, axes)
    a_i, b_j = op.reshape(node.made_here(), shape), op.reshape(node.made_there(), shape)
    a_j = op.sum(op.where(op.greater(there, 0.5), x, 0.0), axes)
    b_i = op.sum(op.where(op.greater(here, 0.5), node.there(0), 0.0), axes)
    p = crossing(op, a_i, a_j, b_i, b_j)
    return op.mul(m, op.add(op.mul(here, op.sub(1.0, p)), op.mul(there, p)))


Pick = Callable[[Expr, Expr], Expr]


def _by_index(op: Ops, node: PairContext, m: Expr, index: Expr, pick: Pick, put: Pick, y: int = 0) -> Expr:
    """Where ``pick(x, index)`` was taken, and ``put(m, index)`` puts back."""
    here, there = index, op.reference(index)
    a_j, b_i = pick(node.here(0), there), pick(node.there(0), here)
    p = crossing(op, node.made_here(y), a_j, b_i, node.made_there(y))
    return op.add(put(op.mul(m, op.sub(1.0, p)), here), put(op.mul(m, p), there))


@secant("MaxPool")
def max_pool(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """Of each window, the winner here and the winner there share by their crossing."""
    view = window(node, tuple(node.attr("kernel_shape")))
    attributes = {k: v for k, v in node.node.attributes.items() if k != "storage_order"}
    index = op.max_pool_index(node.here(0), view, attributes)
    sizes = prod(d for d in node.shape(0) if isinstance(d, int))
    grows = [d for d in node.shape(0) if isinstance(d, Batch)]
    flat: Shape = (Batch(grows[0].scale * sizes),) if grows else (sizes,)
    return [
        _by_index(
            op,
            node,
            m,
            index,
            lambda x, at: op.gather(op.reshape(x, flat), at, -1),
            lambda q, at: op.unflatten_at(q, at, node.shape(0)),
        )
    ]


@secant("TopK")
def top_k(op: Ops, node: PairContext, m: Expr) -> list[Expr | None]:
    """Of each place in the order, who has it here and who has it there share."""
    axis = node.negative(int(node.attr("axis", -1)))
    got = _by_index(
        op,
        node,
        m,
        node.made_here(1),
        lambda x, at: op.gather_elements(x, at, axis),
        lambda q, at: op.ungather_elements(q, at, axis, node.shape(0)),
    )
    node.keep_rest("decision", m, [got])
    return [got, *[None] * (node.count - 1)]


@secant("Gather")
def gather(op: Ops, node: PairContext, m: Expr) -> Sequence[Message | Expr | None]:
    """A token gets what its embedding has; else back to the slices that were picked."""
    if _is_look_up(node):
        return indexing.gather(op, node, m)
    axis, shape, rank = node.negative(int(node.attr("axis", 0))), node.shape(0), node.rank(1)
    return _gathered(
        op,
        node,
        m,
        lambda x, at: op.gather(x, at, axis),
        lambda q, at: op.ungather(q, at, axis, shape, rank),
    )


@secant("GatherElements")
def gather_elements(op: Ops, node: PairContext, m: Expr) -> Sequence[Message | Expr | None]:
    """A token gets what its embedding has; else back to the elements that were picked."""
    if _is_look_up(node):
        return indexing.gather_elements(op, node, m)
    axis, shape = node.negative(int(node.attr("axis", 0))), node.shape(0)
    return _gathered(
        op,
        node,
        m,
        lambda x, at: op.gather_elements(x, at, axis),
        lambda q, at: op.ungather_elements(q, at, axis, shape),
    )


@secant("GatherND")
def gather_nd(op: Ops, node: PairContext, m: Expr) -> Sequence[Message | Expr | None]:
    """A token gets what its embedding has; else back to the elements that were picked."""
    if _is_look_up(node):
        return indexing.gather_nd(op, node, m)
    dims, shape = int(node.attr("batch_dims", 0)), node.shape(0)
    return _gathered(
        op,
        node,
        m,
        lambda x, at: op.gather_nd(x, at, dims),
        lambda q, at: op.ungather_nd(q, at, dims, shape),
    )


def _is_look_up(node: PairContext) -> bool:
    """Whether tokens read a table: relevance is the tokens'."""
    return node.active(1) and not node.active(0)


def _gathered(op: Ops, node: PairContext, m: Expr, pick: Pick, put: Pick) -> list[Expr | None]:
    """By an index that is constant, or that the input decides."""
    index = node.here(1)
    if not node.varies(1):
        return [put(m, index), None]
    got = _by_index(op, node, m, index, pick, put)
    node.keep_rest("decision", m, [got])
    return [got, None]
