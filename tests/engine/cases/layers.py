"""Linear layers, convolutions and products."""

from __future__ import annotations

from .core import BATCH, IMAGE, SERIES, TOKENS, case, ints, normal

# -- linear layers and products ---------------------------------------------------------------------
case("MatMul", "y = MatMul(x, w)", x=normal(*TOKENS), w=normal(4, 3))
case("MatMul-left", "y = MatMul(w, x)", x=normal(*TOKENS), w=normal(2, 5))
case("MatMul-vector", "y = MatMul(x, w)", x=normal(*TOKENS), w=normal(4))
case("MatMul-stack", "y = MatMul(x, w)", x=normal(BATCH, 2, 5, 4), w=normal(2, 4, 3))
case("MatMul-product", "y = MatMul(a, b)", inputs={"a": normal(BATCH, 2, 5, 4), "b": normal(BATCH, 2, 4, 3)})
case("MatMul-self", "t = Transpose<perm = [0, 2, 1]>(x) y = MatMul(x, t)", x=normal(*TOKENS))
case(
    "MatMul-broadcast", "y = MatMul(a, b)", inputs={"a": normal(BATCH, 1, 5, 4), "b": normal(BATCH, 2, 4, 3)}
)
case("MatMul-Add", "z = MatMul(x, w) y = Add(z, b)", x=normal(*TOKENS), w=normal(4, 3), b=normal(3))
case("Gemm", "y = Gemm(x, w, b)", w=normal(4, 3), b=normal(3))
case("Gemm-turned", "y = Gemm<alpha = 0.5, beta = 2.0, transB = 1>(x, w, b)", w=normal(3, 4), b=normal(1, 3))
case("Gemm-no-bias", "y = Gemm(x, w)", w=normal(4, 3))
case(
    "Gemm-product",
    "m = Reshape(x, s) e = Exp(m) y = Gemm<transA = 1, alpha = 0.5>(m, e, c)",
    x=normal(1, 4, 3),
    s=ints(4, 3),
    c=normal(3),
    fixed=True,
)
case(
    "Gemm-turned-left",
    "m = Reshape(x, s) h = Gemm<transA = 1, transB = 1, alpha = 0.5, beta = 2.0>(m, w, b) y = Reshape(h, t)",
    x=normal(1, 4, 3),
    s=ints(4, 3),
    t=ints(1, 3, 2),
    w=normal(2, 4),
    b=normal(2),
    fixed=True,
)
case(
    "Gemm-turned-right",
    "m = Reshape(x, s) h = Gemm<transA = 1, transB = 1, alpha = -0.5>(w, m, b) y = Reshape(h, t)",
    x=normal(1, 4, 3),
    s=ints(4, 3),
    t=ints(1, 2, 4),
    w=normal(3, 2),
    b=normal(2, 1),
    fixed=True,
)
case("Gemm-active-bias", "c = Relu(x) y = Gemm(x, w, c)", w=normal(4, 4))
case("Conv", "y = Conv(x, w, b)", x=normal(*IMAGE), w=normal(3, 4, 2, 3), b=normal(3))
case(
    "Conv-1d-strided",
    "y = Conv<strides = [2], pads = [2, 1], dilations = [2]>(x, w)",
    x=normal(*SERIES),
    w=normal(2, 3, 3),
)
case(
    "Conv-grouped",
    "y = Conv<group = 2, pads = [1, 1, 0, 1], strides = [2, 1]>(x, w, b)",
    x=normal(*IMAGE),
    w=normal(6, 2, 3, 3),
    b=normal(6),
)
case("Conv-depthwise", "y = Conv<group = 4>(x, w)", x=normal(*IMAGE), w=normal(8, 1, 6, 1))
case(
    "Conv-same",
    'y = Conv<auto_pad = "SAME_UPPER", strides = [2, 2]>(x, w)',
    x=normal(*IMAGE),
    w=normal(3, 4, 2, 3),
)
case(
    "Conv-same-lower",
    'y = Conv<auto_pad = "SAME_LOWER", strides = [2]>(x, w)',
    x=normal(*SERIES),
    w=normal(2, 3, 4),
)
case("Conv-3d", "y = Conv(x, w)", x=normal(BATCH, 2, 3, 4, 5), w=normal(2, 2, 2, 2, 3))

# -- more linear layers -----------------------------------------------------------------------------
case("ConvTranspose", "y = ConvTranspose(x, w, b)", x=normal(*IMAGE), w=normal(4, 3, 2, 3), b=normal(3))
case(
    "ConvTranspose-strided",
    "y = ConvTranspose<strides = [2], pads = [1, 2], output_padding = [1], dilations = [2]>(x, w)",
    x=normal(*SERIES),
    w=normal(3, 2, 3),
)
case(
    "ConvTranspose-grouped",
    "y = ConvTranspose<group = 2, strides = [2, 1]>(x, w, b)",
    x=normal(*IMAGE),
    w=normal(4, 3, 3, 2),
    b=normal(6),
    by_runtime=True,
)
case(
    "ConvTranspose-same",
    'y = ConvTranspose<auto_pad = "SAME_UPPER", strides = [2]>(x, w)',
    x=normal(*SERIES),
    w=normal(3, 2, 3),
)
case("Einsum", 'y = Einsum<equation = "bij,jk->bik">(x, w)', x=normal(*TOKENS), w=normal(4, 3))
case(
    "Einsum-product",
    'y = Einsum<equation = "bij,bkj->bik">(a, b)',
    inputs={"a": normal(*TOKENS), "b": normal(BATCH, 2, 4)},
)
case(
    "Einsum-three",
    'y = Einsum<equation = "bij,jk,bk->bi">(a, w, b)',
    inputs={"a": normal(*TOKENS), "b": normal(BATCH, 3)},
    w=normal(4, 3),
)
case("Einsum-sum", 'y = Einsum<equation = "bij->b">(x)', x=normal(*TOKENS))
case(
    "Einsum-ellipsis",
    'y = Einsum<equation = "...ij,jk->...ki">(x, w)',
    x=normal(BATCH, 2, 5, 4),
    w=normal(4, 3),
)
