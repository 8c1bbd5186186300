"""Parts of the signal: splits are exact, and what is exchanged is what its name says."""

from __future__ import annotations

import numpy as np
import pytest
from fields import CAP19, SFREQ, SMALL, TIMES, N, background, field, noise

from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.eeg.exchange.catalogue import catalogue
from onnxplain.eeg.exchange.expected import Expected, outside_parts
from onnxplain.eeg.exchange.parts import (
    LinearPart,
    frequencies,
    in_frequency,
    spectrum_parts,
    stretch,
    time_parts,
)
from onnxplain.eeg.exchange.spatial import CovariancePart, alone_parts, space_parts, unshared

# -- the spectrum and the sixths ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "sfreq"), [(500, 250.0), (128, 128.0), (101, 100.0), (4000, 200.0), (64, 512.0)]
)
def test_parts_of_the_spectrum_sum_to_the_signal(n: int, sfreq: float) -> None:
    x = noise(n=n)
    parts = spectrum_parts(n, sfreq)
    assert np.abs(sum(p.project(x) for p in parts) - x).max() < 1e-12 * np.abs(x).max()
    # What one has no other has.
    for p in parts:
        for q in parts:
            if p is not q:
                assert np.abs(p.project(q.project(x))).max() < 1e-10


@pytest.mark.parametrize("n", [500, 128, 101, 13])
def test_sixths_sum_to_the_signal(n: int) -> None:
    x = noise(n=n)
    sixths = [p for p in time_parts(n, SFREQ) if p.name.startswith("sixth")]
    assert len(sixths) == 6
    assert np.abs(sum(p.project(x) for p in sixths) - x).max() < 1e-12 * np.abs(x).max()


def test_a_gate_keeps_the_ends_of_the_window() -> None:
    assert stretch(100, 0, 100, 10).min() == pytest.approx(1)
    gate = stretch(100, 0, 50, 10)
    assert gate[0] == pytest.approx(1)
    assert gate[-1] == 0
    assert ((gate >= 0) & (gate <= 1 + 1e-12)).all()
    assert stretch(100, 20, 40, 0).sum() == 20


@pytest.mark.parametrize("name", ["offset", "drift", "alpha", "line", "fast", "first", "last"])
def test_what_was_taken_over_stays(name: str) -> None:
    x, z = noise(seed=1), noise(seed=2)
    (part,) = [p for p in (*spectrum_parts(N, SFREQ), *time_parts(N, SFREQ)) if p.name == name]
    once = part.swap(x, z)
    assert np.abs(part.swap(once, z) - once).max() < 1e-10
    # The part is that of z, and the rest is that of x.
    assert np.abs(part.project(once) - part.project(z)).max() < 1e-10
    assert np.abs((once - part.project(once)) - (x - part.project(x))).max() < 1e-10
    assert np.abs(part.swap(once, x) - x).max() < 1e-10
    assert np.abs(part.swap(x, x) - x).max() == 0


def test_a_cosine_lies_in_its_band_alone() -> None:
    k = 40  # half periods in the window: 10 Hz
    assert frequencies(N, SFREQ)[k] == pytest.approx(10)
    x = np.cos(np.pi * k * (np.arange(N) + 0.5) / N)[None, None]
    for part in spectrum_parts(N, SFREQ):
        kept = part.project(x)
        assert np.abs(kept - (x if part.name == "alpha" else 0)).max() < 1e-12, part.name


def test_what_the_slow_parts_and_the_line_are() -> None:
    parts = {p.name: p for p in (*spectrum_parts(N, SFREQ), *time_parts(N, SFREQ))}
    assert set(parts) == {
        *("offset", "drift", "delta", "theta", "alpha", "beta", "gamma", "line", "fast", "first", "last"),
        *(f"sixth {i}" for i in range(1, 7)),
    }
    x = noise()
    assert np.abs(parts["offset"].project(x) - x.mean(-1, keepdims=True)).max() < 1e-10
    assert np.abs(parts["offset"].size(x) - x.mean(-1)).max() < 1e-10
    # A trend over the window is drift, up to what of it is curved at the ends.
    ramp = np.linspace(-50, 50, N)[None, None]
    assert (parts["drift"].project(ramp) ** 2).sum() > 0.98 * (ramp**2).sum()
    for line in (50.0, 60.0):
        mains = np.sin(2 * np.pi * line * TIMES + 0.3)[None, None]
        assert (parts["line"].project(mains) ** 2).sum() > 0.9 * (mains**2).sum()
    kept = parts["first"].project(x)
    assert np.array_equal(kept[..., :5], x[..., :5])
    assert not kept[..., 5:].any()
    kept = parts["last"].project(x)
    assert np.array_equal(kept[..., -5:], x[..., -5:])
    assert not kept[..., :-5].any()
    assert [parts[n].group for n in ("offset", "line", "fast", "first", "alpha", "sixth 1")] == [
        *("slow", "machine", "fast", "edge", "band", "time"),
    ]  # fmt: skip


def test_slow_signals_have_no_parts_that_are_not_there() -> None:
    assert [p.name for p in spectrum_parts(40, 20.0)] == ["offset", "drift", "delta", "theta", "alpha"]
    assert not in_frequency(np.zeros(8))(np.ones((1, 1, 8))).any()


# -- electrodes ---------------------------------------------------------------------------------------


def test_unshared_leaves_what_all_share_and_finds_what_one_has() -> None:
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 10, (20, 1, N)) * rng.uniform(0.8, 1.2, (1, 12, 1))
    own = rng.normal(0, 10, (20, N))
    x = shared + rng.normal(0, 0.3, (20, 12, N))
    x[:, 4] += own
    kept = np.einsum("ab,nbt->nat", unshared(x), x)
    # Of the source that all share hardly anything is left on any other electrode.
    others = np.arange(12) != 4
    assert kept[:, others].std() < 0.12 * x[:, others].std()
    assert np.corrcoef(kept[:, 4].ravel(), own.ravel())[0, 1] > 0.97
    assert kept[:, 4].std() == pytest.approx(own.std(), rel=0.15)
    source = np.einsum("ab,nbt->nat", unshared(x), np.broadcast_to(shared, x.shape))
    assert source.std() < 0.12 * shared.std()


def test_what_one_electrode_has_alone_is_on_it_alone() -> None:
    x, z = field(CAP19, 10, 0), field(CAP19, 10, 5)
    cap = Electrodes(CAP19)
    (part,) = alone_parts(x, cap, [3])
    assert part.name == "alone F4"
    moved = part.swap(x, z) - x
    assert np.abs(moved[:, 3]).max() > 0
    assert not moved[:, np.arange(19) != 3].any()
    assert alone_parts(x[:, :5], Electrodes(CAP19[:5]), [3]) == []


def test_the_common_part_is_the_mean_of_all() -> None:
    x, z = noise(seed=1), noise(seed=2)
    common = space_parts(x, Electrodes(SMALL[:8]))[0]
    got = common.swap(x, z)
    assert np.abs(got.mean(1) - z.mean(1)).max() < 1e-10
    assert np.abs((got - got.mean(1, keepdims=True)) - (x - x.mean(1, keepdims=True))).max() < 1e-10
    assert space_parts(x[:, :1], Electrodes(SMALL[:1])) == []


def test_a_covariance_is_carried_over_and_offsets_stay() -> None:
    x, z = noise(channels=6, seed=1), noise(channels=6, seed=2)
    z = np.einsum("ab,nbt->nat", np.eye(6) + 0.4 * np.random.default_rng(3).uniform(size=(6, 6)), z)
    got = CovariancePart().swap(x, z)
    assert np.abs(got.mean(-1) - x.mean(-1)).max() < 1e-9
    for a, b in zip(got, z, strict=True):
        want = np.cov(b, bias=True)
        assert np.abs(np.cov(a, bias=True) - want).max() < 1e-8 * np.abs(want).max()
    assert np.abs(CovariancePart().swap(x, x) - x).max() < 1e-9


# -- all of them --------------------------------------------------------------------------------------


def test_windows_that_do_not_differ_are_unchanged() -> None:
    """Whatever it is that could be exchanged: with itself a window is what it was."""
    x = field(CAP19, 6, 0)
    f = frequencies(N, SFREQ)
    rows = np.array([c in ("C3", "Cz", "C4") for c in CAP19])
    expected = Expected(((8.0, 30.0),), rows, (0.5, 1.5), SFREQ, N)
    parts = [*catalogue(x, SFREQ, Electrodes(CAP19), expected, [3, 5]), *outside_parts(expected, x)]
    assert len({p.name for p in parts}) == len(parts)
    for part in parts:
        moved = np.abs(part.swap(x, x) - x).max()
        # A covariance is taken apart and put together again; all others do not touch the window at all.
        assert moved <= (1e-9 * np.abs(x).max() if part.name == "covariance" else 0), part.name
        assert part.size(x).shape[0] == 6
    assert f[-1] < SFREQ / 2


@pytest.mark.parametrize("name", ["resolution", "repeats", "reference", "order"])
def test_honest_windows_do_not_differ_in_what_machines_do(name: str) -> None:
    x = field(CAP19, 12, 0)
    (part,) = [p for p in catalogue(x, SFREQ, Electrodes(CAP19)) if p.name == name]
    assert np.abs(part.swap(x, x[::-1]) - x).max() == 0


def test_a_projection_is_one() -> None:
    """Parts that say of themselves that they are linear are: nothing of an exchange depends on the rest."""
    x, z, d = field(CAP19, 6, 0), field(CAP19, 6, 3), field(CAP19, 6, 6)
    for part in catalogue(x, SFREQ, Electrodes(CAP19), None, [3]):
        if isinstance(part, LinearPart):
            apart = part.swap(x + d, z) - (part.swap(x, z) + d - part.project(d))
            assert np.abs(apart).max() < 1e-9 * np.abs(x).max(), part.name


# -- what lies outside of a task ----------------------------------------------------------------------


def test_what_lies_outside_of_bands_electrodes_and_seconds() -> None:
    x = field(CAP19, 8, 0)
    rows = np.array([c in ("C3", "Cz", "C4", "P3", "P4", "Pz") for c in CAP19])
    expected = Expected(((8.0, 13.0),), rows, (0.5, 1.5), SFREQ, N)
    bands, regions, seconds = outside_parts(expected, x)
    assert [p.name for p in (bands, regions, seconds)] == [
        "outside bands",
        "outside regions",
        "outside seconds",
    ]
    alpha = np.cos(np.pi * 40 * (np.arange(N) + 0.5) / N) * np.ones((1, 19, 1))
    assert np.abs(bands.project(alpha)).max() < 1e-9
    slow = np.cos(np.pi * 8 * (np.arange(N) + 0.5) / N) * np.ones((1, 19, 1))
    assert np.abs(bands.project(slow) - slow).max() < 1e-9
    assert not regions.project(x)[:, rows].any()
    assert np.abs(seconds.project(x)[..., 150:350]).max() < 1e-9 * np.abs(x).max()
    assert np.array_equal(seconds.project(x)[..., :90], x[..., :90])
    assert np.abs(expected.inside()(x) + expected.outside_of(x) - x).max() < 1e-12 * np.abs(x).max()
    assert outside_parts(Expected(None, None, None, SFREQ, N), x) == []


def test_one_source_that_reaches_all_electrodes_is_not_outside() -> None:
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.5, 1.5, (1, 19, 1))
    source = background(20, 1, N, 0) * weights
    x = source + rng.normal(0, 0.02 * source.std(), source.shape)
    x[:, 0] += rng.normal(0, source.std(), (20, N))  # and one that Fp1 alone has
    rows = np.arange(19) > 5
    (part,) = outside_parts(Expected(None, rows, None, SFREQ, N), x)
    kept = part.project(x)
    assert kept[:, 1:6].std() < 0.1 * x[:, 1:6].std()
    assert kept[:, 0].std() > 0.9 * source.std()
