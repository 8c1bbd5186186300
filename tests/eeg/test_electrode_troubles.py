"""Trouble with electrodes: what was planted on one is found there, as what it is, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from onnxplain.eeg.artefacts.electrodes import alone, electrode_part, troubles
from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.eeg.recording.windows import Windows

NAMES = ("Fp1", "Fp2", "F7", "F8", "F3", "F4", "C3", "Cz", "C4", "T7", "T8", "P3", "Pz", "P4", "O1", "O2")
SFREQ, SAMPLES, N = 200.0, 400, 64
T = np.arange(SAMPLES) / SFREQ
P3 = NAMES.index("P3")


def _windows(signal: np.ndarray, names: tuple[str, ...] = NAMES, sfreq: float = SFREQ) -> Windows:
    n = len(signal)
    return Windows(
        data=signal.astype(np.float32), signal=signal.astype(np.float32), channels=Electrodes(names),
        times=np.arange(signal.shape[-1]) / sfreq, onsets=np.arange(n) * 2.0, labels=(None,) * n, sfreq=sfreq,
        decisions=(),
    )  # fmt: skip


def _pink(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    f = np.fft.rfftfreq(shape[-1], 1 / SFREQ)
    spectrum = rng.normal(size=(*shape[:-1], len(f), 2)) @ [1, 1j] / np.maximum(f, 1.0) ** 0.6
    x = np.fft.irfft(spectrum, shape[-1])
    return np.asarray(x / x.std())


def _healthy(seed: int = 0) -> np.ndarray:
    """Sources that all electrodes share, alpha, blinks, saccades, jaw, hum of all, and sensors' noise."""
    rng = np.random.default_rng(seed)
    place = rng.normal(size=(len(NAMES), 12)) * 3
    x = np.einsum("ck,nkt->nct", place, _pink(rng, (N, 12, SAMPLES)))
    x += 1.5 * rng.normal(size=x.shape)
    alpha = 15 * np.sin(2 * np.pi * 10 * T + rng.uniform(0, 6, (N, 1, 1)))
    x[:, 11:] += alpha * np.linspace(0.5, 1, 5)[:, None]
    lid = 120 * np.exp(-0.5 * ((T - rng.uniform(0.3, 1.7, (N, 1))) / 0.07) ** 2) * (rng.random((N, 1)) < 0.4)
    x += np.array([1, 1, 0.5, 0.5, 0.5, 0.5, *[0.1] * 10])[:, None] * lid[:, None]
    gaze = 60 * ((T > 0.5) & (T < 1.2)) * rng.choice([-1, 1], (N, 1))
    x += np.array([0.3, -0.3, 1, -1, 0.4, -0.4, 0.2, 0, -0.2, 0.3, -0.3, *[0] * 5])[:, None] * gaze[:, None]
    jaw = np.fft.irfft(np.fft.rfft(rng.normal(0, 1, (N, 2, SAMPLES))) * (np.arange(201) > 50), SAMPLES)
    x[:, 9:11] += 20 * jaw / jaw.std() * (rng.random((N, 1, 1)) < 0.3)
    x += rng.uniform(2, 6, (len(NAMES), 1)) * np.sin(2 * np.pi * 50 * T)
    return np.asarray(x)


def _trouble(kind: str, rng: np.random.Generator, n: int) -> np.ndarray:
    at = rng.uniform(0.4, 1.6, (n, 1))
    if kind == "pops":
        return rng.uniform(60, 150, (n, 1)) * (at <= T) * np.exp(-np.clip(T - at, 0, None) / 0.3)
    if kind == "hum":
        return 40 * np.sin(2 * np.pi * 50 * T) * np.ones((n, 1))
    if kind == "noise":
        return rng.normal(0, 20, (n, SAMPLES))
    if kind == "wandering":
        return 80 * np.sin(2 * np.pi * (0.5 * T + rng.uniform(0, 1, (n, 1))))
    raise AssertionError(kind)


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_wrong_with_good_electrodes(seed: int) -> None:
    assert not [t for t in troubles(_windows(_healthy(seed))) if t.often]


@pytest.mark.parametrize("kind", ["pops", "hum", "noise", "wandering"])
@pytest.mark.parametrize("seed", range(2))
def test_trouble_is_found_where_it_is(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, planted = _healthy(seed), np.zeros((N, SAMPLES))
    where = np.arange(N) % 4 == 1
    planted[where] = _trouble(kind, rng, int(where.sum()))
    x[:, P3] += planted
    found = [t for t in troubles(_windows(x)) if t.often]
    assert [(t.electrode, t.kind) for t in found] == [("P3", kind)]
    assert (found[0].windows & where).sum() >= 0.8 * where.sum()
    assert (found[0].windows & ~where).sum() <= 2
    assert f"in {found[0].windows.sum()} of 64 windows" in found[0].said
    part = electrode_part(_windows(x), found)
    assert part.kind == "electrode"
    others = np.arange(len(NAMES)) != P3
    assert not part.signal[:, others].any()
    assert not part.signal[~found[0].windows].any()
    seen = found[0].windows & where
    left = ((planted - part.signal[:, P3])[seen] ** 2).sum() / (planted[seen] ** 2).sum()
    assert left < 0.5


def test_flat_segments() -> None:
    x = _healthy()
    x[::8, P3, 100:200] = x[::8, P3, 100:101]
    (found,) = [t for t in troubles(_windows(x)) if t.often]
    assert (found.electrode, found.kind) == ("P3", "flat")
    assert np.array_equal(found.windows, np.arange(N) % 8 == 0)
    assert found.size == pytest.approx(0.5, abs=0.02)


def test_two_electrodes_and_two_kinds() -> None:
    rng = np.random.default_rng(3)
    x = _healthy(3)
    x[::4, P3] += _trouble("pops", rng, 16)
    x[1::4, P3] += _trouble("noise", rng, 16)
    x[2::4, NAMES.index("F4")] += _trouble("noise", rng, 16)
    found = [t for t in troubles(_windows(x)) if t.often]
    assert {(t.electrode, t.kind) for t in found} == {("P3", "pops"), ("P3", "noise"), ("F4", "noise")}
    part = electrode_part(_windows(x), [t for t in found if t.electrode == "P3"])
    assert "pops in" in part.how
    assert "noise in" in part.how
    assert part.signal[0, P3].any()
    assert part.signal[1, P3].any()


def test_few_electrodes_do_not_predict_each_other() -> None:
    assert troubles(_windows(_healthy()[:, :3], NAMES[:3])) == ()


def test_what_the_others_predict_is_not_an_electrodes_own() -> None:
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 10, (20, 1, 200))
    own = rng.normal(0, 1, (20, 6, 200))
    left = alone(shared + own)
    assert left.std() < 2.0


def test_names_without_a_place() -> None:
    x = _healthy()
    x[::4, P3] += _trouble("pops", np.random.default_rng(1), 16)
    names = tuple(f"E{i}" for i in range(len(NAMES)))
    found = [t for t in troubles(_windows(x, names)) if t.often and t.kind == "pops"]
    assert [t.electrode for t in found] == [f"E{P3}"]
