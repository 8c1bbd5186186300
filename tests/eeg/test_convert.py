"""Relevance as MNE's objects, and on the recording's time line."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import mne
import numpy as np
import pytest
import xarray as xr
from matplotlib.text import Text

from onnxplain.eeg.explanation import to_mne as convert
from onnxplain.eeg.explanation.explained import Explained
from onnxplain.engine.errors import InputError

sys.path.insert(0, str(Path(__file__).parent))

from explanations import made

NAMES = ("Fp1", "C3", "C4", "Pz", "AUX")


def explained_of(relevance: np.ndarray, onsets: list[float], naming: Any = None) -> Explained:
    """Relevance [epoch, channel, time] at 100 Hz."""
    names = NAMES if naming is None else naming.electrodes(NAMES)
    return made(names, relevance=relevance, onsets=onsets, target=np.arange(len(onsets)) % 2)


@pytest.fixture
def some(naming: Any) -> Explained:
    return explained_of(np.random.default_rng(0).normal(size=(6, 5, 80)), [2.0 * i for i in range(6)], naming)


def texts(figure: Any) -> set[str]:
    """Everything that a figure has in writing."""
    return {t.get_text() for t in figure.findobj(Text) if t.get_text()}


def test_epochs_hold_relevance(some: Explained) -> None:
    epochs = convert.to_epochs(some)
    assert epochs.event_id == {"left": 1, "right": 2}
    np.testing.assert_array_equal(epochs.get_data(), some.relevance)
    assert epochs.unit == "logit"
    np.testing.assert_allclose(convert.to_epochs(some, "signal").get_data(units="uV"), some.windows.signal)
    assert epochs.to_data_frame()[some.electrodes[0]][0] == some.relevance[0, 0, 0]
    assert epochs.events[:, 0].tolist() == [0, 200, 400, 600, 800, 1000]
    assert np.isfinite(epochs.info["chs"][1]["loc"][:3]).all()
    figure = epochs.copy().pick(list(some.electrodes[:4])).average().plot_topomap(times=[0.1], show=False)
    assert figure.axes
    plt.close(figure)
    with pytest.raises(InputError, match="relevance, signal"):
        convert.to_epochs(some, "colour")
    with pytest.raises(InputError):
        convert.to_epochs(some, "multiplier")


def test_no_plot_of_relevance_says_microvolt(some: Explained) -> None:
    """MNE's figures have the unit of what was explained, and MNE's own defaults are as they were after."""
    with_places = convert.to_epochs(some).pick(list(some.electrodes[:4]))
    evoked = with_places["left"].average()
    drawn = {
        "evoked": (lambda: evoked.plot(show=False), {"logit", "Relevance (4 channels)"}),
        "map": (lambda: evoked.plot_topomap(times=[0.1], show=False), {"logit"}),
        "joint": (lambda: evoked.plot_joint(times=[0.1], show=False), {"logit"}),
        "image": (lambda: evoked.plot_image(show=False), {"logit"}),
        "epochs": (lambda: with_places.plot_image(picks=[0], show=False)[0], {"logit"}),
        "difference": (
            lambda: mne.combine_evoked([evoked, evoked], [1, -1]).plot(show=False), {"logit"}
        ),
    }  # fmt: skip
    for name, (draw, wanted) in drawn.items():
        figure = draw()
        said = texts(figure)
        assert wanted <= said, name
        assert not any("V" in t for t in said - set(some.electrodes)), name
        plt.close(figure)
    signal = convert.to_evoked(some, "signal")["left"].plot(show=False)
    assert "µV" in texts(signal)
    plt.close(signal)
    with pytest.raises(InputError, match="bands"):
        with_places.compute_psd()
    with pytest.raises(InputError, match="bands"):
        evoked.plot_psd()


def test_epochs_know_labels_and_which_were_right(some: Explained) -> None:
    labels = ("left", "left/near", "right", None, "blink", "right")
    guess = np.array([0, 1, 1, 0, 1, 0])
    output = xr.DataArray(np.eye(2)[guess], dims=("epoch", "class"))
    e = replace(
        some,
        windows=replace(some.windows, labels=labels),
        dataset=some.dataset.assign(output=output),
    )
    epochs = convert.to_epochs(e)
    assert epochs.metadata["label"].tolist() == list(labels)
    assert epochs.metadata["explained"].tolist() == ["left", "right"] * 3
    assert epochs.metadata["right"].tolist() == [True, False, True, None, None, False]
    np.testing.assert_array_equal(epochs.metadata["value"], some.dataset["explained"].values)
    np.testing.assert_array_equal(epochs["right == True"].get_data(), e.relevance[[0, 2]])
    by_label = convert.to_evoked(e, by="label")
    assert list(by_label) == ["left", "left/near", "right", "blink"]
    np.testing.assert_allclose(by_label["right"].data, e.relevance[[2, 5]].mean(0))
    assert by_label["right"].unit == "logit"
    nameless = replace(e, windows=replace(e.windows, labels=(None,) * 6))
    with pytest.raises(InputError, match="no window has a label"):
        convert.to_evoked(nameless, by="label")
    with pytest.raises(InputError, match="by colour"):
        convert.to_evoked(e, by="colour")


def test_evoked_is_the_mean_of_a_class(some: Explained) -> None:
    found = convert.to_evoked(some)
    assert set(found) == {"left", "right"}
    np.testing.assert_allclose(found["right"].data, some.relevance[1::2].mean(0))
    assert found["right"].nave == 3
    assert isinstance(found["left"], mne.EvokedArray | mne.Evoked)


def test_windows_on_the_recordings_time_line() -> None:
    relevance = np.ones((3, 5, 80)) * np.array([1.0, 3.0, 10.0])[:, None, None]
    # Half of the second lies over the first; the third stands apart.
    found, covered, start = convert.stitched(explained_of(relevance, [5.0, 5.4, 8.0]))
    assert start == 5.0
    assert found.shape == (5, 380)
    np.testing.assert_allclose(found[0, [0, 39, 40, 79, 80, 119]], [1, 1, 2, 2, 3, 3])
    assert np.isnan(found[:, 120:300]).all()
    np.testing.assert_allclose(found[:, 300:], 10)
    assert covered.tolist() == [1] * 40 + [2] * 40 + [1] * 40 + [0] * 180 + [1] * 80


def test_the_largest_stretches_as_annotations(naming: Any) -> None:
    relevance = np.full((2, 5, 200), 0.01)
    relevance[0, 0, 50:70] = -3  # Fp1, negative: size counts
    relevance[1, 2, 100:120] = 5  # C4
    e = explained_of(relevance, [10.0, 30.0], naming)
    marks = convert.to_annotations(e, part=0.1)
    np.testing.assert_allclose(marks.onset, [10.5, 31.0])
    np.testing.assert_allclose(marks.duration, [0.2, 0.2])
    eyes = convert.to_annotations(e, "frontal-ocular", part=0.05)
    np.testing.assert_allclose(eyes.onset, [10.5])
    assert eyes.description[0] == "relevance/frontal-ocular"
    with pytest.raises(InputError, match="none of these"):
        convert.to_annotations(e, "occipital")
    with pytest.raises(InputError, match="between 0 and 1"):
        convert.to_annotations(e, part=2)


def test_what_does_not_stand_out_is_not_marked() -> None:
    relevance = np.zeros((2, 5, 200))
    assert len(convert.to_annotations(explained_of(relevance, [10.0, 30.0]))) == 0
    assert len(convert.to_annotations(explained_of(relevance + 1, [10.0, 30.0]))) == 0
    relevance[0, 1, 50:60] = 3  # 10 of 400 samples, fewer than the part asked for; the rest are all 0
    marks = convert.to_annotations(explained_of(relevance, [10.0, 30.0]), part=0.05)
    np.testing.assert_allclose(marks.onset, [10.5])
    np.testing.assert_allclose(marks.duration, [0.1])


def test_windows_need_not_be_in_order_of_time() -> None:
    e = explained_of(np.random.default_rng(0).normal(size=(4, 5, 80)), [8.0, 2.0, 5.0, 2.0])
    epochs = convert.to_epochs(e)
    assert epochs.events[:, 0].tolist() == [800, 200, 500, 201]  # two start together
    np.testing.assert_array_equal(epochs.get_data(), e.relevance)


def test_a_row_for_each_window_and_electrode(tmp_path: Path, naming: Any) -> None:
    relevance = np.zeros((3, 5, 80))
    relevance[0, 0], relevance[0, 1] = 0.5, -0.25  # sums over time: 40 and -20
    relevance[1] = 1.0  # every electrode alike
    path = convert.to_csv(explained_of(relevance, [1.0, 2.5, 4.0], naming), tmp_path / "rows.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 5
    assert [r["electrode"] for r in rows[:5]] == list(naming.of(NAMES))
    assert [r["region"] for r in rows[:5]] == ["frontopolar", "central", "central", "parietal", "other"]
    assert [float(r["relevance"]) for r in rows[:3]] == [40.0, -20.0, 0.0]
    assert [float(r["share"]) for r in rows[:2]] == pytest.approx([2 / 3, 1 / 3])
    assert sum(float(r["share"]) for r in rows[5:10]) == pytest.approx(1)
    assert {r["share"] for r in rows[10:]} == {""}  # no relevance: no share, rather than 0
    assert [(r["window"], r["onset"], r["target"]) for r in rows[::5]] == [
        ("0", "1.0", "left"), ("1", "2.5", "right"), ("2", "4.0", "left"),
    ]  # fmt: skip
