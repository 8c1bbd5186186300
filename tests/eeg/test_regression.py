"""A model whose outputs are numbers with names and units: explained as they are, and held to labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from onnxplain import Explainer
from onnxplain.eeg.explanation.explained import restored, said_fit
from onnxplain.eeg.explanation.question import question_of
from onnxplain.eeg.reports.write import write
from onnxplain.eeg.run import explain_recording
from onnxplain.eeg.studies.cohort_result import Cohort, CohortRow
from onnxplain.eeg.studies.evaluate import evaluated
from onnxplain.eeg.studies.sample import sample
from onnxplain.engine.composite import composite
from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import InputError

Make = Callable[..., Path]
MakeContract = Callable[..., InputContract]
TARGETS = {"age": "years", "vigilance": None}
ONSETS = np.arange(9) * 2.0


@pytest.fixture
def contract(make_contract: MakeContract) -> InputContract:
    return make_contract(classes=(), targets=TARGETS)


@pytest.fixture
def model(make_model: Make, contract: InputContract) -> Path:
    return make_model(contract)


@pytest.fixture
def said(model: Path, make_raw: Callable[..., Any]) -> np.ndarray[Any, Any]:
    """What the model says of each window, (window, number)."""
    raw = make_raw(marks=[(t, 0.0, "w") for t in ONSETS])
    return np.asarray(explain_recording(model, raw, events="w", against="none").dataset["output"].values)


def labelled(make_raw: Callable[..., Any], numbers: np.ndarray[Any, Any]) -> Any:
    """The recording, with a number at each window's beginning."""
    return make_raw(marks=[(t, 0.0, f"w/{n:.6f}") for t, n in zip(ONSETS, numbers, strict=True)])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"targets": TARGETS}, "classes: a regression has none"),
        ({"task": "regression"}, "classes: a regression has none"),
        ({"classes": (), "targets": TARGETS, "task": "classification"}, "not beside task: classification"),
        ({"classes": (), "targets": TARGETS, "output_unit": "years"}, "not beside output_unit"),
    ],
)
def test_a_contract_says_one_thing(make_contract: MakeContract, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make_contract(**settings)


def test_units_and_names(make_contract: MakeContract) -> None:
    named = make_contract(classes=(), targets=TARGETS)
    assert (named.regresses, named.names) == (True, ("age", "vigilance"))
    assert [named.unit_of(i) for i in range(2)] == ["years", "vigilance"]
    assert make_contract(classes=(), output_unit="mmHg").unit_of(0) == "mmHg"
    bare = make_contract(classes=(), task="regression")
    assert (bare.regresses, bare.unit_of(0)) == (True, "output")
    assert not make_contract().regresses
    assert not make_contract(classes=()).regresses  # by the file's shape: two numbers are classes
    assert make_contract().unit_of() == "logit"


def test_a_number_is_explained_as_it_is(model: Path, recorded: Make, tmp_path: Path) -> None:
    """Not against the mean of the others, and no "predicted class" anywhere."""
    data = recorded()
    found = explain_recording(model, data, target="vigilance", against="none")
    kept = found.dataset["ledger"].sum("kind").values
    output = found.dataset["output"]
    np.testing.assert_allclose(found.relevance.sum((1, 2)) + kept, output.values[:, 1], rtol=1e-4)
    assert (output.dims, output["number"].values.tolist()) == (("epoch", "number"), ["age", "vigilance"])
    assert found.dataset["relevance"].attrs["units"] == "vigilance"
    assert found.summary()["contrast"] is None
    assert found.summary()["what"] == "vigilance"
    out = tmp_path / "out"
    out.mkdir()
    write(found, out)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "predicted class" not in page
    assert "logit" not in page
    with xr.open_dataset(out / "relevance.nc") as data_set:
        again = restored(data_set.load(), found.contract)
    assert again.unit == "vigilance"


def test_the_first_of_several_is_explained_with_a_line(model: Path, recorded: Make) -> None:
    found = explain_recording(model, recorded(), against="none")
    assert found.unit == "years"
    (note,) = (n for n in found.notes if "numbers" in n)
    assert note == "Of the model's 2 numbers age is explained; a target names another (vigilance)."
    assert not any("numbers" in n for n in explain_recording(model, recorded(), target="age").notes)


def test_windows_are_held_against_the_far_end_of_the_number_that_is_explained(
    model: Path, recorded: Make, said: np.ndarray[Any, Any]
) -> None:
    assert said[:, 0].argsort().tolist() != said[:, 1].argsort().tolist()
    for column, name in enumerate(TARGETS):
        found = explain_recording(model, recorded(), target=name, references=1)
        assert found.references is not None
        value = found.dataset["output"].values[:, column]
        held = np.searchsorted(found.windows.onsets, found.references.onsets[found.references.index[:, 0]])
        against = value[held]
        far = np.where(value < np.median(value), against > np.median(value), against < np.median(value))
        assert far.all()
        gap = found.dataset["explained"].values - (value - against)
        assert np.abs(gap).max() < 1e-5


@pytest.mark.parametrize(("column", "name"), list(enumerate(TARGETS)))
def test_labels_that_are_numbers(
    model: Path, make_raw: Callable[..., Any], said: np.ndarray[Any, Any], column: int, name: str
) -> None:
    off = np.where(np.arange(len(ONSETS)) % 2, 0.5, -0.5)
    found = explain_recording(model, labelled(make_raw, said[:, column] + off), events="w", target=name)
    fit = found.summary()["fit"]
    assert fit["mae"] == pytest.approx(0.5, abs=1e-3)
    assert fit["r"] == pytest.approx(np.corrcoef(said[:, column], said[:, column] + off)[0, 1], abs=1e-3)
    assert (fit["of"], fit["unit"]) == (len(ONSETS), TARGETS[name] or name)
    line = dict(found.lines())["fit"]
    assert line == f"r = {fit['r']:.2f}, mean absolute error 0.5 {TARGETS[name] or name}, of 9 windows"
    assert found.summary()["accuracy"] is None


def test_one_label_for_all_windows_has_no_correlation(
    model: Path, make_raw: Callable[..., Any], said: np.ndarray[Any, Any]
) -> None:
    found = explain_recording(model, labelled(make_raw, np.full(len(ONSETS), 40.0)), events="w", target="age")
    fit = found.summary()["fit"]
    assert fit["r"] is None
    assert fit["mae"] == pytest.approx(np.abs(said[:, 0] - 40).mean(), rel=1e-4)
    assert said_fit(fit).startswith("mean absolute error")


@pytest.mark.parametrize(
    ("target", "words"),
    [("height", "unknown target 'height'; known: 0 to 1 .age, vigilance."), (2, "out of range")],
)
def test_a_number_that_there_is_not(model: Path, recorded: Make, target: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        explain_recording(model, recorded(), target=target)


def test_numbers_without_names_go_by_their_place(make_contract: MakeContract) -> None:
    bare = make_contract(classes=(), task="regression")
    assert (question_of(bare, "1", "rest").target, question_of(bare, 1, "rest").contrast) == (1, None)
    assert question_of(bare, [1, 1, 1], None).column == 1
    for wrong in ("age", True, 1.5):
        with pytest.raises(InputError, match="names no numbers"):
            question_of(bare, wrong, None)
    with pytest.raises(InputError, match="one number is explained in all windows"):
        question_of(bare, [0, 1], None)


def test_a_number_that_an_unnamed_regression_does_not_have(
    make_contract: MakeContract, make_model: Make, recorded: Make
) -> None:
    """Whether it is asked for by a recording's windows, or by those that are evaluated."""
    model, data = make_model(make_contract(classes=(), task="regression")), recorded(seconds=40.0)
    with pytest.raises(InputError, match="target 5 is out of range; the model gives 2, from 0"):
        explain_recording(model, data, target=5)
    with pytest.raises(InputError, match="target 5 is out of range"):
        explain_recording(model, data, target=5, against="none")
    with pytest.raises(InputError, match="target 5 is out of range; the model gives 2, from 0"):
        _ = sample(model, data, target=5).setting.held


def test_an_explainer_knows_a_number_by_its_name(model: Path, contract: InputContract) -> None:
    x = np.random.default_rng(0).normal(size=(3, *contract.shape)).astype(np.float32)
    a = Explainer(model)(x, target="vigilance")
    np.testing.assert_allclose(a.explained, a.outputs["y"][:, 1])


def test_a_number_is_evaluated_in_its_unit(model: Path, recorded: Make) -> None:
    chosen = sample(model, recorded(seconds=40.0), target="vigilance")
    assert (chosen.unit, chosen.setting.contrast, chosen.setting.column) == ("vigilance", None, 1)
    assert chosen.setting.held is not None
    value = chosen.setting.explainer.predict({"x": chosen.setting.held.data})["y"][:, 1]
    for i, row in enumerate(chosen.setting.held.index):
        assert (value[row].mean() - np.median(value)) * (value[i] - np.median(value)) <= 0
    found = evaluated(chosen, methods=[composite("gradient")])
    assert found.summary()["unit"] == "vigilance"


def test_a_cohort_holds_subjects_to_their_labels() -> None:
    """Each recording has one label: what goes with it goes over subjects."""
    rows = [
        CohortRow(
            f"r{i}", f"s{i // 2}", "", 10, ("C3", "C4"), (0.5, 0.5),
            fit={"r": None, "mae": 2.0, "of": 10, "unit": "years", "said": age + 2.0, "labelled": age},
        )
        for i, age in enumerate([20.0, 20.0, 30.0, 30.0, 55.0, 55.0])
    ]  # fmt: skip
    fit = Cohort(tuple(rows), 0).summary()["fit"]
    assert (fit["subjects"], fit["r"], fit["mae"]) == (3, pytest.approx(1.0), 2.0)
    assert fit["by_subject"]["s1"] == {"said": 32.0, "labelled": 30.0}
    lines = dict(Cohort(tuple(rows), 0).lines())
    assert lines["fit"] == "r = 1.00, mean absolute error 2 years over 3 subjects"
