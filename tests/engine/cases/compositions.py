"""What is written out in other operators: norms, samplers, regions, scatters, losses; and one-hot codes."""

from __future__ import annotations

import numpy as np

from .core import BATCH, IMAGE, TOKENS, case, ints, normal, positive, rng

# -- norms ------------------------------------------------------------------------------------------
case("LRN", "y = LRN<size = 3, alpha = 0.5, bias = 1.5>(x)", x=normal(*IMAGE), by_runtime=True)
case("LpNormalization-1", "y = LpNormalization<axis = 1, p = 1>(x)", x=normal(*TOKENS), by_runtime=True)
case("LpNormalization-2", "y = LpNormalization(x)", x=normal(*TOKENS), by_runtime=True)
case("MeanVarianceNormalization", "y = MeanVarianceNormalization<axes = [1, 2]>(x)", x=normal(*TOKENS),
     by_runtime=True)  # fmt: skip
case(
    "LayerNormalization-signals",
    "y = LayerNormalization(x, a, b)",
    inputs={"x": 5 * normal(1, 5, 4), "a": normal(4), "b": normal(4)},
    fixed=True,
    by_runtime=True,
)
case(
    "GroupNormalization-signals",
    "y = GroupNormalization<num_groups = 2>(x, a, b)",
    inputs={"x": normal(1, 4, 6), "a": normal(4), "b": normal(4)},
    fixed=True,
    by_runtime=True,
    opset=21,
)
case("SoftmaxCrossEntropyLoss", 'y = SoftmaxCrossEntropyLoss<reduction = "none">(x, t)', x=normal(1, 5),
     t=ints(3), fixed=True, by_runtime=True)  # fmt: skip
case("NegativeLogLikelihoodLoss", 'y = NegativeLogLikelihoodLoss<reduction = "none">(x, t)', x=normal(1, 5),
     t=ints(3), fixed=True, by_runtime=True)  # fmt: skip

# -- sampling ---------------------------------------------------------------------------------------
GRID = rng.uniform(-1.2, 1.2, (1, 3, 2, 2)).astype(np.float32)
for _mode in ("linear", "nearest", "cubic"):
    for _padding in ("zeros", "border", "reflection"):
        case(
            f"GridSample-{_mode}-{_padding}",
            f'y = GridSample<mode = "{_mode}", padding_mode = "{_padding}">(x, g)',
            x=normal(1, 2, 4, 5),
            g=GRID,
            fixed=True,
            by_runtime=True,
        )
case(
    "GridSample-both",
    'y = GridSample<align_corners = 1, padding_mode = "border">(x, g)',
    inputs={"x": normal(BATCH, 2, 3, 3), "g": np.array([-0.7, 0.35, 0.6], "f")[:, None, None, None]
            * np.ones((BATCH, 2, 2, 2), "f")},
    by_runtime=True,
)  # fmt: skip
case(
    "DeformConv",
    "y = DeformConv<kernel_shape = [2, 2], pads = [0, 0, 1, 0], group = 2, offset_group = 2>(x, w, o, b, m)",
    x=normal(1, 4, 3, 4),
    w=normal(4, 2, 2, 2),
    o=rng.uniform(0.1, 0.6, (1, 16, 3, 3)).astype(np.float32),
    b=normal(4),
    m=positive(1, 8, 3, 3),
    opset=19,
    fixed=True,
    by_runtime=True,
)
REGIONS = np.array([[0, 0, 3, 4], [1, 0.5, 3.5, 3]], np.float32)
for _mode in ("avg", "max"):
    case(
        f"RoiAlign-{_mode}",
        f'y = RoiAlign<output_height = 2, output_width = 2, sampling_ratio = 2, mode = "{_mode}">(x, r, i)',
        x=rng.permutation(50).astype(np.float32).reshape(1, 2, 5, 5),
        r=REGIONS,
        i=ints(0, 0),
        opset=16,
        fixed=True,
        by_runtime=True,
    )
case("MaxRoiPool", "y = MaxRoiPool<pooled_shape = [2, 2]>(x, r)", x=normal(1, 2, 6, 6),
     r=np.array([[0, 0, 0, 3, 4], [0, 1, 1, 5, 5]], "f"), fixed=True, by_runtime=True)  # fmt: skip

# -- scatters ---------------------------------------------------------------------------------------
TWICE = np.array([[0, 1], [0, 2], [0, 1]])
for _how in ("mul", "max", "min"):
    case(
        f"ScatterND-{_how}",
        f'y = ScatterND<reduction = "{_how}">(a, i, b)',
        inputs={"a": np.array([[0.5, 1.5, -2.5, 3.5]], "f"), "b": np.array([1, -2, 2], "f")},
        i=TWICE,
        fixed=True,
        by_runtime=True,
    )
    case(
        f"ScatterElements-{_how}",
        f'y = ScatterElements<axis = 1, reduction = "{_how}">(a, i, b)',
        inputs={"a": np.array([[0.5, 1.5, -2.5, 3.5]], "f"), "b": np.array([[1, -2, 2]], "f")},
        i=ints(1, -2, 1)[None],
        fixed=True,
        by_runtime=True,
    )
case(
    "TensorScatter",
    'y = TensorScatter<mode = "circular">(a, b, w)',
    inputs={"a": normal(1, 5, 4), "b": normal(1, 2, 4)},
    w=ints(4),
    opset=24,
    fixed=True,
    by_runtime=True,
)

# -- tokens -----------------------------------------------------------------------------------------
TEXT = np.array([[1, 0, 3], [2, 2, 1], [0, 3, 3]])
case(
    "Equal-one-hot",
    "u = Unsqueeze(x, a) e = Expand(u, s) b = Equal(e, r) h = Cast<to = 1>(b) y = MatMul(h, w)",
    x=TEXT, a=ints(2), s=ints(1, 1, 4), r=np.arange(4), w=normal(4, 3), smooth=False,
)  # fmt: skip
case(
    "Equal-where",
    "u = Unsqueeze(x, a) b = Equal(u, r) n = Not(b) h = Where(n, k, o) y = MatMul(h, w)",
    x=TEXT, a=ints(2), r=np.arange(4), k=np.float32(0), o=np.float32(1), w=normal(4, 3), smooth=False,
)  # fmt: skip
case(
    "Gather-tokens-offset",
    "m = Mod(x, n) i = Add(m, o) e = Gather(t, i) y = Neg(e)",
    x=TEXT, n=np.int64(3), o=np.int64(2), t=normal(5, 2), smooth=False,
)  # fmt: skip
case(
    "GatherND-tokens",
    "u = Unsqueeze(x, a) e = GatherND(t, u) y = Neg(e)",
    x=TEXT, a=ints(2), t=normal(5, 2), smooth=False,
)  # fmt: skip
case("GatherElements-tokens", "e = GatherElements<axis = 1>(t, x) y = Neg(e)", x=TEXT[:1], t=normal(1, 5),
     smooth=False, fixed=True)  # fmt: skip
PIXELS = rng.integers(0, 255, (BATCH, 4)).astype(np.uint8)
case(
    "Cast-pixels",
    "f = Cast<to = 1>(i) s = Mul(f, k) h = MatMul(s, w) y = Add(h, x)",
    inputs={"i": PIXELS, "x": normal(BATCH, 2)},
    k=np.float32(1 / 255),
    w=normal(4, 2),
    smooth=False,
)
case(
    "DequantizeLinear-pixels",
    "f = DequantizeLinear(i, s, z) y = MatMul(f, w)",
    inputs={"i": PIXELS},
    s=np.float32(0.02),
    z=np.uint8(3),
    w=normal(4, 2),
    smooth=False,
)
case(
    "And-compared",
    "a = Greater(x, l) b = Less(x, h) c = And(a, b) d = GreaterOrEqual(x, o) e = LessOrEqual(x, p) "
    "f = Or(d, e) g = Xor(c, f) i = Cast<to = 1>(g) y = MatMul(i, w)",
    x=normal(BATCH, 4), l=np.float32(-0.5), h=np.float32(0.5), o=np.float32(1), p=np.float32(-1),
    w=normal(4, 2), smooth=False,
)  # fmt: skip
case("Cast-bits", "f = Cast<to = 1>(x) y = MatMul(f, w)", x=PIXELS > 120, w=normal(4, 2), smooth=False)

# -- ai.onnx.ml -------------------------------------------------------------------------------------
ML = {"ai.onnx.ml": 3}
case(
    "Imputer",
    "f = ai.onnx.ml.Imputer<imputed_value_floats = [0.5], replaced_value_float = 0.0>(x) y = Neg(f)",
    domains=ML,
    by_runtime=True,
)
case(
    "Imputer-missing-at-0",
    "f = ai.onnx.ml.Imputer<imputed_value_floats = [0.5], replaced_value_float = 0.0>(x) y = Neg(f)",
    x=np.where(np.arange(12).reshape(BATCH, 4) % 5 == 0, 0, normal(BATCH, 4)).astype("f"),
    domains=ML,
    smooth=False,
)
case(
    "OneHotEncoder",
    "h = ai.onnx.ml.OneHotEncoder<cats_int64s = [0, 1, 2, 3]>(x) y = MatMul(h, w)",
    x=TEXT,
    w=normal(4, 3),
    domains=ML,
    smooth=False,
)
for _kernel in ("LINEAR", "RBF", "POLY", "SIGMOID"):
    case(
        f"SVMRegressor-{_kernel}",
        f'y = ai.onnx.ml.SVMRegressor<kernel_type = "{_kernel}", '
        "coefficients = [1.0, -0.5, 0.7], n_supports = 3, rho = [0.2], kernel_params = [0.3, 0.5, 2.0], "
        "support_vectors = [0.1, 0.2, 0.3, -0.5, 0.4, 1.0, 0.7, -0.2, 0.3]>(x)",
        x=normal(BATCH, 3),
        domains=ML,
        by_runtime=True,
    )
case(
    "ArrayFeatureExtractor",
    "f = ai.onnx.ml.ArrayFeatureExtractor(x, i) y = Exp(f)",
    i=ints(2, 0),
    domains=ML,
    by_runtime=True,
)
case(
    "FeatureVectorizer",
    "f = ai.onnx.ml.FeatureVectorizer<inputdimensions = [3, 2]>(a, b) y = Exp(f)",
    inputs={"a": normal(BATCH, 3), "b": normal(BATCH, 2)},
    domains=ML,
    by_runtime=True,
)
case("Binarizer", "b = ai.onnx.ml.Binarizer<threshold = 0.1>(x) y = MatMul(b, w)", w=normal(4, 2), domains=ML,
     by_runtime=True)  # fmt: skip
