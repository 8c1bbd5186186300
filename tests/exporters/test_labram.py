"""LaBraM to ONNX: both exporters, electrode names, checkpoints."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch

from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import InputError, ModelError
from onnxplain.exporters import export
from onnxplain.exporters.labram import labram
from onnxplain.exporters.request import Request

CHANNELS = ("Fp1", "C3", "Cz", "c4", "T3")
SMALL = {"num_layers": 1, "init_scale": 1.0}


def small(**kwargs: Any) -> Any:
    """A LaBraM of one layer, as braindecode's class."""
    torch.manual_seed(1)
    request = Request(channels=CHANNELS, window=2.0, classes=("left", "right"), options={**SMALL, **kwargs})
    return labram(request).module.net.eval()


def answers(path: Path, x: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


@pytest.fixture
def x() -> np.ndarray:
    return (0.3 * np.random.default_rng(0).standard_normal((4, len(CHANNELS), 400))).astype(np.float32)


def test_both_exporters_write_the_same_network(tmp_path: Path, x: np.ndarray) -> None:
    found = {}
    for kind in ("dynamo", "legacy"):
        path = tmp_path / f"{kind}.onnx"
        report = export(
            "LaBraM", path, channels=CHANNELS, window=2, classes=["left", "right"], exporter=kind, **SMALL
        )
        assert report.exporter == kind
        assert report.parity < 1e-3
        assert report.notes == ("random weights: no checkpoint was given",)
        found[kind] = answers(path, x)
    moves = np.ptp(found["legacy"], axis=0)
    assert np.all(np.abs(found["dynamo"] - found["legacy"]).max(axis=0) < 1e-3 * moves)

    meta = ort.InferenceSession(tmp_path / "dynamo.onnx").get_modelmeta().custom_metadata_map
    contract = InputContract.from_metadata(meta)
    assert contract is not None
    assert contract.model == "LaBraM"
    assert contract.channels == CHANNELS  # as given: a name is an embedding
    assert contract.classes == ("left", "right")
    assert (contract.sfreq, contract.window, contract.unit, contract.scale) == (200, 400, "uV", 0.01)
    assert (contract.highpass, contract.lowpass, contract.notch) == (0.1, 75, 50)
    assert contract.axes == ("batch", "channel", "time")


def test_old_and_new_names_are_different_embeddings(x: np.ndarray) -> None:
    net, tensor = small(), torch.from_numpy(x)
    with torch.no_grad():
        old = net(tensor, ch_names=["Fp1", "C3", "Cz", "C4", "T3"])
        new = net(tensor, ch_names=["Fp1", "C3", "Cz", "C4", "T7"])
    assert not torch.allclose(old, new)


def test_a_checkpoint_is_what_is_exported(tmp_path: Path, x: np.ndarray) -> None:
    net = small()
    torch.save({"state_dict": {f"module.{k}": v for k, v in net.state_dict().items()}}, tmp_path / "c.pt")
    report = export(
        "labram",
        tmp_path / "l.onnx",
        channels=CHANNELS,
        window=2,
        checkpoint=tmp_path / "c.pt",
        exporter="legacy",
    )
    with torch.no_grad():
        want = net(torch.from_numpy(x), ch_names=list(CHANNELS)).numpy()
    np.testing.assert_allclose(answers(tmp_path / "l.onnx", x), want, atol=1e-6)
    assert report.notes == ()
    assert report.contract.classes == ("class_0", "class_1")
    assert report.contract.source == "c.pt"  # and not the folders that it lies in


def test_the_authors_names_and_a_shorter_window(tmp_path: Path, x: np.ndarray) -> None:
    # Fine-tuned by the authors' scripts: other names, 16 time positions, mean pooling, biased queries.
    net = small(use_mean_pooling=True, qkv_bias=True)
    theirs = {}
    for name, value in net.state_dict().items():
        for ours, their in (
            ("position_embedding", "pos_embed"),
            ("temporal_embedding", "time_embed"),
            ("patch_embed.temporal_conv.", "patch_embed."),
            ("mlp.0.", "mlp.fc1."),
            ("mlp.2.", "mlp.fc2."),
            ("final_layer.", "head."),
        ):
            name = name.replace(ours, their)
        theirs[name] = value
    theirs["time_embed"] = torch.cat([theirs["time_embed"], torch.randn(1, 13, 200)], dim=1)
    torch.save({"model": theirs, "epoch": 3}, tmp_path / "checkpoint-best.pth")
    built = labram(Request(channels=CHANNELS, window=2.0, checkpoint=str(tmp_path / "checkpoint-best.pth")))
    tensor = torch.from_numpy(x)
    with torch.no_grad():
        want, have = net(tensor, ch_names=list(CHANNELS)), built.module.eval()(tensor)
    torch.testing.assert_close(have, want)


def test_a_pretrained_body_without_a_head_is_noted(tmp_path: Path) -> None:
    state = {k: v for k, v in small().state_dict().items() if not k.startswith("final_layer")}
    torch.save({**state, "mask_token": torch.zeros(1)}, tmp_path / "body.pt")
    request = Request(
        channels=CHANNELS, window=2.0, classes=("a", "b", "c"), checkpoint=str(tmp_path / "body.pt")
    )
    assert labram(request).notes == ("the checkpoint has no head: the classifier's weights are random",)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"channels": ["C3", "Elbow"]}, "no embedding for Elbow"),
        ({"channels": ["C3", "c3"]}, "C3 stands twice"),
        ({"channels": "C3"}, "a list of names"),
        ({"channels": []}, "channels"),
        ({"window": 2.5}, "no multiple of LaBraM's patch"),
        ({"window": 0.0001}, "not a whole number"),
        ({"window": -1}, "not a length"),
        ({"sfreq": float("nan")}, "not a sampling rate"),
        ({"classes": ["a", "a"]}, "stands twice"),
        ({"no_such_option": 1}, "cannot be built"),
        ({"checkpoint": "nowhere.pt"}, "no such checkpoint"),
    ],
    ids=str,
)
def test_bad_options(tmp_path: Path, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        export("labram", tmp_path / "l.onnx", **{"channels": CHANNELS, "window": 2, **options})
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_other_places_of_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Stand-ins for two packages: nothing is fetched in a test.
    state = small().state_dict()
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"")
    reader = ModuleType("safetensors.torch")
    reader.__dict__["load_file"] = lambda path: dict(state)
    monkeypatch.setitem(sys.modules, "safetensors.torch", reader)
    hub = ModuleType("huggingface_hub")
    asked = []

    class EntryNotFoundError(Exception):
        pass

    def download(name: str, what: str) -> str:
        asked.append((name, what))
        if name == "lab/nothing":
            raise EntryNotFoundError("404: no such entry")
        return str(file)

    hub.__dict__["hf_hub_download"] = download
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)

    for source in (str(file), "lab/labram"):
        built = labram(Request(channels=CHANNELS, window=2.0, checkpoint=source))
        torch.testing.assert_close(built.module.net.cls_token.detach(), state["cls_token"])
    assert built.contract.source == "lab/labram"
    with pytest.raises(InputError, match=r"neither a file here nor weights on Hugging Face .*404"):
        labram(Request(channels=CHANNELS, window=2.0, checkpoint="lab/nothing"))
    assert [what for name, what in asked if name == "lab/nothing"] == [
        "model.safetensors",
        "pytorch_model.bin",
    ]


def test_bad_checkpoints(tmp_path: Path) -> None:
    state = small().state_dict()
    file = tmp_path / "c.pt"

    def refused(content: object, reason: str, **options: Any) -> None:
        torch.save(content, file)
        with pytest.raises((ModelError, InputError), match=reason) as caught:
            labram(Request(channels=CHANNELS, window=2.0, checkpoint=str(file), **options))
        assert "\n" not in str(caught.value)

    refused({"state_dict": state, "args": Path("/")}, "only plain tensors")  # would run code to load
    refused({"epoch": 3}, "no state dict")
    refused({k: v for k, v in state.items() if k != "cls_token"}, "lacks cls_token")
    refused({**state, "adapter.weight": torch.zeros(1)}, "unknown adapter.weight")
    refused({**state, "cls_token": torch.zeros(1, 1, 3)}, r"other shapes: cls_token \[1, 1, 3\]")
    refused(state, "3 names, but .* has 2 outputs", classes=("a", "b", "c"))
    file.write_bytes(b"not a checkpoint")
    with pytest.raises(ModelError, match="no weights could be read"):
        labram(Request(channels=CHANNELS, window=2.0, checkpoint=str(file)))
