"""Figures carry what they should: limits that are symmetric and shared, names, units."""

from __future__ import annotations

import contextvars
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage, imread
from matplotlib.path import Path as MatplotlibPath

from onnxplain.eeg.drawing import figures, heads, resolution
from onnxplain.eeg.electrodes.positions import Electrodes, head_positions
from onnxplain.eeg.electrodes.regions import PARTITION, region
from onnxplain.eeg.reports.html import Drawing

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


BACK = Electrodes(("O1", "O2", "Oz", "P7", "P8", "Pz", "P3", "P4"))
LINE = Electrodes(("Fz", "Cz", "Pz", "Oz"))


def coloured(figure: Figure, electrodes: Electrodes, axis: int = 0) -> tuple[float, float]:
    """How much of the head is coloured, inside and outside of the outline around the electrodes."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[::-1, :, :3].astype(int)
    pos = np.array(list(head_positions(electrodes).values()))
    to_pixels = figure.axes[axis].transData
    # A pixel on the edge belongs to both sides.
    edge = MatplotlibPath(to_pixels.transform(heads.hull(pos)))
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    points = np.column_stack([x.ravel() + 0.5, y.ravel() + 0.5])
    inside = edge.contains_points(points, radius=-3).reshape(x.shape)
    near = edge.contains_points(points, radius=3).reshape(x.shape)
    near |= edge.contains_points(points, radius=-3).reshape(x.shape)
    middle = to_pixels.transform([(0.0, 0.0), (heads.RADIUS, 0.0)])
    head = np.hypot(x - middle[0, 0], y - middle[0, 1]) < 1.03 * (middle[1, 0] - middle[0, 0])
    colour = pixels.max(-1) - pixels.min(-1) > 20
    return float(colour[inside].mean()), float(colour[head & ~near].sum())


@pytest.mark.parametrize("electrodes", [HEADS, BACK])
def test_head_maps_are_blank_outside_of_the_outermost_electrodes(electrodes: Electrodes) -> None:
    ones = np.ones(len(electrodes))
    figure, _ = figures.head_maps({"a": ones}, electrodes, unit="logit", size=ones / len(ones))
    assert figure is not None
    for axis in (0, 1):
        inside, outside = coloured(figure, electrodes, axis)
        assert inside > 0.7  # but for names
        assert outside == 0
    shares = figures.share_maps({"one": ones, "two": 2 * ones}, electrodes, difference=(0, 1))
    assert shares is not None
    for axis in range(3):
        inside, outside = coloured(shares, electrodes, axis)
        assert (inside > 0.7, outside) == (True, 0)


def test_electrodes_on_one_line_have_dots() -> None:
    """There is nothing between them to be coloured."""
    figure, _ = figures.head_maps({"a": np.arange(4.0)}, LINE, unit="logit")
    assert figure is not None
    FigureCanvasAgg(figure).draw()
    assert not figure.axes[0].images[0].get_visible()
    (dots,) = [c for c in figure.axes[0].collections if len(c.get_offsets()) == 4]
    np.testing.assert_array_equal(dots.get_array(), np.arange(4.0))


def _texts(figure: Figure) -> list[Any]:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return [(t.get_text(), t.get_window_extent()) for t in figure.axes[0].texts]


@pytest.mark.parametrize("montage", ["biosemi64", "GSN-HydroCel-128", "biosemi256"])
def test_names_of_many_electrodes_are_thinned_and_do_not_overprint(montage: str) -> None:
    places = mne.channels.make_standard_montage(montage).get_positions()["ch_pos"]
    electrodes = Electrodes(tuple(places), {n: tuple(p.tolist()) for n, p in places.items()})
    n = len([c for c in electrodes if c in electrodes.positions])
    assert n > 60
    weight = np.zeros(len(electrodes))
    most = list(electrodes).index(next(c for c in electrodes if c in electrodes.positions))
    weight[most] = 1.0
    figure, _ = figures.head_maps({"a": weight}, electrodes, unit="logit")
    assert figure is not None
    texts = _texts(figure)
    assert 12 <= len(texts) <= 40
    assert electrodes[most] in [name for name, _ in texts]  # the one with most is always named
    for k, (_, a) in enumerate(texts):
        for _, b in texts[k + 1 :]:
            assert not a.padded(-0.5).overlaps(b.padded(-0.5))
    # And every electrode has its dot.
    assert sum(len(line.get_xdata()) for line in figure.axes[0].lines if line.get_marker() == ".") == n


def test_rows_of_many_electrodes_are_thinned() -> None:
    names = Electrodes(tuple(f"E{i}" for i in range(1, 257)))
    figure = figures.mean_map(np.ones((256, 20)), np.ones(256) / 256, names, np.arange(20) / 20, unit="logit")
    assert len(figure.axes[0].get_yticks()) <= 70


def test_the_colours_are_named_by_class() -> None:
    sides = heads.Sides("for left, against right", "against left, for right")
    values = np.arange(8.0) - 4
    figure, _ = figures.head_maps({"left": values}, HEADS, unit="logit", sides={"left": sides})
    assert figure is not None
    assert "red: for left, against right\nblue: against left, for right" in [
        t.get_text() for t in figure.axes[0].texts
    ]
    assert all("red: for" not in a.get_xlabel() for a in figure.axes)
    FigureCanvasAgg(figure).draw()
    for axis in figure.axes:
        for text in (axis.title, *axis.texts):
            place = text.get_window_extent()
            assert figure.bbox.contains(*place.min), text
            assert figure.bbox.contains(*place.max), text
    one = figures.window_map(
        np.ones((8, 50)), np.ones((8, 50)), HEADS, np.arange(50) / 50, unit="logit", sides=sides
    )
    assert any("blue: against left, for right; red: for left" in a.get_ylabel() for a in one.axes)


def test_a_figure_is_png_svg_and_pdf_at_the_resolution_asked_for(tmp_path: Path) -> None:
    figure, _ = figures.head_maps({"a": np.arange(8.0)}, HEADS, unit="logit")
    assert figure is not None

    def width(dpi: int | None) -> int:
        path = figures.save(figure, tmp_path / "head.png", dpi)
        return int(imread(path).shape[1])

    assert width(300) == 2 * width(None)
    drawing = Drawing(tmp_path / "head.png", "head", "")
    assert [p.read_bytes()[:5] for p in drawing.files] == [b"\x89PNG\r", b"<?xml", b"%PDF-"]
    before = [p.read_bytes() for p in drawing.files]
    figures.save(figure, tmp_path / "head.png")
    assert [p.read_bytes() for p in drawing.files] == before  # no time in them

    def finer() -> tuple[int, int]:
        resolution.draw_at(300)
        return width(None), drawing.width

    wide = drawing.width
    # What a page shows is as wide at any resolution.
    assert contextvars.copy_context().run(finer) == (width(300), wide)
