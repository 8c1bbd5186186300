"""References and bridges as recordings have them: found behind noise, and carried over."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.eeg.exchange.parts import shared_tone
from onnxplain.eeg.exchange.wiring import bridge_part, reference_electrode_part

Floats = NDArray[np.float64]
CAP = Electrodes(("Fp1", "Fp2", "F3", "F4", "C3", "Cz", "C4", "T7", "T8", "Pz", "O1", "O2"))
SFREQ, LENGTH, WINDOWS = 128.0, 256, 40
HALF = np.arange(WINDOWS) % 2 == 1


def brain(seed: int = 0) -> Floats:
    """Windows against a far reference: sources that several electrodes share, and each electrode's noise."""
    rng = np.random.default_rng(seed)
    f = np.fft.rfftfreq(LENGTH, 1 / SFREQ)
    spectrum = (rng.normal(size=(WINDOWS, 20, len(f), 2)) @ [1, 1j]) / np.maximum(f, 1.0)
    sources = np.fft.irfft(spectrum, LENGTH)
    mixing = rng.normal(size=(len(CAP), 20)) + 0.6
    x = np.einsum("cs,nst->nct", mixing, sources / sources.std())
    return np.asarray(4 * x + rng.normal(0, 0.5, x.shape))


def test_the_average_and_an_electrode_are_carried_over_both_ways() -> None:
    x = brain()
    average = x - x.mean(1, keepdims=True)
    cz = x - x[:, [CAP.index("Cz")]]
    noise = np.random.default_rng(1).normal(0, 0.3, x.shape)
    mixed = np.where(HALF[:, None, None], cz, average) + noise
    part = reference_electrode_part(mixed, CAP)
    assert part is not None
    to_cz, to_average = part.swap(mixed[~HALF], mixed[HALF]), part.swap(mixed[HALF], mixed[~HALF])
    for made, right in ((to_cz, cz[~HALF]), (to_average, average[HALF])):
        off = made - right
        assert off.std() < 0.1 * right.std()
    same = part.swap(mixed[HALF], mixed[HALF][::-1])
    assert np.array_equal(same, mixed[HALF])


def test_one_reference_for_all_is_no_part() -> None:
    x = brain()
    assert reference_electrode_part(x, CAP) is None
    assert reference_electrode_part(x - x.mean(1, keepdims=True), CAP) is None
    assert reference_electrode_part(x[:, :3], CAP[:3]) is None


def test_a_bridge_is_carried_over_both_ways() -> None:
    x = brain()
    a, b = CAP.index("F3"), CAP.index("C3")
    noise = np.random.default_rng(2).normal(0, 0.2, (WINDOWS, LENGTH))
    x[HALF, b] = x[HALF, a] + noise[HALF]
    part = bridge_part(x)
    assert part is not None
    assert part.pairs.tolist() == [sorted((a, b))]
    joined = part.swap(x[~HALF], x[HALF])
    assert np.array_equal(joined[:, a], joined[:, b])
    parted = part.swap(x[HALF], x[~HALF])
    assert (parted[:, a] - parted[:, b]).std() > 0.5 * (x[~HALF, a] - x[~HALF, b]).std()
    others = [i for i in range(len(CAP)) if i not in (a, b)]
    assert np.array_equal(joined[:, others], x[~HALF][:, others])


@pytest.mark.parametrize("seed", range(5))
def test_no_bridge_where_there_is_none(seed: int) -> None:
    assert bridge_part(brain(seed)) is None


def test_a_tone_that_all_electrodes_have() -> None:
    t = np.arange(LENGTH) / SFREQ
    hum = np.broadcast_to(np.sin(2 * np.pi * 16.5 * t), (WINDOWS, len(CAP), LENGTH))
    part = shared_tone(16.5, LENGTH, SFREQ)
    assert (part.project(np.array(hum)) - hum).std() < 0.25 * hum.std()  # its ends leak
    assert np.abs(part.project(np.array(hum) * np.where(np.arange(12) % 2, 1, -1)[:, None])).max() < 1e-9
