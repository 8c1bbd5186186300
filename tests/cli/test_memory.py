"""Small files that make tensors of many gigabytes: stopped at the memory limit, whatever makes them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import numpy_helper

Run = Callable[..., subprocess.CompletedProcess[str]]

# Three gigabytes in each, which the model adds up to one number.
BOMBS: dict[str, tuple[str, dict[str, Any]]] = {
    "ConstantOfShape": ("big = ConstantOfShape(size)", {"size": [800_000_000]}),
    "Expand": ("big = Expand(one, size)", {"one": [1.0], "size": [800_000_000]}),
    "Tile": ("big = Tile(x, size)", {"size": [1, 270_000_000]}),
    "Range": (
        "i = Range(zero, many, step) big = Cast<to = 1>(i)",
        {"zero": 0, "many": 800_000_000, "step": 1},
    ),
    "Pad": ("big = Pad(x, size)", {"size": [0, 0, 0, 800_000_000]}),
    "Resize": (
        "four = Unsqueeze(x, axes) big = Resize(four, , , size)",
        {"axes": [0, 1], "size": [1, 1, 2_000, 400_000]},
    ),
}  # fmt: skip


@pytest.mark.row("M16")
@pytest.mark.parametrize(
    "op_type",
    [pytest.param(n, marks=() if n in ("ConstantOfShape", "Resize") else pytest.mark.long) for n in BOMBS],
)
def test_a_small_file_that_takes_all_memory(
    op_type: str, run: Run, line: Callable[[str], str], tmp_path: Path
) -> None:
    body, weights = BOMBS[op_type]
    model = onnx.parser.parse_model(
        f"""<ir_version: 9, opset_import: ["" : 17]>
        g (float[N, 3] x) => (float[N, 3] y) {{ {body} s = ReduceSum<keepdims = 0>(big) y = Add(x, s) }}"""
    )
    for name, value in weights.items():
        array = np.asarray(value, np.float32 if name == "one" else np.int64)
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    onnx.save(model, tmp_path / "bomb.onnx")
    np.save(tmp_path / "x.npy", np.ones((1, 3), np.float32))
    assert (tmp_path / "bomb.onnx").stat().st_size < 1000
    done = run("explain", "bomb.onnx", "x.npy", "--out", "out", "--memory-limit", "900M")
    assert done.returncode == 3, done.stderr
    assert "the limit of 900 MiB (--memory-limit SIZE sets it)" in line(done.stderr)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bomb.onnx", "x.npy"]
