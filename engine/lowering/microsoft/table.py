"""Which function writes out which fused operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from ...errors import UnsupportedOperator
from ...file.protobuf import Array, attributes, domain_of
from ..emit import Emit, apply
from ..workspace import Workspace

MICROSOFT = "com.microsoft"
NCHWC = "com.microsoft.nchwc"


class Fused:
    """A fused operator while it is written out.

    Parameters
    ----------
    emit : Emit
    node : onnx.NodeProto
    """

    def __init__(self, emit: Emit, node: onnx.NodeProto) -> None:
        self.emit, self.node = emit, node
        self._attributes = attributes(node)

    def operand(self, i: int) -> str:
        """Name of an operand, "" where it is left out."""
        return self.node.input[i] if i < len(self.node.input) else ""

    def wants(self, i: int) -> bool:
        """Whether an output is named."""
        return i < len(self.node.output) and bool(self.node.output[i])

    def attr(self, name: str, default: Any = None) -> Any:
        """An attribute."""
        return self._attributes.get(name, default)

    def value(self, i: int) -> Array:
        """What an operand is for the input at hand."""
        name = self.operand(i)
        return self.emit.work.observe([name])[name]

    def rank(self, i: int) -> int:
        """The rank of an operand."""
        return self.value(i).ndim

    def constant(self, i: int) -> Array | None:
        """An operand's value where it is a constant."""
        return self.emit.work.constant(self.operand(i)) if self.operand(i) else None

    @property
    def dtype(self) -> Any:
        """The type of the first operand."""
        return self.value(0).dtype

    def number(self, value: float, like: int = 0) -> str:
        """A scalar of an operand's type."""
        return self.emit.const(value, dtype=self.value(like).dtype)

    def refuse(self, why: str) -> UnsupportedOperator:
        """The error that says what of it is not supported."""
        return UnsupportedOperator(f"{self.emit.work.at(self.node)}: {why} is not supported")


# The values of the outputs, as many as there are.
Writer = Callable[[Fused], Sequence[str]]

TABLE: dict[tuple[str, str], Writer] = {}


def writes(*op_types: str, domain: str = MICROSOFT) -> Callable[[Writer], Writer]:
    """Register a function for operators of a domain."""

    def register(writer: Writer) -> Writer:
        for op_type in op_types:
            if (domain, op_type) in TABLE:
                raise ValueError(f"{domain}.{op_type} is written out twice")
            TABLE[domain, op_type] = writer
        return writer

    return register


def writer_of(node: onnx.NodeProto) -> Writer | None:
    """The function for a node."""
    return TABLE.get((domain_of(node), node.op_type))


def write_out(
    work: Workspace, found: Mapping[int, onnx.NodeProto], writers: Callable[[onnx.NodeProto], Writer]
) -> None:
    """Put what its writer makes in the place of each of these nodes, by position.

    Raises
    ------
    UnsupportedOperator
        One has a form that is not supported.
    """
    work.observe(v for node in found.values() for v in node.input if v)
    made: dict[int, Emit] = {}
    for i, node in found.items():
        emit = made[i] = Emit(work, node)
        fused = Fused(emit, node)
        values = writers(node)(fused)
        for k in range(len(values), len(node.output)):
            if node.output[k]:
                raise fused.refuse(f"output {node.output[k]!r}")
        emit.give({o: v for o, v in zip(node.output, values, strict=False) if o})
    apply(work, made)


def activated(o: Fused, x: str) -> str:
    """The activation that a fused layer names, as onnxruntime's FusedConv and FusedGemm do."""
    name = o.attr("activation", "")
    if not name:
        return x
    given = list(o.attr("activation_params", []))
    given += [o.attr(f"activation_{k}") for k in ("alpha", "beta", "gamma")]
    numbers = [float(v) for v in given if v is not None]
    emit = o.emit
    if name in ("Relu", "Sigmoid", "Tanh", "Softplus", "Softsign", "HardSwish"):
        return emit.op(name, x, what=name)
    if name in ("LeakyRelu", "Elu", "ThresholdedRelu", "HardSigmoid"):
        named: dict[str, Any] = dict(zip(("alpha", "beta"), numbers, strict=False))
        return emit.op(name, x, what=name, **named)
    if name == "Clip":
        low, high = numbers or (float(np.finfo(np.float32).min), float(np.finfo(np.float32).max))
        return emit.clip(x, low, high, o.dtype, what=name)
    if name == "Gelu":
        return gelu(emit, x, o.dtype)
    raise o.refuse(f"activation {name!r}")


def gelu(emit: Emit, x: str, dtype: Any) -> str:
    """``x Phi(x)``."""
    if emit.opset >= 20:
        return emit.op("Gelu", x, what="Gelu")
    inner = emit.op("Erf", emit.op("Mul", x, emit.const(0.5**0.5, dtype=dtype), what="scaled"), what="Erf")
    phi = emit.op("Add", inner, emit.const(1, dtype=dtype), what="plus_one")
    return emit.op("Mul", x, emit.op("Mul", phi, emit.const(0.5, dtype=dtype), what="gate"), what="Gelu")
