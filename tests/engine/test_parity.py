"""Whether a rewritten model says what its source says, and how closely a rounded one can."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from lowered import model

import onnxplain as ox
from onnxplain.engine.file import runtime
from onnxplain.engine.plan import parity
from onnxplain.engine.plan.parity import gap

X = np.random.default_rng(0).standard_normal((8, 64)).astype(np.float32)


def _stairs(steps: int) -> onnx.ModelProto:
    """Rounded to a step again and again, each time a little larger: what is rounded up or down is chaotic."""
    lines = ["h0 = Identity(x)"]
    for i in range(steps):
        lines.append(f"m{i} = MatMul(h{i}, w) q{i} = QuantizeLinear(m{i}, s, z)")
        lines.append(f"h{i + 1} = DequantizeLinear(q{i}, s, z)")
    w = np.random.default_rng(1).standard_normal((64, 64)).astype(np.float32) / 4
    weights = {"w": w, "s": np.float32(0.05), "z": np.int8(0)}
    return model("\n".join(lines) + f"\ny = Identity(h{steps})", {"x": ["batch", 64]}, weights)


@pytest.mark.row("M25")
def test_outputs_that_agree():
    y = {"y": np.array([1.0, -2.0], np.float32)}
    assert parity.disagreement(y, {"y": y["y"] * (1 + 5e-4)}, None) is None
    assert parity.disagreement(y, {"y": y["y"] + 0.1}, None) == ("y", pytest.approx(0.05, rel=1e-5))
    assert parity.disagreement(y, {"y": y["y"][:1]}, None) == ("y", np.inf)
    mask = {"y": np.array([1.0, -np.inf], np.float32)}
    assert parity.disagreement(mask, mask, None) is None


def test_rounded_outputs_are_measured_by_themselves():
    y, other = {"y": np.ones(2)}, {"y": np.full(2, 1.1)}

    def never() -> dict[str, float]:
        raise AssertionError

    assert parity.disagreement(y, {"y": np.full(2, 1.01)}, never) is None
    assert parity.disagreement(y, other, lambda: {"y": 0.06}) is None
    assert parity.disagreement(y, other, lambda: {"y": 0.04}) == ("y", pytest.approx(0.1))
    assert parity.disagreement(y, other, dict) == ("y", pytest.approx(0.1))


def test_spread_of_rounding():
    """A model without rounding hardly moves with its input; one with much of it does."""
    smooth = model("h = MatMul(x, w) y = Tanh(h)", {"x": ["batch", 64]}, {"w": np.eye(64, dtype=np.float32)})
    spreads = {}
    for name, proto in (("smooth", smooth), ("stairs", _stairs(12))):
        opened = runtime.session(proto, where=name)
        spreads[name] = parity.spread_of(opened, proto, {"x": X}, runtime.Runtime(name))["y"]
    assert spreads["smooth"] < 1e-3
    assert spreads["stairs"] > 1e-1


def test_a_model_of_stairs_is_explained(tmp_path):
    onnx.save(_stairs(12), tmp_path / "m.onnx")
    a = ox.Explainer(tmp_path / "m.onnx")(X, target=0)
    assert a.closure().max() <= 1e-4


@pytest.mark.row("M25")
def test_another_output_is_refused():
    own = {"y": np.ones(3, np.float32)}
    with pytest.raises(ox.ModelError, match=r"m.onnx: output 'y' changes by 5.0e-01 of its size"):
        parity.check_parity(own, {"y": own["y"] * 1.5}, "m.onnx")


def test_an_input_that_nearly_nothing_depends_on_is_measured_by_the_others() -> None:
    """Relevance of 1e-9 beside one of 1 is rounding, and rounding differs between backends."""
    here, there = np.full(3, 1e-9), np.full(3, -1e-9)
    assert gap(here, there) == 2
    assert gap(here, there, least=1.0) == 2e-9
    assert gap(np.full(3, 2.0), np.ones(3), least=1.0) == 1
    assert gap(np.ones(2), np.ones(3), least=1.0) == np.inf
