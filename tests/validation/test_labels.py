"""What a part says of the labels: much where it is a cue, nothing where it is noise to the model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from onnxplain.eeg.exchange.parts import LinearPart
from onnxplain.validation.labels import by_label

SECOND = LinearPart(
    "second", "the second electrode", "electrode", lambda x: x * np.array([0.0, 1.0])[:, None]
)


def case(cue: float, n: int = 120, classes: int = 2, seed: int = 0) -> Any:
    """Two electrodes: the first has the task's signal, the second a cue of a size and noise; both decide."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % classes)
    x = rng.normal(0, 1, (n, 2, classes))
    x[np.arange(n), 0, labels] += 1.6
    x[np.arange(n), 1, labels] += cue

    def run(signal: np.ndarray) -> np.ndarray:
        return np.asarray(signal.sum(1))

    outputs = run(x)
    return SimpleNamespace(
        signal=x, outputs=outputs, run=run, labels=labels, has_classes=True, groups=("a",) * n,
        seeded=lambda what: np.random.default_rng(abs(hash(what)) % 1000),
    )  # fmt: skip


@pytest.mark.parametrize("classes", [2, 3])
def test_a_cue_says_the_label(classes: int) -> None:
    found = by_label(case(2.0, classes=classes), SECOND)
    assert found is not None
    assert found.low > 0.1


@pytest.mark.parametrize("classes", [2, 3])
def test_noise_says_nothing(classes: int) -> None:
    """It changes many decisions all the same."""
    found = [by_label(case(0.0, classes=classes, seed=seed), SECOND) for seed in range(6)]
    assert all(f is not None and f.disturbed > 0.05 for f in found)
    assert sum(f.low <= 0 <= f.high for f in found if f is not None) >= 5
    assert abs(np.mean([f.followed - f.disturbed for f in found if f is not None])) < 0.08


def test_without_labels_nothing_is_said() -> None:
    one = case(1.0)
    one.labels = np.full(120, -1)
    assert by_label(one, SECOND) is None
    one.labels = np.zeros(120, int)
    assert by_label(one, SECOND) is None


def test_some_labels_are_enough() -> None:
    one = case(2.0)
    one.labels[:40] = -1
    found = by_label(one, SECOND)
    assert found is not None
    assert found.low > 0
