"""Bad input: one line, the right exit code, no traceback, nothing half-written."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest

# A linear layer of four features and three classes.
LINEAR = """
<ir_version: 8, opset_import: ["" : 17]>
linear (float[N, 4] x) => (float[N, 3] y)
<float[4, 3] w = {1.0, 2.0, 3.0, -1.0, 0.5, 2.0, 1.5, -2.0, 1.0, 0.1, 0.2, 0.3}>
{
  y = MatMul(x, w)
}
"""

# `Hardmax` is no function whose relevance is known; neither is anything of this domain.
NO_RULE = """
<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
unknown (float[N, 4] x) => (float[N, 3] y)
<float[4, 3] w = {1.0, 2.0, 3.0, -1.0, 0.5, 2.0, 1.5, -2.0, 1.0, 0.1, 0.2, 0.3}>
{
  z = MatMul(x, w)
  y = com.microsoft.BiasSplitGelu(z, z)
}
"""

# Nine billion times and more: onnxruntime's `run` does not come back from it.
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

Run = Callable[..., subprocess.CompletedProcess[str]]
Line = Callable[[str], str]
Model = Callable[[str], Path]
Refused = Callable[..., str]


@pytest.fixture
def model(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "model.onnx"
        path.write_bytes(onnx.parser.parse_model(text).SerializeToString())
        return path

    return write


@pytest.fixture
def array(tmp_path: Path) -> Path:
    path = tmp_path / "x.npy"
    np.save(path, np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32))
    return path


@pytest.fixture
def refused(run: Run, line: Line, tmp_path: Path) -> Refused:
    """Run `explain`, and hold that it is refused as it should; returns the line."""

    def refused(*arguments: object, code: int = 2, command: str = "explain") -> str:
        before = sorted(tmp_path.rglob("*"))
        done = run(command, *arguments)
        assert done.returncode == code, done.stderr
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        assert sorted(tmp_path.rglob("*")) == before
        return line(done.stderr)

    return refused


def test_the_good_case(run: Run, model: Model, array: Path, tmp_path: Path) -> None:
    done = run("explain", model(LINEAR), array, "--out", "out", "--batch-size", 2)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 6
    assert re.fullmatch(r"took {8}\d+\.\d s", done.stdout.splitlines()[-1])
    with np.load(tmp_path / "out" / "relevance.npz") as found:
        total = found["relevance.x"].sum(1)
        np.testing.assert_allclose(total, found["explained"], rtol=1e-5)
        np.testing.assert_allclose(np.load(array) * found["multiplier.x"], found["relevance.x"], rtol=1e-6)
        assert found["output.y"].shape == (5, 3)
        assert (found["target"] == found["output.y"].argmax(1)).all()
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        ".onnxplain.json",
        "relevance.npz",
        "report.html",
        "summary.json",
    ]


def test_missing_model(refused: Refused, array: Path) -> None:
    assert "nothing.onnx: no such file" in refused("nothing.onnx", array, "--out", "out")
    assert "nothing.onnx: no such file" in refused("nothing.onnx", command="inspect")


def test_missing_data(refused: Refused, model: Model) -> None:
    assert "nothing.npy: no such file" in refused(model(LINEAR), "nothing.npy", "--out", "out")


@pytest.mark.row("M8")
@pytest.mark.parametrize(
    "content",
    [b"This is a text file.\n", b"", b"<!doctype html><html></html>", b"PK\x03\x04zip", bytes(range(256))],
)
@pytest.mark.parametrize("command", ["inspect", "explain"])
def test_no_onnx_file(refused: Refused, array: Path, tmp_path: Path, content: bytes, command: str) -> None:
    path = tmp_path / "text.onnx"
    path.write_bytes(content)
    more = [array, "--out", "out"] if command == "explain" else []
    assert "text.onnx" in refused(path, *more, command=command)


@pytest.mark.row("M5")
def test_a_pipe_is_not_opened(refused: Refused, array: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    assert "pipe" in refused("pipe.onnx", array, "--out", "out")


@pytest.mark.row("O1")
@pytest.mark.parametrize("target", ["7", "-5", "left", "left:1,right:-1"])
def test_unknown_target(refused: Refused, model: Model, array: Path, target: str) -> None:
    refused(model(LINEAR), array, "--out", "out", f"--target={target}")


def test_a_difference_to_nothing(refused: Refused, model: Model, array: Path) -> None:
    said = refused(model(LINEAR), array, "--out", "out", "--composite", "difference")
    assert "--against FILE names the arrays" in said
    assert "held against those of a file" in refused(
        model(LINEAR), array, "--out", "out", "--against", "other"
    )


@pytest.mark.row("M18")
def test_op_without_a_rule(refused: Refused, model: Model, array: Path) -> None:
    assert "BiasSplitGelu" in refused(model(NO_RULE), array, "--out", "out")


@pytest.mark.row("M14")
@pytest.mark.parametrize("command", ["explain", "inspect"])
def test_endless_loop(refused: Refused, model: Model, array: Path, command: str) -> None:
    more = [array, "--out", "out"] if command == "explain" else []
    said = refused(model(ENDLESS), *more, "--time-limit", 3, code=3, command=command)
    assert "stopped after 3 s" in said
    assert " while " in said


@pytest.mark.row("E14")
@pytest.mark.parametrize("name", ["objects.npy", "objects.npz"])
@pytest.mark.parametrize("option", ["", "--against"])
def test_pickles_are_refused(
    refused: Refused, model: Model, array: Path, tmp_path: Path, name: str, option: str
) -> None:
    objects = np.array([{}, []], dtype=object)
    if name.endswith(".npz"):
        np.savez(tmp_path / name, x=objects)
    else:
        np.save(tmp_path / name, objects, allow_pickle=True)
    arguments = [array, option, name] if option else [name]
    said = refused(model(LINEAR), *arguments, "--out", "out")
    assert name in said
    assert re.search("pickle|object", said)


@pytest.mark.row("E15")
@pytest.mark.parametrize("how", ["SIGSEGV", "SIGABRT", "SIGBUS"])
def test_a_reader_that_crashes(
    run: Run, line: Line, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, how: str
) -> None:
    """It takes the process that reads with it, and not the one that answers."""
    folder = tmp_path_factory.mktemp("crash")
    (folder / "sitecustomize.py").write_text(
        "import os, pathlib, signal\n"
        "first = pathlib.Path.open\n"
        "def opened(path, *a, **k):\n"
        f"    path.suffix == '.edf' and os.kill(os.getpid(), signal.{how})\n"
        "    return first(path, *a, **k)\n"
        "pathlib.Path.open = opened\n"
    )
    from onnxplain.models import demo_file

    recording(tmp_path / "signal.edf", ["C3", "C4"])
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    done = run("explain", demo_file("honest.onnx"), "signal.edf", "--out", "out", PYTHONPATH=path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"a library crashed ({how}) while " in line(done.stderr)
    assert [p.name for p in tmp_path.iterdir()] == ["signal.edf"]


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"text", b"PK\x03\x04"])
@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
def test_broken_arrays(refused: Refused, model: Model, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert name in refused(model(LINEAR), name, "--out", "out")


@pytest.mark.parametrize(
    "values",
    [
        np.full((2, 4), np.nan, np.float32),
        np.zeros((0, 4), np.float32),
        np.float32(3),
        np.array([["a", "b", "c", "d"]]),
        np.zeros((2, 5), np.float32),
        np.zeros((2, 4, 1), np.float32),
    ],
    ids=["nan", "empty", "scalar", "text", "shape", "rank"],
)
def test_arrays_that_do_not_fit(refused: Refused, model: Model, tmp_path: Path, values: np.ndarray) -> None:
    np.save(tmp_path / "bad.npy", values)
    refused(model(LINEAR), "bad.npy", "--out", "out")


@pytest.mark.row("M22")
def test_wrong_input_name(refused: Refused, model: Model, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", signal=np.zeros((2, 4), np.float32))
    assert "signal" in refused(model(LINEAR), "x.npz", "--out", "out")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        pytest.param(["--batch-size", "0"], "--batch-size", marks=pytest.mark.row("O9")),
        pytest.param(["--batch-size", "-1"], "--batch-size", marks=pytest.mark.row("O9")),
        pytest.param(["--threads", "0"], "--threads", marks=pytest.mark.row("O2")),
        pytest.param(["--param", "epsilon=nan"], "epsilon", marks=pytest.mark.row("O2")),
        (["--param", "epsilon"], "NAME=VALUE"),
        pytest.param(["--param", "no_such=1"], "no_such", marks=pytest.mark.row("O2")),
        (["--composite", "magic"], "magic"),
        (["--backend", "gpu"], "--backend"),
        (["--target", ""], "--target"),
        (["--target", "left:1,left:2"], "twice"),
        (["--contrast", "most"], "--contrast"),
        pytest.param(["--time-limit", "0"], "--time-limit", marks=pytest.mark.row("O2")),
        (["--time-limit", "soon"], "--time-limit"),
        pytest.param(["--memory-limit", "much"], "--memory-limit", marks=pytest.mark.row("O2")),
        (["--no-such-option"], "--no-such-option"),
        (["--channels", "C3,C4"], "--channels"),
        (["--contract", "nothing.yaml"], "nothing.yaml"),
    ],
)
def test_bad_options(refused: Refused, model: Model, array: Path, options: list[str], named: str) -> None:
    assert named in refused(model(LINEAR), array, "--out", "out", *options)


@pytest.mark.parametrize("arguments", [["explain"], ["inspect", "a", "b"], ["nothing"], ["--nothing"]])
def test_usage(run: Run, line: Line, arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    line(done.stderr)


@pytest.mark.parametrize(
    ("command", "said"),
    [("explian", "did you mean explain?"), ("comples", "did you mean compile?"), ("zz", "there are demo")],
)
def test_a_misspelt_command(run: Run, line: Line, command: str, said: str) -> None:
    done = run(command, "a", "b")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in line(done.stderr)


@pytest.mark.parametrize("place", ["pipe", "/dev/null", "nowhere/log", "link"])
def test_an_audit_log_is_a_file(
    refused: Refused, model: Model, array: Path, tmp_path: Path, place: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("log")
    assert "--audit-log" in refused(
        model(LINEAR), array, "--policy", array, "--audit-log", place, command="validate"
    )


@pytest.mark.row("M22")
def test_a_recording_needs_a_contract(refused: Refused, model: Model, tmp_path: Path) -> None:
    recording(tmp_path / "signal.edf", ["C3", "C4"])
    assert "--contract FILE" in refused(model(LINEAR), "signal.edf", "--out", "out")


@pytest.mark.row("E7")
def test_recording_without_a_needed_channel(refused: Refused, tmp_path: Path) -> None:
    from onnxplain.models import demo_file

    recording(tmp_path / "signal.edf", ["C3", "C4"])
    said = refused(demo_file("honest.onnx"), "signal.edf", "--out", "out")
    assert "signal.edf" in said
    assert "Fp1" in said


def recording(path: Path, channels: list[str]) -> None:
    edfio = pytest.importorskip("edfio")
    noise = np.random.default_rng(0).normal(size=(len(channels), 2000)) * 20
    signals = [
        edfio.EdfSignal(data, 200, label=name, physical_dimension="uV")
        for name, data in zip(channels, noise, strict=True)
    ]
    edfio.Edf(signals).write(path)


def test_export_of_an_unknown_model(refused: Refused) -> None:
    assert "labram" in refused("nobody", "-o", "x.onnx", command="export").lower()


@pytest.mark.row("M21", "O8")
def test_names_cannot_break_the_line(refused: Refused, tmp_path: Path) -> None:
    name = "bad\n\x1b[31m\u202e.onnx"
    (tmp_path / name).write_text("text")
    assert r"bad\n\x1b[31m\u202e.onnx" in refused(name, command="inspect")
