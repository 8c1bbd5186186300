"""Fourier transforms: linear, so their adjoint."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..analysis.shapes import Shape
from ..ops.base import Expr, Ops
from .node import Message, NodeContext
from .registry import rule


def _number(node: NodeContext, i: int, what: str) -> int | None:
    return int(node.needs_const(i, what).reshape(())) if node.has(i) else None


@rule("DFT", kind="reduce", since=17, carry="own")
def dft(op: Ops, node: NodeContext, m: Expr | None) -> list[Expr | None]:
    """The adjoint transform: linear, so relevance is in proportion to what each sample puts in."""
    return _dft(op, node, m, int(node.attr("axis", 1)))


@rule("DFT", kind="reduce", since=20, carry="own")
def dft_20(op: Ops, node: NodeContext, m: Expr | None) -> list[Expr | None]:
    """The adjoint transform: linear, so relevance is in proportion to what each sample puts in."""
    axis = _number(node, 2, "axis")
    return _dft(op, node, m, -2 if axis is None else axis)


def _multiplier(op: Ops, node: NodeContext, m: Expr | None, at: int, length: int, *, real: bool) -> Expr:
    """All that arrived at a spectrum as a multiplier of it.

    The first bin of real numbers, and the last of an even number of them, have no imaginary part: what is
    there is rounding, and relevance of it stays.
    """
    r = node.take_remainder()
    if r is not None and real:
        bins = node.out_shape()[at]
        assert isinstance(bins, int)
        there = np.ones((bins, *[1] * (-at - 2), 2), np.float32)
        there[[i for i in {0, length // 2 if length % 2 == 0 else 0} if i < bins], ..., 1] = 0
        node.absorb("constant", op.mul(r, op.const(1 - there)))
        r = op.mul(r, op.const(there))
    made = node.converted(Message(m, r)).m
    assert made is not None
    return made


def _dft(op: Ops, node: NodeContext, m: Expr | None, axis: int) -> list[Expr | None]:
    at = node.negative(axis)
    shape = node.shape(0)
    size, parts = shape[at], shape[-1]
    given = _number(node, 1, "length")
    length: Any = size if given is None else given
    if not isinstance(length, int) or not isinstance(size, int):
        raise node.refuse("it transforms along the batch")
    inverse = bool(node.attr("inverse", 0))
    m = _multiplier(op, node, m, at, length, real=parts == 1 and node.out_shape()[-1] == 2)
    if node.attr("onesided", 0) and inverse:
        return [_one_sided_inverse(op, node, m, at), *[None] * (node.count - 1)]
    if node.attr("onesided", 0):
        wide: list[Any] = list(node.out_shape())
        wide[at] = length
        # The mirrored half was left out: it has no say.
        m = op.unslice(m, tuple(wide), [0], [at], [1])
    # F has the adjoint N F^-1, and F^-1 has F / N.
    back = op.mul(op.dft(m, at, not inverse), 1.0 / length if inverse else float(length))
    if length > size:
        back = op.slice(back, [0], [size], [at], [1])
    elif length < size:
        full: list[Any] = [*shape[:-1], 2]
        back = op.unslice(back, tuple(full), [0], [at], [1])
    if parts == 1:
        back = op.slice(back, [0], [1], [-1], [1])
    return [back, *[None] * (node.count - 1)]


def _one_sided_inverse(op: Ops, node: NodeContext, m: Expr, at: int) -> Expr:
    """A real signal from half of its spectrum: every bin but the outermost stands for two."""
    length, bins = node.out_shape()[at], node.shape(0)[at]
    if not isinstance(length, int) or not isinstance(bins, int):
        raise node.refuse("it transforms along the batch")
    used = min(bins, length // 2 + 1)
    twice = np.full(used, 2.0 / length)
    twice[0] = 1.0 / length
    if length % 2 == 0 and used == length // 2 + 1:
        twice[-1] = 1.0 / length
    both = op.unslice(m, (*node.out_shape()[:-1], 2), [0], [-1], [1]) if node.out_shape()[-1] == 1 else m
    half = op.slice(op.dft(both, at, False), [0], [used], [at], [1])
    back = op.mul(half, op.const(twice.reshape(-1, *[1] * (-at - 1)).astype(np.float32)))
    return back if used == bins else op.unslice(back, node.shape(0), [0], [at], [1])


@rule("STFT", kind="reduce", since=17, carry="own")
def stft(op: Ops, node: NodeContext, m: Expr | None) -> list[Expr | None]:
    """The adjoint: inverse transforms of the frames, windowed, added where they overlap."""
    hop = int(node.needs_const(1, "frame step").reshape(()))
    window = node.needs_const(2, "window").reshape(-1) if node.has(2) else None
    length = _number(node, 3, "frame length") or (len(window) if window is not None else None)
    batch, frames, bins, _ = node.out_shape()
    signal = node.shape(0)
    if length is None or not isinstance(frames, int) or not isinstance(bins, int):
        raise node.refuse("its frames are not known")
    m = _multiplier(op, node, m, -2, length, real=len(signal) == 2 or signal[2] == 1)
    if bins != length:
        m = op.unslice(m, (batch, frames, length, 2), [0], [-2], [1])
    back = op.mul(op.dft(m, -2, True), float(length))
    back = op.slice(back, [0], [1], [-1], [1])
    if window is not None:
        back = op.mul(back, op.const(window.reshape(-1, 1)))
    index = np.arange(frames)[:, None] * hop + np.arange(length)
    flat: Shape = (batch, frames * length, 1)
    real: Shape = (batch, signal[1], 1)
    got = op.ungather(op.reshape(back, flat), op.const(index.reshape(-1)), -2, real, 1)
    if len(signal) == 2:
        got = op.reshape(got, signal)
    elif signal[2] == 2:
        raise node.refuse("its signal is complex")
    return [got, *[None] * (node.count - 1)]
