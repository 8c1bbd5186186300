"""How many decisions change when the same is recorded otherwise? It is told, and never counts.

A fragile model is no cheat, and a cheat may be robust: what decisions follow is for the exchange to say.
"""

from __future__ import annotations

import numpy as np

from ...eeg.exchange.invariance import alterations, altered, said_of
from ...engine.steps import step
from ..case import Case
from ..result import CheckResult, not_evaluable

NAME = "invariance"


def check(case: Case) -> list[CheckResult]:
    """What gain, offset, drift, mains, a lost electrode, the first milliseconds and the reference change."""
    asked = case.policy.checks.invariance
    if case.constant:
        return [not_evaluable(NAME, "data", "model", "The output is constant.")]
    if not (case.has_classes or case.is_number):
        why = "The output is neither a choice between classes nor one number."
        return [not_evaluable(NAME, "data", "model", why)]
    step("recording the same otherwise")
    rows = np.sort(case.seeded(NAME).permutation(len(case.windows))[: asked.windows])
    signal, outputs, w = case.signal[rows], case.outputs[rows], case.windows
    if not case.has_classes:
        outputs = outputs.reshape(-1, 1)
    order = case.proposed.order
    each = alterations(signal.shape[-1], w.sfreq, w.channels, order[: asked.electrodes], order[-1])
    found = altered(signal, outputs, lambda x: case.run(x).reshape(outputs.shape), each)
    if not found:
        return [not_evaluable(NAME, "data", "data", "Nothing could be altered in these windows.")]
    table = [{"name": a.name, "said": a.said, "moved": a.moved} for a in found]
    said = said_of(found, of_classes=case.has_classes)
    evidence = {
        "unit": "decisions" if case.has_classes else "standard deviations",
        "table": table,
        "windows": len(rows),
    }
    return [CheckResult(NAME, "data", "REPORTED", said, found[0].moved, evidence=evidence)]
