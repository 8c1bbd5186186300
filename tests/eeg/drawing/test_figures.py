"""Figures carry what they should: limits that are symmetric and shared, names, units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import AxesImage, imread

from onnxplain.eeg.drawing import figures
from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.eeg.electrodes.regions import PARTITION, region

NAMES = ("O1", "Cz", "EEG T3-REF", "Fp1", "F8", "C4", "Pz", "F7")
HEADS = Electrodes(NAMES)


def images(figure: object) -> list[AxesImage]:
    return [i for axis in figure.axes for i in axis.images]  # type: ignore[attr-defined]


def test_head_maps_share_one_symmetric_scale(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=8), 5 * rng.normal(size=8)
    share = np.full(8, 1 / 8)
    figure, said = figures.head_maps({"left": left, "$right": right}, HEADS, unit="logit", size=share)
    assert figure is not None
    assert said == ""
    first, second, sizes = images(figure)[:3]
    assert first.get_clim() == second.get_clim()
    low, high = first.get_clim()
    assert low == -high
    assert high == pytest.approx(np.abs(right).max())
    assert sizes.get_clim()[0] == 0
    shown = {t.get_text() for t in figure.axes[0].texts}
    assert shown == set(NAMES)
    labels = {a.get_xlabel() for a in figure.axes}
    assert any("logit" in label for label in labels)
    path = figures.save(figure, tmp_path / "head.png")
    assert imread(path).shape[1] > 1000


def test_head_maps_leave_out_what_has_no_place() -> None:
    names = (*NAMES[:5], "EOG", "Fp1-F7", "E7")
    figure, said = figures.head_maps({"a": np.ones(8)}, Electrodes(names), unit="logit")
    assert figure is not None
    assert "EOG, Fp1-F7, E7" in said
    figure, said = figures.head_maps({"a": np.ones(3)}, Electrodes(("E1", "E2", "Cz")), unit="logit")
    assert figure is None
    assert "no head map" in said


def test_constant_and_zero_maps_can_be_drawn(tmp_path: Path) -> None:
    figure, _ = figures.head_maps({"zero": np.zeros(8)}, HEADS, unit="logit", size=np.zeros(8))
    assert figure is not None
    figures.save(figure, tmp_path / "a.png")
    zero = np.zeros((8, 50))
    times = np.arange(50) / 100
    figures.save(figures.window_map(zero, zero, HEADS, times, unit="logit"), tmp_path / "b.png")
    figures.save(figures.mean_map(zero, np.full(8, np.nan), HEADS, times, unit="logit"), tmp_path / "c.png")


def test_rows_go_front_to_back_and_left_to_right() -> None:
    ordered = [NAMES[i] for i in figures.order(HEADS)]
    regions = [PARTITION.index(region(n)) for n in ordered]
    assert regions == sorted(regions)
    assert ordered.index("F7") < ordered.index("F8")
    assert sorted(ordered) == sorted(NAMES)


def test_window_map(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    relevance, signal = rng.normal(size=(8, 100)), 20 * rng.normal(size=(8, 100))
    figure = figures.window_map(
        relevance, signal, HEADS, np.arange(100) / 100, unit="logit", title="a $ title"
    )
    (image, *_) = images(figure)
    low, high = image.get_clim()
    assert low == -high
    drawn = np.asarray(image.get_array())
    np.testing.assert_array_equal(drawn, relevance[figures.order(HEADS)])
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == [
        NAMES[i] for i in figures.order(HEADS)
    ]
    assert len(figure.axes[0].lines) >= 8
    figures.save(figure, tmp_path / "w.png")


def test_mean_map_bins_are_means() -> None:
    size = np.abs(np.random.default_rng(0).normal(size=(8, 103)))
    figure = figures.mean_map(size, np.full(8, 1 / 8), HEADS, np.arange(103) / 100, unit="logit", bins=10)
    (image, *_) = images(figure)
    drawn = np.asarray(image.get_array())
    ordered = size[figures.order(HEADS)]
    assert drawn.shape == (8, 10)
    np.testing.assert_allclose(drawn[:, 0], ordered[:, :11].mean(1))
    np.testing.assert_allclose(drawn[:, -1], ordered[:, 99:].mean(1))


@pytest.mark.parametrize(("value", "nice"), [(0.9, 1), (1.4, 1), (1.8, 2), (37, 50), (260, 200), (0.0, 1)])
def test_scales_are_round(value: float, nice: float) -> None:
    assert figures._round(value) == nice
