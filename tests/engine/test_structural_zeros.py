"""Relevance of numbers that are 0 because of where they stand, and of what was masked, is not lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from cases import CASES, Case
from lowered import model
from onnx import helper

import onnxplain as ox

RNG = np.random.default_rng(0)
MASK = RNG.random((4, 4)) < 0.4
MASK[0] = False
CONSTANTS = {
    "mask": MASK,
    "never": np.float32(-np.inf),
    "bias": np.where(MASK, -np.inf, 0).astype(np.float32),
    "w": RNG.standard_normal((16, 3)).astype(np.float32),
}


def behind(case: Case, function: str) -> onnx.ModelProto:
    """A case's model with a function that is not 0 at 0 behind its output."""
    made = case.model()
    for node in made.graph.node:
        node.output[:] = ["before" if o == "y" else o for o in node.output]
        node.input[:] = ["before" if i == "y" else i for i in node.input]
    made.graph.node.append(helper.make_node(function, ["before"], ["y"]))
    return made


def _floating(case: Case) -> bool:
    return any(o.name == "y" and o.type.tensor_type.elem_type == 1 for o in case.model().graph.output)


@pytest.mark.parametrize(
    "case", [pytest.param(c, id=n) for n, c in sorted(CASES.items()) if _floating(c) and n != "Acos-at-0"]
)
@pytest.mark.parametrize("composite", ["attnlrp", "epsilon_plus"])
def test_what_an_operator_leaves_out_is_in_the_ledger(case: Case, composite: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(behind(case, "Cos"), path)
    explain = ox.Explainer(path, composite, max_closure=None)
    y = explain.predict(case.inputs)["y"]
    a = explain(case.inputs, target=np.random.default_rng(3).standard_normal(y.shape).astype(np.float32))
    size = np.abs(a.explained).max() + max(np.abs(r).sum() for r in a.relevance.values())
    assert np.abs(a.ledger.total() + sum(a.reached.values()) - a.explained).max() <= 1e-5 * size


@pytest.mark.parametrize("function", ["Exp", "Softplus", "Sigmoid", "Cos"])
@pytest.mark.parametrize("masked", ["s = Where(mask, never, x)", "s = Add(x, bias)"], ids=["where", "add"])
def test_a_masked_softmax(masked: str, function: str, tmp_path: Path) -> None:
    x = RNG.standard_normal((2, 4, 4)).astype(np.float32)
    text = f"{masked} a = Softmax(s) e = {function}(a) f = Flatten(e) y = MatMul(f, w)"
    used = {n: a for n, a in CONSTANTS.items() if f"{n}," in text or f"{n})" in text}
    onnx.save(model(text, {"x": ["batch", 4, 4]}, used, opset=20), tmp_path / "m.onnx")
    for composite in ("attnlrp", "epsilon_plus", "epsilon_gamma_box", "zplus"):
        for backend in ("numpy", "onnx"):
            found = ox.Explainer(tmp_path / "m.onnx", composite, backend)(x, target=1)
            assert found.closure().max() < 1e-5, (composite, backend)
