"""Can the label be read from an artefact alone? What the data offers, whatever the model makes of it."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import stats

from ..case import Case
from ..result import PARTS, CheckResult, not_evaluable


def check(case: Case) -> list[CheckResult]:
    """A cross-validated decoder of labels for each artefact."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if case.is_number and not case.has_classes:
        why = "The output is a number: the audit says what of its labels the signal gives away."
        return [not_evaluable("baseline", "data", "model", why)]
    folds = case.policy.checks.baseline.folds
    known = case.labels >= 0
    label = case.labels[known]
    classes, counts = np.unique(label, return_counts=True)
    if len(classes) < 2 or counts.min() < 2 * folds:
        why = f"{2 * folds} labelled windows of each class are needed."
        return [not_evaluable("baseline", "data", "data", why)]
    group = np.array(case.groups)[known]
    several = len(np.unique(group)) >= 2
    results = []
    for kind, part in case.parts.items():
        x = part.size[known]
        split = (
            StratifiedGroupKFold(min(folds, len(np.unique(group))), shuffle=True, random_state=0)
            if several
            else StratifiedKFold(folds, shuffle=True, random_state=0)
        )
        decoder = make_pipeline(
            StandardScaler(), LogisticRegression(max_iter=500, class_weight="balanced", C=0.3)
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            guess = cross_val_predict(decoder, x, label, cv=split, groups=group if several else None)
        right = np.array([(guess[label == c] == c).mean() for c in classes])
        accuracy, chance = float(right.mean()), 1 / len(classes)
        p = float(
            stats.binomtest(round(accuracy * len(label)), len(label), chance, alternative="greater").pvalue
        )
        offers = p < 0.01
        said = (
            f"{PARTS[kind].capitalize()} alone gives {accuracy:.0%} of the labels (chance {chance:.0%}, p "
            f"= {p:.1g})"
        )
        said += ": the data offers a shortcut." if offers else "."
        results.append(
            CheckResult(
                f"baseline.{kind}",
                "data",
                "FAIL" if offers else "REPORTED",
                said,
                accuracy,
                chance,
                kind,
                {"p": p},
            )
        )
    if not results:
        why = "No artefact could be told apart in these windows."
        results.append(not_evaluable("baseline", "data", case.why_no_parts, why))
    return results
