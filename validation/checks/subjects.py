"""Do decisions tell subjects apart rather than classes?"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ...eeg.text import listed
from ..case import Case
from ..result import CheckResult, WhyNot, not_evaluable

NAME = "subjects"
FOLDS, SHUFFLES = 5, 19
WIDEST = 5000  # features
TELLS = 0.05  # p of the shuffled ones: above it, that subjects can be told is not shown


def check(case: Case) -> list[CheckResult]:
    """The subject's part of what subjects and classes explain of the output, against shuffled subjects."""
    asked = case.policy.checks.subjects
    names, group = np.unique(np.array(case.groups), return_inverse=True)
    known = case.labels >= 0
    if len(names) < 2:
        why = "One subject only; a dataset of several is needed."
        return [not_evaluable(NAME, "sign", "data", why, "subject")]
    if case.constant or not case.has_classes or not known.any():
        because: WhyNot = "model" if case.constant or not case.has_classes else "data"
        number = case.is_number and not case.has_classes and not case.constant
        why = "The output is a number." if number else "No classes, no labels, or a constant output."
        return [not_evaluable(NAME, "sign", because, why, "subject")]
    both = [len(np.unique(case.labels[known & (group == g)])) > 1 for g in range(len(names))]
    if sum(both) < 2:
        why = "Every subject has one class only: in this data, class and subject cannot be told apart."
        return [not_evaluable(NAME, "sign", "data", why, "subject")]
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
    told = _identity(case, who, label, known)
    if told:
        each = [
            f"{k} in {v['accuracy']:.0%} (shuffled: {v['null']:.0%})"
            for k, v in told.items()
            if v["p"] <= TELLS
        ]
        said += f" Who it is can be told from {'; from '.join(each)}." if each else ""
        others = [k for k, v in told.items() if v["p"] > TELLS]
        said += f" That it can be told from {listed(others)} is not shown." if others else ""
    evidence: dict[str, Any] = {
        "p": p, "null": float(np.mean(null)), "by_subject": own, "by_class": classes,
        "subjects": len(names), "told_from": told,
    }  # fmt: skip
    return [
        CheckResult(
            NAME, "sign", "WARNING" if bad else "PASS", said, part, asked.max_explained, "subject", evidence
        )
    ]


def _identity(
    case: Case, who: np.ndarray, label: np.ndarray, known: np.ndarray
) -> dict[str, dict[str, float]]:
    """How well subjects can be told from relevance, features and signal; null: shuffled within classes.

    It supports and never counts: heads differ, so an honest model's features and maps do.
    """
    from sklearn.linear_model import RidgeClassifier
    from sklearn.model_selection import StratifiedKFold, permutation_test_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if np.bincount(who).min() < FOLDS:
        return {}
    maps = case.explained.relevance.sum(-1, dtype=np.float64)
    power = np.log(case.signal.std(-1) + 1e-9)
    seen = {
        "relevance": maps / np.maximum(np.abs(maps).sum(1, keepdims=True), 1e-300),
        "features": case.features,
        "signal": power,
    }
    found = {}
    for name, x in seen.items():
        if x is None or x.shape[1] > WIDEST:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            accuracy, null, p = permutation_test_score(
                make_pipeline(StandardScaler(), RidgeClassifier(10.0)),
                x[known],
                who,
                groups=label,
                cv=StratifiedKFold(FOLDS, shuffle=True, random_state=0),
                n_permutations=SHUFFLES,
                scoring="balanced_accuracy",
                random_state=case.policy.seed,
            )
        found[name] = {"accuracy": float(accuracy), "null": float(null.mean()), "p": float(p)}
    return found


def _means(x: np.ndarray, group: np.ndarray) -> np.ndarray:
    out = np.zeros_like(x)
    for g in np.unique(group):
        out[group == g] = x[group == g].mean(0)
    return out


def _between(x: np.ndarray, group: np.ndarray) -> float:
    """The sum of squares that lies between groups."""
    return float((_means(x - x.mean(0), group) ** 2).sum())
