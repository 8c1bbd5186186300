"""Invariance: how many decisions change when the same is recorded otherwise. It is told, and never counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.eeg.exchange.invariance import Altered, alterations, altered, said_of
from onnxplain.validation import Policy
from onnxplain.validation.case import Case
from onnxplain.validation.checks import invariance
from onnxplain.validation.result import CheckResult
from onnxplain.validation.verdict import decide

NAMES = ("Fp1", "Fp2", "F7", "F8", "C3", "Cz", "C4", "Pz", "O1", "O2")


def moved(run: Any, names: tuple[str, ...] = NAMES, **more: Any) -> dict[str, float]:
    """What alterations do to a model of 60 windows of half a second."""
    x = np.random.default_rng(0).normal(0, 10, (60, len(names), 80))
    found = altered(x, run(x), run, alterations(80, 160.0, Electrodes(names), (3, 8), 5, **more))
    assert [a.moved for a in found] == sorted((a.moved for a in found), reverse=True)
    return {a.name: a.moved for a in found}


def two(score: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.stack([-score, score], axis=1)


def test_a_model_that_reads_an_offset() -> None:
    found = moved(lambda x: two(x[:, 8].mean(-1) - 5))
    assert found["offset +20 O1"] > 0.9
    assert found["offset +20"] > 0.9
    assert found["offset +20 F8"] == found["first"] == 0.0
    assert found["gain 1.25"] < 0.1


def test_a_model_that_reads_the_first_milliseconds_the_mains_or_a_drift() -> None:
    t = np.arange(80) / 160
    assert moved(lambda x: two(x[:, 0, :3].mean(-1)))["first"] > 0.2
    hears = moved(lambda x: two(np.abs((x[:, 0] * np.exp(2j * np.pi * 50 * t)).mean(-1)) - 3))
    assert next(iter(hears)) == "mains 50"
    assert hears["mains 60"] == 0.0
    slope = moved(lambda x: two((x[:, 0] * np.linspace(-1, 1, 80)).mean(-1) - 2))
    assert next(iter(slope)) == "drift"


def test_an_interpolated_electrode_and_a_reference() -> None:
    found = moved(lambda x: two(x[:, 8, 40:].mean(-1)))
    assert found["interpolated O1"] > 0.2
    assert found["interpolated F8"] == 0.0
    assert found["reference Cz"] > 0.2
    assert "average" in found
    nowhere = moved(lambda x: two(x[:, 8, 40:].mean(-1)), tuple(f"E{i}" for i in range(10)))
    assert not any(name.startswith("interpolated") for name in nowhere)


def test_numbers_move_in_units_of_their_spread() -> None:
    found = moved(lambda x: x[:, :1].mean(-1))
    assert found["offset +20"] == pytest.approx(found["offset -20"])
    assert found["offset +20"] > 5


def test_what_windows_have_already_is_no_alteration() -> None:
    x = np.random.default_rng(0).normal(0, 10, (20, len(NAMES), 80))
    x -= x.mean(1, keepdims=True)
    run = lambda x: two(x[:, 0].mean(-1))  # noqa: E731
    names = [a.name for a in altered(x, run(x), run, alterations(80, 160.0, Electrodes(NAMES)))]
    assert "average" not in names
    assert "mains 50" in names
    assert "mains 50" not in [a.name for a in alterations(80, 90.0, Electrodes(NAMES))]


@pytest.mark.parametrize("outputs", [2, 1])
def test_a_case(make_case: Any, outputs: int) -> None:
    (found,) = invariance.check(make_case("O1", outputs=outputs))
    assert (found.check, found.role, found.status) == ("invariance", "data", "REPORTED")
    assert "most under" in found.said
    table = found.evidence["table"]
    assert table[0]["moved"] == found.value
    assert {"gain 0.8", "drift", "first", "average", "mains 50"} <= {line["name"] for line in table}


def test_nothing_counts(make_case: Any, constant: Case) -> None:
    (none,) = invariance.check(constant)
    assert (none.status, none.role, none.why_not) == ("NOT EVALUABLE", "data", "model")
    rest = [CheckResult("follows.gain", "follows", "PASS", "Nothing.", 0.0, 0.5, evidence={"follows": 0.0})]
    for one in (none, *invariance.check(make_case("O1"))):
        with_it, without = (decide(r, {}, Policy(version=1)) for r in ([*rest, one], rest))
        assert (with_it.status, with_it.reasons) == (without.status, without.reasons)
        assert with_it.notes == without.notes


def test_sentences() -> None:
    still = [Altered("first", "the first 20 ms held at what follows", 0.0)]
    assert said_of(still, of_classes=True).startswith("No decision changes")
    assert said_of(still, of_classes=False).startswith("Outputs move under none")
    drift = [Altered("drift", "a drift of 50 uV over the window", 0.34), *still]
    assert said_of(drift, of_classes=True).endswith("under a drift of 50 uV over the window: 34% of them.")
    assert said_of(drift, of_classes=False).endswith("by 0.34 of their standard deviation.")
