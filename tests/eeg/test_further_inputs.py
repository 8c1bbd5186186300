"""Models that take more than the signal: positions, ids of electrodes, whose recording it is, constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import xarray as xr
from onnx import TensorProto, helper, numpy_helper

from onnxplain.eeg.explanation.explained import restored
from onnxplain.eeg.recording.further import names_of
from onnxplain.eeg.recording.read import Recording
from onnxplain.eeg.run import explain_recording
from onnxplain.eeg.studies.sample import sample
from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import InputError
from onnxplain.engine.explainer import Explainer
from onnxplain.models.contracts import check_fit, guess
from onnxplain.validation.opening import open_case
from onnxplain.validation.policy import Policy

CHANNELS = ("Fp1", "C3", "Cz", "C4", "O1", "O2", "Pz", "Fz")
N, TIME = len(CHANNELS), 100
FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64


def contract(**inputs: Any) -> InputContract:
    return InputContract(
        input="x", channels=CHANNELS, sfreq=100, window=TIME, scale=0.1, classes=("a", "b"), inputs=inputs
    )


def tokens(path: Path, *kinds: str, batch: Any = "b") -> Path:
    """Electrodes as tokens of six numbers: the signal's, and what further inputs add to them."""
    rng = np.random.default_rng(7)
    weights: dict[str, Any] = {
        "w": rng.normal(size=(TIME, 6)) / 10,
        "places": rng.normal(size=(3, 6)) * 8,
        "table": rng.normal(size=(40, 6)),
        "people": rng.normal(size=(5, 6)),
        "out": rng.normal(size=(6, 2)),
    }
    inputs, nodes, at = (
        [("x", FLOAT, [batch, N, TIME])],
        [helper.make_node("MatMul", ["x", "w"], ["t0"])],
        "t0",
    )

    def add(name: str, what: str) -> str:
        nodes.append(helper.make_node("Add", [name, what], [f"{name}+"]))
        return f"{name}+"

    for kind in kinds:
        if kind == "pos":
            inputs.append(("pos", FLOAT, [batch, N, 3]))
            nodes.append(helper.make_node("MatMul", ["pos", "places"], ["p"]))
            at = add(at, "p")
        elif kind == "ids":  # one id each, the same for all windows, a class token before them
            inputs.append(("ids", INT, ["n"]))
            weights["from"], weights["to"] = np.array([1]), np.array([N + 1])
            nodes.append(helper.make_node("Gather", ["table", "ids"], ["e0"]))
            nodes.append(helper.make_node("Slice", ["e0", "from", "to"], ["e"]))
            at = add(at, "e")
        elif kind == "who":
            inputs.append(("who", INT, [batch]))
            weights["one"] = np.array([1])
            nodes.append(helper.make_node("Gather", ["people", "who"], ["h0"]))
            nodes.append(helper.make_node("Unsqueeze", ["h0", "one"], ["h"]))
            at = add(at, "h")
        elif kind == "gain":
            inputs.append(("gain", FLOAT, []))
            nodes.append(helper.make_node("Mul", [at, "gain"], ["g"]))
            at = "g"
    nodes += [
        helper.make_node("Relu", [at], ["r"]),
        helper.make_node("ReduceMean", ["r"], ["m"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["m", "out"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(*i) for i in inputs],
        [helper.make_tensor_value_info("y", FLOAT, [batch, 2])],
        [
            numpy_helper.from_array(a.astype(np.int64 if a.dtype.kind == "i" else np.float32), n)
            for n, a in weights.items()
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def baked(model: Path, values: Mapping[str, Any], path: Path) -> Path:
    """The same model with the values as weights, for one window at a time."""
    proto = onnx.load(model)
    for name, value in values.items():
        (old,) = [i for i in proto.graph.input if i.name == name]
        kind = helper.tensor_dtype_to_np_dtype(old.type.tensor_type.elem_type)
        proto.graph.input.remove(old)
        proto.graph.initializer.append(numpy_helper.from_array(np.asarray(value).astype(kind), name))
    onnx.save(proto, path)
    return path


IDS = {name: 3 * i + 2 for i, name in enumerate((*CHANNELS, "A1"))}
# The inputs, and what the contract says of them; the values that follow for a head of the template.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "positions": ({"pos": "positions"}, {"pos": None}),
    "positions in mm": ({"pos": {"positions": "mm"}}, {"pos": 1000.0}),
    "a table of places": (
        {"pos": {"channels": {n: [i, -i, 0.5] for i, n in enumerate(CHANNELS)}}},
        {"pos": [[[i, -i, 0.5] for i in range(N)]]},
    ),
    "ids": ({"ids": {"channels": IDS, "first": [0]}}, {"ids": [0, *(3 * i + 2 for i in range(N))]}),
    "a subject": ({"who": {"subjects": {"S2": 1, "rec_raw": 3}}}, {"who": [3]}),
    "another subject": ({"who": {"subjects": {"S2": 1}, "otherwise": 4}}, {"who": [4]}),
    "numbers": ({"who": 2, "gain": {"constant": 1.5}}, {"who": [2], "gain": 1.5}),
    "all": (
        {"pos": "positions", "ids": {"channels": IDS, "first": [0]}, "who": 0},
        {"pos": None, "ids": [0, *(3 * i + 2 for i in range(N))], "who": [0]},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_maps_are_those_of_the_filled_model(case: str, recorded: Callable[..., Path], tmp_path: Path) -> None:
    says, values = CASES[case]
    path = recorded(names=CHANNELS, seconds=8)
    model = tokens(tmp_path / "m.onnx", *says)
    found = explain_recording(model, path, contract=contract(**says))
    places = found.electrodes.positions
    if "pos" in values and not isinstance(values["pos"], list):
        values = {**values, "pos": np.array([[places[c] * (values["pos"] or 1.0) for c in CHANNELS]])}
    want = explain_recording(baked(model, values, tmp_path / "baked.onnx"), path, contract=contract())
    for what in ("output", "explained", "relevance", "multiplier"):
        np.testing.assert_allclose(
            found.dataset[what].values, want.dataset[what].values, rtol=1e-3, atol=1e-5, err_msg=what
        )
    assert found.summary()["closure"] < 1e-3
    assert any(f"The input {next(iter(says))} is filled with" in d for d in found.windows.decisions)
    # The model itself says the same when it is given those values.
    whole = Explainer(model).predict(
        {"x": found.windows.data, **{n: _rows(n, v, len(found.windows)) for n, v in values.items()}}
    )
    np.testing.assert_allclose(found.dataset["output"].values, whole["y"], rtol=1e-4, atol=1e-5)


def _rows(name: str, value: Any, n: int) -> Any:
    made = np.asarray(value, dtype=np.int64 if name in ("ids", "who") else np.float32)
    return np.repeat(made, n, axis=0) if name in ("pos", "who") else made


def test_measured_positions_are_the_recordings_own(make_raw: Callable[..., Any], tmp_path: Path) -> None:
    import mne

    model, settings = tokens(tmp_path / "m.onnx", "pos"), contract(pos="positions")
    template = make_raw(CHANNELS, seconds=8)
    moved = make_raw(CHANNELS, seconds=8)
    own = {n: np.array([0.02 * i - 0.06, 0.01 * i, 0.09]) for i, n in enumerate(CHANNELS)}
    moved.set_montage(mne.channels.make_dig_montage(own, coord_frame="head"), verbose="error")
    a, b = (explain_recording(model, raw, contract=settings) for raw in (template, moved))
    assert np.abs(a.dataset["output"].values - b.dataset["output"].values).max() > 1e-3
    given = b.windows.contract
    assert given is not None
    there = np.array(given.inputs["pos"].constant)
    apart = np.linalg.norm(there[:, None] - there, axis=-1)
    measured = np.array([own[n] for n in CHANNELS])
    np.testing.assert_allclose(apart, np.linalg.norm(measured[:, None] - measured, axis=-1), atol=1e-6)
    # What was read back is explained with the positions that it was explained with.
    b.save(tmp_path / "out", report=False)
    with xr.open_dataset(tmp_path / "out" / "relevance.nc", engine="h5netcdf") as data:
        again = restored(data.load(), settings)
    assert again.contract.inputs == given.inputs


def test_evaluation_and_gate(recorded: Callable[..., Path], tmp_path: Path) -> None:
    path = recorded(names=CHANNELS, seconds=12)
    model = tokens(tmp_path / "m.onnx", "pos", "who")
    settings = contract(pos="positions", who={"subjects": {"rec_raw": 3}})
    want = explain_recording(model, path, contract=settings).dataset["output"].values
    found = sample(model, path, contract=settings)
    assert list(found.setting.explainer.inputs) == ["x"]
    got = found.setting.explainer.predict(found.setting.x)["y"]
    np.testing.assert_allclose(got, want, rtol=1e-5)
    assert found.setting.maps("integrated_gradients").shape == (12, N)
    case = open_case(model, path, Policy(version=1), contract=settings)
    np.testing.assert_allclose(case.outputs, want, rtol=1e-5)
    assert np.isfinite(case.copies[0].relevance).all()


def test_subjects_of_a_dataset(make_raw: Callable[..., Any], tmp_path: Path) -> None:
    model = tokens(tmp_path / "m.onnx", "who")
    for i, name in enumerate(("sub-01", "sub-02")):
        (tmp_path / "data" / name).mkdir(parents=True)
        make_raw(CHANNELS, seconds=6, seed=i).save(
            tmp_path / "data" / name / f"{name}_raw.fif", verbose="error"
        )
    settings = contract(who={"subjects": {"01": 1, "sub-02": 4}})
    for name, who in (("sub-01", 1), ("sub-02", 4)):
        file = tmp_path / "data" / name / f"{name}_raw.fif"
        found = explain_recording(model, file, contract=settings)
        fixed = explain_recording(model, file, contract=contract(who=who))
        np.testing.assert_array_equal(found.dataset["output"].values, fixed.dataset["output"].values)
    with pytest.raises(InputError, match="input who: its value is another in each recording"):
        open_case(model, tmp_path / "data", Policy(version=1), contract=settings)
    case = open_case(model, tmp_path / "data", Policy(version=1), contract=contract(who=1))
    assert set(case.groups) == {"01", "02"}
    flat = tmp_path / "flat"
    flat.mkdir()
    for file in (tmp_path / "data").rglob("*.fif"):
        file.rename(flat / file.name)
    one = open_case(
        model, flat, Policy(version=1), contract=contract(who=1), subject="sub-{subject}?_raw.fif"
    )
    assert set(one.groups) == {"0"}


def test_what_is_refused(recorded: Callable[..., Path], make_raw: Callable[..., Any], tmp_path: Path) -> None:
    path = recorded(names=CHANNELS, seconds=8)
    model = tokens(tmp_path / "m.onnx", "pos", "who")
    with pytest.raises(InputError, match=r"it takes pos \[b, 8, 3\], who \[b\]; say in the contract"):
        explain_recording(model, path, contract=contract())
    with pytest.raises(InputError, match=r"the contract's table \(S7\) has none for this recording"):
        explain_recording(model, path, contract=contract(pos="positions", who={"subjects": {"S7": 0}}))
    with pytest.raises(
        InputError, match=r"input 'pos' has shape \[b, 8, 3\], and the contract fills it with"
    ):
        explain_recording(model, path, contract=contract(pos={"constant": [1, 2, 3]}, who=0))
    with pytest.raises(InputError, match="the contract fills input 'whom'"):
        explain_recording(model, path, contract=contract(pos="positions", who=0, whom=1))
    names = tuple(f"E{i}" for i in range(N))
    nameless = contract(pos="positions", who=0).model_copy(update={"channels": names})
    with pytest.raises(InputError, match="input pos takes positions of electrodes, and neither"):
        explain_recording(model, make_raw(names, seconds=8), contract=nameless)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_file_of_so_many_windows(batch: int, recorded: Callable[..., Path], tmp_path: Path) -> None:
    path = recorded(names=CHANNELS, seconds=8)
    says = {"pos": "positions", "who": 3}
    want = explain_recording(
        tokens(tmp_path / "o.onnx", *says), path, contract=contract(**says), against="none"
    )
    fixed = tokens(tmp_path / "m.onnx", *says, batch=batch)
    found = explain_recording(fixed, path, contract=contract(**says), batch_size=batch, against="none")
    for what in ("output", "relevance"):
        np.testing.assert_allclose(
            found.dataset[what].values, want.dataset[what].values, rtol=1e-3, atol=1e-5, err_msg=what
        )


def test_the_files_own_contract_counts_in_python(tmp_path: Path) -> None:
    model = onnx.load(tokens(tmp_path / "m.onnx", "ids", "who"))
    settings = contract(ids={"channels": IDS, "first": [0]}, who=1)
    helper.set_model_props(model, settings.to_metadata())
    onnx.save(model, tmp_path / "with.onnx")
    explain = Explainer(tmp_path / "with.onnx", "epsilon")
    x = np.random.default_rng(0).normal(size=(9, N, TIME)).astype(np.float32)
    a = explain(x, target=0)
    assert list(a.relevance) == ["x"]
    assert a.closure().max() < 1e-4
    each = np.concatenate([explain(x[i : i + 1], target=0).relevance["x"] for i in range(9)])
    np.testing.assert_allclose(a.relevance["x"], each, rtol=1e-3, atol=1e-5)


def test_a_compiled_file_takes_the_signal_alone(tmp_path: Path) -> None:
    from onnxplain.engine.compile.compiler import about, compile

    model = tokens(tmp_path / "m.onnx", "ids", "who")
    settings = contract(ids={"channels": IDS, "first": [0]}, who=1)
    made = compile(model, tmp_path / "lrp.onnx", composite="epsilon", contract=settings)
    assert about(made)["inputs"] == ["x", "seed"]
    x = np.random.default_rng(0).normal(size=(5, N, TIME)).astype(np.float32)
    import onnxruntime

    session = onnxruntime.InferenceSession(str(made))
    seed = np.tile(np.array([1, 0], np.float32), (5, 1))
    (got,) = session.run(["relevance.x"], {"x": x, "seed": seed})
    want = Explainer(model, "epsilon", contract=settings)(x, target=0).relevance["x"]
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-5)


def test_a_template_has_them(tmp_path: Path) -> None:
    model = tokens(tmp_path / "m.onnx", "pos", "who")
    lines = guess(model).text.splitlines()
    assert any(line.startswith("  pos: positions    # a guess") for line in lines)
    assert any(line.startswith("  who: {}    # fill in") for line in lines)
    text = "\n".join(lines).replace("who: {}", "who: 3")
    text = text.replace("channels: []", f"channels: [{', '.join(CHANNELS)}]").replace(
        "sfreq:  ", "sfreq: 100"
    )
    (tmp_path / "c.yaml").write_text(text.replace("unit:  ", "unit: uV"))
    made = InputContract.from_file(tmp_path / "c.yaml")
    check_fit(made, model)
    assert made.inputs["pos"].positions == "m"
    with pytest.raises(InputError, match="does not say what the input pos, who is filled with"):
        check_fit(contract(), model)
    with pytest.raises(InputError, match="no input whom to fill"):
        check_fit(contract(pos="positions", who=0, whom=1), model)


def test_names_of_a_recording() -> None:
    found = names_of(Path("/data/study/sub-07/ses-b/eeg/sub-07_ses-b_task-x_eeg.fif.gz"))
    assert found[:4] == ("sub-07", "ses-b", "07", "b")
    assert "sub-07_ses-b_task-x_eeg" in found
    assert "study" in found
    assert Recording("r", None).whose == ()
