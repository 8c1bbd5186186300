"""Do decisions tell subjects apart rather than classes?"""

from __future__ import annotations

import numpy as np

from ..case import Case
from ..result import Result, not_evaluable

NAME = "subjects"


def check(case: Case) -> list[Result]:
    """How much of the output's variation within classes is the subject's, against shuffled subjects."""
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
    label, who = case.labels[known], group[known]
    within = score - _means(score, label)
    own = _explained(within, who)
    rng = case.seeded(NAME)
    null = [_explained(within, rng.permutation(who)) for _ in range(asked.permutations)]
    p = float((1 + (np.array(null) >= own).sum()) / (1 + len(null)))
    classes = _explained(score, label)
    bad = own > asked.max_explained and p <= 0.05
    said = (
        f"Within classes {own:.0%} of the output's variation is the subject's (shuffled subjects: "
        f"{np.mean(null):.0%}); classes are {classes:.0%} of all of it."
    )
    evidence = {"p": p, "null": float(np.mean(null)), "classes": classes, "subjects": len(names)}
    return [
        Result(NAME, "sign", "FAIL" if bad else "PASS", said, own, asked.max_explained, "subject", evidence)
    ]


def _means(x: np.ndarray, group: np.ndarray) -> np.ndarray:
    out = np.zeros_like(x)
    for g in np.unique(group):
        out[group == g] = x[group == g].mean(0)
    return out


def _explained(x: np.ndarray, group: np.ndarray) -> float:
    """The part of the variance that lies between groups (eta squared)."""
    centred = x - x.mean(0)
    whole = float((centred**2).sum())
    return float((_means(centred, group) ** 2).sum() / whole) if whole > 0 else 0.0
