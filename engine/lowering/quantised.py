"""Products with integer weights, as onnxruntime's DynamicQuantizeLSTM makes them.

What is multiplied is quantised by its own range, multiplied as integers and scaled: the three
operators into which a quantiser turns a MatMul. Dequantised floats would not do: where a processor
sums its integer products in 16 bits they saturate, and the file's own outputs have that in them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from .emit import Emit
from .graphs import Array, domain_of

_SCALES = {1: (8, 9), 2: (10, 11)}


@dataclass(frozen=True)
class Integers:
    """A quantised matrix, [features, outputs].

    Attributes
    ----------
    values : ndarray of int8 or uint8
    scale : ndarray, one element or one for each output
    zero : ndarray or None
    """

    values: Array
    scale: Array
    zero: Array | None

    def dequantised(self) -> Array:
        """As floats."""
        shifted = self.values.astype(np.int32) - (0 if self.zero is None else self.zero.astype(np.int32))
        made: Array = shifted.astype(self.scale.dtype) * self.scale
        return made


def is_lstm(node: onnx.NodeProto) -> bool:
    """Whether a node is a DynamicQuantizeLSTM."""
    return node.op_type == "DynamicQuantizeLSTM" and domain_of(node) == "com.microsoft"


def product(emit: Emit, x: str, weight: Integers, what: str) -> str:
    """``x weight`` with x quantised by its own range."""
    if emit.opset < 11:
        raise emit.work.refuse(emit.node, "needs opset 11")
    y, scale, zero = emit.ops("DynamicQuantizeLinear", x, count=3, what=f"{what}/DynamicQuantizeLinear")
    matrix = emit.const(weight.values, "weight")
    zeros = () if weight.zero is None else (_scalar(emit, weight.zero, "zero"),)
    whole = emit.op("MatMulInteger", y, matrix, zero, *zeros, what=f"{what}/MatMulInteger")
    floats = emit.op("Cast", whole, what=f"{what}/Cast", to=TensorProto.FLOAT)
    scales = emit.op("Mul", scale, _scalar(emit, weight.scale, "scale"), what=f"{what}/scale")
    return emit.op("Mul", floats, scales, what=f"{what}/scaled")


def _scalar(emit: Emit, value: Array, what: str) -> str:
    return emit.const(value.reshape(()) if value.size == 1 else value, what)


def weights(emit: Emit, node: onnx.NodeProto, direction: int) -> list[Integers]:
    """Input and recurrent weights of one direction."""
    found = []
    for i, (scale, zero) in _SCALES.items():
        values, scales, zeros = (
            emit.work.constant(node.input[k]) if k < len(node.input) else None for k in (i, scale, zero)
        )
        if values is None or scales is None:
            raise emit.work.refuse(node, "its weights are no constants")
        found.append(
            Integers(values[direction], scales[direction], None if zeros is None else zeros[direction])
        )
    return found
