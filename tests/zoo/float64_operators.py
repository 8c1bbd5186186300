"""Operators for the reference evaluator in float64: by torch, by numpy, and those it does not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from torch.nn import functional

Array = np.ndarray[Any, Any]


def _t(x: Any) -> torch.Tensor:
    return torch.from_numpy(np.array(x))


def _both_sides(
    auto_pad: str, pads: Any, size: tuple[int, ...], kernel: Any, strides: Any, dilations: Any
) -> list[int]:
    """Padding as torch's pad takes it: last axis first, begin and end."""
    n = len(size)
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        pads = [0] * (2 * n)
        for i in range(n):
            reach = (kernel[i] - 1) * dilations[i] + 1
            total = max((-(-size[i] // strides[i]) - 1) * strides[i] + reach - size[i], 0)
            small, large = total // 2, total - total // 2
            pads[i], pads[n + i] = (small, large) if auto_pad == "SAME_UPPER" else (large, small)
    pads = list(pads) if pads is not None and len(pads) else [0] * (2 * n)
    return [p for i in reversed(range(n)) for p in (pads[i], pads[n + i])]


class Conv(OpRun):
    """By torch."""

    def _run(  # type: ignore[no-untyped-def]
        self, X, W, B=None, auto_pad=None, dilations=None, group=None, kernel_shape=None, pads=None,
        strides=None,
    ):  # fmt: skip
        return (conv(X, W, B, auto_pad, dilations, group, pads, strides),)


def conv(
    X: Array, W: Array, B: Any, auto_pad: Any, dilations: Any, group: Any, pads: Any, strides: Any
) -> Array:
    """A convolution in float64."""
    n = W.ndim - 2
    strides, dilations = list(strides or [1] * n), list(dilations or [1] * n)
    sides = _both_sides(auto_pad or "NOTSET", pads, X.shape[2:], W.shape[2:], strides, dilations)
    x = functional.pad(_t(X), sides)
    run: Callable[..., torch.Tensor] = (functional.conv1d, functional.conv2d, functional.conv3d)[n - 1]
    bias = None if B is None else _t(B)
    return run(x, _t(W), bias, stride=strides, dilation=dilations, groups=group or 1).numpy()


class ConvTranspose(OpRun):
    """By torch, whole; then cut."""

    def _run(  # type: ignore[no-untyped-def]
        self, X, W, B=None, auto_pad=None, dilations=None, group=None, kernel_shape=None,
        output_padding=None, output_shape=None, pads=None, strides=None,
    ):  # fmt: skip
        n = W.ndim - 2
        strides = list(strides or [1] * n)
        pads = list(pads) if pads is not None and len(pads) else [0] * (2 * n)
        extra = list(output_padding or [0] * n)
        run = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)[n - 1]
        y = run(_t(X), _t(W), None, strides, 0, 0, group or 1, list(dilations or [1] * n)).numpy()
        y = np.pad(y, [(0, 0), (0, 0), *((0, e) for e in extra)])
        same = (auto_pad or "NOTSET").startswith("SAME")
        if same or output_shape is not None:
            asked = [i * s for i, s in zip(X.shape[2:], strides, strict=True)] if same else output_shape
            for k, (size, wanted) in enumerate(zip(y.shape[2:], list(asked)[-n:], strict=True)):
                small, large = (size - wanted) // 2, size - wanted - (size - wanted) // 2
                pads[k], pads[n + k] = (small, large) if auto_pad == "SAME_UPPER" else (large, small)
        y = y[(..., *(slice(b, s - e) for b, e, s in zip(pads[:n], pads[n:], y.shape[2:], strict=True)))]
        return (y if B is None else y + _axis(B, 1, y.ndim),)


class MaxPool(OpRun):
    """By torch."""

    def _run(  # type: ignore[no-untyped-def]
        self, x, auto_pad=None, ceil_mode=None, dilations=None, kernel_shape=None, pads=None,
        storage_order=None, strides=None,
    ):  # fmt: skip
        n = len(kernel_shape)
        strides, dilations = list(strides or [1] * n), list(dilations or [1] * n)
        sides = _both_sides(auto_pad or "NOTSET", pads, x.shape[2:], kernel_shape, strides, dilations)
        padded = functional.pad(_t(x), sides, value=-torch.inf)
        run = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)[n - 1]
        y, at = run(
            padded, list(kernel_shape), strides, 0, dilations, ceil_mode=bool(ceil_mode), return_indices=True
        )
        if len(self.onnx_node.output) == 1:
            return (y.numpy(),)
        # torch counts within a padded channel, ONNX in the whole of x.
        places = np.unravel_index(at.numpy(), padded.shape[2:])
        inside = [place - sides[2 * (n - 1 - i)] for i, place in enumerate(places)]
        samples, channels = np.ogrid[: x.shape[0], : x.shape[1]]
        lead = [i.reshape(*i.shape, *(1 for _ in places)) for i in (samples, channels)]
        return y.numpy(), np.ravel_multi_index((*lead, *inside), x.shape)


class AveragePool(OpRun):
    """By torch: sums over windows, divided by what each holds."""

    def _run(  # type: ignore[no-untyped-def]
        self, x, auto_pad=None, ceil_mode=None, count_include_pad=None, dilations=None, kernel_shape=None,
        pads=None, strides=None,
    ):  # fmt: skip
        n = len(kernel_shape)
        strides = list(strides or [1] * n)
        sides = _both_sides(auto_pad or "NOTSET", pads, x.shape[2:], kernel_shape, strides, [1] * n)
        run = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)[n - 1]
        ones = functional.pad(torch.ones_like(_t(x)), sides, value=float(bool(count_include_pad)))
        made = [
            run(p, list(kernel_shape), strides, 0, bool(ceil_mode))
            for p in (functional.pad(_t(x), sides), ones)
        ]
        return ((made[0] / made[1]).numpy(),)


class BatchNormalization(OpRun):
    """By numpy: the evaluator's for old opsets has another epsilon and statistics of the batch."""

    def _run(  # type: ignore[no-untyped-def]
        self, x, scale, bias, mean, var, epsilon=None, momentum=None, spatial=None, training_mode=None
    ):
        scale, bias, mean, var = (_axis(v, 1, x.ndim) for v in (scale, bias, mean, var))
        return ((x - mean) / np.sqrt(var + epsilon) * scale + bias,)


class Add(OpRun):
    """Also of a float and an integer, where a quantised layer is computed in float."""

    def _run(self, a, b):  # type: ignore[no-untyped-def]
        return (a + b,)


class DequantizeLinear(OpRun):
    """By numpy."""

    def _run(  # type: ignore[no-untyped-def]
        self, x, scale, zero=None, axis=None, block_size=None, output_dtype=None
    ):
        if np.size(scale) > 1:
            scale, zero = (None if v is None else _axis(v, axis, x.ndim) for v in (scale, zero))
        return (_less(x, zero) * scale,)


class Erf(OpRun):
    """By torch."""

    def _run(self, x):  # type: ignore[no-untyped-def]
        return (torch.erf(_t(x)).numpy(),)


class MatMul(OpRun):
    """By torch: numpy's loops where an operand is a view."""

    def _run(self, a, b):  # type: ignore[no-untyped-def]
        if a.dtype.kind != "f" or b.dtype != a.dtype:
            return (a @ b,)
        return (torch.matmul(_t(a), _t(b)).numpy(),)


class ScatterElements(OpRun):
    """By torch."""

    def _run(self, data, indices, updates, axis=None, reduction=None):  # type: ignore[no-untyped-def]
        axis = axis or 0
        at = np.where(indices < 0, indices + data.shape[axis], indices)
        names = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}
        if reduction in (None, "none"):
            return (_t(data).scatter(axis, _t(at), _t(updates)).numpy(),)
        made = _t(data).scatter_reduce(axis, _t(at), _t(updates), names[reduction], include_self=True)
        return (made.numpy(),)


class GatherElements(OpRun):
    """By numpy, also where the indices are of a part of the data only."""

    def _run(self, data, indices, axis=None):  # type: ignore[no-untyped-def]
        axis = (axis or 0) % data.ndim
        part = tuple(slice(None if i == axis else n) for i, n in enumerate(indices.shape))
        return (np.take_along_axis(data[part], indices, axis),)


class Scale(OpRun):
    """A product; the scale has as many elements, or one."""

    op_domain = "onnxplain"

    def _run(self, x, scale):  # type: ignore[no-untyped-def]
        return (x * (scale.reshape(x.shape) if scale.size > 1 else scale),)


class DynamicQuantizeLinear(OpRun):
    """Rounds by what it rounded at the first call: the layers behind see what they see, and it is smooth."""

    def _run(self, x):  # type: ignore[no-untyped-def]
        if not hasattr(self, "rounded"):
            low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
            scale = (high - low) / 255 or 1.0
            zero = np.clip(np.rint(-low / scale), 0, 255)
            self.rounded = (np.clip(np.rint(x / scale) + zero, 0, 255) - zero) * scale - x
        return x + self.rounded, np.float64(1), np.float64(0)


class QuantizeLinear(OpRun):
    """As `DynamicQuantizeLinear`, in a given range; flat where it rounds to something beyond."""

    def _run(  # type: ignore[no-untyped-def]
        self, x, scale, zero=None, axis=None, block_size=None, output_dtype=None, precision=None,
        saturate=None,
    ):  # fmt: skip
        kind = np.uint8 if zero is None else zero.dtype
        low, high = np.iinfo(kind).min, np.iinfo(kind).max
        shape = [1] * x.ndim
        if np.size(scale) > 1:
            shape[axis] = -1
        per, point = (np.float64(v).reshape(shape) for v in (scale, 0 if zero is None else zero))
        exact = np.clip(x / per + point, low - 0.5, high + 0.5)
        if not hasattr(self, "rounded"):
            self.rounded = np.clip(np.rint(x / per) + point, low, high) - exact
        return (exact + self.rounded,)


class LinearClassifier(OpRun):
    """The scores; the evaluator's takes one class for two."""

    op_domain = "ai.onnx.ml"

    def _run(  # type: ignore[no-untyped-def]
        self, x, classlabels_ints=None, classlabels_strings=None, coefficients=None, intercepts=None,
        multi_class=None, post_transform=None,
    ):  # fmt: skip
        # As onnxruntime: a file may have more coefficients than features; the first are taken.
        shape = (len(intercepts), x.shape[1])
        weight = np.float64(coefficients)[: np.prod(shape)].reshape(shape)
        scores = x @ weight.T + np.float64(intercepts)
        if post_transform == "LOGISTIC":
            scores = 1 / (1 + np.exp(-scores))
        elif post_transform not in (None, "NONE"):
            raise NotImplementedError(post_transform)
        return scores.argmax(1), scores


class Normalizer(OpRun):
    """Rows divided by the sum of their sizes."""

    op_domain = "ai.onnx.ml"

    def _run(self, x, norm=None):  # type: ignore[no-untyped-def]
        if norm != "L1":
            raise NotImplementedError(norm)
        return (x / np.abs(x).sum(1, keepdims=True),)


class MatMulInteger(OpRun):
    """A product of floats with dequantised weights, but for their scale."""

    def _run(self, A, B, a_zero_point=None, b_zero_point=None):  # type: ignore[no-untyped-def]
        return (_less(A, a_zero_point) @ _less(B, b_zero_point),)


class ConvInteger(OpRun):
    """As MatMulInteger."""

    def _run(  # type: ignore[no-untyped-def]
        self, X, W, x_zero_point=None, w_zero_point=None, auto_pad=None, dilations=None, group=None,
        kernel_shape=None, pads=None, strides=None,
    ):  # fmt: skip
        weight = np.float64(W) - (0 if w_zero_point is None else _axis(w_zero_point, 0, W.ndim))
        return (conv(_less(X, x_zero_point), weight, None, auto_pad, dilations, group, pads, strides),)


def _less(x: Any, zero: Any) -> Array:
    return np.float64(x) - (0 if zero is None else np.float64(zero))


def _axis(x: Any, axis: int, ndim: int) -> Array:
    shape = [1] * ndim
    shape[axis] = -1
    return np.float64(x).reshape(shape)


class DynamicQuantizeLSTM(OpRun):
    """A float LSTM with dequantised weights."""

    op_domain = "com.microsoft"

    def _run(  # type: ignore[no-untyped-def]
        self, X, W, R, B=None, sequence_lens=None, initial_h=None, initial_c=None, P=None, W_scale=None,
        W_zero_point=None, R_scale=None, R_zero_point=None, activation_alpha=None, activation_beta=None,
        activations=None, clip=None, direction=None, hidden_size=None, input_forget=None,
    ):  # fmt: skip
        def weight(q: Array, scale: Array, zero: Array) -> Array:
            """[directions, inputs, 4 hidden] to what LSTM takes."""
            per = [np.float64(v).reshape(len(q), 1, -1) for v in (scale, zero)]
            return np.ascontiguousarray(((q - per[1]) * per[0]).transpose(0, 2, 1))

        names = ["X", "W", "R", "B", "", "h", "c"]
        values = {
            "X": X, "W": weight(W, W_scale, W_zero_point), "R": weight(R, R_scale, R_zero_point), "B": B,
            "h": initial_h, "c": initial_c,
        }  # fmt: skip
        given = [n if n and values[n] is not None else "" for n in names]
        node = helper.make_node(
            "LSTM", given, ["Y", "Yh", "Yc"], direction=direction or "forward", hidden_size=R.shape[1]
        )
        used = [n for n in given if n]
        info = [helper.make_tensor_value_info(n, TensorProto.DOUBLE, None) for n in used]
        outputs = [helper.make_empty_tensor_value_info(n) for n in node.output]
        model = helper.make_model(
            helper.make_graph([node], "lstm", info, outputs), opset_imports=[helper.make_opsetid("", 14)]
        )
        made = ReferenceEvaluator(model).run(None, {n: values[n] for n in used})
        return tuple(made[: len(self.onnx_node.output)])


OPERATORS: list[Any] = [
    Add, AveragePool, BatchNormalization, Conv, ConvInteger, ConvTranspose, DequantizeLinear,
    DynamicQuantizeLinear, DynamicQuantizeLSTM, Erf, GatherElements, LinearClassifier, MatMul, MatMulInteger,
    MaxPool, Normalizer, QuantizeLinear, Scale, ScatterElements,
]  # fmt: skip
