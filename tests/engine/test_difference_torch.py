"""Maps of the composite `difference` against float64 torch with the same secants, written independently."""

from __future__ import annotations

import numpy as np
import pytest
from torch_difference import difference

import onnxplain as ox

TARGET = [0, 3, 1]


@pytest.fixture(scope="module")
def others(windows) -> np.ndarray:
    """Three more windows."""
    return np.random.default_rng(1).standard_normal(windows.shape).astype(np.float32)


def _check(file, x, reference, bound: float) -> None:
    want, made = difference(file.network, x, reference, TARGET)
    for backend in ("numpy", "onnx"):
        # Of windows that are close the difference is so small that rounding is a part of it: relevance is
        # held against float64 here, and what it sums to is not what lets it pass.
        explain = ox.Explainer(file.path, "difference", backend, max_closure=None)
        a = explain(x, target=TARGET, reference=reference)
        got = a.relevance["x"]
        assert np.abs(got - want).max() <= bound * np.abs(want).max()
        # Sums too: as the difference of float64's outputs is.
        total = got.astype(np.float64).sum((1, 2))
        assert np.abs(total - made).max() <= 1e-5 * max(np.abs(made).max(), np.abs(want).max())
        assert not list(a.ledger)
    # The reference is exact itself.
    np.testing.assert_allclose(want.sum((1, 2)), made, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("exporter", [pytest.param("legacy", marks=pytest.mark.long), "dynamo"])
def test_labram(labram_files, windows, others, exporter):
    _check(labram_files[exporter], windows, others, 2e-6)


@pytest.mark.parametrize("name", ["EEGNet", "ShallowFBCSPNet"])
def test_convnets(convnet_files, windows, others, name):
    _check(convnet_files[name], windows, others, 5e-6)


@pytest.mark.long
@pytest.mark.parametrize("far", [0.3, 1e-2, 1e-3])
def test_windows_that_are_close(labram_files, windows, others, far):
    """Where every operator is near the switch to its derivative."""
    near = (windows + far * (others - windows)).astype(np.float32)
    _check(labram_files["dynamo"], windows, near, 5e-6)
