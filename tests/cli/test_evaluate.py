"""`onnxplain evaluate` and `onnxplain tune`: what they write, and mistakes in one line."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx.parser
import pytest
from logs import errors

import onnxplain as ox
from onnxplain.models import demo_file

Run = Callable[..., subprocess.CompletedProcess[str]]
Line = Callable[[str], str]

MODEL, DATA = demo_file("shortcut.onnx"), demo_file("recording.edf")

LINEAR = """
<ir_version: 8, opset_import: ["" : 17]>
linear (float[N, 4] x) => (float[N, 2] y)
<float[4, 2] w = {1.0, 2.0, 3.0, -1.0, 0.5, 2.0, 1.5, -2.0}>
{
  y = MatMul(x, w)
}
"""


@pytest.fixture
def linear(tmp_path: Path) -> Path:
    path = tmp_path / "linear.onnx"
    path.write_bytes(onnx.parser.parse_model(LINEAR).SerializeToString())
    return path


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.npy"
    np.save(path, np.random.default_rng(0).standard_normal((40, 4)).astype(np.float32))
    return path


def test_a_recording(run: Run, tmp_path: Path) -> None:
    done = run(
        "evaluate", MODEL, DATA, "--out", "out", "--windows", 8, "--methods", "cplrp", "--no-report", "--json"
    )
    assert (done.returncode, errors(done.stderr)) == (0, "")
    summary = json.loads(done.stdout)
    assert summary["methods"] == ["difference", "cplrp"]
    assert summary["against"].endswith("windows that the model calls otherwise")
    assert summary == json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))
    assert (tmp_path / "out" / "curves.csv").exists()
    again = run("evaluate", MODEL, DATA, "--out", "out", "--windows", 8)
    assert (again.returncode, again.stdout) == (2, "")


def test_an_array(run: Run, linear: Path, rows: Path, tmp_path: Path) -> None:
    done = run("evaluate", linear, rows, "--out", "out", "--composite", "gradient", "--methods", "occlusion")
    assert (done.returncode, done.stderr) == (0, "")
    assert "gradient's order of the features" in done.stdout
    assert (tmp_path / "out" / "report.html").exists()
    summary = json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))
    assert summary["features"]["names"] == ["0", "1", "2", "3"]
    assert list(summary["stability"]) == ["noise", "dropout"]


def test_tune_writes_a_composite(run: Run, linear: Path, rows: Path, tmp_path: Path) -> None:
    done = run("tune", linear, rows, "--out", "best.yaml", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    written = ox.Composite.from_file(tmp_path / "best.yaml")
    assert not found["better"]  # a linear model: every rule gives the same map
    assert found["advised"] == found["default"] == written.name == "attnlrp"
    assert found["sentence"] in written.about
    assert "the default, which tune says to stay with" in written.about
    assert "linear.onnx on" in written.about
    assert len(found["tried"]) == 15
    assert found["sentence"]
    table = run("tune", linear, rows)
    assert found["sentence"] in table.stdout
    assert "gamma 0.05" in table.stdout
    explained = run(
        "explain",
        linear,
        rows,
        "--composite",
        "best.yaml",
        *shlex.split(found["use"]),
        "--out",
        "maps",
        "--no-report",
    )
    assert explained.returncode == 0


def test_tune_chooses_references(run: Run, tmp_path: Path) -> None:
    """What it says is what `explain` takes: the composite's file, and against which windows."""
    done = run("tune", MODEL, DATA, "--windows", 8, "--out", "best.yaml", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["default"] == "difference, 4 other"
    assert len(found["tried"]) == 18
    written = ox.Composite.from_file(tmp_path / "best.yaml")
    if found["better"]:
        assert found["advised"] == found["chosen"]
        assert written.name == found["composite"]
        against = (
            f"{found['against']} --references {found['references']}" if written.is_difference else "none"
        )
    else:
        assert found["advised"] == found["default"]
        assert written.name == "difference"
        against = "other --references 4"
    assert found["use"] == f"--against {against}"
    assert found["use"] in written.about
    assert found["sentence"] in written.about


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("evaluate", "{linear}", "{rows}"), "--out"),
        (("evaluate", "{linear}", "{rows}", "--out", "o", "--methods", "lime"), "unknown composite 'lime'"),
        (("evaluate", "{linear}", "{rows}", "--out", "o", "--methods", "cplrp,cplrp"), "cplrp stands twice"),
        (("evaluate", "{linear}", "{rows}", "--out", "o", "--windows", "1"), "--windows"),
        (
            ("evaluate", "{linear}", "{rows}", "--out", "o", "--against", "rest"),
            "against rest: rows of an array",
        ),
        (("evaluate", "{linear}", "{rows}", "--out", "o", "--references", "0"), "--references"),
        (("evaluate", "{linear}", "{rows}", "--out", "o", "--features", "bands"), "--features is for"),
        (("evaluate", "{linear}", "{rows}", "--out", "o", "--events", "left"), "--events is for recordings"),
        (("evaluate", "{linear}", "{rows}", "--out", "o", "--target", "all"), "target all"),
        (("evaluate", "{linear}", "nothing.npy", "--out", "o"), "nothing.npy: no such file"),
        (("evaluate", "{linear}", str(DATA), "--out", "o"), "no input contract"),
        (("evaluate", "{linear}", "{rows}", "--out", "none/o"), "no folder"),
        (("evaluate", str(MODEL), "{rows}", "--out", "o"), "has shape [40, 4]"),
        (("tune", "{linear}", "{rows}", "--out", "best.json"), "a composite is a .yaml file"),
        (("tune", "{linear}", "{rows}", "--windows", "4"), "8 are needed"),
        (("tune", "{linear}", "{two}"), "holds 2 arrays"),
        (("tune", "{linear}", "{rows}", "--features", "ears"), "ears"),
    ],
)
def test_mistakes(
    run: Run, line: Line, linear: Path, rows: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    two = tmp_path / "two.npz"
    np.savez(two, x=np.zeros((9, 4)), z=np.zeros((9, 4)))
    before = sorted(p.name for p in tmp_path.iterdir())
    done = run(*(a.format(linear=linear, rows=rows, two=two) for a in arguments))
    assert (done.returncode, done.stdout) == (2, "")
    assert said in line(done.stderr)
    assert sorted(p.name for p in tmp_path.iterdir()) == before
