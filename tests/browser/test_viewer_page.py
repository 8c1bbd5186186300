"""The viewer of explain's report in headless Chromium, driven by mouse, keys and fingers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.signal import lfilter
from web import HERE, colours, installed, node, program

from onnxplain.eeg.explanation.bands import bands as by_bands
from onnxplain.eeg.explanation.explained import Explained
from onnxplain.eeg.reports.recording import write_report
from onnxplain.eeg.reports.recording_figures import draw
from onnxplain.eeg.views.registry import kinds
from onnxplain.models import demo_file

sys.path.insert(0, str(HERE.parent / "eeg"))

from explanations import made

ELECTRODE, MARK = "F7", (0.51, 1.11)
CAP = [
    "Fp1",
    "Fp2",
    "AF3",
    "AF4",
    "F7",
    "F3",
    "Fz",
    "F4",
    "F8",
    "FC5",
    "FC1",
    "FC2",
    "FC6",
    "T7",
    "C3",
    "Cz",
    "C4",
    "T8",
    "CP5",
    "CP1",
    "CP2",
    "CP6",
    "P7",
    "P3",
    "Pz",
    "P4",
    "P8",
    "PO3",
    "PO4",
    "O1",
    "Oz",
    "O2",
]
LONGEST, LARGEST = 2.0, 10_000_000  # seconds until it is open; bytes


def driven(file: Path, out: Path) -> dict[str, Any]:
    """What viewer.mjs sees of a report."""
    packages = installed(HERE, "playwright")
    shutil.copyfile(HERE / "viewer.mjs", packages / "viewer.mjs")
    browser = program("chromium", "chromium-browser", "google-chrome", "chrome")
    job = {"chromium": browser, "file": str(file), "out": str(out), "electrode": ELECTRODE, "mark": MARK}
    (out / "job.json").write_text(json.dumps(job))
    done = node("viewer.mjs", out / "job.json", cwd=packages)
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads((out / "seen.json").read_text(encoding="utf-8"))
    return seen


def number(text: str) -> float:
    return float(text.replace("\u2212", "-"))


def said(seen: dict[str, Any]) -> tuple[float, float, float]:
    """Microvolt, relevance at the cursor, and relevance of the electrode, in the sentence at the cursor."""
    found = re.search(r": (\S+) µV, relevance (\S+) .* s; (\S+) ", seen["said"])
    assert found is not None, seen["said"]
    micro, at, whole = map(number, found.groups())
    return micro, at, whole


def digit(text: str) -> float:
    """One in the last place of a number."""
    return 10.0 ** -len(text.partition(".")[2])


# -- a recording of the demo, explained by the command line --------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("viewer")
    command = [
        sys.executable,
        "-m",
        "onnxplain",
        "explain",
        demo_file("shortcut.onnx"),
        demo_file("recording.edf"),
    ]
    options = ["--out", out / "out", "--events", "left,right", "--quiet", "--time-limit", "inf"]
    subprocess.run([*map(str, command + options)], check=True, timeout=900)
    return out


@pytest.fixture(scope="module")
def seen(folder: Path) -> dict[str, Any]:
    return driven(folder / "out" / "report.html", folder)


@pytest.fixture(scope="module")
def data(folder: Path) -> xr.Dataset:
    return xr.load_dataset(folder / "out" / "relevance.nc")


def relevance(
    data: xr.Dataset, seen: dict[str, Any], electrode: str, bins: tuple[int, int] | None = None
) -> float:
    """Of an electrode in the window that is seen, or in some of its bins."""
    own = data["relevance"].isel(epoch=seen["number"]).sel(channel=electrode).values.astype(float)
    return float(own.sum() if bins is None else own[bins[0] * seen["bin"] : bins[1] * seen["bin"]].sum())


def test_it_loads_nothing_and_says_no_error(seen: dict[str, Any]) -> None:
    assert seen["problems"] == []
    assert {u for u in seen["requests"] if not u.startswith(("file:", "data:", "blob:"))} == set()


def test_wrong_windows_are_picked(seen: dict[str, Any], data: xr.Dataset) -> None:
    names = data["class"].values
    predicted = names[data["output"].values.argmax(-1)]
    actual = [str(label).split("/")[0] for label in data["label"].values]
    wrong = [i for i, (p, a) in enumerate(zip(predicted, actual, strict=True)) if p != a]
    assert 1 < len(wrong) < len(actual)
    assert [int(text.split(":")[0]) for text in seen["wrong"]["listed"]] == wrong
    assert seen["wrong"]["number"] == wrong[0]
    assert seen["next"]["number"] == wrong[1]
    head = seen["next"]["head"]
    assert f"labelled {data['label'].values[wrong[1]]}; the model says {predicted[wrong[1]]} (wrong)" in head
    assert f"at {data['onset'].values[wrong[1]]:.2f} s" in head


def test_the_electrode_under_the_cursor_has_its_numbers(seen: dict[str, Any], data: xr.Dataset) -> None:
    found = seen["hovered"]
    assert found["electrode"] == ELECTRODE
    time = float(found["said"].split()[2])
    assert time == pytest.approx(0.81, abs=0.004)  # of a pixel
    bin_, samples = found["at"], found["bin"]
    assert bin_ == int(0.81 * data.attrs["sfreq"] / samples)
    micro, at, whole = said(found)
    texts = re.search(r": \S+ µV, relevance (\S+) .* s; (\S+) ", found["said"])
    assert texts is not None
    assert at == pytest.approx(relevance(data, found, ELECTRODE, (bin_, bin_ + 1)), abs=digit(texts[1]))
    # Of the whole window it is what relevance.nc has, to every digit that is shown.
    assert whole == float(f"{relevance(data, found, ELECTRODE):.4g}")
    signal = data["signal"].isel(epoch=found["number"]).sel(channel=ELECTRODE).values
    assert micro == pytest.approx(signal[int(time * data.attrs["sfreq"])], abs=1 + 2 * found["steps"][0])


def test_the_electrodes_with_most_are_those_of_the_file(seen: dict[str, Any], data: xr.Dataset) -> None:
    own = data["relevance"].isel(epoch=seen["next"]["number"]).sum("time", dtype=float)
    order = np.argsort(-np.abs(own.values))[:8]
    size = np.abs(own.values).sum()
    for row, i in zip(seen["next"]["most"], order, strict=True):
        assert row[0] == data["channel"].values[i]
        assert number(row[1]) == float(f"{own.values[i]:.4g}")
        assert row[2] == f"{100 * abs(own.values[i]) / size:.0f} %"


def test_bands_of_the_window_and_of_what_is_marked(seen: dict[str, Any], data: xr.Dataset) -> None:
    own = data["bands"].isel(epoch=seen["next"]["number"]).sum("channel")
    for row, value in zip(seen["next"]["bands"], own.values, strict=True):
        assert number(row[1]) == pytest.approx(float(value), abs=digit(row[1]))
    assert seen["next"]["bands"][2][0] == "alpha/mu, 8\u201313"
    found = seen["marked"]
    a, b = found["mark"]
    samples, sfreq = found["bin"], data.attrs["sfreq"]
    assert [a * samples / sfreq, b * samples / sfreq] == pytest.approx([0.5, 1.12])
    assert f"{a * samples / sfreq:.2f} to {b * samples / sfreq:.2f} s" in found["caption"]
    # Bands are a partition: what they have of the segment is what the electrodes have there.
    whole = data["relevance"].isel(epoch=found["number"], time=slice(a * samples, b * samples))
    total = sum(number(row[1]) for row in found["bands"])
    assert total == pytest.approx(float(whole.sum(dtype=float)), abs=10 * digit(found["bands"][0][1]))
    for row in found["most"]:
        want = relevance(data, found, row[0], (a, b))
        assert number(row[1]) == pytest.approx(want, abs=digit(row[1]))


def test_it_zooms_and_moves(seen: dict[str, Any]) -> None:
    whole = seen["first"]["zoom"]
    assert not seen["first"]["scroll"]
    marked = [bin_ * seen["marked"]["bin"] / 200 for bin_ in seen["marked"]["mark"]]
    assert seen["toMark"]["zoom"] == pytest.approx(marked)
    assert seen["toMark"]["scroll"]
    a, b = seen["wheel"]["zoom"]
    assert b - a == pytest.approx(0.8 * (whole[1] - whole[0]))
    # What is under the pointer stays there.
    assert (0.81 - a) / (b - a) == pytest.approx((0.81 - whole[0]) / (whole[1] - whole[0]), abs=0.01)


def test_it_obeys_keys(seen: dict[str, Any]) -> None:
    before, keys = seen["toMark"], seen["keys"]
    assert keys["ArrowRight"]["mark"] is None
    assert keys["ArrowRight"]["electrode"] == before["electrode"]
    assert keys["ArrowDown"]["electrode"] != before["electrode"]
    assert keys["ArrowDown"]["at"] == keys["ArrowRight"]["at"]
    at = keys["ArrowDown"]["at"]
    assert keys["Shift+ArrowRight"]["mark"] == [at, at + 2]
    (a, b), (c, d) = keys["+"]["zoom"], seen["first"]["zoom"]
    assert b - a == pytest.approx((d - c) / 2)
    assert keys["PageUp"]["number"] == seen["wrong"]["number"]


def test_fingers_tap_mark_and_pinch(seen: dict[str, Any]) -> None:
    assert seen["tapped"]["electrode"] == ELECTRODE
    assert seen["tapped"]["at"] == pytest.approx(MARK[1] * 200 / seen["tapped"]["bin"], abs=1)
    a, b = seen["swiped"]["mark"]
    assert [a * seen["swiped"]["bin"] / 200, b * seen["swiped"]["bin"] / 200] == pytest.approx(MARK, abs=0.03)
    (c, d), (e, f) = seen["pinched"]["zoom"], seen["swiped"]["zoom"]
    assert d - c == pytest.approx((f - e) / 3, rel=0.1)
    inner, outer = seen["wide"]
    assert inner <= outer == 390


def test_before_and_behind_the_artefact_parts(seen: dict[str, Any], data: xr.Dataset) -> None:
    each = {which: said(seen[which]) for which in ("all", "without", "parts")}
    assert each["parts"][2] != 0
    for k in range(3):  # µV, relevance at the cursor, and of the window
        step = (seen["all"]["steps"][0], *2 * (20 * seen["all"]["steps"][1],))[k]
        assert each["without"][k] + each["parts"][k] == pytest.approx(
            each["all"][k], abs=1 + step if k == 0 else step
        )
    assert each["all"][2] == float(f"{relevance(data, seen['all'], ELECTRODE):.4g}")


@pytest.mark.parametrize("name", ["marked", "zoomed", "parts", "phone"])
def test_it_is_drawn(seen: dict[str, Any], folder: Path, name: str) -> None:
    assert colours(folder / f"{name}.png") > 500


# -- an hour of 32 electrodes --------------------------------------------------------------------------


def hour() -> Explained:
    """900 windows of 4 s at 250 Hz, every seventh wrong; no model is run."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((900, len(CAP), 1000), dtype=np.float32)
    x = (12 * lfilter([1], [1, -0.9], noise, axis=-1)).astype(np.float32)
    m = rng.standard_normal(x.shape, dtype=np.float32) / 3000
    e = made(CAP, signal=x, multiplier=m, sfreq=250.0, target=np.zeros(900, int))
    output = ("epoch", "class"), np.tile([1.0, 0.0], (900, 1))
    about = {"file": "file", "name": "model", "sha256": "0" * 64}
    return replace(
        e,
        dataset=e.dataset.assign(output=output, bands=by_bands(e)),
        windows=replace(e.windows, labels=tuple("right" if i % 7 == 0 else "left" for i in range(900))),
        provenance={
            "model": about, "data": about, "target": "predicted", "contrast": "rest", "options": {},
            "versions": {},
        },
        unasked={kind.name: kind.absent for kind in kinds()},
    )  # fmt: skip


def test_an_hour_of_32_electrodes_is_open_in_two_seconds(tmp_path: Path) -> None:
    e = hour()
    page = write_report(e, draw(e, tmp_path), tmp_path / "report.html")
    assert page.stat().st_size < LARGEST
    seen = driven(page, tmp_path)
    assert seen["worked"] < LONGEST
    if os.getloadavg()[0] < (os.cpu_count() or 1):  # else the clock shows what others do
        assert seen["opened"] < LONGEST
    assert seen["problems"] == []
    assert {u for u in seen["requests"] if not u.startswith(("file:", "data:", "blob:"))} == set()
    assert len(seen["wrong"]["listed"]) == len(range(0, 900, 7))
    assert "of 900 windows are here" not in page.read_text(encoding="utf-8")
    found = seen["next"]
    assert found["number"] == 7
    own = e.relevance[7].sum(-1, dtype=np.float64)
    for name, value, _ in found["most"]:
        assert number(value) == float(f"{own[CAP.index(name)]:.4g}")
