"""Does the model do its task on this recording?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..case import Case
from ..result import CheckResult, Status, not_evaluable

Ints = NDArray[np.int64]


SHUFFLES = 999


def check(case: Case) -> list[CheckResult]:
    """Whether the output depends on the input, decisions are right, and classes are even."""
    if case.constant:
        return [CheckResult("task", "task", "FAIL", "The output is the same for every window.", 0.0)]
    if not case.has_classes:
        return [not_evaluable("task", "task", "model", "The output is no choice between classes.")]
    known = case.labels >= 0
    labels = case.labels[known]
    if len(labels) < 10 or len(np.unique(labels)) < 2:
        why = f"{len(labels)} windows have a label; ten or more of two classes are needed."
        return [not_evaluable("task", "task", "data", why)]
    return [_accuracy(case, case.decisions[known], labels), *_imbalance(case, labels)]


def _accuracy(case: Case, decisions: Ints, labels: Ints) -> CheckResult:
    """Whether decisions are right more often than by chance, and as often as the policy asks."""
    asked = case.policy.checks.task
    right = decisions == labels
    balanced, chance = _balanced(decisions, labels), 1 / len(np.unique(labels))
    p = _by_chance(decisions, labels, balanced, case.seeded("task"))
    low, high = stats.binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    evidence = {
        "accuracy": float(right.mean()), "low": float(low), "high": float(high), "balanced": balanced, "p": p,
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
    status: Status = "PASS" if good else "FAIL"
    return CheckResult("task", "task", status, said, balanced, least or chance, evidence=evidence)


def _balanced(decisions: Ints, labels: Ints) -> float:
    """The mean over classes of how many windows of the class are decided for it."""
    return float(np.mean([(decisions[labels == c] == c).mean() for c in np.unique(labels)]))


def _by_chance(decisions: Ints, labels: Ints, balanced: float, rng: np.random.Generator) -> float:
    """How often decisions that know nothing of the labels are as right: labels are shuffled among windows."""
    null = np.array([_balanced(decisions, rng.permutation(labels)) for _ in range(SHUFFLES)])
    return float((1 + (null >= balanced - 1e-12).sum()) / (1 + SHUFFLES))


def _imbalance(case: Case, labels: Ints) -> list[CheckResult]:
    """A note where most windows are of one class."""
    limit = case.policy.checks.task.imbalance
    counts = np.bincount(labels)
    most, largest = int(counts.argmax()), float(counts.max() / counts.sum())
    if largest <= limit:
        return []
    name = case.contract.classes[most] if case.contract.classes else most
    said = (
        f"Classes are uneven: {largest:.0%} of the labelled windows are {name}. Accuracy is taken over "
        "classes, and shares are means over windows, mostly of that class."
    )
    evidence = {"counts": counts.tolist()}
    return [CheckResult("task.imbalance", "data", "FAIL", said, largest, limit, evidence=evidence)]
