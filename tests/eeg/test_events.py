"""Events by name: as they are listed, with what cannot be seen in them; and codes on a trigger channel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest

from onnxplain.cli.values import names as listed_names
from onnxplain.eeg.artefacts.events import times_of
from onnxplain.eeg.explanation.references import fits
from onnxplain.eeg.recording.read import Recording, read
from onnxplain.eeg.recording.slicing import chosen
from onnxplain.eeg.run import explain_recording
from onnxplain.eeg.text import split, typed
from onnxplain.engine.errors import InputError

Make = Callable[..., Any]
AWKWARD = ("Stimulus/S  1", "go, now", "'quoted'", "  padded ", "x" * 55, "left/agree", 'Comment/say "hi"')


@pytest.fixture
def awkward(make_raw: Make) -> Recording:
    return Recording.of(make_raw(marks=[(2.0 * i, 0.0, name) for i, name in enumerate(AWKWARD)]))


@pytest.mark.parametrize("i", range(len(AWKWARD)))
def test_what_is_listed_can_be_typed(awkward: Recording, i: int) -> None:
    name = AWKWARD[i]
    for form in (name, name.upper(), typed([name]), f" {name} ", f'"{name}"'):
        assert [m.onset for m in chosen(awkward, form, "x") or ()] == [2.0 * i], form
        assert times_of(awkward, form).tolist() == [2.0 * i]
    assert fits(" ".join(name.split()), name)


def test_what_a_message_lists_can_be_typed_as_a_whole(awkward: Recording) -> None:
    with pytest.raises(InputError) as caught:
        chosen(awkward, "nothing", "x")
    listed = str(caught.value).split("there are: ")[1]
    assert len(chosen(awkward, listed, "x") or ()) == len(AWKWARD)


def test_lists_of_names() -> None:
    assert split("a, b ,c") == ["a", "b", "c"]
    assert split("go,now,a", ["go, now", "a"]) == ["go, now", "a"]
    assert split("'a, b',c") == ["a, b", "c"]
    assert split(" , ") == []
    assert listed_names('r-peaks,"go, now"') == ("r-peaks", "go, now")
    for broken in ("a,,b", "", "a,"):
        with pytest.raises(ValueError, match="empty"):
            listed_names(broken)


def test_locked_to_a_name_with_a_comma(make_contract: Make, make_model: Make, recorded: Make) -> None:
    data = recorded(seconds=60.0, marks=[(3.0 + 4 * i, 0.0, "go, now") for i in range(13)])
    model = make_model(make_contract())
    for option in (("go, now",), ("go", "now")):
        found = explain_recording(model, data, locked=option, against="none")
        assert "go, now" in found.summary()["locked"]


# --- trigger channels


def pulses(make_raw: Make, channels: dict[str, list[tuple[int, int, int]]], **more: Any) -> Any:
    """A recording with (first sample, samples, code) on trigger channels."""
    raw = make_raw(("C3", "C4"), **more)
    x = np.zeros((len(channels), raw.n_times))
    for row, steps in zip(x, channels.values(), strict=True):
        for at, n, code in steps:
            row[at : at + n] = code
    info = mne.create_info(list(channels), raw.info["sfreq"], "stim")
    return raw.add_channels([mne.io.RawArray(x, info, verbose="error")], force_update_info=True)


def onsets(recording: Recording, events: str) -> list[float]:
    return [m.onset for m in chosen(recording, events, "x") or ()]


@pytest.mark.parametrize("name", ["STI 014", "Status", "TRIGGER"])
def test_codes_are_events(make_raw: Make, tmp_path: Path, name: str) -> None:
    raw = pulses(make_raw, {name: [(100, 1, 5), (400, 10, 32), (700, 3, 5), (703, 3, 32)]})
    raw.save(tmp_path / "a_raw.fif", verbose="error")
    for recording in (Recording.of(raw), read(tmp_path / "a_raw.fif")):
        assert onsets(recording, "5") == [1, 7]
        assert onsets(recording, "32") == [4, 7.03]
        assert onsets(recording, "annotations") == [1, 4, 7, 7.03]
        assert times_of(recording, "32").tolist() == [4, 7.03]
    with pytest.raises(InputError, match="no event 6; there are: 5, 32"):
        chosen(Recording.of(raw), "6", "x")


def test_a_part_of_a_recording_counts_from_its_first_sample(make_raw: Make) -> None:
    raw = pulses(make_raw, {"STI 014": [(100, 5, 1), (900, 5, 1)]}).crop(5.0)
    assert onsets(Recording.of(raw), "1") == [4]


def test_several_lines(make_raw: Make) -> None:
    lines = {"DIN1": [(100, 2, 1)], "DIN2": [(300, 2, 1)]}
    recording = Recording.of(pulses(make_raw, lines))
    assert (onsets(recording, "DIN2"), onsets(recording, "1")) == ([3], [1, 3])
    together = Recording.of(pulses(make_raw, {**lines, "STI 014": [(300, 2, 2)]}))
    assert onsets(together, "annotations") == [3]


def test_codes_beside_annotations(make_raw: Make) -> None:
    """Annotations come first, and codes are there when they are named."""
    raw = pulses(make_raw, {"STI 014": [(100, 5, 1), (900, 5, 2)]}, marks=[(5.0, 0.0, "go")])
    recording = Recording.of(raw)
    assert onsets(recording, "annotations") == [5]
    assert onsets(recording, "go,2") == [5, 9]
    bad = pulses(make_raw, {"STI 014": [(100, 5, 1)]}, marks=[(5.0, 1.0, "BAD_jaw")])
    assert onsets(Recording.of(bad), "annotations") == [1]


def test_what_lasts_longer_than_a_window_is_told(
    make_contract: Make, make_model: Make, recorded: Make
) -> None:
    data = recorded(marks=[(0.0, 7.0, "rest"), (10.0, 2.5, "rest"), (14.0, 4.0, "task")])
    found = explain_recording(make_model(make_contract()), data, events="rest,task", against="none")
    said = "Only the first window of each event was taken: 3 further windows would fit"
    assert any(s.startswith(said) for s in found.windows.decisions)
