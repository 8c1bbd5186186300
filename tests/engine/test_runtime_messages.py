"""What onnxruntime says is passed on whole, and readable."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from lowered import model

import onnxplain as ox

X = np.ones((2, 3), np.float32)
REASONS = {
    "Reshape(x, to)": (np.array([4, 2]), r"Reshape node 'odd': .*cannot be reshaped .*\{2,3\}.*\{4,2\}"),
    "Add(x, to)": (np.ones((4, 4), np.float32), r"Add node 'odd': .*broadcast an axis .* 3 by 4"),
    "Gather(x, to)": (np.array([7]), r"Gather node 'odd': .*idx=7 must be within .*\[-2,1\]"),
}


@pytest.mark.parametrize("call", REASONS)
def test_the_reason_is_kept_and_the_librarys_own_addresses_are_not(tmp_path: Path, call: str) -> None:
    weight, reason = REASONS[call]
    proto = model(f"z = {call} y = Identity(z)", {"x": ["batch", "wide"]}, {"to": weight})
    proto.graph.node[0].name = "odd"
    path = tmp_path / "model.onnx"
    onnx.save(proto, path)
    with pytest.raises(ox.OnnxplainError, match=reason) as caught:
        ox.Explainer(path).predict(X)
    said = str(caught.value)
    assert "onnxruntime_src" not in said
    assert "::" not in said
    assert "…" not in said
    assert "\n" not in said
