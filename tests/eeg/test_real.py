"""A real recording: 31 channels, 500 Hz, two minutes, old electrode names, from the alice-ml wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from onnxplain.eeg.channels import normalise
from onnxplain.eeg.recording import read
from onnxplain.eeg.run import explain_recording, write
from onnxplain.engine.contract import InputContract

WHEEL = "alice-ml==0.3.9"
INSIDE = "alice_ml/data/test_raw.fif"


@pytest.fixture(scope="module")
def real(pytestconfig: pytest.Config) -> Path:
    """The recording, fetched once with pip and kept in pytest's cache."""
    assert pytestconfig.cache is not None
    folder = pytestconfig.cache.mkdir("alice-ml")
    path = folder / Path(INSIDE).name
    if not path.exists():
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), WHEEL]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = f"pip cannot fetch {WHEEL}"
            if os.environ.get("CI"):
                pytest.fail(f"{reason}: {done.stderr[-300:]}")
            pytest.skip(reason)
        with zipfile.ZipFile(next(folder.glob("alice_ml*.whl"))) as wheel:
            path.write_bytes(wheel.read(INSIDE))
    return path


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
    assert summary["closure"] < 1e-5
    assert sum(r["share"] for r in summary["regions"]) == pytest.approx(1)
    out = tmp_path / "out"
    out.mkdir()
    names_written = {p.name for p in write(found, out)}
    assert {"report.html", "head_maps.png", "mean_map.png", "relevance.nc", "summary.json"} <= names_written
