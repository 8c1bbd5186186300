"""report.html of the demo's shortcut model in headless Chromium, on a desk and on a telephone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape
from web import colours, opened

from onnxplain.models import demo_file

SCREEN = 844  # pixels of a telephone's height


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures and what was seen lie."""
    return tmp_path_factory.mktemp("seen")


@pytest.fixture(scope="module")
def seen(folder: Path) -> dict[str, Any]:
    """What Chromium sees of the report."""
    out = folder / "out"
    command = ["explain", demo_file("shortcut.onnx"), demo_file("recording.edf"), "--out", out]
    options = ["--components", "--baselines", "--quiet", "--time-limit", "inf"]
    run = [sys.executable, "-m", "onnxplain", *map(str, command), *options]
    subprocess.run(run, check=True, timeout=900)
    return opened(out / "report.html", folder, "report")


def test_it_loads_nothing_and_says_no_error(seen: dict[str, Any]) -> None:
    assert seen["problems"] == []
    assert any(u.endswith("report.html") for u in seen["requests"])
    assert {u for u in seen["requests"] if not u.startswith(("file:", "data:"))} == set()


@pytest.mark.parametrize("name", ["wide", "narrow"])
def test_the_page_does_not_scroll_sideways(seen: dict[str, Any], name: str) -> None:
    inner, outer = seen["wide"][name]
    assert outer == {"wide": 1280, "narrow": 390}[name]
    assert inner <= outer
    assert seen["out"][name] == []  # nor is anything cut off: wide tables scroll in boxes of their own


def test_the_answer_comes_first(seen: dict[str, Any]) -> None:
    for (heading, under), (sentence, end) in seen["said"].values():
        assert heading
        assert 0 < under < SCREEN
        assert sentence.endswith(".")
        assert len(sentence) > 40
        assert under < end < SCREEN


def test_no_sentence_of_the_answer_is_cut(seen: dict[str, Any], folder: Path) -> None:
    assert seen["said"]
    answer = json.loads((folder / "out" / "summary.json").read_text(encoding="utf-8"))["answer"]
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert len(" ".join(answer["trust"])) > 400  # longer than what is printed of one value
    assert [s for s in answer["said"] if escape(s) not in page] == []


@pytest.mark.parametrize("name", ["wide", "narrow"])
def test_figures_are_loaded_and_named(seen: dict[str, Any], name: str) -> None:
    images = seen["images"][name]
    assert len(images) >= 4
    assert all(alt.strip() and width > 0 for alt, width in images)


@pytest.mark.parametrize("name", ["wide", "narrow"])
def test_axe_finds_nothing_serious(seen: dict[str, Any], name: str) -> None:
    assert [v for v in seen["axe"][name] if v[0] in ("serious", "critical")] == []


@pytest.mark.parametrize("name", ["wide", "narrow", "wide-whole", "narrow-whole"])
def test_it_is_not_blank(seen: dict[str, Any], folder: Path, name: str) -> None:
    assert colours(folder / f"{name}.png") > (1000 if name.endswith("whole") else 100)
