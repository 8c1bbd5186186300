"""Algebra on a recorded walk: the same relevance with fewer passes over memory.

What rules write down one operator at a time is often one linear map: a LayerNormalization's scale and
centring, LayerScale, the halves of the uniform rule, all go into the weights behind or before them.
Constants are folded once, when a plan is made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...analysis.shapes import Dim, Shape
from ...ops.base import Expr, Ops
from ...ops.shape_inference import shape_of
from ...rules.ledger import Entry
from ...rules.node import Message
from ..walker import RecordedWalk
from . import moves as simplify_moves
from . import pairs as simplify_pairs
from . import rows as simplify_rows

# One rewriting makes room for another: a factor reaches the weights it goes into step by step.
_ROUNDS = 4
# Up to this width a product with a matrix is cheaper than three passes over memory.
_NARROW = 64


def simplified(recording: RecordedWalk, shapes: Mapping[str, Shape]) -> RecordedWalk:
    """The same walk, rewritten.

    Parameters
    ----------
    recording : RecordedWalk
    shapes : mapping of str to Shape
        Of the model's values.
    """
    for _ in range(_ROUNDS):
        recording = Rewriter(recording, shapes).run()
    return recording


class Rewriter:
    """One round of rewriting, from one record to another."""

    def __init__(self, recording: RecordedWalk, shapes: Mapping[str, Shape]) -> None:
        self.recording, self.shapes = recording, shapes
        self.old = recording.ops
        self.new = Ops(self.old.fold, self.old.dtype)
        self.made: dict[int, Expr] = {}
        self.uses: Counter[int] = Counter()
        self.single: set[int] = set()  # new values that one value alone reads
        self.twice: set[int] = set()
        self._known: dict[int, Shape | None] = {}

    def run(self) -> RecordedWalk:
        """Rebuild what a result needs, in order."""
        roots = self._roots()
        live = _live(self.old.record, roots)
        for e in self.old.record:
            if e.index in live:
                for a in e.args:
                    self.uses[a.index] += 1
        for root in roots:
            self.uses[root.index] += 1
        for e in self.old.record:
            if e.index in live:
                made = self._rebuilt(e)
                self.made[e.index] = made
                if self.uses[e.index] == 1:
                    self.single.add(made.index)
                elif self.uses[e.index] == 2:
                    self.twice.add(made.index)
        t = self.recording
        return replace(
            t,
            ops=self.new,
            messages={n: Message(self._of(m.m), self._of(m.r)) for n, m in t.messages.items()},
            entries=tuple(Entry(x.node, x.kind, x.tensor, self.made[x.relevance.index]) for x in t.entries),
            at={n: self.made[x.index] for n, x in t.at.items()},
            at_multipliers={n: self.made[x.index] for n, x in t.at_multipliers.items()},
        )

    def _roots(self) -> list[Expr]:
        t = self.recording
        found = [x for m in t.messages.values() for x in (m.m, m.r) if x is not None]
        return [*found, *(x.relevance for x in t.entries), *t.at.values(), *t.at_multipliers.values()]

    def _of(self, e: Expr | None) -> Expr | None:
        return None if e is None else self.made[e.index]

    def _rebuilt(self, e: Expr) -> Expr:
        self.new.node = self.old.nodes[e.index]
        if e.op == "const":
            return self.new.adopt(e)
        args = [self.made[a.index] for a in e.args]
        if e.kind == "backward":
            found: Expr | None = simplify_rows.carried(self, e, args)
            if found is None and (rule := _RULES.get(e.op)) is not None:
                found = rule(self, e, args)
            if found is not None:
                return found
        return self.new.make(e.op, args, e.attrs)

    def shape(self, e: Expr) -> Shape | None:
        """The shape of a new value without K, where it follows from shapes."""
        return shape_of(e, self._known, self.shapes, self.shapes[self.recording.target])

    def owned(self, e: Expr) -> bool:
        """Whether nobody else reads a value, so that it need not be made."""
        return e.index in self.single


def _live(record: list[Expr], roots: list[Expr]) -> set[int]:
    live = {r.index for r in roots}
    for e in reversed(record):
        if e.index in live:
            live.update(a.index for a in e.args)
    return live


def _along_last(e: Expr) -> bool:
    """A constant number, or one for each position of the last axis."""
    if e.kind != "const":
        return False
    a = e.attrs["array"]
    return bool(a.dtype.kind == "f" and a.size == (a.shape[-1] if a.ndim else 1))


def _is_dense(e: Expr) -> bool:
    """A product with a constant matrix on the right."""
    return e.op == "matmul" and e.args[1].kind == "const" and bool(e.args[1].attrs["array"].ndim == 2)


def _row(r: Rewriter, v: Expr) -> Expr:
    size = v.attrs["array"].size
    return v if v.attrs["array"].ndim == 0 else r.new.reshape(v, (size,))


def _mul(r: Rewriter, e: Expr, args: list[Expr]) -> Expr | None:
    """``(q C) v = q (C v)``; ``(q a) b = q (a b)`` for constants; numbers go up to where they can fold."""
    for q, v in (args, args[::-1]):
        if q.kind == "backward" and v.kind == "forward" and v.op == "mul" and r.owned(q):
            for gate, s in (v.args, v.args[::-1]):
                if _along_last(s) and s.attrs["array"].size == 1 and _is_dense(q):
                    return r.new.mul(r.new.matmul(q.args[0], r.new.mul(q.args[1], _row(r, s))), gate)
        if not _along_last(v) or q.kind != "backward" or not r.owned(q):
            continue
        if _is_dense(q) and v.attrs["array"].size in (1, q.args[1].attrs["array"].shape[1]):
            return r.new.matmul(q.args[0], r.new.mul(q.args[1], _row(r, v)))
        if q.op == "mul":
            for inner, w in (q.args, q.args[::-1]):
                if _along_last(w) and inner.kind == "backward" and _same_width(v, w):
                    return r.new.mul(inner, r.new.mul(v, w))
        if v.attrs["array"].size == 1:
            return _pushed(r, q, r.new.reshape(v, ()) if v.attrs["array"].ndim else v)
    return None


def _pushed(r: Rewriter, q: Expr, s: Expr) -> Expr | None:
    """A number times q, the number put into what q is made of."""
    if q.op in ("transpose", "reshape", "unslice", "ungather", "slice", "neg"):
        return r.new.make(q.op, [r.new.mul(q.args[0], s), *q.args[1:]], q.attrs)
    if q.op in ("matmul", "mul"):
        (i, other) = (0, q.args[1]) if q.args[0].kind == "backward" else (1, q.args[0])
        if other.kind == "backward":
            return None
        scaled = r.new.mul(q.args[i], s)
        return r.new.make(q.op, [scaled, other] if i == 0 else [other, scaled], {})
    return None


def _same_width(v: Expr, w: Expr) -> bool:
    a, b = v.attrs["array"], w.attrs["array"]
    return bool(a.size == 1 or b.size == 1 or a.size == b.size)


def _matmul(r: Rewriter, e: Expr, args: list[Expr]) -> Expr | None:
    """``(q v) C = q (v^T C)`` for a constant v along the last axis."""
    found = simplify_moves.matmul(r, e, args) or simplify_pairs.turned_product(r, e, args)
    if found is not None:
        return found
    q, c = args
    if q.op != "mul" or not r.owned(q) or c.kind != "const" or c.attrs["array"].ndim != 2:
        return None
    for inner, v in (q.args, q.args[::-1]):
        if inner.kind == "backward" and _along_last(v):
            size = v.attrs["array"].size
            if size == 1:
                return r.new.matmul(inner, r.new.mul(c, r.new.reshape(v, ())))
            if size == c.attrs["array"].shape[0]:
                return r.new.matmul(inner, r.new.mul(c, r.new.reshape(v, (size, 1))))
    return None


def _sub(r: Rewriter, e: Expr, args: list[Expr]) -> Expr | None:
    """``q C - mean(q C) = q (C - mean(C))``, the mean over the last axis; and attention's (see below)."""
    h, mean = args
    centred = (
        mean.op == "mean"
        and mean.args[0] is h
        and mean.attrs["axes"] == (-1,)
        and mean.attrs["keepdims"]
        and r.owned(mean)
        and h.index in r.twice
    )
    if centred and _is_dense(h):
        c = h.args[1]
        return r.new.matmul(h.args[0], r.new.sub(c, r.new.mean(c, (-1,))))
    if centred and h.op == "mul":
        for inner, v in (h.args, h.args[::-1]):
            width = v.attrs["array"].size if _along_last(v) else 0
            if inner.kind == "backward" and 1 < width <= _NARROW:
                found = simplify_pairs.centred(r, inner, v)
                if found is not None:
                    return found
                centring = np.eye(width, dtype=r.new.dtype) - r.new.dtype.type(1 / width)
                column = r.new.reshape(v, (width, 1))
                return r.new.matmul(inner, r.new.mul(r.new.const(centring), column))
    return _attention(r, h, mean)


def _attention(r: Rewriter, m: Expr, total: Expr) -> Expr | None:
    """``c V^T - t = [c, t] [V, -1]^T``: the rows' totals subtracted inside the product."""
    if total.op != "sum" or total.attrs["axes"] != (-1,) or not r.owned(total) or m.index not in r.twice:
        return None
    if m.op != "matmul" or m.args[0].kind != "backward":
        return None
    c, turned = m.args
    values = _turned(turned)
    if values is None or values.op != "value" or total.args[0].op != "mul" or total.args[0].args[0] is not c:
        return None
    shape = r.shapes[values.attrs["name"]]
    ones = r.new.ones((*shape[:-1], 1))
    wide = r.new.concat([values, r.new.neg(ones)], -1)
    perm = turned.attrs["perm"]
    return r.new.matmul(r.new.concat([c, total], -1), r.new.transpose(wide, perm))


def _turned(e: Expr) -> Expr | None:
    """The forward value that this is with its last two axes exchanged."""
    if e.op != "transpose" or e.kind != "forward":
        return None
    perm = e.attrs["perm"]
    n = len(perm)
    return e.args[0] if perm == (*range(n - 2), n - 1, n - 2) else None


def _sum(r: Rewriter, e: Expr, args: list[Expr]) -> Expr | None:
    """``sum_j S_ij (c V^T)_ij = sum_d c_id (S V)_id``: over a head's width instead of over all tokens.

    (S V) is what attention gives, so it is there already.
    """
    (product,) = args
    if product.op != "mul" or e.attrs["axes"] != (-1,) or not r.owned(product):
        return None
    for s, m in (product.args, product.args[::-1]):
        if s.kind != "forward" or m.kind != "backward" or m.op != "matmul":
            continue
        c, turned = m.args
        values = _turned(turned)
        if c.kind == "backward" and values is not None:
            attended = r.new.matmul(s, values)
            return r.new.sum(r.new.mul(c, attended), (-1,), e.attrs["keepdims"])
    return None


def _add(r: Rewriter, e: Expr, args: list[Expr]) -> Expr | None:
    """Parts put into zeros and added up are one Concat, where together they are the whole."""
    parts = [p for a in args for p in _parts(r, a)]
    found = sorted((p for p in map(_placed, parts) if p is not None), key=lambda p: p[2])
    if len(found) != len(parts) or len({p[:2] for p in found}) != 1:
        return None
    axis, shape = found[0][:2]
    at = 0
    for _, _, start, size, _ in found:
        if start != at:
            return None
        at += size
    if at != shape[axis]:
        return None
    return r.new.concat([_whole(r, p) for p in found], axis)


Placed = tuple[int, Shape, int, int, Expr]


def _parts(r: Rewriter, e: Expr) -> list[Expr]:
    if e.op == "add" and r.owned(e):
        return [p for a in e.args for p in _parts(r, a)]
    return [e]


def _placed(e: Expr) -> Placed | None:
    """Axis, shape of the whole, start, length and expression of a part that is put into zeros."""
    if e.op == "ungather" and e.args[1].kind == "const":
        index, axis, shape = e.args[1].attrs["array"].reshape(-1), e.attrs["axis"], e.attrs["shape"]
        full = shape[axis]
        if not isinstance(full, int) or len(index) == 0:
            return None
        index = np.where(index < 0, index + full, index)
        if e.attrs["rank"] > 1 or (np.diff(index) != 1).any():
            return None
        return axis, shape, int(index[0]), len(index), e
    return None


def _whole(r: Rewriter, placed: Placed) -> Expr:
    """The part itself, with the axis that a Gather of one element dropped."""
    axis, shape, _, size, e = placed
    part = e.args[0]
    if e.attrs["rank"] == 1:
        return part
    dims: list[Dim] = list(shape)
    dims[axis] = size
    return r.new.reshape(part, tuple(dims))


_RULES: dict[str, Any] = {
    "mul": _mul, "matmul": _matmul, "sub": _sub, "sum": _sum, "add": _add,
    "transpose": simplify_moves.transpose, "reshape": simplify_moves.reshape,
}  # fmt: skip
