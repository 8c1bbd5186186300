"""`onnxplain audit`: a table, JSON, a report, exit codes, and mistakes in one line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from logs import errors

from onnxplain.models import demo_file

Run = Callable[..., subprocess.CompletedProcess[str]]
Line = Callable[[str], str]

DATA = demo_file("recording.edf")
NAMES = ("Fp1", "Fp2", "F7", "F8", "C3", "Cz", "C4", "Pz", "O1", "O2")


def arrays(path: Path, shift: float, **changes: Any) -> Path:
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 10, (60, len(NAMES), 200)), rng.permutation(np.arange(60) % 2)
    x[y == 1, 2] += shift
    np.savez(path, **{"x": x, "y": y, "sfreq": 100.0, "channels": np.array(NAMES), **changes})
    return path


def test_a_recording(run: Run, tmp_path: Path) -> None:
    done = run("audit", DATA, "--events", "left,right", "--seconds", 2, "--out", "out", "--json")
    assert (done.returncode, errors(done.stderr)) == (0, "")
    found = json.loads(done.stdout)
    assert found["counts"] == {"left": 32, "right": 32}
    assert found == json.loads((tmp_path / "out" / "audit.json").read_text(encoding="utf-8"))
    assert (tmp_path / "out" / "report.html").exists()
    assert {"offset", "gain", "time", "alpha"} <= {r["name"] for r in found["rows"]}
    again = run("audit", DATA, "--out", "out")
    assert (again.returncode, again.stdout) == (2, "")


def test_as_a_model_has_it(run: Run) -> None:
    done = run("audit", DATA, "--contract", demo_file("honest.onnx"))
    assert (done.returncode, errors(done.stderr)) == (0, "")
    assert "each electrode's offset" in done.stdout
    assert "left: 32, right: 32" in done.stdout
    assert "cannot see" in done.stdout


def test_strict(run: Run, tmp_path: Path) -> None:
    cue, none = arrays(tmp_path / "cue.npz", 30.0), arrays(tmp_path / "none.npz", 0.0)
    assert run("audit", cue).returncode == 0
    strict = run("audit", cue, "--strict")
    assert (strict.returncode, strict.stderr) == (1, "")
    assert "offers a shortcut" in strict.stdout
    assert run("audit", none, "--strict", "--quiet").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing.edf",), "nothing.edf: no such file"),
        (("{text}",), "text.txt"),
        (("{fake}",), "fake.edf"),
        (
            (str(DATA), "--events", "blink"),
            "recording.edf: two classes of 10 windows or more are needed, and labels are blink: 31",
        ),
        ((str(DATA), "--events", "up"), "no event up"),
        ((str(DATA), "--labels", "{labels}"), "two classes"),
        ((str(DATA), "--labels", "{empty}"), "no row below the header"),
        ((str(DATA), "--seconds", "0"), "--seconds"),
        ((str(DATA), "--seconds", "0.01"), "--seconds makes it longer"),
        ((str(DATA), "--seconds", "900"), "no window of 900 s"),
        ((str(DATA), "--contract", "{text}"), "contract"),
        ((str(DATA), "--contract", "none.onnx"), "none.onnx: no such file"),
        ((str(DATA), "--out", "none/out"), "no folder"),
        ((str(DATA), "--subject", "{{subject}}.edf"), "is one recording, of one subject; --subject is for"),
        (("{cue}", "--subject", "{{subject}}.npz"), "is one recording, of one subject; --subject is for"),
        (("{folder}",), "no recording in it"),
        (("{one}",), "two classes of 10 windows"),
        (("{lacks}",), "lacks channels"),
        (("{flat}",), "(window, channel, time) are needed"),
        (("{cue}", "--events", "left"), "leave --events, --labels and --seconds out"),
    ],
)
def test_mistakes(run: Run, line: Line, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    there = {name: tmp_path / name for name in ("text.txt", "fake.edf", "labels.csv", "empty.csv", "folder")}
    there["text.txt"].write_text("no contract")
    there["fake.edf"].write_bytes(b"0 no recording")
    there["labels.csv"].write_text("onset,label\n" + "".join(f"{i},left\n" for i in range(40)))
    there["empty.csv"].write_text("onset,label\n")
    there["folder"].mkdir()
    files = {p.stem: p for p in there.values()} | {
        "cue": arrays(tmp_path / "cue.npz", 30.0),
        "one": arrays(tmp_path / "one.npz", 0.0, y=np.zeros(60)),
        "flat": arrays(tmp_path / "flat.npz", 0.0, x=np.zeros((60, 4))),
        "lacks": tmp_path / "lacks.npz",
    }
    np.savez(files["lacks"], x=np.zeros((3, 2, 9)), y=np.zeros(3), sfreq=1.0)
    before = sorted(p.name for p in tmp_path.iterdir())
    done = run("audit", *(a.format(**files) for a in arguments))
    assert (done.returncode, done.stdout) == (2, "")
    assert said in line(done.stderr)
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_no_labels(run: Run, line: Line, tmp_path: Path) -> None:
    import mne

    noise = np.random.default_rng(0).normal(0, 1e-5, (3, 2000))
    raw = mne.io.RawArray(noise, mne.create_info(["C3", "Cz", "C4"], 100.0, "eeg"), verbose="error")
    raw.save(tmp_path / "bare_raw.fif", verbose="error")
    done = run("audit", "bare_raw.fif")
    assert done.returncode == 2
    assert "no annotation that could be a label; give a table with --labels FILE" in line(done.stderr)
