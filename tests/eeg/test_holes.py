"""Stretches without numbers, or bad on some channels: they drop the windows they touch, and no channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mne
import numpy as np
import pytest

from onnxplain.eeg.recording.labels import Labels
from onnxplain.eeg.recording.read import Recording
from onnxplain.eeg.recording.windows import Windows, cut
from onnxplain.engine.errors import InputError

Make = Callable[..., Any]
NAMES = ("C3", "Cz", "C4", "Pz", "Oz", "Fz")


@pytest.fixture
def windows(make_raw: Make, make_contract: Make) -> Callable[..., Windows]:
    """Windows of two seconds out of 20, with a hole at some channels, from and to in seconds."""

    def made(
        channels: list[int],
        begin: float,
        end: float,
        *,
        names: tuple[str, ...] = NAMES[:3],
        value: float = np.nan,
        marks: Any = (),
        labels: Labels | None = None,
        **settings: Any,
    ) -> Windows:
        raw = make_raw(NAMES, marks=marks)
        raw._data[channels, round(begin * 100) : round(end * 100)] = value
        contract = make_contract(names, **{"patch": None, **settings})
        return cut(Recording.of(raw), contract, labels=labels)

    return made


@pytest.mark.row("E9")
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("channels", [[0], [0, 1, 2, 3, 4, 5]])
@pytest.mark.parametrize("reference", ["as recorded", "average"])
def test_a_hole_drops_the_windows_it_touches(
    windows: Callable[..., Windows], value: float, channels: list[int], reference: str
) -> None:
    found = windows(channels, 5.0, 6.5, value=value, reference=reference, highpass=1.0)
    assert found.onsets.tolist() == [0, 2, 8, 10, 12, 14, 16, 18]
    assert np.isfinite(found.signal).all()
    assert found.dropped == 2
    said = " ".join(found.decisions)
    assert "2 windows dropped: over values that are not numbers" in said
    assert "filters bridge them" in said


def test_far_from_a_hole_nothing_changes(windows: Callable[..., Windows]) -> None:
    whole = windows([0], 0.0, 0.0)
    found = windows([0, 1], 4.5, 5.0)
    np.testing.assert_array_equal(found.signal, np.delete(whole.signal, 2, axis=0))


def test_a_hole_at_a_channel_that_is_not_taken(windows: Callable[..., Windows]) -> None:
    """No window is lost, and the channel stays out of the average."""
    without = windows([4], 5.0, 6.5, reference="average")
    assert len(without) == 10
    assert "average of 5 electrodes" in " ".join(without.decisions)


def test_the_average_is_of_all_where_all_have_the_hole(windows: Callable[..., Windows]) -> None:
    found = windows([0, 1, 2, 3, 4, 5], 5.0, 6.5, reference="average")
    assert "average of 6 electrodes" in " ".join(found.decisions)


def test_rows_of_a_table_are_counted_with_the_dropped(windows: Callable[..., Windows]) -> None:
    labels = Labels("table.csv", tuple("abcdefghij"), None)
    assert windows([1], 2.5, 3.0, labels=labels).labels == tuple("acdefghij")


@pytest.mark.row("E9")
def test_a_channel_that_is_mostly_hole_is_refused(windows: Callable[..., Windows]) -> None:
    with pytest.raises(InputError, match="Cz with values that are not numbers"):
        windows([1], 0.0, 14.0)


@pytest.mark.parametrize(("channels", "kept"), [((), 9), (("Cz",), 9), (("Oz", "Fz"), 10), (("Oz", "C4"), 9)])
def test_bad_on_some_channels(
    make_raw: Make, make_contract: Make, channels: tuple[str, ...], kept: int
) -> None:
    raw = make_raw(NAMES)
    raw.set_annotations(mne.Annotations([4.2], [0.5], ["BAD_pop"], ch_names=[channels]))
    found = cut(Recording.of(raw), make_contract(NAMES[:3], patch=None))
    assert len(found) == kept


def test_epochs_with_a_hole(make_contract: Make) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 3, 200)) * 1e-5
    x[2, 1, 40:60] = np.nan
    events = np.array([[i * 300, 0, 1 + i % 2] for i in range(4)])
    info = mne.create_info(list(NAMES[:3]), 100.0, "eeg")
    epochs = mne.EpochsArray(x, info, events, 0.0, {"left": 1, "right": 2}, verbose="error")
    found = cut(Recording.of(epochs), make_contract(NAMES[:3], patch=None))
    assert found.labels == ("left", "right", "right")
