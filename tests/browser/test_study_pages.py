"""Pages of a comparison, a cohort and an evaluation in headless Chromium, on a desk and on a telephone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from web import opened

from onnxplain.eeg.explanation import dataset as views
from onnxplain.eeg.explanation import shares
from onnxplain.eeg.reports import cohort as cohort_page
from onnxplain.eeg.reports import comparison
from onnxplain.eeg.studies.cohort_result import Cohort, CohortRow
from onnxplain.eeg.studies.compare import compare
from onnxplain.eeg.studies.sides import by_label, read_side
from onnxplain.models import demo_file

NAMES = ("Fp1", "Fp2", "F7", "F8", "FC5", "C3", "Cz", "C4", "CP1", "CP2", "P7", "P8", "PO3", "O1", "O2", "T7")
LONG = "sub-a-subject-with-a-long-name-01"


def recording(seed: int, subject: str) -> xr.Dataset:
    """Standards, and targets with more at the vertex."""
    rng = np.random.default_rng(seed)
    relevance = rng.normal(0, 1, (24, len(NAMES), 60))
    relevance[::2, NAMES.index("Cz"), 30:40] += 3
    guess = np.eye(2)[np.arange(24) % 2]
    times = np.arange(60) / 60
    return xr.Dataset(
        {"relevance": (("epoch", "channel", "time"), relevance), "output": (("epoch", "class"), guess)},
        {
            "channel": list(NAMES), "class": ["target", "standard"], "onset": ("epoch", np.arange(24.0)),
            "label": ("epoch", ["target", "standard"] * 12), "time": times,
            "target_class": ("epoch", ["target", "standard"] * 12), "from_event": ("time", times - 0.2),
        },
        {"subject": subject, "sfreq": 60.0, "provenance": json.dumps({"data": {"sha256": str(seed)}})},
    )  # fmt: skip


def comparison_page(folder: Path) -> Path:
    for i in range(6):
        (folder / "all" / f"s{i}").mkdir(parents=True)
        views.save(recording(i, f"s{i}"), folder / "all" / f"s{i}" / "relevance.nc")
    out = folder / "out"
    out.mkdir()
    comparison.write(compare(by_label(read_side(folder / "all"), ["target", "standard"])), out)
    return out / "report.html"


def cohort_report(folder: Path) -> Path:
    rows = [
        CohortRow(
            "broken", "s9", "a-very-long-path/of-a-recording/broken.edf: not an EDF file (looks like text)"
        )
    ]
    for i in range(6):
        name = LONG if i == 0 else f"s{i}"
        data = recording(i, name)
        data.to_zarr(folder / "s.zarr" / f"r{i}", mode="w", consolidated=True, zarr_format=2)
        (folder / "s.zarr" / f"r{i}" / "onnxplain.json").write_text("{}")
        share = tuple(map(float, shares.by_electrode(data["relevance"].values)))
        rows.append(CohortRow(f"r{i}", name, "", 24, NAMES, share, accuracy=0.5 + i / 12, random=0.1 * i))
    out = folder / "out"
    out.mkdir()
    cohort_page.write(
        Cohort(tuple(rows), 0, whose="6 subjects of 6 recordings by --subject."), folder / "s.zarr", out
    )
    return out / "report.html"


def evaluation_page(folder: Path) -> Path:
    given = [demo_file("shortcut.onnx"), demo_file("recording.edf"), "--out", folder / "out"]
    options = ["--windows", "8", "--methods", "cplrp", "--quiet", "--time-limit", "inf"]
    run = [sys.executable, "-m", "onnxplain", "evaluate", *map(str, given), *options]
    subprocess.run(run, check=True, timeout=900)
    return folder / "out" / "report.html"


PAGES = {"compare": comparison_page, "cohort": cohort_report, "evaluate": evaluation_page}


@pytest.fixture(scope="module", params=list(PAGES.values()), ids=list(PAGES))
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("seen")
    return opened(request.param(folder), folder, "report")


def test_it_loads_nothing_and_says_no_error(seen: dict[str, Any]) -> None:
    assert seen["problems"] == []
    assert {u for u in seen["requests"] if not u.startswith(("file:", "data:"))} == set()


@pytest.mark.parametrize("name", ["wide", "narrow"])
def test_nothing_is_cut_off_and_no_word_is_broken(seen: dict[str, Any], name: str) -> None:
    inner, outer = seen["wide"][name]
    assert inner <= outer == {"wide": 1280, "narrow": 390}[name]
    assert seen["out"][name] == []
    assert seen["broken"][name] == []


@pytest.mark.parametrize("name", ["wide", "narrow"])
def test_axe_finds_nothing_serious(seen: dict[str, Any], name: str) -> None:
    assert [v for v in seen["axe"][name] if v[0] in ("serious", "critical")] == []


@pytest.mark.parametrize("name", ["wide", "narrow"])
def test_the_answer_comes_first(seen: dict[str, Any], name: str) -> None:
    _, (sentence, end) = seen["said"][name]
    assert len(sentence) > 40
    assert end < 844
    assert all(alt and width for alt, width in seen["images"][name])
    assert len(seen["images"][name]) >= 2
