"""Relevance at inner tensors: heads and the position embedding, on a network that has both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onnxplain.eeg.explanation.explained import Explained
from onnxplain.eeg.run import explain_recording
from onnxplain.eeg.views.network import inner_relevance
from onnxplain.engine.explainer import Explainer

MODELS = Path(__file__).parents[2] / "models" / "demo"


@pytest.fixture(scope="module")
def shortcut() -> Explained:
    return explain_recording(MODELS / "shortcut.onnx", MODELS / "recording.edf", events="left,right")


def test_heads_and_embedding_of_the_demo(shortcut: Explained) -> None:
    found = inner_relevance(shortcut, MODELS / "shortcut.onnx", batch_size=5)
    n = len(shortcut.windows)
    assert found.notes == ()
    assert found.heads is not None
    assert found.heads.dims == ("epoch", "layer", "head")
    assert found.heads.shape == (n, 2, 5)
    share = found.head_shares()
    assert share.sum() == pytest.approx(1)
    assert share.min() > 0
    assert found.positions is not None
    assert found.positions.shape == (n, 27)
    # The part of what the ledger calls constant that lands on the electrodes' places.
    total = found.positions.sum("channel").values
    a = Explainer(MODELS / "shortcut.onnx", at=["slice_1"])(
        shortcut.windows.data, target=shortcut.dataset["target"].values.tolist(), contrast="rest"
    )
    np.testing.assert_allclose(total, a.at["slice_1"].sum((1, 2, 3)), rtol=1e-4, atol=1e-4)
    # Batches do not matter.
    again = inner_relevance(shortcut, MODELS / "shortcut.onnx", batch_size=n)
    assert again.heads is not None
    np.testing.assert_allclose(again.heads.values, found.heads.values, rtol=1e-3, atol=1e-5)


def test_the_shortcut_is_in_the_embedding(shortcut: Explained) -> None:
    summary = inner_relevance(shortcut, MODELS / "shortcut.onnx").summary(shortcut)
    electrodes = sorted(summary["positions"]["electrodes"], key=lambda e: -e["embedding"])
    assert {e["name"] for e in electrodes[:2]} == {"F7", "F8"}
    assert 0 < summary["positions"]["part"] < 1
    assert [len(layer["heads"]) for layer in summary["layers"]] == [5, 5]


def test_a_network_without_either_says_so(shortcut: Explained, make_contract, make_model, recorded) -> None:  # type: ignore[no-untyped-def]
    model = make_model(make_contract())
    found = inner_relevance(explain_recording(model, recorded()), model)
    assert found.heads is None
    assert found.positions is None
    assert "No attention was found" in found.notes[0]
    assert "No position embedding" in found.notes[1]
