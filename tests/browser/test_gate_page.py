"""report.html of the gate in headless Chromium, on a desk and on a telephone: many subjects, long names."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np
import pytest
from web import opened

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from results import CONFIRMED, DECLARED, GOOD, follows, made

from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.eeg.reports.links import Link
from onnxplain.validation import outputs
from onnxplain.validation.report import write_report
from onnxplain.validation.shown import Example, Shown, Went
from onnxplain.validation.verdict import Verdict, decide

NAMES = ("Fp1", "Fp2", "F7", "F8", "C3", "Cz", "C4", "Pz", "O1", "O2", "T7", "T8")
TIMES = np.arange(256) / 128
SCREENS = {"wide": 1000, "narrow": 844}


def verdict() -> Verdict:
    """One that fails, of fourteen subjects and three classes."""
    subjects = [
        {"subject": f"sub-{i:02d}_ses-longitudinal_run-01", "windows": 40, "right": 20 + i,
         "accuracy": 0.5 + i / 40, "low": 0.4, "high": 0.9, "enough": i < 12}
        for i in range(14)
    ]  # fmt: skip
    results = [
        *GOOD, CONFIRMED, follows("gain", "FAIL", 0.9, "machine"), follows("alpha", "REPORTED", 0.4),
        made("task.subjects", "task", "REPORTED", subjects=subjects),
    ]  # fmt: skip
    wave = np.sin(2 * np.pi * 10 * TIMES)
    went = tuple(Went(f"a class of a long name, {k}", 33, 0.6, 0.3) for k in range(3))
    example = Example("F7", TIMES, 20 * wave, -30 * wave, -10 * wave, ("left", "right", "right"))
    share = np.array([0.05, 0.05, 0.3, 0.2, *[0.05] * 8])
    shown = Shown("the offset of F7 and F8", Electrodes(NAMES), share, (2, 3), True, example, went)
    return replace(decide(results, {}, DECLARED), shown=shown)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Chromium sees of the page."""
    folder = tmp_path_factory.mktemp("run")
    for name in ("gate", "an explanation"):
        (folder / name).mkdir()
    (folder / "an explanation" / "report.html").write_text("<p>", encoding="utf-8")
    outputs.write(verdict(), folder / "gate")
    links = [Link("../an%20explanation/report.html", "explanation")]
    return opened(write_report(verdict(), folder / "gate" / "report.html", links=links), folder, "report")


def test_it_loads_nothing_and_says_no_error(seen: dict[str, Any]) -> None:
    assert seen["problems"] == []
    assert {u for u in seen["requests"] if not u.startswith(("file:", "data:"))} == set()


@pytest.mark.parametrize("name", ["wide", "narrow"])
def test_the_page_does_not_scroll_sideways(seen: dict[str, Any], name: str) -> None:
    inner, outer = seen["wide"][name]
    assert inner <= outer
    assert seen["out"][name] == []


@pytest.mark.parametrize("name", ["wide", "narrow"])
def test_a_picture_is_in_the_first_screen(seen: dict[str, Any], name: str) -> None:
    pictures = seen["pictures"][name]
    assert [p["alt"] for p in pictures] == [
        "What was exchanged", "Where decisions went", "The map of the difference",
    ]  # fmt: skip
    assert all(p["right"] <= seen["wide"][name][1] for p in pictures)
    whole = [p for p in pictures if p["bottom"] < SCREENS[name]]
    assert len(whole) == (3 if name == "wide" else 1)


def test_links_are_relative_and_lead_somewhere(seen: dict[str, Any]) -> None:
    assert len(seen["links"]) == 5
    for given, whole in seen["links"]:
        assert not urlparse(given).scheme
        assert not given.startswith("/")
        assert Path(unquote(urlparse(whole).path)).is_file(), given


@pytest.mark.parametrize("name", ["wide", "narrow"])
def test_axe_finds_nothing_serious(seen: dict[str, Any], name: str) -> None:
    assert [v for v in seen["axe"][name] if v[0] in ("serious", "critical")] == []


@pytest.mark.parametrize("name", ["wide", "narrow"])
def test_the_words_of_a_check_are_on_the_screen(seen: dict[str, Any], name: str) -> None:
    """No table of checks has to be scrolled, and no column is a letter wide."""
    cells = seen["cells"][name]
    assert len(cells) == 8 * 5
    width = seen["wide"][name][1]
    assert all(cell["left"] >= 0 and cell["right"] <= width for cell in cells)
    assert all(cell["right"] - cell["left"] > 60 for cell in cells if len(cell["text"]) > 5)
    assert [cell for cell in cells if cell["text"] == "REPORTED" and cell["lines"] > 1] == []
