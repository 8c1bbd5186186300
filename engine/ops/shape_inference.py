"""Shapes of recorded values, worked out from those of the model's, with the batch in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..analysis.shapes import Batch, Dim, Shape
from .base import Expr, Window

Infer = Callable[..., Shape]
_RULES: dict[str, Infer] = {}


class Unknown(Exception):  # noqa: N818 (not an error: an answer)
    """A shape cannot be told from the shapes of what it is made of."""


def shapes_of(record: Iterable[Expr], known: Mapping[str, Shape], seed: Shape) -> dict[int, Shape]:
    """Shapes of recorded values by index, without the axis K.

    Parameters
    ----------
    record : iterable of Expr
        In order.
    known : mapping of str to Shape
        Of the model's values.
    seed : Shape

    Raises
    ------
    Unknown
        One of them depends on more than shapes.
    """
    found: dict[int, Shape] = {}
    for e in record:
        found[e.index] = _made(e, [found[a.index] for a in e.args], known, seed)
    return found


def _made(e: Expr, args: list[Shape], known: Mapping[str, Shape], seed: Shape) -> Shape:
    """The shape of a value, from those of its arguments."""
    if e.op == "const":
        return tuple(e.attrs["array"].shape)
    if e.op == "value":
        return known[e.attrs["name"]]
    if e.op == "seed":
        return seed
    rule = _RULES.get(e.op)
    return broadcast(*args) if rule is None else rule(e, *args, **e.attrs)


def shape_of(
    e: Expr, found: dict[int, Shape | None], known: Mapping[str, Shape], seed: Shape
) -> Shape | None:
    """The shape of one recorded value, without the axis K; None where it takes more than shapes.

    Parameters
    ----------
    e : Expr
    found : dict of int to (Shape or None)
        What has been found for values of the same record; more is put in.
    known : mapping of str to Shape
        Of the model's values.
    seed : Shape
    """
    stack = [e]
    while stack:
        top = stack[-1]
        missing = [a for a in top.args if a.index not in found]
        if missing:
            stack.extend(missing)
            continue
        stack.pop()
        args = [s for s in (found[a.index] for a in top.args) if s is not None]
        try:
            complete = len(args) == len(top.args)
            found[top.index] = _made(top, args, known, seed) if complete else None
        except Unknown:
            found[top.index] = None
    return found[e.index]


def broadcast(*shapes: Shape) -> Shape:
    """numpy's rule; a dimension that grows with the batch is never 1."""
    out: list[Dim] = []
    rank = max(map(len, shapes))
    for i in range(-rank, 0):
        dims = {s[i] for s in shapes if len(s) >= -i} - {1}
        if len(dims) > 1:
            raise Unknown
        out.append(dims.pop() if dims else 1)
    return tuple(out)


def _rule(function: Infer) -> Infer:
    _RULES[function.__name__.strip("_")] = function
    return function


def _replaced(shape: Shape, axis: int, dim: Dim) -> Shape:
    out = list(shape)
    out[axis] = dim
    return tuple(out)


def _whole(e: Expr, *args: Shape, shape: Shape, **_: Any) -> Shape:
    return shape


def _same(e: Expr, first: Shape, *_: Shape, **__: Any) -> Shape:
    return first


for _name in ("reshape", "unslice", "ungather", "ungather_nd", "ungather_elements", "unflatten_at", "ones"):
    _RULES[_name] = _whole
for _name in ("as_float", "cumsum", "mask_nd", "mask_elements", "reverse_sequence", "dft"):
    _RULES[_name] = _same


@_rule
def _expand(e: Expr, a: Shape, *, shape: Shape) -> Shape:
    return broadcast(a, shape)


def _reduced(a: Shape, axes: tuple[int, ...], keepdims: bool) -> Shape:
    rank = len(a)
    if keepdims:
        return tuple(1 if i - rank in axes else d for i, d in enumerate(a))
    return tuple(d for i, d in enumerate(a) if i - rank not in axes)


@_rule
def _sum(e: Expr, a: Shape, *, axes: tuple[int, ...], keepdims: bool) -> Shape:
    return _reduced(a, axes, keepdims)


@_rule
def _mean(e: Expr, a: Shape, *, axes: tuple[int, ...], keepdims: bool) -> Shape:
    return _reduced(a, axes, keepdims)


@_rule
def _max(e: Expr, a: Shape, *, axes: tuple[int, ...]) -> Shape:
    return _reduced(a, axes, True)


@_rule
def _inverse_std(e: Expr, a: Shape, *, axes: tuple[int, ...], eps: float) -> Shape:
    return _reduced(a, axes, True)


@_rule
def _argmax(e: Expr, a: Shape, *, axis: int) -> Shape:
    return _replaced(a, axis, 1)


@_rule
def _transpose(e: Expr, a: Shape, *, perm: tuple[int, ...]) -> Shape:
    return tuple(a[p] for p in perm)


@_rule
def _slice(e: Expr, a: Shape, *, starts: Any, ends: Any, axes: Any, steps: Any) -> Shape:
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        full = a[axis]
        if not isinstance(full, int):
            raise Unknown
        stop = None if step < 0 and end < -full else end
        a = _replaced(a, axis, len(range(full)[start:stop:step]))
    return a


@_rule
def _concat(e: Expr, *parts: Shape, axis: int) -> Shape:
    total: Dim = 0
    for p in parts:
        total = _plus(total, p[axis])
    # Along the other axes all parts are alike.
    return _replaced(parts[0], axis, total)


def _plus(a: Dim, b: Dim) -> Dim:
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    x = a if isinstance(a, Batch) else Batch(0, a)
    y = b if isinstance(b, Batch) else Batch(0, b)
    return Batch(x.scale + y.scale, x.offset + y.offset)


@_rule
def _gather(e: Expr, a: Shape, indices: Shape, *, axis: int) -> Shape:
    at = len(a) + axis
    return (*a[:at], *indices, *a[at + 1 :])


@_rule
def _gather_nd(e: Expr, a: Shape, indices: Shape, *, batch_dims: int) -> Shape:
    depth = indices[-1]
    if not isinstance(depth, int):
        raise Unknown
    return (*indices[:-1], *a[batch_dims + depth :])


@_rule
def _gather_elements(e: Expr, a: Shape, indices: Shape, *, axis: int) -> Shape:
    return indices


@_rule
def _matmul(e: Expr, a: Shape, b: Shape) -> Shape:
    return (*broadcast(a[:-2], b[:-2]), a[-2], b[-1])


@_rule
def _einsum(e: Expr, *operands: Shape, equation: str) -> Shape:
    terms, out = equation.replace(" ", "").split("->")
    sizes: dict[str, Dim] = {}
    for term, shape in zip(terms.split(","), operands, strict=True):
        for letter, dim in zip(term, shape, strict=True):
            if sizes.get(letter, 1) == 1:
                sizes[letter] = dim
    return tuple(sizes[letter] for letter in out)


def _spatial(window: Window) -> tuple[int, ...]:
    if not all(isinstance(d, int) for d in window.spatial):
        raise Unknown
    return tuple(d for d in window.spatial if isinstance(d, int))


def _windows(window: Window) -> tuple[int, ...]:
    """How many windows there are along each spatial axis."""
    n = len(window.kernel)
    return tuple(
        (i + b + t - d * (k - 1) - 1) // s + 1
        for i, b, t, d, k, s in zip(
            _spatial(window),
            window.pads[:n],
            window.pads[n:],
            window.dilations,
            window.kernel,
            window.strides,
            strict=True,
        )
    )


def _channels(w: Shape, axis: int, window: Window) -> int:
    size = w[axis]
    if not isinstance(size, int):
        raise Unknown
    return size * window.group if axis == 1 else size


@_rule
def _conv(e: Expr, a: Shape, w: Shape, *, window: Window) -> Shape:
    n = len(window.kernel)
    return (*a[: -n - 1], _channels(w, 0, window), *_windows(window))


@_rule
def _conv_transpose(e: Expr, a: Shape, w: Shape, *, window: Window) -> Shape:
    n = len(window.kernel)
    return (*a[: -n - 1], _channels(w, 1, window), *_spatial(window))


@_rule
def _unpool(e: Expr, a: Shape, *, window: Window) -> Shape:
    return (*a[: len(a) - len(window.kernel)], *_spatial(window))


@_rule
def _max_pool_index(e: Expr, a: Shape, *, window: Window, attributes: dict[str, Any]) -> Shape:
    # Of the same shape as what is pooled; only its own reader needs it, and that does not ask.
    return a


@_rule
def _per_sample(e: Expr, a: Shape, *, layout: Any) -> Shape:
    return (Batch(),)
