"""Sums, products and functions of one number."""

from __future__ import annotations

import numpy as np

from .core import BATCH, TOKENS, case, ints, normal, positive

# -- elementwise ------------------------------------------------------------------------------------
case("Add-constant", "y = Add(x, c)", x=normal(*TOKENS), c=normal(5, 1))
case("Add-both", "y = Add(a, b)", inputs={"a": normal(*TOKENS), "b": normal(BATCH, 1, 4)})
case("Sum", "y = Sum(a, b, c)", inputs={"a": normal(*TOKENS), "b": normal(*TOKENS)}, c=normal(4))
case("Sub", "y = Sub(a, b)", inputs={"a": normal(*TOKENS), "b": normal(BATCH, 5, 1)})
case("Sub-constant", "y = Sub(c, x)", c=normal(4))
case("Neg", "y = Neg(x)")
case("Mul-constant", "z = Mul(x, c) y = Squeeze(z, a)", x=normal(*TOKENS), c=normal(1, 1, 1, 4), a=ints(0))
case("Mul-both", "y = Mul(a, b)", inputs={"a": normal(*TOKENS), "b": normal(BATCH, 1, 4)})
case("Mul-square", "y = Mul(x, x)")
case("Div-constant", "y = Div(x, c)", c=positive(4))
case("Div-both", "y = Div(a, b)", inputs={"a": normal(*TOKENS), "b": positive(BATCH, 5, 1)})
case("Div-denominator", "y = Div(c, x)", x=positive(BATCH, 4), c=normal(4))
case(
    "Where",
    "y = Where(c, a, b)",
    inputs={"a": normal(*TOKENS), "b": normal(*TOKENS)},
    c=np.array([True, False, True, False]),
)
case(
    "Where-mask",
    "m = Where(c, x, inf) s = Softmax(m) y = Neg(s)",
    c=np.array([True, False, True, True]),
    inf=np.float32(-np.inf),
)

# -- functions of one number ------------------------------------------------------------------------
for _name, _attributes in {
    "Relu": "", "LeakyRelu": "<alpha = 0.2>", "Elu": "<alpha = 1.5>", "Gelu": "", "Tanh": "", "Sigmoid": "",
    "Erf": "", "Exp": "", "Softsign": "", "Abs": "", "Sin": "",
}.items():  # fmt: skip
    case(
        _name,
        f"f = {_name}{_attributes}(x) y = Neg(f)",
        x=np.concatenate([normal(BATCH, 6), np.full((BATCH, 1), 3e-4, "f")], 1),
    )
    case(
        f"{_name}-at-0",
        f"f = {_name}{_attributes}(x) y = Neg(f)",
        x=np.zeros((BATCH, 2), np.float32),
        smooth=False,
    )
case("Gelu-tanh", 'y = Gelu<approximate = "tanh">(x)')
case("Log", "y = Log(x)", x=positive(BATCH, 4))
case("Sqrt", "y = Sqrt(x)", x=positive(BATCH, 4))
case("Reciprocal", "y = Reciprocal(x)", x=positive(BATCH, 4))
case("Pow-2", "y = Pow(x, p)", p=np.float32(2))
case("Pow-3", "y = Pow(x, p)", p=np.float32(3))
case("Pow-half", "y = Pow(x, p)", x=positive(BATCH, 4), p=np.float32(0.5))
case("Clip-around-0", "y = Clip(x, a, b)", a=np.float32(0), b=np.float32(0.7))
case("Clip-elsewhere", "y = Clip(x, a)", x=positive(BATCH, 8), a=np.float32(1))
case("Clip-6", "y = Clip<min = 0.0, max = 6.0>(x)", opset=10)
case("Identity", "y = Identity(x)")
case("Dropout", "y = Dropout(x)")
case("Cast", "d = Cast<to = 11>(x) e = Exp(d) y = Cast<to = 1>(e)")
case("CastLike", "c = CastLike(k, x) y = Mul(x, c)", k=np.float64(3))

# -- more functions ---------------------------------------------------------------------------------
for _name, _attributes in {
    "HardSigmoid": "", "HardSwish": "", "Softplus": "", "Selu": "", "Celu": "<alpha = 1.7>", "Mish": "",
    "ThresholdedRelu": "<alpha = 0.4>", "Cos": "", "Sinh": "", "Asinh": "", "Atan": "",
}.items():  # fmt: skip
    case(
        _name,
        f"f = {_name}{_attributes}(x) y = Neg(f)",
        x=np.concatenate([normal(BATCH, 6), np.full((BATCH, 1), 3e-4, "f")], 1),
    )
    case(
        f"{_name}-at-0",
        f"f = {_name}{_attributes}(x) y = Neg(f)",
        x=np.zeros((BATCH, 2), np.float32),
        smooth=False,
    )
case("HardSigmoid-far", "f = HardSigmoid<alpha = 0.5, beta = 1.2>(x) y = Neg(f)", x=4 * normal(BATCH, 6))
case("PRelu", "y = PRelu(x, s)", x=normal(*TOKENS), s=normal(4))
for _name in ("Round", "Floor", "Ceil", "Sign"):
    case(_name, f"y = {_name}(x)", x=3 * normal(BATCH, 6))

case("Elu-far", "y = Elu(x)", x=np.array([[-300.0, -50, -1e-3, 200]], np.float32).repeat(BATCH, 0))
case("Exp-far", "y = Exp(x)", x=np.array([[-300.0, -50, -1e-3, 3]], np.float32).repeat(BATCH, 0))
