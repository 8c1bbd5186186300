"""Functions with corners and poles, windows, products along axes, resampling."""

from __future__ import annotations

import numpy as np

from .core import BATCH, IMAGE, TOKENS, case, ints, normal, positive, rng

# Whole numbers, no two alike: steps of finite differences change no winner.
APART = rng.permutation(60).astype(np.float32) - 29
INSIDE = rng.uniform(-0.9, 0.9, (BATCH, 6)).astype(np.float32)

# -- functions of one number ------------------------------------------------------------------------
for _name in ("Acos", "Asin", "Atanh", "Cosh", "Tan"):
    case(_name, f"f = {_name}(x) y = Neg(f)", x=np.concatenate([INSIDE, np.full((BATCH, 1), 3e-4, "f")], 1))
    case(f"{_name}-at-0", f"f = {_name}(x) y = Neg(f)", x=np.zeros((BATCH, 2), np.float32), smooth=False)
case("Acosh", "y = Acosh(x)", x=1.0 + positive(BATCH, 4))
case("Shrink-soft", "y = Shrink<lambd = 0.4, bias = 0.4>(x)", x=normal(BATCH, 8), by_runtime=True)
# Away from the jump at lambd, which differences must not cross.
case("Shrink-hard", "y = Shrink<lambd = 0.7>(x)", x=np.round(2 * normal(BATCH, 8)) / 2 + 0.1, by_runtime=True)
case("Hardmax", "h = Hardmax<axis = 1>(x) y = Neg(h)", x=APART.reshape(TOKENS), by_runtime=True)
case("Mod", "y = Mod<fmod = 1>(x, d)", x=APART[:12].reshape(BATCH, 4) + 0.3, d=np.float32(2), by_runtime=True)
case(
    "Mod-divisor",
    "y = Mod<fmod = 1>(a, b)",
    inputs={"a": np.full((BATCH, 4), 5.5, "f"), "b": np.full((BATCH, 4), 2.0, "f") + 0.1 * INSIDE[:, :4]},
    by_runtime=True,
)
case("Pow-several", "y = Pow(x, p)", x=positive(BATCH, 4), p=np.array([2, 0.5, 3, 1], np.float32))
case("Pow-both", "y = Pow(a, b)", inputs={"a": positive(BATCH, 4), "b": normal(BATCH, 4)})
case("Pow-exponent", "y = Pow(c, x)", c=positive(4))
case(
    "Clip-signals",
    "l = Squeeze(a) h = Squeeze(b) y = Clip(x, l, h)",
    inputs={"x": APART[None, :8] / 20, "a": np.array([-0.42], "f"), "b": np.array([0.63], "f")},
    fixed=True,
    by_runtime=True,
)
# From beyond one bound to beyond the other: the signal moves, and both bounds stay.
case(
    "Clip-crossed",
    "l = Squeeze(a) h = Squeeze(b) y = Clip(x, l, h)",
    inputs={
        "x": np.array([[0.75, -0.95, 0.1, -0.5]], "f"),
        "a": np.array([-0.42], "f"),
        "b": np.array([0.63], "f"),
    },
    fixed=True,
    by_runtime=True,
)
case("PRelu-both", "y = PRelu(a, b)", inputs={"a": normal(BATCH, 4), "b": normal(BATCH, 4)})
case("PRelu-slope", "y = PRelu(c, x)", x=normal(1, 4), c=normal(1, 4), fixed=True)

# -- windows ----------------------------------------------------------------------------------------
for _p in (1, 2, 3):
    case(
        f"LpPool-{_p}",
        f"y = LpPool<kernel_shape = [2, 3], strides = [2, 1], pads = [1, 0, 0, 1], p = {_p}>(x)",
        x=(rng.permutation(360).reshape(IMAGE) / 10 - 17.95).astype("f"),
        by_runtime=True,
    )
    case(
        f"GlobalLpPool-{_p}",
        f"y = GlobalLpPool<p = {_p}>(x)",
        x=APART.reshape(3, 4, 5, 1) / 10 + 0.05,
        by_runtime=True,
    )
case(
    "MaxUnpool",
    "p, i = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(x) e = Exp(p) "
    "y = MaxUnpool<kernel_shape = [2, 2], strides = [2, 2]>(e, i)",
    x=rng.permutation(48).reshape(1, 2, 4, 6).astype("f") / 20,
    fixed=True,
    by_runtime=True,
)
case(
    "Col2Im",
    "y = Col2Im<strides = [2, 1], pads = [1, 0, 0, 1], dilations = [1, 2]>(x, s, b)",
    x=normal(BATCH, 2 * 6, 3 * 6),
    s=ints(6, 7),
    b=ints(3, 2),
    by_runtime=True,
)
case(
    "Conv-kernel-signal",
    "y = Conv<strides = [2, 1], pads = [1, 0, 1, 1], group = 2>(a, b, c)",
    inputs={"a": normal(1, 4, 6, 5), "b": normal(6, 2, 3, 2), "c": normal(6)},
    fixed=True,
)
case(
    "ConvTranspose-kernel-signal",
    "y = ConvTranspose<strides = [2], pads = [1, 0], group = 2>(a, b)",
    inputs={"a": normal(1, 4, 5), "b": normal(4, 3, 3)},
    fixed=True,
    by_runtime=True,
)

# -- products along axes ----------------------------------------------------------------------------
for _name, _attributes in {
    "CumProd": "", "CumProd-exclusive": "<exclusive = 1>", "CumProd-reverse": "<exclusive = 1, reverse = 1>",
}.items():  # fmt: skip
    case(
        _name,
        f"y = CumProd{_attributes}(x, a)",
        x=normal(*TOKENS),
        a=np.array(1),
        opset=26,
        by_runtime=True,
    )
ZEROS = normal(*TOKENS)
ZEROS[:, 1, :] = 0
ZEROS[:, 2, :2] = 0
case("ReduceProd-zeros-at-0", "y = ReduceProd(x, a)", x=ZEROS, a=ints(1), opset=18, smooth=False)
case("ReduceProd-one-zero-at-0", "y = ReduceProd(x, a)", x=ZEROS[:, 1:, 2:], a=ints(1), opset=18)

# -- einsum -----------------------------------------------------------------------------------------
case("Einsum-diagonal", 'y = Einsum<equation = "...ii->...i">(x)', x=normal(BATCH, 2, 4, 4))
case("Einsum-trace", 'y = Einsum<equation = "bii,bj->bj">(x, v)', x=normal(BATCH, 4, 4), v=normal(1, 3))
case(
    "Einsum-broadcast",
    'y = Einsum<equation = "...ij,...jk->...ik">(x, w)',
    x=normal(BATCH, 2, 3, 4),
    w=normal(1, 1, 4, 5),
)

# -- resampling -------------------------------------------------------------------------------------
for _name, _attributes in {
    "linear": 'mode = "linear"',
    "cubic": 'mode = "cubic", cubic_coeff_a = -0.5, exclude_outside = 1',
    "corners": 'mode = "linear", coordinate_transformation_mode = "align_corners"',
    "symmetric": 'mode = "linear", coordinate_transformation_mode = "half_pixel_symmetric"',
    "antialias": 'mode = "linear", antialias = 1',
    "floor": 'mode = "nearest", nearest_mode = "floor"',
}.items():
    case(
        f"Resize-{_name}-19",
        f"y = Resize<{_attributes}>(x, , s)",
        x=normal(*IMAGE),
        s=np.array([1, 1, 0.6, 1.7], "f"),
        opset=19,
        by_runtime=True,
    )
for _policy in ("not_larger", "not_smaller"):
    case(
        f"Resize-{_policy}",
        f'y = Resize<axes = [2, 3], keep_aspect_ratio_policy = "{_policy}">(x, , , s)',
        x=normal(*IMAGE),
        s=ints(9, 10),
        opset=19,
        by_runtime=True,
    )
case(
    "Resize-crop",
    'y = Resize<mode = "linear", coordinate_transformation_mode = "tf_crop_and_resize", '
    "extrapolation_value = 2.0>(x, r, , s)",
    x=normal(1, 1, 6, 5),
    r=np.array([0, 0, 0.4, 0.1, 1, 1, 1.2, 0.8], "f"),
    s=ints(1, 1, 3, 4),
    opset=19,
    by_runtime=True,
    fixed=True,
)
case("DFT-irfft", "y = DFT<onesided = 1, inverse = 1>(x, n, a)", x=normal(BATCH, 5, 2), n=np.int64(8),
     a=np.int64(1), by_runtime=True)  # fmt: skip

# -- indices ----------------------------------------------------------------------------------------
case("Compress-flat", "y = Compress(x, c)", x=normal(1, 6), c=np.array([1, 0, 1, 1, 0, 1], bool), fixed=True)
case("Pad-signal", "s = ReduceSum<keepdims = 0>(x) y = Pad(x, p, s)", x=normal(1, 4), p=ints(0, 1, 0, 2),
     fixed=True)  # fmt: skip
case("Det", "y = Det(x)", x=normal(BATCH, 3, 3))
case("Unique", "u, i, n, c = Unique(x) y = Neg(u)", x=normal(1, 5), fixed=True, smooth=True, by_runtime=True)
