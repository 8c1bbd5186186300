"""The leading components: what an expert sees of each is what the decomposition and the relevance are."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg

from onnxplain.eeg.explanation.explained import Explained
from onnxplain.eeg.views.components import CLASSES, ComponentClasses, components
from onnxplain.eeg.views.leading_components import Leading, leading

sys.path.insert(0, str(Path(__file__).parent))

from explanations import made

NAMES = ("Fp1", "Fp2", "F7", "F8", "C3", "Cz", "C4", "Pz", "O1", "O2", "T7", "T8")
SFREQ = 200.0


@pytest.fixture(scope="module")
def explained() -> Explained:
    """A rhythm of 10 Hz at Cz that carries the relevance, and a larger one of 20 Hz that does not."""
    rng = np.random.default_rng(0)
    n, length = 40, 400
    t = np.arange(length) / SFREQ
    signal = rng.laplace(0, 1.0, (n, len(NAMES), length))
    slow, fast = (
        rng.laplace(size=(n, 1)) * np.sin(2 * np.pi * f * t + rng.uniform(0, 6, (n, 1))) for f in (10.0, 20.0)
    )
    field = {"Cz": 1.0, "C3": 0.6, "C4": 0.6, "Pz": 0.5}
    for name, size in field.items():
        signal[:, NAMES.index(name)] -= 10 * size * slow
    for name, size in {"O1": 1.0, "O2": 0.8, "Pz": 0.3}.items():
        signal[:, NAMES.index(name)] += 50 * size * fast
    m = np.zeros_like(signal)
    m[:, NAMES.index("Cz"), 100:200] = np.sign(slow[:, 100:200])
    return made(NAMES, signal=signal, multiplier=m, sfreq=SFREQ, scale=0.01, highpass=1.0)


@pytest.fixture(scope="module")
def found(explained: Explained) -> tuple[Leading, ...]:
    return leading(components(explained, label=False, n_components=11).dataset, SFREQ)


def test_the_one_that_carries_the_relevance_comes_first(found: tuple[Leading, ...]) -> None:
    assert len(found) == 10
    first = found[0]
    assert first.share > 0.5
    assert [c.share for c in found] == sorted((c.share for c in found), reverse=True)
    assert NAMES[int(np.abs(first.topography).argmax())] == "Cz"
    assert first.topography.max() == np.abs(first.topography).max()  # turned, whatever sign ICA gave it
    assert first.peak == pytest.approx(10.0, abs=0.5)
    assert not first.probability
    assert first.label == ""
    # It has hardly any of the variance; the component with most of it has no relevance.
    loud = max(found, key=lambda c: c.of_variance)
    assert loud.number != first.number
    assert loud.peak == pytest.approx(20.0, abs=0.5)
    assert loud.share < 0.1
    # Relevance is where the multiplier is: from 0.5 to 1 s of the window.
    inside = first.relevance[100:200].sum() / first.relevance.sum()
    assert inside == pytest.approx(1.0)


def test_the_numbers_are_those_of_the_decomposition(explained: Explained) -> None:
    data = components(explained, label=False, n_components=11).dataset
    each = leading(data, SFREQ, most=11)
    total = data["relevance"].sum("time").values
    size = np.abs(np.column_stack([total, data["residual"].sum("time").values]))
    share = (size / size.sum(1, keepdims=True)).mean(0)
    for c in each:
        assert c.share == pytest.approx(share[c.number])
        assert c.signed == pytest.approx(total[:, c.number].mean())
        assert c.even == pytest.approx(1 / len(each))
    assert sum(c.of_variance for c in each) == pytest.approx(1.0)
    # The topographies times the courses are the signal of the components.
    k = each[0].number
    course = data["course"].values[:, k]
    np.testing.assert_allclose(np.abs(each[0].topography), np.abs(data["map"].values[k]))
    assert np.abs(each[0].course).max() <= np.abs(course).max() / course.std() + 1e-9


def test_the_section_shows_all_of_it(
    explained: Explained, found: tuple[Leading, ...], tmp_path: Path
) -> None:
    labelled = tuple(
        replace(c, probability=dict(zip(CLASSES, np.roll([0.7, *[0.05] * 6], k), strict=True)))
        for k, c in enumerate(found)
    )
    view = ComponentClasses(xr.DataArray(), (), (), labelled, explained.electrodes)
    _, section = view.sections(explained)
    (picture,) = section.pictures
    assert picture.name == "components"
    table = section.content[1]
    assert [row[0] for row in table.rows] == [c.number for c in found]
    assert table.rows[0][1] == f"{CLASSES[0]} 70%"
    axes = picture.figure.axes
    assert len(axes) == 5 * len(found)
    canvas = FigureCanvasAgg(picture.figure)
    canvas.draw()
    # Every row has a map, a spectrum, a course, a bar for each class, and two of shares; nothing is cut off.
    for row in np.array(axes).reshape(-1, 5):
        assert len(row[0].images) == 1
        assert len(row[1].lines) == len(row[2].lines) == 1
        assert (len(row[3].patches), len(row[4].patches)) == (len(CLASSES), 2)
        for axis in row:
            for text in axis.texts:
                assert picture.figure.bbox.contains(*text.get_window_extent().max)
    # Numbers are below the last row alone.
    assert [
        any(t.label1.get_visible() for t in row[1].xaxis.get_major_ticks())
        for row in np.array(axes).reshape(-1, 5)
    ] == [False] * 9 + [True]
    names = [label.get_window_extent() for label in axes[3].get_yticklabels()]
    assert not any(a.overlaps(b) for k, a in enumerate(names) for b in names[k + 1 :])
