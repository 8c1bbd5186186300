"""Does a second run give the same?"""

from __future__ import annotations

import numpy as np

from ..case import Case
from ..result import CheckResult

WINDOWS = 8


def check(case: Case) -> list[CheckResult]:
    """Outputs and relevance of some windows, twice: the largest difference, relative to the largest value."""
    limit = case.policy.checks.determinism.max_difference
    rows = np.arange(min(case.batch or WINDOWS, len(case.windows)))
    x = {case.contract.input: case.windows.data[rows]}
    contrast = "rest" if case.has_classes else None
    runs = [case.explainer(x, target=case.target, contrast=contrast, **case.against(rows)) for _ in range(2)]
    found = 0.0
    for a, b in (
        (runs[0].relevance[case.contract.input], runs[1].relevance[case.contract.input]),
        *((runs[0].outputs[n], runs[1].outputs[n]) for n in runs[0].outputs),
    ):
        a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
        found = max(found, float(np.abs(a - b).max(initial=0.0) / max(np.abs(a).max(initial=0.0), 1e-30)))
    good = found <= limit
    said = (
        f"A second run gives the same (difference {found:.1e})."
        if good
        else f"A second run differs by {found:.1e}: the model is random, or the machine is."
    )
    return [CheckResult("determinism", "technical", "PASS" if good else "FAIL", said, found, limit)]
