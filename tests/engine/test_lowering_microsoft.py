"""onnxruntime's own operators give what they gave, in elementary ones."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from lowered import check, model, normal, operators, same, session
from onnx import TensorProto

from onnxplain.engine.errors import UnsupportedOperator
from onnxplain.engine.lowering import lower

MS = {"com.microsoft": 1}


def ms(body, inputs, weights=None, **options):
    domains = options.pop("domains", MS)
    return model(body, inputs, weights, domains=domains, **options)


def feeder(inputs, **given):
    """Normal numbers for open shapes; given ones as functions of the batch."""

    def feed(batch):
        made = {n: normal(batch, *s[1:], seed=i) for i, (n, s) in enumerate(inputs.items()) if n not in given}
        return made | {n: f(batch) for n, f in given.items()}

    return feed


SIMPLE = {
    "FusedMatMul": ("y = com.microsoft.FusedMatMul<alpha = 0.3, transB = 1>(x, w)", {"w": normal(5, 4)}),
    "FusedMatMul-two": ("y = com.microsoft.FusedMatMul<alpha = 0.3, transB = 1>(x, x)", {}),
    "FusedMatMul-A": ("y = com.microsoft.FusedMatMul<transA = 1>(x, x)", {}),
    "FusedMatMul-batch": (
        "xt = Transpose<perm = [1, 0, 2]>(x) "
        "y = com.microsoft.FusedMatMul<transBatchA = 1, transBatchB = 1, transB = 1>(xt, xt)",
        {},
    ),
    "FusedMatMul-batch-constant": (
        "xt = Transpose<perm = [1, 0, 2]>(x) "
        "y = com.microsoft.FusedMatMul<transBatchB = 1, transB = 1>(xt, w)",
        {"w": normal(2, 3, 4)},
    ),
    "Gelu": ("y = com.microsoft.Gelu(x)", {}),
    "BiasGelu": ("y = com.microsoft.BiasGelu(x, b)", {"b": normal(4)}),
    "FastGelu": ("y = com.microsoft.FastGelu(x)", {}),
    "FastGelu-bias": ("y = com.microsoft.FastGelu(x, b)", {"b": normal(4)}),
    "QuickGelu": ("y = com.microsoft.QuickGelu<alpha = 1.3>(x)", {}),
    "SkipLayerNormalization": (
        "s = Sin(x) y = com.microsoft.SkipLayerNormalization<epsilon = 0.01>(x, s, g, b, a)",
        {"g": normal(4), "b": normal(4, seed=1), "a": normal(4, seed=2)},
    ),
    "SkipLayerNormalization-sum": (
        "s = Sin(x) n, , , t = com.microsoft.SkipLayerNormalization<epsilon = 0.01>(x, s, g) y = Add(n, t)",
        {"g": normal(4)},
    ),
    "SkipSimplifiedLayerNormalization": (
        "s = Sin(x) n, , , t = com.microsoft.SkipSimplifiedLayerNormalization<epsilon = 0.01>(x, s, g, b) "
        "y = Add(n, t)",
        {"g": normal(4), "b": normal(4, seed=1)},
    ),
    "SimplifiedLayerNormalization": (
        "y = SimplifiedLayerNormalization<axis = -1, epsilon = 0.01>(x, g)",
        {"g": normal(4)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("opset", [11, 13, 17, 20])
@pytest.mark.parametrize("name", SIMPLE)
def test_simple(name, opset, tmp_path):
    body, weights = SIMPLE[name]
    inputs = {"x": ["batch", 3, 4]}
    kind = name.split("-")[0]
    gone = kind if kind == "SimplifiedLayerNormalization" else f"com.microsoft.{kind}"
    source = ms(body, inputs, weights, opset=opset)
    open_batch = "batch" not in name
    check(source, feeder(inputs), gone, tmp_path, open_batch=open_batch, explain=open_batch)


def test_fused_gemm(tmp_path):
    source = ms(
        'y = com.microsoft.FusedGemm<alpha = 0.5, beta = 2.0, transB = 1, activation = "LeakyRelu", '
        "activation_alpha = 0.2>(x, w, b)",
        {"x": ["batch", 4]},
        {"w": normal(3, 4), "b": normal(3)},
    )
    check(source, feeder({"x": [1, 4]}), "com.microsoft.FusedGemm", tmp_path, smooth=False)


@pytest.mark.parametrize(
    "activation",
    ['"Relu"', '"Tanh"', '"Sigmoid"', '"LeakyRelu", activation_params = [0.3]',
     '"Clip", activation_params = [-0.5, 0.8]', '"HardSigmoid", activation_params = [0.3, 0.4]'],
)  # fmt: skip
@pytest.mark.parametrize("skip", [False, True])
def test_fused_conv(activation, skip, tmp_path):
    head = "z = Conv(x, v)" if skip else ""
    source = ms(
        f"{head} c = com.microsoft.FusedConv<activation = {activation}, kernel_shape = [3, 3], "
        f"strides = [1, 1], pads = [1, 1, 1, 1]>(x, w, b{', z' if skip else ''}) y = Mul(c, two)",
        {"x": ["batch", 2, 5, 6]},
        {"two": np.float32(2), "w": normal(3, 2, 3, 3), "b": normal(3), "v": normal(3, 2, 1, 1)},
    )
    smooth = "Tanh" in activation or "Sigmoid" in activation.split(",")[0]
    smooth = smooth and "Hard" not in activation
    check(source, feeder({"x": [1, 2, 5, 6]}), "com.microsoft.FusedConv", tmp_path, smooth=smooth)


@pytest.mark.parametrize("opset", [12, 17])
@pytest.mark.parametrize(
    ("segments", "mask", "places"), [(True, True, False), (False, False, False), (True, False, True)]
)
def test_embedding(segments, mask, places, opset, tmp_path):
    given = ["ids", "seg" if segments else "", "words", "pos", "kinds" if segments else "", "g", "b"]
    given += ["mask" if mask else "", "places"] if places else ["mask"] if mask else []
    inputs = {"ids": ["batch", 5]}
    inputs |= {"seg": ["batch", 5]} if segments else {}
    inputs |= {"mask": ["batch", 5]} if mask else {}
    inputs |= {"places": ["batch", 5]} if places else {}
    rng = np.random.default_rng(0)
    source = ms(
        f"y, count, t = com.microsoft.EmbedLayerNormalization<epsilon = 0.01>({', '.join(given)})",
        inputs,
        {"words": normal(9, 4), "pos": normal(8, 4), "kinds": normal(2, 4), "g": normal(4), "b": normal(4)},
        outputs=["y", "count", "t"],
        types=dict.fromkeys([*inputs, "count"], TensorProto.INT32),
        opset=opset,
    )
    draw = {n: (lambda b, k=k: rng.integers(0, k, (b, 5)).astype(np.int32)) for n, k in
            (("ids", 9), ("seg", 2), ("mask", 2), ("places", 8)) if n in inputs}  # fmt: skip
    check(source, feeder(inputs, **draw), "com.microsoft.EmbedLayerNormalization", tmp_path, explain=False)


HIDDEN, HEADS, LENGTH = 8, 2, 5


def _mask_feed(kind, batch):
    rng = np.random.default_rng(batch)
    if kind == "lengths":
        return rng.integers(2, LENGTH + 1, batch).astype(np.int32)
    if kind == "rows":
        return (rng.random((batch, LENGTH)) < 0.7).astype(np.int32) | np.eye(1, LENGTH, dtype=np.int32)
    return (rng.random((batch, LENGTH, LENGTH)) < 0.7).astype(np.int32) | np.eye(LENGTH, dtype=np.int32)


MASKS = {"lengths": ["batch"], "rows": ["batch", LENGTH], "square": ["batch", LENGTH, LENGTH]}


@pytest.mark.parametrize("opset", [13, 17])
@pytest.mark.parametrize("mask", [None, *MASKS])
@pytest.mark.parametrize(
    "options", ["", ", unidirectional = 1", ", scale = 0.4", ", qkv_hidden_sizes = [8, 8, 4]"]
)
def test_attention(mask, options, opset, tmp_path):
    columns = 20 if "qkv" in options else 24
    inputs = {"x": ["batch", LENGTH, HIDDEN]} | ({"mask": MASKS[mask]} if mask else {})
    source = ms(
        f"y = com.microsoft.Attention<num_heads = {HEADS}{options}>(x, w, b{', mask' if mask else ''})",
        inputs,
        {"w": 0.5 * normal(HIDDEN, columns), "b": normal(columns)},
        types={"mask": TensorProto.INT32},
        opset=opset,
    )
    given = {"mask": lambda n: _mask_feed(mask, n)} if mask else {}
    # A length a row is told from a row of marks by the batch, so one of one sample serves no three.
    check(source, feeder(inputs, **given), "com.microsoft.Attention", tmp_path)


@pytest.mark.parametrize("past", [False, True])
def test_attention_with_past_or_bias(past, tmp_path):
    inputs = {"x": ["batch", LENGTH, HIDDEN]}
    inputs |= {"past": [2, "batch", HEADS, 3, 4]} if past else {"bias": [1, HEADS, LENGTH, LENGTH]}
    source = ms(
        f"y{', past1' if past else ''} = com.microsoft.Attention<num_heads = {HEADS}, unidirectional = 1>"
        f"(x, w, b, {', past' if past else ', , bias'})",
        inputs,
        {"w": 0.5 * normal(HIDDEN, 24), "b": normal(24)},
        outputs=["y", "past1"] if past else ["y"],
    )

    def feed(batch):
        made = {"x": normal(batch, LENGTH, HIDDEN)}
        if past:
            return made | {"past": normal(2, batch, HEADS, 3, 4)}
        return made | {"bias": normal(1, HEADS, LENGTH, LENGTH)}

    check(source, feed, "com.microsoft.Attention", tmp_path, explain=False)


@pytest.mark.parametrize("form", ["plain", "bias", "cross", "mask", "past", "scores", "causal", "values"])
def test_multi_head_attention(form, tmp_path):
    keys = 4 if form == "cross" else LENGTH
    wide = 12 if form == "values" else HIDDEN
    inputs = {"q": ["batch", LENGTH, HIDDEN], "k": ["batch", keys, HIDDEN], "v": ["batch", keys, wide]}
    operands, weights, given, types = "q, k, v", {}, {}, {}
    if form == "cross":
        inputs |= {"k": ["batch", HEADS, keys, 4], "v": ["batch", HEADS, keys, 4]}
    if form == "bias":
        operands, weights = "q, k, v, b", {"b": normal(24)}
    if form == "mask":
        operands, types["m"], inputs["m"] = "q, k, v, , m", TensorProto.INT32, MASKS["rows"]
        given["m"] = lambda n: _mask_feed("rows", n)
    if form == "scores":
        operands, inputs["s"] = "q, k, v, , , s", ["batch", HEADS, LENGTH, LENGTH]
    outputs, made = ["y"], "y"
    if form == "past":
        operands, made, outputs = "q, k, v, , , , pk, pv", "y, k1, v1", ["y", "k1", "v1"]
        inputs |= {"pk": ["batch", HEADS, 3, 4], "pv": ["batch", HEADS, 3, 4]}
    options = ", unidirectional = 1" if form == "causal" else ""
    source = ms(
        f"{made} = com.microsoft.MultiHeadAttention<num_heads = {HEADS}{options}>({operands})",
        inputs,
        weights,
        outputs=outputs,
        types=types,
    )
    check(source, feeder(inputs, **given), "com.microsoft.MultiHeadAttention", tmp_path)


@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("offset", [False, True])
def test_rotary(interleaved, offset, tmp_path):
    inputs = {"x": ["batch", LENGTH, HIDDEN]}
    weights = {"cos": np.cos(normal(9, 2)), "sin": np.sin(normal(9, 2)), "at": np.array([2])}
    given = {}
    if not offset:
        del weights["at"]
        inputs["at"] = ["batch", LENGTH]
        given["at"] = lambda n: np.random.default_rng(n).integers(0, 9, (n, LENGTH))
    source = ms(
        f"y = com.microsoft.RotaryEmbedding<interleaved = {interleaved}>(x, at, cos, sin)",
        inputs,
        weights,
        types={"at": TensorProto.INT64},
    )
    check(source, feeder(inputs, **given), "com.microsoft.RotaryEmbedding", tmp_path, explain=offset)


def test_what_is_not_supported_is_named():
    source = ms(
        f"[named] y = com.microsoft.Attention<num_heads = {HEADS}, do_rotary = 1>(x, w)",
        {"x": ["batch", LENGTH, HIDDEN]},
        {"w": normal(HIDDEN, 24)},
    )
    with pytest.raises(UnsupportedOperator, match=r"m: node 'named' \(com.microsoft.Attention\): rotary"):
        lower(source, {"x": normal(1, LENGTH, HIDDEN)}, where="m")


# -- integers ---------------------------------------------------------------------------------------

U8 = {"xs": np.float32(0.03), "xz": np.uint8(120), "ys": np.float32(0.02), "yz": np.uint8(110)}
QLINEAR = {
    "Add": "QLinearAdd(q, xs, xz, p, ys, yz, xs, xz)",
    "Mul": "QLinearMul(q, xs, xz, p, ys, yz, xs, xz)",
    "Sigmoid": "QLinearSigmoid(q, xs, xz, ys, yz)",
    "LeakyRelu": "QLinearLeakyRelu<alpha = 0.2>(q, xs, xz, ys, yz)",
    "Concat": "QLinearConcat<axis = 1>(ys, yz, q, xs, xz, p, ys, yz)",
    "Softmax": "QLinearSoftmax<axis = -1, opset = 13>(q, xs, xz, ys, yz)",
    "AveragePool": "QLinearAveragePool<kernel_shape = [2, 2]>(q, xs, xz, ys, yz)",
    "AveragePool-last": "QLinearAveragePool<kernel_shape = [2, 2], channels_last = 1>(q, xs, xz, ys, yz)",
    "GlobalAveragePool": "QLinearGlobalAveragePool<channels_last = 0>(q, xs, xz, ys, yz)",
    "Where": "QLinearWhere(c, q, xs, xz, p, ys, yz, ys, yz)",
}


@pytest.mark.parametrize("name", QLINEAR)
def test_qlinear(name, tmp_path):
    inputs = {"x": ["batch", 3, 4, 4]}
    source = ms(
        f"q = QuantizeLinear(x, xs, xz) t = Tanh(x) p = QuantizeLinear(t, ys, yz) c = Greater(x, t) "
        f"r = com.microsoft.{QLINEAR[name]} y = DequantizeLinear(r, ys, yz)",
        inputs,
        U8,
        opset=13,
    )
    # Both round to the same grid of integers, now and then to neighbours: one step, of a few hundred.
    kind = f"com.microsoft.QLinear{name.split('-')[0]}"
    check(source, feeder(inputs), kind, tmp_path, explain=False, tolerance=0.03)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("channels", [False, True])
def test_qlinear_conv(bias, channels, tmp_path):
    rng = np.random.default_rng(0)
    weights = U8 | {
        "w": rng.integers(-60, 60, (4, 3, 3)).astype(np.int8),
        "ws": rng.uniform(0.004, 0.008, 4).astype(np.float32) if channels else np.float32(0.006),
        "wz": np.zeros(4, np.int8) if channels else np.int8(0),
    }
    if bias:
        weights["b"] = rng.integers(-2000, 2000, 4).astype(np.int32)
    source = ms(
        "q = QuantizeLinear(x, xs, xz) "
        f"r = QLinearConv<pads = [1, 1]>(q, xs, xz, w, ws, wz, ys, yz{', b' if bias else ''}) "
        "y = DequantizeLinear(r, ys, yz)",
        {"x": ["batch", 3, 6]},
        weights,
        opset=13,
    )
    check(source, feeder({"x": ["batch", 3, 6]}), "QLinearConv", tmp_path, explain=False, tolerance=0.03)


def test_qlinear_matmul(tmp_path):
    weights = U8 | {
        "w": np.random.default_rng(0).integers(-60, 60, (4, 5)).astype(np.int8),
        "ws": np.float32(0.01),
        "wz": np.int8(3),
    }
    source = ms(
        "q = QuantizeLinear(x, xs, xz) r = QLinearMatMul(q, xs, xz, w, ws, wz, ys, yz) "
        "y = DequantizeLinear(r, ys, yz)",
        {"x": ["batch", 3, 4]},
        weights,
        opset=13,
    )
    check(source, feeder({"x": ["batch", 3, 4]}), "QLinearMatMul", tmp_path, explain=False, tolerance=0.03)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("channels", [False, True])
def test_dynamic_quantize_matmul(bias, channels, tmp_path):
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.integers(-60, 60, (4, 5)).astype(np.int8),
        "s": rng.uniform(0.01, 0.02, 5).astype(np.float32) if channels else np.float32(0.02),
        "z": np.zeros(5, np.int8) if channels else np.int8(0),
        "b": normal(5),
    }
    body = f"y = com.microsoft.DynamicQuantizeMatMul(x, w, s, z{', b' if bias else ''})"
    source = ms(body, {"x": ["batch", 3, 4]}, weights)
    check(source, feeder({"x": [1, 3, 4]}), "com.microsoft.DynamicQuantizeMatMul", tmp_path, explain=False)


def test_matmul_integer_to_float(tmp_path):
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.integers(-60, 60, (4, 5)).astype(np.int8),
        "s": np.float32(0.02),
        "z": np.int8(3),
        "b": normal(5),
    }
    source = ms(
        "q, qs, qz = DynamicQuantizeLinear(x) y = com.microsoft.MatMulIntegerToFloat(q, w, qs, s, qz, z, b)",
        {"x": ["batch", 3, 4]},
        weights,
    )
    check(source, feeder({"x": [1, 3, 4]}), "com.microsoft.MatMulIntegerToFloat", tmp_path, explain=False)


@pytest.mark.parametrize("zeros", [False, True])
def test_matmul_n_bits(zeros, tmp_path):
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.integers(0, 256, (5, 2, 8)).astype(np.uint8),
        "s": rng.uniform(0.01, 0.02, 10).astype(np.float32),
        "z": rng.integers(0, 256, 5).astype(np.uint8),
    }
    source = ms(
        "y = com.microsoft.MatMulNBits<K = 32, N = 5, bits = 4, block_size = 16>"
        f"(x, w, s{', z' if zeros else ''})",
        {"x": ["batch", 3, 32]},
        weights,
    )
    check(source, feeder({"x": [1, 3, 32]}), "com.microsoft.MatMulNBits", tmp_path)


# -- what onnxruntime itself writes -----------------------------------------------------------------


def optimised(source, folder, level=ort.GraphOptimizationLevel.ORT_ENABLE_ALL):
    """The model as onnxruntime saves it."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = level
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    ort.InferenceSession(source.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return onnx.load(folder / "optimised.onnx")


def test_blocked_convolutions(tmp_path):
    """Few channels at first, groups, a residual, pooling, upsampling, channels that fill no block."""
    source = model(
        """
        a0 = Conv<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(x, w0, b0)
        a1 = Relu(a0)
        a2 = Conv<kernel_shape = [3, 3], pads = [1, 1, 1, 1], group = 32>(a1, w1)
        a3 = Sigmoid(a2)
        a4 = Conv<kernel_shape = [1, 1]>(a3, w2)
        a5 = Add(a4, a1)
        a6 = Relu(a5)
        a7 = Conv<kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1], group = 2>(a6, w3)
        a8 = MaxPool<kernel_shape = [2, 2]>(a7)
        a9 = Resize<mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor">
            (a8, , scales)
        a10 = Conv<kernel_shape = [1, 1]>(a9, w4, b4)
        a11 = AveragePool<kernel_shape = [2, 2], pads = [1, 1, 0, 0]>(a10)
        g = GlobalAveragePool(a10)
        y = Add(a11, g)
        """,
        {"x": ["batch", 3, 12, 12]},
        {
            "w0": normal(32, 3, 3, 3) / 3, "b0": normal(32), "w1": normal(32, 1, 3, 3) / 3,
            "w2": normal(32, 32, 1, 1) / 5, "w3": normal(32, 16, 3, 3) / 10, "w4": normal(20, 32, 1, 1) / 5,
            "b4": normal(20), "scales": np.array([1, 1, 2, 2], np.float32),
        },
    )  # fmt: skip
    fused = optimised(source, tmp_path)
    assert "com.microsoft.nchwc.Conv" in operators(fused)
    x = {"x": normal(2, 3, 12, 12)}
    made = lower(fused, x, where="m").proto
    assert not any(name.startswith("com.microsoft") for name in operators(made))
    same(session(made).run(["y"], x), session(source).run(["y"], x))
    check(
        fused,
        feeder({"x": [1, 3, 12, 12]}),
        "com.microsoft.nchwc.Conv",
        tmp_path,
        smooth=False,
        checker=False,
    )


def test_channels_last_into_blocks(tmp_path):
    """As TensorFlow's models have it: Transposes at both ends become part of the reordering."""
    source = model(
        """
        t = Transpose<perm = [0, 3, 1, 2]>(x)
        a = Conv<kernel_shape = [3, 3]>(t, w0)
        b = Relu(a)
        c = Conv<kernel_shape = [1, 1]>(b, w1)
        y = Transpose<perm = [0, 2, 3, 1]>(c)
        """,
        {"x": ["batch", 7, 7, 16]},
        {"w0": normal(24, 16, 3, 3) / 10, "w1": normal(10, 24, 1, 1) / 5},
    )
    fused = optimised(source, tmp_path)
    check(
        fused, feeder({"x": [1, 7, 7, 16]}), "com.microsoft.nchwc.Conv", tmp_path, smooth=False, checker=False
    )
