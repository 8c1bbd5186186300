"""A network of one's own: what its file says of the signal, and what nobody said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mne
import numpy as np
import pytest

from onnxplain.eeg.run import explain_recording
from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import InputError
from onnxplain.engine.file.load import load
from onnxplain.exporters import export
from onnxplain.exporters.request import SIGNAL

NETWORK = """
import torch

def plain(n_chans, n_times):
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(n_chans * n_times, 2))

class Image(torch.nn.Module):
    def __init__(self, n_chans, n_times):
        super().__init__()
        self.first = torch.nn.Conv2d(1, 4, (n_chans, 1))
        self.last = torch.nn.Linear(4 * n_times, 2)

    def forward(self, x):
        assert x.ndim == 4 and x.shape[1] == 1
        return self.last(torch.relu(self.first(x)).flatten(1))
"""
GIVEN = {"channels": ("C3", "Cz", "C4"), "sfreq": 100.0, "window": 1.0, "classes": ("l", "r")}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(NETWORK)
    return path


def written(path: Path) -> InputContract:
    found = load(path).contract
    assert found is not None
    return found


def test_what_nobody_said_is_unknown_and_repeated(file: Path, tmp_path: Path) -> None:
    export(f"{file}:plain", tmp_path / "m.onnx", exporter="legacy", contract={"unit": "V"}, **GIVEN)
    made = written(tmp_path / "m.onnx")
    assert made.unit == "V"
    assert set(made.unknown) == set(SIGNAL) - {"unit"}
    data = np.random.default_rng(0).normal(size=(3, 1000)) * 1e-5
    raw = mne.io.RawArray(data, mne.create_info(["C3", "Cz", "C4"], 100, "eeg"), verbose="error")
    (note,) = [n for n in explain_recording(tmp_path / "m.onnx", raw).all_notes() if "does not know" in n]
    assert "scale 1.0" in note
    assert "highpass none" in note
    assert "unit" not in note
    whole = {
        "scale": 2.0,
        "highpass": 1.0,
        "lowpass": 40.0,
        "notch": 50.0,
        "reference": "average",
        "unit": "uV",
    }
    export(f"{file}:plain", tmp_path / "all.onnx", exporter="legacy", contract=whole, **GIVEN)
    made = written(tmp_path / "all.onnx")
    assert made.unknown == ()
    assert made.model_dump(include=set(whole)) == whole


def test_a_contract_and_axes(file: Path, tmp_path: Path) -> None:
    says = InputContract(
        input="eeg", axes=("batch", "one", "channel", "time"), channels=("C3", "Cz", "C4"), sfreq=100,
        window=100, unit="mV", scaling={"by": "zscore"}, classes=("l", "r"), source="a paper",
    )  # fmt: skip
    report = export(f"{file}:Image", tmp_path / "m.onnx", exporter="legacy", contract=says)
    assert report.contract == written(tmp_path / "m.onnx")
    assert report.contract == says.model_copy(update={"model": "Image", "output": "logits"})
    longer = export(f"{file}:Image", tmp_path / "l.onnx", exporter="legacy", contract=says, window=2.0)
    assert longer.contract.shape == (1, 3, 200)
    axes = {"axes": ("batch", 1, "channel", "time")}
    by_axes = export(f"{file}:Image", tmp_path / "a.onnx", exporter="legacy", contract=axes, **GIVEN)
    assert by_axes.contract.shape == (1, 3, 100)
    with pytest.raises(InputError, match="takes the signal alone"):
        more = says.model_copy(update={"inputs": {"who": 0}})
        export(f"{file}:Image", tmp_path / "n.onnx", contract=more)
    with pytest.raises(InputError, match="or --contract FILE"):
        export(f"{file}:plain", tmp_path / "n.onnx", channels=("C3",))
    with pytest.raises(InputError, match="highpass: must lie below lowpass"):
        export(f"{file}:plain", tmp_path / "n.onnx", contract={"highpass": 9.0, "lowpass": 8.0}, **GIVEN)


def test_a_network_with_a_card_knows_its_signal(tmp_path: Path) -> None:
    report = export("eegnet", tmp_path / "m.onnx", exporter="legacy", contract={"unit": "mV"}, **GIVEN)
    assert (report.contract.unit, report.contract.unknown) == ("mV", ())


def test_the_command(file: Path, tmp_path: Path) -> None:
    def run(*more: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "onnxplain", "export", *map(str, more)], capture_output=True, text=True
        )

    common = ("--channels", "C3,Cz,C4", "--sfreq", 100, "--window", 1, "--exporter", "legacy")
    out = tmp_path / "m.onnx"
    made = run(
        f"{file}:Image", "-o", out, *common, "--unit", "UV", "--scale", 0.01, "--highpass", 0.5,
        "--lowpass", 45, "--reference", "A1,A2", "--axes", "batch,1,channel,time",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert "not known   notch: explanations will say so" in made.stdout
    found = written(out)
    assert (found.unit, found.scale, found.highpass, found.lowpass) == ("uV", 0.01, 0.5, 45)
    assert (found.reference, found.shape, found.unknown) == (("A1", "A2"), (1, 3, 100), ("notch",))
    (tmp_path / "c.yaml").write_text(
        "input: x\nchannels: [C3, Cz, C4]\nsfreq: 100\nwindow: 100\nunit: mV\nclasses: [l, r]\n"
    )
    both = ("--set", "a=random", "--set", "b=random")
    made = run(
        f"{file}:plain", "-o", tmp_path / "set", *both, "--contract", tmp_path / "c.yaml", "--notch", 60,
        "--exporter", "legacy",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    for name in ("a", "b"):
        found = written(tmp_path / "set" / f"{name}.onnx")
        assert (found.unit, found.notch, found.classes, found.unknown) == ("mV", 60, ("l", "r"), ())


def test_a_file_that_imports_braindecode(tmp_path: Path) -> None:
    """It works where `export eegnet` does, although torchaudio may not load here: in a process of its own."""
    (tmp_path / "mine.py").write_text(
        "from braindecode.models import EEGNet\n\n"
        "def net(n_chans, n_times, n_outputs):\n"
        "    return EEGNet(n_chans=n_chans, n_times=n_times, n_outputs=n_outputs)\n"
    )
    made = subprocess.run(
        [
            *(sys.executable, "-m", "onnxplain", "export", f"{tmp_path / 'mine.py'}:net", "-o", "m.onnx"),
            *("--channels", "C3,Cz,C4", "--sfreq", "100", "--window", "2", "--classes", "a,b"),
            *("--exporter", "legacy"),
        ],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert written(tmp_path / "m.onnx").classes == ("a", "b")
