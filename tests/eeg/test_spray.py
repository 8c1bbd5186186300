"""SpRAy: two strategies are found as two, one as one, and whose they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxplain.eeg.run import explain_recording
from onnxplain.eeg.views.clusters import EXAMPLES, artefact_scores, maps_of, spray
from onnxplain.engine.errors import InputError
from onnxplain.models import demo_file


def maps(sizes: tuple[int, ...], seed: int = 0, noise: float = 0.15) -> tuple[np.ndarray, np.ndarray]:
    """Maps of ten electrodes: each strategy looks at electrodes of its own; and which one a map is of."""
    rng = np.random.default_rng(seed)
    which = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    x = noise * rng.normal(size=(len(which), 10))
    for i, k in enumerate(which):
        x[i, 3 * k : 3 * k + 2] += rng.uniform(0.5, 5)  # strength does not count
    return x, which


@pytest.mark.parametrize("seed", range(5))
def test_strategies_are_found(seed: int) -> None:
    x, which = maps((60, 25), seed)
    rng = np.random.default_rng(seed)
    blink = (which == 1) + 0.2 * rng.normal(size=85)
    found = spray(x, classes=which % 2, groups=np.arange(85) % 5, artefacts={"blink": blink}, seed=seed)
    assert len(found.strategies) == 2
    for k, strategy in enumerate(found.strategies):
        assert set(strategy.windows) == set(np.flatnonzero(which == k).tolist())
        assert strategy.class_purity == 1.0
        assert (strategy.group_purity or 0) < 0.5
        assert len(strategy.examples) == EXAMPLES
        assert set(np.argsort(-strategy.map)[:2]) == {3 * k, 3 * k + 1}
    assert found.strategies[0].share == pytest.approx(60 / 85)
    assert found.strategies[1].artefacts["blink"] > 0.8
    assert found.strategies[0].artefacts["blink"] < -0.8
    assert "2 strategies" in found.text
    assert np.array_equal(spray(x, seed=seed).label, found.label)


@pytest.mark.parametrize("seed", range(5))
def test_one_strategy_is_one(seed: int) -> None:
    found = spray(maps((80,), seed)[0])
    assert len(found.strategies) == 1
    assert "One strategy" in found.text
    assert found.strategies[0].share == 1.0


def test_three_and_none() -> None:
    assert len(spray(maps((40, 30, 25))[0]).strategies) == 3
    assert len(spray(np.ones((30, 5))).strategies) == 1
    assert len(spray(np.zeros((30, 5))).strategies) == 1
    with pytest.raises(InputError, match="20 are needed"):
        spray(np.ones((19, 5)))
    with pytest.raises(InputError, match="3 values of classes"):
        spray(np.ones((30, 5)), classes=[1, 2, 3])
    broken = maps((40,))[0]
    broken[3, 3] = np.nan
    with pytest.raises(InputError, match="finite"):
        spray(broken)


def test_the_demo_model(demo_cap: Any) -> None:
    e = explain_recording(
        demo_file("shortcut.onnx"), demo_cap.recording, contract=demo_cap.contract, events="left,right"
    )
    scores = artefact_scores(e.windows)
    assert set(scores) == {"blink", "saccade", "muscle"}
    assert all(len(s) == len(e.windows) for s in scores.values())
    blinked = [("blink" in (m or "")) for m in e.windows.labels]
    assert not any(blinked)  # labels are those of trials
    found = spray(maps_of(e), classes=e.dataset["target"].values, artefacts=scores)
    assert sum(s.share for s in found.strategies) == pytest.approx(1)
    assert maps_of(e, by_band=True).shape == (64, 27, 6)
