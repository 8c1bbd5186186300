"""Four planted cases with one seed: what the study of the gate does, on networks trained here and now.

A constant output is looked at by `make test`, and all of them by `make test-long`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from onnxplain.validation import Gate

sys.path.insert(0, str(Path(__file__).parents[2] / "studies"))

SEED = 2000  # none of those that thresholds were set on, and none of the study's


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("saccade", marks=pytest.mark.long),
        pytest.param("blink", marks=pytest.mark.long),
        pytest.param("mains", marks=pytest.mark.long),
        "constant",
    ],
)
def test_planted_cases_get_the_verdict_written_down_before(name: str, tmp_path: Path) -> None:
    import planted

    case = next(c for c in planted.CASES if c.name == name)
    made = planted.network(name, SEED, tmp_path / "model.onnx")
    if case.artefact:
        assert made["follows"] > 0.7, "the network did not learn its shortcut: this is no test of the gate"
    verdict = Gate().run(tmp_path / "model.onnx", planted.gate_data(name, SEED, tmp_path / "data"))
    assert verdict.status in case.expected
    assert not case.artefact or case.artefact in verdict.artefacts
    assert verdict.exit_code == 1 or verdict.status == "WARNING"
