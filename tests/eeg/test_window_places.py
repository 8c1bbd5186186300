"""Windows around events, and windows that overlap."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest

from onnxplain.eeg.explanation.timeline import stitched
from onnxplain.eeg.explanation.to_mne import to_epochs
from onnxplain.eeg.recording.options import WindowOptions
from onnxplain.eeg.recording.read import Recording, read
from onnxplain.eeg.recording.windows import cut, with_window
from onnxplain.eeg.run import explain_recording
from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import InputError
from onnxplain.validation.opening import open_case
from onnxplain.validation.policy import Policy

Settings = Callable[..., InputContract]
MARKS = [
    (0.05, 0.0, "left"),
    (3.0, 0.0, "left"),
    (7.5, 0.0, "right"),
    (12.25, 0.0, "left"),
    (19.0, 0.0, "right"),
]


def raw_of(path: Path) -> Any:
    return mne.io.read_raw_fif(path, preload=True, verbose="error").get_data() * 1e6


@pytest.mark.parametrize(
    ("tmin", "tmax", "held"), [(-0.2, 0.8, 3), (0.5, 2.5, 4), (-1.0, 0.0, 4), (0.0, 1.5, 4)]
)
def test_windows_around_events(
    tmin: float, tmax: float, held: int, make_contract: Settings, recorded: Callable[..., Path]
) -> None:
    path = recorded(marks=MARKS)
    settings = with_window(make_contract(patch=None), tmin=tmin, tmax=tmax)
    windows = cut(read(path), settings, events="left,right")
    raw = raw_of(path)
    n = round((tmax - tmin) * 100)
    whole = [
        (at, name) for at, _, name in MARKS
        if round((at + tmin) * 100) >= 0 and round((at + tmin) * 100) + n <= raw.shape[1]
    ]  # fmt: skip
    assert len(windows) == len(whole) >= held
    np.testing.assert_allclose(windows.onsets, [at + tmin for at, _ in whole], atol=1e-9)
    assert windows.labels == tuple(name for _, name in whole)
    for x, (at, _) in zip(windows.signal, whole, strict=True):
        first = round((at + tmin) * 100)
        np.testing.assert_allclose(x, raw[:, first : first + n], rtol=1e-5)
    assert windows.dropped == len(MARKS) - len(whole)
    assert windows.tmin == tmin


def test_epochs_are_cut_at_their_event(make_contract: Settings, make_raw: Callable[..., Any]) -> None:
    raw = make_raw(seconds=30)
    events = np.array([[500, 0, 1], [1200, 0, 2], [2000, 0, 1]])
    epochs = mne.Epochs(
        raw, events, {"a": 1, "b": 2}, tmin=-0.5, tmax=1.5, baseline=None, preload=True, verbose="error"
    )
    settings = with_window(make_contract(patch=None), tmin=-0.2, tmax=0.8)
    windows = cut(Recording.of(epochs), settings)
    np.testing.assert_allclose(windows.signal[1], raw.get_data()[:, 1180:1280] * 1e6, rtol=1e-5)
    with pytest.raises(InputError, match=r"does not reach from 0\.8 to 1\.8 s"):
        cut(Recording.of(epochs), with_window(settings, tmin=0.8, tmax=1.8))


@pytest.mark.parametrize(
    ("seconds", "stride", "count"), [(2.0, 1.0, 19), (2.0, 0.5, 37), (1.0, 0.33, 58), (2.0, 3.0, 7)]
)
def test_a_stride(
    seconds: float, stride: float, count: int, make_contract: Settings, recorded: Callable[..., Path]
) -> None:
    path = recorded()
    settings = with_window(make_contract(patch=None), seconds, stride=stride)
    windows = cut(read(path), settings)
    assert len(windows) == count
    raw, n = raw_of(path), round(seconds * 100)
    for k in (0, 1, count - 1):
        first = round(k * stride * 100)
        np.testing.assert_allclose(windows.signal[k], raw[:, first : first + n], rtol=1e-5)
        assert windows.onsets[k] == pytest.approx(first / 100)
    assert any("overlap" in d for d in windows.decisions) == (stride < seconds)


def test_overlaps_come_back_once(
    make_contract: Settings, make_model: Any, recorded: Callable[..., Path], tmp_path: Path
) -> None:
    settings = make_contract(stride=0.5)
    found = explain_recording(make_model(settings), recorded())
    relevance, _, start = stitched(found)
    line = found.dataset["timeline"]
    assert line.shape == (12, 2000)
    assert start == 0
    np.testing.assert_allclose(line.values, relevance)
    # Half a second into the recording is held by two windows, and has their mean.
    want = (found.relevance[0][:, 70] + found.relevance[1][:, 20]) / 2
    np.testing.assert_allclose(line.values[:, 70], want, rtol=1e-5)
    assert found.dataset["windows_at"].values[[10, 70, 120, 170, 1990]].tolist() == [1, 2, 3, 4, 1]
    # No window is held against one that shares its signal.
    held = found.references
    assert held is not None
    apart = np.abs(held.onsets[held.index] - found.windows.onsets[:, None])
    assert apart.min() >= 2.0 - 1e-9
    found.save(tmp_path / "out", report=False)
    assert "timeline" not in explain_recording(make_model(make_contract()), recorded()).dataset


def test_epochs_of_mne_have_their_event(
    make_contract: Settings, make_model: Any, recorded: Callable[..., Path]
) -> None:
    settings = make_contract(tmin=-0.5)
    found = explain_recording(make_model(settings), recorded(marks=MARKS), events="left,right")
    np.testing.assert_allclose(found.dataset["from_event"].values[[0, 50]], [-0.5, 0.0], atol=1e-12)
    epochs = to_epochs(found)
    assert epochs.times[0] == -0.5
    np.testing.assert_array_equal(epochs.events[:, 0], [300, 750, 1225])


def test_the_gate(make_contract: Settings, make_model: Any, recorded: Callable[..., Path]) -> None:
    settings = make_contract(patch=None)
    path, model = recorded(marks=MARKS), make_model(settings)
    case = open_case(model, path, Policy(version=1), window_options=WindowOptions(tmin=-0.5, tmax=1.5))
    np.testing.assert_allclose(case.windows.onsets, [2.5, 7.0, 11.75])
    whole = open_case(model, recorded(), Policy(version=1), window_options=WindowOptions(stride=0.5))
    assert len(whole.windows) == 37


def test_what_is_refused(make_contract: Settings) -> None:
    settings = make_contract(patch=None)
    with pytest.raises(InputError, match="window and tmax both"):
        WindowOptions(window=1.0, tmax=1.0).contract(settings)
    with pytest.raises(InputError, match="has to lie after tmin"):
        WindowOptions(tmin=0.5, tmax=0.5).contract(settings)
    with pytest.raises(InputError, match="a sample at 100 Hz at least"):
        WindowOptions(stride=0.001).contract(settings)
    with pytest.raises(InputError, match=r"a multiple of 0\.5 s"):
        WindowOptions(tmin=-0.2, tmax=0.5).contract(make_contract())
    # MNE counts the sample at tmax: a model of so many keeps it.
    odd = settings.model_copy(update={"window": 101})
    assert WindowOptions(tmin=-0.2, tmax=0.8).contract(odd).window == 101
    assert WindowOptions().contract(settings) is settings
    assert InputContract.from_metadata(make_contract(tmin=-0.2, stride=1.0).to_metadata()) is not None
