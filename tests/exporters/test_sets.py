"""Checkpoints of one network as a set: one contract, one graph, other weights."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from onnxplain.engine.errors import InputError, ModelError
from onnxplain.exporters import export_set
from onnxplain.exporters.api import builder
from onnxplain.exporters.request import Request

GIVEN = {"channels": ("C3", "Cz", "C4"), "sfreq": 128.0, "window": 2.0, "classes": ("left", "right")}
FAST = {**GIVEN, "exporter": "legacy"}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A pretrained body with a new head, the same with a body that moved, and one trained from nothing."""
    folder = tmp_path_factory.mktemp("checkpoints")
    found = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        base = builder("eegnet")(Request(**GIVEN)).module.state_dict()
        for label in ("frozen", "fine-tuned", "scratch"):
            state = {k: v.clone() for k, v in base.items()}
            for k, v in state.items():
                if v.is_floating_point() and (label != "frozen" or k.startswith("final_layer")):
                    v += (0.1 if label == "fine-tuned" else 0.5) * torch.rand_like(v)
            torch.save(state, folder / f"{label}.pt")
            found[label] = str(folder / f"{label}.pt")
    return found


def test_one_contract_and_other_weights(tmp_path: Path, checkpoints: dict[str, str]) -> None:
    # The head of "frozen" differs from that of a second frozen one only.
    more = {"frozen": checkpoints["frozen"], "again": checkpoints["frozen"], **checkpoints, "none": "random"}
    manifest = json.loads(export_set("EEGNet", tmp_path, more, **FAST).read_text())
    assert [m["label"] for m in manifest["members"]] == ["frozen", "again", "fine-tuned", "scratch", "none"]
    assert manifest["network"] == "EEGNet"
    assert manifest["contract"]["classes"] == ["left", "right"]
    by_label = {m["label"]: m for m in manifest["members"]}
    assert by_label["again"]["as_first"] == 1.0
    assert by_label["fine-tuned"]["as_first"] < 0.2
    assert all(m["parity"] <= 1e-3 for m in by_label.values())
    assert by_label["frozen"]["sha256"] == by_label["again"]["sha256"] != by_label["scratch"]["sha256"]
    x = np.random.default_rng(0).standard_normal((4, 3, 256)).astype(np.float32)
    answers = {
        label: ort.InferenceSession(tmp_path / m["file"]).run(None, {"x": x})[0]
        for label, m in by_label.items()
    }
    assert np.array_equal(answers["frozen"], answers["again"])
    assert not np.allclose(answers["frozen"], answers["scratch"])


def test_another_network_is_no_member(tmp_path: Path, checkpoints: dict[str, str]) -> None:
    torch.save({"odd": torch.zeros(3)}, tmp_path / "odd.pt")
    folder = tmp_path / "set"
    folder.mkdir()
    with pytest.raises(ModelError, match=r"^odd: eegnet: .*the checkpoint lacks"):
        export_set("eegnet", folder, {**checkpoints, "odd": tmp_path / "odd.pt"}, **FAST)
    assert list(folder.iterdir()) == []
    with pytest.raises(InputError, match="two checkpoints"):
        export_set("eegnet", folder, {"frozen": "random"}, **GIVEN)
    with pytest.raises(InputError, match="without folders"):
        export_set("eegnet", folder, {"../up": "random", "b": "random"}, **GIVEN)


def test_by_command(tmp_path: Path, checkpoints: dict[str, str]) -> None:
    out = tmp_path / "set"
    options = [
        "export",
        "eegnet",
        "-o",
        str(out),
        "--channels",
        "C3,Cz,C4",
        "--sfreq",
        "128",
        "--window",
        "2",
    ]
    chosen = [a for label, path in checkpoints.items() for a in ("--set", f"{label}={path}")]
    done = _run(*options, *chosen, "--classes", "left,right")
    assert done.returncode == 0, done.stderr
    assert {p.name for p in out.iterdir()} >= {"frozen.onnx", "fine-tuned.onnx", "scratch.onnx", "set.json"}
    assert "of its weights are the first file's" in done.stdout
    for wrong in (("--set", "a", "--set", "b=random"), ("--set", "a=random", "--checkpoint", "a.pt")):
        refused = _run(*options, "--overwrite", *wrong)
        assert refused.returncode == 2
        assert len(refused.stderr.splitlines()) == 1


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "onnxplain", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
