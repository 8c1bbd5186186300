"""Dense linear layers and products of tensors: MatMul, Gemm, and MatMul + Add as one Linear.

With one active operand they are layers, with a rule of `layers.py`; with two they are products
(AttnLRP's uniform rule, Achtibat et al. 2024, Prop. 3.3).
"""

from __future__ import annotations

from collections.abc import Callable

from ..analysis.shapes import Shape
from ..file.graph import ROUNDED, TRANSFORM
from ..ops.base import Expr, Ops
from .common import absorb_product, shares, unbroadcast
from .layers import Layer, propagate
from .node import Message, NodeContext
from .registry import rule


def swap(op: Ops, a: Expr, rank: int) -> Expr:
    """Transpose the last two of `rank` axes."""
    return op.transpose(a, (*range(rank - 2), rank - 1, rank - 2))


def adjoints(
    op: Ops, m: Expr, sides: tuple[Expr, Expr], shapes: tuple[Shape, Shape], out: Shape
) -> tuple[Callable[[], Expr], Callable[[], Expr]]:
    """Adjoints of ``A @ B`` in A and in B, made when they are called for."""
    a_shape, b_shape = shapes
    # One-dimensional operands as matrices: [n] on the left is [1, n], on the right [n, 1].
    full = (*out, 1) if len(b_shape) == 1 else out
    full = (*full[:-1], 1, full[-1]) if len(a_shape) == 1 else full
    a_full: Shape = (1, *a_shape) if len(a_shape) == 1 else a_shape
    b_full: Shape = (*b_shape, 1) if len(b_shape) == 1 else b_shape
    if full != out:
        m = op.reshape(m, full)

    def into_a() -> Expr:
        b = sides[1] if b_full == b_shape else op.reshape(sides[1], b_full)
        got = op.matmul(m, swap(op, b, len(b_full)))
        return _back(op, got, (*full[:-2], full[-2], b_full[-2]), a_full, a_shape)

    def into_b() -> Expr:
        a = sides[0] if a_full == a_shape else op.reshape(sides[0], a_full)
        got = op.matmul(swap(op, a, len(a_full)), m)
        return _back(op, got, (*full[:-2], a_full[-1], full[-1]), b_full, b_shape)

    return into_a, into_b


def _back(op: Ops, got: Expr, shape: Shape, full: Shape, to: Shape) -> Expr:
    got = unbroadcast(op, got, shape, full)
    return got if full == to else op.reshape(got, to)


def _dense(op: Ops, node: NodeContext, signal: int, bias: Expr | None) -> Layer:
    """MatMul with one active operand, as a layer."""
    x_shape, w_shape, out = node.shape(signal), node.shape(1 - signal), node.out_shape()

    def apply(x: Expr, w: Expr) -> Expr:
        return op.matmul(x, w) if signal == 0 else op.matmul(w, x)

    def adjoint(m: Expr, w: Expr) -> Expr:
        sides = [(m, w), (w, m)][signal]
        shapes = [(x_shape, w_shape), (w_shape, x_shape)][signal]
        return adjoints(op, m, sides, shapes, out)[signal]()

    constant = node.const(1 - signal) is not None and not node.attr(TRANSFORM)
    x, weight, rounded = node.input(signal), node.input(1 - signal), bool(node.attr(ROUNDED))
    return Layer("linear", x, weight, bias, apply, adjoint, constant, rounded=rounded)


@rule("MatMul", kind="linear", carry="own")
def matmul(op: Ops, node: NodeContext, m: Expr | None) -> list[Message | Expr | None]:
    """A layer by the composite's rule; for a product, half of each adjoint (AttnLRP, Prop. 3.3)."""
    active = [i for i in (0, 1) if node.active(i)]
    if len(active) == 1:
        got = propagate(op, node, m, _dense(op, node, active[0], None))
        return [got, None] if active[0] == 0 else [None, got]
    q = node.as_multiplier(m)
    absorb_product(op, node, q, 2)
    part = shares(node, 0, 1)
    back = adjoints(op, q, (node.input(0), node.input(1)), (node.shape(0), node.shape(1)), node.out_shape())
    return [op.mul(back[i](), part[i]) for i in (0, 1)]


@rule("Linear", kind="linear", domain="onnxplain", carry="own")
def linear(op: Ops, node: NodeContext, m: Expr | None) -> list[Message | None]:
    """MatMul and the Add of its bias: a layer by the composite's rule; the bias absorbs its share."""
    signal = 0 if node.active(0) else 1
    got = propagate(op, node, m, _dense(op, node, signal, node.input(2)))
    return [got if i == signal else None for i in range(3)]


@rule("Gemm", kind="linear", carry="own")
def gemm(op: Ops, node: NodeContext, m: Expr | None) -> list[Message | Expr | None]:
    """A layer by the composite's rule, or a product; the bias absorbs its share, or gets it when active."""
    alpha, beta = float(node.attr("alpha", 1.0)), float(node.attr("beta", 1.0))
    turned = [bool(node.attr("transA", 0)), bool(node.attr("transB", 0))]
    active = [i for i in (0, 1) if node.active(i)]
    bias = op.mul(node.input(2), beta) if node.has(2) else None

    def side(i: int, x: Expr) -> Expr:
        return swap(op, x, 2) if turned[i] else x

    def adjoint(i: int, q: Expr, other: Expr) -> Expr:
        """Into operand i: op(A) [n, k] @ op(B) [k, p]."""
        if i == 0:
            got = op.matmul(q, swap(op, side(1, other), 2))
        else:
            got = op.matmul(swap(op, side(0, other), 2), q)
        return side(i, got)

    result: list[Message | Expr | None] = [None] * node.count
    if len(active) == 1 and not node.active(2):
        i = active[0]

        def apply(x: Expr, w: Expr) -> Expr:
            a, b = (x, w) if i == 0 else (w, x)
            return op.matmul(side(0, a), side(1, b))

        # The layer's weight is alpha W: rules clip and square it.
        weight = node.input(1 - i) if alpha == 1 else op.mul(node.input(1 - i), alpha)
        layer = Layer(
            "linear",
            node.input(i),
            weight,
            bias,
            apply,
            lambda q, w: adjoint(i, q, w),
            node.const(1 - i) is not None and not node.attr(TRANSFORM),
        )
        result[i] = propagate(op, node, m, layer)
        return result
    q = node.as_multiplier(m)
    if len(active) == 2 and node.variant("product") == "gradient":
        product = node.output() if bias is None else op.sub(node.output(), bias)
        node.absorb("product", q, op.neg(product))
    if bias is not None:
        if node.active(2):
            result[2] = unbroadcast(op, op.mul(q, beta), node.out_shape(), node.shape(2))
        else:
            node.absorb("bias", q, bias)
    for i, share in shares(node, 0, 1).items():
        result[i] = op.mul(adjoint(i, q, node.input(1 - i)), alpha * share)
    return result
