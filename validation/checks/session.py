"""Do decisions tell early from late in a recording rather than classes?

Electrodes dry, people tire, and where classes come in blocks the time of day gives them away. A model that
goes by what drifts says more and more of one class *within* each class, too.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy import stats

from ..case import Case, Floats
from ..result import CheckResult, Status, not_evaluable

NAME = "session"
FEWEST = 8  # windows of one subject and class
SHUFFLES = 499


def check(case: Case) -> list[CheckResult]:
    """How far outputs go with the time in the recording, within each subject and class."""
    asked = case.policy.checks.session
    if case.constant or not (case.has_classes or case.is_number):
        why = "The output is constant, or neither a choice between classes nor one number."
        return [not_evaluable(NAME, "sign", "model", why, "session")]
    cells = _cells(case)
    if not cells:
        which = "labelled windows of one class" if case.has_classes else "windows"
        why = f"No subject has {FEWEST} {which} with a time."
        return [not_evaluable(NAME, "sign", "data", why, "session")]
    time, score = _ranks(case, cells)
    r = _correlation(time, score)
    rng = case.seeded(NAME)
    places = np.cumsum([0, *map(len, cells)])
    null = []
    for _ in range(SHUFFLES):
        order = np.concatenate([a + rng.permutation(b - a) for a, b in pairwise(places)])
        null.append(abs(_correlation(time, score[order])))
    p = float((1 + (np.array(null) >= abs(r) - 1e-12).sum()) / (1 + SHUFFLES))
    bad = abs(r) > asked.max_correlation and p <= 0.01
    how = f"r = {r:+.2f} (p = {p:.2g})"
    within = "subjects and classes" if case.has_classes else "subjects"
    said = f"Within {within} the output goes with the time in the recording by {how}."
    status: Status = "WARNING" if bad else "PASS"
    return [
        CheckResult(NAME, "sign", status, said, abs(r), asked.max_correlation, "session", {"p": p, "r": r})
    ]  # fmt: skip


def _cells(case: Case) -> list[np.ndarray]:
    """Windows of one subject and one class (of a number: of one subject)."""
    groups, onsets = np.array(case.groups), case.windows.onsets
    label = case.labels if case.has_classes else np.zeros(len(groups), dtype=np.int64)
    known = np.isfinite(onsets) & (label >= 0)
    every = [
        np.flatnonzero((groups == g) & (label == c) & known)
        for g in np.unique(groups)
        for c in np.unique(label[known])
    ]
    return [rows for rows in every if len(rows) >= FEWEST]


def _ranks(case: Case, cells: list[np.ndarray]) -> tuple[Floats, Floats]:
    """Ranks of times and of outputs in each cell, from -1 to 1."""
    y = case.outputs
    score = y.reshape(len(y)) if not case.has_classes else y[:, -1] - y[:, :-1].mean(1)

    def ranked(values: Floats) -> Floats:
        r = stats.rankdata(values)
        return np.asarray((r - r.mean()) / max(r.max() - r.mean(), 1e-12))

    each = [(ranked(case.windows.onsets[rows]), ranked(score[rows])) for rows in cells]
    return np.concatenate([t for t, _ in each]), np.concatenate([s for _, s in each])


def _correlation(a: Floats, b: Floats) -> float:
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else 0.0
