"""Convolutions, pooling windows, sums of products and Fourier transforms, written out as ONNX nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from ..analysis.shapes import Dim, Shape
from .base import Window
from .onnx import Emitter, emitter
from .onnx_moves import reshaped


def _flat(e: Emitter, a: str, shape: Shape, keep: int) -> tuple[str, list[Dim]]:
    """All axes but the last `keep` as one; and the dimensions they had."""
    ahead: list[Dim] = [*e.front(), *shape[: len(shape) - keep]]
    if len(ahead) == 1:
        return a, ahead
    last = shape[len(shape) - keep :]
    if not all(isinstance(d, int) for d in last):
        raise NotImplementedError("a window that slides along the batch")
    return e.node("Reshape", [a, e.ints([-1, *(d for d in last if isinstance(d, int))])]), ahead


def _unflat(e: Emitter, a: str, ahead: list[Dim], last: list[Dim]) -> str:
    return a if len(ahead) == 1 else reshaped(e, a, [*ahead, *last])


def _sizes(e: Emitter, window: Window, i: int) -> tuple[list[int], list[int], list[int]]:
    """Spatial sizes of argument i, of the window's input, and what a transposed convolution gives."""
    n = len(window.kernel)
    part = e.shape_of(i)[len(e.shape_of(i)) - n :]
    if not all(isinstance(d, int) for d in (*part, *window.spatial)):
        raise NotImplementedError("a window that slides along the batch")
    small, full = [d for d in part if isinstance(d, int)], [d for d in window.spatial if isinstance(d, int)]
    reach = [
        s * (o - 1) + d * (k - 1) + 1
        for s, o, d, k in zip(window.strides, small, window.dilations, window.kernel, strict=True)
    ]
    return small, full, reach


def _convolution(e: Emitter, op: str, args: list[str], **attributes: Any) -> str:
    """Conv or ConvTranspose; onnxruntime has them in float32 only, so in double it is that in between."""
    if e.dtype == np.float64:
        args = [e.node("Cast", [a], to=onnx.TensorProto.FLOAT) for a in args]
    out = e.node(op, args, **attributes)
    return e.node("Cast", [out], to=onnx.TensorProto.DOUBLE) if e.dtype == np.float64 else out


def _spread(e: Emitter, a: str, w: str, window: Window, group: int, i: int = 0) -> str:
    """The adjoint of a convolution, [N, C, ...] to [N, C', ...], exactly as large as its input was."""
    n = len(window.kernel)
    _, full, reach = _sizes(e, window, i)
    begins, ends = window.pads[:n], window.pads[n:]
    short = [f - (r - b - t) for f, r, b, t in zip(full, reach, begins, ends, strict=True)]
    fits = all(0 <= x < max(s, d) for x, s, d in zip(short, window.strides, window.dilations, strict=True))
    pads = [*begins, *ends] if fits else [0] * (2 * n)
    out = _convolution(
        e,
        "ConvTranspose",
        [a, w],
        kernel_shape=list(window.kernel),
        strides=list(window.strides),
        dilations=list(window.dilations),
        pads=pads,
        output_padding=short if fits else [0] * n,
        group=group,
    )
    if fits:
        return out
    # What the windows reach, cut and filled to what there was. A negative pad cuts.
    after = [b + f - r for b, f, r in zip(begins, full, reach, strict=True)]
    return e.node("Pad", [out, e.ints([0, 0, *(-b for b in begins), 0, 0, *after])])


@emitter
def _conv_transpose(e: Emitter, args: list[str], *, window: Window) -> str:
    assert e.here is not None
    if e.here.kind != "backward":
        return _convolution(
            e,
            "ConvTranspose",
            args,
            kernel_shape=list(window.kernel),
            strides=list(window.strides),
            dilations=list(window.dilations),
            pads=list(window.pads),
            output_padding=list(window.extra),
            group=window.group,
        )
    n = len(window.kernel)
    a, ahead = _flat(e, args[0], e.shape_of(0), n + 1)
    return _unflat(e, _spread(e, a, args[1], window, window.group), ahead, list(e.own()[-n - 1 :]))


@emitter
def _conv(e: Emitter, args: list[str], *, window: Window) -> str:
    assert e.here is not None
    n, a, ahead = len(window.kernel), args[0], list[Dim]()
    if e.here.kind == "backward":
        a, ahead = _flat(e, a, e.shape_of(0), n + 1)
    out = _convolution(
        e,
        "Conv",
        [a, args[1]],
        kernel_shape=list(window.kernel),
        strides=list(window.strides),
        dilations=list(window.dilations),
        pads=list(window.pads),
        group=window.group,
    )
    return _unflat(e, out, ahead, list(e.own()[-n - 1 :])) if ahead else out


@emitter
def _unpool(e: Emitter, args: list[str], *, window: Window) -> str:
    n = len(window.kernel)
    last = [d for d in e.shape_of(0)[-n:] if isinstance(d, int)]
    a = e.node("Reshape", [args[0], e.ints([-1, 1, *last])])
    ones = e.constant(np.ones((1, 1, *window.kernel), e.dtype))
    out = _spread(e, a, ones, window, 1)
    return reshaped(e, out, [*e.front(), *e.own()])


@emitter
def _max_pool_index(e: Emitter, args: list[str], *, window: Any, attributes: dict[str, Any]) -> str:
    return e.node("MaxPool", args, outputs=2, **attributes)


@emitter
def _einsum(e: Emitter, args: list[str], *, equation: str) -> str:
    if e.lead:
        terms, out = equation.split("->")
        # The axis K goes along under a letter that the equation does not use.
        k = next(x for x in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if x not in equation)
        equation = f"{k}{terms}->{k}{out}"
    return e.node("Einsum", args, equation=equation)


@emitter
def _dft(e: Emitter, args: list[str], *, axis: int, inverse: bool) -> str:
    at = axis + len(e.shape_of(0)) + e.lead
    if e.opset < 20:
        return e.node("DFT", args, axis=at, inverse=int(inverse))
    return e.node("DFT", [args[0], "", e.constant(np.asarray(at, np.int64))], inverse=int(inverse))
