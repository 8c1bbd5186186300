"""`contract`: a template that is refused until it is filled in, and a contract written into a file."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper

import onnxplain as ox
from onnxplain.engine.errors import InputError
from onnxplain.models import demo_file
from onnxplain.models.contracts import check_fit, embed, guess

Run = Callable[..., subprocess.CompletedProcess[str]]


def foreign(folder: Path, channels: int = 19, samples: int = 1000, classes: int = 3) -> Path:
    """A third party's model, without a contract."""
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["eeg"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["scores"])],
        "g",
        [helper.make_tensor_value_info("eeg", TensorProto.FLOAT, ["n", channels, samples])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", classes])],
        [numpy_helper.from_array(np.ones((channels * samples, classes), np.float32), "w")],
    )
    path = folder / "foreign.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def filled_in(text: str) -> str:
    """A template as a person would fill it in."""
    text = re.sub(r"^sfreq: .*$", "sfreq: 250", text, flags=re.MULTILINE)
    return re.sub(r"^unit: .*$", "unit: uV", text, flags=re.MULTILINE)


def test_a_template_is_refused_until_it_is_filled_in(tmp_path: Path) -> None:
    path = foreign(tmp_path)
    made = guess(path)
    assert any("19 channels: the 10-20 system" in reason for reason in made.reasons)
    assert any("250 Hz (4 s)" in reason for reason in made.reasons)
    (tmp_path / "c.yaml").write_text(made.text)
    with pytest.raises(InputError, match="sfreq"):
        ox.InputContract.from_file(tmp_path / "c.yaml")
    (tmp_path / "c.yaml").write_text(filled_in(made.text))
    contract = ox.InputContract.from_file(tmp_path / "c.yaml")
    assert (contract.input, contract.window, len(contract.channels)) == ("eeg", 1000, 19)
    check_fit(contract, path)


def test_channels_that_nobody_can_guess_stay_empty(tmp_path: Path) -> None:
    made = guess(foreign(tmp_path, channels=33))
    assert "channels: []    # 33 names" in made.text
    (tmp_path / "c.yaml").write_text(filled_in(made.text))
    with pytest.raises(InputError, match="channels"):
        ox.InputContract.from_file(tmp_path / "c.yaml")


@pytest.mark.row("M22")
def test_a_contract_that_does_not_fit(tmp_path: Path) -> None:
    path = foreign(tmp_path)
    contract = ox.InputContract(
        input="eeg", channels=("C3", "C4"), sfreq=250, window=1000, classes=("a", "b"), output="scores"
    )
    with pytest.raises(InputError, match=r"not \[batch, 2, 1000\]; output 'scores' has 3 numbers"):
        check_fit(contract, path)
    with pytest.raises(InputError, match="no input 'x'"):
        check_fit(contract.model_copy(update={"input": "x"}), path)


def test_a_file_without_signals(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9),
        tmp_path / "m.onnx",
    )
    with pytest.raises(InputError, match="write the contract by hand"):
        guess(tmp_path / "m.onnx")


def test_commands(run: Run, tmp_path: Path) -> None:
    path = foreign(tmp_path)
    shown = run("contract", "show", path)
    assert shown.returncode == 2
    assert "carries no input contract" in shown.stderr
    made = run("contract", "init", path)
    assert (made.returncode, made.stderr) == (0, "")
    (tmp_path / "c.yaml").write_text(filled_in(made.stdout))
    written = run("contract", "embed", path, "--contract", tmp_path / "c.yaml", "-o", tmp_path / "with.onnx")
    assert (written.returncode, written.stderr) == (0, "")
    shown = run("contract", "show", tmp_path / "with.onnx")
    assert yaml.safe_load(shown.stdout)["sfreq"] == 250
    # The numbers are the same, and the original is as it was.
    x = np.random.default_rng(0).standard_normal((2, 19, 1000)).astype(np.float32)
    both = [ox.Explainer(p).predict(x)["scores"] for p in (path, tmp_path / "with.onnx")]
    np.testing.assert_array_equal(*both)
    assert ox.inspect(path).contract is None
    again = run("contract", "init", path, "-o", tmp_path / "c.yaml")
    assert again.returncode == 2
    assert "exists" in again.stderr


def test_the_contract_of_the_demo(run: Run) -> None:
    shown = run("contract", "show", demo_file("honest.onnx"), "--json")
    assert shown.returncode == 0
    assert '"sfreq"' in shown.stdout


def test_weights_beside_a_file(tmp_path: Path) -> None:
    path = foreign(tmp_path)
    model = onnx.load(path)
    (tmp_path / "from").mkdir()
    beside = tmp_path / "from" / "m.onnx"
    onnx.save(model, beside, save_as_external_data=True, location="m.data", size_threshold=0)
    contract = ox.InputContract.parse(yaml.safe_load(filled_in(guess(beside).text)), where="")
    with pytest.raises(InputError, match="into the same folder"):
        embed(beside, contract, tmp_path / "c.onnx")
    embed(beside, contract, tmp_path / "from" / "c.onnx")
    assert ox.inspect(tmp_path / "from" / "c.onnx").contract == contract
