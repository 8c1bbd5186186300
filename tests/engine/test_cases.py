"""What holds for every operator: closure, gradients, and a case for every rule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from cases import CASES, Case
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from scipy.special import erf

import onnxplain as ox
from onnxplain.engine.file.graph import Node
from onnxplain.engine.rules import registry


def over(applies: Callable[[Case], object] = lambda case: True) -> pytest.MarkDecorator:
    """Run a test over all cases that it applies to: none is passed over in silence."""
    return pytest.mark.parametrize(
        "case", [pytest.param(c, id=n) for n, c in sorted(CASES.items()) if applies(c)]
    )


def _seed(y: np.ndarray) -> np.ndarray:
    return np.random.default_rng(3).standard_normal(y.shape).astype(np.float32)


def _explained(case: Case, folder, composite: str, **parameters: float):
    explain = ox.Explainer(case.save(folder), composite=composite, **parameters)
    y = explain.predict(case.inputs)["y"]
    return explain(case.inputs, target=_seed(y))


def test_every_rule_has_a_case():
    """For each opset that an operator has a rule of its own for."""
    covered = set()
    for case in CASES.values():
        versions = {"": case.opset, **case.domains}
        for node in case.model().graph.node:
            version = versions.get(node.domain, 1)
            found = registry.find(Node("", node.domain, node.op_type, version, (), ()))
            covered |= {(found.domain, found.op_type, found.since)} if found else set()
    known = {(r.domain, r.op_type, r.since) for r in registry.rules() if r.domain != "onnxplain"}
    assert known - covered == set()


@over()
@pytest.mark.parametrize(
    ("composite", "parameters"),
    [("attnlrp", {}), ("cplrp", {}), ("epsilon", {"epsilon": 0.1, "stabilizer": 0.05}), ("gradient", {})],
    ids=["attnlrp", "cplrp", "epsilon", "gradient"],
)
def test_ledger_closes(case, tmp_path, composite, parameters):
    a = _explained(case, tmp_path, composite, **parameters)
    # Relative to what went in: a random seed over many outputs can sum to almost nothing.
    size = np.abs(a.explained).max() + max(np.abs(r).sum() for r in a.relevance.values())
    total = a.ledger.total() + sum(a.reached.values())
    assert np.abs(total - a.explained).max() <= 1e-5 * size


class Erf(OpRun):
    """onnx's own rounds to float32."""

    def _run(self, x):
        return (erf(x),)


class Gelu(OpRun):
    """onnx's own rounds to float32."""

    def _run(self, x, approximate="none"):
        if approximate == "tanh":
            return (0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),)
        return (0.5 * x * (1 + erf(x / np.sqrt(2))),)


def _flat_softmax(x, axis):
    axis = 1 if axis == -1 else axis  # the evaluator fills in the default of opset 13
    flat = x.reshape(int(np.prod(x.shape[:axis])), -1)
    e = np.exp(flat - flat.max(1, keepdims=True))
    return (e / e.sum(1, keepdims=True)).reshape(x.shape)


class Softmax(OpRun):
    """onnx's own knows opset 13 only; before, all axes from `axis` on are one."""

    def _run(self, x, axis=1):
        return (_flat_softmax(x, axis),)


class LogSoftmax(OpRun):
    """As Softmax."""

    def _run(self, x, axis=1):
        return (np.log(_flat_softmax(x, axis)),)


def _double_model(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model in float64."""
    double = onnx.ModelProto()
    double.CopyFrom(model)
    for t in double.graph.initializer:
        if t.data_type == TensorProto.FLOAT:
            t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(t).astype(np.float64), t.name))
    for v in (*double.graph.input, *double.graph.output):
        if v.type.tensor_type.elem_type == TensorProto.FLOAT:
            v.type.tensor_type.elem_type = TensorProto.DOUBLE
    for node in double.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to":
                attribute.i = TensorProto.DOUBLE
    return double


def _in_double(model: onnx.ModelProto) -> ReferenceEvaluator:
    """The model in float64, run by onnx's own reference."""
    old = model.opset_import[0].version < 13
    double = _double_model(model)
    for node in double.graph.node:
        if node.op_type == "GroupNormalization":
            node.attribute.append(helper.make_attribute("stash_type", TensorProto.DOUBLE))
    return ReferenceEvaluator(double, new_ops=[Erf, Gelu, *([Softmax, LogSoftmax] if old else [])])


# Operators that onnxruntime has no kernel for in float64, or the standard no such type.
FLOAT_ONLY = frozenset(
    {
        "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "AveragePool", "Celu", "Conv", "ConvTranspose",
        "Cosh", "Det", "Elu", "Erf",
        "GlobalAveragePool", "GlobalMaxPool", "HardSigmoid", "HardSwish", "InstanceNormalization",
        "LeakyRelu", "Mean", "Mish", "PRelu", "Resize", "Selu", "Sinh", "Softplus", "Softsign", "Tan",
        "ThresholdedRelu", "Upsample",
    }
)  # fmt: skip


def _float_only(case: Case) -> bool:
    return bool(case.operators & FLOAT_ONLY) or case.name in ("Clip-6", "Gelu")


def _saved_in_double(case: Case, folder: Path) -> tuple[Path, dict[str, np.ndarray]]:
    path = folder / "double.onnx"
    onnx.save(_double_model(case.model()), path)
    return path, {n: v.astype(np.float64) if v.dtype.kind == "f" else v for n, v in case.inputs.items()}


@over(lambda c: c.smooth and not c.by_runtime and _float_only(c))
def test_no_double(case, tmp_path):
    """What the next test leaves out cannot be run in double: a case that can be is to be taken in there."""
    path, x = _saved_in_double(case, tmp_path)
    with pytest.raises(ox.ModelError, match="onnxruntime"):
        ox.Explainer(path, composite="gradient")(x, target=0)


@over(lambda c: c.smooth and not c.by_runtime and not _float_only(c))
def test_gradient_in_double(case, tmp_path):
    """The rules themselves, without float32's rounding."""
    path, x = _saved_in_double(case, tmp_path)
    explain = ox.Explainer(path, composite="gradient")
    seed = _seed(explain.predict(x)["y"]).astype(np.float64)
    a = explain(x, target=seed)
    model = _in_double(case.model())
    rng = np.random.default_rng(5)
    for _ in range(3):
        direction = {n: rng.standard_normal(v.shape) for n, v in x.items()}
        ends = [
            float((seed * model.run(["y"], {n: v + h * direction[n] for n, v in x.items()})[0]).sum())
            for h in (1e-6, -1e-6)
        ]
        got = sum(float((a.multiplier[n] * direction[n]).sum()) for n in x)
        size = sum(float(np.abs(a.multiplier[n] * direction[n]).sum()) for n in x)
        assert abs((ends[0] - ends[1]) / 2e-6 - got) <= 1e-7 * size + 1e-9


@over(lambda c: not c.smooth)
def test_what_has_no_derivative_says_why(case):
    integers = any(x.dtype.kind in "iub" for x in case.inputs.values()) or "Quantize" in case.body
    assert integers or case.name.endswith("-at-0") or "Greater" in case.operators


@over(lambda c: c.smooth)
def test_gradient_is_the_derivative(case, tmp_path):
    """Along random directions, against central differences in float64."""
    a = _explained(case, tmp_path, "gradient")
    seed = _seed(a.outputs["y"]).astype(np.float64)
    model = ox.Explainer(case.save(tmp_path)) if case.by_runtime else _in_double(case.model())
    h, bound = (1e-2, 1e-3) if case.by_runtime else (1e-6, 2e-6)
    rng = np.random.default_rng(5)
    for _ in range(3):
        direction = {n: rng.standard_normal(x.shape) for n, x in case.inputs.items()}

        def along(step: float, direction=direction) -> float:
            feed = {n: x.astype(np.float64) + step * direction[n] for n, x in case.inputs.items()}
            y = model.predict(feed)["y"] if case.by_runtime else model.run(["y"], feed)[0]
            return float((seed * y).sum())

        want = (along(h) - along(-h)) / (2 * h)
        got = sum(float((a.multiplier[n] * direction[n]).sum()) for n in case.inputs)
        size = sum(float(np.abs(a.multiplier[n] * direction[n]).sum()) for n in case.inputs)
        assert abs(got - want) <= bound * size + 1e-6


@over(lambda c: c.fixed)
def test_a_fixed_batch_is_one_sample(case):
    assert next(iter(case.inputs.values())).shape[0] == 1


@over(lambda c: not c.fixed)
def test_batches_do_not_mix(case, tmp_path):
    """One sample alone is explained as it is among others."""
    explain = ox.Explainer(case.save(tmp_path))
    whole = explain(case.inputs, target=_seed(explain.predict(case.inputs)["y"]))
    one = {n: x[1:2] for n, x in case.inputs.items()}
    alone = explain(one, target=_seed(explain.predict(case.inputs)["y"])[1:2])
    for name in case.inputs:
        np.testing.assert_allclose(alone.relevance[name][0], whole.relevance[name][1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(alone.ledger.total()[0], whole.ledger.total()[1], rtol=1e-4, atol=1e-4)
