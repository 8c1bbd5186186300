"""The primitives carried out by numpy.

Every function takes a context, arrays and the recorded attributes. Backward values come with their
leading axis K, so shapes and axes are read from the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np

from ..analysis.shapes import Layout, Shape, resolve, sample_sums
from .base import Array, Window

Kernel = Callable[..., Array]
KERNELS: dict[str, Kernel] = {}


def _kernel(function: Kernel) -> Kernel:
    KERNELS[function.__name__.lstrip("_")] = function
    return function


@dataclass(frozen=True)
class Context:
    """What a primitive must know beside its arguments.

    Attributes
    ----------
    batch : int
        Number of samples.
    lead : int
        1 where the first argument is a backward value, with an axis K in front; else 0.
    """

    batch: int = 1
    lead: int = 0


def run(op: str, args: list[Array], attrs: dict[str, Any], context: Context = Context()) -> Array:
    """Carry out one primitive."""
    if op in _ELEMENTWISE:
        out: Array = _ELEMENTWISE[op](*args)
        return out
    return KERNELS[op](context, *args, **attrs)


def _erf(a: Array) -> Array:
    from scipy.special import erf  # lazily: only constants are folded here, and rarely

    out: Array = erf(a)
    return out


def _sigmoid(a: Array) -> Array:
    return 0.5 * (1 + np.tanh(0.5 * a))


_ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "neg": np.negative,
    "abs": np.abs,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "atan": np.arctan,
    "asinh": np.arcsinh,
    "tanh": np.tanh,
    "erf": _erf,
    "sigmoid": _sigmoid,
    "softplus": lambda a: np.logaddexp(0, a).astype(a.dtype),
    "less": np.less,
    "greater": np.greater,
    "equal": np.equal,
    "where": np.where,
}


@_kernel
def _as_float(c: Context, a: Array, *, dtype: str) -> Array:
    return a.astype(dtype)


@_kernel
def _sum(c: Context, a: Array, *, axes: tuple[int, ...], keepdims: bool) -> Array:
    return np.asarray(a.sum(axis=axes, keepdims=keepdims))


@_kernel
def _mean(c: Context, a: Array, *, axes: tuple[int, ...], keepdims: bool) -> Array:
    return np.asarray(a.mean(axis=axes, keepdims=keepdims))


@_kernel
def _max(c: Context, a: Array, *, axes: tuple[int, ...]) -> Array:
    return np.asarray(a.max(axis=axes, keepdims=True))


@_kernel
def _inverse_std(c: Context, a: Array, *, axes: tuple[int, ...], eps: float) -> Array:
    return np.asarray(1 / np.sqrt(a.var(axis=axes, keepdims=True) + a.dtype.type(eps)))


@_kernel
def _reshape(c: Context, a: Array, *, shape: Shape) -> Array:
    inner = resolve(shape, c.batch)
    return a.reshape(a.shape[: c.lead] + inner)


@_kernel
def _transpose(c: Context, a: Array, *, perm: tuple[int, ...]) -> Array:
    return a.transpose((*range(c.lead), *(p + c.lead for p in perm)))


@_kernel
def _expand(c: Context, a: Array, *, shape: Shape) -> Array:
    inner = resolve(shape, c.batch)
    front, own = a.shape[: c.lead], a.shape[c.lead :]
    a = a.reshape(front + (1,) * (len(inner) - len(own)) + own)
    return np.broadcast_to(a, front + np.broadcast_shapes(own, inner))


def _index(
    ndim: int,
    starts: tuple[int, ...],
    ends: tuple[int | None, ...],
    axes: tuple[int, ...],
    steps: tuple[int, ...],
) -> tuple[slice, ...]:
    index = [slice(None)] * ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        index[axis] = slice(start, end, step)
    return tuple(index)


@_kernel
def _slice(
    c: Context,
    a: Array,
    *,
    starts: tuple[int, ...],
    ends: tuple[int, ...],
    axes: tuple[int, ...],
    steps: tuple[int, ...],
) -> Array:
    # ONNX counts an end of -1 from the back; beyond the front, a negative step runs to element 0.
    stops = tuple(
        None if step < 0 and end < -a.shape[axis] else end
        for end, axis, step in zip(ends, axes, steps, strict=True)
    )
    return a[_index(a.ndim, starts, stops, axes, steps)]


@_kernel
def _unslice(
    c: Context,
    a: Array,
    *,
    shape: Shape,
    starts: tuple[int, ...],
    axes: tuple[int, ...],
    steps: tuple[int, ...],
) -> Array:
    inner = resolve(shape, c.batch)
    out = np.zeros(a.shape[: c.lead] + inner, dtype=a.dtype)
    stops: list[int | None] = []
    firsts = []
    for start, axis, step in zip(starts, axes, steps, strict=True):
        size = int(out.shape[axis])
        first = min(max(start + size if start < 0 else start, 0), size - 1 if step < 0 else size)
        stop = first + step * a.shape[axis]
        firsts.append(first)
        stops.append(None if stop < 0 else stop)
    out[_index(out.ndim, tuple(firsts), tuple(stops), axes, steps)] = a
    return out


@_kernel
def _concat(c: Context, *parts: Array, axis: int) -> Array:
    ndim = max(p.ndim for p in parts)
    lead = max((p.shape[0] for p in parts if p.ndim == ndim), default=1)
    whole = [p if p.ndim == ndim else np.broadcast_to(p, (lead, *p.shape)) for p in parts]
    return np.concatenate(whole, axis=axis)


@_kernel
def _gather(c: Context, a: Array, indices: Array, *, axis: int) -> Array:
    return np.take(a, indices, axis=axis)


@_kernel
def _ungather(c: Context, a: Array, indices: Array, *, axis: int, shape: Shape, rank: int) -> Array:
    inner = resolve(shape, c.batch)
    out = np.zeros(a.shape[: c.lead] + inner, dtype=a.dtype)
    at = out.ndim + axis  # the gathered axis, counted from the front
    flat = a.reshape((*a.shape[:at], -1, *a.shape[at + rank :]))
    where = np.asarray(indices).reshape(-1)
    where = np.where(where < 0, where + out.shape[at], where)
    moved_out, moved = np.moveaxis(out, at, 0), np.moveaxis(flat, at, 0)
    if len(np.unique(where)) == len(where):
        moved_out[where] = moved
    else:
        np.add.at(moved_out, where, moved)
    return out


def _nd_index(indices: Array, batch_dims: int, shape: tuple[int, ...]) -> Any:
    """Index arrays of GatherND/ScatterND, the batch dims included."""
    parts = [np.where(i < 0, i + shape[batch_dims + k], i) for k, i in enumerate(np.moveaxis(indices, -1, 0))]
    grid = np.ix_(*(np.arange(n) for n in indices.shape[:batch_dims]))
    extra = indices.ndim - 1 - batch_dims
    return (*(g.reshape(g.shape + (1,) * extra) for g in grid), *parts)


@_kernel
def _gather_nd(c: Context, a: Array, indices: Array, *, batch_dims: int) -> Array:
    index = (slice(None),) * c.lead + _nd_index(indices, batch_dims, a.shape[c.lead :])
    return np.asarray(a[index])


@_kernel
def _ungather_nd(c: Context, a: Array, indices: Array, *, batch_dims: int, shape: Shape) -> Array:
    inner = resolve(shape, c.batch)
    index = _nd_index(indices, batch_dims, inner)
    out = np.zeros(a.shape[: c.lead] + inner, dtype=a.dtype)
    np.add.at(out, (slice(None),) * c.lead + index, a)
    return out


@_kernel
def _mask_nd(c: Context, a: Array, indices: Array) -> Array:
    out = a.copy()
    out[(slice(None),) * c.lead + _nd_index(indices, 0, a.shape[c.lead :])] = 0
    return out


def _whole_indices(a: Array, indices: Array, axis: int, lead: int) -> Array:
    """Indices counted from the front, with the axis K of `a` before them."""
    size = a.shape[axis]
    found = np.where(indices < 0, indices + size, indices)
    return np.broadcast_to(found, (*a.shape[:lead], *found.shape)) if lead else found


@_kernel
def _gather_elements(c: Context, a: Array, indices: Array, *, axis: int) -> Array:
    found = _whole_indices(a, indices, axis, c.lead)
    # The indices may be shorter than `a` along the other axes.
    cut = [slice(None) if i == a.ndim + axis else slice(n) for i, n in enumerate(found.shape)]
    return np.take_along_axis(a[tuple(cut)], found, axis=axis)


@_kernel
def _ungather_elements(c: Context, a: Array, indices: Array, *, axis: int, shape: Shape) -> Array:
    out = np.zeros(a.shape[: c.lead] + resolve(shape, c.batch), dtype=a.dtype)
    found = _whole_indices(out, indices, axis, c.lead)
    grid: list[Any] = list(np.ix_(*(np.arange(n) for n in found.shape)))
    grid[axis] = found
    np.add.at(out, tuple(grid), a)
    return out


@_kernel
def _mask_elements(c: Context, a: Array, indices: Array, *, axis: int) -> Array:
    out = a.copy()
    found = _whole_indices(out, indices, axis, c.lead)
    grid: list[Any] = list(np.ix_(*(np.arange(n) for n in found.shape)))
    grid[axis] = found
    out[tuple(grid)] = 0
    return out


@_kernel
def _reverse_sequence(c: Context, a: Array, lengths: Array, *, time: int, samples: int) -> Array:
    steps = np.arange(a.shape[time])
    turned = np.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)  # [samples, time]
    shape = [1] * a.ndim
    shape[samples], shape[time] = turned.shape
    return np.take_along_axis(a, (turned if samples < time else turned.T).reshape(shape), axis=time)


@_kernel
def _cumsum(c: Context, a: Array, *, axis: int, exclusive: bool, reverse: bool) -> Array:
    x = np.flip(a, axis) if reverse else a
    total = np.cumsum(x, axis=axis)
    total = total - x if exclusive else total
    return np.flip(total, axis) if reverse else total


@_kernel
def _argmax(c: Context, a: Array, *, axis: int) -> Array:
    return np.asarray(np.argmax(a, axis=axis, keepdims=True))


@_kernel
def _einsum(c: Context, *operands: Array, equation: str) -> Array:
    terms, out = equation.split("->")
    if c.lead:
        # The axis K goes along under a letter that the equation does not use.
        k = next(x for x in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if x not in equation)
        first, *rest = terms.split(",")
        equation = ",".join([k + first, *rest]) + "->" + k + out
    return np.asarray(np.einsum(equation, *operands, optimize=True))


@_kernel
def _dft(c: Context, a: Array, *, axis: int, inverse: bool) -> Array:
    z = a[..., 0] + 1j * a[..., 1]
    z = (np.fft.ifft if inverse else np.fft.fft)(z, axis=axis + 1)
    return np.stack([z.real, z.imag], axis=-1).astype(a.dtype)


@_kernel
def _matmul(c: Context, a: Array, b: Array) -> Array:
    if b.ndim == 2 and a.ndim > 2:  # one flat product beats a stack of small ones
        a, lead = a.reshape(-1, a.shape[-1]), a.shape[:-1]
        return np.asarray(a @ b).reshape(*lead, b.shape[-1])
    return np.asarray(np.matmul(a, b))


def _offsets(window: Window, out: tuple[int, ...]) -> list[tuple[Any, Any]]:
    """Kernel positions, with the part of the padded input that each one meets."""
    found = []
    for at in product(*(range(k) for k in window.kernel)):
        index = tuple(
            slice(o * d, o * d + s * (n - 1) + 1, s)
            for o, d, s, n in zip(at, window.dilations, window.strides, out, strict=True)
        )
        found.append((at, index))
    return found


def _padded(window: Window, out: tuple[int, ...], batch: int) -> tuple[tuple[int, ...], Any]:
    """Spatial shape of the padded input, and where the input lies in it."""
    n = len(window.kernel)
    spatial = resolve(window.spatial, batch)
    reach = [
        s * (o - 1) + d * (k - 1) + 1
        for s, o, d, k in zip(window.strides, out, window.dilations, window.kernel, strict=True)
    ]
    begins = window.pads[:n]
    size = tuple(max(r, b + i) for r, b, i in zip(reach, begins, spatial, strict=True))
    return size, tuple(slice(b, b + i) for b, i in zip(begins, spatial, strict=True))


@_kernel
def _conv_transpose(c: Context, a: Array, w: Array, *, window: Window) -> Array:
    n = len(window.kernel)
    out_spatial = a.shape[-n:]
    lead = a.shape[: -n - 1]
    groups, per_out, per_in = window.group, w.shape[0] // window.group, w.shape[1]
    flat = a.reshape(-1, groups, per_out, prod(out_spatial))
    kernel = w.reshape(groups, per_out, per_in, *window.kernel)
    size, inside = _padded(window, out_spatial, c.batch)
    padded = np.zeros((flat.shape[0], groups, per_in, *size), dtype=a.dtype)
    for at, index in _offsets(window, out_spatial):
        weight = kernel[(slice(None), slice(None), slice(None), *at)]  # (groups, per_out, per_in)
        part = np.matmul(weight.transpose(0, 2, 1), flat)
        padded[(slice(None), slice(None), slice(None), *index)] += part.reshape(
            flat.shape[0], groups, per_in, *out_spatial
        )
    out = padded[(slice(None), slice(None), slice(None), *inside)]
    return np.ascontiguousarray(out).reshape(*lead, groups * per_in, *out.shape[3:])


@_kernel
def _conv(c: Context, a: Array, w: Array, *, window: Window) -> Array:
    n = len(window.kernel)
    spatial = a.shape[-n:]
    begins, ends = window.pads[:n], window.pads[n:]
    out_spatial = tuple(
        (i + b + e - d * (k - 1) - 1) // s + 1
        for i, b, e, d, k, s in zip(
            spatial, begins, ends, window.dilations, window.kernel, window.strides, strict=True
        )
    )
    lead = a.shape[: -n - 1]
    groups, per_out, per_in = window.group, w.shape[0] // window.group, w.shape[1]
    flat = np.pad(
        a.reshape(-1, groups, per_in, *spatial), [(0, 0)] * 3 + list(zip(begins, ends, strict=True))
    )
    kernel = w.reshape(groups, per_out, per_in, *window.kernel)
    out = np.zeros((flat.shape[0], groups, per_out, prod(out_spatial)), dtype=a.dtype)
    for at, index in _offsets(window, out_spatial):
        part = flat[(slice(None), slice(None), slice(None), *index)]
        weight = kernel[(slice(None), slice(None), slice(None), *at)]
        out += np.matmul(weight, part.reshape(flat.shape[0], groups, per_in, -1))
    return out.reshape(*lead, groups * per_out, *out_spatial)


@_kernel
def _unpool(c: Context, a: Array, *, window: Window) -> Array:
    n = len(window.kernel)
    out_spatial = a.shape[-n:]
    size, inside = _padded(window, out_spatial, c.batch)
    padded = np.zeros(a.shape[:-n] + size, dtype=a.dtype)
    for _, index in _offsets(window, out_spatial):
        padded[..., *index] += a
    return np.ascontiguousarray(padded[..., *inside])


@_kernel
def _unflatten_at(c: Context, a: Array, index: Array, *, shape: Shape) -> Array:
    inner = resolve(shape, c.batch)
    out = np.zeros((a.shape[0], prod(inner)), dtype=a.dtype)
    for target, values in zip(out, a.reshape(a.shape[0], -1), strict=True):
        np.add.at(target, index.reshape(-1), values)
    return out.reshape(a.shape[0], *inner)


@_kernel
def _per_sample(c: Context, a: Array, *, layout: Layout | None) -> Array:
    return sample_sums(a, c.batch, layout)
