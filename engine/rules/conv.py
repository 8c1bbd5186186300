"""Convolutions: layers with a rule of `layers.py`."""

from __future__ import annotations

from math import prod

from ..analysis.shapes import Dim, Shape
from ..file.graph import ROUNDED, TRANSFORM
from ..ops.base import Expr, Ops, Window
from .common import shares
from .layers import Layer, propagate
from .node import Message, NodeContext
from .registry import rule
from .unfolding import unfold


def window(node: NodeContext, kernel: tuple[int, ...], group: int = 1) -> Window:
    """The sliding window of a Conv or pool node, with `auto_pad` worked out from the shapes."""
    n = len(kernel)
    strides = tuple(node.attr("strides") or [1] * n)
    dilations = tuple(node.attr("dilations") or [1] * n)
    spatial, out = node.shape(0)[-n:], node.out_shape()[-n:]
    pads = tuple(node.attr("pads") or [0] * (2 * n))
    mode = node.attr("auto_pad", "NOTSET")
    if mode == "VALID":
        pads = (0,) * (2 * n)
    elif mode in ("SAME_UPPER", "SAME_LOWER"):
        begins, ends = [], []
        for i, o, k, s, d in zip(spatial, out, kernel, strides, dilations, strict=True):
            total = max((_static(node, o) - 1) * s + d * (k - 1) + 1 - _static(node, i), 0)
            small = total // 2
            begins.append(small if mode == "SAME_UPPER" else total - small)
            ends.append(total - begins[-1])
        pads = (*begins, *ends)
    return Window(tuple(kernel), strides, dilations, pads, spatial, group)


def _static(node: NodeContext, dim: Dim) -> int:
    if not isinstance(dim, int):
        raise node.refuse("it slides along the batch")
    return dim


@rule("Conv", kind="conv", carry="own")
def conv(op: Ops, node: NodeContext, m: Expr | None) -> list[Message | Expr | None]:
    """A layer by the composite's rule; its adjoint is the transposed convolution."""
    shape = node.shape(1)
    kernel = tuple(_static(node, k) for k in shape[2:])
    view = window(node, kernel, int(node.attr("group", 1)))
    if node.active(1) or node.active(2):
        return _by_signals(op, node, m, view, turned=False)
    bias = op.reshape(node.input(2), (shape[0], *(1 for _ in kernel))) if node.has(2) else None
    layer = Layer(
        "conv",
        node.input(0),
        node.input(1),
        bias,
        lambda x, w: op.conv(x, w, view),
        lambda q, w: op.conv_transpose(q, w, view),
        node.const(1) is not None and not node.attr(TRANSFORM),
        rounded=bool(node.attr(ROUNDED)),
    )
    found: list[Message | Expr | None] = [propagate(op, node, m, layer), None, None]
    return found[: node.count]


@rule("ConvTranspose", kind="conv", carry="own")
def conv_transpose(op: Ops, node: NodeContext, m: Expr | None) -> list[Message | Expr | None]:
    """A layer by the composite's rule; its adjoint is a convolution."""
    shape = node.shape(1)
    kernel = tuple(_static(node, k) for k in shape[2:])
    view = _transposed_window(node, kernel)
    if node.active(1) or node.active(2):
        return _by_signals(op, node, m, view, turned=True)
    channels = node.out_shape()[1]
    bias = op.reshape(node.input(2), (channels, *(1 for _ in kernel))) if node.has(2) else None
    layer = Layer(
        "conv",
        node.input(0),
        node.input(1),
        bias,
        lambda x, w: op.conv_transpose(x, w, view),
        lambda q, w: op.conv(q, w, view),
        node.const(1) is not None,
    )
    found: list[Message | Expr | None] = [propagate(op, node, m, layer), None, None]
    return found[: node.count]


def _transposed_window(node: NodeContext, kernel: tuple[int, ...]) -> Window:
    """The window of the convolution that a ConvTranspose is the adjoint of."""
    n = len(kernel)
    strides = tuple(node.attr("strides") or [1] * n)
    dilations = tuple(node.attr("dilations") or [1] * n)
    extra = tuple(node.attr("output_padding") or [0] * n)
    small = tuple(_static(node, d) for d in node.shape(0)[-n:])
    large = tuple(_static(node, d) for d in node.out_shape()[-n:])
    pads = tuple(node.attr("pads") or [0] * (2 * n))
    mode = node.attr("auto_pad", "NOTSET")
    if mode != "NOTSET" or node.attr("output_shape"):
        begins, ends = [], []
        for i, o, k, s, d, e in zip(small, large, kernel, strides, dilations, extra, strict=True):
            total = max((i - 1) * s + e + d * (k - 1) + 1 - o, 0)
            half = total // 2
            begins.append(total - half if mode == "SAME_LOWER" or mode == "NOTSET" else half)
            ends.append(total - begins[-1])
        pads = (*begins, *ends)
    return Window(kernel, strides, dilations, pads, large, int(node.attr("group", 1)), extra)


def _by_signals(
    op: Ops, node: NodeContext, m: Expr | None, view: Window, *, turned: bool
) -> list[Message | Expr | None]:
    """A convolution whose kernel or bias depends on the input: a product (AttnLRP, Prop. 3.3)."""
    q = node.as_multiplier(m)
    result: list[Message | Expr | None] = [None] * node.count
    part = shares(node, 0, 1)
    channels = node.out_shape()[1]
    spatial = list(range(-len(view.kernel), 0))
    bias = op.reshape(node.input(2), (channels, *(1 for _ in spatial))) if node.has(2) else None
    if bias is not None:
        if node.active(2):
            total = op.sum(q, [*spatial, -node.rank()])
            result[2] = op.reshape(total, (channels,))
        else:
            node.absorb("bias", q, bias)
    if len(part) == 2 and node.variant("product") == "gradient":
        alone = node.output() if bias is None else op.sub(node.output(), bias)
        node.absorb("product", q, op.neg(alone))
    if 0 in part:
        w = node.input(1)
        back = op.conv(q, w, view) if turned else op.conv_transpose(q, w, view)
        result[0] = op.mul(back, part[0])
    if 1 in part:
        result[1] = op.mul(_into_kernel(op, node, q, view, turned), part[1])
    return result


def _into_kernel(op: Ops, node: NodeContext, q: Expr, view: Window, turned: bool) -> Expr:
    """The adjoint in the kernel: windows of the larger side times the smaller side."""
    n, g = len(view.kernel), view.group
    large, small = (node.out_shape(), node.shape(0)) if turned else (node.shape(0), node.out_shape())
    points = tuple(_static(node, d) for d in small[-n:])
    inner, outer = _static(node, large[1]), _static(node, small[1])
    x = node.input(0)
    wide = unfold(op, q if turned else x, large[:2], view, points)
    split: Shape = (large[0], g, inner // g, prod(view.kernel), prod(points))
    rows: Shape = (small[0], g, outer // g, prod(points))
    wide, narrow = op.reshape(wide, split), op.reshape(x if turned else q, rows)
    if turned:
        got = op.einsum("ngctp,ngop->goct", [wide, narrow])
    else:
        got = op.einsum("ngop,ngctp->goct", [narrow, wide])
    return op.reshape(got, node.shape(1))
