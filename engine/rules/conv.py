"""Convolutions: layers with a rule of `layers.py`."""

from __future__ import annotations

from ..ops.base import Expr, Ops, Window
from ..registry import rule
from ..shapes import Dim
from ..site import Message, Site
from .layers import Layer, propagate


def window(node: Site, kernel: tuple[int, ...], group: int = 1) -> Window:
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


def _static(node: Site, dim: Dim) -> int:
    if not isinstance(dim, int):
        raise node.refuse("it slides along the batch")
    return dim


@rule("Conv", kind="conv", carry="own")
def conv(op: Ops, node: Site, m: Expr | None) -> list[Message | None]:
    """A layer by the composite's rule; its adjoint is the transposed convolution."""
    if node.active(1):
        raise node.refuse("its kernel depends on the input")
    shape = node.shape(1)
    kernel = tuple(_static(node, k) for k in shape[2:])
    view = window(node, kernel, int(node.attr("group", 1)))
    bias = op.reshape(node.input(2), (shape[0], *(1 for _ in kernel))) if node.has(2) else None
    layer = Layer(
        "conv",
        node.input(0),
        node.input(1),
        bias,
        lambda x, w: op.conv(x, w, view),
        lambda q, w: op.conv_transpose(q, w, view),
        node.const(1) is not None,
    )
    return [propagate(op, node, m, layer), None, None][: node.count]


@rule("ConvTranspose", kind="conv", carry="own")
def conv_transpose(op: Ops, node: Site, m: Expr | None) -> list[Message | None]:
    """A layer by the composite's rule; its adjoint is a convolution."""
    if node.active(1):
        raise node.refuse("its kernel depends on the input")
    shape = node.shape(1)
    kernel = tuple(_static(node, k) for k in shape[2:])
    view = _transposed_window(node, kernel)
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
    return [propagate(op, node, m, layer), None, None][: node.count]


def _transposed_window(node: Site, kernel: tuple[int, ...]) -> Window:
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
