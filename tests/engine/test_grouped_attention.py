"""onnxruntime's attention with keys and values for groups of heads, in every form that it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from lowered import model, normal, session

import onnxplain as ox

HEADS, GROUPS, SIZE, LENGTH = 4, 2, 16, 5
FORMS: dict[str, dict[str, Any]] = {
    "causal": {},
    "both ways": {"attributes": ", causal = 0"},
    "filled up": {"attributes": ", causal = 0", "lengths": [4, 2]},
    "filled up and causal": {"lengths": [4, 2]},
    "a window": {"attributes": ", local_window_size = 2"},
    "a scale and a cap": {"attributes": ", scale = 0.3, softcap = 2.0"},
    "packed": {"packed": True},
    "rotary": {"attributes": ", do_rotary = 1", "rotary": 8},
    "rotary by pairs": {"attributes": ", do_rotary = 1, rotary_interleaved = 1", "rotary": 8},
    "a past": {"past": 3, "attributes": ", do_rotary = 1", "rotary": 8},
    "a bias of the scores": {"bias": True},
    "a sink": {"sink": True},
    "a smooth softmax": {"attributes": ", smooth_softmax = 1"},
}


def _model(
    attributes: str = "",
    lengths: list[int] | None = None,
    packed: bool = False,
    rotary: int = 0,
    past: int = 0,
    bias: bool = False,
    sink: bool = False,
) -> onnx.ModelProto:
    batch = 1 if past else 2
    weights = {
        "wq": normal(8, HEADS * SIZE) * 0.3,
        "wk": normal(8, GROUPS * SIZE, seed=1) * 0.3,
        "wv": normal(8, GROUPS * SIZE, seed=2),
        "past_k": normal(batch, GROUPS, past, SIZE, seed=3),
        "past_v": normal(batch, GROUPS, past, SIZE, seed=4),
        "lengths": np.array(lengths or [past + LENGTH - 1] * batch, np.int32),
        "total": np.int32(past + LENGTH),
        "w": normal(HEADS * SIZE, 3),
        "axes": np.array([1]),
    }
    operands = ["q", "k", "v", "past_k", "past_v", "lengths", "total", "", "", "", "", ""]
    text = "q = MatMul(x, wq) k = MatMul(x, wk) v = MatMul(x, wv) "
    if packed:
        text += "all = Concat<axis = 2>(q, k, v) "
        operands[:3] = ["all", "", ""]
    if rotary:
        weights |= {"cos": np.cos(normal(16, rotary)), "sin": np.sin(normal(16, rotary))}
        operands[7:9] = ["cos", "sin"]
    if bias:
        weights["bias"] = normal(1, HEADS, LENGTH, past + LENGTH)
        operands[10] = "bias"
    if sink:
        weights["sink"] = normal(HEADS)
        operands[11] = "sink"
    while not operands[-1]:
        operands.pop()
    text += (
        f"o, pk, pv = com.microsoft.GroupQueryAttention<num_heads = {HEADS}, kv_num_heads = {GROUPS}"
        f"{attributes}>({', '.join(n or '' for n in operands)}) s = ReduceSum<keepdims = 0>(o, axes)"
        " y = MatMul(s, w)"
    )
    return model(text, {"x": [batch, LENGTH, 8]}, weights, opset=20, domains={"com.microsoft": 1})


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_the_gradient_is_that_of_onnxruntime_and_relevance_closes(
    tmp_path: Path, form: dict[str, Any]
) -> None:
    proto = _model(**form)
    path = tmp_path / "model.onnx"
    onnx.save(proto, path)
    run = session(proto)
    batch = 1 if form.get("past") else 2
    x, reference = normal(batch, LENGTH, 8, seed=7), normal(batch, LENGTH, 8, seed=8)
    a = ox.Explainer(path, "gradient")(x, target=1)
    step = normal(batch, LENGTH, 8, seed=9)
    ends = [run.run(["y"], {"x": (x + s * 1e-2 * step).astype(np.float32)})[0][:, 1].sum() for s in (1, -1)]
    got = (a.multiplier["x"] * step).sum()
    assert abs(got - (ends[0] - ends[1]) / 2e-2) < 5e-3 * np.abs(a.multiplier["x"] * step).sum()
    assert a.closure().max() < 1e-4
    assert ox.Explainer(path, "attnlrp")(x, target=1).closure().max() < 1e-4
    assert ox.Explainer(path, "difference")(x, target=1, reference=reference).closure().max() < 1e-4


def test_a_quantised_past_is_refused_by_name(tmp_path: Path) -> None:
    proto = _model(attributes=", sliding_window_cache = 1, local_window_size = 2", past=3)
    path = tmp_path / "model.onnx"
    onnx.save(proto, path)
    with pytest.raises(ox.OnnxplainError, match="GroupQueryAttention"):
        ox.Explainer(path)(normal(1, LENGTH, 8), target=1)
