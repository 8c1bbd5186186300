"""Do maps change when the weights are random? Necessary, and no ranking of methods."""

from __future__ import annotations

import numpy as np

from ..case import Case
from ..result import CheckResult, not_evaluable


def check(case: Case) -> list[CheckResult]:
    """Cosine of each window's electrodes with those under copies with random weights."""
    limit = case.policy.checks.randomisation.max_similarity
    if case.constant:
        return [not_evaluable("randomisation", "method", "model", "The output is constant.")]
    own = case.explained.relevance.sum(-1, dtype=np.float64)
    found = []
    for copy in case.copies:
        other = copy.relevance.sum(-1, dtype=np.float64)
        size = np.linalg.norm(own, axis=1) * np.linalg.norm(other, axis=1)
        some = size > 0
        found += (np.abs((own * other).sum(1)[some]) / size[some]).tolist()
    if not found:
        return [not_evaluable("randomisation", "method", "map", "A map has no relevance at all.")]
    alike = float(np.mean(found))
    good = alike <= limit
    said = f"Maps under random weights are alike to the model's by {alike:.2f} (absolute cosine, mean)."
    if not good:
        said += " So they may show the input or the architecture, and not what was learnt."
    return [CheckResult("randomisation", "method", "PASS" if good else "FAIL", said, alike, limit)]
