"""`explain` for arrays: what is written, and that hostile names stay harmless."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest

import onnxplain as ox
from onnxplain.cli import array_report, arrays
from onnxplain.engine.contract import InputContract

TWO_INPUTS = """
<ir_version: 8, opset_import: ["" : 17]>
two (float[N, 2, 5] a, float[N, 3] b) => (float[N, 3] y)
<float[5] w = {1.0, -2.0, 0.5, 3.0, 1.5}, int64[1] axes = {1}, float[1] bias = {0.25}>
{
  aw = MatMul(a, w)
  pooled = ReduceSum <keepdims = 1> (aw, axes)
  sum = Add(pooled, b)
  y = Add(sum, bias)
}
"""


def explain(model: Path, data: Path, out: Path, **more: Any) -> dict[str, Any]:
    out.mkdir()
    given = {
        "target": "predicted",
        "contrast": "none",
        "composite": "attnlrp",
        "params": {},
        "backend": "auto",
        "contract": None,
        "threads": 1,
        "seed": 0,
        "report": True,
    }
    summary, _ = arrays.explain(model, data, out, **(given | more))
    assert json.loads((out / "summary.json").read_text()) == summary
    return summary


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx.parser.parse_model(TWO_INPUTS).SerializeToString())
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "x.npz",
        a=rng.normal(size=(6, 2, 5)).astype(np.float32),
        b=rng.normal(size=(6, 3)).astype(np.float32),
    )
    return tmp_path / "x.npz"


def test_several_inputs(model: Path, data: Path, tmp_path: Path) -> None:
    summary = explain(model, data, tmp_path / "out")
    assert summary["closure"] < 1e-6
    ((kind, kept),) = summary["ledger"].items()
    assert kept == pytest.approx(0.25)
    assert summary["data"]["samples"] == 6
    assert len(summary["model"]["sha256"]) == 64
    with np.load(tmp_path / "out" / "relevance.npz") as found:
        total = found["relevance.a"].sum((1, 2)) + found["relevance.b"].sum(1) + found[f"ledger.{kind}"]
        np.testing.assert_allclose(total, found["explained"], rtol=1e-5)
        np.testing.assert_allclose(found["explained"], found["output.y"].max(1), rtol=1e-6)
    # b has one axis beside the batch: nothing to draw
    assert [p.name for p in (tmp_path / "out").glob("*.png")] == ["relevance_0_a.png"]


def test_against_a_file(model: Path, data: Path, tmp_path: Path) -> None:
    """Each row is held against the same few of the file, by their mean."""
    rng = np.random.default_rng(1)
    held = {"a": rng.normal(size=(3, 2, 5)), "b": rng.normal(size=(3, 3))}
    np.savez(tmp_path / "held.npz", **{n: v.astype(np.float32) for n, v in held.items()})
    summary = explain(model, data, tmp_path / "out", target=1, against=str(tmp_path / "held.npz"))
    options = summary["options"]
    assert (options["composite"], options["against"], options["references"]) == ("difference", "held.npz", 3)
    assert not summary["ledger"]
    said = ox.Explainer(model).predict({n: v.astype(np.float32) for n, v in held.items()})["y"][:, 1].mean()
    with np.load(tmp_path / "out" / "relevance.npz") as found:
        total = found["relevance.a"].sum((1, 2)) + found["relevance.b"].sum(1)
        np.testing.assert_allclose(total, found["output.y"][:, 1] - said, atol=1e-5)
    assert "held against 3 of held.npz" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_every_class(model: Path, data: Path, tmp_path: Path) -> None:
    summary = explain(model, data, tmp_path / "out", target="all")
    assert summary["closure"] < 1e-6
    with np.load(tmp_path / "out" / "relevance.npz") as found:
        assert found["relevance.a"].shape == (3, 6, 2, 5)
        assert found["explained"].shape == (3, 6)
        assert found["target"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("target", ["RIGHT", {"left": -1.0, "right": 1.0}])
def test_names_from_a_contract_beside_the_model(model: Path, data: Path, tmp_path: Path, target: Any) -> None:
    (tmp_path / "contract.yaml").write_text(
        "input: a\nchannels: [C3, C4]\nsfreq: 5\nwindow: 5\nclasses: [rest, left, right]\n"
    )
    contract = InputContract.from_file(tmp_path / "contract.yaml")
    explain(model, data, tmp_path / "out", target=target, contract=contract)
    with np.load(tmp_path / "out" / "relevance.npz") as found:
        y = found["output.y"]
        np.testing.assert_allclose(
            found["explained"], y[:, 2] if target == "RIGHT" else y[:, 2] - y[:, 1], rtol=1e-5, atol=1e-6
        )


def test_without_a_report(model: Path, data: Path, tmp_path: Path) -> None:
    explain(model, data, tmp_path / "out", report=False)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["relevance.npz", "summary.json"]


@pytest.mark.row("M21")
def test_hostile_names(data: Path, tmp_path: Path) -> None:
    name = "../<script>alert(1)</script>$\\frac\n\u202e"
    proto = onnx.parser.parse_model(TWO_INPUTS)
    for value in (proto.graph.input[0], *proto.graph.node):
        if isinstance(value, onnx.NodeProto):
            value.input[:] = [name if text == "a" else text for text in value.input]
        else:
            value.name = name
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    with np.load(data) as found:
        np.savez(tmp_path / "y.npz", **{name: found["a"], "b": found["b"]})
    explain(tmp_path / "model.onnx", tmp_path / "y.npz", tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "\u202e" not in page
    assert "src='data:image/png;base64," in page
    assert "http:" not in page
    assert "https:" not in page
    names = [p.name for p in tmp_path.rglob("*.png")]
    assert len(names) == 1
    assert names[0].startswith("relevance_0_")
    assert names[0].isascii()


def test_maps_are_two_dimensional() -> None:
    def shape(*lengths: int, several: bool = False) -> tuple[int, ...] | None:
        maps = array_report._maps(np.zeros(lengths), several=several)
        return None if maps is None else maps.shape

    assert shape(9, 3, 7) == (array_report.SHOWN, 3, 7)
    assert shape(2, 1, 3, 7) == (2, 3, 7)
    assert shape(2, 3, 4, 5) == (2, 3, 20)
    assert shape(5, 2, 3, 7, several=True) == (2, 3, 7)
    assert shape(2, 7) is None
    assert shape(2, 1, 7) is None
