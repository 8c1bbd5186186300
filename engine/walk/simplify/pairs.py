"""Products with the mean of two forward passes, made shorter.

What is constant goes beside the forward passes: there it is done once for all references.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...ops.base import Expr

if TYPE_CHECKING:
    from .algebra import Rewriter

# A product whose first factor is turned costs more, where that has so many times the other's columns.
_WIDE = 4


def centred(r: Rewriter, h: Expr, v: Expr) -> Expr | None:
    """``h v - mean(h v)`` over the last axis, where h is a product with a mean of two forward passes.

    v is constant along that axis; both can be done to the mean's two parts.
    """
    if not r.owned(h):
        return None
    if h.op == "matmul" and h.args[0].kind == "backward":
        mean = _centred(r, h.args[1], v)
        return None if mean is None else r.new.matmul(h.args[0], mean)
    if not _turns(h) or h.args[0].op != "matmul" or not r.owned(h.args[0]):
        return None
    a, q = h.args[0].args
    perm = h.attrs["perm"]
    mean = _centred(r, r.new.transpose(a, perm) if not _turns(a) else a.args[0], v)
    if mean is None or q.kind != "backward":
        return None
    turned = mean.args[0] if _turns(mean) else r.new.transpose(mean, perm)
    return r.new.transpose(r.new.matmul(turned, q), perm)


def turned_product(r: Rewriter, e: Expr, args: list[Expr]) -> Expr | None:
    """``X^T q = (q^T X)^T``, where X is much wider than q: turning the smaller one is cheaper."""
    a, q = args
    if a.kind not in ("forward", "paired") or q.kind != "backward" or not _turns(a):
        return None
    wide, narrow = r.shape(a), r.shape(q)
    if wide is None or narrow is None or len(wide) != len(narrow) or len(wide) < 3:
        return None
    rows, columns = wide[-2], narrow[-1]
    if not isinstance(rows, int) or not isinstance(columns, int) or rows < _WIDE * columns:
        return None
    perm = a.attrs["perm"]
    return r.new.transpose(r.new.matmul(r.new.transpose(q, perm), a.args[0]), perm)


def _centred(r: Rewriter, p: Expr, v: Expr) -> Expr | None:
    """A mean of a forward value here and there, times v and centred, as the sum of both."""
    if p.kind != "paired":
        return None
    axis, inner = (-2, p.args[0]) if _turns(p) else (-1, p)
    half = _half(inner)
    if half is None:
        return None
    size = v.attrs["array"].size
    v = r.new.reshape(v, (size, 1) if axis == -2 else (size,))
    if half.op == "mul" and half.args[1].kind == "const" and half.args[1].attrs["array"].size == 1:
        half, v = half.args[0], r.new.mul(v, half.args[1])
    scaled = r.new.mul(half, v)
    made = r.new.sub(scaled, r.new.mean(scaled, (axis,)))
    both = r.new.add(made, r.new.reference(made))
    return r.new.transpose(both, p.attrs["perm"]) if axis == -2 else both


def _half(p: Expr) -> Expr | None:
    """What is added up here and there."""
    if p.op != "add":
        return None
    here, there = p.args
    is_pair = here.kind == "forward" and there.op == "reference" and there.args[0] is here
    return here if is_pair else None


def _turns(e: Expr) -> bool:
    """Whether it exchanges the last two axes."""
    if e.op != "transpose":
        return False
    perm = e.attrs["perm"]
    n = len(perm)
    return bool(perm == (*range(n - 2), n - 1, n - 2))
