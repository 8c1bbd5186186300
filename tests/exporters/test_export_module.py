"""What the general export promises: a checked file, or no file and the reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import nn

from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import InputError, ModelError
from onnxplain.exporters import torch as exporting
from onnxplain.exporters.torch import export_module
from onnxplain.exporters.verify import BATCHES

CONTRACT = InputContract(
    input="signal", output="scores", channels=("C3", "C4"), sfreq=100, window=8, classes=("left", "right")
)
EXAMPLE = torch.randn(2, 2, 8, generator=torch.Generator().manual_seed(0))
KINDS = ("dynamo", "legacy")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv1d(2, 4, 3)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(24, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.drop(torch.relu(self.conv(x))).flatten(1))


class Baked(Net):
    """Any batch in torch; the batch that was traced in the file."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.conv(x)).reshape(int(x.shape[0]), 24))


class Pair(Net):
    """Two samples, whatever comes."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.conv(x)).reshape(2, 24))


class Noisy(Net):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x + torch.rand_like(x))


class Deaf(Net):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(0 * x)


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_is_the_module(tmp_path: Path, kind: str) -> None:
    net, path = Net(), tmp_path / "net.onnx"
    report = export_module(net, EXAMPLE, path, contract=CONTRACT, exporter=kind)
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx"]
    assert (report.exporter, report.batches) == (kind, BATCHES)
    assert report.opset == {"dynamo": 20, "legacy": 17}[kind]
    assert report.parity < 1e-5 < report.sensitivity
    assert report.size == path.stat().st_size
    assert report.ops["Conv"] == 1
    assert report.to_dict()["contract"]["classes"] == ["left", "right"]

    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).standard_normal((5, 2, 8)).astype(np.float32)
    (have,) = session.run(["scores"], {"signal": x})
    np.testing.assert_allclose(have, net.eval()(torch.from_numpy(x)).detach(), atol=1e-6)
    assert InputContract.from_metadata(session.get_modelmeta().custom_metadata_map) == CONTRACT


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_the_machine_stays_in_the_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "net.onnx"
    export_module(Net(), EXAMPLE, path, contract=CONTRACT, exporter=kind)
    content = path.read_bytes()
    assert str(Path.cwd()).encode() not in content
    assert b"site-packages" not in content
    assert Path(__file__).name.encode() not in content
    onnx.checker.check_model(onnx.load(path), full_check=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("net", "reason"),
    [(Baked, "batch"), (Pair, "batch|specialized"), (Noisy, "parity"), (Deaf, "do not depend")],
)
def test_a_failed_check_leaves_no_file(
    tmp_path: Path, kind: str, net: type[nn.Module], reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ModelError, match=reason) as caught:
        export_module(net(), EXAMPLE, tmp_path / "net.onnx", contract=CONTRACT, exporter=kind)
    assert list(tmp_path.iterdir()) == []
    assert "\n" not in str(caught.value)
    assert "net.onnx" in str(caught.value)
    assert capfd.readouterr() == ("", "")


def _sabotaged(monkeypatch: pytest.MonkeyPatch, change: Callable[[onnx.ModelProto], None]) -> None:
    """Change every file after it is finished, before it is checked."""
    finish = exporting._finish

    def finished(file: Path, contract: InputContract) -> onnx.ModelProto:
        model = finish(file, contract)
        change(model)
        onnx.save(model, file)
        return model

    monkeypatch.setattr(exporting, "_finish", finished)


def _flip(model: onnx.ModelProto) -> None:
    """The sign of one channel of the first layer."""
    for tensor in model.graph.initializer:
        if tensor.name.endswith("conv.weight"):
            array = onnx.numpy_helper.to_array(tensor).copy()
            array[0] *= -1
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
            return
    raise AssertionError("no such weight")


def _bake(model: onnx.ModelProto) -> None:
    """The batch of the example."""
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 2


def _forget_contract(model: onnx.ModelProto) -> None:
    del model.metadata_props[:]


def _other_channels(model: onnx.ModelProto) -> None:
    for entry in model.metadata_props:
        entry.value = entry.value.replace("C3", "C1")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_flip, "parity: onnxruntime differs from torch"),
        (_bake, "dynamic batch: the file's input is fixed at batch 2"),
        (_forget_contract, "contract: "),
        (_other_channels, "contract: the file does not give back"),
    ],
)
def test_a_sabotaged_file_is_refused(
    tmp_path: Path,
    kind: str,
    change: Callable[[onnx.ModelProto], None],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _sabotaged(monkeypatch, change)
    with pytest.raises(ModelError, match=reason):
        export_module(Net(), EXAMPLE, tmp_path / "net.onnx", contract=CONTRACT, exporter=kind)
    assert list(tmp_path.iterdir()) == []


class Chaotic(Net):
    """Amplifies the rounding of float32 until the file cannot be nearer to torch than torch to itself."""

    def __init__(self, wrong: float = 1.0) -> None:
        super().__init__()
        self.wrong = wrong

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # A factor that only the file has: torch itself runs with 1.
        factor = self.wrong if torch.jit.is_tracing() else 1.0
        return torch.sin(3e5 * factor * super().forward(x))


def test_where_float32_is_not_enough_the_file_is_held_to_float64(tmp_path: Path) -> None:
    report = export_module(Chaotic(), EXAMPLE, tmp_path / "net.onnx", contract=CONTRACT, exporter="legacy")
    assert 1e-3 < report.parity <= 3 * report.rounding < 0.15
    with pytest.raises(ModelError, match=r"parity: .*torch's own float32 by"):
        export_module(Chaotic(1.0001), EXAMPLE, tmp_path / "n.onnx", contract=CONTRACT, exporter="legacy")


def test_what_is_baked_in_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"legacy: dynamic batch: the file .* at batch 1"):
        export_module(Baked(), EXAMPLE, tmp_path / "n.onnx", contract=CONTRACT, exporter="legacy")
    with pytest.raises(ModelError, match=r"legacy: dynamic batch: the module itself .* at batch 1"):
        export_module(Pair(), EXAMPLE, tmp_path / "n.onnx", contract=CONTRACT, exporter="legacy")


def test_a_failure_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_text("precious")
    with pytest.raises(InputError, match="exists"):
        export_module(Net(), EXAMPLE, path, contract=CONTRACT)
    with pytest.raises(ModelError):
        export_module(Deaf(), EXAMPLE, path, contract=CONTRACT, exporter="legacy", overwrite=True)
    assert path.read_text() == "precious"
    export_module(Net(), EXAMPLE, path, contract=CONTRACT, exporter="legacy", overwrite=True)
    onnx.checker.check_model(path)


def test_auto_falls_back_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = exporting._write

    def broken(*args: object) -> None:
        if args[4] == "dynamo":
            raise ModelError("exporting: no")
        write(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(exporting, "_write", broken)
    report = export_module(Net(), EXAMPLE, tmp_path / "net.onnx", contract=CONTRACT)
    assert report.exporter == "legacy"
    assert report.notes == ("the dynamo exporter failed: exporting: no",)


def test_the_contract_must_fit(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    three = CONTRACT.model_copy(update={"classes": ("left", "right", "rest")})
    with pytest.raises(ModelError, match="names 3 classes"):
        export_module(Net(), EXAMPLE, path, contract=three, exporter="legacy")
    with pytest.raises(InputError, match=r"\['batch', 2, 8\]"):
        export_module(Net(), EXAMPLE[:, :, :5], path, contract=CONTRACT)
    with pytest.raises(InputError, match="auto, dynamo, legacy"):
        export_module(Net(), EXAMPLE, path, contract=CONTRACT, exporter="other")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no directory"):
        export_module(Net(), EXAMPLE, tmp_path / "no" / "net.onnx", contract=CONTRACT)
    assert list(tmp_path.iterdir()) == []


def test_the_module_is_left_as_it_was(tmp_path: Path) -> None:
    net = Net().train()
    net.conv.eval()
    export_module(net, EXAMPLE, tmp_path / "net.onnx", contract=CONTRACT, exporter="legacy")
    assert net.training
    assert net.drop.training
    assert not net.conv.training


def test_outputs_that_hardly_move_are_held_to_how_far_they_move(tmp_path: Path) -> None:
    # An absolute tolerance would pass any file for such a network.
    class Timid(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            wrong = 1.01 if torch.jit.is_tracing() else 1.0
            return 1 + 1e-9 * wrong * super().forward(x).double()

    with pytest.raises(ModelError, match=r"parity: .* moves [0-9.]+e-10"):
        export_module(Timid(), EXAMPLE, tmp_path / "n.onnx", contract=CONTRACT, exporter="legacy")
