"""Every operator under the composite `difference`: its secant is exact, and safe in float32."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from cases import CASES, Case
from differences import as_set, in_double, kinds, left_over, other, rounding, seed_of, size
from test_cases import FLOAT_ONLY, _double_model, over

import onnxplain as ox
from onnxplain.engine.file.graph import Node
from onnxplain.engine.rules import registry
from onnxplain.engine.secants import registry as secants

FAR = (1.0, 0.3)
NEAR = (1e-3, 1e-6)
# Further cases that there is no double of: no kernel, or types that the standard does not have.
NO_DOUBLE = frozenset(
    {
        "ArrayFeatureExtractor", "Binarizer", "Cast-cut-off-index", "Cast-cut-off-positive", "Clip-6",
        "Col2Im", "ConvInteger",
        "DequantizeLinear-pixels", "FeatureVectorizer", "Gather-tokens-moved", "Gelu",
        "Gelu-at-0", "GlobalLpPool-1", "GlobalLpPool-2", "GlobalLpPool-3", "Hardmax", "Imputer",
        "Imputer-missing-at-0", "LRN", "LpPool-1", "LpPool-2", "LpPool-3", "MatMulInteger", "MaxRoiPool",
        "MaxUnpool", "MeanVarianceNormalization", "NonZero", "OneHot", "OneHotEncoder", "QuantizeLinear",
        "QuantizeLinear-channels", "QuantizeLinear-moved", "SVMRegressor-LINEAR", "SVMRegressor-POLY",
        "SVMRegressor-RBF", "SVMRegressor-SIGMOID",
    }
)  # fmt: skip
# Kernels for double that count in float, or with constants in float: only windows far apart say something.
IN_FLOAT_INSIDE = frozenset(
    {"DFT-17", "GroupNormalization", "GroupNormalization-signals", "Gelu-tanh", "STFT-whole"}
)
# A Cast to float is one to double there: the double is another model.
ANOTHER_IN_DOUBLE = frozenset({"Cast-cut-off"})
# The operator's values are written into the plan: another input takes another way.
BY_VALUE = frozenset({"Unique"})
# Where a value jumps, or an index, a grid or a divisor that relevance does not reach is another one.
DECIDES = frozenset(
    {
        "And-compared", "ArgMax", "ArgMax-beside-a-signal", "ArgMin", "Binarizer", "Cast-cut-off",
        "Cast-cut-off-index", "Cast-cut-off-positive", "Ceil", "Floor", "GridSample-both", "Hardmax",
        "Imputer", "Imputer-missing-at-0", "MaxUnpool", "Mod", "Mod-divisor", "NonZero",
        "RandomNormalLike", "Round",
        "Shrink-hard", "Shrink-soft", "Sign", "ThresholdedRelu", "ThresholdedRelu-at-0", "TopK",
        "TopK-indices", "TopK-indices-as-numbers",
    }
)  # fmt: skip
ROUNDS = frozenset(
    {"ConvInteger", "MatMulInteger", "QuantizeLinear", "QuantizeLinear-channels", "QuantizeLinear-moved"}
)


def _has_double(case: Case) -> bool:
    return not (case.operators & FLOAT_ONLY) and case.name not in NO_DOUBLE | BY_VALUE


@over(_has_double)
def test_exact_in_double(case, tmp_path):
    """Far, near and nearer: relevance is the difference, and equal windows have none."""
    path, x = tmp_path / "double.onnx", in_double(case.inputs)
    onnx.save(_double_model(case.model()), path)
    explain = ox.Explainer(path, "difference", "numpy")
    seed = seed_of(explain, x)
    pairs, bound = (FAR, 1e-6) if case.name in IN_FLOAT_INSIDE else ((*FAR, *NEAR), 1e-9)
    for far in pairs:
        a = explain(x, target=seed, reference=as_set(other(x, far)))
        assert left_over(a) <= bound * size(a) + rounding(a.outputs["y"]), far
    same = explain(x, target=seed, reference=as_set(x))
    assert not any(np.any(r) for r in same.relevance.values())
    assert not any(np.any(e.relevance) for e in same.ledger)
    assert not np.any(same.explained)


@over(lambda c: c.name in NO_DOUBLE)
def test_no_double(case, tmp_path):
    """What the others leave out cannot be run in double."""
    path, x = tmp_path / "double.onnx", in_double(case.inputs)
    onnx.save(_double_model(case.model()), path)
    with pytest.raises(ox.ModelError):
        ox.Explainer(path, "difference")(x, target=0, reference=as_set(x))


@over(lambda c: c.name not in BY_VALUE)
def test_closes_in_both_backends(case, tmp_path):
    """In float32, with one map by either; the ledger has jumps, and what rounding to integers leaves."""
    path = case.save(tmp_path)
    both = [ox.Explainer(path, "difference", backend) for backend in ("numpy", "onnx")]
    seed = seed_of(both[0], case.inputs)
    allowed = {"decision"} if case.name in DECIDES else {"rounding"} if case.name in ROUNDS else set[str]()
    for far in FAR:
        reference = as_set(other(case.inputs, far))
        a, b = (explain(case.inputs, target=seed, reference=reference) for explain in both)
        for each in (a, b):
            assert left_over(each) <= 1e-5 * size(each) + rounding(each.outputs["y"]), far
            assert kinds(each) <= allowed, far
        for name, r in a.relevance.items():
            assert np.abs(r - b.relevance[name]).max() <= 5e-6 * np.abs(r).max(), (far, name)


@over(lambda c: _has_double(c) and c.name not in ANOTHER_IN_DOUBLE)
def test_multipliers_of_close_windows(case, tmp_path):
    """No cancellation in float32: its multipliers are those of float64, how near the windows may be."""
    path, x = tmp_path / "double.onnx", in_double(case.inputs)
    onnx.save(_double_model(case.model()), path)
    single = ox.Explainer(case.save(tmp_path), "difference", "numpy")
    double = ox.Explainer(path, "difference", "numpy")
    seed = seed_of(single, case.inputs)
    rng = np.random.default_rng(0)
    # Every element as far from its own reference as chance has it, from one part in ten million to all.
    away = {n: 10.0 ** rng.uniform(-7, 0, v.shape) for n, v in x.items() if v.dtype.kind == "f"}
    whole = other(x, 1.0)
    reference = {
        n: (v + away[n] * (whole[n] - v)).astype(np.float32) if n in away else v for n, v in x.items()
    }
    reference = {n: v.astype(case.inputs[n].dtype) for n, v in reference.items()}
    got = single(case.inputs, target=seed, reference=as_set(reference))
    want = double(x, target=seed.astype(np.float64), reference=as_set(in_double(reference)))
    for name, m in want.multiplier.items():
        assert np.abs(got.multiplier[name] - m).max() <= 3e-6 * np.abs(m).max(), name


@over(lambda c: c.name in DECIDES)
def test_what_decides_is_in_the_ledger(case, tmp_path):
    explain = ox.Explainer(case.save(tmp_path), "difference", "numpy")
    a = explain(case.inputs, target=seed_of(explain, case.inputs), reference=as_set(other(case.inputs, 1.0)))
    assert "decision" in {e.kind for e in a.ledger}


def test_by_value_says_so(tmp_path):
    case = CASES["Unique"]
    explain = ox.Explainer(case.save(tmp_path), "difference")
    with pytest.raises(ox.InputError, match="different branches") as caught:
        explain(case.inputs, target=0, reference=as_set(other(case.inputs, 1.0)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rule", registry.rules(), ids=lambda r: f"{r.domain}.{r.op_type}-{r.since}")
def test_every_rule_has_a_secant(rule):
    """One of its own, or that of its derivative at the middle: none is left to its quotient by chance."""
    node = Node("", rule.domain, rule.op_type, rule.since, (), ())
    assert (secants.find(node) is not None) != secants.is_exact_at_middle(node)
