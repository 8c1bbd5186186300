"""Tables that are written: no cell of them is a formula, whatever files, electrodes and sides are called."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from onnxplain.eeg.explanation.to_mne import to_csv
from onnxplain.eeg.reports import write
from onnxplain.eeg.text import cell, write_csv
from onnxplain.eeg.views.components import ClassShare, ComponentClasses

sys.path.insert(0, str(Path(__file__).parent))

from explanations import made

ROOT = Path(__file__).parents[2]
FORMULAS = [
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", "\r=1+1", "=HYPERLINK(\"http://x\")",
    "-2+3+cmd|' /C calc'!A0", " =1+1", "\n@A1", "=", "-", "+", "\uff1d1+1", "-left",
]  # fmt: skip
NUMBERS = ["-3", "+2.5", "-1e-3", "1", "-.5", "-0", "-inf", " -3"]
TEXTS = ["C3", "a=b", "it's", "", "left-right", "'=1", "Fp1-A2", "1-2"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_text(text: str) -> None:
    assert cell(text) == "'" + text


@pytest.mark.parametrize("value", [*NUMBERS, *TEXTS, -3, -2.5, np.float64(-1.0), None, True])
def test_numbers_and_other_text_stay(value: object) -> None:
    assert cell(value) is value


def test_even_is_the_part_of_the_units_in_every_row(tmp_path: Path) -> None:
    """Of electrodes, of components, of frequencies; never of variance."""
    explained = made(("Fp1", "Fp2", "C3", "O1"), relevance=np.ones((2, 4, 50)))
    shares = tuple(
        ClassShare(name, 0.5, 0.0, 0.5, 1.0, n, n / 4, variance)
        for name, n, variance in (("brain", 3, 0.1), ("eye", 1, 0.9))
    )
    classes = ComponentClasses(xr.DataArray(np.ones((2, 2)), dims=("epoch", "class")), shares, ())
    write.write(replace(explained, views={"components": classes}), tmp_path, report=False)
    with (tmp_path / "shares.csv").open(encoding="utf-8") as file:
        rows = {(r["kind"], r["name"]): float(r["even"]) for r in csv.DictReader(file)}
    assert rows["component", "eye"] == 1 / 4
    assert rows["set", "frontal-ocular"] == 2 / 4
    for kind in ("region", "electrode", "component"):
        assert sum(even for (k, _), even in rows.items() if k == kind) == pytest.approx(1.0)


def _cells(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return [c for row in csv.reader(file) for c in row]


def is_formula(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text.lstrip(" \n")[:1] in "=+-@\t\r\uff1d\uff0b\uff0d\uff20" and text != ""
    return False


def test_columns_too(tmp_path: Path) -> None:
    path = write_csv(["name", *FORMULAS], [["x", *FORMULAS], ["-1", *range(-15, 0)]], tmp_path / "a.csv")
    cells = _cells(path)
    assert not [c for c in cells if is_formula(c)]
    assert "-1" in cells
    assert "-15" in cells


@pytest.mark.parametrize("kind", [to_csv, lambda e, p: write.write(e, p.parent, report=False)[2]])
def test_explanations(tmp_path: Path, kind: Callable[..., Any]) -> None:
    names = ["=1+1", "+2", "@SUM(A1)", "-left", "C3"]
    explained = made(names, relevance=np.random.default_rng(0).normal(size=(16, len(names), 50)))
    labels = [FORMULAS[i % len(FORMULAS)] for i in range(len(explained.windows))]
    explained = replace(explained, windows=replace(explained.windows, labels=tuple(labels)))
    cells = _cells(kind(explained, tmp_path / "a.csv"))
    assert not [c for c in cells if is_formula(c)]
    assert any(c.startswith("'=") for c in cells)


def test_there_is_one_way_to_write_a_table() -> None:
    """Or the next table would be one with formulas."""
    writers = [
        str(p.relative_to(ROOT))
        for folder in ("cli", "eeg", "engine", "exporters", "models", "validation")
        for p in sorted((ROOT / folder).rglob("*.py"))
        if any(
            word in p.read_text(encoding="utf-8")
            for word in ("csv.writer", "DictWriter", ".to_csv(", "savetxt")
        )
    ]
    assert writers == ["eeg/text.py"]
