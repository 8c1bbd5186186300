"""Every operator once: small models that many tests run over.

A case is a model of one operator (or a few, where one alone has no meaning) with its inputs. Names in
the body that nothing makes are initialisers, given as arrays. The explained output is `y`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, parser

Array = np.ndarray[Any, Any]
BATCH = 3


@dataclass(frozen=True)
class Case:
    """One model.

    Attributes
    ----------
    name : str
        Operator first, e.g. "Conv-strided".
    body : str
        Nodes in ONNX text.
    inputs : dict of str to ndarray
        Batch first.
    weights : dict of str to ndarray
    opset : int
    smooth : bool
        Whether the gradient can be compared with finite differences at the inputs.
    domains : dict of str to int
        Other domains and their versions.
    fixed : bool
        Whether the file takes one sample only.
    by_runtime : bool
        Whether finite differences are taken with onnxruntime in float32, where onnx's reference in float64
        does not know the operator or gets it wrong.
    """

    name: str
    body: str
    inputs: dict[str, Array]
    weights: dict[str, Array] = field(default_factory=dict)
    opset: int = 20
    smooth: bool = True
    domains: dict[str, int] = field(default_factory=dict)
    fixed: bool = False
    by_runtime: bool = False

    @property
    def operators(self) -> set[str]:
        """Operators in the body."""
        return set(re.findall(r"=\s*(?:[\w.]+\.)?(\w+)\s*[<(]", self.body))

    def model(self) -> onnx.ModelProto:
        """The model, with an open batch."""
        graph = parser.parse_graph(f"case () => () {{ {self.body} }}")
        for name, x in self.inputs.items():
            kind = helper.np_dtype_to_tensor_dtype(x.dtype)
            graph.input.append(
                helper.make_tensor_value_info(
                    name, kind, [x.shape[0] if self.fixed else "batch", *x.shape[1:]]
                )
            )
        graph.output.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, None))
        graph.initializer.extend(numpy_helper.from_array(np.asarray(w), n) for n, w in self.weights.items())
        opsets = [helper.make_opsetid("", self.opset)]
        opsets += [helper.make_opsetid(d, v) for d, v in self.domains.items()]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)

    def save(self, folder: Path) -> Path:
        """Write the model."""
        path = folder / f"{self.name}.onnx"
        onnx.save(self.model(), path)
        return path


CASES: dict[str, Case] = {}
_rng = np.random.default_rng(7)


def normal(*shape: int) -> Array:
    """Standard normal numbers."""
    return _rng.standard_normal(shape).astype(np.float32)


def positive(*shape: int) -> Array:
    """Numbers from 0.5 to 2."""
    return _rng.uniform(0.5, 2, shape).astype(np.float32)


def ints(*values: int) -> Array:
    """A list of int64."""
    return np.array(values, dtype=np.int64)


def case(
    name: str,
    body: str,
    *,
    x: Array | None = None,
    opset: int = 20,
    smooth: bool = True,
    inputs: dict[str, Array] | None = None,
    domains: dict[str, int] | None = None,
    fixed: bool = False,
    by_runtime: bool = False,
    **weights: Any,
) -> None:
    """Add a case; `x` (or `inputs`) are its inputs, other keywords its initialisers."""
    assert name not in CASES, name
    made = inputs if inputs is not None else {"x": normal(BATCH, 4) if x is None else x}
    CASES[name] = Case(
        name,
        body,
        made,
        {k: np.asarray(v) for k, v in weights.items()},
        opset,
        smooth,
        domains or {},
        fixed,
        by_runtime,
    )


TOKENS, IMAGE, SERIES = (BATCH, 5, 4), (BATCH, 4, 6, 5), (BATCH, 3, 9)

# -- linear layers and products --------------------------------------------------------------------
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

# -- elementwise -----------------------------------------------------------------------------------
case("Add-constant", "y = Add(x, c)", x=normal(*TOKENS), c=normal(5, 1))
case("Add-both", "y = Add(a, b)", inputs={"a": normal(*TOKENS), "b": normal(BATCH, 1, 4)})
case("Sum", "y = Sum(a, b, c)", inputs={"a": normal(*TOKENS), "b": normal(*TOKENS)}, c=normal(4))
case("Sub", "y = Sub(a, b)", inputs={"a": normal(*TOKENS), "b": normal(BATCH, 5, 1)})
case("Sub-constant", "y = Sub(c, x)", c=normal(4))
case("Neg", "y = Neg(x)")
case("Mul-constant", "z = Mul(x, c) y = Squeeze(z, a)", x=normal(*TOKENS), c=normal(1, 1, 1, 4), a=ints(0))
case("Mul-both", "y = Mul(a, b)", inputs={"a": normal(*TOKENS), "b": normal(BATCH, 1, 4)})
case("Mul-square", "y = Mul(x, x)")
case("Div-constant", "y = Div(x, c)", c=positive(4))
case("Div-both", "y = Div(a, b)", inputs={"a": normal(*TOKENS), "b": positive(BATCH, 5, 1)})
case("Div-denominator", "y = Div(c, x)", x=positive(BATCH, 4), c=normal(4))
case(
    "Where",
    "y = Where(c, a, b)",
    inputs={"a": normal(*TOKENS), "b": normal(*TOKENS)},
    c=np.array([True, False, True, False]),
)
case(
    "Where-mask",
    "m = Where(c, x, inf) s = Softmax(m) y = Neg(s)",
    c=np.array([True, False, True, True]),
    inf=np.float32(-np.inf),
)

# -- functions of one number -------------------------------------------------------------------------
for _name, _attributes in {
    "Relu": "", "LeakyRelu": "<alpha = 0.2>", "Elu": "<alpha = 1.5>", "Gelu": "", "Tanh": "", "Sigmoid": "",
    "Erf": "", "Exp": "", "Softsign": "", "Abs": "", "Sin": "",
}.items():  # fmt: skip
    case(
        _name,
        f"f = {_name}{_attributes}(x) y = Neg(f)",
        x=np.concatenate([normal(BATCH, 6), np.full((BATCH, 1), 3e-4, "f")], 1),
    )
    case(
        f"{_name}-at-0",
        f"f = {_name}{_attributes}(x) y = Neg(f)",
        x=np.zeros((BATCH, 2), np.float32),
        smooth=False,
    )
case("Gelu-tanh", 'y = Gelu<approximate = "tanh">(x)')
case("Log", "y = Log(x)", x=positive(BATCH, 4))
case("Sqrt", "y = Sqrt(x)", x=positive(BATCH, 4))
case("Reciprocal", "y = Reciprocal(x)", x=positive(BATCH, 4))
case("Pow-2", "y = Pow(x, p)", p=np.float32(2))
case("Pow-3", "y = Pow(x, p)", p=np.float32(3))
case("Pow-half", "y = Pow(x, p)", x=positive(BATCH, 4), p=np.float32(0.5))
case("Clip-around-0", "y = Clip(x, a, b)", a=np.float32(0), b=np.float32(0.7))
case("Clip-elsewhere", "y = Clip(x, a)", x=positive(BATCH, 8), a=np.float32(1))
case("Clip-6", "y = Clip<min = 0.0, max = 6.0>(x)", opset=10)
case("Identity", "y = Identity(x)")
case("Dropout", "y = Dropout(x)")
case("Cast", "d = Cast<to = 11>(x) e = Exp(d) y = Cast<to = 1>(e)")
case("CastLike", "c = CastLike(k, x) y = Mul(x, c)", k=np.float64(3))

# -- attention and norms -----------------------------------------------------------------------------
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

# -- reductions and pools ----------------------------------------------------------------------------
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

# -- moves -------------------------------------------------------------------------------------------
case("Reshape", "y = Reshape(x, s)", x=normal(*TOKENS), s=ints(-1, 20))
case(
    "Reshape-merged",
    "z = Reshape(x, s) e = Exp(z) y = Reshape(e, t)",
    x=normal(*TOKENS),
    s=ints(-1, 4),
    t=ints(-1, 5, 4),
)
case("Flatten", "y = Flatten(x)", x=normal(*TOKENS))
case("Squeeze", "y = Squeeze(x, a)", x=normal(BATCH, 1, 4), a=ints(1))
case("Unsqueeze", "y = Unsqueeze(x, a)", a=ints(1))
case("Transpose", "y = Transpose<perm = [0, 3, 1, 2]>(x)", x=normal(*IMAGE))
case(
    "Transpose-batch-last",
    "t = Transpose<perm = [2, 1, 0]>(x) e = Exp(t) y = Transpose<perm = [2, 0, 1]>(e)",
    x=normal(*TOKENS),
)
case("Expand", "u = Unsqueeze(x, a) y = Expand(u, s)", a=ints(1), s=ints(1, 3, 1))
case("Concat", "r = Relu(x) y = Concat<axis = 1>(x, r, x)")
case(
    "Concat-constant",
    "s = Shape<end = 1>(x) t = Concat<axis = 0>(s, k) c = Expand(v, t) y = Concat<axis = 1>(c, x)",
    x=normal(*TOKENS),
    k=ints(1, 4),
    v=normal(1, 1, 4),
)
case(
    "Split",
    "a, b = Split<axis = 1>(x, s) e = Exp(a) y = Concat<axis = 1>(b, e)",
    x=normal(*TOKENS),
    s=ints(2, 3),
)
case(
    "Split-unused",
    "a, b, c = Split<axis = -1, num_outputs = 3>(x) y = Exp(b)",
    x=normal(BATCH, 2, 6),
    opset=18,
)
case(
    "Slice",
    "y = Slice(x, s, e, a, t)",
    x=normal(*IMAGE),
    s=ints(1, -1),
    e=ints(100, -100),
    a=ints(1, 2),
    t=ints(2, -2),
)
case("Slice-9", "y = Slice<starts = [1, 0], ends = [4, -1], axes = [1, 2]>(x)", x=normal(*TOKENS), opset=9)
case("Gather", "y = Gather<axis = 1>(x, i)", x=normal(*TOKENS), i=np.array([[0, -1], [2, 0]]))
case("Gather-scalar", "y = Gather<axis = 1>(x, i)", x=normal(*TOKENS), i=np.array(2))
_TURN = "t = Transpose<perm = [1, 2, 0]>(x) "  # the batch last: indices are of what is in a sample
case(
    "GatherND",
    _TURN + "g = GatherND(t, i) y = Transpose(g)",
    x=normal(*TOKENS),
    i=np.array([[0, 1], [2, -1], [0, 1]]),
)
case(
    "GatherND-slices",
    _TURN + "g = GatherND(t, i) y = Transpose<perm = [2, 0, 1]>(g)",
    x=normal(*TOKENS),
    i=np.array([[0], [-1]]),
)
case(
    "GatherND-batch-dims",
    "t = Transpose<perm = [1, 2, 0]>(x) g = GatherND<batch_dims = 1>(t, i) y = Transpose(g)",
    x=normal(*TOKENS),
    i=np.array([[0], [1], [3], [-1], [0]]),
)
case(
    "ScatterND",
    _TURN + "g = GatherND(t, i) e = Exp(g) u = ScatterND(t, j, e) y = Transpose(u)",
    x=normal(*TOKENS),
    i=np.array([[0, 1], [2, -1]]),
    j=np.array([[1, 1], [4, 0]]),
)
case(
    "ScatterND-data",
    _TURN + "z = Shape(t) k = Expand(c, z) g = GatherND(t, i) u = ScatterND(k, i, g) y = Transpose(u)",
    x=normal(*TOKENS),
    i=np.array([[0, 1], [2, -1]]),
    c=normal(5, 4, 1),
)
case(
    "ScatterND-constant",
    "y = ScatterND(x, i, u)",
    x=normal(1, 4),
    i=np.array([[0, 2]]),
    u=normal(1),
    fixed=True,
)
case(
    "ScatterND-add",
    _TURN + 'g = GatherND(t, i) u = ScatterND<reduction = "add">(t, j, g) y = Transpose(u)',
    x=normal(*TOKENS),
    i=np.array([[0, 1], [2, -1]]),
    j=np.array([[1, 1], [1, 1]]),
)

# -- more linear layers ------------------------------------------------------------------------------
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

# -- selection ---------------------------------------------------------------------------------------
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

# -- more reductions ---------------------------------------------------------------------------------
for _name in ("ReduceSumSquare", "ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceProd"):
    case(_name, f"y = {_name}(x, a)", x=normal(*TOKENS), a=ints(1), opset=18)
    case(f"{_name}-all", f"y = {_name}<axes = [1, 2], keepdims = 0>(x)", x=normal(*TOKENS), opset=13)
case("CumSum", "y = CumSum(x, a)", x=normal(*TOKENS), a=np.array(1))
case("CumSum-exclusive", "y = CumSum<exclusive = 1, reverse = 1>(x, a)", x=normal(*TOKENS), a=np.array(-1))

# -- more functions ----------------------------------------------------------------------------------
for _name, _attributes in {
    "HardSigmoid": "", "HardSwish": "", "Softplus": "", "Selu": "", "Celu": "<alpha = 1.7>", "Mish": "",
    "ThresholdedRelu": "<alpha = 0.4>", "Cos": "", "Sinh": "", "Asinh": "", "Atan": "",
}.items():  # fmt: skip
    case(
        _name,
        f"f = {_name}{_attributes}(x) y = Neg(f)",
        x=np.concatenate([normal(BATCH, 6), np.full((BATCH, 1), 3e-4, "f")], 1),
    )
    case(
        f"{_name}-at-0",
        f"f = {_name}{_attributes}(x) y = Neg(f)",
        x=np.zeros((BATCH, 2), np.float32),
        smooth=False,
    )
case("HardSigmoid-far", "f = HardSigmoid<alpha = 0.5, beta = 1.2>(x) y = Neg(f)", x=4 * normal(BATCH, 6))
case("PRelu", "y = PRelu(x, s)", x=normal(*TOKENS), s=normal(4))
for _name in ("Round", "Floor", "Ceil", "Sign"):
    case(_name, f"y = {_name}(x)", x=3 * normal(BATCH, 6))

# -- more moves --------------------------------------------------------------------------------------
case("Pad", "y = Pad(x, p)", x=normal(*TOKENS), p=ints(0, 1, 2, 0, 0, 3))
case("Pad-value", "y = Pad(x, p, v, a)", x=normal(*TOKENS), p=ints(1, 2), v=np.float32(3), a=ints(-1))
case("Pad-negative", "y = Pad(x, p)", x=normal(*TOKENS), p=ints(0, -1, 2, 0, 1, -1), by_runtime=True)
case("Pad-reflect", 'y = Pad<mode = "reflect">(x, p)', x=normal(*TOKENS), p=ints(0, 2, 1, 0, 1, 0))
case("Pad-edge", 'y = Pad<mode = "edge">(x, p)', x=normal(*TOKENS), p=ints(0, 2, 1, 0, 1, 0))
case("Pad-2", "y = Pad<pads = [0, 1, 0, 0, 0, 2], value = 1.5>(x)", x=normal(*TOKENS), opset=2 + 7)
case("Tile", "y = Tile(x, r)", x=normal(*TOKENS), r=ints(1, 2, 3))
case("DepthToSpace", "y = DepthToSpace<blocksize = 2>(x)", x=normal(BATCH, 8, 2, 3))
case("DepthToSpace-crd", 'y = DepthToSpace<blocksize = 2, mode = "CRD">(x)', x=normal(BATCH, 8, 2, 3))
case("SpaceToDepth", "y = SpaceToDepth<blocksize = 2>(x)", x=normal(BATCH, 2, 4, 6))
case("Trilu", "y = Trilu<upper = 0>(x, k)", x=normal(*TOKENS), k=np.array(1))
case("Compress", "y = Compress<axis = 1>(x, c)", x=normal(*TOKENS), c=np.array([True, False, True]))
case(
    "GatherElements",
    "y = GatherElements<axis = 2>(x, i)",
    x=normal(1, 3, 4),
    i=np.array([[[0, -1], [2, 2]]]),
    fixed=True,
    by_runtime=True,
)
case(
    "ScatterElements",
    "e = Exp(x) u = Slice(e, s, t, a) y = ScatterElements<axis = 2>(x, i, u)",
    x=normal(1, 2, 4),
    i=np.array([[[0, 3], [2, 1]]]),
    s=ints(0),
    t=ints(2),
    a=ints(2),
    fixed=True,
)
case(
    "ScatterElements-add",
    'u = Slice(x, s, t, a) y = ScatterElements<axis = 2, reduction = "add">(x, i, u)',
    x=normal(1, 2, 4),
    i=np.array([[[0, 0], [2, 1]]]),
    s=ints(0),
    t=ints(2),
    a=ints(2),
    fixed=True,
)
case(
    "ScatterElements-constant",
    "y = ScatterElements<axis = 1>(x, i, u)",
    x=normal(1, 4),
    i=np.array([[0, 2]]),
    u=normal(1, 2),
    fixed=True,
)
case(
    "Scatter",
    "e = Exp(x) y = Scatter<axis = 1>(x, i, e)",
    x=normal(1, 3),
    i=np.array([[2, 0, 1]]),
    opset=9,
    fixed=True,
    by_runtime=True,
)
case(
    "ReverseSequence",
    "y = ReverseSequence<batch_axis = 0, time_axis = 1>(x, n)",
    x=normal(1, 5, 4),
    n=ints(3),
    fixed=True,
)
case(
    "ReverseSequence-time-first",
    "t = Transpose<perm = [1, 0, 2]>(x) y = ReverseSequence(t, n)",
    x=normal(1, 5, 4),
    n=ints(4),
    fixed=True,
)
case(
    "Resize-nearest",
    'y = Resize<mode = "nearest", coordinate_transformation_mode = "asymmetric", '
    'nearest_mode = "floor">(x, , s)',
    x=normal(*IMAGE),
    s=np.array([1, 1, 2, 3], np.float32),
)
case(
    "Resize-linear",
    'y = Resize<mode = "linear">(x, , , z)',
    x=normal(1, 4, 6, 5),
    z=ints(1, 4, 3, 8),
    fixed=True,
)
case(
    "Resize-cubic",
    'y = Resize<mode = "cubic", coordinate_transformation_mode = "align_corners">(x, , s)',
    x=normal(*IMAGE),
    s=np.array([1, 1, 1.5, 2], np.float32),
)
case(
    "Upsample",
    'y = Upsample<mode = "nearest">(x, s)',
    x=normal(*IMAGE),
    s=np.array([1, 1, 2, 2], np.float32),
    opset=9,
)

# -- Fourier -----------------------------------------------------------------------------------------
case("DFT", "y = DFT<onesided = 1>(x, , a)", x=normal(BATCH, 8, 1), a=np.array(1))
case("DFT-complex", "y = DFT(x, n, a)", x=normal(BATCH, 6, 3, 2), n=np.array(8), a=np.array(1))
case("DFT-inverse", "y = DFT<inverse = 1>(x, n, a)", x=normal(BATCH, 6, 2), n=np.array(4), a=np.array(1))
case("DFT-17", "y = DFT<axis = 2, onesided = 1>(x)", x=normal(BATCH, 2, 7, 1), opset=17)
case("STFT", "y = STFT(x, h, w)", x=normal(BATCH, 20, 1), h=np.array(3), w=positive(8), opset=17)
case(
    "STFT-whole",
    "y = STFT<onesided = 0>(x, h, , n)",
    x=normal(BATCH, 20),
    h=np.array(4),
    n=np.array(6),
    opset=17,
    by_runtime=True,
)

# -- tokens ------------------------------------------------------------------------------------------
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

# -- quantised ---------------------------------------------------------------------------------------
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
    x=normal(1, 5, 4), w=_rng.integers(0, 255, (4, 3)).astype(np.uint8), v=np.uint8(120), c=np.float32(0.01),
    b=normal(3), smooth=False, fixed=True,
)  # fmt: skip
case(
    "ConvInteger",
    "q, s, z = DynamicQuantizeLinear(x) i = ConvInteger<pads = [1, 0, 1, 0]>(q, w, z, v) f = Cast<to = 1>(i) "
    "k = Mul(s, c) y = Mul(f, k)",
    x=normal(1, 4, 6, 5), w=_rng.integers(0, 255, (3, 4, 3, 2)).astype("u1"), v=np.uint8(120), c=np.float32(0.01),
    smooth=False, fixed=True,
)  # fmt: skip
