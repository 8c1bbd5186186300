"""Fused operators of onnxruntime's own domain, as its optimiser and exporters leave them in files."""

from __future__ import annotations

from .build import MICROSOFT, Graph
from .table import add, grows

for _op, _given in (("Gelu", {}), ("FastGelu", {}), ("QuickGelu", {"alpha": 1.702})):
    add(f"microsoft {_op}", lambda g, op=_op, a=_given: g.node(op, g.pick(), domain=MICROSOFT, **a), 11, 1.0)


@grows("BiasGelu", since=11, weight=1.0)
def bias_gelu(g: Graph) -> str:
    x = g.pick(least=2)
    return g.node("BiasGelu", x, g.const(g.normal(g.shape(x)[-1])), domain=MICROSOFT)


@grows("FusedMatMul", weight=1.5)
def fused_matmul(g: Graph) -> str:
    x = g.pick(least=2)
    w = g.const(g.normal(4, g.shape(x)[-1], scale=0.5))
    return g.node("FusedMatMul", x, w, domain=MICROSOFT, transB=1, alpha=0.5)


@grows("FusedGemm", weight=1.2)
def fused_gemm(g: Graph) -> str:
    x = g.pick(rank=2)
    w, b = g.const(g.normal(g.shape(x)[1], 3, scale=0.5)), g.const(g.normal(3))
    return g.node("FusedGemm", x, w, b, domain=MICROSOFT, activation="Relu")


@grows("FusedConv", weight=1.2)
def fused_conv(g: Graph) -> str:
    x = g.pick(rank=4)
    w = g.const(g.normal(2, g.shape(x)[1], 1, 1, scale=0.7))
    return g.node("FusedConv", x, w, g.const(g.normal(2)), domain=MICROSOFT, activation="Relu")


@grows("MultiHeadAttention", weight=2.0)
def multi_head(g: Graph) -> str:
    x = g.pick(rank=3)
    n = g.shape(x)[2]
    q, k, v = (g.node("MatMul", x, g.const(g.normal(n, 4, scale=n**-0.5))) for _ in range(3))
    return g.node("MultiHeadAttention", q, k, v, domain=MICROSOFT, num_heads=g.integer(1, 2))


@grows("microsoft Attention", weight=1.5)
def fused_attention(g: Graph) -> str:
    x = g.pick(rank=3)
    n = g.shape(x)[2]
    w, b = g.const(g.normal(n, 12, scale=n**-0.5)), g.const(g.normal(12))
    return g.node("Attention", x, w, b, domain=MICROSOFT, num_heads=2)


@grows("SimplifiedLayerNormalization", weight=1.2)
def simplified(g: Graph) -> str:
    x = g.pick(least=2, where=lambda v: v.shape[-1] > 1)
    return g.node("SimplifiedLayerNormalization", x, g.const(g.normal(g.shape(x)[-1]) + 1), epsilon=1e-2)


@grows("SkipLayerNormalization", weight=1.8)
def skip_layer_norm(g: Graph) -> str:
    x = g.pick(rank=3, where=lambda v: v.shape[-1] > 1)
    n = g.shape(x)[-1]
    scale, bias = g.const(g.normal(n) + 1), g.const(g.normal(n))
    return g.node("SkipLayerNormalization", x, g.alike(x), scale, bias, domain=MICROSOFT, epsilon=1e-2)
