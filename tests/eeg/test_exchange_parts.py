"""Parts of the signal: splits are exact, and what is exchanged is what its name says."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import fft, ndimage

from onnxplain.eeg.electrodes.names import template_positions
from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.eeg.exchange.catalogue import catalogue
from onnxplain.eeg.exchange.expected import Expected, outside_parts
from onnxplain.eeg.exchange.machine import GainPart, RepeatsPart, ResolutionPart, fast_gain_part, gain_part
from onnxplain.eeg.exchange.parts import (
    LinearPart,
    frequencies,
    in_frequency,
    line_of,
    spectrum_parts,
    stretch,
    time_parts,
)
from onnxplain.eeg.exchange.relations import OrderPart, ReferencePart, order_part, reference_part
from onnxplain.eeg.exchange.spatial import CovariancePart, alone_parts, space_parts, unshared

Floats = NDArray[np.float64]
SFREQ, N = 250.0, 500
TIMES = np.arange(N) / SFREQ
SMALL = ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T7", "T8", "P7", "P8")
CAP19 = (*SMALL, "Fz", "Cz", "Pz")
CAP32 = (
    *CAP19,
    *("FC5", "FC1", "FC2", "FC6", "CP5", "CP1", "CP2", "CP6", "FT9", "FT10", "POz", "PO3", "PO4"),
)


def noise(windows: int = 6, channels: int = 8, n: int = N, seed: int = 0) -> Floats:
    """Windows whose offsets and sizes differ."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 10, (windows, channels, n)) * rng.uniform(0.5, 2, (windows, channels, 1))
    return x + rng.normal(0, 20, (windows, channels, 1))


def background(windows: int, channels: int, n: int, seed: int, power: float = 1.0) -> Floats:
    """Noise whose power falls with frequency, as the brain's does."""
    rng = np.random.default_rng(seed)
    f = np.maximum(frequencies(n, SFREQ), 1.0)
    return np.asarray(fft.idct(rng.normal(0, 10, (windows, channels, n)) / f ** (power / 2), norm="ortho"))


def field(cap: tuple[str, ...], windows: int, seed: int, wide: float = 0.05, n: int = N) -> Floats:
    """Smooth fields over the head: many sources, each seen by the electrodes around it; a little noise."""
    rng = np.random.default_rng(seed)
    there = template_positions(cap)
    at = np.array([there[c] for c in cap])
    sources = at[rng.integers(0, len(cap), 60)] + rng.normal(0, 0.02, (60, 3))
    mix = np.exp(-((np.linalg.norm(at[:, None] - sources[None], axis=-1) / wide) ** 2) / 2)
    courses = background(windows, 60, n, seed + 1)
    x = np.einsum("cs,nst->nct", mix * rng.uniform(0.5, 2, 60), courses)
    return np.asarray(x + rng.normal(0, 0.05 * x.std(), x.shape))


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


# -- gain ---------------------------------------------------------------------------------------------


def _gain(x: Floats, inside: NDArray[np.bool_] | None = None) -> GainPart:
    part = gain_part(x, SFREQ, inside)
    assert part is not None
    return part


def test_an_amplifiers_gain_is_carried_over_exactly() -> None:
    x = background(8, 10, N, 0)
    part = _gain(x)
    assert np.abs(part.swap(x, 1.5 * x) - 1.5 * x).max() < 1e-6 * np.abs(x).max()
    assert np.abs(part.swap(1.5 * x, x) - x).max() < 1e-6 * np.abs(x).max()
    assert part.size(1.5 * x) - part.size(x) == pytest.approx(np.log(1.5), abs=1e-6)


def test_a_rhythm_is_no_gain() -> None:
    x = background(200, 10, N, 1)
    rng = np.random.default_rng(2)
    alpha = np.sin(2 * np.pi * 10 * TIMES + rng.uniform(0, 2 * np.pi, (200, 1, 1))) * np.hanning(N)
    weak, strong = x + 4 * alpha, x + 20 * alpha
    part = _gain(np.concatenate([weak, strong]))
    assert abs(float((part.size(strong) - part.size(weak)).mean())) < 0.05
    # Where the task may use alpha, its frequencies do not say what the gain is.
    f = frequencies(N, SFREQ)
    told = _gain(x, (f > 7) & (f < 14))
    assert not told.counted[(f > 7) & (f < 14)].any()
    assert abs(float((told.size(strong) - told.size(weak)).mean())) < 0.03


def test_frequencies_that_filters_took_away_do_not_say_the_gain() -> None:
    f = frequencies(N, SFREQ)
    x = in_frequency(((f > 1) & (f < 40)).astype(float))(background(8, 10, N, 0))
    counted = _gain(x).counted
    assert not counted[f > 41].any()
    assert counted[(f > 2) & (f < 39)].all()
    assert gain_part(x[..., :8], SFREQ) is None


def test_the_size_of_the_fast_part() -> None:
    assert fast_gain_part(64.0) is None
    part = fast_gain_part(SFREQ)
    assert part is not None
    f = frequencies(N, SFREQ)
    fast = in_frequency(((f >= 30) & ~line_of(f)).astype(float))
    x = background(6, 4, N, 0)
    louder = x + fast(x)
    got = part.swap(x, louder)
    assert np.abs(got - louder).max() < 1e-3 * np.abs(x).max()
    slow = in_frequency((f < 30).astype(float))
    assert np.abs(slow(got) - slow(x)).max() < 1e-10


# -- steps and repeated samples -----------------------------------------------------------------------


def test_steps_of_a_converter_are_carried_and_removed() -> None:
    part = ResolutionPart()
    x = background(6, 4, N, 0, power=2) * 3
    z = np.round((background(6, 4, N, 7, power=2) * 3) / 4) * 4
    assert part.size(z) == pytest.approx(4)
    assert not part.size(x).any()
    got = part.swap(x, z)
    assert np.abs(got / 4 - np.round(got / 4)).max() < 1e-9
    assert np.abs(got - x).max() <= 2 + 1e-9
    back = part.swap(z, x)
    assert not part.size(back).any()
    assert np.abs(back - z).max() <= 2
    assert np.abs(back - z).max() > 1
    # Steps of both: those of the other, whatever the own are.
    finer = np.round(x / 2) * 2
    assert part.size(part.swap(finer, z)) == pytest.approx(4)
    assert np.array_equal(part.swap(z, z), z)


def _flat(x: Floats, start: int, stop: int) -> Floats:
    out = x.copy()
    out[:, 1, start:stop] = out[:, 1, start - 1 : start]
    return out


def test_a_flat_stretch_is_carried_and_removed() -> None:
    part = RepeatsPart()
    x, flat = background(6, 4, N, 0), _flat(background(6, 4, N, 7), 100, 200)
    assert part.size(flat)[:, 1] == pytest.approx(100 / N)
    assert not part.size(x).any()
    got = part.swap(x, flat)
    assert np.array_equal(got, _flat(x, 100, 200))
    back = part.swap(flat, x)
    assert not part.size(back).any()
    # Outside of the stretch nothing changes; inside it is the other's course, without a step at its begin.
    outside = np.ones(N, bool)
    outside[100:200] = False
    assert np.array_equal(back[..., outside], flat[..., outside])
    assert np.abs(np.diff(back[:, 1, 99:200]) - np.diff(x[:, 1, 99:200])).max() < 1e-9


def test_clipping_is_carried_and_removed() -> None:
    part = RepeatsPart()
    slow = 40 * np.sin(2 * np.pi * 2 * TIMES)
    clean = background(6, 4, N, 0) * 0.2 + slow
    clipped = np.clip(background(6, 4, N, 7) * 0.2 + slow, -25, 25)
    assert part.size(clipped).min() > 0.2
    got = part.swap(clean, clipped)
    assert np.abs(part.size(got) - part.size(clipped)).max() < 0.02
    assert part.size(part.swap(clipped, clean)).max() < 0.02


def test_a_signal_that_was_recorded_slower_and_held() -> None:
    part = RepeatsPart()
    x = background(6, 4, N, 0)
    held = np.repeat(background(6, 4, N, 7)[..., ::2], 2, axis=-1)
    assert part.size(held) == pytest.approx(0.5, abs=0.01)
    got = part.swap(x, held)
    assert np.array_equal(got[..., 1::2], got[..., ::2])
    assert np.array_equal(got[..., ::2], x[..., ::2])
    assert part.size(part.swap(held, x)).max() < 0.02


# -- the reference, bridges, dead electrodes ----------------------------------------------------------


def _lacks(*kinds: Floats) -> ReferencePart:
    part = reference_part(np.concatenate(kinds))
    assert part is not None
    return part


def test_a_reference_is_carried_over_exactly_both_ways() -> None:
    x = field(CAP19, 8, 0)
    cz = CAP19.index("Cz")
    average = x - x.mean(1, keepdims=True)
    single = x - x[:, [cz]]
    part = _lacks(average, single)
    size = np.abs(x).max()
    other = np.roll(np.arange(8), 1)
    assert np.abs(part.swap(average, single[other]) - single).max() < 1e-9 * size
    assert np.abs(part.swap(single, average[other]) - average).max() < 1e-9 * size
    assert np.abs(part.swap(average, average[other]) - average).max() == 0


@pytest.mark.parametrize("channels", [19, 160])
def test_a_reference_is_one_on_caps_of_any_size(channels: int) -> None:
    x = noise(channels=channels, n=8 * channels)
    single, other = x - x[:, [3]], x - x[:, [7]]
    part = _lacks(single, other)
    assert np.abs(part.swap(single, other[::-1]) - other).max() < 1e-9 * np.abs(x).max()


def test_a_bridge_beside_a_reference() -> None:
    """Both are lacking at once: taking one out must not put the other back."""
    x = field(CAP19, 8, 0)
    bridged = x.copy()
    bridged[:, [2, 4]] = bridged[:, [2, 4]].mean(1, keepdims=True)
    average, single = bridged - bridged.mean(1, keepdims=True), x - x[:, [CAP19.index("Cz")]]
    part = _lacks(average, single, x)
    got = part.swap(single, average[::-1])
    assert np.abs(got[:, 2] - got[:, 4]).max() < 1e-9 * np.abs(x).max()
    assert np.abs(got.sum(1)).max() < 1e-8 * np.abs(x).max()
    assert np.abs(got - average).max() < 1e-9 * np.abs(x).max()


def test_a_bridge_is_carried_and_removed() -> None:
    x = field(CAP19, 8, 0)
    bridged = x.copy()
    bridged[:, [2, 4]] = bridged[:, [2, 4]].mean(1, keepdims=True)
    part = _lacks(x, bridged)
    other = np.roll(np.arange(8), 1)
    got = part.swap(x, bridged[other])
    assert np.abs(got - bridged).max() < 1e-9 * np.abs(x).max()
    back = part.swap(bridged, x[other])
    apart = back[:, 2] - back[:, 4]
    assert np.abs(apart - (x[other, 2] - x[other, 4])).max() < 1e-9 * np.abs(x).max()
    assert np.abs(back.sum(1) - bridged.sum(1)).max() < 1e-9 * np.abs(x).max()


def test_a_dead_electrode_is_carried_and_removed() -> None:
    x = field(CAP19, 8, 0)
    dead = x.copy()
    dead[:, 6] = 0
    part = _lacks(x, dead)
    other = np.roll(np.arange(8), 1)
    got = part.swap(x, dead[other])
    assert np.abs(got[:, 6]).max() < 1e-9 * np.abs(x).max()
    back = part.swap(dead, x[other])
    assert np.abs(back[:, 6] - x[other, 6]).max() < 1e-9 * np.abs(x).max()
    assert np.abs(back[:, :6] - dead[:, :6]).max() < 1e-9 * np.abs(x).max()


def test_short_windows_have_no_reference() -> None:
    assert reference_part(noise(n=40)) is None
    assert reference_part(noise(channels=2)) is None


# -- the order of electrodes --------------------------------------------------------------------------


def _order(cap: tuple[str, ...]) -> OrderPart:
    part = order_part(Electrodes(cap))
    assert part is not None
    return part


@pytest.mark.parametrize("cap", [CAP19, CAP32])
def test_electrodes_that_changed_places_or_sign(cap: tuple[str, ...]) -> None:
    x = field(cap, 12, 0)
    a, b, c = cap.index("F3"), cap.index("P4"), cap.index("C3")
    swapped = x.copy()
    swapped[:, [a, b]] = x[:, [b, a]]
    swapped[:, c] *= -1
    part, other = _order(cap), np.roll(np.arange(12), 1)
    assert not part.size(x).any()
    found = part.size(swapped)
    assert np.flatnonzero(found.all(0)).tolist() == sorted([a, b, len(cap) + c])
    assert found.sum() == 3 * 12
    assert np.array_equal(part.swap(x, swapped[other]), swapped)
    assert np.array_equal(part.swap(swapped, x[other]), x)


@pytest.mark.parametrize(("cap", "windows"), [(CAP19, 500), (CAP32, 500)])
def test_local_rhythms_are_not_out_of_order(cap: tuple[str, ...], windows: int) -> None:
    """Honest windows: smooth fields, and a strong rhythm of few electrodes in each."""
    x = field(cap, windows, 0, n=250)
    rng = np.random.default_rng(1)
    there = template_positions(cap)
    at = np.array([there[c] for c in cap])
    apart = np.linalg.norm(at[:, None] - at[None], axis=-1)
    t = np.arange(250) / SFREQ
    for i in range(windows):
        for _ in range(2):
            near = np.exp(-((apart[rng.integers(len(cap))] / 0.04) ** 2) / 2)
            rhythm = np.sin(2 * np.pi * rng.uniform(8, 20) * t + rng.uniform(0, 6)) * np.hanning(250)
            x[i] += 3 * x[i].std() * near[:, None] * rhythm
    assert _order(cap).size(x).any(1).mean() < 0.01


def test_an_order_needs_places() -> None:
    assert order_part(Electrodes(tuple(f"E{i}" for i in range(19)))) is None
    assert order_part(Electrodes(SMALL[:6])) is None
    assert order_part(Electrodes((*SMALL[:8], "X1", "X2", "X3", "X4"))) is None


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


def test_repeats_are_told_by_more_than_one_equal_pair() -> None:
    coarse = np.round(2 * background(6, 4, N, 0, power=1))
    equal = np.diff(coarse, axis=-1) == 0
    assert 0 < equal.mean() < 0.2
    runs = ndimage.binary_opening(equal, np.ones((1, 1, 3), bool)).mean()
    assert RepeatsPart().size(coarse).mean() == pytest.approx(runs, abs=0.01)
