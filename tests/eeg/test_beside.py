"""Everything beside an explanation, through the command line: components, bands of one's own, baselines."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from onnxplain.eeg.explanation import dataset as views
from onnxplain.models import demo_file


def run(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "onnxplain", "explain", *map(str, arguments)],
        cwd=folder, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip


def test_bands_and_baselines_of_the_shortcut(tmp_path: Path) -> None:
    done = run(
        tmp_path, demo_file("shortcut.onnx"), demo_file("recording.edf"), "--events", "left,right",
        "--bands", "slow=0.5-4,mu=8-13", "--baselines", "--out", "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert [b["name"] for b in summary["bands"]] == ["slow", "mu", "rest"]
    assert sum(b["share"] for b in summary["bands"]) == pytest.approx(1)
    beside = summary["baselines"]
    assert set(beside["electrodes"]) == {"this model", "random weights", "channel power", "CSP + LDA"}
    ocular = beside["sets"]["frontal-ocular"]
    # The network reads the eyes; CSP with LDA, on the same windows, the hand areas.
    assert ocular["this model"] > 2 * ocular["CSP + LDA"]
    assert beside["csp"]["accuracy"] > 0.9
    right = {a["name"]: a["accuracy"] for a in beside["accuracies"]}
    assert right["network"] == 0.5
    assert {"CSP + LDA", "xDAWN + LDA", "power + LDA", "random weights"} <= right.keys()
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("right "))
    assert line.split(None, 1)[1].startswith("network 50 %, CSP + LDA")
    assert summary["answer"]["beside"]["baselines"] in summary["answer"]["said"]
    with (tmp_path / "out" / "shares.csv").open(encoding="utf-8") as file:
        kinds = {row["kind"] for row in csv.DictReader(file)}
    assert kinds == {"set", "region", "band", "electrode"}
    data = views.load(tmp_path / "out" / "relevance.nc")
    assert data["bands"].dims == ("epoch", "channel", "band")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Beside it" in page
    assert "Which rhythms" in page


@pytest.mark.parametrize("bands", ["mu", "mu=13-8", "a=1-5,b=4-9", "a=1-5,a=6-9", "rest=1-4", "a=900-1000"])
def test_bands_that_are_none(bands: str, tmp_path: Path) -> None:
    done = run(
        tmp_path, demo_file("honest.onnx"), demo_file("recording.edf"), "--bands", bands, "--out", "out",
        "--no-report",
    )  # fmt: skip
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()
