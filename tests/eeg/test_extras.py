"""What stands beside the map reaches the numbers, the dataset, the figures and the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest

from onnxplain.eeg.artefacts.events import saccades
from onnxplain.eeg.explanation import dataset as views
from onnxplain.eeg.recording.read import read
from onnxplain.eeg.reports.write import write
from onnxplain.eeg.run import explain_recording
from onnxplain.engine.errors import InputError

MODELS = Path(__file__).parents[2] / "models" / "demo"
NAMES = ("Fp1", "F7", "F8", "Cz", "Pz")


def test_everything_that_is_asked_for_is_written(tmp_path: Path) -> None:
    found = explain_recording(
        MODELS / "honest.onnx",
        MODELS / "recording.edf",
        inside=True,
        clusters=True,
        locked=("blinks", "left"),
    )
    out = tmp_path / "out"
    out.mkdir()
    names = {p.name for p in write(found, out)}
    assert {"locked.png", "heads.png", "embedding.png", "time_frequency.png"} <= names
    for png in out.glob("*.png"):
        assert png.with_suffix(".svg").read_text(encoding="utf-8").startswith("<?xml")
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert summary["locked"].keys() == {"blinks", "left"}
    assert summary["locked"]["blinks"]["events"] >= 10
    assert summary["clusters"]["strategies"][0]["windows"] > 0
    assert len(summary["inside"]["layers"]) == 2
    data = views.load(out / "relevance.nc")
    assert data["locked_mean"].dims == ("event", "lag")
    assert data["heads"].dims == ("epoch", "layer", "head")
    assert data["positions"].dims == ("epoch", "channel")
    assert (data["strategy"].values >= 0).all()
    page = (out / "report.html").read_text(encoding="utf-8")
    for heading in (
        "Around events",
        "Strategies",
        "Attention heads",
        "Position embedding",
        "Over the window",
    ):
        assert heading in page
    assert 'type="range"' in page  # the slider over time


def test_an_event_that_is_not_there_is_refused() -> None:
    """A name that no annotation has is a slip: it is told before anything is explained."""
    with pytest.raises(InputError, match="no annotation P300"):
        explain_recording(MODELS / "honest.onnx", MODELS / "recording.edf", locked=("P300",))
    for more, said in (
        ({"lags": (0.8, 0.2)}, "no segment"),
        ({"locked": (), "at": ("Pz",)}, "not asked for"),
    ):
        options: dict[str, Any] = {"locked": ("left",), **more}
        with pytest.raises(InputError, match=said):
            explain_recording(MODELS / "honest.onnx", MODELS / "recording.edf", **options)


def test_what_cannot_be_had_beside_the_map_is_a_note(
    make_contract: Callable[..., Any],
    make_model: Callable[..., Path],
    recorded: Callable[..., Path],
    tmp_path: Path,
) -> None:
    """No blinks, no heart, too few electrodes for components: the explanation is there all the same."""
    marks = [(2.0 + 3 * i, 0.0, "left" if i % 2 else "right") for i in range(12)]
    names = ("C3", "Cz", "C4")
    contract = make_contract(names)
    found = explain_recording(
        make_model(contract),
        recorded(names=names, marks=marks, seconds=40.0),
        events="left,right",
        locked=("blinks", "r-peaks", "left"),
        lags=(-0.2, 0.8),
        at=("Cz", "Oz"),
        components=True,
    )
    said = " ".join(found.summary()["notes"])
    assert "Nothing of components beside the map" in said
    assert "Nothing around blinks" in said
    assert "Nothing around r-peaks" in said
    assert "The model has no electrode Oz" in said
    assert "Around left: windows have only" in said
    assert found.summary()["locked"]["left"]["lags"][0] == 0.0
    assert found.summary()["components"] == []
    out = tmp_path / "written"
    out.mkdir()
    assert (out / "report.html") in write(found, out)


def _gaze(tmp_path: Path, size: float) -> tuple[Path, list[float]]:
    """30 s of noise, with a step of F7 against F8 every 2 s."""
    rng = np.random.default_rng(0)
    sfreq, at = 200.0, [1.5 + 2 * k for k in range(14)]
    t = np.arange(int(30 * sfreq)) / sfreq
    gaze = np.zeros_like(t)
    for k, onset in enumerate(at):
        gaze[t >= onset] = size * (k % 2)
    x = rng.normal(0, 5e-6, (len(NAMES), len(t)))
    x[NAMES.index("F7")] += gaze
    x[NAMES.index("F8")] -= gaze
    raw = mne.io.RawArray(x, mne.create_info(list(NAMES), sfreq, "eeg"), verbose="error")
    path = tmp_path / "gaze_raw.fif"
    raw.save(path, verbose="error")
    return path, at


def test_saccades_are_found_where_they_are(tmp_path: Path) -> None:
    path, at = _gaze(tmp_path, 80e-6)
    found = saccades(read(path))
    for onset in at[1:]:
        assert np.abs(found - onset).min() < 0.03
    assert len(found) <= len(at) + 2


def test_noise_has_hardly_any_saccades(tmp_path: Path) -> None:
    path, _ = _gaze(tmp_path, 0.0)
    try:
        found = len(saccades(read(path)))
    except InputError:
        found = 0
    assert found <= 2


def test_saccades_need_the_electrodes(make_raw: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "x_raw.fif"
    make_raw(("Cz", "Pz")).save(path, verbose="error")
    with pytest.raises(InputError, match="neither a HEOG channel nor F7 and F8"):
        saccades(read(path))
