"""Tokens and quantised values."""

from __future__ import annotations

import numpy as np

from .core import BATCH, TOKENS, case, ints, normal, positive, rng

# -- tokens -----------------------------------------------------------------------------------------
TEXT = np.array([[1, 0, 3], [2, 2, 1], [0, 3, 3]])
case("Gather-tokens", "e = Gather(t, x) y = Exp(e)", x=TEXT, t=normal(4, 5), smooth=False)
case(
    "Gather-tokens-moved",
    "i = Cast<to = 6>(x) u = Unsqueeze(i, a) p = Concat<axis = 1>(u, u) e = Gather<axis = 1>(t, p) "
    "y = Transpose<perm = [1, 0, 2, 3]>(e)",
    x=TEXT,
    t=normal(2, 4),
    a=ints(1),
    smooth=False,
)
case(
    "Gather-tokens-shifted",
    "i = Add(x, one) c = Clip(i, z, n) e = Gather(t, c) y = Neg(e)",
    x=TEXT,
    t=normal(5, 2),
    one=np.int64(1),
    z=np.int64(0),
    n=np.int64(4),
    smooth=False,
)
case(
    "OneHot",
    "h = OneHot(x, d, v) y = MatMul(h, w)",
    x=TEXT,
    d=np.int64(4),
    v=np.array([0, 1], np.float32),
    w=normal(4, 3),
    smooth=False,
)
case("Cast-integers", "f = Cast<to = 1>(x) y = MatMul(f, w)", x=TEXT, w=normal(3, 2), smooth=False)
case(
    "Gather-both",
    "e = Gather(t, i) s = Mul(e, x) y = Neg(s)",
    inputs={"i": TEXT, "x": normal(BATCH, 3, 5)},
    t=normal(4, 5),
    smooth=False,
)
case(
    "Mul-gated",
    "h = MatMul(x, w) a, b = Split<axis = 1>(h, s) g = Sigmoid(a) y = Mul(g, b)",
    w=normal(4, 6),
    s=ints(3, 3),
)
case(
    "Mul-gated-twice",
    "h = MatMul(x, w) g = Sigmoid(h) n = Sub(one, g) t = Tanh(h) p = Mul(n, t) q = Mul(g, x) y = Add(p, q)",
    w=normal(4, 4),
    one=np.float32(1),
)

# -- quantised --------------------------------------------------------------------------------------
S, Z = np.float32(0.05), np.uint8(128)
case(
    "QuantizeLinear",
    "q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z)",
    x=normal(*TOKENS),
    s=S,
    z=Z,
    smooth=False,
)
case(
    "QuantizeLinear-moved",
    "q = QuantizeLinear(x, s, z) t = Transpose<perm = [0, 2, 1]>(q) d = DequantizeLinear(t, s, z) "
    "y = MatMul(d, w)",
    x=normal(*TOKENS), s=S, z=Z, w=normal(5, 2), smooth=False,
)  # fmt: skip
case(
    "QuantizeLinear-channels",
    "q = QuantizeLinear<axis = 1>(x, s, z) y = DequantizeLinear<axis = 1>(q, s, z)",
    x=normal(*TOKENS), s=positive(5) / 40, z=np.arange(5, dtype=np.int8), smooth=False,
)  # fmt: skip
case(
    "MatMulInteger",
    "q, s, z = DynamicQuantizeLinear(x) i = MatMulInteger(q, w, z, v) f = Cast<to = 1>(i) k = Mul(s, c) "
    "p = Mul(f, k) y = Add(p, b)",
    x=normal(1, 5, 4), w=rng.integers(0, 255, (4, 3)).astype(np.uint8), v=np.uint8(120), c=np.float32(0.01),
    b=normal(3), smooth=False, fixed=True,
)  # fmt: skip
case(
    "ConvInteger",
    "q, s, z = DynamicQuantizeLinear(x) i = ConvInteger<pads = [1, 0, 1, 0]>(q, w, z, v) f = Cast<to = 1>(i) "
    "k = Mul(s, c) y = Mul(f, k)",
    x=normal(1, 4, 6, 5), w=rng.integers(0, 255, (3, 4, 3, 2)).astype("u1"), v=np.uint8(120),
    c=np.float32(0.01), smooth=False, fixed=True,
)  # fmt: skip
