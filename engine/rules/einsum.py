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
    terms, out, shapes = _equation(node)
    active = [i for i in range(node.count) if node.active(i)]

    free = next(x for x in "UVWXYZuvwxyz" if x not in "".join([out, *terms]))

    def value(i: int) -> Expr:
        return node.input(i) if shapes[i] == node.shape(i) else op.reshape(node.input(i), shapes[i])

    def adjoint(i: int, q: Expr, others: dict[int, Expr]) -> Expr:
        """Einsum of q with the other operands, laid out like operand i."""
        own, shape = terms[i], shapes[i]
        known = set(out).union(*(terms[k] for k in others))
        once = [p for p, x in enumerate(own) if own.index(x) == p]
        # Letters that only operand i has were summed away: every one of them gets the same.
        kept = "".join(own[p] for p in once if own[p] in known)
        # A single number has an axis of length 1: no term of an equation is empty.
        term, q = (out, q) if out else (free, op.reshape(q, (1,)))
        if not kept:
            kept = free
            term = term if free in term else free + term
            q = q if not out else op.reshape(q, (1, *node.out_shape()))
        got = op.einsum(",".join([term, *(terms[k] for k in others)]) + "->" + kept, [q, *others.values()])
        kept = kept.replace(free, "")
        if kept == own:
            return got if own else op.reshape(got, ())
        narrow: Shape = tuple(d if p in once and own[p] in known else 1 for p, d in enumerate(shape))
        wide: Shape = tuple(d if p in once else 1 for p, d in enumerate(shape))
        got = op.expand(op.reshape(got, narrow), wide)
        for p, x in enumerate(own):  # a letter twice is a diagonal: nothing beside it
            if p not in once:
                got = op.mul(got, op.const(_diagonal(node, shape[p], own.index(x), p, len(own))))
        return got

    def whole(i: int, got: Message | Expr) -> Message | Expr:
        if shapes[i] == node.shape(i):
            return got
        if isinstance(got, Expr):
            return op.reshape(got, node.shape(i))
        return Message(*(None if e is None else op.reshape(e, node.shape(i)) for e in (got.m, got.r)))

    if len(active) == 1 and node.count == 2:
        i = active[0]

        def apply(x: Expr, w: Expr) -> Expr:
            pair = [x, w] if i == 0 else [w, x]
            return op.einsum(",".join(terms) + "->" + out, pair)

        layer = Layer(
            "linear",
            value(i),
            value(1 - i),
            None,
            apply,
            lambda q, w: adjoint(i, q, {1 - i: w}),
            node.const(1 - i) is not None,
        )
        result: list[Message | Expr | None] = [None, None]
        result[i] = whole(i, propagate(op, node, m, layer))
        return result
    q = node.as_multiplier(m)
    if len(active) > 1 and node.variant("product") == "gradient":
        node.absorb("product", q, op.mul(node.output(), 1.0 - len(active)))
    part = shares(node, *range(node.count))
    found: list[Message | Expr | None] = []
    for i in range(node.count):
        others = {k: value(k) for k in range(node.count) if k != i}
        found.append(whole(i, adjoint(i, op.mul(q, part[i]), others)) if i in part else None)
    return found


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
