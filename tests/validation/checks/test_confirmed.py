"""Confirmed: the smallest part that decides, found in one half of the windows and held to in the other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.eeg.exchange.search import Cell, Narrowing, places, some
from onnxplain.validation import smallest
from onnxplain.validation.case import Case
from onnxplain.validation.checks import confirmed

Floats = NDArray[np.float64]
CHANNELS, LENGTH = 11, 128
TIMES = np.arange(LENGTH) / 128


def sides(truth: Any) -> Floats:
    return np.asarray(2.0 * truth.side("hands") - 1)


def of(pattern: Floats, size: float) -> Any:
    """A recorder that adds a pattern with the sign of the class."""
    return lambda x, truth: x + size * sides(truth)[:, None, None] * pattern


def pattern(rows: list[int], course: Floats) -> Floats:
    out = np.zeros((CHANNELS, LENGTH))
    out[rows] = course
    return out


def reads(pattern: Floats) -> Floats:
    return np.asarray(pattern / (pattern**2).sum())


CENTRAL = ("C3", "C1", "Cz", "C2", "C4", "CP3", "CP1", "CPz", "CP2", "CP4")
EVERY = list(range(CHANNELS))
FIRST = pattern(EVERY, np.where(np.arange(LENGTH) < 3, 1.0, 0.0))
FAST = pattern([6], np.sin(2 * np.pi * 40 * TIMES))


def test_the_hand_areas_rhythm(honest: Case) -> None:
    (found,) = confirmed.check(honest)
    assert (found.status, found.role, found.why_not) == ("PASS", "method", None)
    name = honest.windows.channels[4]
    assert found.evidence["part"].startswith(f"alpha (8 to 13 Hz) of {name}")
    assert found.value > 0.6
    assert found.evidence["low"] > 0
    assert found.evidence["volume"] < 0.05
    assert found.evidence["map"].split(", ")[0] == name
    assert found.said.startswith(f"The decision goes with alpha (8 to 13 Hz) of {name}")
    assert "muscle" not in found.said


def test_the_eyes(shortcut: Case) -> None:
    (found,) = confirmed.check(shortcut)
    assert found.status == "PASS"
    names = {shortcut.windows.channels[i] for i in (2, 3)}
    assert set(found.evidence["map"].split(", ")[:2]) == names
    assert any(n in found.evidence["part"] for n in names)


@pytest.mark.parametrize(
    ("what", "size", "part"),
    [
        (pattern(EVERY, np.ones(LENGTH)), 15.0, "the offset"),
        (FIRST, 30.0, "the signal in the first 23 ms"),
    ],
)
def test_shortcuts_are_found_as_what_they_are(make_case: Any, what: Floats, size: float, part: str) -> None:
    (found,) = confirmed.check(make_case(reads(what), record=of(what, size)))
    assert (found.status, found.evidence["part"]) == ("PASS", part)
    assert found.value > 0.8


def test_fast_and_temporal_is_like_muscle(make_case: Any, known: str) -> None:
    case = make_case(reads(FAST), naming=known, record=of(FAST, 15.0))
    (found,) = confirmed.check(case)
    assert found.status == "PASS"
    assert found.evidence["part"] == f"the narrow line at 40.0 Hz of {case.windows.channels[6]}"
    assert found.said.endswith(": fast and temporal, which cannot be told from muscle.")


@pytest.mark.parametrize(("fast", "like"), [(True, True), (False, False)])
def test_a_set_of_electrodes_over_muscles_is_like_muscle(fast: bool, like: bool) -> None:
    """A set is told by its name, and has its electrodes all the same."""
    cap = Electrodes(("F7", "F8", "FT9", "FT10", "T7", "T8", *CENTRAL))
    (prone,) = [p for p in places(cap, range(6, 12)) if p.said == "muscle-prone electrodes"]
    band = Narrowing("a band", lambda x: x, 0.1, fast)
    case: Any = SimpleNamespace(windows=SimpleNamespace(channels=cap))
    assert confirmed._like_muscle(case, Cell(prone, band)) == like
    assert not confirmed._like_muscle(case, Cell(some(cap, [6, 7]), band))
    assert (
        confirmed._like_muscle(case, Cell(None, band)) == like
    )  # on any electrodes, on those over muscles too


def test_a_decision_that_needs_all_of_the_window(make_case: Any) -> None:
    """All of the window is no small part of it."""
    everything = np.random.default_rng(3).normal(0, 1, (CHANNELS, LENGTH))
    (found,) = confirmed.check(make_case(reads(everything), record=of(everything, 4.0)))
    assert found.evidence["volume"] == 1
    assert (found.status, found.why_not) == ("REPORTED", None)
    assert found.said.startswith("No small part of the signal was found that carries most of the decision: ")


def test_an_output_that_is_a_number(make_case: Any) -> None:
    (found,) = confirmed.check(make_case("eyes", outputs=1))
    assert found.status == "PASS"
    assert found.said.startswith("The output goes with ")
    assert "% of the way" in found.said


def test_what_is_found_in_one_half_is_held_to_in_the_other(honest: Case, monkeypatch: Any) -> None:
    drawn: list[set[int]] = []
    real = smallest._pairs
    honest.__dict__.pop("smallest", None)  # as another test has found it

    def noted(case: Case, rows: NDArray[np.int64], pairs: int) -> Any:
        made = real(case, rows, pairs)
        drawn.append({int(w) for w in np.concatenate([made.i, made.j, made.a, made.b])})
        return made

    monkeypatch.setattr(smallest, "_pairs", noted)
    confirmed.check(honest)
    seen, new = drawn
    assert seen
    assert new
    assert not seen & new
    assert [len(h) for h in honest.halves] == [32, 32]


def test_a_half_of_which_the_model_says_one_thing(make_case: Any, truth: Any) -> None:
    one = make_case("hands").halves[0]
    hands = np.isin(np.arange(64), one[:20]).astype(int)
    (found,) = confirmed.check(make_case("hands", truth=truth(hands=hands)))
    assert (found.status, found.why_not) == ("NOT EVALUABLE", "data")
    assert found.said.startswith("Too few windows of which the model says different things")


def test_what_can_decide_nothing(constant: Case) -> None:
    (found,) = confirmed.check(constant)
    assert (found.status, found.why_not, found.said) == ("NOT EVALUABLE", "model", "The output is constant.")
