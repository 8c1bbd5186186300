"""What is taken out of a network before it is exported; the file still says what the network says."""

from __future__ import annotations

import importlib
from pathlib import Path

import onnxruntime as ort
import pytest
import torch
from torch import nn

from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import InputError
from onnxplain.exporters import export, extras
from onnxplain.exporters.rewrites import frozen, parametrized, rewritten
from onnxplain.exporters.torch import export_module

CONTRACT = InputContract(input="x", channels=("C3", "Cz"), sfreq=100, window=50, classes=("a", "b"))


class Positions(nn.Module):
    """An encoding written into an empty tensor: the same for every window."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(50, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = x.new_empty((x.shape[0], 50, 8))
        made[:, :, :4] = self.table
        made[:, :, 4:].copy_(self.table[None])
        return made


class Encoded(nn.Module):
    """Encoder layers over encoded samples."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.positions = nn.Linear(2, 8), Positions()
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu")
        self.head = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.embed(x.transpose(1, 2))
        return self.head(self.encoder(h + self.positions(h)).mean(1))


class Normed(nn.Module):
    """Weights behind both kinds of weight norm."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.utils.parametrizations.weight_norm(nn.Conv1d(2, 4, 3))
        self.old = nn.utils.weight_norm(nn.Conv1d(4, 4, 3))
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.old(torch.relu(self.conv(x))).mean(-1))


@pytest.mark.parametrize("exporter", ["dynamo", "legacy"])
def test_positions_and_fused_attention(tmp_path: Path, exporter: str) -> None:
    torch.manual_seed(0)
    network = Encoded()
    report = export_module(
        network, torch.randn(2, 2, 50), tmp_path / "m.onnx", contract=CONTRACT, exporter=exporter
    )
    assert {"constant parts frozen", "attention written out"} <= set(report.rewrites)
    assert isinstance(network.positions, Positions)  # the network itself is as it was
    assert "ScatterND" not in report.ops
    session = ort.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    assert session.run(None, {"x": torch.randn(5, 2, 50).numpy()})[0].shape == (5, 2)


def test_weight_norm(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Normed()
    names = set(dict(network.named_parameters()))
    report = export_module(network, torch.randn(2, 2, 50), tmp_path / "m.onnx", contract=CONTRACT)
    assert "parametrised weights baked" in report.rewrites
    assert set(dict(network.named_parameters())) == names
    assert network(torch.randn(1, 2, 50)).shape == (1, 2)


def test_what_depends_on_the_input_is_not_frozen() -> None:
    network = Encoded().eval()
    network.positions = nn.Linear(8, 8)  # type: ignore[assignment]
    assert frozen.apply(network, torch.randn(2, 2, 50)) is None
    assert parametrized.apply(network) is None
    assert rewritten(network, torch.randn(2, 2, 50))[1] == ("attention written out",)


def test_atcnet_takes_any_batch(tmp_path: Path) -> None:
    report = export("ATCNet", tmp_path / "m.onnx")
    assert "heads taken off the batch" in report.rewrites
    session = ort.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    assert session.run(None, {"x": torch.randn(5, *report.contract.shape).numpy()})[0].shape == (5, 2)


FACTORY = """
import torch
class Net(torch.nn.Module):
    def __init__(self, n_chans, n_times):
        super().__init__()
        self.head = torch.nn.Linear(n_chans * n_times, 2)
    def forward(self, x):
        return self.head(x.flatten(1))
def make(n_chans, n_times):
    return Net(n_chans, n_times)
def nothing():
    return 3
"""


def test_a_users_own_network(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(FACTORY)
    given = {"channels": ["C3", "C4"], "sfreq": 100, "window": 0.5, "classes": ["a", "b"]}
    report = export(f"{file}:make", tmp_path / "m.onnx", **given)  # type: ignore[arg-type]
    assert report.contract.shape == (2, 50)
    with pytest.raises(InputError, match=r"give --channels, --sfreq, --window"):
        export(f"{file}:make", tmp_path / "n.onnx")
    with pytest.raises(InputError, match=r"gives int, not a torch\.nn\.Module"):
        export(f"{file}:nothing", tmp_path / "n.onnx", **given)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="has no function 'other'"):
        export(f"{file}:other", tmp_path / "n.onnx", **given)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no such file"):
        export(f"{tmp_path / 'none.py'}:make", tmp_path / "n.onnx", **given)  # type: ignore[arg-type]
    assert not (tmp_path / "n.onnx").exists()


def test_steegformer_is_refused_rather_than_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the list of electrodes, a checkpoint would be read with other electrodes' embeddings."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    extras.braindecode_models()
    module = importlib.import_module("braindecode.models.steegformer")

    def nothing() -> dict[str, int]:
        raise OSError("no network")

    monkeypatch.setattr(module, "_channel_index", nothing)
    torch.save({"final_layer.weight": torch.zeros(2, 4)}, tmp_path / "w.pt")
    with pytest.raises(InputError, match="another's embedding"):
        export("steegformer", tmp_path / "m.onnx", checkpoint=tmp_path / "w.pt")
    monkeypatch.setattr(module, "_channel_index", lambda: {"C3": 0})
    with pytest.raises(InputError, match="no embedding for"):
        export("steegformer", tmp_path / "m.onnx", checkpoint=tmp_path / "w.pt")
