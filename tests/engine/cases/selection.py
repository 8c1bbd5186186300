"""Indices and bits that are found from numbers, and what has only the shape of something."""

from __future__ import annotations

import numpy as np

from .core import TOKENS, case, ints, normal

# -- indices ----------------------------------------------------------------------------------------
case(
    "TopK-indices",
    "v, i = TopK<axis = 1>(x, k) y = Gather(t, i)",
    x=normal(*TOKENS),
    k=ints(2),
    t=normal(5, 3),
)
case(
    "TopK-indices-as-numbers",
    "v, i = TopK<axis = 1>(x, k) f = Cast<to = 1>(i) y = Exp(f)",
    x=normal(*TOKENS),
    k=ints(2),
)
case("ArgMax", "i = ArgMax<axis = 1, keepdims = 0>(x) y = Gather(t, i)", x=normal(*TOKENS), t=normal(5, 3))
case("ArgMin", "i = ArgMin<axis = -1>(x) f = Cast<to = 1>(i) y = Neg(f)", x=normal(*TOKENS))
case(
    "ArgMax-beside-a-signal",
    "i = ArgMax<axis = -1, keepdims = 0>(x) g = Gather(t, i) e = Exp(x) y = MatMul(g, e)",
    x=normal(*TOKENS),
    t=normal(4, 5),
)
case(
    "NonZero",
    "r = Relu(x) i = NonZero(r) j = Gather(i, k) y = Gather(t, j)",
    x=np.array([[1.2, -0.7, 2.4, -1.1, 0.9, -2.3]], np.float32),
    k=np.int64(1),
    t=normal(6, 3),
    fixed=True,
    by_runtime=True,
)
# Far from where it jumps.
HALVES = np.array([[0.5, -1.5, 2.5, 1.5], [-0.5, 3.5, 0.5, -2.5], [1.5, 0.5, -3.5, 2.5]], np.float32)
case(
    "Cast-cut-off",
    "s = Mul(x, k) i = Cast<to = 7>(s) f = Cast<to = 1>(i) y = Exp(f)",
    x=HALVES / 3,
    k=np.float32(3),
    by_runtime=True,
)
case(
    "Cast-cut-off-positive",
    "s = Mul(x, k) i = Cast<to = 6>(s) p = Max(i, z) f = Cast<to = 1>(p) y = Neg(f)",
    x=HALVES / 3,
    k=np.float32(3),
    z=np.int32(0),
    by_runtime=True,
)
case(
    "Cast-cut-off-index",
    "s = Sigmoid(x) k = Mul(s, n) i = Cast<to = 7>(k) g = Gather(t, i) f = Floor(k) d = Sub(k, f) "
    "u = Unsqueeze(d, a) y = Mul(g, u)",
    x=np.log((HALVES + 4) / (4 - HALVES)),
    n=np.float32(8),
    a=ints(-1),
    t=normal(8, 3),
    by_runtime=True,
)

# -- shapes -----------------------------------------------------------------------------------------
case("EyeLike", "e = EyeLike(x) y = Add(x, e)", x=normal(1, 4), fixed=True)
case(
    "RandomNormalLike",
    "n = RandomNormalLike(x) z = Mul(n, o) e = Exp(x) y = Add(e, z)",
    x=normal(1, 4),
    o=np.float32(0),
    fixed=True,
    by_runtime=True,
)
