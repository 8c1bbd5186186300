"""Attention, norms, reductions, pools and winners."""

from __future__ import annotations

import numpy as np

from .core import BATCH, IMAGE, SERIES, TOKENS, case, ints, normal, positive

# -- attention and norms ----------------------------------------------------------------------------
case("Softmax", "s = Softmax(x) y = Neg(s)", x=normal(*TOKENS))
case("Softmax-axis", "s = Softmax<axis = 1>(x) y = Neg(s)", x=normal(*TOKENS))
case("Softmax-11", "s = Softmax(x) y = Neg(s)", x=normal(*TOKENS), opset=11)
case("LogSoftmax", "s = LogSoftmax(x) y = Neg(s)", x=normal(*TOKENS))
case("LogSoftmax-11", "s = LogSoftmax(x) y = Neg(s)", x=normal(*TOKENS), opset=11)
case("LayerNormalization", "y = LayerNormalization(x, g, b)", x=normal(*TOKENS), g=normal(4), b=normal(4))
case(
    "LayerNormalization-axes",
    "y = LayerNormalization<axis = 1, epsilon = 0.1>(x, g)",
    x=normal(*TOKENS),
    g=normal(5, 4),
)
case(
    "InstanceNormalization", "y = InstanceNormalization(x, g, b)", x=normal(*IMAGE), g=normal(4), b=normal(4)
)
case(
    "GroupNormalization",
    "y = GroupNormalization<num_groups = 2>(x, g, b)",
    x=normal(*IMAGE),
    g=normal(4),
    b=normal(4),
    opset=21,
)
case(
    "GroupNormalization-18",
    "y = GroupNormalization<num_groups = 2>(x, g, b)",
    x=normal(*IMAGE),
    g=normal(2),
    b=normal(2),
    opset=18,
)
case(
    "BatchNormalization",
    "y = BatchNormalization(x, g, b, m, v)",
    x=normal(*IMAGE),
    g=normal(4),
    b=normal(4),
    m=normal(4),
    v=positive(4),
)

# -- reductions and pools ---------------------------------------------------------------------------
case("ReduceSum", "y = ReduceSum<keepdims = 0>(x, a)", x=normal(*TOKENS), a=ints(1))
case("ReduceSum-11", "y = ReduceSum<axes = [2]>(x)", x=normal(*TOKENS), opset=11)
case("ReduceMean", "y = ReduceMean(x, a)", x=normal(*TOKENS), a=ints(-1, 1))
case("ReduceMean-17", "y = ReduceMean<axes = [1], keepdims = 0>(x)", x=normal(*TOKENS), opset=17)
case(
    "AveragePool",
    "y = AveragePool<kernel_shape = [2, 3], strides = [2, 1], pads = [1, 0, 0, 1]>(x)",
    x=normal(*IMAGE),
)
case(
    "AveragePool-counted",
    "y = AveragePool<kernel_shape = [3], strides = [2], pads = [1, 1], count_include_pad = 1>(x)",
    x=normal(*SERIES),
)
case(
    "AveragePool-ceil",
    "y = AveragePool<kernel_shape = [2], strides = [2], ceil_mode = 1>(x)",
    x=normal(*SERIES),
)
case("GlobalAveragePool", "y = GlobalAveragePool(x)", x=normal(*IMAGE))
case(
    "MaxPool",
    "y = MaxPool<kernel_shape = [2, 2], strides = [2, 2], pads = [0, 0, 0, 1]>(x)",
    x=normal(*IMAGE),
)
case("MaxPool-1d", "y = MaxPool<kernel_shape = [3], strides = [1]>(x)", x=normal(*SERIES))

# -- selection --------------------------------------------------------------------------------------
case("Max", "y = Max(a, b, c)", inputs={"a": normal(*TOKENS), "b": normal(BATCH, 1, 4)}, c=normal(4))
case("Min", "y = Min(a, b)", inputs={"a": normal(*TOKENS), "b": normal(*TOKENS)})
case("Max-ties", "y = Max(x, x)")
case("ReduceMax", "y = ReduceMax<keepdims = 0>(x, a)", x=normal(*IMAGE), a=ints(1, 3))
case("ReduceMin", "y = ReduceMin(x, a)", x=normal(*TOKENS), a=ints(-1))
case(
    "ReduceMax-ties",
    "r = Relu(x) n = Neg(r) y = ReduceMax(n, a)",
    x=positive(*TOKENS) * np.array([1, -1, 1, -1], "f"),
    a=ints(1, 2),
)
case("ReduceMax-13", "y = ReduceMax<axes = [1]>(x)", x=normal(*TOKENS), opset=13)
case("GlobalMaxPool", "y = GlobalMaxPool(x)", x=normal(*IMAGE))
case("TopK", "v, i = TopK<axis = 1>(x, k) y = Exp(v)", x=normal(*TOKENS), k=ints(2))
case("Mean", "y = Mean(a, b, c)", inputs={"a": normal(*TOKENS), "b": normal(BATCH, 1, 4)}, c=normal(4))

# -- more reductions --------------------------------------------------------------------------------
for _name in ("ReduceSumSquare", "ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceProd"):
    case(_name, f"y = {_name}(x, a)", x=normal(*TOKENS), a=ints(1), opset=18)
    case(f"{_name}-all", f"y = {_name}<axes = [1, 2], keepdims = 0>(x)", x=normal(*TOKENS), opset=13)
case("ReduceLogSum-13", "y = ReduceLogSum<axes = [1], keepdims = 0>(x)", x=positive(*TOKENS), opset=13)
case("ReduceLogSum-all", "y = ReduceLogSum<keepdims = 1, axes = [1, 2]>(x)", x=positive(*TOKENS), opset=11)
case("CumSum", "y = CumSum(x, a)", x=normal(*TOKENS), a=np.array(1))
case("CumSum-exclusive", "y = CumSum<exclusive = 1, reverse = 1>(x, a)", x=normal(*TOKENS), a=np.array(-1))
