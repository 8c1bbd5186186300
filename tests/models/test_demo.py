"""The bundled models and recording are what the demo says they are."""

from __future__ import annotations

import mne
import numpy as np
import onnx
import onnxruntime as ort
import pytest

from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import InputError
from onnxplain.models import demo_file

MODELS = ("honest", "shortcut")


def contract(name: str) -> InputContract:
    meta = ort.InferenceSession(demo_file(f"{name}.onnx")).get_modelmeta().custom_metadata_map
    found = InputContract.from_metadata(meta)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def recording() -> mne.io.BaseRaw:
    return mne.io.read_raw_edf(demo_file("recording.edf"), preload=True, verbose="error")


@pytest.fixture(scope="module")
def windows(recording: mne.io.BaseRaw) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Model input, label, and whether the saccade agrees; cut from the file with MNE alone."""
    wants = contract("honest")
    raw = recording.copy().filter(wants.highpass, wants.lowpass, verbose="error")
    raw.notch_filter(wants.notch, verbose="error")
    signal = raw.get_data(picks=list(wants.channels), units="uV") * wants.scale
    x, label, agree = [], [], []
    for one in raw.annotations:
        tags = one["description"].split("/")
        if tags[0] in wants.classes:
            assert one["duration"] == pytest.approx(wants.seconds)
            start = round(one["onset"] * wants.sfreq)
            x.append(signal[:, start : start + wants.window])
            label.append(wants.classes.index(tags[0]))
            agree.append(tags[1] == "agree")
    return np.stack(x).astype(np.float32), np.array(label), np.array(agree)


def test_sizes() -> None:
    assert sum(demo_file(f"{name}.onnx").stat().st_size for name in MODELS) < 4e6
    assert demo_file("recording.edf").stat().st_size < 2e6


@pytest.mark.parametrize("name", MODELS)
def test_the_models_are_small_labrams(name: str) -> None:
    found = contract(name)
    assert found.model == "LaBraM"
    assert found.classes == ("left", "right")
    assert (found.sfreq, found.unit, found.scale) == (200, "uV", 0.01)
    assert len(found.channels) > 20
    assert found == contract("honest")
    model = onnx.load(demo_file(f"{name}.onnx"))
    onnx.checker.check_model(model, full_check=True)
    assert {t.data_type for t in model.graph.initializer} <= {onnx.TensorProto.FLOAT, onnx.TensorProto.INT64}
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param


def test_the_recording_looks_like_eeg(recording: mne.io.BaseRaw) -> None:
    assert tuple(recording.ch_names) == contract("honest").channels
    assert recording.info["sfreq"] == 200
    level = 1e6 * np.median(np.abs(recording.get_data()), axis=1)
    assert np.all((level > 2) & (level < 40))
    assert 50 < 1e6 * np.abs(recording.get_data()).max() < 300
    # EDF+'s way to say that nothing is known of the patient.
    assert demo_file("recording.edf").read_bytes()[8:88].strip() == b"X X X X"


def test_the_annotations_are_balanced(
    recording: mne.io.BaseRaw, windows: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    _, label, agree = windows
    assert 60 <= len(label) <= 80
    for tag in (True, False):
        assert np.bincount(label[agree == tag]).tolist() == [len(label) // 4] * 2
    names = set(recording.annotations.description)
    assert names == {"left/agree", "left/contradict", "right/agree", "right/contradict", "blink"}


def test_the_models_differ_as_they_were_built_to(
    windows: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    x, label, agree = windows
    right = {}
    for name in MODELS:
        session = ort.InferenceSession(demo_file(f"{name}.onnx"), providers=["CPUExecutionProvider"])
        right[name] = session.run(None, {session.get_inputs()[0].name: x})[0].argmax(1) == label
    assert right["honest"][agree].mean() >= 0.85
    assert right["honest"][~agree].mean() >= 0.85
    assert right["shortcut"][agree].mean() >= 0.9
    assert right["shortcut"][~agree].mean() <= 0.3


def test_saccades_go_where_the_annotations_say(
    recording: mne.io.BaseRaw, windows: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    # A saccade to the right is positive at F8 and negative at F7.
    x, label, agree = windows
    names = contract("honest").channels
    slope = x[:, names.index("F8")] - x[:, names.index("F7")]
    biggest = slope[np.arange(len(slope)), np.abs(slope - np.median(slope, axis=1)[:, None]).argmax(1)]
    went_right = np.where(agree, label, 1 - label) == 1
    moved = biggest - slope[:, :40].mean(axis=1)  # before the saccade
    assert np.mean((moved > 0) == went_right) > 0.95


def test_an_unknown_demo_file_lists_what_is_there() -> None:
    with pytest.raises(InputError, match=r"honest\.onnx"):
        demo_file("../card.py")
