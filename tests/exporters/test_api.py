"""`export` by name, and the packages it needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import onnxruntime as ort
import pytest

from onnxplain.engine.errors import InputError, OnnxplainError
from onnxplain.exporters import export, extras, known
from onnxplain.models import card, cards


def test_known_names_are_those_of_braindecode() -> None:
    models = extras.braindecode_models()
    classes = {n.lower() for n in dir(models) if n[0].isupper()}
    assert {"labram", "cbramod", "biot", "eegpt", "reve"} <= set(known())
    assert set(known()) <= classes
    # Parts of others, and nets of whose class braindecode says no more.
    assert classes - set(known()) <= {"eegmodulemixin", "hybridnet", "interpolatedmodel", "tcn", "eegmodule"}
    for name in ("labram", "eegnet", "shallowfbcspnet"):
        assert card(name).parameters > 0


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"near: .*labram.*, or path/to/file.py:factory"):
        export("labran", tmp_path / "x.onnx")
    with pytest.raises(InputError, match=r"known: atcnet, .*labram.*, or path/to/file.py:factory"):
        export("xxxxxxxx", tmp_path / "x.onnx")


@pytest.mark.parametrize(
    ("name", "kind"), [("EEGNet", "dynamo"), ("eegnet", "legacy"), ("ShallowFBCSPNet", "auto")]
)
def test_convolutional_networks(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / "net.onnx"
    report = export(
        name, path, channels=["C3", "Cz", "C4"], sfreq=128, window=2, classes=["l", "r"], exporter=kind
    )
    assert report.contract.model.lower() == name.lower()
    assert report.contract.shape == (3, 256)
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert session.run(None, {"x": np.zeros((7, 3, 256), np.float32)})[0].shape == (7, 2)


def test_the_seed_decides_random_weights(tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((1, 3, 256)).astype(np.float32)
    found = []
    for i, seed in enumerate((0, 0, 1)):
        export(
            "eegnet",
            tmp_path / f"{i}.onnx",
            channels=["C3", "Cz", "C4"],
            sfreq=128,
            window=2,
            exporter="legacy",
            seed=seed,
        )
        found.append(ort.InferenceSession(tmp_path / f"{i}.onnx").run(None, {"x": x})[0])
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_importing_is_light() -> None:
    code = "import onnxplain.exporters, sys; print([m for m in ('torch', 'braindecode') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("missing", ["torch", "braindecode"])
def test_a_missing_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    for name in [n for n in sys.modules if n.partition(".")[0] == missing]:
        if missing != "torch" or name == "torch":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(OnnxplainError, match=rf'needs {missing}: pip install "onnxplain\[export\]"'):
        export("eegnet", tmp_path / "x.onnx")


def test_torchaudio_is_replaced_only_where_it_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    stub = "torchaudio._extension"
    for name in [n for n in sys.modules if n.partition(".")[0] == "torchaudio"]:
        monkeypatch.delitem(sys.modules, name)

    monkeypatch.setattr(extras, "import_module", lambda name: ModuleType(name))
    extras.spare_torchaudio()
    assert stub not in sys.modules

    def broken(name: str) -> ModuleType:
        monkeypatch.setitem(sys.modules, "torchaudio", ModuleType("torchaudio"))
        raise OSError("Could not load this library")

    monkeypatch.setattr(extras, "import_module", broken)
    extras.spare_torchaudio()
    assert "torchaudio" not in sys.modules
    assert sys.modules[stub]._IS_TORCHAUDIO_EXT_AVAILABLE is False
    monkeypatch.delitem(sys.modules, stub)


# The largest take half a minute to build: `make test-long` has them.
LARGE = {"steegformer", "zuna"}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.long] if n in LARGE else []) for n in sorted(cards())],
)
def test_a_cards_network_is_as_large_as_it_says_and_takes_its_input(name: str) -> None:
    import torch

    from onnxplain.exporters.api import builder
    from onnxplain.exporters.request import Request

    built = builder(name)(Request())
    assert sum(p.numel() for p in built.module.parameters()) == pytest.approx(card(name).parameters, rel=1e-3)
    assert built.contract.channels == card(name).contract.channels
    with torch.no_grad():
        answer = built.module.eval()(torch.randn(1, *built.contract.shape))
    assert answer.shape[0] == 1
    assert torch.isfinite(answer).all()
