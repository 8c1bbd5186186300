"""Layouts of a model's input: axes of length one, time before channels, patches in any order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnxplain.eeg.recording.read import read
from onnxplain.eeg.recording.windows import cut, from_model_layout, to_model_layout
from onnxplain.eeg.run import explain_recording
from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import InputError
from onnxplain.engine.evaluation.stability import noisy, shifted
from onnxplain.engine.explainer import Explainer
from onnxplain.models.contracts import check_fit, guess
from onnxplain.validation.checks import agreement
from onnxplain.validation.opening import open_case
from onnxplain.validation.policy import Policy

CHANNELS = ("C3", "Cz", "C4")
# Axes, their patch, and a way from that array to (batch, channel, time): a shape or a permutation at a time.
LAYOUTS: dict[str, tuple[tuple[Any, ...], int | None, list[Any]]] = {
    "plain": (("batch", "channel", "time"), None, []),
    "one first": (("batch", 1, "channel", "time"), None, [("Reshape", (-1, 3, 200))]),
    "one last": (("batch", "channel", "time", "one"), None, [("Reshape", (-1, 3, 200))]),
    "time first": (("batch", "time", "channel"), None, [("Transpose", (0, 2, 1))]),
    "one and time first": (
        ("batch", "_", "time", "channel"), None, [("Reshape", (-1, 200, 3)), ("Transpose", (0, 2, 1))],
    ),
    "two ones": (("batch", None, "channel", "one", "time"), None, [("Reshape", (-1, 3, 200))]),
    "patches": (("batch", "channel", "patch", "sample"), 50, [("Reshape", (-1, 3, 200))]),
    "patches first": (
        ("batch", "patch", "channel", "sample"), 50, [("Transpose", (0, 2, 1, 3)), ("Reshape", (-1, 3, 200))],
    ),
    "one and patches last": (
        ("batch", "1", "channel", "sample", "patch"), 50,
        [("Reshape", (-1, 3, 50, 4)), ("Transpose", (0, 1, 3, 2)), ("Reshape", (-1, 3, 200))],
    ),
}  # fmt: skip


def contract(layout: str, **more: Any) -> InputContract:
    axes, patch, _ = LAYOUTS[layout]
    return InputContract(
        input="x",
        axes=axes,
        patch=patch,
        channels=CHANNELS,
        sfreq=100,
        window=200,
        classes=("a", "b"),
        **more,
    )


def model(path: Path, layout: str) -> Path:
    """The same two dense layers behind every layout."""
    rng = np.random.default_rng(3)
    shape = contract(layout).shape
    nodes, weights, at = [], [], "x"
    for i, (op, how) in enumerate(LAYOUTS[layout][2]):
        if op == "Reshape":
            weights.append(numpy_helper.from_array(np.array(how, np.int64), f"s{i}"))
            nodes.append(helper.make_node("Reshape", [at, f"s{i}"], [f"v{i}"]))
        else:
            nodes.append(helper.make_node("Transpose", [at], [f"v{i}"], perm=how))
        at = f"v{i}"
    made = {
        "w1": rng.normal(size=(600, 8)).astype(np.float32) / 25,
        "w2": rng.normal(size=(8, 2)).astype(np.float32),
    }
    nodes += [
        helper.make_node("Flatten", [at], ["f"]),
        helper.make_node("MatMul", ["f", "w1"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "w2"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", *shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", 2])],
        [*weights, *(numpy_helper.from_array(a, n) for n, a in made.items())],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.mark.parametrize("layout", LAYOUTS)
def test_there_and_back(layout: str) -> None:
    settings = contract(layout)
    x = np.random.default_rng(0).normal(size=(4, 2, 3, 200))
    there = to_model_layout(x, settings)
    assert there.shape == (4, 2, *settings.shape)
    assert (from_model_layout(there, settings) == x).all()
    assert InputContract.from_metadata(settings.to_metadata()) == settings


def test_where_samples_go() -> None:
    x = np.random.default_rng(0).normal(size=(5, 3, 200))
    assert to_model_layout(x, contract("one and time first"))[4, 0, 120, 2] == x[4, 2, 120]
    assert to_model_layout(x, contract("patches first"))[4, 3, 1, 7] == x[4, 1, 3 * 50 + 7]
    assert to_model_layout(x, contract("one and patches last"))[4, 0, 1, 7, 3] == x[4, 1, 3 * 50 + 7]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_map_does_not_depend_on_the_layout(
    layout: str, recorded: Callable[..., Path], tmp_path: Path
) -> None:
    path = recorded(names=CHANNELS, seconds=12)
    found = [
        explain_recording(model(tmp_path / f"{n}.onnx", n), path, contract=contract(n), bands={"a": (8, 13)})
        for n in dict.fromkeys(("plain", layout))
    ]
    want, got = found[0].dataset, found[-1].dataset
    assert got["relevance"].shape == (6, 3, 200)
    for what in ("relevance", "multiplier", "signal", "bands", "explained"):
        np.testing.assert_allclose(got[what].values, want[what].values, rtol=1e-4, atol=1e-5, err_msg=what)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_noise_and_shifts_follow_time(layout: str) -> None:
    settings = contract(layout)
    x = np.random.default_rng(0).normal(size=(2, 3, 200)) * np.array([[1.0], [10.0], [100.0]])
    moved = from_model_layout(shifted(to_model_layout(x, settings), 7, settings.time_axes), settings)
    np.testing.assert_array_equal(moved, np.roll(x, 7, -1))
    there = to_model_layout(x, settings)
    added = noisy(there, np.random.default_rng(1), 0.0, settings.time_axes) - there
    np.testing.assert_allclose(from_model_layout(added, settings).std(-1) / x.std(-1), 1, atol=0.35)


def test_the_gate_sees_electrodes_in_any_layout(recorded: Callable[..., Path], tmp_path: Path) -> None:
    path, found = recorded(names=CHANNELS, seconds=40), []
    for layout in ("plain", "one last", "one and time first"):
        file = model(tmp_path / f"{layout}.onnx", layout)
        case = open_case(file, path, Policy(version=1), contract=contract(layout))
        (result,) = agreement.check(case)
        assert result.status in ("PASS", "FAIL"), result.said
        found.append(result.value)
    np.testing.assert_allclose(found, found[0], atol=1e-6)


def test_one_electrode_without_an_axis(make_raw: Callable[..., Any], tmp_path: Path) -> None:
    make_raw(("Cz",), seconds=10).save(tmp_path / "a_raw.fif", verbose="error")
    settings = InputContract(input="x", axes=("batch", "time"), channels=("Cz",), sfreq=100, window=200)
    windows = cut(read(tmp_path / "a_raw.fif"), settings)
    assert windows.data.shape == (5, 200)
    assert (from_model_layout(windows.data, settings)[:, 0] == windows.data).all()
    with pytest.raises(InputError, match="axes: batch first"):
        InputContract.parse({**settings.model_dump(), "channels": ["C3", "C4"]}, where="c")


@pytest.mark.parametrize(
    "axes",
    [
        ["channel", "batch", "time"],
        ["batch", "channel", "one"],
        ["batch", "channel", "time", "time"],
        ["batch", "channel", "patch", "sample"],
        ["batch", "channel", "true"],
    ],
)
def test_axes_that_are_refused(axes: list[str]) -> None:
    given = {"input": "x", "axes": axes, "channels": ["C3", "C4"], "sfreq": 100, "window": 200}
    with pytest.raises(InputError, match="c: the input contract is not valid"):
        InputContract.parse(given, where="c")


def test_the_message_says_which_axes_fit(recorded: Callable[..., Path], tmp_path: Path) -> None:
    path = recorded(names=CHANNELS, seconds=12)
    for layout, axes in (
        ("one last", "[batch, channel, time, one]"),
        ("one and time first", "[batch, one, time, channel]"),
    ):
        with pytest.raises(InputError) as refused:
            explain_recording(model(tmp_path / "m.onnx", layout), path, contract=contract("plain"))
        assert f"axes that fit are {axes}" in str(refused.value)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ([1, 22, "t"], "[batch, one, channel, time]"),
        (["t", 22], "[batch, time, channel]"),
        (["t", 8, 1], "[batch, time, channel, one]"),
        (["electrodes", 1000], None),
    ],
)
def test_a_template_of_an_open_length(shape: list[Any], axes: str | None, tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", *shape])],
    )
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    if axes is None:
        with pytest.raises(InputError, match="write the contract by hand"):
            guess(path)
    else:
        assert f"axes: {axes}    # a guess" in guess(path).text
        made = InputContract(
            input="x", axes=axes.strip("[]").split(", "), sfreq=100, window=77,
            channels=[f"E{i}" for i in range(max(d for d in shape if isinstance(d, int)))],
        )  # fmt: skip
        check_fit(made, path)


def test_names_of_axes_in_xarray(tmp_path: Path) -> None:
    for layout, dims in (
        ("one and time first", ("sample", "x_1", "time", "channel")),
        ("two ones", ("sample", "x_1", "channel", "x_3", "time")),
    ):
        explain = Explainer(model(tmp_path / "m.onnx", layout), contract=contract(layout))
        x = np.random.default_rng(0).normal(size=(2, *contract(layout).shape)).astype(np.float32)
        data = explain(x, target=0).to_xarray()
        assert data["relevance"].dims == dims
        assert list(data["channel"].values) == list(CHANNELS)


@pytest.mark.parametrize(
    ("shape", "axes", "channels", "window"),
    [
        ([1, 22, 500], "[batch, one, channel, time]", 22, 500),
        ([22, 500, 1], "[batch, channel, time, one]", 22, 500),
        ([1000, 19], "[batch, time, channel]", 19, 1000),
        ([1, 256, 8], "[batch, one, time, channel]", 8, 256),
        ([1, 3000], "[batch, channel, time]", 1, 3000),
        ([1, 1, 3000], "[batch, one, channel, time]", 1, 3000),
        ([16, 4, 200], "[batch, channel, patch, sample]", 16, 800),
    ],
)
def test_a_template_guesses_and_says_so(
    shape: list[int], axes: str, channels: int, window: int, tmp_path: Path
) -> None:
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(np.ones((int(np.prod(shape)), 2), np.float32), "w")],
    )
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    text = guess(path).text
    assert f"axes: {axes}    # a guess" in text
    names = ", ".join(f"E{i}" for i in range(channels))
    lines = [
        f"channels: [{names}]" if line.startswith("channels:")
        else "sfreq: 100" if line.startswith("sfreq:")
        else "unit: uV" if line.startswith("unit:")
        else line
        for line in text.splitlines()
    ]  # fmt: skip
    (tmp_path / "c.yaml").write_text("\n".join(lines))
    made = InputContract.from_file(tmp_path / "c.yaml")
    assert made.window == window
    check_fit(made, path)
