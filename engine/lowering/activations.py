"""Activations of recurrent layers by name, with their parameters, as onnxruntime reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .emit import Emit

# Name: the defaults of alpha and beta where they are used.
_DEFAULTS: dict[str, tuple[float, ...]] = {
    "affine": (1.0, 0.0),
    "elu": (1.0,),
    "hardsigmoid": (0.2, 0.5),
    "leakyrelu": (0.01,),
    "relu": (),
    "scaledtanh": (1.0, 1.0),
    "sigmoid": (),
    "softplus": (),
    "softsign": (),
    "tanh": (),
    "thresholdedrelu": (1.0,),
}
_OPERATORS = {
    "elu": "Elu",
    "hardsigmoid": "HardSigmoid",
    "leakyrelu": "LeakyRelu",
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "tanh": "Tanh",
}


@dataclass(frozen=True)
class Activation:
    """A function of one operand.

    Attributes
    ----------
    name : str
        In lower case.
    parameters : tuple of float
        alpha, beta.
    """

    name: str
    parameters: tuple[float, ...]

    def emit(self, emit: Emit, x: str, dtype: Any, what: str) -> str:
        """Emit it."""
        if self.name in _OPERATORS:
            named: dict[str, Any] = dict(zip(("alpha", "beta"), self.parameters, strict=False))
            return emit.op(_OPERATORS[self.name], x, what=what, **named)
        alpha = emit.const(self.parameters[0], "alpha", dtype)
        if self.name == "thresholdedrelu":
            above = emit.op("Greater", x, alpha, what=f"{what}/above")
            return emit.op("Where", above, x, emit.const(0, "zero", dtype), what=what)
        beta = emit.const(self.parameters[1], "beta", dtype)
        if self.name == "affine":
            return emit.op("Add", emit.op("Mul", x, alpha, what=f"{what}/scaled"), beta, what=what)
        inner = emit.op("Tanh", emit.op("Mul", x, beta, what=f"{what}/scaled"), what=f"{what}/Tanh")
        return emit.op("Mul", inner, alpha, what=what)

    def complement(self, emit: Emit, before: str, after: str, dtype: Any, what: str) -> str:
        """One minus the activation; as a Sigmoid of its own, where it is one, so that it stays a gate."""
        if self.name == "sigmoid":
            return emit.op("Sigmoid", emit.op("Neg", before, what=f"{what}/Neg"), what=what)
        return emit.op("Sub", emit.const(1, "one", dtype), after, what=what)


def parse(names: Sequence[str], alphas: Sequence[float], betas: Sequence[float]) -> list[Activation]:
    """The activations of a layer; each takes as many parameters from the lists as it has.

    Raises
    ------
    KeyError
        A name is not known.
    """
    first, second = iter(alphas), iter(betas)
    found = []
    for name in names:
        key = name.lower()
        defaults = _DEFAULTS[key]
        found.append(
            Activation(key, tuple(_next(it, d) for it, d in zip((first, second), defaults, strict=False)))
        )
    return found


def _next(values: Iterator[float], default: float) -> float:
    return float(next(values, default))
