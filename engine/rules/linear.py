"""Dense linear layers and products of tensors: MatMul, Gemm, and MatMul + Add as one Linear.

With one active operand they are layers (LRP-epsilon, Bach et al. 2015, eq. 58); with two they are
products (AttnLRP's uniform rule, Achtibat et al. 2024, Prop. 3.3).
"""

from __future__ import annotations

from ..ops.base import Expr, Ops
from ..registry import rule
from ..shapes import Shape
from ..site import Site
from .common import absorb_product, shares, stabilised, unbroadcast


def _swap(op: Ops, a: Expr, rank: int) -> Expr:
    """Transpose the last two of `rank` axes."""
    return op.transpose(a, (*range(rank - 2), rank - 1, rank - 2))


def _matmul(op: Ops, node: Site, m: Expr) -> list[Expr | None]:
    """Adjoints of ``A @ B``, each times its share."""
    a_shape, b_shape = node.shape(0), node.shape(1)
    out = node.out_shape()
    # One-dimensional operands as matrices: [n] on the left is [1, n], on the right [n, 1].
    full = (*out, 1) if len(b_shape) == 1 else out
    full = (*full[:-1], 1, full[-1]) if len(a_shape) == 1 else full
    a_full: Shape = (1, *a_shape) if len(a_shape) == 1 else a_shape
    b_full: Shape = (*b_shape, 1) if len(b_shape) == 1 else b_shape
    if full != out:
        m = op.reshape(m, full)
    part = shares(node, 0, 1)
    result: list[Expr | None] = [None, None]
    if 0 in part:
        b = node.input(1) if b_full == b_shape else op.reshape(node.input(1), b_full)
        got = op.matmul(op.mul(m, part[0]), _swap(op, b, len(b_full)))
        result[0] = _back(op, got, (*full[:-2], full[-2], b_full[-2]), a_full, a_shape)
    if 1 in part:
        a = node.input(0) if a_full == a_shape else op.reshape(node.input(0), a_full)
        got = op.matmul(_swap(op, a, len(a_full)), op.mul(m, part[1]))
        result[1] = _back(op, got, (*full[:-2], a_full[-1], full[-1]), b_full, b_shape)
    return result


def _back(op: Ops, got: Expr, shape: Shape, full: Shape, to: Shape) -> Expr:
    got = unbroadcast(op, got, shape, full)
    return got if full == to else op.reshape(got, to)


@rule("MatMul", kind="linear")
def matmul(op: Ops, node: Site, m: Expr) -> list[Expr | None]:
    """``m W^T`` for a layer (LRP-epsilon), half of each adjoint for a product (AttnLRP, Prop. 3.3)."""
    active = [i for i in (0, 1) if node.active(i)]
    if len(active) == 2:
        absorb_product(op, node, m, 2)
    elif node.const(1 - active[0]) is not None:
        m = stabilised(op, node, m, "epsilon")
    return _matmul(op, node, m)


@rule("Linear", kind="linear", domain="onnxplain")
def linear(op: Ops, node: Site, m: Expr) -> list[Expr | None]:
    """``m W^T``; the bias absorbs its share (LRP-epsilon, Bach et al. 2015, eq. 58)."""
    m = stabilised(op, node, m, "epsilon")
    node.absorb("bias", m, node.input(2))
    return [*_matmul(op, node, m), None]


@rule("Gemm", kind="linear")
def gemm(op: Ops, node: Site, m: Expr) -> list[Expr | None]:
    """``alpha m B^T`` for a layer (LRP-epsilon); the bias absorbs its share or gets it when active."""
    alpha, beta = float(node.attr("alpha", 1.0)), float(node.attr("beta", 1.0))
    turned = [bool(node.attr("transA", 0)), bool(node.attr("transB", 0))]
    active = [i for i in (0, 1) if node.active(i)]
    if len(active) == 2:
        product = node.output()
        if node.has(2):
            product = op.sub(product, op.mul(node.input(2), beta))
        if node.variant("product") == "gradient":
            node.absorb("product", m, op.mul(product, -1.0))
    else:
        m = stabilised(op, node, m, "epsilon")
    result: list[Expr | None] = [None, None, None]
    if node.has(2):
        if node.active(2):
            result[2] = unbroadcast(op, op.mul(m, beta), node.out_shape(), node.shape(2))
        else:
            node.absorb("bias", m, op.mul(node.input(2), beta))
    part = shares(node, 0, 1)
    # op(A) [n, k] @ op(B) [k, p]
    sides = [_swap(op, node.input(i), 2) if turned[i] else node.input(i) for i in (0, 1) if node.has(i)]
    if 0 in part:
        got = op.matmul(op.mul(m, alpha * part[0]), _swap(op, sides[1], 2))
        result[0] = _swap(op, got, 2) if turned[0] else got
    if 1 in part:
        got = op.matmul(_swap(op, sides[0], 2), op.mul(m, alpha * part[1]))
        result[1] = _swap(op, got, 2) if turned[1] else got
    return result
