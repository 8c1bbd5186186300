"""The primitives written out as ONNX nodes, beside a model's own.

Forward values are written into the *instrumented* forward model, so that onnxruntime computes gates
and stabilised denominators along with the activations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .base import Array, Expr

PREFIX = "onnxplain/"

_DIRECT = {
    "add": "Add",
    "sub": "Sub",
    "mul": "Mul",
    "div": "Div",
    "pow": "Pow",
    "neg": "Neg",
    "abs": "Abs",
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "sin": "Sin",
    "cos": "Cos",
    "sinh": "Sinh",
    "cosh": "Cosh",
    "atan": "Atan",
    "asinh": "Asinh",
    "tanh": "Tanh",
    "erf": "Erf",
    "sigmoid": "Sigmoid",
    "softplus": "Softplus",
    "less": "Less",
    "greater": "Greater",
    "where": "Where",
    "matmul": "MatMul",
    "minimum": "Min",
    "maximum": "Max",
}


class Emitter:
    """Adds forward values to a model.

    Parameters
    ----------
    model : onnx.ModelProto
        Changed in place: nodes, initialisers and outputs are appended.
    dtypes : mapping of str to dtype
        Of the model's own values; those that are not of the arithmetic's type are cast.
    dtype : numpy dtype
        Type of the relevance arithmetic.
    """

    def __init__(
        self, model: onnx.ModelProto, dtypes: Mapping[str, np.dtype[Any]], dtype: np.dtype[Any]
    ) -> None:
        self.graph = model.graph
        self.opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
        self.dtypes, self.dtype = dtypes, dtype
        self._names: dict[int, str] = {}
        self._count = 0
        self._outputs = {o.name for o in model.graph.output}

    def fetch(self, expr: Expr, is_input: Callable[[str], bool]) -> str:
        """Make a forward value an output of the model; the name to fetch it by."""
        name = self.name(expr)
        if name not in self._outputs and not is_input(name):
            self.graph.output.append(onnx.ValueInfoProto(name=name))
            self._outputs.add(name)
        return name

    def name(self, expr: Expr) -> str:
        """The tensor that holds an expression, its nodes written if they are not there yet."""
        stack = [expr]
        while stack:  # not by recursion: records can be thousands deep
            top = stack[-1]
            missing = [a for a in top.args if a.index not in self._names]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            if top.index not in self._names:
                self._names[top.index] = self._emit(top)
        return self._names[expr.index]

    def node(self, op: str, inputs: Iterable[str], outputs: int = 1, **attributes: Any) -> str:
        """Append one node; the name of its last output."""
        self._count += 1
        names = [f"{PREFIX}{op}_{self._count}" + (f".{i}" if i else "") for i in range(outputs)]
        self.graph.node.append(
            helper.make_node(op, list(inputs), names, name=f"{PREFIX}{op}_{self._count}", **attributes)
        )
        return names[-1]

    def constant(self, array: Array) -> str:
        """Append one initialiser."""
        self._count += 1
        name = f"{PREFIX}const_{self._count}"
        self.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def _emit(self, e: Expr) -> str:
        if e.op == "value":
            return self._value(e.attrs["name"])
        if e.op == "const":
            return self.constant(e.attrs["array"])
        args = [self._names[a.index] for a in e.args]
        if e.op in _DIRECT:
            return self.node(_DIRECT[e.op], args)
        return _EMITTERS[e.op](self, args, **e.attrs)

    def _value(self, name: str) -> str:
        dtype = self.dtypes.get(name, self.dtype)
        if dtype.kind == "f" and dtype != self.dtype:
            return self.node("Cast", [name], to=helper.np_dtype_to_tensor_dtype(self.dtype))
        return name


_EMITTERS: dict[str, Callable[..., str]] = {}


def _emitter(function: Callable[..., str]) -> Callable[..., str]:
    _EMITTERS[function.__name__.strip("_")] = function
    return function


def _ints(e: Emitter, values: Iterable[int]) -> str:
    return e.constant(np.asarray(list(values), dtype=np.int64))


@_emitter
def _equal(e: Emitter, args: list[str]) -> str:
    if e.opset < 11:  # Equal takes integers only
        apart = e.node("Or", [e.node("Less", args), e.node("Greater", args)])
        return e.node("Not", [apart])
    return e.node("Equal", args)


@_emitter
def _as_float(e: Emitter, args: list[str], *, dtype: str) -> str:
    return e.node("Cast", args, to=cast_float(np.dtype(dtype)))


@_emitter
def _sum(e: Emitter, args: list[str], *, axes: tuple[int, ...], keepdims: bool) -> str:
    if e.opset < 13:
        return e.node("ReduceSum", args, axes=list(axes), keepdims=int(keepdims))
    return e.node("ReduceSum", [*args, _ints(e, axes)], keepdims=int(keepdims))


@_emitter
def _mean(e: Emitter, args: list[str], *, axes: tuple[int, ...], keepdims: bool) -> str:
    if e.opset < 18:
        return e.node("ReduceMean", args, axes=list(axes), keepdims=int(keepdims))
    return e.node("ReduceMean", [*args, _ints(e, axes)], keepdims=int(keepdims))


@_emitter
def _transpose(e: Emitter, args: list[str], *, perm: tuple[int, ...]) -> str:
    return e.node("Transpose", args, perm=list(perm))


@_emitter
def _reshape(e: Emitter, args: list[str], *, shape: tuple[Any, ...]) -> str:
    if sum(not isinstance(d, int) for d in shape) > 1:
        raise ValueError(f"two dimensions of {shape} grow with the batch")
    return e.node("Reshape", [*args, _ints(e, (d if isinstance(d, int) else -1 for d in shape))])


@_emitter
def _expand(e: Emitter, args: list[str], *, shape: tuple[Any, ...]) -> str:
    if any(not isinstance(d, int) for d in shape):
        raise ValueError(f"{shape} grows with the batch")
    return e.node("Expand", [*args, _ints(e, shape)])


@_emitter
def _slice(e: Emitter, args: list[str], *, starts: Any, ends: Any, axes: Any, steps: Any) -> str:
    return e.node("Slice", [*args, _ints(e, starts), _ints(e, ends), _ints(e, axes), _ints(e, steps)])


@_emitter
def _concat(e: Emitter, args: list[str], *, axis: int) -> str:
    return e.node("Concat", args, axis=axis)


@_emitter
def _argmax(e: Emitter, args: list[str], *, axis: int) -> str:
    return e.node("ArgMax", args, axis=axis, keepdims=1)


@_emitter
def _cumsum(e: Emitter, args: list[str], *, axis: int, exclusive: bool, reverse: bool) -> str:
    where = e.constant(np.asarray(axis, dtype=np.int64))
    return e.node("CumSum", [*args, where], exclusive=int(exclusive), reverse=int(reverse))


@_emitter
def _gather(e: Emitter, args: list[str], *, axis: int) -> str:
    return e.node("Gather", args, axis=axis)


@_emitter
def _gather_elements(e: Emitter, args: list[str], *, axis: int) -> str:
    return e.node("GatherElements", args, axis=axis)


@_emitter
def _gather_nd(e: Emitter, args: list[str], *, batch_dims: int) -> str:
    return e.node("GatherND", args, batch_dims=batch_dims)


@_emitter
def _einsum(e: Emitter, args: list[str], *, equation: str) -> str:
    return e.node("Einsum", args, equation=equation)


@_emitter
def _conv_transpose(e: Emitter, args: list[str], *, window: Any) -> str:
    return e.node(
        "ConvTranspose",
        args,
        kernel_shape=list(window.kernel),
        strides=list(window.strides),
        dilations=list(window.dilations),
        pads=list(window.pads),
        output_padding=list(window.extra),
        group=window.group,
    )


@_emitter
def _conv(e: Emitter, args: list[str], *, window: Any) -> str:
    return e.node(
        "Conv",
        args,
        kernel_shape=list(window.kernel),
        strides=list(window.strides),
        dilations=list(window.dilations),
        pads=list(window.pads),
        group=window.group,
    )


@_emitter
def _max_pool_index(e: Emitter, args: list[str], *, window: Any, attributes: dict[str, Any]) -> str:
    return e.node("MaxPool", args, outputs=2, **attributes)


def cast_float(dtype: np.dtype[Any]) -> int:
    """ONNX's number for a floating dtype."""
    return TensorProto.DOUBLE if dtype == np.float64 else TensorProto.FLOAT
