"""Products and convolutions with an activation, a factor or a transposition in them."""

from __future__ import annotations

from collections.abc import Sequence

from ..quantised import dequantised_blocks
from .activation import fast_gelu_of
from .table import Fused, activated, writes


def _turned(o: Fused, i: int, across_batch: bool, last_two: bool) -> str:
    """A factor with its axes as the product wants them; a constant one is turned once."""
    rank = o.rank(i)
    perm = list(range(rank))
    if across_batch:
        perm = [*perm[1:-1], 0, perm[-1]]
    if last_two:
        perm[-2:] = perm[:-3:-1]
    if perm == sorted(perm):
        return o.operand(i)
    value = o.constant(i)
    if value is not None:
        return o.emit.const(value.transpose(perm), "weight")
    return o.emit.transpose(o.operand(i), perm, what=f"Transpose_{i}")


@writes("FusedMatMul", "TransposeMatMul", "FusedMatMulActivation")
def fused_matmul(o: Fused) -> Sequence[str]:
    """``activation(alpha op(A) op(B))``."""
    emit, factors = o.emit, []
    for i, side in enumerate("AB"):
        last_two = bool(o.attr(f"trans{side}", 0)) and o.rank(i) > 1
        factors.append(_turned(o, i, bool(o.attr(f"transBatch{side}", 0)), last_two))
    y = emit.op("MatMul", *factors, what="MatMul")
    alpha = float(o.attr("alpha", 1.0))
    if alpha != 1.0:
        y = emit.op("Mul", y, o.number(alpha), what="alpha")
    return [activated(o, y)]


@writes("FusedGemm")
def fused_gemm(o: Fused) -> Sequence[str]:
    """Gemm, then an activation."""
    operands = [v for v in (o.operand(i) for i in range(3)) if v]
    given = {k: o.attr(k) for k in ("alpha", "beta", "transA", "transB")}
    return [activated(o, o.emit.op("Gemm", *operands, what="Gemm", **given))]


@writes("GemmFastGelu")
def gemm_fast_gelu(o: Fused) -> Sequence[str]:
    """A product, a bias, then Gelu's tanh form."""
    y = o.emit.op("MatMul", o.operand(0), o.operand(1), what="MatMul")
    if o.operand(2):
        y = o.emit.op("Add", y, o.operand(2), what="bias")
    return [fast_gelu_of(o.emit, y, o.dtype)]


CONV = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")


@writes("FusedConv")
def fused_conv(o: Fused) -> Sequence[str]:
    """A convolution, another signal added, then an activation."""
    x, w, b, z = (o.operand(i) for i in range(4))
    given = {k: o.attr(k) for k in CONV}
    y = o.emit.op("Conv", *((x, w, b) if b else (x, w)), what="Conv", **given)
    return [activated(o, o.emit.op("Add", y, z, what="sum") if z else y)]


@writes("MatMulNBits")
def matmul_n_bits(o: Fused) -> Sequence[str]:
    """A product with a weight of few bits, quantised in blocks along its rows."""
    emit = o.emit
    packed, scales = o.constant(1), o.constant(2)
    if packed is None or scales is None or o.operand(4) or (o.operand(3) and o.constant(3) is None):
        raise o.refuse("a weight that is computed or reordered")
    weight = dequantised_blocks(
        packed,
        scales,
        o.constant(3),
        bits=int(o.attr("bits", 4)),
        block=int(o.attr("block_size")),
        shape=(int(o.attr("N")), int(o.attr("K"))),
    )
    y = emit.op("MatMul", o.operand(0), emit.const(weight.T.astype(o.dtype), "weight"), what="MatMul")
    return [emit.op("Add", y, o.operand(5), what="bias") if o.operand(5) else y]
