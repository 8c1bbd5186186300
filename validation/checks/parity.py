"""Does the file say what a reference says?"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...engine.errors import OnnxplainError
from ...engine.explainer import Explainer
from ..case import BATCH, Case
from ..result import CheckResult, not_asked


def check(case: Case) -> list[CheckResult]:
    """Outputs against those of another ONNX file on the same windows, relative to their size."""
    asked = case.policy.checks.parity
    if asked.reference is None:
        return [not_asked("parity", "technical", "The policy names no reference file.")]
    try:
        other = Explainer(Path(asked.reference), contract=case.contract, ledger=False)
        found = []
        for start in range(0, len(case.windows), BATCH):
            outputs = other.predict({case.contract.input: case.windows.data[start : start + BATCH]})
            found.append(np.asarray(outputs[case.contract.output or other.output], dtype=np.float64))
    except (OnnxplainError, KeyError) as e:
        return [CheckResult("parity", "technical", "FAIL", f"The reference cannot be compared: {e}")]
    theirs = np.concatenate(found)
    if theirs.shape != case.outputs.shape:
        return [CheckResult("parity", "technical", "FAIL", "The reference has an output of another shape.")]
    off = float(np.abs(theirs - case.outputs).max() / max(float(np.abs(theirs).max()), 1e-30))
    good = off <= asked.max_difference
    changed = ""
    if case.has_classes:
        n = int((theirs.argmax(-1) != case.decisions).sum())
        changed = f"; {n} of {len(theirs)} decisions differ"
    said = f"Outputs are within {off:.1e} of the reference's{changed}."
    return [CheckResult("parity", "technical", "PASS" if good else "FAIL", said, off, asked.max_difference)]
