"""Recordings that a user holds in memory give what their files give, and stay as they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest

from onnxplain.eeg.explanation.explained import Explained
from onnxplain.eeg.explanation.open import ModelOptions
from onnxplain.eeg.explanation.references import ReferenceOptions
from onnxplain.eeg.recording.options import WindowOptions
from onnxplain.eeg.recording.read import read
from onnxplain.eeg.run import RecordingKeywords, explain_recording
from onnxplain.eeg.studies.sample import SampleKeywords, sample
from onnxplain.eeg.views import registry
from onnxplain.engine.errors import InputError
from onnxplain.exporters.extras import spare_torchaudio

Make = Callable[..., Any]
MARKS = [(2.0, 1.0, "left"), (5.0, 0.0, "right"), (9.0, 0.0, "left/agree"), (16.0, 2.0, "BAD jump")]
TARGETS = {"left": 0, "right": 1}


@pytest.fixture
def raw(make_raw: Make, naming: Any) -> Any:
    """A recording under both namings, cut out of a longer one, as one has it in the middle of an analysis."""
    made = naming.raw(make_raw(marks=MARKS))
    made.set_meas_date(1_700_000_000)
    made.set_annotations(mne.Annotations(*zip(*MARKS, strict=True), orig_time=made.info["meas_date"]))
    made.info["subject_info"] = {"his_id": "X99", "last_name": "Roe"}
    return made.crop(0.5)


@pytest.fixture
def model(make_model: Make, make_contract: Make, naming: Any) -> Path:
    found: Path = make_model(naming.contract(make_contract()))
    return found


def same(a: Explained, b: Explained) -> None:
    """Two explanations of one signal; positions in a FIF file are float32."""
    assert a.windows.labels == b.windows.labels
    assert a.windows.decisions == b.windows.decisions
    np.testing.assert_allclose(a.windows.onsets, b.windows.onsets, atol=1e-9)
    size = np.abs(a.relevance).max()
    np.testing.assert_allclose(a.relevance, b.relevance, atol=1e-6 * size)
    for name, place in a.electrodes.positions.items():
        np.testing.assert_allclose(place, b.electrodes.positions[name], atol=1e-6)
    shares = (e.summary()["shares"] for e in (a, b))
    for one, other in zip(*shares, strict=True):
        assert one["share"] == pytest.approx(other["share"], abs=1e-6)


@pytest.mark.parametrize("events", [None, "left,right", "annotations"])
@pytest.mark.parametrize("lazy", [False, True])
def test_a_raw_is_explained_as_its_file(
    raw: Any, model: Path, tmp_path: Path, events: str | None, lazy: bool
) -> None:
    path = tmp_path / "a_raw.fif"
    raw.save(path, fmt="double", verbose="error")
    held = mne.io.read_raw_fif(path, preload=False, verbose="error") if lazy else raw
    of_file = explain_recording(model, path, events=events)
    same(explain_recording(model, held, events=events), of_file)
    assert held.preload is not lazy  # nothing was loaded into the user's object
    assert ("left" in of_file.windows.labels) is (events is not None)


def test_epochs_are_explained_as_their_file(raw: Any, model: Path, tmp_path: Path) -> None:
    events, codes = mne.events_from_annotations(raw, regexp="^(left|right)", verbose="error")
    epochs = mne.Epochs(raw, events, codes, 0, 2.5, baseline=None, preload=False, verbose="error")
    epochs.save(tmp_path / "a-epo.fif", fmt="double", verbose="error")
    for asked in (None, "right"):
        found = explain_recording(model, epochs, events=asked)
        same(found, explain_recording(model, tmp_path / "a-epo.fif", events=asked))
        assert set(found.windows.labels) == ({"right"} if asked else {"left", "right", "left/agree"})
    assert not epochs.preload


def test_the_users_object_stays_as_it_is(raw: Any, model: Path) -> None:
    raw.info["bads"] = [raw.ch_names[2]]
    before = raw.copy()
    found = explain_recording(model, raw, interpolate_missing=True)
    assert found.windows.interpolated
    np.testing.assert_array_equal(raw.get_data(), before.get_data())
    assert mne.utils.object_diff(raw.info, before.info) == ""
    assert raw.annotations == before.annotations
    assert raw.info["subject_info"]["last_name"] == "Roe"


def test_provenance_of_what_is_in_memory(raw: Any, model: Path) -> None:
    first = explain_recording(model, raw)
    data = first.summary()["data"]
    assert data["file"] == "in memory: Raw"
    assert len(data["sha256"]) == 64
    assert explain_recording(model, raw.copy()).summary()["data"] == data
    marked = raw.copy().set_annotations(None)
    assert explain_recording(model, marked).summary()["data"]["sha256"] != data["sha256"]
    raw._data[0, 17] += 1e-6
    assert explain_recording(model, raw).summary()["data"]["sha256"] != data["sha256"]
    assert not any(word in repr(first.dataset) + repr(first.summary()) for word in ("X99", "Roe"))


def test_a_recording_that_was_read_can_be_given(raw: Any, model: Path, tmp_path: Path) -> None:
    raw.save(tmp_path / "a_raw.fif", fmt="double", verbose="error")
    recording = read(tmp_path / "a_raw.fif")
    same(explain_recording(model, recording), explain_recording(model, tmp_path / "a_raw.fif"))


def test_trigger_channels_are_no_signal(make_raw: Make, make_model: Make, make_contract: Make) -> None:
    raw = make_raw()
    before = explain_recording(make_model(make_contract(reference="average")), raw)
    info = mne.create_info(["STI 014"], 100.0, "stim")
    trigger = mne.io.RawArray(np.arange(len(raw.times))[None] % 7.0, info, verbose="error")
    raw.add_channels([trigger], force_update_info=True)
    after = explain_recording(make_model(make_contract(reference="average")), raw)
    np.testing.assert_array_equal(before.relevance, after.relevance)


@pytest.mark.parametrize("use_epochs", [False, True])
def test_windows_of_a_braindecode_dataset(
    raw: Any, model: Path, make_raw: Make, naming: Any, use_epochs: bool
) -> None:
    spare_torchaudio()
    from braindecode.datasets import BaseConcatDataset, RawDataset
    from braindecode.preprocessing import create_windows_from_events

    other = naming.raw(make_raw(marks=[(3.0, 1.0, "right")], seed=1))
    dataset = BaseConcatDataset([RawDataset(raw, {"subject": 1}), RawDataset(other, {"subject": 2})])
    with pytest.raises(InputError, match="not cut into windows"):
        explain_recording(model, dataset)
    windows = create_windows_from_events(
        dataset, 0, 200, window_size_samples=200, window_stride_samples=200, mapping=TARGETS,
        drop_last_window=True, use_mne_epochs=use_epochs, verbose="error",
    )  # fmt: skip
    found = explain_recording(model, windows)
    assert set(found.windows.labels) == {"left", "right"}
    assert len(found.windows) == len(windows)
    for signal, (x, _, _) in zip(found.windows.signal, windows, strict=True):
        np.testing.assert_allclose(signal, x * 1e6, rtol=1e-5, atol=1e-4)
    labels = [TARGETS[label] for label in found.windows.labels]
    assert labels == [y for _, y, _ in windows]
    assert found.summary()["accuracy"]["of"] == len(windows)
    assert found.summary()["data"]["file"] == "in memory: braindecode windows"
    assert any("Windows of 2 recordings" in d for d in found.windows.decisions)
    part = explain_recording(model, windows, events="right")
    assert set(part.windows.labels) == {"right"}


def test_the_unit_is_that_of_the_numbers_in_memory(raw: Any, model: Path) -> None:
    """The unit of the file that an object was read from has been applied: given again, it is refused."""
    want = explain_recording(model, raw)
    with pytest.raises(InputError, match="is no EEG"):
        explain_recording(model, raw, unit="uV")
    scaled = raw.copy().apply_function(lambda x: x * 1e6)
    with pytest.raises(InputError, match="is no EEG"):
        explain_recording(model, scaled)
    found = explain_recording(model, scaled, unit="uV")
    np.testing.assert_allclose(found.relevance, want.relevance, atol=1e-6 * np.abs(want.relevance).max())
    assert any("taken as uV" in d for d in found.windows.decisions)


def test_the_keywords_that_editors_know_are_those_there_are() -> None:
    for typed, records in (
        (RecordingKeywords, (ModelOptions, WindowOptions, ReferenceOptions)),
        (SampleKeywords, (ModelOptions, WindowOptions, ReferenceOptions)),
    ):
        names = {f.metadata.get("keyword", f.name) for record in records for f in fields(record)}
        if typed is RecordingKeywords:
            names |= {kind.name for kind in registry.kinds() if not kind.always}
            names |= {name for kind in registry.kinds() for name in kind.takes}
        assert set(typed.__annotations__) == names
        function = {RecordingKeywords: explain_recording, SampleKeywords: sample}[typed]
        text = function.__doc__ or ""
        assert all(re.search(rf"\b{name}\b", text) for name in names)


def test_what_is_no_recording(model: Path, raw: Any) -> None:
    evoked = mne.EvokedArray(raw.get_data()[:, :200], raw.info)
    for data, said in (
        (evoked, "mne.Evoked"),
        (raw.get_data(), r"onnxplain\.Explainer\(model\)\(array\)"),
        ([raw], "data of type list is no recording"),
        (None, "data of type NoneType is no recording"),
    ):
        with pytest.raises(InputError, match=said) as caught:
            explain_recording(model, data)
        assert "\n" not in str(caught.value)


def test_keywords_are_held_against_what_there_is(raw: Any, model: Path) -> None:
    for wrong, near in (
        ("event", "events"),
        ("componets", "components"),
        ("interpolate", "interpolate_missing"),
    ):
        with pytest.raises(TypeError, match=rf"no keyword '{wrong}'; did you mean .*\b{near}\b"):
            explain_recording(model, raw, **{wrong: 1})
    with pytest.raises(TypeError, match="there are"):
        explain_recording(model, raw, qqqq=1)


def test_window_options_and_keywords_are_one(raw: Any, model: Path) -> None:
    record = WindowOptions(events="left,right", window=2.0)
    by_record = explain_recording(model, raw, window_options=record)
    same(by_record, explain_recording(model, raw, events="left,right", window=2.0))
    assert by_record.summary()["options"]["window"] == 2.0
    other = explain_recording(model, raw, window_options=record, events="right")
    assert set(other.windows.labels) == {"right"}
