"""The answer names what was planted, says so where nothing stands out, and what makes it doubtful."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from onnxplain.eeg.artefacts.glossary import EYES
from onnxplain.eeg.explanation.answer import NOT_ASKED
from onnxplain.eeg.explanation.answering import answer_of
from onnxplain.eeg.explanation.bands import bands
from onnxplain.eeg.explanation.explained import Explained
from onnxplain.eeg.explanation.standing_out import standing_out
from onnxplain.eeg.run import explain_recording
from onnxplain.eeg.views.artefact_parts import carried
from onnxplain.engine.contract import InputContract

sys.path.insert(0, str(Path(__file__).parent))

from explanations import made

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "models" / "demo"
NAMES = ("Fp1", "Fp2", "F7", "F8", "C3", "Cz", "C4", "P3", "Pz", "P4", "O1", "O2")
N, SAMPLES = 40, 200  # windows, samples at 100 Hz


def white(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(N, len(NAMES), SAMPLES))


def with_outputs(e: Explained, output: np.ndarray, labels: tuple[str | None, ...]) -> Explained:
    data = e.dataset.assign(output=(("epoch", "class"), output))
    return replace(e, dataset=data, windows=replace(e.windows, labels=labels))


def test_planted_electrode_moment_and_band_are_named() -> None:
    t = np.arange(SAMPLES) / 100
    signal = 0.1 * white()
    multiplier = 0.1 * white(1)
    rhythm = np.sin(2 * np.pi * 10 * t) * np.exp(-0.5 * ((t - 1.3) / 0.15) ** 2)
    signal[:, NAMES.index("C3")] += 5 * rhythm
    multiplier[:, NAMES.index("C3")] += rhythm
    signal[:, NAMES.index("Pz")] += 2 * rhythm
    multiplier[:, NAMES.index("Pz")] -= 0.5 * rhythm
    e = made(NAMES, signal=signal, multiplier=multiplier, target=np.zeros(N, dtype=int))
    e = replace(e, dataset=e.dataset.assign(bands=bands(e)))
    found = answer_of(e)
    assert found.where is not None
    assert found.when is not None
    assert found.band is not None
    assert found.where.electrodes == ("C3",)
    assert found.where.stands_out
    assert found.where.even == pytest.approx(1 / len(NAMES))
    assert found.where.share > 0.5
    assert found.when.peak == pytest.approx(1.3, abs=0.05)
    assert found.when.start < 1.3 < found.when.stop
    assert found.when.stands_out
    assert not found.when.from_event
    assert found.band.name == "alpha/mu"
    assert found.band.stands_out
    (one,) = found.classes
    assert one.name == "left"
    assert [*one.for_] == ["C3"]
    assert [*one.against] == ["Pz"]
    assert one.against["Pz"] == pytest.approx(e.relevance[:, NAMES.index("Pz")].sum(-1).mean())
    said = found.sentences()
    assert said[0].startswith("C3: ")
    assert "on 8 % of the electrodes" in said[0]
    assert NOT_ASKED in said
    assert found.summary()["said"] == said


def test_nothing_stands_out_of_noise() -> None:
    alarms = 0
    for seed in range(20):
        found = answer_of(made(NAMES, relevance=white(seed)))
        alarms += not found.nothing
        if found.nothing:
            assert found.sentences()[0].startswith("Nothing stands out")
            assert "No electrode stands out" in found.sentences()[1]
    assert alarms <= 1


def test_one_wild_window_does_not_make_an_electrode_stand_out() -> None:
    """Every window has an electrode of its own with most: the largest is large, and chance gives as much."""
    rng = np.random.default_rng(0)
    units = 0.05 * rng.normal(size=(12, 12))
    units[np.arange(12), rng.integers(0, 12, 12)] = 5.0
    found = standing_out(units)
    assert found is not None
    assert found.share > 2 * found.even  # by its size alone it would
    assert found.p is not None
    assert found.p > 0.05
    assert not found.enough


def test_what_is_consistent_and_small_does_not_stand_out() -> None:
    units = np.abs(np.random.default_rng(0).normal(1, 0.05, size=(200, 12)))
    units[:, 4] *= 1.2
    found = standing_out(units)
    assert found is not None
    assert found.p is not None
    assert found.p <= 0.05
    assert not found.enough


def test_false_alarms_over_time_are_rare() -> None:
    """Smooth courses that have nothing in common: the shifts keep how smooth they are."""
    rng = np.random.default_rng(3)
    p = []
    for _ in range(40):
        slow = np.exp(-0.5 * (np.fft.rfftfreq(100) / 0.04) ** 2)
        course = np.fft.irfft(np.fft.rfft(rng.normal(size=(20, 100))) * slow, 100)
        found = standing_out(course, chance="shifted")
        assert found is not None
        assert found.p is not None
        p.append(found.p)
    assert sum(q <= 0.05 for q in p) <= 6


def test_latencies_count_from_the_event() -> None:
    relevance = 0.01 * white()
    relevance[:, NAMES.index("Pz"), 50:60] += 1
    e = made(NAMES, relevance=relevance)
    e = replace(e, windows=replace(e.windows, tmin=-0.2))
    found = answer_of(e).when
    assert found is not None
    assert found.from_event
    assert found.peak == pytest.approx(0.345, abs=0.03)
    assert "s from the event" in found.said()


def test_accuracy_and_what_reached_the_signal() -> None:
    e = made(NAMES, relevance=np.abs(white()), signal=20 * white(2), target=np.zeros(N, dtype=int))
    e = replace(e, dataset=e.dataset.assign(explained=e.dataset["explained"] * 2))
    output = np.tile([1.0, 0.0], (N, 1))
    output[: N // 2] = [0.0, 1.0]
    labels = ("left", "right") * (N // 2)
    found = answer_of(with_outputs(e, output, labels))
    assert found.right is not None
    assert found.right["correct"] == N // 2
    assert found.right["low"] < 0.5 < found.right["high"]
    assert found.reached == pytest.approx(0.5)
    said = " ".join(found.sentences())
    assert "no better than that" in said
    assert "50 % of what was explained reached the signal" in said
    assert not found.notes


# -- what makes it doubtful ----------------------------------------------------------------------------


def outputs(same: bool = False) -> np.ndarray:
    y = np.tile([1.0, 0.0], (N, 1))
    if not same:
        y[::2] = [0.0, 1.0]
    return y


def test_labels_that_are_no_class() -> None:
    e = made(NAMES, relevance=white(), signal=20 * white(2), target=np.zeros(N, dtype=int))
    few = answer_of(with_outputs(e, outputs(), ("left", "rest") * (N // 2)))
    (note,) = few.notes
    assert note == (
        "20 windows labelled rest: no class of the model (left, right), so accuracy counts the other 20 "
        "windows."
    )
    assert few.right is not None
    assert few.right["of"] == 20
    none = answer_of(with_outputs(e, outputs(), ("go", "rest") * (N // 2)))
    assert "there is no accuracy" in none.notes[0]
    assert none.right is None


def test_one_class_throughout_and_outputs_that_do_not_change() -> None:
    e = made(NAMES, relevance=white(), signal=20 * white(2), target=np.zeros(N, dtype=int))
    labels = ("left", "right") * (N // 2)
    rng = np.random.default_rng(0)
    one = outputs(same=True) + rng.uniform(0, 0.1, (N, 2))
    (note,) = answer_of(with_outputs(e, one, labels)).notes
    assert "predicts left in all 40 windows" in note
    (note,) = answer_of(with_outputs(e, outputs(same=True), labels)).notes
    assert "output is the same in all 40 windows" in note
    assert not answer_of(with_outputs(e, outputs(), labels)).notes


def test_an_implausible_amplitude_and_an_interpolated_electrode_that_leads() -> None:
    relevance = 0.01 * white()
    relevance[:, NAMES.index("Pz")] += 1
    e = made(NAMES, relevance=relevance, signal=20 * white(2))
    assert not answer_of(e).notes
    quiet = replace(e, windows=replace(e.windows, signal=(0.02 * e.windows.signal)))
    (note,) = answer_of(quiet).notes
    assert "typical size is 0.398 uV" in note
    holed = replace(e, windows=replace(e.windows, interpolated=("Pz", "O1")))
    (note,) = answer_of(holed).notes
    assert note.startswith("Pz is among the electrodes with most relevance and was not recorded")
    assert not answer_of(replace(e, windows=replace(e.windows, interpolated=("O1",)))).notes


def test_an_answer_about_a_number_has_no_word_of_classes() -> None:
    relevance = 0.01 * white()
    relevance[:, NAMES.index("Pz")] += 1
    relevance[:, NAMES.index("O1")] -= 0.5
    e = made(NAMES, relevance=relevance)
    contract = InputContract(
        input="x",
        channels=NAMES,
        sfreq=100.0,
        window=SAMPLES,
        task="regression",
        targets={"arousal": "points"},
    )
    found = answer_of(replace(e, contract=contract, unit="points", provenance={"target": 0}))
    said = " ".join(found.sentences())
    assert "raised by Pz" in said
    assert "lowered by O1" in said
    assert "class" not in said


# -- artefacts' parts ----------------------------------------------------------------------------------


def blinking(seed: int = 0) -> np.ndarray:
    """Windows of 2 s at 100 Hz with blinks on the front electrodes."""
    rng = np.random.default_rng(seed)
    t = np.arange(SAMPLES) / 100
    x = 5 * rng.normal(size=(N, len(NAMES), SAMPLES))
    lid = np.stack([120 * np.exp(-0.5 * ((t - rng.uniform(0.4, 1.6)) / 0.08) ** 2) for _ in range(N)])
    x[:, :2] += lid[:, None]
    x[:, 2:4] += 0.4 * lid[:, None]
    return x


def test_the_eyes_part_carries_what_reads_the_eyes() -> None:
    signal = blinking()
    on = np.zeros((N, len(NAMES), SAMPLES))
    on[:, :2] = 1
    reads = carried(made(NAMES, signal=signal, multiplier=on))
    assert reads.carried["eyes"] == pytest.approx(1, abs=0.15)
    assert reads.said().startswith("The eyes' part carries ")
    signal[:, 4] += 50
    brain = np.zeros((N, len(NAMES), SAMPLES))
    brain[:, 4] = 1
    other = carried(made(NAMES, signal=signal, multiplier=brain))
    assert abs(other.carried["eyes"]) < 0.1
    # Without a channel of it the search for a heart takes as long as the explanation.
    assert other.unasked == ("heart",)
    assert other.said().endswith("not looked for: heart.")
    beside = carried(made((*NAMES[:-1], "ECG"), signal=signal, multiplier=brain))
    assert "heart" in beside.missing or "heart" in beside.carried
    assert beside.unasked == ()


def test_a_part_is_never_a_part_of_nothing() -> None:
    signal = blinking()
    sign = np.where(np.arange(N) % 2, 1.0, -1.0)[:, None, None] * np.ones((1, len(NAMES), SAMPLES))
    found = carried(made(NAMES, signal=signal, multiplier=sign / signal))
    assert all(np.isnan(v) for v in found.carried.values())
    assert found.said() == ""


# -- the demonstration's models ------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "electrodes"), [("honest", {"C3", "C4"}), ("shortcut", {"F7", "F8"})])
def test_the_demos_models(model: str, electrodes: set[str]) -> None:
    e = explain_recording(
        MODELS / f"{model}.onnx", MODELS / "recording.edf", events="left,right", references=2
    )
    found = e.answer
    assert found.where is not None
    assert set(found.where.electrodes) == electrodes
    assert found.where.stands_out
    lines = dict(e.lines())
    assert lines["where"] == found.where.said()
    summary: dict[str, Any] = e.summary()
    assert summary["answer"]["said"][0] == found.where.said()
    eyes = summary["artefacts"]["carried"]["eyes"]
    assert (eyes > 0.8) if model == "shortcut" else (abs(eyes) < 0.1)
    assert f"{round(100 * eyes)} %" in lines["artefacts"]
    assert isinstance(e.dataset, xr.Dataset)


def test_the_documentation_has_the_words_of_the_glossary() -> None:
    text = " ".join((ROOT / "docs" / "eeg.md").read_text(encoding="utf-8").split())
    for name, meaning in EYES.items():
        assert name in text
        assert " ".join(meaning.split()) in text
