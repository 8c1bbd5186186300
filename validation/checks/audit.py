"""Can the label be read from what is no brain signal? What the data offers, whatever the model makes of it.

The same that `onnxplain audit` says before there is a model, on the windows that the model gets.
"""

from __future__ import annotations

import numpy as np

from ...eeg.studies.audit import audit
from ...engine.errors import InputError
from ..case import Case
from ..result import CheckResult, Status, not_evaluable

NAME = "audit"
FEWEST = 10  # windows of a class, or twice as many numbers


def check(case: Case) -> list[CheckResult]:
    """A line for each thing that labels can be decoded from; none counts against the model."""
    asked = case.policy.checks.audit
    known = case.labels >= 0
    labels: list[str | float | None]
    if known.any():
        classes = case.contract.classes
        labels = [classes[k] if k >= 0 else None for k in case.labels]
        enough = int((np.bincount(case.labels[known]) >= FEWEST).sum()) >= 2
    else:
        known = np.isfinite(case.values)
        labels = [float(v) if np.isfinite(v) else None for v in case.values]
        enough = int(known.sum()) >= 2 * FEWEST
    if not enough:
        why = f"{FEWEST} labelled windows of each of two classes are needed, or {2 * FEWEST} numbers."
        if case.is_number and not case.has_classes:
            why = f"{2 * FEWEST} windows with a number as their label are needed."
        return [not_evaluable(NAME, "data", "data", why)]
    rows = np.flatnonzero(known)
    if len(rows) > asked.windows:
        rows = np.sort(case.seeded(NAME).permutation(rows)[: asked.windows])
    w = case.windows
    try:
        found = audit(
            w.signal[rows], w.sfreq, w.channels, [labels[i] for i in rows], onsets=w.onsets[rows],
            subjects=[case.groups[i] for i in rows], seed=case.policy.seed,
        )  # fmt: skip
    except InputError:
        few = f"Labels are too few, or {'of one class only' if case.has_classes else 'alike'}."
        return [not_evaluable(NAME, "data", "data", few)]
    results = []
    for row in found.rows:
        name = f"{NAME}.{row.name.replace(' ', '-')}"
        if row.rhythm:
            continue
        if row.why_not:
            results.append(not_evaluable(name, "data", "data", f"{found.sentence(row)}."))
            continue
        numbers = (
            {}
            if row.decoded is None
            else {"p": row.decoded.p, "low": row.decoded.low, "high": row.decoded.high}
        )
        value = None if row.decoded is None else row.decoded.value
        status: Status = "FAIL" if row.offers else "REPORTED"  # nothing is required of data
        said = f"{found.sentence(row)}."
        results.append(CheckResult(name, "data", status, said, value, found.chance, evidence=numbers))
    return results
