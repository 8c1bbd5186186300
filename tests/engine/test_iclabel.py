"""ICLabel's own ONNX file: three inputs, and four copies of a component folded into one sample."""

from __future__ import annotations

from pathlib import Path

import mne_icalabel
import numpy as np
import pytest

import onnxplain as ox

FILE = Path(mne_icalabel.__file__).parent / "iclabel/network/assets/ICLabelNet.onnx"
COMPONENTS = 3


@pytest.fixture(scope="module")
def features() -> dict[str, np.ndarray]:
    """As mne-icalabel feeds them: copies of all components, one stack after the other."""
    rng = np.random.default_rng(0)
    rows = 4 * COMPONENTS
    return {
        "topo": 0.3 * rng.standard_normal((rows, 1, 32, 32)).astype(np.float32),
        "psds": 0.3 * rng.standard_normal((rows, 1, 1, 100)).astype(np.float32),
        "autocorr": 0.3 * rng.standard_normal((rows, 1, 1, 100)).astype(np.float32),
    }


@pytest.mark.parametrize("composite", ["attnlrp", "gradient"])
def test_relevance_of_three_inputs(features, composite):
    a = ox.Explainer(FILE, composite=composite)(features)
    assert a.explained.shape == (COMPONENTS,)
    assert {n: r.shape for n, r in a.relevance.items()} == {n: x.shape for n, x in features.items()}
    assert (a.closure() <= 1e-5).all()
    assert all(np.abs(r).max() > 0 for r in a.relevance.values())


def test_rows_of_one_component_are_found(features):
    """A component alone gets the relevance that it gets among others."""
    explain = ox.Explainer(FILE)
    whole = explain(features, target=0)
    rows = [1 + COMPONENTS * copy for copy in range(4)]
    alone = explain({n: x[rows] for n, x in features.items()}, target=0)
    for name, r in alone.relevance.items():
        np.testing.assert_allclose(r, whole.relevance[name][rows], rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(alone.ledger.total(), whole.ledger.total()[1:2], rtol=1e-4)


def test_rows_that_make_no_whole_component(features):
    with pytest.raises(ox.InputError, match="4 rows"):
        ox.Explainer(FILE)({n: x[:6] for n, x in features.items()})


def test_inspect(features):
    found = ox.inspect(FILE)
    assert found.coverage == 1.0
    assert [t.name for t in found.inputs] == ["topo", "psds", "autocorr"]
    assert found.inputs[0].shape == "[4B, 1, 32, 32]"
    assert found.outputs[0].shape == "[B, 7]"
