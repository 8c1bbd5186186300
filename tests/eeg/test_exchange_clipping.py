"""Amplitudes that are cut off: exchanged where they are, and nothing else is taken for it."""

from __future__ import annotations

import numpy as np
import pytest

from onnxplain.eeg.exchange.clipping import ClippingPart

PART = ClippingPart()


def noise(seed: int, n: int = 6) -> np.ndarray:
    """Windows with slow courses, 8 electrodes, 200 samples."""
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.normal(0, 1, (n, 8, 200)), axis=-1)
    return x - x.mean(-1, keepdims=True)


def test_a_window_is_cut_off_where_the_other_is() -> None:
    x, z = noise(0), noise(1)
    level = 5.0
    got = PART.swap(x, np.clip(z, -level, level))
    np.testing.assert_array_equal(got, np.clip(x, -level, level))


def test_windows_that_are_not_cut_off_stay() -> None:
    x, z = noise(2), noise(3)
    np.testing.assert_array_equal(PART.swap(x, z), x)
    assert not PART.size(x).any()


def test_what_is_beyond_is_put_back_in_part() -> None:
    x, z = noise(4), noise(5)
    level = 6.0
    cut = np.clip(x, -level, level)
    back = PART.swap(cut, z)
    beyond = np.abs(x) > level
    assert np.abs(back - x)[beyond].mean() < np.abs(cut - x)[beyond].mean()
    np.testing.assert_array_equal(back[~beyond], x[~beyond])
    assert np.isinf(PART._levels(back)).all()


def test_the_narrower_range_counts() -> None:
    x = np.clip(noise(6), -4, 4)
    z = np.clip(noise(7), -6, 6)
    np.testing.assert_array_equal(PART.swap(z, x), np.clip(z, -4, 4))
    assert np.abs(PART.swap(x, z)).max() <= 6


@pytest.mark.parametrize(
    "change",
    [
        lambda x: np.round(x / 0.1) * 0.1,  # an ordinary resolution
        lambda x: np.where(np.arange(8)[:, None] == 3, 0.0, x),  # a dead electrode
        lambda x: np.where(np.arange(8)[:, None] == 3, 12.0, x),  # a stuck one
        lambda x: x * np.linspace(0.5, 2, 6)[:, None, None],  # a gain
        lambda x: np.where((np.arange(200) > 80) & (np.arange(200) < 100), x[..., 80:81], x),  # a lost packet
        lambda x: np.tanh(x / 8) * 8,  # soft
    ],
)
def test_nothing_else_is_taken_for_it(change: object) -> None:
    x = change(noise(8))  # type: ignore[operator]
    found = np.isfinite(PART._levels(x))
    assert found.mean() <= 0.2
