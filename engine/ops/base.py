"""`Ops`: the primitives a rule is written in.

A rule is called once, with `Expr` handles in place of arrays; what it does to them is recorded.
The record is carried out by numpy (`ops/numpy.py`), or written out as ONNX nodes (`ops/onnx.py`).
So there is one definition of every rule, and whatever depends on activations alone (a gate, a
stabilised denominator) can be left to onnxruntime beside the forward pass.

Conventions
-----------
* Four kinds of value: constants; *forward* values, shaped like tensors of the model; *paired* values, of the
  same shapes, made of a forward pass and of a second one, of a reference; *backward* values, with a leading
  axis K (one slice for each explained target) before that shape.
* Axes are negative and shapes are those of the model's tensors: the axis K is never named.
* Broadcasting is numpy's, aligned at the last axis, so forward and backward values mix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..analysis.shapes import Layout, Shape

Array = NDArray[Any]
Kind = Literal["const", "forward", "paired", "backward"]

# What an infinite activation is shown to a rule as; and the smallest divisor.
HUGE = 1e30
# What stays finite where an activation that is shown as finite is moved.
_MOVES = frozenset({"transpose", "reshape", "expand", "slice", "gather", "concat", "neg", "abs", "reference"})
# Sums of products of a backward value with others.
_PRODUCTS = frozenset({"mul", "matmul", "einsum", "conv", "conv_transpose"})

# Made of constants alone: a constant; of backward values and others: a backward value.
_ORDER: tuple[Kind, ...] = ("const", "forward", "paired", "backward")


@dataclass(eq=False, frozen=True)
class Expr:
    """One recorded value.

    Attributes
    ----------
    kind : {"const", "forward", "paired", "backward"}
    op : str
        The primitive that makes it; "const", "value" (a tensor of the model) or "seed" for leaves.
    args : tuple of Expr
    attrs : dict
    index : int
        Position in the record; arguments come before what uses them.
    """

    kind: Kind
    op: str
    args: tuple[Expr, ...] = ()
    attrs: dict[str, Any] = field(default_factory=dict)
    index: int = 0


Operand = Expr | float | int


class Ops:
    """Records primitives. The same call with the same arguments is recorded once.

    Parameters
    ----------
    fold : callable
        ``fold(op, args, attrs) -> ndarray`` computes a primitive whose arguments are all constant.
    dtype : numpy dtype
        Floating type of the relevance arithmetic.
    """

    def __init__(
        self,
        fold: Callable[[str, list[Array], dict[str, Any]], Array],
        dtype: np.dtype[Any] | type = np.float32,
    ) -> None:
        self.fold = fold
        self._known: dict[Any, Expr] = {}
        self.dtype = np.dtype(dtype)
        self.record: list[Expr] = []
        # The node whose rule is being recorded, and that of each value.
        self.node = ""
        self.nodes: list[str] = []
        # Of values that need not be finite: what is shown as finite, and what is made of that.
        self._bounded: set[int] = set()
        self._loose: set[int] = set()

    # -- leaves ---------------------------------------------------------------------------------

    def const(self, value: Array | float | int, name: str = "") -> Expr:
        """A constant; floating arrays are cast to the arithmetic's type.

        `name` is that of the model's tensor it is, where it is one: a compiled file then reads it there.
        """
        array = np.asarray(value)
        if array.dtype.kind == "f" or isinstance(value, (float, int)):
            array = array.astype(self.dtype, copy=False)
        key = ("const", array.item(), array.dtype) if array.ndim == 0 else ("const", id(value))
        found = self._known.get(key)
        if found is None:
            # The caller's array is kept beside, so that its id stays taken.
            found = self._add("const", "const", (), {"array": array, "keep": value, "name": name})
            self._known[key] = found
        return found

    def value(self, name: str) -> Expr:
        """A tensor of the model, by name."""
        return self._make("value", (), {"name": name}, kind="forward")

    def finite_value(self, name: str) -> Expr:
        """A tensor of the model that need not be finite, as one that is: infinities are 1e30, NaN too.

        Where relevance meets factors made of it that are not finite, they count as 0.
        """
        v = self.value(name)
        beyond = self.where(self.less(v, 0.0), -HUGE, HUGE)
        made = self.where(self.less(self.abs(v), HUGE), v, beyond)
        self._loose.discard(made.index)
        self._bounded.add(made.index)
        return made

    def reference(self, e: Expr) -> Expr:
        """What a forward value is in the forward pass of the reference; a constant is the same there."""
        return e if e.kind == "const" else self._make("reference", (e,), kind="paired")

    def seed(self, name: str = "seed") -> Expr:
        """What relevance starts from, shaped [K, *shape of the explained tensor]."""
        return self._make("seed", (), {"name": name}, kind="backward")

    def make(self, op: str, args: Sequence[Expr], attrs: dict[str, Any]) -> Expr:
        """A primitive by name."""
        if op == "value":
            return self.value(attrs["name"])
        if op == "ones":
            return self.ones(attrs["shape"])
        if op == "reference":
            return self.reference(args[0])
        return self.seed(attrs["name"]) if op == "seed" else self._make(op, args, attrs)

    def adopt(self, constant: Expr) -> Expr:
        """A constant of another record."""
        found = self._known.get(("adopted", constant.index))
        if found is None:
            attrs = dict(constant.attrs)
            if "made" in attrs:
                op, args, how = attrs["made"]
                attrs["made"] = (op, tuple(self.adopt(a) for a in args), how)
            found = self._known["adopted", constant.index] = self._add("const", "const", (), attrs)
        return found

    def _add(self, kind: Kind, op: str, args: tuple[Expr, ...], attrs: dict[str, Any]) -> Expr:
        expr = Expr(kind, op, args, attrs, len(self.record))
        self.record.append(expr)
        self.nodes.append(self.node)
        return expr

    def _make(
        self,
        op: str,
        args: Sequence[Operand],
        attrs: dict[str, Any] | None = None,
        *,
        kind: Kind | None = None,
    ) -> Expr:
        attrs = attrs or {}
        exprs = tuple(a if isinstance(a, Expr) else self.const(a) for a in args)
        if kind is None:
            kind = _ORDER[max((_ORDER.index(a.kind) for a in exprs), default=0)]
        if kind == "const":
            folded = ("folded", op, tuple(a.index for a in exprs), _key(attrs))
            if folded not in self._known:
                made = self.const(self.fold(op, [a.attrs["array"] for a in exprs], attrs))
                # How it was made: a compiled file writes that, and not a second copy of a weight.
                if all(a.index < made.index for a in exprs):
                    made.attrs.setdefault("made", (op, exprs, attrs))
                self._known[folded] = made
            return self._known[folded]
        if self._bounded and kind == "backward":
            exprs = self._without_what_is_not_finite(op, exprs)
        key = (op, tuple(a.index for a in exprs), _key(attrs))
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._add(kind, op, exprs, attrs)
            if self._bounded and kind != "backward":
                self._spread(found)
        return found

    def _spread(self, made: Expr) -> None:
        """Note whether a forward or paired value need not be finite."""
        args = {a.index for a in made.args}
        if args & self._loose or (args & self._bounded and made.op not in _MOVES):
            self._loose.add(made.index)
        elif args & self._bounded:
            self._bounded.add(made.index)

    def _without_what_is_not_finite(self, op: str, args: tuple[Expr, ...]) -> tuple[Expr, ...]:
        """The factors that relevance meets, 0 where they are not finite; divisors, never 0."""
        if op in _PRODUCTS:
            return tuple(self._finite(a) if a.index in self._loose else a for a in args)
        if op == "div" and (args[1].index in self._loose or args[1].index in self._bounded):
            there = self.greater(self.abs(args[1]), 0.0)
            return (args[0], self.where(there, args[1], 1 / HUGE))
        return args

    def _finite(self, a: Expr) -> Expr:
        return self.where(self.less(self.abs(a), float(np.finfo(self.dtype).max)), a, 0.0)

    # -- elementwise ----------------------------------------------------------------------------

    def add(self, a: Operand, b: Operand) -> Expr:
        """``a + b``."""
        return self._make("add", (a, b))

    def sub(self, a: Operand, b: Operand) -> Expr:
        """``a - b``."""
        return self._make("sub", (a, b))

    def mul(self, a: Operand, b: Operand) -> Expr:
        """``a * b``; a product with the number 1 is not recorded."""
        if isinstance(a, (int, float)) and a == 1 and isinstance(b, Expr):
            return b
        if isinstance(b, (int, float)) and b == 1 and isinstance(a, Expr):
            return a
        return self._make("mul", (a, b))

    def div(self, a: Operand, b: Operand) -> Expr:
        """``a / b``."""
        return self._make("div", (a, b))

    def pow(self, a: Operand, b: Operand) -> Expr:
        """``a ** b``."""
        return self._make("pow", (a, b))

    def minimum(self, a: Operand, b: Operand) -> Expr:
        """The smaller, element by element."""
        return self._make("minimum", (a, b))

    def maximum(self, a: Operand, b: Operand) -> Expr:
        """The larger, element by element."""
        return self._make("maximum", (a, b))

    def neg(self, a: Expr) -> Expr:
        """``-a``."""
        return self._make("neg", (a,))

    def abs(self, a: Expr) -> Expr:
        """``|a|``."""
        return self._make("abs", (a,))

    def exp(self, a: Expr) -> Expr:
        """``e ** a``."""
        return self._make("exp", (a,))

    def log(self, a: Expr) -> Expr:
        """Natural logarithm."""
        return self._make("log", (a,))

    def sqrt(self, a: Expr) -> Expr:
        """Square root."""
        return self._make("sqrt", (a,))

    def sin(self, a: Expr) -> Expr:
        """Sine."""
        return self._make("sin", (a,))

    def cos(self, a: Expr) -> Expr:
        """Cosine."""
        return self._make("cos", (a,))

    def sinh(self, a: Expr) -> Expr:
        """Hyperbolic sine."""
        return self._make("sinh", (a,))

    def cosh(self, a: Expr) -> Expr:
        """Hyperbolic cosine."""
        return self._make("cosh", (a,))

    def atan(self, a: Expr) -> Expr:
        """Inverse tangent."""
        return self._make("atan", (a,))

    def asinh(self, a: Expr) -> Expr:
        """Inverse hyperbolic sine."""
        return self._make("asinh", (a,))

    def tanh(self, a: Expr) -> Expr:
        """Hyperbolic tangent."""
        return self._make("tanh", (a,))

    def erf(self, a: Expr) -> Expr:
        """Error function."""
        return self._make("erf", (a,))

    def sigmoid(self, a: Expr) -> Expr:
        """``1 / (1 + exp(-a))``."""
        return self._make("sigmoid", (a,))

    def softplus(self, a: Expr) -> Expr:
        """``log(1 + exp(a))``."""
        return self._make("softplus", (a,))

    def less(self, a: Operand, b: Operand) -> Expr:
        """``a < b``, boolean."""
        return self._make("less", (a, b))

    def greater(self, a: Operand, b: Operand) -> Expr:
        """``a > b``, boolean."""
        return self._make("greater", (a, b))

    def equal(self, a: Operand, b: Operand) -> Expr:
        """``a == b``, boolean."""
        return self._make("equal", (a, b))

    def where(self, condition: Expr, a: Operand, b: Operand) -> Expr:
        """`a` where the condition holds, else `b`."""
        return self._make("where", (condition, a, b))

    def as_float(self, a: Expr) -> Expr:
        """Integers as numbers of the arithmetic's type."""
        return self._make("as_float", (a,), {"dtype": self.dtype.name})

    # -- reductions and moves -------------------------------------------------------------------

    def sum(self, a: Expr, axes: Sequence[int], keepdims: bool = True) -> Expr:
        """Sum over negative axes."""
        if not axes:
            return a
        return self._make("sum", (a,), {"axes": tuple(sorted(axes)), "keepdims": keepdims})

    def mean(self, a: Expr, axes: Sequence[int], keepdims: bool = True) -> Expr:
        """Mean over negative axes."""
        if not axes:
            return a
        return self._make("mean", (a,), {"axes": tuple(sorted(axes)), "keepdims": keepdims})

    def max(self, a: Expr, axes: Sequence[int]) -> Expr:
        """The largest over negative axes, which stay with length 1."""
        return self._make("max", (a,), {"axes": tuple(sorted(axes))})

    def inverse_std(self, a: Expr, axes: Sequence[int], eps: float) -> Expr:
        """``1 / sqrt(var(a) + eps)`` over negative axes: what a LayerNormalization divides by."""
        return self._make("inverse_std", (a,), {"axes": tuple(sorted(axes)), "eps": eps})

    def reshape(self, a: Expr, shape: Shape) -> Expr:
        """The same elements in another shape."""
        return self._make("reshape", (a,), {"shape": tuple(shape)})

    def transpose(self, a: Expr, perm: Sequence[int]) -> Expr:
        """Permute the model's axes; `perm` is ONNX's, counted without K."""
        perm = tuple(perm)
        if perm == tuple(range(len(perm))):
            return a
        return self._make("transpose", (a,), {"perm": perm})

    def expand(self, a: Expr, shape: Shape) -> Expr:
        """Broadcast to a shape."""
        return self._make("expand", (a,), {"shape": tuple(shape)})

    def ones(self, shape: Shape) -> Expr:
        """Ones of a shape that may grow with the batch."""
        return self._make("ones", (), {"shape": tuple(shape)}, kind="forward")

    def slice(
        self, a: Expr, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int], steps: Sequence[int]
    ) -> Expr:
        """ONNX Slice along negative axes."""
        return self._make(
            "slice",
            (a,),
            {"starts": tuple(starts), "ends": tuple(ends), "axes": tuple(axes), "steps": tuple(steps)},
        )

    def unslice(
        self, a: Expr, shape: Shape, starts: Sequence[int], axes: Sequence[int], steps: Sequence[int]
    ) -> Expr:
        """Adjoint of `slice`: `a` put into zeros of `shape`."""
        return self._make(
            "unslice",
            (a,),
            {"shape": tuple(shape), "starts": tuple(starts), "axes": tuple(axes), "steps": tuple(steps)},
        )

    def concat(self, parts: Sequence[Expr], axis: int) -> Expr:
        """Join along a negative axis."""
        return self._make("concat", tuple(parts), {"axis": axis})

    def gather(self, a: Expr, indices: Expr, axis: int) -> Expr:
        """ONNX Gather: whole slices along a negative axis, by index."""
        return self._make("gather", (a, indices), {"axis": axis})

    def ungather(self, a: Expr, indices: Expr, axis: int, shape: Shape, rank: int) -> Expr:
        """Adjoint of `gather`: slices summed into zeros of `shape`; `rank` is that of the indices."""
        return self._make("ungather", (a, indices), {"axis": axis, "shape": tuple(shape), "rank": rank})

    def gather_nd(self, a: Expr, indices: Expr, batch_dims: int) -> Expr:
        """ONNX GatherND over the model's axes."""
        return self._make("gather_nd", (a, indices), {"batch_dims": batch_dims})

    def ungather_nd(self, a: Expr, indices: Expr, batch_dims: int, shape: Shape) -> Expr:
        """Adjoint of `gather_nd`: elements summed into zeros of `shape`."""
        return self._make("ungather_nd", (a, indices), {"batch_dims": batch_dims, "shape": tuple(shape)})

    def mask_nd(self, a: Expr, indices: Expr) -> Expr:
        """`a` with zeros at the positions that ScatterND `indices` overwrite."""
        return self._make("mask_nd", (a, indices), {})

    def gather_elements(self, a: Expr, indices: Expr, axis: int) -> Expr:
        """ONNX GatherElements along a negative axis."""
        return self._make("gather_elements", (a, indices), {"axis": axis})

    def ungather_elements(self, a: Expr, indices: Expr, axis: int, shape: Shape) -> Expr:
        """Adjoint of `gather_elements`: elements summed into zeros of `shape`."""
        return self._make("ungather_elements", (a, indices), {"axis": axis, "shape": tuple(shape)})

    def mask_elements(self, a: Expr, indices: Expr, axis: int) -> Expr:
        """`a` with zeros at the positions that ScatterElements `indices` overwrite."""
        return self._make("mask_elements", (a, indices), {"axis": axis})

    def reverse_sequence(self, a: Expr, lengths: Expr, time: int, batch: int) -> Expr:
        """ONNX ReverseSequence; it is its own adjoint. Axes are negative."""
        return self._make("reverse_sequence", (a, lengths), {"time": time, "samples": batch})

    def cumsum(self, a: Expr, axis: int, exclusive: bool = False, reverse: bool = False) -> Expr:
        """ONNX CumSum along a negative axis."""
        return self._make("cumsum", (a,), {"axis": axis, "exclusive": exclusive, "reverse": reverse})

    def argmax(self, a: Expr, axis: int) -> Expr:
        """Index of the first largest element along a negative axis, which stays with length 1."""
        return self._make("argmax", (a,), {"axis": axis})

    # -- linear maps ----------------------------------------------------------------------------

    def matmul(self, a: Expr, b: Expr) -> Expr:
        """Matrix product over the last two axes; both operands have at least two."""
        return self._make("matmul", (a, b))

    def einsum(self, equation: str, operands: Sequence[Expr]) -> Expr:
        """Einstein summation; the equation names the model's axes only, and has no ``...``."""
        return self._make("einsum", tuple(operands), {"equation": equation})

    def dft(self, a: Expr, axis: int, inverse: bool) -> Expr:
        """Discrete Fourier transform along a negative axis; the last axis holds real and imaginary part."""
        return self._make("dft", (a,), {"axis": axis, "inverse": inverse})

    def conv(self, a: Expr, w: Expr, window: Window) -> Expr:
        """ONNX Conv without bias."""
        return self._make("conv", (a, w), {"window": window})

    def conv_transpose(self, a: Expr, w: Expr, window: Window) -> Expr:
        """Adjoint of `conv` in its input."""
        return self._make("conv_transpose", (a, w), {"window": window})

    def unpool(self, a: Expr, window: Window) -> Expr:
        """Adjoint of summing over windows: every element spread over the window it came from."""
        return self._make("unpool", (a,), {"window": window})

    def max_pool_index(self, a: Expr, window: Window, attributes: dict[str, Any]) -> Expr:
        """Flat index, into `a`, of the winner of every window."""
        return self._make("max_pool_index", (a,), {"window": window, "attributes": _Attributes(attributes)})

    def unflatten_at(self, a: Expr, index: Expr, shape: Shape) -> Expr:
        """`a` summed into zeros of `shape` at flat positions."""
        return self._make("unflatten_at", (a, index), {"shape": tuple(shape)})

    # -- the ledger -----------------------------------------------------------------------------

    def per_sample(self, a: Expr, layout: Layout | None) -> Expr:
        """Sum of a backward value over everything but K and the sample, [K, B]."""
        return self._make("per_sample", (a,), {"layout": layout})


@dataclass(frozen=True)
class Window:
    """A sliding window over the spatial axes, as Conv and the pools have it.

    Attributes
    ----------
    kernel, strides, dilations : tuple of int
        One number a spatial axis.
    pads : tuple of int
        ONNX order: all begins, then all ends.
    spatial : tuple of Dim
        Spatial shape of the *input* of the forward operation.
    group : int
        Convolution groups.
    extra : tuple of int
        Of a transposed convolution: ONNX's output_padding, one number a spatial axis.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]
    spatial: Shape
    group: int = 1
    extra: tuple[int, ...] = ()


class _Attributes(dict[str, Any]):
    """A dict of attributes that can be part of a key."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted((k, _frozen(v)) for k, v in self.items())))


def _key(attrs: dict[str, Any]) -> Any:
    return tuple(sorted((k, _frozen(v)) for k, v in attrs.items()))


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
