"""Relevance in long form: rows that sum to what they are of, of one recording and of a cohort's store."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from onnxplain.eeg.explanation import long_form
from onnxplain.eeg.recording.dataset import Item
from onnxplain.eeg.run import explain_recording
from onnxplain.eeg.studies.cohort import explain_cohort
from onnxplain.eeg.studies.cohort_table import write_table
from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import InputError

sys.path.insert(0, str(Path(__file__).parent))

from explanations import made

Make = Callable[..., Any]
MARKS = [(2.0 * i, 0.0, kind) for i, kind in enumerate(["left", "right", "left/agree", "right"])]


@pytest.fixture
def contract(make_contract: Callable[..., InputContract]) -> InputContract:
    return make_contract()


def test_rows_sum_to_the_relevance(
    contract: InputContract, make_model: Make, recorded: Make, tmp_path: Path
) -> None:
    found = explain_recording(make_model(contract), recorded(marks=MARKS), events="left,right")
    files = found.save(tmp_path / "out", report=False, csv=True)
    assert tmp_path / "out" / "relevance.csv" in files
    table = pandas.read_csv(tmp_path / "out" / "relevance.csv", keep_default_na=False)
    assert tuple(table.columns) == long_form.HEAD
    bands = found.dataset["bands"]
    assert len(table) == bands.size
    total = table.groupby(["window", "electrode"], sort=False)["relevance"].sum().to_numpy()
    np.testing.assert_allclose(total, found.relevance.sum(-1).ravel(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(table.groupby("window")["share"].sum(), 1.0)
    first = table[(table.window == 2) & (table.electrode == found.electrodes[1])]
    np.testing.assert_allclose(first["relevance"], bands[2, 1])
    assert first["band"].tolist() == bands["band"].values.tolist()
    assert set(first["label"]) == {"left/agree"}
    assert set(first["explained"]) <= set(contract.classes)
    assert set(table["recording"]) == {found.provenance["data"]["file"]}


def test_without_bands_there_is_a_row_for_each_electrode() -> None:
    relevance = np.zeros((2, 2, 10))
    relevance[0, 0], relevance[0, 1] = 0.3, -0.1
    e = made(("C3", "=C4"), relevance=relevance, onsets=[1.0, 2.0], target=np.array([0, 1]))
    found = list(long_form.rows(e.dataset, recording="a.edf"))
    assert [r[6:8] for r in found] == [("C3", "all"), ("=C4", "all")] * 2
    assert found[0][8:] == pytest.approx((3.0, 0.75))
    assert found[1][8:] == pytest.approx((-1.0, 0.25))
    assert found[2][8:] == (0.0, "")  # no relevance: no share, rather than 0
    assert [r[:6] for r in found[1:3]] == [
        ("", "a.edf", 0, 1.0, "", "left"),
        ("", "a.edf", 1, 2.0, "", "right"),
    ]


def test_a_store_has_the_same_rows(
    contract: InputContract, make_model: Make, recorded: Make, tmp_path: Path
) -> None:
    pytest.importorskip("zarr")
    model, path = make_model(contract), recorded(marks=MARKS)
    items = [Item(name, subject, path) for name, subject in (("one", "01"), ("two", "02"))]
    store = tmp_path / "store.zarr"
    explain_cohort(model, items, store, options={"events": "left,right"}, workers=1)
    with write_table(store, tmp_path / "all.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    found = explain_recording(model, path, events="left,right")
    found.save(tmp_path / "out", report=False, csv=True)
    with (tmp_path / "out" / "relevance.csv").open(encoding="utf-8", newline="") as file:
        own = list(csv.DictReader(file))
    assert [r["subject"] for r in table] == ["01"] * len(own) + ["02"] * len(own)
    assert {r["recording"] for r in table} == {"one", "two"}
    for row, alone in zip(table, own * 2, strict=True):
        assert all(row[k] == alone[k] for k in ("window", "onset", "label", "explained", "electrode", "band"))
        assert float(row["relevance"]) == pytest.approx(float(alone["relevance"]), rel=1e-5, abs=1e-9)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no explanation"):
        write_table(tmp_path / "empty", tmp_path / "none.csv")
