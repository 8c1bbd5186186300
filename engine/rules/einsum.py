"""Einsum: a layer with one active operand, a product with several."""

from __future__ import annotations

import numpy as np

from ..analysis.shapes import Dim, Shape
from ..ops.base import Array, Expr, Ops
from .common import shares
from .layers import Layer, propagate
from .node import Message, NodeContext
from .registry import rule


@rule("Einsum", kind="linear", since=12, carry="own")
def einsum(op: Ops, node: NodeContext, m: Expr | None) -> list[Message | Expr | None]:
    """A layer by the composite's rule; a product with several active operands (AttnLRP, Prop. 3.3)."""
    equation = Equation(op, node)
    active = [i for i in range(node.count) if node.active(i)]
    if len(active) == 1 and node.count == 2:
        return _layer(op, node, m, equation, active[0])
    q = node.as_multiplier(m)
    if len(active) > 1 and node.variant("product") == "gradient":
        node.absorb("product", q, op.mul(node.output(), 1.0 - len(active)))
    part = shares(node, *range(node.count))
    found: list[Message | Expr | None] = [None] * node.count
    for i in part:
        others = {k: equation.value(k) for k in range(node.count) if k != i}
        found[i] = equation.whole(i, equation.adjoint(i, op.mul(q, part[i]), others))
    return found


def _layer(
    op: Ops, node: NodeContext, m: Expr | None, equation: Equation, i: int
) -> list[Message | Expr | None]:
    """An Einsum of a signal, operand i, with a weight."""

    def apply(x: Expr, w: Expr) -> Expr:
        pair = [x, w] if i == 0 else [w, x]
        return op.einsum(",".join(equation.terms) + "->" + equation.out, pair)

    layer = Layer(
        "linear",
        equation.value(i),
        equation.value(1 - i),
        None,
        apply,
        lambda q, w: equation.adjoint(i, q, {1 - i: w}),
        node.const(1 - i) is not None,
    )
    result: list[Message | Expr | None] = [None, None]
    result[i] = equation.whole(i, propagate(op, node, m, layer))
    return result


class Equation:
    """What an Einsum says, and its adjoints.

    Attributes
    ----------
    terms : list of str
        The operands' letters, the ellipsis spelt out.
    out : str
        The output's.
    shapes : list of Shape
        Of the operands, that the letters are for.
    """

    def __init__(self, op: Ops, node: NodeContext) -> None:
        self.terms, self.out, self.shapes = _equation(node)
        self._op, self._node = op, node
        self._free = next(x for x in "UVWXYZuvwxyz" if x not in "".join([self.out, *self.terms]))

    def value(self, i: int, x: Expr | None = None) -> Expr:
        """An operand (or x in its place), in the shape that its letters are for."""
        x, shape = self._node.input(i) if x is None else x, self.shapes[i]
        return x if shape == self._node.shape(i) else self._op.reshape(x, shape)

    def whole(self, i: int, got: Message | Expr) -> Message | Expr:
        """What an operand gets, in its own shape."""
        op, shape = self._op, self._node.shape(i)
        if self.shapes[i] == shape:
            return got
        if isinstance(got, Expr):
            return op.reshape(got, shape)
        return Message(*(None if e is None else op.reshape(e, shape) for e in (got.m, got.r)))

    def adjoint(self, i: int, q: Expr, others: dict[int, Expr]) -> Expr:
        """Einsum of q with the other operands, laid out like operand i."""
        op, own, free = self._op, self.terms[i], self._free
        known = set(self.out).union(*(self.terms[k] for k in others))
        # Letters that only operand i has were summed away: every one of them gets the same.
        kept = "".join(x for p, x in enumerate(own) if own.index(x) == p and x in known)
        # A single number has an axis of length 1: no term of an equation is empty.
        term, q = (self.out, q) if self.out else (free, op.reshape(q, (1,)))
        if not kept:
            kept = free
            term = term if free in term else free + term
            q = q if not self.out else op.reshape(q, (1, *self._node.out_shape()))
        left = ",".join([term, *(self.terms[k] for k in others)])
        got = op.einsum(f"{left}->{kept}", [q, *others.values()])
        kept = kept.replace(free, "")
        if kept == own:
            return got if own else op.reshape(got, ())
        return self._spread(i, got, known)

    def _spread(self, i: int, got: Expr, known: set[str]) -> Expr:
        """Over the axes of operand i that were summed away, and onto the diagonal of a letter twice."""
        op, own, shape = self._op, self.terms[i], self.shapes[i]
        once = [p for p, x in enumerate(own) if own.index(x) == p]
        narrow: Shape = tuple(d if p in once and own[p] in known else 1 for p, d in enumerate(shape))
        wide: Shape = tuple(d if p in once else 1 for p, d in enumerate(shape))
        got = op.expand(op.reshape(got, narrow), wide)
        for p, x in enumerate(own):  # a letter twice is a diagonal: nothing beside it
            if p not in once:
                got = op.mul(got, op.const(_diagonal(self._node, shape[p], own.index(x), p, len(own))))
        return got


def _diagonal(node: NodeContext, size: Dim, a: int, b: int, rank: int) -> Array:
    if not isinstance(size, int):
        raise node.refuse("it takes a diagonal of the batch")
    return np.eye(size, dtype=np.float32).reshape([size if p in (a, b) else 1 for p in range(rank)])


def _equation(node: NodeContext) -> tuple[list[str], str, list[Shape]]:
    """The equation's terms with the ellipsis spelt out, and the shapes that they are for.

    An axis of length 1 that is broadcast has no letter: it is taken away.
    """
    text = str(node.attr("equation")).replace(" ", "")
    left, arrow, out = text.partition("->")
    terms = left.split(",")
    if not arrow:
        letters = [x for x in "".join(terms) if x.isalpha()]
        out = "".join(sorted(x for x in set(letters) if letters.count(x) == 1))
        out = "..." + out if "..." in left else out
    ranks = [node.rank(i) - len(t.replace("...", "")) for i, t in enumerate(terms)]
    widest = max((r for r, t in zip(ranks, terms, strict=True) if "..." in t), default=0)
    free = [x for x in "ABCDEFGHIJKLMNOPQRST" if x not in text][:widest]
    spelt = [t.replace("...", "".join(free[widest - r :])) for t, r in zip(terms, ranks, strict=True)]
    sizes: dict[str, Dim] = {}
    for i, t in enumerate(spelt):
        for x, d in zip(t, node.shape(i), strict=True):
            if d != 1:
                sizes[x] = d
    shapes: list[Shape] = []
    for i, t in enumerate(spelt):
        stays = [d != 1 or x not in sizes for x, d in zip(t, node.shape(i), strict=True)]
        shapes.append(tuple(d for d, s in zip(node.shape(i), stays, strict=True) if s))
        spelt[i] = "".join(x for x, s in zip(t, stays, strict=True) if s)
    return spelt, out.replace("...", "".join(free)), shapes
