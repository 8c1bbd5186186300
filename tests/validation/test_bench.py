"""Two cases of the bench, trained here and now: what `studies/bench` does, and what the gate says of them.

Both are band power and logistic regression, which are trained in seconds; the bench has all other networks.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from onnxplain.validation import Gate, Verdict

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Train a case and give its folder."""
    build = tmp_path_factory.mktemp("bench")

    def make(name: str) -> Path:
        command = [sys.executable, ROOT / "studies" / "bench" / "make.py", "--half", "open", "--only", name]
        environment = {**os.environ, "ONNXPLAIN_BENCH": str(build)}
        subprocess.run(command, check=True, env=environment, capture_output=True, timeout=600)
        return build / "open" / name

    return make


def verdict(folder: Path, policy: str = "expects") -> Verdict:
    """What the gate says."""
    return Gate(folder / f"{policy}.yaml").run(folder / "model.onnx", folder / "data")


def test_an_honest_network_passes(made: Any) -> None:
    folder = made("honest-resting-alpha-bandpower")
    found = verdict(folder)
    assert (found.status, found.exit_code) == ("PASS", 0), found.reasons
    undeclared = verdict(folder, "plain")
    assert (undeclared.status, undeclared.exit_code) == ("WARNING", 1)
    assert "not declared" in undeclared.reasons[0]


def test_noise_of_one_electrode_is_named(made: Any) -> None:
    found = verdict(made("noisy-strong-grip-bandpower"))
    assert (found.status, found.exit_code) == ("FAIL", 1)
    assert found.confirmed is not None
    assert "P4" in found.reasons[0]
