"""Linear maps of signals: Einsum, Fourier transforms, resampling."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from .. import runtime
from ..ops.base import Array, Expr, Ops
from ..registry import rule
from ..shapes import Shape
from ..site import Message, Site
from .common import shares
from .layers import Layer, propagate


@rule("Einsum", kind="linear", since=12, carry="own")
def einsum(op: Ops, node: Site, m: Expr | None) -> list[Message | Expr | None]:
    """A layer by the composite's rule with one active operand; a product with several."""
    terms, out = _equation(node)
    active = [i for i in range(node.count) if node.active(i)]

    def adjoint(i: int, q: Expr, others: dict[int, Expr]) -> Expr:
        """Einsum of q with the other operands, laid out like operand i."""
        own = terms[i]
        known = set(out).union(*(terms[k] for k in others))
        # Letters that only operand i has were summed away: every one of them gets the same.
        kept = "".join(x for x in own if x in known)
        equation = ",".join([out, *(terms[k] for k in others)]) + "->" + kept
        got = op.einsum(equation, [q, *others.values()])
        if kept == own:
            return got
        shape = node.shape(i)
        narrow: Shape = tuple(d if x in kept else 1 for x, d in zip(own, shape, strict=True))
        return op.expand(op.reshape(got, narrow), shape)

    if len(active) == 1 and node.count == 2:
        i = active[0]

        def apply(x: Expr, w: Expr) -> Expr:
            pair = [x, w] if i == 0 else [w, x]
            return op.einsum(",".join(terms) + "->" + out, pair)

        layer = Layer(
            "linear",
            node.input(i),
            node.input(1 - i),
            None,
            apply,
            lambda q, w: adjoint(i, q, {1 - i: w}),
            node.const(1 - i) is not None,
        )
        result: list[Message | Expr | None] = [None, None]
        result[i] = propagate(op, node, m, layer)
        return result
    q = node.as_multiplier(m)
    if len(active) > 1 and node.variant("product") == "gradient":
        node.absorb("product", q, op.mul(node.output(), 1.0 - len(active)))
    part = shares(node, *range(node.count))
    found: list[Message | Expr | None] = []
    for i in range(node.count):
        others = {k: node.input(k) for k in range(node.count) if k != i}
        found.append(adjoint(i, op.mul(q, part[i]), others) if i in part else None)
    return found


def _equation(node: Site) -> tuple[list[str], str]:
    """The equation's terms with the ellipsis spelt out."""
    text = str(node.attr("equation")).replace(" ", "")
    left, arrow, out = text.partition("->")
    terms = left.split(",")
    if not arrow:
        letters = [x for x in "".join(terms) if x.isalpha()]
        out = "".join(sorted(x for x in set(letters) if letters.count(x) == 1))
        out = "..." + out if "..." in left else out
    ranks = [node.rank(i) - len(t.replace("...", "")) for i, t in enumerate(terms)]
    widest = max((r for r, t in zip(ranks, terms, strict=True) if "..." in t), default=0)
    free = [x for x in "ABCDEFGHIJKLMNOPQRST" if x not in text][:widest]
    spelt = []
    for i, (t, r) in enumerate(zip(terms, ranks, strict=True)):
        if "..." in t and any(d == 1 for d in node.shape(i)):
            # A broadcast axis of length 1 has no letter of its own in numpy's spelling.
            raise node.refuse("it broadcasts")
        spelt.append(t.replace("...", "".join(free[widest - r :])))
    if any(re.search(r"(.).*\1", t) for t in spelt):
        raise node.refuse("it takes a diagonal")
    return spelt, out.replace("...", "".join(free))


def _number(node: Site, i: int, what: str) -> int | None:
    return int(node.needs_const(i, what).reshape(())) if node.has(i) else None


@rule("DFT", kind="reduce", since=17)
def dft(op: Ops, node: Site, m: Expr) -> list[Expr | None]:
    """The adjoint transform: linear, so relevance is in proportion to what each sample puts in."""
    return _dft(op, node, m, int(node.attr("axis", 1)))


@rule("DFT", kind="reduce", since=20)
def dft_20(op: Ops, node: Site, m: Expr) -> list[Expr | None]:
    """The adjoint transform: linear, so relevance is in proportion to what each sample puts in."""
    axis = _number(node, 2, "axis")
    return _dft(op, node, m, -2 if axis is None else axis)


def _dft(op: Ops, node: Site, m: Expr, axis: int) -> list[Expr | None]:
    at = node.negative(axis)
    shape = node.shape(0)
    size, parts = shape[at], shape[-1]
    given = _number(node, 1, "length")
    length: Any = size if given is None else given
    if not isinstance(length, int) or not isinstance(size, int):
        raise node.refuse("it transforms along the batch")
    if node.attr("onesided", 0):
        wide: list[Any] = list(node.out_shape())
        wide[at] = length
        # The mirrored half was left out: it has no say.
        m = op.unslice(m, tuple(wide), [0], [at], [1])
    # F has the adjoint N F^-1, and F^-1 has F / N.
    inverse = bool(node.attr("inverse", 0))
    back = op.mul(op.dft(m, at, not inverse), 1.0 / length if inverse else float(length))
    if length > size:
        back = op.slice(back, [0], [size], [at], [1])
    elif length < size:
        full: list[Any] = [*shape[:-1], 2]
        back = op.unslice(back, tuple(full), [0], [at], [1])
    if parts == 1:
        back = op.slice(back, [0], [1], [-1], [1])
    return [back, *[None] * (node.count - 1)]


@rule("STFT", kind="reduce", since=17)
def stft(op: Ops, node: Site, m: Expr) -> list[Expr | None]:
    """The adjoint: inverse transforms of the frames, windowed, added where they overlap."""
    hop = int(node.needs_const(1, "frame step").reshape(()))
    window = node.needs_const(2, "window").reshape(-1) if node.has(2) else None
    length = _number(node, 3, "frame length") or (len(window) if window is not None else None)
    batch, frames, bins, _ = node.out_shape()
    signal = node.shape(0)
    if length is None or not isinstance(frames, int) or not isinstance(bins, int):
        raise node.refuse("its frames are not known")
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


@rule("Resize", "Upsample", kind="reduce", carry="move")
def resize(op: Ops, node: Site, m: Expr) -> list[Expr | None]:
    """The transpose of the resampling matrix of each axis, as onnxruntime itself resamples."""
    rank = node.rank()
    scales = None
    for i in range(1, node.count):
        value = node.const(i)
        if value is not None and value.dtype.kind == "f" and value.size == rank:
            scales = value.reshape(-1)
    if scales is None and node.attr("scales"):
        scales = np.asarray(node.attr("scales"), dtype=np.float32)
    attributes = {k: v for k, v in node.node.attributes.items() if k not in ("axes", "scales")}
    if attributes.get("coordinate_transformation_mode") == "tf_crop_and_resize":
        raise node.refuse("it crops")
    for axis in range(rank):
        size, wide = node.shape(0)[axis], node.out_shape()[axis]
        if size == wide:
            continue
        if not isinstance(size, int) or not isinstance(wide, int):
            raise node.refuse("it resizes the batch")
        scale = float(scales[axis]) if scales is not None else wide / size
        matrix = _resampling(size, wide, scale, tuple(sorted(attributes.items())))
        perm = [i for i in range(rank) if i != axis] + [axis]
        turned = op.matmul(op.transpose(m, perm), op.const(matrix))
        m = op.transpose(turned, [perm.index(i) for i in range(rank)])
    return [m, *[None] * (node.count - 1)]


@lru_cache(maxsize=256)
def _resampling(size: int, wide: int, scale: float, attributes: tuple[tuple[str, Any], ...]) -> Array:
    """The matrix [wide, size] by which onnxruntime resizes one axis."""
    # Four axes, for which every mode is implemented; each column of the matrix is one image.
    graph = helper.make_graph(
        [helper.make_node("Resize", ["x", "", "s"], ["y"], **dict(attributes))],
        "resampling",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, size, 1, size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [helper.make_tensor("s", TensorProto.FLOAT, [4], [1.0, 1.0, 1.0, scale])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    opened = runtime.session(
        onnx.ModelProto.FromString(model.SerializeToString()), where="Resize", optimise=False
    )
    eye = np.eye(size, dtype=np.float32)[None, :, None, :]
    out: Array = runtime.run(opened, ["y"], {"x": eye}, where="Resize")[0][0, :, 0, :].T
    return np.ascontiguousarray(out[:wide])
