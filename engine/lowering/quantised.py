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

from ..file.protobuf import Array, domain_of
from .emit import Emit

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


def is_lstm(node: onnx.NodeProto) -> bool:
    """Whether a node is a DynamicQuantizeLSTM."""
    return node.op_type == "DynamicQuantizeLSTM" and domain_of(node) == "com.microsoft"


def product(emit: Emit, x: str, weight: Integers, what: str) -> str:
    """``x weight`` with x quantised by its own range."""
    if emit.opset < 11:
        raise emit.work.refuse(emit.node, "needs opset 11")
    y, scale, zero = emit.ops("DynamicQuantizeLinear", x, count=3, what=f"{what}/DynamicQuantizeLinear")
    zeros = "" if weight.zero is None else _scalar(emit, weight.zero, "zero")
    scales = (scale, _scalar(emit, weight.scale, "scale"))
    return integer_product(emit, (y, emit.const(weight.values, "weight")), scales, (zero, zeros), what)


def integer_product(
    emit: Emit, factors: tuple[str, str], scales: tuple[str, str], zeros: tuple[str, str], what: str
) -> str:
    """``(a - za) (b - zb) sa sb`` by MatMulInteger, Cast and Mul."""
    operands = [*factors, *zeros]
    while not operands[-1]:
        operands.pop()
    whole = emit.op("MatMulInteger", *operands, what=f"{what}/MatMulInteger")
    floats = emit.op("Cast", whole, what=f"{what}/Cast", to=TensorProto.FLOAT)
    scale = emit.op("Mul", *scales, what=f"{what}/scale")
    return emit.op("Mul", floats, scale, what=f"{what}/scaled")


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


def dequantised_blocks(
    packed: Array, scales: Array, zeros: Array | None, *, bits: int, block: int, shape: tuple[int, int]
) -> Array:
    """A weight [N, K] from numbers of few bits, each block of K with a scale and a zero of its own."""
    rows, columns = shape
    blocks = -(-columns // block)
    values = _unpacked(packed.reshape(rows, blocks, -1), bits)[..., :block]
    middle: Array = np.full((rows, blocks), 2 ** (bits - 1), np.float32)
    if zeros is not None and zeros.dtype.kind == "f":
        middle = zeros.reshape(rows, blocks).astype(np.float32)
    elif zeros is not None:
        middle = _unpacked(zeros.reshape(rows, -1), bits)[:, :blocks].astype(np.float32)
    made = (values.astype(np.float32) - middle[..., None]) * scales.reshape(rows, blocks, 1)
    whole: Array = made.reshape(rows, blocks * block)[:, :columns]
    return whole


def _unpacked(packed: Array, bits: int) -> Array:
    """Numbers of `bits` bits from bytes, lowest bits first, along the last axis."""
    flat = np.unpackbits(packed.astype(np.uint8), axis=-1, bitorder="little")
    count = flat.shape[-1] // bits
    groups = flat[..., : count * bits].reshape(*flat.shape[:-1], count, bits)
    made: Array = (groups.astype(np.int32) << np.arange(bits)).sum(-1)
    return made
