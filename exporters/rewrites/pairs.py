"""Complex numbers as pairs of real ones: ONNX runtimes have no complex tensors.

A network's complex values are `Pair` objects while it is exported. The functions of torch that meet one
are answered here with real arithmetic, Fourier transforms by `fourier` with products. What has no real form
is told by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..extras import need
from . import fourier

# What is done to both parts alike: shapes, sums, choices; and products with what is real.
_ALIKE = frozenset((
    "reshape", "view", "flatten", "unflatten", "squeeze", "unsqueeze", "transpose", "permute", "movedim",
    "moveaxis", "swapaxes", "expand", "expand_as", "repeat", "repeat_interleave", "contiguous", "clone",
    "detach", "narrow", "select", "index_select", "__getitem__", "sum", "mean", "cumsum", "flip", "roll",
    "neg", "negative", "__neg__", "chunk", "split", "unbind", "cat", "concat", "concatenate", "stack",
    "pad", "broadcast_to", "tile", "ravel", "diagonal", "positive", "resolve_conj", "resolve_neg",
    "zeros_like", "double", "float",
))  # fmt: skip
_SIZES = frozenset(("size", "dim", "numel", "ndim", "shape", "device", "requires_grad", "layout", "is_cuda"))


class Pair:
    """A complex tensor as its real and its imaginary part, of one shape."""

    def __init__(self, real: Any, imag: Any) -> None:
        self.real, self.imag = real, imag

    @property
    def dtype(self) -> Any:
        """The complex dtype that the tensor would have."""
        torch = need("torch")
        return torch.complex128 if self.real.dtype == torch.float64 else torch.complex64

    def __getattr__(self, name: str) -> Any:
        if name in _SIZES:
            return getattr(self.real, name)
        if name.startswith("__"):
            raise AttributeError(name)
        function = getattr(need("torch").Tensor, name)
        return lambda *args, **kwargs: answered(function, (self, *args), kwargs)

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """What torch calls for its functions with a pair among their arguments."""
        return answered(function, args, kwargs or {})

    def __getitem__(self, key: Any) -> Pair:
        return Pair(self.real[key], self.imag[key])

    def __len__(self) -> int:
        return len(self.real)

    def __neg__(self) -> Pair:
        return Pair(-self.real, -self.imag)

    def __add__(self, other: Any) -> Pair:
        real, imag = parts(other)
        return Pair(self.real + real, self.imag if imag is None else self.imag + imag)

    def __sub__(self, other: Any) -> Pair:
        return self.__add__(-other)

    def __rsub__(self, other: Any) -> Pair:
        return self.__neg__().__add__(other)

    def __mul__(self, other: Any) -> Pair:
        return _product(lambda a, b: a * b, self, other)

    def __truediv__(self, other: Any) -> Pair:
        real, imag = parts(other)
        if imag is None:
            return Pair(self.real / real, self.imag / real)
        size = real * real + imag * imag
        return self * Pair(real / size, -imag / size)

    def __rtruediv__(self, other: Any) -> Pair:
        return Pair(self.real * 0 + parts(other)[0], self.imag * 0 + (parts(other)[1] or 0)) / self

    def __matmul__(self, other: Any) -> Pair:
        return _product(lambda a, b: a @ b, self, other)

    def __rmatmul__(self, other: Any) -> Pair:
        return _product(lambda a, b: a @ b, other, self)

    def __pow__(self, power: Any) -> Pair:
        if not isinstance(power, int) or power < 0:
            raise NotImplementedError("a complex number to a power that is no natural number")
        made = Pair(self.real * 0 + 1, self.imag * 0)
        for _ in range(power):
            made = made * self
        return made

    __radd__, __rmul__ = __add__, __mul__


def parts(x: Any) -> tuple[Any, Any]:
    """Real and imaginary part; None where there is none."""
    if isinstance(x, Pair):
        return x.real, x.imag
    if isinstance(x, complex):
        return x.real, x.imag
    return x, None


def _product(multiply: Callable[[Any, Any], Any], a: Any, b: Any) -> Pair:
    """(a + bi)(c + di) by any bilinear operator."""
    (p, q), (r, s) = parts(a), parts(b)
    if s is None:
        return Pair(multiply(p, r), multiply(q, r))
    if q is None:
        return Pair(multiply(p, r), multiply(p, s))
    return Pair(multiply(p, r) - multiply(q, s), multiply(p, s) + multiply(q, r))


def angle(x: Pair) -> Any:
    """The phase of every number, in (-pi, pi]; 0 of 0, and pi on the negative real axis.

    A floating-point zero has a sign, and torch's angle follows it: -0 as the imaginary part of a negative
    number gives -pi. What a transform of real numbers gives there (its constant, its Nyquist bin) is +0.
    """
    torch = need("torch")
    flat = x.real == 0
    turn = torch.where(x.imag < 0, -math.pi, math.pi)
    slope = torch.atan(x.imag / torch.where(flat, 1.0, x.real))
    upright = torch.sign(x.imag) * (math.pi / 2)
    return torch.where(flat, upright, slope + torch.where(x.real < 0, turn, 0.0))


def _einsum(equation: str, *operands: Any) -> Any:
    torch = need("torch")
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    if len(operands) == 1:
        return Pair(*(torch.einsum(equation, p) for p in parts(operands[0])))
    if len(operands) != 2:
        raise NotImplementedError("einsum of more than two complex operands")
    return _product(lambda a, b: torch.einsum(equation, a, b), *operands)


def _exp(x: Pair) -> Pair:
    torch = need("torch")
    size = torch.exp(x.real)
    return Pair(size * torch.cos(x.imag), size * torch.sin(x.imag))


def _to(x: Any, *args: Any, **kwargs: Any) -> Any:
    """A change of type: to a complex one, or of a complex one."""
    torch = need("torch")
    kinds = {torch.complex64: torch.float32, torch.complex128: torch.float64}
    args = tuple(kinds.get(a, a) if isinstance(a, torch.dtype) else a for a in args)
    if "dtype" in kwargs:
        kwargs = {**kwargs, "dtype": kinds.get(kwargs["dtype"], kwargs["dtype"])}
    real, imag = parts(x)
    real = real.to(*args, **kwargs)
    return Pair(real, torch.zeros_like(real) if imag is None else imag.to(*args, **kwargs))


def _absolute(x: Pair) -> Any:
    torch = need("torch")
    return torch.linalg.vector_norm(torch.stack((x.real, x.imag), -1), dim=-1)


_OWN: dict[str, Callable[..., Any]] = {
    "abs": lambda x: _absolute(x),
    "absolute": lambda x: _absolute(x),
    "angle": angle,
    "real": lambda x: x.real,
    "imag": lambda x: x.imag,
    "conj": lambda x: Pair(x.real, -x.imag),
    "conj_physical": lambda x: Pair(x.real, -x.imag),
    "adjoint": lambda x: Pair(x.real, -x.imag).transpose(-2, -1),
    "view_as_real": lambda x: need("torch").stack((x.real, x.imag), -1),
    "is_complex": lambda x: True,
    "exp": _exp,
    "square": lambda x: x * x,
    "einsum": _einsum,
    "to": _to,
    "type": _to,
    "add": lambda a, b, **_: a + b if isinstance(a, Pair) else b + a,
    "sub": lambda a, b, **_: a - b if isinstance(a, Pair) else b.__rsub__(a),
    "mul": lambda a, b: a * b if isinstance(a, Pair) else b * a,
    "multiply": lambda a, b: a * b if isinstance(a, Pair) else b * a,
    "div": lambda a, b: a / b if isinstance(a, Pair) else b.__rtruediv__(a),
    "pow": lambda a, b: a**b,
    "matmul": lambda a, b: a @ b if isinstance(a, Pair) else b.__rmatmul__(a),
    "bmm": lambda a, b: a @ b if isinstance(a, Pair) else b.__rmatmul__(a),
}
# What makes complex numbers of real ones.
_MAKES: dict[str, Callable[..., Any]] = {
    "complex": Pair,
    "view_as_complex": lambda x: Pair(x[..., 0], x[..., 1]),
    "polar": lambda size, phase: Pair(size * need("torch").cos(phase), size * need("torch").sin(phase)),
}
_SPELT = {
    "__add__": "add", "__radd__": "add", "__sub__": "sub", "__mul__": "mul", "__rmul__": "mul",
    "__truediv__": "div", "__matmul__": "matmul", "__pow__": "pow", "true_divide": "div", "divide": "div",
    "subtract": "sub", "__abs__": "abs",
}  # fmt: skip


def answered(function: Any, args: Any, kwargs: Any) -> Any:
    """What one of torch's functions gives where complex numbers go in or come out; see `concerns`.

    Raises
    ------
    NotImplementedError
        It has no real form here.
    """
    name = getattr(function, "__name__", str(function))
    if name == "__get__":  # x.real, x.shape, ...
        return getattr(args[0], function.__self__.__name__)
    if name in fourier.TRANSFORMS:
        made = fourier.TRANSFORMS[name](
            *(parts(args[0]) if args else parts(kwargs.pop("input"))), *args[1:], **kwargs
        )
        return Pair(*made) if isinstance(made, tuple) else made
    name = _SPELT.get(name, name)
    if name in _MAKES:
        return _MAKES[name](*args, **kwargs)
    if name == "__rsub__" and isinstance(args[1], complex):
        return Pair(args[1].real - args[0], need("torch").zeros_like(args[0]) + args[1].imag)
    if name in _OWN:
        args = tuple(_lifted(a, args) for a in args)
        return _OWN[name](*args, **kwargs)
    if name in _ALIKE:
        return _alike(function, args, kwargs)
    raise NotImplementedError(f"{name} of complex numbers")


def _lifted(a: Any, beside: Any) -> Any:
    """A Python complex number beside a real tensor, as a pair."""
    if isinstance(a, complex) and not any(isinstance(b, Pair) for b in beside):
        tensor = next(b for b in beside if not isinstance(b, complex))
        one = need("torch").ones_like(tensor)
        return Pair(one * a.real, one * a.imag)
    return a


def _alike(function: Any, args: Any, kwargs: Any) -> Any:
    def only(x: Any, which: int) -> Any:
        if isinstance(x, Pair):
            return (x.real, x.imag)[which]
        return type(x)(only(v, which) for v in x) if type(x) in (list, tuple) else x

    made = [
        function(*(only(a, w) for a in args), **{k: only(v, w) for k, v in kwargs.items()}) for w in (0, 1)
    ]
    if isinstance(made[0], (list, tuple)):
        return tuple(Pair(*both) for both in zip(*made, strict=True))
    return Pair(*made)


def concerns(function: Any, args: Any, kwargs: Any) -> bool:
    """Whether complex numbers go into or come out of a call to one of torch's functions."""
    torch = need("torch")
    name = getattr(function, "__name__", "")
    if name in fourier.TRANSFORMS or name in _MAKES:
        return True

    def complex_in(a: Any) -> bool:
        if isinstance(a, (list, tuple)):
            return any(complex_in(b) for b in a)
        return isinstance(a, (Pair, complex)) or (isinstance(a, torch.dtype) and a.is_complex)

    return any(complex_in(a) for a in (*args, *kwargs.values()))


def apply(network: Any, example: Any) -> Any:
    """The network inside `Pair` arithmetic, where it has complex numbers."""
    torch = need("torch")
    from torch.overrides import TorchFunctionMode

    class Mode(TorchFunctionMode):
        def __init__(self, tables: Any) -> None:
            super().__init__()
            self.tables, self.met = tables, False

        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            if not concerns(function, args, kwargs):
                return function(*args, **kwargs)
            self.met = True
            with fourier.keeping(self.tables):
                return answered(function, args, kwargs)

    class Real(torch.nn.Module):  # type: ignore[misc, name-defined]
        """A network whose complex numbers are pairs."""

        def __init__(self, network: Any) -> None:
            super().__init__()
            self.network = network
            self.tables = fourier.tables()

        def forward(self, x: Any) -> Any:
            with Mode(self.tables):
                return self.network(x)

    made = Real(network)
    with torch.no_grad(), Mode(made.tables) as mode:
        try:
            network(example)
        except NotImplementedError:
            return None  # the exporters will say what they make of it
    return made if mode.met else None
