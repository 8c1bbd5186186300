"""Layers with weights, pools and resampling."""

from __future__ import annotations

from typing import Any

import numpy as np

from .build import Graph, UnfitError
from .table import add, grows


@grows("MatMul", weight=2)
def matmul(g: Graph) -> str:
    x = g.pick(least=2)
    n, m = g.shape(x)[-1], g.integer(1, 6)
    y = g.node("MatMul", x, g.const(g.normal(n, m, scale=n**-0.5)))
    if g.chance(0.6):
        both = [y, g.const(g.normal(m))]
        y = g.node("Add", *(both if g.chance(0.7) else both[::-1]))
    return y


@grows("MatMul from the left")
def matmul_left(g: Graph) -> str:
    x = g.pick(least=3)
    n = g.shape(x)[-2]
    return g.node("MatMul", g.const(g.normal(g.integer(1, 5), n, scale=n**-0.5)), x)


@grows("MatMul of two")
def matmul_two(g: Graph) -> str:
    x = g.pick(rank=3)
    n = g.shape(x)[2]
    y = g.pick(rank=3, where=lambda v: v.shape[2] == n)
    return g.node("MatMul", x, g.node("Transpose", y, perm=[0, 2, 1]))


@grows("Gemm", weight=2)
def gemm(g: Graph) -> str:
    x = g.pick(rank=2)
    n, m = g.shape(x)[-1], g.integer(1, 6)
    turned = int(g.chance())
    w = g.normal(*((m, n) if turned else (n, m)), scale=n**-0.5)
    bias = [g.const(g.normal(*g.one_of(((m,), (1, m), (1, 1)))))] if g.chance(0.7) else []
    alpha, beta = g.one_of((1.0, 0.5, -1.5)), g.one_of((1.0, 0.5, 0.0))
    return g.node("Gemm", x, g.const(w), *bias, transB=turned, alpha=alpha, beta=beta)


@grows("Einsum", since=12)
def einsum(g: Graph) -> str:
    x = g.pick(rank=3)
    _, i, j = g.shape(x)
    equation, w = g.one_of(
        (
            ("bij,jk->bik", (j, 4)),
            ("bij,ik->bkj", (i, 3)),
            ("bij,ij->bi", (i, j)),
            ("...j,kj->...k", (3, j)),
        )
    )
    return g.node("Einsum", x, g.const(g.normal(*w, scale=0.5)), equation=equation)


@grows("Einsum of two", since=12)
def einsum_two(g: Graph) -> str:
    x = g.pick(rank=3)
    n = g.shape(x)[2]
    y = g.pick(rank=3, where=lambda v: v.shape[2] == n)
    return g.node("Einsum", x, y, equation="bij,bkj->bik")


def _window(g: Graph, size: tuple[int, ...], largest: int = 3) -> dict[str, list[int]]:
    """Kernel, strides, dilations and pads that fit."""
    kernel = [g.integer(1, min(largest, n)) for n in size]
    dilations = [g.integer(1, 2) if (k - 1) * 2 + 1 <= n else 1 for k, n in zip(kernel, size, strict=True)]
    pads = [g.integer(0, k - 1) for k in (*kernel, *kernel)]
    strides = [g.integer(1, 2) for _ in kernel]
    return {"kernel_shape": kernel, "strides": strides, "dilations": dilations, "pads": pads}


def _groups(g: Graph, channels: int) -> int:
    return int(g.one_of([n for n in range(1, channels + 1) if channels % n == 0]))


@grows("Conv", weight=3)
def conv(g: Graph) -> str:
    x = g.pick(rank=g.one_of((3, 3, 4)))
    _, channels, *size = g.shape(x)
    window = _window(g, tuple(size))
    if g.chance(0.25):
        window["auto_pad"] = g.one_of(("SAME_UPPER", "SAME_LOWER", "VALID"))
        window.pop("pads")
        window["dilations"] = [1] * len(size)
    groups = _groups(g, channels)
    out, each = groups * g.integer(1, 2), channels // groups
    w = g.normal(out, each, *window["kernel_shape"])
    w /= max(w[0].size, 1) ** 0.5
    bias = [g.const(g.normal(out))] if g.chance(0.6) else []
    return g.node("Conv", x, g.const(w), *bias, group=groups, **window)


@grows("ConvTranspose")
def conv_transpose(g: Graph) -> str:
    x = g.pick(rank=g.one_of((3, 3, 4)))
    _, channels, *size = g.shape(x)
    groups, out = _groups(g, channels), g.integer(1, 2)
    kernel, strides = [g.integer(1, 3) for _ in size], [g.integer(1, 2) for _ in size]
    w = g.normal(channels, out, *kernel, scale=(channels // groups * np.prod(kernel)) ** -0.5)
    bias = [g.const(g.normal(out * groups))] if g.chance() else []
    pads = [g.integer(0, k // 2) for k in (*kernel, *kernel)]
    extra = [g.integer(0, s - 1) for s in strides]
    return g.node(
        "ConvTranspose",
        x,
        g.const(w),
        *bias,
        strides=strides,
        pads=pads,
        group=groups,
        kernel_shape=kernel,
        output_padding=extra,
    )


@grows("AveragePool")
def average_pool(g: Graph) -> str:
    x = g.pick(rank=g.one_of((3, 4)))
    window = _window(g, g.shape(x)[2:])
    if g.opset < 19:
        window.pop("dilations")
    return g.node("AveragePool", x, count_include_pad=int(g.chance()), **window)


@grows("MaxPool")
def max_pool(g: Graph) -> str:
    x = g.pick(rank=g.one_of((3, 4)))
    window = _window(g, g.shape(x)[2:])
    # Windows that skip elements: onnx and onnxruntime round their number up each in its own way.
    wide = all(k >= s for k, s in zip(window["kernel_shape"], window["strides"], strict=True))
    return g.node("MaxPool", x, ceil_mode=int(wide and g.chance(0.2)), **window)


@grows("LpPool", since=11, weight=0.6)
def lp_pool(g: Graph) -> str:
    x = g.limited(g.pick(rank=3), "positive")
    window = _window(g, g.shape(x)[2:])
    return g.node("LpPool", x, kernel_shape=window["kernel_shape"], strides=window["strides"], p=2)


def _everywhere(op: str) -> Any:
    def build(g: Graph) -> str:
        x = g.pick(least=3)
        y = g.node(op, x)
        return str(g.node("Flatten", y) if g.chance() else y)

    return build


for _op in ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"):
    add(_op, _everywhere(_op), weight=0.8)


@grows("Resize", weight=1.2)
def resize(g: Graph) -> str:
    x = g.pick(rank=g.one_of((3, 4)))
    size = g.shape(x)
    mode = g.one_of(("nearest", "linear", "cubic") if len(size) == 4 else ("nearest", "linear"))
    where = g.one_of(("half_pixel", "align_corners", "asymmetric"))
    scales = [1.0, 1.0, *(g.one_of((0.5, 1.5, 2.0, 1.0)) for _ in size[2:])]
    attributes = {"mode": mode, "coordinate_transformation_mode": where}
    if mode == "nearest":
        attributes["nearest_mode"] = g.one_of(("round_prefer_floor", "floor", "ceil"))
    empty = g.const(np.zeros(0)) if g.opset < 13 else ""
    return g.node("Resize", x, empty, g.const(scales), **attributes)


@grows("GridSample", since=16, weight=0.5)
def grid_sample(g: Graph) -> str:
    x = g.pick(rank=4)
    if g.is_open:
        raise UnfitError
    grid = np.tanh(g.normal(g.batch, 2, 3, 2))
    return g.node("GridSample", x, g.const(grid), mode="bilinear" if g.opset < 20 else "linear")


@grows("LRN", weight=0.5)
def local_response(g: Graph) -> str:
    return g.node("LRN", g.pick(rank=4), size=3, alpha=0.1, beta=0.7, bias=1.0)


@grows("DFT", since=17, weight=0.5)
def dft(g: Graph) -> str:
    x = g.pick(rank=3)
    wide = g.axes_node("Unsqueeze", x, [-1], 13)
    axis = 2
    y = g.node("DFT", wide, "", g.const(axis, np.int64)) if g.opset >= 20 else g.node("DFT", wide, axis=axis)
    return g.node("Add", *g.node("Split", y, outputs=2, axis=3)) if g.opset < 18 else y
