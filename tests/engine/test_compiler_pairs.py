"""A difference as one file: the same numbers as the numpy backend, references given or in the file."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from cases import CASES, Case, normal

import onnxplain as ox

# What they give has a shape that depends on what is in the input: no one graph, or another for a reference.
NOT_ONE_GRAPH = {"Unique", "NonZero"}
# A few of every family; all of them in the long tests.
FEW = (
    "Conv-grouped", "Einsum", "Gelu", "GroupNormalization", "LSTM", "LayerNormalization", "MaxPool", "Mul",
    "ReduceMax", "Reshape", "Softmax", "TopK", "Where",
)  # fmt: skip
BOUND = 5e-6


def _run(path, feed) -> dict[str, np.ndarray]:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))


def _shifted(x: np.ndarray, part: float) -> np.ndarray:
    """A mixture of a signal and of itself one sample earlier: its values are such as an operator takes."""
    if x.dtype.kind != "f" or not x.ndim:
        return x
    return ((1 - part) * x + part * np.roll(x, 1, -1)).astype(x.dtype)


def _error(got: np.ndarray, want: np.ndarray, size: float) -> float:
    return float(np.abs(got.astype(np.float64) - want).max(initial=0.0)) / size


@pytest.mark.parametrize("case", [pytest.param(CASES[n], id=n) for n in FEW if n in CASES])
def test_compiled_is_numpy(case, tmp_path):
    _compare(case, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(c, id=n)
        for n, c in sorted(CASES.items())
        if n not in FEW and not c.operators & NOT_ONE_GRAPH
    ],
)
def test_every_operator_compiled_is_numpy(case, tmp_path):
    _compare(case, tmp_path)


def _compare(case: Case, folder) -> None:
    source = case.save(folder)
    explain = ox.Explainer(source, "difference", backend="numpy")
    axes = explain.inputs.axes(case.inputs)
    sets = [{n: _shifted(x, part) for n, x in case.inputs.items()} for part in (0.25, 0.5)]
    if not all(a is None for a in axes.values()):  # one row each, for all rows
        sets = [{n: x if axes[n] is None else np.take(x, [0], axes[n]) for n, x in s.items()} for s in sets]
    y = explain.predict(case.inputs)["y"]
    seed = np.random.default_rng(3).standard_normal(y.shape).astype(np.float32)
    want = explain(
        case.inputs, target=seed, reference={n: np.stack([s[n] for s in sets]) for n in case.inputs}
    )
    fed = ox.compile(source, folder / "c.onnx", "difference", ledger=True, example=case.inputs)
    given = {
        f"reference.{n}": np.stack([s[n] for s in sets])
        if axes[n] is None
        else np.concatenate([s[n] for s in sets], axes[n])
        for n in case.inputs
    }
    held = ox.compile(
        source,
        folder / "b.onnx",
        "difference",
        ledger=True,
        example=case.inputs,
        references={n: np.stack([s[n] for s in sets]) for n in case.inputs},
    )
    size = max(max(np.abs(r).max() for r in want.relevance.values()), float(np.abs(want.explained).max()))
    size = size or 1.0
    for got in (_run(fed, {**case.inputs, **given, "seed": seed}), _run(held, {**case.inputs, "seed": seed})):
        for name, r in want.relevance.items():
            assert _error(got[f"relevance.{name}"], r, size) <= BOUND
        assert _error(got["explained"], want.explained, size) <= 10 * BOUND
        for kind, amount in want.ledger.by_kind().items():
            assert _error(got[f"ledger.{kind}"], amount, size) <= 10 * BOUND
