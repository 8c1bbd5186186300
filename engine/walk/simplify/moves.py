"""Moves on a recorded walk that need not be made.

Queries, keys and values are parts of one layer's output: their relevance is put together again, as parts of
one tensor or into zeros, and goes through that layer's weight. Zeros need not be multiplied, and parts can
be laid beside each other where they are.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from ...analysis.shapes import Shape
from ...ops.base import Expr

if TYPE_CHECKING:
    from .algebra import Rewriter


def transpose(r: Rewriter, e: Expr, args: list[Expr]) -> Expr | None:
    """One slice put into zeros and turned: turned first, which moves no zeros."""
    (x,) = args
    if x.op != "ungather" or x.attrs["rank"] or not r.owned(x):
        return None
    perm, full = e.attrs["perm"], x.attrs["shape"]
    gone = x.attrs["axis"] + len(perm)
    turned = r.new.transpose(x.args[0], _without(perm, gone))
    axis = perm.index(gone) - len(perm)
    return r.new.ungather(turned, x.args[1], axis, tuple(full[p] for p in perm), 0)


def reshape(r: Rewriter, e: Expr, args: list[Expr]) -> Expr | None:
    """What has the shape already; parts that are joined and turned; a slice in zeros that are flattened."""
    (x,) = args
    shape = e.attrs["shape"]
    if r.shape(x) == shape:
        return x
    if x.op == "transpose" and r.owned(x):
        return _joined(r, x, shape)
    return _flattened(r, x, shape)


def matmul(r: Rewriter, e: Expr, args: list[Expr]) -> Expr | None:
    """``[0, q, 0] C``: q times the rows of C that are not multiplied by 0."""
    q, c = args
    if q.op != "ungather" or q.attrs["axis"] != -1 or q.attrs["rank"] != 1 or not r.owned(q):
        return None
    if c.kind != "const" or c.attrs["array"].ndim != 2 or q.args[1].kind != "const":
        return None
    index = q.args[1].attrs["array"]
    if not len(index) or index[0] < 0 or (np.diff(index) != 1).any():
        return None
    rows = r.new.slice(c, (int(index[0]),), (int(index[-1]) + 1,), (-2,), (1,))
    return r.new.matmul(q.args[0], rows)


def _without(perm: tuple[int, ...], gone: int) -> tuple[int, ...]:
    """A permutation of the axes that are left."""
    return tuple(p - (p > gone) for p in perm if p != gone)


def _joined(r: Rewriter, x: Expr, shape: Shape) -> Expr | None:
    """Parts joined along an axis of their own, which comes before another: joined along that other one."""
    whole, perm = x.args[0], x.attrs["perm"]
    if whole.op != "concat" or whole.kind != "backward" or not r.owned(whole):
        return None
    own = whole.attrs["axis"] + len(perm)
    at = perm.index(own) + 1
    if at == len(perm):
        return None
    beside = perm[at] - (perm[at] > own)
    parts = []
    for part in whole.args:
        if part.op != "reshape" or part.attrs["shape"][own] != 1:
            return None
        inner = part.args[0]
        if r.shape(inner) != (*part.attrs["shape"][:own], *part.attrs["shape"][own + 1 :]):
            return None
        parts.append(inner)
    joined = r.new.concat(parts, beside - len(perm) + 1)
    return r.new.reshape(r.new.transpose(joined, _without(perm, own)), shape)


def _flattened(r: Rewriter, x: Expr, shape: Shape) -> Expr | None:
    """A slice in zeros whose axis is flattened with those after it: a range of the flat axis."""
    if x.op != "ungather" or x.attrs["rank"] or x.args[1].kind != "const" or not r.owned(x):
        return None
    full, axis = x.attrs["shape"], x.attrs["axis"] + len(x.attrs["shape"])
    sizes = [d for d in full[axis:] if isinstance(d, int)]
    if len(sizes) != len(full) - axis or shape != (*full[:axis], prod(sizes)):
        return None
    width = prod(sizes[1:])
    start = int(x.args[1].attrs["array"].reshape(-1)[0]) % sizes[0] * width
    flat = r.new.reshape(x.args[0], (*full[:axis], width))
    return r.new.ungather(flat, r.new.const(np.arange(start, start + width)), -1, shape, 1)
