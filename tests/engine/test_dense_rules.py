"""Every rule of linear layers, in every linear layer, against its definition for a dense matrix.

The matrix is Zennit's trick: the Jacobian of a layer, here the multipliers of all its outputs under
`gradient`, whatever the operator (test_cases.py has these against finite differences). The bias is f(0).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import dense
import numpy as np
import pytest
from cases import CASES, Case

import onnxplain as ox
from onnxplain.engine import composite
from onnxplain.engine.rules import registry

# All cases of one layer with a constant weight.
LINEAR = (
    "Conv", "Conv-1d-strided", "Conv-3d", "Conv-depthwise", "Conv-grouped", "Conv-same", "Conv-same-lower",
    "ConvTranspose", "ConvTranspose-grouped", "ConvTranspose-same", "ConvTranspose-strided",
    "Einsum", "Einsum-broadcast", "Einsum-ellipsis", "Einsum-trace",
    "Gemm", "Gemm-no-bias", "Gemm-turned", "Gemm-turned-left", "Gemm-turned-right",
    "MatMul", "MatMul-Add", "MatMul-left", "MatMul-stack", "MatMul-vector",
)  # fmt: skip
# Operators whose rule is a layer's, in cases which are not one layer of their input: products of two signals,
# networks, and integers in between.
OTHERS = {
    "And-compared", "ArgMax-beside-a-signal", "Binarizer", "Cast-bits", "Cast-integers", "Cast-pixels",
    "Conv-kernel-signal", "ConvInteger", "ConvTranspose-kernel-signal", "DequantizeLinear-pixels",
    "Einsum-diagonal", "Einsum-product", "Einsum-sum", "Einsum-three", "Equal-one-hot", "Equal-where",
    "Gemm-active-bias", "Gemm-product", "MatMul-broadcast", "MatMul-product", "MatMul-self", "MatMulInteger",
    "Mul-gated", "Mul-gated-twice", "OneHot", "OneHotEncoder", "QuantizeLinear-moved",
}  # fmt: skip
PARAMETERS = {"gamma": 0.3, "alpha": 1.7, "beta": 0.7, "low": -2.5, "high": 3.5}
# Roundings of float32, one after another; the worst of all cases is at 1.4.
ROUNDINGS = 4 * float(np.finfo(np.float32).eps)


def _one_sided(case: Case) -> Case:
    """The same layer with contributions of one sign: sums of the other are empty, not small."""
    weights = {k: -np.abs(w) if k in ("w", "v") else w for k, w in case.weights.items()}
    return replace(case, inputs={"x": np.abs(case.inputs["x"])}, weights=weights)


def _at_zero(case: Case) -> Case:
    """The same layer where nothing comes in: all there is belongs to the bias."""
    return replace(case, inputs={"x": np.zeros_like(case.inputs["x"])})


FORMS = {"signed": lambda case: case, "one-sided": _one_sided, "at 0": _at_zero}


def test_all_cases_of_layers_are_here():
    operators = {r.op_type for r in registry.rules() if r.kind in ("linear", "conv")}
    assert {n for n, c in CASES.items() if c.operators & operators} == {*LINEAR, *OTHERS}


def test_all_rules_are_here():
    for kind in ("linear", "conv"):
        # A secant is of a difference: test_difference.py has those.
        assert set(composite.VARIANTS[kind]) - {"secant"} == set(dense.RULES)


@dataclass(frozen=True)
class Form:
    """A layer as a file, and as a matrix."""

    path: Path
    x: np.ndarray
    seed: np.ndarray
    weights: np.ndarray  # [outputs, batch, *input]
    bias: np.ndarray  # [batch, *output]

    def matrix(self, i: int) -> np.ndarray:
        """W of one sample, [outputs, inputs]."""
        return _double(self.weights[:, i]).reshape(len(self.weights), -1)


def _double(x: np.ndarray) -> np.ndarray:
    return x.ravel().astype(np.float64)


@pytest.fixture(scope="module", params=LINEAR)
def layers(request, tmp_path_factory):
    folder, made = tmp_path_factory.mktemp("layers"), {}
    for form, change in FORMS.items():
        case = change(CASES[request.param])
        path = case.save(folder).rename(folder / f"{form}.onnx")
        every = ox.Explainer(path, composite="gradient", backend="numpy")(case.inputs, target="all")
        y = every.outputs["y"]
        seed = np.random.default_rng(3).standard_normal(y.shape).astype(np.float32)
        bias = ox.Explainer(path).predict({"x": np.zeros_like(case.inputs["x"])})["y"]
        made[form] = Form(path, case.inputs["x"], seed, every.multiplier["x"], bias)
        for i, x in enumerate(case.inputs["x"]):  # nothing else is in the file
            whole = made[form].matrix(i) @ _double(x) + _double(bias[i])
            np.testing.assert_allclose(y[i].ravel(), whole, rtol=1e-5, atol=1e-5)
    return made


@pytest.mark.parametrize("eps", [0.0, 0.1])
@pytest.mark.parametrize("rule", dense.RULES)
def test_rule_is_its_definition(layers, rule, eps):
    parameters = PARAMETERS | {"epsilon" if rule in ("epsilon", "gradient") else "stabilizer": eps}
    chosen = ox.Composite("one rule", variants={"linear": rule, "conv": rule}, parameters=parameters)
    known = PARAMETERS | {"eps": 0.0 if rule == "gradient" else eps}
    for form, layer in layers.items():
        a = ox.Explainer(layer.path, composite=chosen, backend="numpy")(layer.x, target=layer.seed)
        ledger = a.ledger.by_kind()
        assert set(ledger) <= {"bias", "stabilizer"}
        for i, x in enumerate(layer.x):
            want = dense.shared(
                rule, layer.matrix(i), layer.bias[i].ravel(), _double(x), _double(layer.seed[i]), known
            )
            wrong = np.abs(a.relevance["x"][i].ravel() - want.inputs)
            assert np.all(wrong <= ROUNDINGS * want.rounding), f"{form}, sample {i}"
            for kind in ("bias", "stabilizer"):
                got = float(ledger[kind][i]) if kind in ledger else 0.0
                wrong = abs(got - getattr(want, kind))
                assert wrong <= ROUNDINGS * want.total_rounding, f"{form}, sample {i}: {kind}"
