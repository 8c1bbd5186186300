"""Secants of functions of one number in float32, against quotients in float64.

A quotient of close values cancels: at a distance of 1e-7 nothing is left of it in float32. So every function
is looked at from there to a distance of ten.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from cases import CASES, Case
from scipy.special import erf, expit, ndtr

import onnxplain as ox
from onnxplain.engine.rules import registry

Function = Callable[[np.ndarray], np.ndarray]


def _elu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def _single(x: float) -> float:
    """An attribute, which the file has in float32."""
    return float(np.float32(x))


def _gelu_tanh(x: np.ndarray) -> np.ndarray:
    return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


FUNCTIONS: dict[str, Function] = {
    "Abs": np.abs,
    "Acos": np.arccos,
    "Acosh": np.arccosh,
    "Asin": np.arcsin,
    "Asinh": np.arcsinh,
    "Atan": np.arctan,
    "Atanh": np.arctanh,
    "Celu": _elu,
    "Cos": np.cos,
    "Cosh": np.cosh,
    "Elu": _elu,
    "Erf": erf,
    "Exp": np.exp,
    "Gelu": lambda x: x * ndtr(x),
    'Gelu <approximate="tanh">': _gelu_tanh,
    "HardSigmoid": lambda x: np.clip(_single(0.2) * x + 0.5, 0, 1),
    "HardSwish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "LeakyRelu": lambda x: np.where(x > 0, x, _single(0.01) * x),
    "Log": np.log,
    "Mish": lambda x: x * np.tanh(np.logaddexp(0, x)),
    "Reciprocal": lambda x: 1 / x,
    "Relu": lambda x: np.maximum(x, 0),
    "Selu": lambda x: (
        _single(1.05070102214813232) * np.where(x > 0, x, _single(1.67326319217681884) * _elu(x))
    ),
    "Sigmoid": expit,
    "Sin": np.sin,
    "Sinh": np.sinh,
    "Softplus": lambda x: np.logaddexp(0, x),
    "Softsign": lambda x: x / (1 + np.abs(x)),
    "Sqrt": np.sqrt,
    "Tan": np.tan,
    "Tanh": np.tanh,
}
# Where they are defined, and far enough from where onnxruntime's own rounding is all that is left.
DOMAINS = {
    "Acos": (-0.999, 0.999),
    "Acosh": (1.01, 12.0),
    "Asin": (-0.999, 0.999),
    "Atanh": (-0.999, 0.999),
    "Log": (1e-3, 12.0),
    "Reciprocal": (1e-2, 12.0),
    "Sqrt": (0.0, 12.0),
    "Tan": (-1.5, 1.5),
}
EXPONENTS = (2.0, 3.0, 4.0, 0.5, -1.0, -0.5, 1.5, 2.5, -2.0, -3.0, 7.0, 0.1)
# In float32, of the multiplier or of one, whichever is larger: a few roundings.
BOUND = 2e-6


def pairs(low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of many sizes, and others from 1e-7 to 10 away."""
    rng = np.random.default_rng(0)
    apart = rng.choice([-1, 1], 600) * 10 ** rng.uniform(-7, 1, 600)
    x = rng.uniform(max(low, -6), min(high, 6), apart.size)
    small = low + 10 ** rng.uniform(-3, 1, x.size) if low >= 0 else x * 10 ** rng.uniform(-4, 0, x.size)
    x = np.where(rng.random(x.size) < 0.5, x, np.clip(small, low, high))
    return x.astype(np.float32), np.clip(x + apart, low, high).astype(np.float32)


def error(case: Case, folder, function: Function, a: np.ndarray, b: np.ndarray, backend: str) -> float:
    """How far multipliers are from the quotients in float64.

    The case adds the function to itself: a model that ends in a sigmoid would be explained before it.
    """
    explain = ox.Explainer(case.save(folder), "difference", backend)
    half = np.full((1, a.size), 0.5, np.float32)
    got = explain(a[None], target=half, reference=b[None]).multiplier["x"][0].astype(np.float64)
    apart = a != b
    x, z = a[apart].astype(np.float64), b[apart].astype(np.float64)
    want = (function(x) - function(z)) / (x - z)
    return float((np.abs(got[apart] - want) / np.maximum(np.abs(want), 1)).max())


@pytest.mark.parametrize("backend", ["numpy", "onnx"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name, backend, tmp_path):
    a, b = pairs(*DOMAINS.get(name, (-12.0, 12.0)))
    words = name if "<" in name else f"{name} "
    case = Case("function", f"h = {words}(x) y = Add(h, h)", {"x": a[None]})
    assert error(case, tmp_path, FUNCTIONS[name], a, b, backend) <= BOUND


@pytest.mark.parametrize("backend", ["numpy", "onnx"])
@pytest.mark.parametrize("p", EXPONENTS)
def test_powers(p, backend, tmp_path):
    a, b = pairs(1e-2, 12.0)
    case = Case("power", "h = Pow(x, p) y = Add(h, h)", {"x": a[None]}, {"p": np.float32(p)})
    assert error(case, tmp_path, lambda x: x ** _single(p), a, b, backend) <= BOUND


@pytest.mark.parametrize("p", [3.0, 5.0, -2.0])
def test_powers_of_negative_numbers(p, tmp_path):
    """Of one sign, and of two."""
    a, b = pairs(-12.0, 12.0)
    far = (np.abs(a) > 1e-2) & (np.abs(b) > 1e-2)
    case = Case("power", "h = Pow(x, p) y = Add(h, h)", {"x": a[None, far]}, {"p": np.float32(p)})
    assert error(case, tmp_path, lambda x: x**p, a[far], b[far], "numpy") <= BOUND


def test_where_a_function_is_flat_nothing_goes_on(tmp_path):
    """At equal numbers the multiplier is the derivative, and finite where there is none."""
    x = np.float32([[0.0, 0.0, 1.0]])
    for body, want in (
        ("y = Relu(x)", [0, 0, 1]),
        ("y = Abs(x)", [0, 0, 1]),
        ("y = Sqrt(x)", [0, 0, 0.5]),
        ("y = Erf(x)", [2 / np.sqrt(np.pi)] * 2 + [2 / np.sqrt(np.pi) / np.e]),
    ):
        explain = ox.Explainer(Case("flat", body, {"x": x}).save(tmp_path), "difference")
        m = explain(x, target=np.ones((1, 3), np.float32), reference=x).multiplier["x"]
        np.testing.assert_allclose(m, [want], rtol=1e-6)


def test_all_functions_are_here():
    """Whatever has a secant in functions.py, or a rule in activations.py that is no jump."""
    jumps = {"Round", "Floor", "Ceil", "Sign", "ThresholdedRelu", "Shrink", "Cast", "CastLike"}
    moves = {"Dropout", "Identity"}
    of_one_number = {
        r.op_type
        for r in registry.rules()
        if r.domain == "" and r.function.__module__.endswith((".activations", ".trigonometric"))
    }
    assert of_one_number - jumps - moves - {"PRelu"} <= {name.split()[0] for name in FUNCTIONS}
    assert {name.split()[0] for name in FUNCTIONS} <= {op for case in CASES.values() for op in case.operators}
