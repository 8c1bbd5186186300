"""Relevance by frequency: partitions, known truth, and edges that make no sense."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from onnxplain.eeg.explanation.bands import bands as by_bands
from onnxplain.eeg.explanation.explained import Explained
from onnxplain.eeg.explanation.shares import by_band
from onnxplain.eeg.run import explain_recording
from onnxplain.eeg.views import spectral
from onnxplain.engine.errors import InputError
from onnxplain.models import demo_file

sys.path.insert(0, str(Path(__file__).parent))

from explanations import made

NAMES = ("Fp1", "C3", "C4")
Array = np.ndarray


def explained_of(x: Array, m: Array, *, left: Array | None = None, sfreq: float = 100.0) -> Explained:
    """An explanation with a given signal (in the model's unit) and multiplier, [epoch, channel, time]."""
    return made(NAMES, signal=x, multiplier=m, unassigned=left, sfreq=sfreq)


def noise(n: int, seed: int = 0, epochs: int = 5) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((epochs, 3, n)) + 3.0, rng.standard_normal((epochs, 3, n)) - 0.5


@pytest.mark.parametrize("n", [200, 199, 64])
def test_every_view_sums_to_the_electrode_view(n: int) -> None:
    x, m = noise(n)
    left = np.random.default_rng(9).standard_normal(x.shape)
    e = explained_of(x, m, left=left)
    whole, assigned = e.relevance.sum(-1), (x * m).sum(-1)
    largest = np.abs(whole).max()
    bands = by_bands(e)
    assert bands.dims == ("epoch", "channel", "band")
    assert bands["band"].values.tolist()[-2:] == ["rest", "unassigned"]
    np.testing.assert_allclose(bands.sum("band"), whole, atol=1e-9 * largest)
    np.testing.assert_allclose(spectral.spectrum(e).sum("frequency"), assigned, atol=1e-9 * largest)
    in_time = spectral.band_time(e)
    np.testing.assert_allclose(in_time.sum("band"), e.relevance, atol=1e-9 * largest)
    # Cross terms of unlike bands vanish in the sum over time.
    np.testing.assert_allclose(in_time.sum("time"), bands, atol=1e-9 * largest)
    for seconds, overlap in ((0.3, 0.75), (0.25, 0.5), (n / 100, 0.9)):
        tf = spectral.time_frequency(e, seconds=seconds, overlap=overlap)
        np.testing.assert_allclose(tf.sum(("frame", "frequency")), assigned, atol=1e-9 * largest)
        few = spectral.time_frequency(e, seconds=seconds, overlap=overlap, mean=True)
        np.testing.assert_allclose(few, tf.mean("epoch"), atol=1e-9 * largest)


def test_the_spectrum_against_a_matrix_of_waves() -> None:
    x, m = noise(20, epochs=1)
    found = spectral.spectrum(explained_of(x, m)).values[0]
    # Real waves, an orthonormal basis: relevance in it is coefficient times coefficient.
    t = np.arange(20)
    for k in range(11):
        basis = [np.cos(2 * np.pi * k * t / 20), np.sin(2 * np.pi * k * t / 20)]
        basis = [b / np.linalg.norm(b) for b in basis if np.linalg.norm(b) > 1e-9]
        want = sum((x[0] @ b) * (m[0] @ b) for b in basis)
        np.testing.assert_allclose(found[:, k], want, atol=1e-10)


def test_a_multiplier_in_one_band_reads_that_band() -> None:
    t = np.arange(400) / 100.0
    x, _ = noise(400)
    m = np.zeros_like(x)
    m[:, 1] = np.sin(2 * np.pi * 10 * t)
    found = {s.name: s for s in by_band(by_bands(explained_of(x, m)))}
    assert found["alpha/mu"].share > 1 - 1e-9
    assert sum(s.share for s in found.values()) == pytest.approx(1.0)
    assert found["alpha/mu"].of_frequencies == pytest.approx(0.1)
    assert sum(s.of_frequencies for s in found.values()) == pytest.approx(1.0)


def test_a_burst_is_found_in_time_and_frequency() -> None:
    t = np.arange(400) / 100.0
    x, _ = noise(400)
    burst = np.exp(-0.5 * ((t - 2.5) / 0.15) ** 2) * np.sin(2 * np.pi * 20 * t)
    x[:, 2] = burst
    m = np.zeros_like(x)
    m[:, 2] = burst
    tf = spectral.time_frequency(explained_of(x, m), mean=True)
    at = np.unravel_index(int(tf.sel(channel="C4").values.argmax()), tf.shape[1:])
    assert abs(float(tf["frame"][at[0]]) - 2.5) <= 0.13
    assert float(tf["frequency"][at[1]]) == pytest.approx(20)
    near = tf.sel(channel="C4").where((abs(tf["frame"] - 2.5) < 0.5) & (abs(tf["frequency"] - 20) < 5))
    assert float(near.sum()) > 0.95 * float(tf.sum())


@pytest.mark.parametrize(
    ("edges", "reason"),
    [
        ({"a": (8, 13), "b": (12, 20)}, "overlaps"),
        ({"a": (13, 8)}, "no band"),
        ({"a": (float("nan"), 8)}, "no band"),
        ({"a": (60, 70)}, "Nyquist"),
        ({"a": (8.1, 8.2)}, "no frequency"),
        ({"rest": (8, 13)}, "taken"),
        ({"a": (4, 8.2), "b": (8.1, 13)}, "overlaps"),  # although no frequency is in both
        ({"a": ("x", 3)}, "two numbers"),
        ({"a": 4}, "two numbers"),
        ({}, "none"),
    ],
)
def test_edges_that_make_no_sense(edges: dict[str, tuple[float, float]], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        by_bands(explained_of(*noise(200)), edges)


def test_a_whole_frequency_is_in_the_band_that_starts_with_it() -> None:
    x, _ = noise(130)
    t = np.arange(130) / 100.0
    m = np.sin(2 * np.pi * 30 * t) * np.ones_like(x)
    found = {s.name: s.share for s in by_band(by_bands(explained_of(x, m)))}
    assert found["gamma"] > 1 - 1e-9


def test_bands_above_nyquist_have_no_frequencies() -> None:
    found = {s.name: s for s in by_band(by_bands(explained_of(*noise(120), sfreq=50.0)))}
    assert found["gamma"].of_frequencies == 0
    assert sum(s.of_frequencies for s in found.values()) == pytest.approx(1)


def test_windows_that_do_not_fit() -> None:
    e = explained_of(*noise(200))
    for options in ({"seconds": 3.0}, {"overlap": 0.2}, {"seconds": float("nan")}, {"overlap": 1.0}):
        with pytest.raises(InputError, match="time-frequency"):
            spectral.time_frequency(e, **options)
    bare = replace(e, dataset=e.dataset.drop_vars("multiplier"))
    with pytest.raises(InputError, match="no multiplier"):
        by_bands(bare)


def test_the_demo() -> None:
    found = {}
    for name in ("honest", "shortcut"):
        e = explain_recording(demo_file(f"{name}.onnx"), demo_file("recording.edf"), events="left,right")
        view = by_bands(e)
        whole = e.dataset["relevance"].sum("time", dtype=np.float64)
        off = np.abs(view.sum("band").values - whole.values).max()
        assert off <= 1e-6 * np.abs(whole.values).max()
        found[name] = {s.name: s.share for s in by_band(view)}
    # Rhythms of the hand areas against slow eye movements.
    assert found["honest"]["alpha/mu"] > 0.4 > found["shortcut"]["alpha/mu"]
    slow = {k: v["delta"] + v["rest"] for k, v in found.items()}
    assert slow["shortcut"] > slow["honest"]
