"""Parts that no brain signal carries: gain, steps, repeated samples, reference, the order of electrodes."""

from __future__ import annotations

import numpy as np
import pytest
from fields import CAP19, CAP32, SFREQ, SMALL, TIMES, Floats, N, background, field, noise
from numpy.typing import NDArray
from scipy import ndimage

from onnxplain.eeg.electrodes.names import template_positions
from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.eeg.exchange.machine import GainPart, RepeatsPart, ResolutionPart, fast_gain_part, gain_part
from onnxplain.eeg.exchange.parts import (
    frequencies,
    in_frequency,
    line_of,
)
from onnxplain.eeg.exchange.relations import OrderPart, ReferencePart, order_part, reference_part

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


def test_repeats_are_told_by_more_than_one_equal_pair() -> None:
    coarse = np.round(2 * background(6, 4, N, 0, power=1))
    equal = np.diff(coarse, axis=-1) == 0
    assert 0 < equal.mean() < 0.2
    runs = ndimage.binary_opening(equal, np.ones((1, 1, 3), bool)).mean()
    assert RepeatsPart().size(coarse).mean() == pytest.approx(runs, abs=0.01)
