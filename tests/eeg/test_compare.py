"""Explanations side by side: shares, maps, windows, cohorts."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from onnxplain.eeg import views
from onnxplain.eeg.compare import compare, read_side
from onnxplain.eeg.reports import comparison
from onnxplain.engine.errors import InputError
from onnxplain.models import demo_file

NAMES = ("Fp1", "Fp2", "C3", "Cz", "C4", "O1", "O2", "T7")


def explanation(
    path: Path, strong: str, *, seed: int = 0, names: tuple[str, ...] = NAMES, data: str = "a", n: int = 6
) -> None:
    """Relevance that lies for the most part on one electrode."""
    rng = np.random.default_rng(seed)
    relevance = rng.normal(0, 0.02, (n, len(names), 40))
    relevance[:, names.index(strong)] += 0.3 + 0.05 * rng.normal(size=(n, 1))
    made = xr.Dataset(
        {"relevance": (("epoch", "channel", "time"), relevance), "target": ("epoch", np.arange(n) % 2)},
        {"channel": list(names), "onset": ("epoch", np.arange(n) * 2.0)},
        {"sfreq": 20.0, "provenance": json.dumps({"data": {"sha256": data}})},
    )
    path.mkdir(parents=True)
    views.save(made, path / "relevance.nc")


def test_where_two_models_look(tmp_path: Path) -> None:
    explanation(tmp_path / "eyes", "Fp1")
    # The same electrodes in another order and spelling.
    explanation(
        tmp_path / "motor", "C3", seed=1, names=("EEG O2-REF", "C3", "Cz", "C4", "O1", "Fp2", "Fp1", "T3")
    )
    found = compare([read_side(tmp_path / "eyes"), read_side(tmp_path / "motor")])
    assert set(found.channels) == set(NAMES)
    np.testing.assert_allclose(found.electrodes.sum(1), 1.0)
    rows = {r.name: r for r in found.rows}
    assert rows["frontal-ocular"].share[0] > 0.8 > 0.2 > rows["frontal-ocular"].share[1]
    assert rows["sensorimotor"].share[1] > 0.8
    regions = [r for r in found.rows if r.kind == "region"]
    np.testing.assert_allclose(np.sum([r.share for r in regions], 0), 1.0)
    (one,) = found.agreements
    assert one.windows == 6
    assert abs(one.per_window or 0) < 0.5
    assert one.same_class == 1.0
    assert rows["frontal-ocular"].effect is None  # one recording a side
    assert found.test is None


def test_a_model_agrees_with_itself(tmp_path: Path) -> None:
    for name in ("a", "b"):
        explanation(tmp_path / name, "Cz")
    (one,) = compare([read_side(tmp_path / n, "same") for n in "ab"]).agreements
    assert (one.first, one.second) == ("same (1)", "same (2)")
    assert one.per_window == pytest.approx(1.0)
    assert one.rank == pytest.approx(1.0)
    explanation(tmp_path / "other", "Cz", data="b")  # another recording: nothing to compare window by window
    (one,) = compare([read_side(tmp_path / n) for n in ("a", "other")]).agreements
    assert one.per_window is None


def test_cohorts(tmp_path: Path) -> None:
    for i in range(6):
        explanation(tmp_path / "fine" / f"s{i}", "C3", seed=i, data=f"d{i}")
        explanation(tmp_path / "scratch" / f"s{i}", "Fp2", seed=50 + i, data=f"d{i}")
        explanation(tmp_path / "others" / f"p{i}", "Fp2", seed=90 + i, data=f"e{i}")
    paired = compare([read_side(tmp_path / "fine"), read_side(tmp_path / "scratch")])
    assert paired.subjects == (6, 6)
    rows = {r.name: r for r in paired.rows}
    motor, eyes = rows["sensorimotor"].effect, rows["frontal-ocular"].effect
    assert motor is not None
    assert eyes is not None
    assert motor.low > 3
    assert eyes.high < -3
    assert paired.test is not None
    assert "does not establish where" in paired.test
    assert paired.agreements[0].windows == 36
    unlike = compare([read_side(tmp_path / "scratch"), read_side(tmp_path / "others")])
    same = {r.name: r for r in unlike.rows}["frontal-ocular"].effect
    assert same is not None
    assert abs(same.value) < 2
    assert unlike.agreements[0].windows == 0
    (tmp_path / "few").mkdir()
    for i in range(2):
        explanation(tmp_path / "few" / f"s{i}", "C3", seed=i)
    few = compare([read_side(tmp_path / "few"), read_side(tmp_path / "fine")])
    assert few.test is not None
    assert "no p-value" in few.test


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no relevance\.nc"):
        read_side(tmp_path)
    (tmp_path / "relevance.nc").write_bytes(b"no")
    with pytest.raises(InputError, match="cannot be read"):
        read_side(tmp_path)
    explanation(tmp_path / "a", "Cz", names=("Cz", "C3"))
    explanation(tmp_path / "b", "O1", names=("O1", "O2"))
    with pytest.raises(InputError, match="fewer than two electrodes in common"):
        compare([read_side(tmp_path / "a"), read_side(tmp_path / "b")])
    with pytest.raises(InputError, match="two explanations"):
        compare([read_side(tmp_path / "a")])


def test_the_files(tmp_path: Path) -> None:
    explanation(tmp_path / "<b>odd", "Fp1")
    explanation(tmp_path / "motor", "C3", seed=1)
    found = compare([read_side(tmp_path / n) for n in ("<b>odd", "motor")])
    files = comparison.write(found, tmp_path)
    assert {f.name for f in files} == {
        "comparison.json", "electrodes.csv", "shares.csv", "head_maps.png", "report.html"
    }  # fmt: skip
    with (tmp_path / "electrodes.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["electrode", "<b>odd", "motor"]
    assert sum(float(r[1]) for r in rows[1:]) == pytest.approx(1.0)
    page = (tmp_path / "report.html").read_text()
    assert "&lt;b&gt;odd" in page
    assert "<b>odd" not in page


def test_the_demo_by_command(tmp_path: Path) -> None:
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "onnxplain", *map(str, arguments)],
            cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    for name in ("honest", "shortcut"):
        done = run(
            "explain", demo_file(f"{name}.onnx"), demo_file("recording.edf"), "--out", name, "--no-report"
        )
        assert done.returncode == 0, done.stderr
    done = run("compare", "honest", "shortcut", "--out", "both", "--json")
    assert done.returncode == 0, done.stderr
    rows = {r["name"]: r for r in json.loads(done.stdout)["rows"]}
    assert rows["frontal-ocular"]["share"][0] < 0.15 < 0.3 < rows["frontal-ocular"]["share"][1]
    wrong = run("compare", "honest", "--out", "one")
    assert wrong.returncode == 2
    assert len(wrong.stderr.splitlines()) == 1
    assert run("compare", "honest", "nowhere", "--out", "x").returncode == 2
