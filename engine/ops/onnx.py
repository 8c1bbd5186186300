"""The primitives written out as ONNX nodes, beside a model's own.

Forward values are written into the *instrumented* forward model, so that onnxruntime computes gates
and stabilised denominators along with the activations. In a compiled model backward values are written
as well; what moves and scatters them is in `onnx_moves.py`, windows are in `onnx_windows.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..analysis.shapes import Dim, Shape
from ..file.opset_forms import axes_are_operand
from ..file.own_names import PREFIX
from .base import Array, Expr

# Constants up to this many elements are written down; larger ones as what is done to a weight.
SMALL = 64

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
    """Adds values to a model: forward ones, and backward ones where their shapes are known.

    Parameters
    ----------
    model : onnx.ModelProto
        Changed in place: nodes, initialisers and outputs are appended.
    dtypes : mapping of str to dtype
        Of the model's own values; those that are not of the arithmetic's type are cast.
    dtype : numpy dtype
        Type of the relevance arithmetic.
    targets : int, optional
        Length of the axis K of backward values; without it they have none, and one target is explained.
    shapes : mapping of int to Shape
        Of backward values, by index, without K.
    samples : callable, optional
        Writes what counts the samples, a tensor of one int64; for shapes that grow with the batch.
    prefix : str
        Of the names it makes.
    shared : collection of int
        Values, by index, that several others read.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        dtypes: Mapping[str, np.dtype[Any]],
        dtype: np.dtype[Any],
        *,
        targets: int | None = None,
        shapes: Mapping[int, Shape] | None = None,
        samples: Callable[[Emitter], str] | None = None,
        prefix: str = PREFIX,
        shared: Collection[int] = (),
    ) -> None:
        self.graph = model.graph
        self.opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
        self.dtypes, self.dtype = dtypes, dtype
        self.targets, self.shapes = targets, shapes or {}
        self._samples, self.prefix, self._shared = samples, prefix, shared
        self.counted = ""
        self._names: dict[int, str] = {}
        self._integers: dict[tuple[int, ...], str] = {}
        self._casts: dict[str, str] = {}
        self.count = 0
        self._outputs = {o.name for o in model.graph.output}
        self._own = {t.name for t in model.graph.initializer} | {i.name for i in model.graph.input}
        self._own |= {o for n in model.graph.node for o in n.output}
        self.lead = 0
        self.here: Expr | None = None

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
            missing = [a for a in self._reads(top) if a.index not in self._names]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            if top.index not in self._names:
                self._names[top.index] = self._emit(top)
        return self._names[expr.index]

    def given(self, index: int, name: str) -> None:
        """Say which tensor holds an expression."""
        self._names[index] = name

    def node(self, op: str, inputs: Iterable[str], outputs: int = 1, **attributes: Any) -> str:
        """Append one node; the name of its last output."""
        self.count += 1
        names = [f"{self.prefix}{op}_{self.count}" + (f".{i}" if i else "") for i in range(outputs)]
        self.graph.node.append(
            helper.make_node(op, list(inputs), names, name=f"{self.prefix}{op}_{self.count}", **attributes)
        )
        return names[-1]

    def constant(self, array: Array) -> str:
        """Append one initialiser."""
        self.count += 1
        name = f"{self.prefix}const_{self.count}"
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def ints(self, values: Iterable[int]) -> str:
        """A vector of int64."""
        key = tuple(int(v) for v in values)
        if key not in self._integers:
            self._integers[key] = self.constant(np.asarray(key, dtype=np.int64))
        return self._integers[key]

    def shape(self, dims: Sequence[Dim]) -> str:
        """A shape as a vector of int64, that of the batch worked out where there is one in it."""
        parts: list[list[int] | str] = []
        for d in dims:
            if isinstance(d, int):
                if parts and isinstance(parts[-1], list):
                    parts[-1].append(d)
                else:
                    parts.append([d])
            else:
                size = self.samples()
                size = size if d.scale == 1 else self.node("Mul", [size, self.ints([d.scale])])
                parts.append(size if not d.offset else self.node("Add", [size, self.ints([d.offset])]))
        names = [p if isinstance(p, str) else self.ints(p) for p in parts]
        return names[0] if len(names) == 1 else self.node("Concat", names, axis=0)

    def samples(self) -> str:
        """How many samples there are, as a vector of one int64."""
        if not self.counted:
            if self._samples is None:
                raise ValueError("a shape grows with the batch")
            self.counted = self._samples(self)
        return self.counted

    def front(self) -> list[int]:
        """The axis K, where what is being written has one."""
        return [self.targets] if self.lead and self.targets is not None else []

    def shape_of(self, i: int) -> Shape:
        """The shape of argument i, without K."""
        assert self.here is not None
        return self.shapes[self.here.args[i].index]

    def own(self) -> Shape:
        """The shape of what is being written, without K."""
        assert self.here is not None
        return self.shapes[self.here.index]

    def _reads(self, e: Expr) -> tuple[Expr, ...]:
        if e.op == "const" and self._written_out(e):
            made: tuple[Expr, ...] = e.attrs["made"][1]
            return made
        return e.args

    def _written_out(self, e: Expr) -> bool:
        return _written_out(e, self._own)

    def _is_own(self, e: Expr) -> bool:
        return _is_own(e, self._own)

    def _emit(self, e: Expr) -> str:
        self.here, self.lead = e, 0
        assert e.op != "reference", "the reference's values are given"
        if e.op in ("value", "seed"):
            return self._value(e.attrs["name"])
        if e.op == "const":
            if self._is_own(e) and e.attrs["array"].size > SMALL:
                return self._value(e.attrs["name"])
            if not self._written_out(e):
                return self.constant(e.attrs["array"])
            op, read, attrs = e.attrs["made"]
        else:
            op, read, attrs = e.op, e.args, e.attrs
            self.lead = int(self.targets is not None and bool(read) and read[0].kind == "backward")
        args = [self._names[a.index] for a in read]
        if op in _DIRECT:
            return self.node(_DIRECT[op], self._as_numbers(op, args, read))
        return _EMITTERS[op](self, args, **attrs)

    def _as_numbers(self, op: str, args: list[str], read: Sequence[Expr]) -> list[str]:
        """Operands of one type, as numpy would have them: the model's integers become floating numbers."""
        here, last = self.here, 1
        if op == "mul" and here is not None and here.index in self._shared and self.own():
            size = self.own()[-1]
            last = size if isinstance(size, int) else 1
        if last > 1:
            # Not as a scalar: onnxruntime (1.31) would merge it into a MatMul, and loses the product where
            # another node reads it too.
            args = [
                self.constant(np.full(last, a.attrs["array"], self.dtype)) if _is_number(a) else n
                for n, a in zip(args, read, strict=True)
            ]
        own = [a.op == "value" and self.dtypes[a.attrs["name"]].kind in "iu" for a in read]
        if op == "where" or not any(own) or all(own):
            return args
        kind = helper.np_dtype_to_tensor_dtype(self.dtype)
        return [self.node("Cast", [n], to=kind) if mine else n for n, mine in zip(args, own, strict=True)]

    def _value(self, name: str) -> str:
        dtype = self.dtypes.get(name, self.dtype)
        if dtype.kind == "f" and dtype != self.dtype:
            if name not in self._casts:
                to = helper.np_dtype_to_tensor_dtype(self.dtype)
                self._casts[name] = self.node("Cast", [name], to=to)
            return self._casts[name]
        return name


def _is_number(e: Expr) -> bool:
    return e.op == "const" and e.attrs["array"].size == 1


def _is_own(e: Expr, own: Collection[str]) -> bool:
    """Whether a constant is one of the model's own weights."""
    return bool(e.attrs.get("name")) and e.attrs["name"] in own


def _written_out(e: Expr, own: Collection[str]) -> bool:
    """Whether a constant is written as what is done to the model's own weights."""
    if "made" not in e.attrs or _is_own(e, own) or e.attrs["array"].size <= SMALL:
        return False
    args: tuple[Expr, ...] = e.attrs["made"][1]
    return any(_is_own(a, own) or _written_out(a, own) for a in args)


class Freed:
    """In the place of an array whose memory was given back: its shape is known, and its values are not.

    Parameters
    ----------
    array : ndarray
        Of which only shape and dtype are kept.
    """

    def __init__(self, array: Array) -> None:
        self.shape, self.dtype, self.size, self.ndim = array.shape, array.dtype, array.size, array.ndim

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        raise RuntimeError(
            f"a constant of shape {list(self.shape)} was freed when the backward pass was written as a "
            "graph; numpy cannot carry it out any more"
        )


def free_weights(record: Iterable[Expr], own: Collection[str]) -> None:
    """Free the arrays that no graph has written down: the weights, and what is made of them.

    Parameters
    ----------
    record : iterable of Expr
        numpy cannot carry it out any more: what reads one of them raises RuntimeError.
    own : collection of str
        Names of the model's weights.
    """
    gone = [
        e
        for e in record
        if e.op == "const" and e.attrs["array"].size > SMALL and (_is_own(e, own) or _written_out(e, own))
    ]
    for e in gone:
        e.attrs["array"] = Freed(e.attrs["array"])
        e.attrs.pop("keep", None)


_EMITTERS: dict[str, Callable[..., str]] = {}


def emitter(function: Callable[..., str]) -> Callable[..., str]:
    """Register what writes a primitive: ``_name(emitter, names of the arguments, **attributes)``."""
    _EMITTERS[function.__name__.strip("_")] = function
    return function


@emitter
def _equal(e: Emitter, args: list[str]) -> str:
    if e.opset < 11:  # Equal takes integers only
        apart = e.node("Or", [e.node("Less", args), e.node("Greater", args)])
        return e.node("Not", [apart])
    return e.node("Equal", args)


@emitter
def _as_float(e: Emitter, args: list[str], *, dtype: str) -> str:
    return e.node("Cast", args, to=cast_float(np.dtype(dtype)))


@emitter
def _sum(e: Emitter, args: list[str], *, axes: tuple[int, ...], keepdims: bool) -> str:
    if e.here is not None and e.here.kind == "backward" and 0 in e.shape_of(0):
        # onnxruntime (1.31) leaves what is empty as it is, whatever is summed.
        return e.node("Expand", [e.constant(np.asarray(0, e.dtype)), e.shape([*e.front(), *e.own()])])
    return _reduce(e, "ReduceSum", args, axes, keepdims)


@emitter
def _mean(e: Emitter, args: list[str], *, axes: tuple[int, ...], keepdims: bool) -> str:
    return _reduce(e, "ReduceMean", args, axes, keepdims)


@emitter
def _max(e: Emitter, args: list[str], *, axes: tuple[int, ...]) -> str:
    return _reduce(e, "ReduceMax", args, axes, True)


def _reduce(e: Emitter, kind: str, args: list[str], axes: tuple[int, ...], keepdims: bool) -> str:
    if axes_are_operand(kind, e.opset):
        return e.node(kind, [*args, e.ints(axes)], keepdims=int(keepdims))
    return e.node(kind, args, axes=list(axes), keepdims=int(keepdims))


@emitter
def _inverse_std(e: Emitter, args: list[str], *, axes: tuple[int, ...], eps: float) -> str:
    """That of the model's own LayerNormalization, where there is one: it has it as an output."""
    # In double, onnxruntime gives this output in float32.
    if e.opset >= 17 and e.dtype == np.float32:
        for node in e.graph.node:
            given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            if (
                node.op_type == "LayerNormalization"
                and not node.domain
                and node.input[0] == args[0]
                and given.get("axis", -1) == axes[0]
                and abs(given.get("epsilon", 1e-5) - eps) < 1e-9
            ):
                if len(node.output) < 3:
                    e.count += 1
                    more = ["", f"{e.prefix}InvStdDev_{e.count}"]
                    node.output.extend(more[len(node.output) - 1 :])
                return str(node.output[2])
    centred = e.node("Sub", [args[0], _mean(e, args, axes=axes, keepdims=True)])
    variance = _mean(e, [e.node("Mul", [centred, centred])], axes=axes, keepdims=True)
    floor = e.node("Add", [variance, e.constant(np.asarray(eps, e.dtype))])
    return e.node("Div", [e.constant(np.asarray(1, e.dtype)), e.node("Sqrt", [floor])])


def cast_float(dtype: np.dtype[Any]) -> int:
    """ONNX's number for a floating dtype."""
    return TensorProto.DOUBLE if dtype == np.float64 else TensorProto.FLOAT
