"""A disk that is full in the middle of writing, two writers to one output, and what a killed run leaves."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx.parser
import pytest

from onnxplain.engine.storage import outputs
from onnxplain.models import demo_file

Run = Callable[..., subprocess.CompletedProcess[str]]
Line = Callable[[str], str]

# A linear layer; and one that takes a while, so that a run can be ended in the middle.
LINEAR = """
<ir_version: 8, opset_import: ["" : 17]>
linear (float[N, 4] x) => (float[N, 3] y)
<float[4, 3] w = {1.0, 2.0, 3.0, -1.0, 0.5, 2.0, 1.5, -2.0, 1.0, 0.1, 0.2, 0.3}>
{ y = MatMul(x, w) }
"""
ENDLESS = """
<ir_version: 8, opset_import: ["" : 17]>
endless (float[N, 4] x) => (float[N, 4] y)
<int64 times = {9223372036854775807}, bool go = {1}>
{
  y = Loop(times, go, x) <body = body (int64 i, bool c, float[N, 4] a) => (bool more, float[N, 4] b) {
    more = Identity(c)
    b = Mul(a, a)
  }>
}
"""
# The command line in a process that may write no file larger than so many bytes: as on a full disk, what is
# written comes to an end in the middle.
SMALL = """
import resource, sys
sys.argv[:] = sys.argv[1:]
largest = {largest}
resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
from onnxplain.cli.main import main
main()
"""


def small(folder: Path, largest: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line where files end at so many bytes."""
    code = SMALL.format(largest=largest)
    return subprocess.run(
        [sys.executable, "-c", code, "onnxplain", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx.parser.parse_model(LINEAR).SerializeToString())
    np.save(tmp_path / "x.npy", np.ones((20_000, 4), np.float32))
    return path


@pytest.mark.parametrize(
    ("arguments", "largest"),
    [
        (["explain", demo_file("honest.onnx"), demo_file("recording.edf"), "--no-report"], 60_000),
        (["explain", "model.onnx", "x.npy"], 100_000),
        (["compile", demo_file("honest.onnx")], 9_000),
    ],
    ids=["recording", "arrays", "compile"],
)
def test_a_full_disk_is_named_and_leaves_nothing(
    arguments: list[object], largest: int, model: Path, tmp_path: Path, line: Line
) -> None:
    before = sorted(tmp_path.rglob("*"))
    done = small(tmp_path, largest, *arguments, "--out", "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert "out: cannot be written (File too large)" in line(done.stderr)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_full_disk_in_a_cohort(tmp_path: Path, run: Run) -> None:
    pytest.importorskip("zarr")
    (tmp_path / "data").mkdir()
    shutil.copy(demo_file("recording.edf"), tmp_path / "data" / "rec1.edf")
    done = small(
        tmp_path, 20_000, "cohort", demo_file("honest.onnx"), "data", "--out", "s.zarr", "--workers", 1
    )
    assert done.returncode == 2
    assert "s.zarr: cannot be written (File too large)" in done.stderr
    assert [p.name for p in (tmp_path / "s.zarr").iterdir() if "rec1" in p.name] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["compile", "model.onnx", "--overwrite"],
        ["explain", "model.onnx", "x.npy"],
        ["cohort", "model.onnx", "data"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_the_second_writer_is_refused(
    arguments: list[str], model: Path, tmp_path: Path, run: Run, line: Line
) -> None:
    (tmp_path / "data").mkdir()
    shutil.copy(demo_file("recording.edf"), tmp_path / "data" / "rec1.edf")
    with outputs.alone(tmp_path / "out"):
        done = run(*arguments, "--out", "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert "out: another run is writing it" in line(done.stderr)
    assert not (tmp_path / "out").exists()


def test_what_a_killed_run_left_is_removed_by_the_next(model: Path, tmp_path: Path, run: Run) -> None:
    slow = tmp_path / "slow.onnx"
    slow.write_bytes(onnx.parser.parse_model(ENDLESS).SerializeToString())
    started = subprocess.Popen(
        [sys.executable, "-m", "onnxplain", "explain", str(slow), "x.npy", "--out", "out"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob(".out.*.partial")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    # The child first: the guard would have cleaned up.
    child = int(Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()[0])
    os.kill(started.pid, signal.SIGSTOP)
    os.kill(child, signal.SIGKILL)
    started.kill()
    started.wait()
    assert list(tmp_path.glob(".out.*.partial"))
    assert run("explain", model, "x.npy", "--out", "out", "--no-report").returncode == 0
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
