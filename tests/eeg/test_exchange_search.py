"""The smallest part that decides is found: the electrodes, band and stretch of time that are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.eeg.exchange.pairs import draw
from onnxplain.eeg.exchange.parts import frequencies, in_frequency
from onnxplain.eeg.exchange.search import Cell, bands, places, proposed, shortest, smallest, times

Floats = NDArray[np.float64]
CAP = ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2")
SFREQ, N, WINDOWS = 100.0, 200, 60
SIDE = np.where(np.arange(WINDOWS) % 2 == 0, 1.0, -1.0)
F = frequencies(N, SFREQ)


def background(seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(0, 1, (WINDOWS, len(CAP), N))


def found(x: Floats, score: Callable[[Floats], Floats], order: Sequence[int] = range(10)) -> Cell:
    """What is said to decide, where the map has electrodes in this order."""

    def run(x: Floats) -> Floats:
        s = score(x)
        return np.stack([-s, s], axis=1)

    pairs = draw(x, run(x), run, np.random.default_rng(1), pairs=40)
    return smallest(pairs.follows, Electrodes(CAP), order, N, SFREQ)


def test_one_electrode_in_one_band_in_one_stretch() -> None:
    x = background()
    gate = np.zeros(N)
    gate[70:95] = np.hanning(25)
    wave = gate * np.sin(2 * np.pi * 20 * np.arange(N) / SFREQ)
    x[:, 4] += 8 * SIDE[:, None] * wave
    cell = found(x, lambda x: x[:, 4] @ wave, [4, 2, 5, 3, 6, 7, 0, 1, 8, 9])
    assert cell.electrodes is not None
    assert cell.electrodes.said == "C3"
    assert cell.band is not None
    assert cell.band.said == "beta (13 to 30 Hz)"
    assert cell.time is not None
    assert cell.time.said == "from 0.67 to 1.00 s"
    assert cell.said == "beta (13 to 30 Hz) of C3 from 0.67 to 1.00 s"
    assert cell.volume < 0.02
    assert not cell.band.fast


def test_the_first_20_ms() -> None:
    x = background()
    x[:, :, :2] += 6 * SIDE[:, None, None]
    cell = found(x, lambda x: x[:, :, :2].mean((-2, -1)))
    assert cell.said == "the signal in the first 20 ms"
    assert [c.said for c in cell.choices] == ["in the first 20 ms"]


def test_the_last_20_ms() -> None:
    x = background()
    x[:, 8, -2:] += 6 * SIDE[:, None]
    cell = found(x, lambda x: x[:, 8, -2:].mean(-1), [8, *range(8), 9])
    assert cell.said == "O1 in the last 20 ms"


def test_the_offset() -> None:
    x = background()
    x += 3 * SIDE[:, None, None]
    cell = found(x, lambda x: x.mean((-2, -1)))
    assert cell.said == "the offset"
    assert (cell.electrodes, cell.time) == (None, None)


def test_a_band_on_a_set_of_electrodes() -> None:
    x = background()
    wave = np.sin(2 * np.pi * 10 * np.arange(N) / SFREQ)
    x[:, [4, 5]] += SIDE[:, None, None] * wave
    alpha = in_frequency(((F >= 8) & (F < 13)).astype(float))
    cell = found(x, lambda x: alpha(x)[:, [4, 5]].mean(1) @ wave, [5, 4, *range(4), *range(6, 10)])
    assert cell.said == "alpha (8 to 13 Hz) of C4, C3"


def test_what_needs_all_of_the_window_is_no_part_of_it() -> None:
    x = background()
    weights = np.random.default_rng(3).normal(0, 1, (len(CAP), N))
    x += 0.5 * SIDE[:, None, None] * weights
    cell = found(x, lambda x: np.einsum("nct,ct->n", x, weights))
    assert cell.choices == ()
    assert cell.volume == 1
    assert cell.said == "the whole window"
    assert np.array_equal(cell.project(x), x)


def test_within_electrodes_that_are_given() -> None:
    x = background()
    x[:, 4] += 3 * SIDE[:, None]
    score: Callable[[Cell], float] = lambda cell: float(  # noqa: E731
        (np.sign(cell.swap(x, -x)[:, 4].mean(-1)) != SIDE).mean()
    )
    cell = smallest(score, Electrodes(CAP), range(10), N, SFREQ, within=[4, 5])
    assert cell.electrodes is not None
    assert cell.electrodes.said == "C3, C4"
    assert cell.band is not None
    assert cell.band.said == "the offset"


def test_a_cell_is_exchanged_as_it_says() -> None:
    x, z = background(1), background(2)
    choices = {c.said: c for c in (*bands(N, SFREQ), *times(N, SFREQ), *places(Electrodes(CAP), range(10)))}
    cell = Cell().narrowed("electrodes", choices["Fp1"]).narrowed("time", choices["in the first 20 ms"])
    got = cell.swap(x, z)
    assert np.array_equal(got[:, 0, :2], x[:, 0, :2] + (z - x)[:, 0, :2])
    got[:, 0, :2] = x[:, 0, :2]
    assert np.array_equal(got, x)
    assert cell.volume == pytest.approx(0.1 * 2 / N)


def test_bands_to_look_in() -> None:
    named = {c.said: c for c in bands(N, SFREQ, {"spindles": (11.0, 16.0)})}
    for said in ("the offset", "the drift", "alpha (8 to 13 Hz)", "offset and drift", "spindles"):
        assert said in named
    assert named["spindles"].volume == pytest.approx(20 / N, abs=0.01)
    assert not named["alpha (8 to 13 Hz)"].fast
    assert named["what is faster than 30 Hz"].fast
    # Each keeps what lies in it of a window, and no more than it says.
    for c in named.values():
        wave = np.cos(np.pi * 48 * (np.arange(N) + 0.5) / N)[None, None]  # 12 Hz
        kept = float((c.project(wave) ** 2).sum() / (wave**2).sum())
        assert kept == pytest.approx(1 if c.said in _AT_12 else 0, abs=1e-9), c.said


_AT_12 = ("alpha (8 to 13 Hz)", "spindles", "alpha and beta (8 to 30 Hz)")


def test_where_a_map_points() -> None:
    relevance = np.zeros((5, 10, N))
    relevance[:, 4, 80:100] = 1.0
    relevance[:, 2, 90:95] = 2.0
    at = proposed(relevance)
    assert at.order[:2] == (4, 2)
    assert at.share[4] == pytest.approx(2 / 3)
    assert at.stretches[0] == (90, 95)
    assert all(80 <= a < b <= 100 for a, b in at.stretches)
    flat = proposed(np.zeros((5, 10, N)))
    assert (flat.order[0], sum(flat.share), flat.stretches) == (0, 0, ())


def test_the_shortest_stretch_that_holds_a_part() -> None:
    course = np.zeros(N)
    course[50:60] = 1.0
    assert shortest(course, 0.5) == (50, 55)
    assert shortest(course, 1.0) == (50, 60)
    assert shortest(np.ones(N), 0.7) is None
    assert shortest(np.zeros(N), 0.5) is None
