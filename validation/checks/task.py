"""Does the model do its task on this recording?"""

from __future__ import annotations

import numpy as np
from scipy import stats

from ..case import Case
from ..result import Result, not_evaluable


def check(case: Case) -> list[Result]:
    """Whether the output depends on the input, decisions are right, and classes are even."""
    asked = case.policy.checks.task
    if case.constant:
        return [Result("task", "task", "FAIL", "The output is the same for every window.", 0.0)]
    if not case.has_classes:
        return [not_evaluable("task", "task", "model", "The output is no choice between classes.")]
    known = case.labels >= 0
    if known.sum() < 10 or len(np.unique(case.labels[known])) < 2:
        return [
            not_evaluable(
                "task",
                "task",
                "data",
                f"{int(known.sum())} windows have a label; ten or more of two classes are needed.",
            )
        ]
    right = case.decisions[known] == case.labels[known]
    counts = np.bincount(case.labels[known])
    recalls = [right[case.labels[known] == c].mean() for c in np.flatnonzero(counts)]
    balanced, chance = float(np.mean(recalls)), 1 / len(recalls)
    # Labels shuffled among the windows: what decisions that know nothing of them would get.
    rng = case.seeded("task")
    null = []
    for _ in range(999):
        other = rng.permutation(case.labels[known])
        null.append(
            np.mean([(case.decisions[known][other == c] == c).mean() for c in np.flatnonzero(counts)])
        )
    p = float((1 + (np.array(null) >= balanced - 1e-12).sum()) / 1000)
    accuracy = float(right.mean())
    low, high = stats.binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    evidence = {
        "accuracy": accuracy, "low": float(low), "high": float(high), "balanced": balanced, "p": p,
        "windows": len(right),
    }  # fmt: skip
    least = asked.min_accuracy
    enough = least is None or balanced >= least
    good = p <= asked.max_p and enough
    said = (
        f"Right in {right.sum()} of {len(right)} labelled windows ({balanced:.0%} over classes, chance "
        f"{chance:.0%}, p = {p:.2g})."
    )
    if p > asked.max_p:
        said = "It does not do its task here. " + said
    elif not enough:
        said = f"It does worse than the {least:.0%} asked for. " + said
    results = [
        Result("task", "task", "PASS" if good else "FAIL", said, balanced, least or chance, evidence=evidence)
    ]
    largest = float(counts.max() / counts.sum())
    if largest > asked.imbalance:
        name = case.contract.classes[int(counts.argmax())] if case.contract.classes else int(counts.argmax())
        said = (
            f"Classes are uneven: {largest:.0%} of the labelled windows are {name}. Accuracy is taken over "
            "classes, and shares are means over windows, mostly of that class."
        )
        results.append(
            Result(
                "task.imbalance",
                "data",
                "FAIL",
                said,
                largest,
                asked.imbalance,
                evidence={"counts": counts.tolist()},
            )
        )
    return results
