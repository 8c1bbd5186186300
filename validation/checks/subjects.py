"""Do decisions tell subjects apart rather than classes?"""

from __future__ import annotations

import numpy as np

from ..case import Case
from ..result import Result, not_evaluable

NAME = "subjects"


def check(case: Case) -> list[Result]:
    """The subject's part of what subjects and classes explain of the output, against shuffled subjects."""
    asked = case.policy.checks.subjects
    names, group = np.unique(np.array(case.groups), return_inverse=True)
    known = case.labels >= 0
    if len(names) < 2:
        return [not_evaluable(NAME, "sign", "One subject only; a dataset of several is needed.", "subject")]
    if case.constant or not case.has_classes or not known.any():
        return [not_evaluable(NAME, "sign", "No classes, no labels, or a constant output.", "subject")]
    both = [len(np.unique(case.labels[known & (group == g)])) > 1 for g in range(len(names))]
    if sum(both) < 2:
        why = "Every subject has one class only: in this data, class and subject cannot be told apart."
        return [not_evaluable(NAME, "sign", why, "subject")]
    y = case.outputs[known]
    score = y - y.mean(1, keepdims=True)
    score = score - score.mean(0)
    label, who = case.labels[known], group[known]
    whole = max(float((score**2).sum()), 1e-300)
    # Each without the other: what subjects explain within classes, and classes within subjects.
    within = score - _means(score, label)
    own = _between(within, who) / whole
    classes = _between(score - _means(score, who), label) / whole
    rng = case.seeded(NAME)
    null = [_between(within, rng.permutation(who)) / whole for _ in range(asked.permutations)]
    p = float((1 + (np.array(null) >= own).sum()) / (1 + len(null)))
    part = own / max(own + classes, 1e-300)
    bad = part > asked.max_explained and p <= 0.05
    said = (
        f"Subjects explain {own:.0%} of the output's variation within classes (shuffled: "
        f"{np.mean(null):.0%}), classes {classes:.0%} of it within subjects."
    )
    evidence = {
        "p": p, "null": float(np.mean(null)), "by_subject": own, "by_class": classes, "subjects": len(names),
    }  # fmt: skip
    return [
        Result(NAME, "sign", "FAIL" if bad else "PASS", said, part, asked.max_explained, "subject", evidence)
    ]


def _means(x: np.ndarray, group: np.ndarray) -> np.ndarray:
    out = np.zeros_like(x)
    for g in np.unique(group):
        out[group == g] = x[group == g].mean(0)
    return out


def _between(x: np.ndarray, group: np.ndarray) -> float:
    """The sum of squares that lies between groups."""
    return float((_means(x - x.mean(0), group) ** 2).sum())
