"""The gate among other people's files, settings and accidents: rows O1 to O11 of what must not go wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from logs import errors

from onnxplain.models import demo_file

Run = Callable[..., subprocess.CompletedProcess[str]]
Line = Callable[[str], str]

OFF = (
    "transplant", "share", "components", "clusters", "subjects", "faithfulness", "randomisation", "agreement",
)  # fmt: skip
QUICK = "version: 1\nexpects: {task: motor-imagery}\nchecks:\n" + "".join(
    f"  {name}: {{enabled: false}}\n" for name in OFF
)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A model, a recording, and a policy with the quick checks."""
    for name in ("honest.onnx", "recording.edf"):
        shutil.copy(demo_file(name), tmp_path / name)
    (tmp_path / "policy.yaml").write_text(QUICK, encoding="utf-8")
    return tmp_path


ARGUMENTS = ("validate", "honest.onnx", "recording.edf", "--policy", "policy.yaml")


def _refused(run: Run, line: Line, folder: Path, *options: object, **environment: str) -> str:
    """Run the gate, and hold that it says one line, exits with 2 and writes nothing; returns the line."""
    before = sorted(folder.rglob("*"))
    done = run(*ARGUMENTS, *options, **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert sorted(folder.rglob("*")) == before
    return line(done.stderr)


@pytest.mark.row("O1")
def test_o1_events_that_do_not_exist(run: Run, line: Line, files: Path) -> None:
    (files / "policy.yaml").write_text(QUICK + "events: up,left\n", encoding="utf-8")
    said = _refused(run, line, files)
    assert "up" in said
    assert "left" in said


@pytest.mark.row("O2")
def test_o2_a_threshold_that_is_none(run: Run, line: Line, files: Path) -> None:
    """One through the command line; tests/validation/test_policy.py has the others."""
    bad = "version: 1\nchecks: {determinism: {max_difference: .nan}}"
    (files / "policy.yaml").write_text(bad, encoding="utf-8")
    assert "checks.determinism.max_difference" in _refused(run, line, files)


@pytest.mark.row("O2")
@pytest.mark.parametrize("value", ["0", "1.5"])
def test_o2_threads_that_are_none(run: Run, line: Line, files: Path, value: str) -> None:
    assert "--threads" in _refused(run, line, files, "--threads", value)


@pytest.mark.row("O3")
def test_o3_outputs_that_exist_and_links(run: Run, line: Line, files: Path) -> None:
    (files / "out").mkdir()
    (files / "out" / "mine.txt").write_text("mine")
    assert "out" in _refused(run, line, files, "--out", "out")
    (files / "file").write_text("mine")
    assert "file" in _refused(run, line, files, "--out", "file")
    (files / "link").symlink_to(files / "elsewhere")
    assert "link" in _refused(run, line, files, "--out", "link")
    assert "nowhere" in _refused(run, line, files, "--out", "nowhere/deep/out")
    assert (files / "out" / "mine.txt").read_text() == "mine"


@pytest.mark.row("O3")
@pytest.mark.long
def test_o3_a_log_that_is_none(run: Run, line: Line, files: Path) -> None:
    """An audit log is gone on with only where it is whole."""
    log = files / "audit.jsonl"
    for text in ("not json\n", "[]\n", '{"hash": 1}\n'):
        log.write_text(text)
        assert "audit.jsonl" in _refused(run, line, files, "--audit-log", "audit.jsonl")
        assert log.read_text() == text
    assert "NO_SUCH_KEY" in _refused(run, line, files, "--audit-key", "NO_SUCH_KEY")


@pytest.mark.row("O4")
@pytest.mark.long
def test_o4_two_at_once_write_one_verdict(files: Path) -> None:
    command = [sys.executable, "-m", "onnxplain", *ARGUMENTS, "--out", "out"]
    both = [
        subprocess.Popen(command, cwd=files, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [one.communicate(timeout=900) for one in both]
    assert sorted(one.returncode for one in both) == [0, 2]
    (err,) = [err for one, (_, err) in zip(both, said, strict=True) if one.returncode]
    assert "out" in err
    assert len(err.splitlines()) == 1
    assert json.loads((files / "out" / "verdict.json").read_text())["status"] == "PASS"
    assert not [p for p in files.iterdir() if p.name.startswith(".")]


@pytest.mark.row("O5")
@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_o5_stopped_in_the_middle(files: Path, how: signal.Signals) -> None:
    """Nothing that looks like a verdict is left, and the next run finds its place free."""
    command = [sys.executable, "-m", "onnxplain", *ARGUMENTS, "--out", "out"]
    started = subprocess.Popen(
        command, cwd=files, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    time.sleep(2.0)
    assert started.poll() is None, "it was done before it could be stopped"
    os.kill(started.pid, how) if how is not signal.SIGKILL else os.killpg(started.pid, how)
    out, _ = started.communicate(timeout=900)
    assert started.returncode != 0
    assert "PASS" not in out
    assert not (files / "out" / "verdict.json").exists()
    done = subprocess.run(command, cwd=files, capture_output=True, text=True, timeout=900, check=False)
    assert (done.returncode, errors(done.stderr)) == (0, "")


@pytest.mark.row("O7")
def test_o7_nothing_evaluable_is_no_pass(run: Run, files: Path) -> None:
    exchanges = "".join(f"  {name}: {{enabled: false}}\n" for name in ("follows", "intervention"))
    (files / "policy.yaml").write_text(QUICK + exchanges, encoding="utf-8")
    done = run(*ARGUMENTS, "--out", "out")
    assert done.returncode == 1
    assert done.stdout.startswith("NOT EVALUABLE: ")
    assert json.loads((files / "out" / "verdict.json").read_text())["status"] == "NOT EVALUABLE"


def _first(folder: Path) -> str:
    """Where Python looks: in a folder first, and then where it did."""
    return os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))


def _comma(folder: Path) -> dict[str, str]:
    """A locale with a decimal comma, made here where the machine has what it is made of."""
    made = subprocess.run(
        ["localedef", "-i", "de_DE", "-f", "UTF-8", str(folder / "de_DE.UTF-8")],
        capture_output=True,
        check=False,
    )
    (folder / "sitecustomize.py").write_text(
        "import contextlib, locale\nwith contextlib.suppress(locale.Error):\n"
        "    locale.setlocale(locale.LC_ALL, 'de_DE.UTF-8')\n"
    )
    place = {"LOCPATH": str(folder)} if made.returncode == 0 else {}
    return {"LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8", "PYTHONPATH": _first(folder), **place}


@pytest.mark.row("O8")
def test_o8_a_decimal_comma_changes_no_number(
    run: Run, files: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    plain = run(*ARGUMENTS, "--json")
    comma = run(*ARGUMENTS, "--json", **_comma(tmp_path_factory.mktemp("locale")))
    assert (plain.returncode, comma.returncode) == (0, 0)
    numbers = [
        [(r["check"], r["value"], r["said"]) for r in json.loads(done.stdout)["results"]]
        for done in (plain, comma)
    ]
    assert numbers[0] == numbers[1]


@pytest.mark.row("O8")
@pytest.mark.long
@pytest.mark.parametrize("name", ["two words of 脳波\nin two lines", "-dash 100%s {x} $HOME"])
def test_o8_names_of_files(run: Run, files: Path, name: str) -> None:
    folder = files / name
    folder.mkdir()
    for old in ("honest.onnx", "recording.edf", "policy.yaml"):
        shutil.copy(files / old, folder / f"{name}{Path(old).suffix}")
    done = run(
        "validate", folder / f"{name}.onnx", folder / f"{name}.edf", "--policy", folder / f"{name}.yaml",
        "--out", folder / "out",
    )  # fmt: skip
    assert (done.returncode, errors(done.stderr)) == (0, "")
    data = json.loads((folder / "out" / "verdict.json").read_text(encoding="utf-8"))
    assert "\n" not in data["audit"]["model"]["file"]
    # A name cannot break a line of what is printed.
    assert len(done.stdout.splitlines()) == len(run(*ARGUMENTS, "--out", "out").stdout.splitlines())
    refused = run("validate", folder / "no.onnx", folder / f"{name}.edf", "--policy", folder / f"{name}.yaml")
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.row("O9")
def test_o9_a_file_that_wants_more_windows_than_there_are(run: Run, line: Line, files: Path) -> None:
    import onnx

    model = onnx.load(files / "honest.onnx")
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 4096
    onnx.save(model, files / "honest.onnx")
    assert "4096 windows at a time" in _refused(run, line, files)


@pytest.mark.row("O10")
def test_o10_no_display_and_no_network(
    run: Run, files: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("closed")
    (folder / "sitecustomize.py").write_text(
        "import socket\n"
        "def closed(*_, **__):\n"
        f"    open({str(folder / 'asked')!r}, 'w').close()\n"
        "    raise OSError('no network')\n"
        "socket.create_connection = socket.getaddrinfo = socket.socket.connect = closed\n"
    )
    done = run(
        *ARGUMENTS, "--out", "out", DISPLAY="", WAYLAND_DISPLAY="", MPLBACKEND="", PYTHONPATH=_first(folder)
    )
    assert (done.returncode, errors(done.stderr)) == (0, "")
    assert not (folder / "asked").exists()
    page = (files / "out" / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"(<link[^>]* href|src)\s*=\s*[\"']?https?:", page)


@pytest.mark.row("O11")
@pytest.mark.long
def test_o11_seed_and_threads_are_kept(run: Run, files: Path) -> None:
    (files / "policy.yaml").write_text(QUICK + "seed: 7\n", encoding="utf-8")
    found = [json.loads(run(*ARGUMENTS, "--json", "--threads", "1").stdout) for _ in range(2)]
    assert (found[0]["audit"]["seed"], found[0]["audit"]["threads"]) == (7, 1)
    assert found[0]["results"] == found[1]["results"]
