"""Does the model do its task on this recording?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ...eeg.text import plain
from ..case import Case
from ..result import CheckResult, Status, not_evaluable
from .by_subject import by_subject, no_accuracy

Ints = NDArray[np.int64]


SHUFFLES = 999
ONE_CLASS = 0.95  # of a subject's windows: it has one class only
POWER = 0.8


def check(case: Case) -> list[CheckResult]:
    """Whether the output depends on the input, is right, for every subject too, and what labels go with."""
    if case.constant:
        return [CheckResult("task", "task", "FAIL", "The output is the same for every window.", 0.0)]
    if case.is_number and not case.has_classes:
        return [_number(case), *no_accuracy(case)]
    if not case.has_classes:
        return [not_evaluable("task", "task", "model", "The output is no choice between classes.")]
    known = case.labels >= 0
    labels = case.labels[known]
    if len(labels) < 10 or len(np.unique(labels)) < 2:
        why = f"{len(labels)} windows have a label; ten or more of two classes are needed."
        return [not_evaluable("task", "task", "data", why)]
    return [
        *_confounded(case, known),
        _accuracy(case, case.decisions[known], labels),
        *by_subject(case, known),
        *_imbalance(case, labels),
    ]


def _confounded(case: Case, known: NDArray[np.bool_]) -> list[CheckResult]:
    """Every subject, or every site, has one class alone: what tells them apart tells the classes apart."""
    group, label = np.array(case.groups)[known], case.labels[known]
    names = np.unique(group)
    most = [np.bincount(label[group == g]).max() / (group == g).sum() for g in names]
    if len(names) < 2 or min(most) < ONE_CLASS:
        return []
    said = (
        f"Labels go with the subject: each of the {len(names)} has windows of one class only, so that on "
        "this data whatever tells people, devices or sites apart gives the label away, and no verdict means "
        "anything."
    )
    return [not_evaluable("task.confounded", "task", "data", said)]


def _accuracy(case: Case, decisions: Ints, labels: Ints) -> CheckResult:
    """Whether decisions are right more often than by chance, and as often as the policy asks."""
    asked = case.policy.checks.task
    right = decisions == labels
    balanced, chance = _balanced(decisions, labels), 1 / len(np.unique(labels))
    p = _by_chance(decisions, labels, balanced, case.seeded("task"))
    low, high = _interval(decisions, labels, case.seeded("task interval"))
    evidence: dict[str, Any] = {
        "accuracy": float(right.mean()), "low": low, "high": high, "balanced": balanced, "p": p,
        "windows": len(right),
    }  # fmt: skip
    least = chance if asked.min_accuracy is None else max(chance, asked.min_accuracy)
    said = (
        f"Right in {right.sum()} of {len(right)} labelled windows ({balanced:.0%} over classes, {low:.0%} to "
        f"{high:.0%}; chance {chance:.0%}, p = {p:.2g})."
    )
    status: Status = "PASS"
    if high < least:
        status = "FAIL"
        than = (
            "by chance: are its classes in this order?" if least == chance else f"the {least:.0%} asked for."
        )
        said = f"It is right less often than {than} {said}"
    elif p > asked.max_p or balanced < least:
        needed = _needed(balanced, least, chance, asked.max_p)
        status, evidence["needed"] = "NOT EVALUABLE", needed
        said = f"Whether it does its task here is not shown. {said} {_more(needed, len(right))}"
    return CheckResult("task", "task", status, said, balanced, least, evidence=evidence,
                       why_not="data" if status == "NOT EVALUABLE" else None)  # fmt: skip


def _needed(accuracy: float, least: float, chance: float, p: float) -> int | None:
    """Windows that tell this accuracy from chance in four of five recordings; None where none do."""
    above = accuracy - chance if accuracy >= least else 0.0
    if above <= 0.005:
        return None
    z = stats.norm.ppf([1 - p, POWER]).sum()
    return int(np.ceil(z**2 * accuracy * (1 - accuracy) / above**2))


def _more(needed: int | None, n: int) -> str:
    if needed is None:
        return "At this accuracy more windows would hardly show it."
    return f"At this accuracy about {max(needed, n + 1)} windows would be needed."


def _interval(decisions: Ints, labels: Ints, rng: np.random.Generator) -> tuple[float, float]:
    """95 % of the accuracy over classes (Jeffreys' interval of each class, drawn together)."""
    draws = []
    for c in np.unique(labels):
        right, n = int((decisions[labels == c] == c).sum()), int((labels == c).sum())
        draws.append(rng.beta(right + 0.5, n - right + 0.5, SHUFFLES))
    low, high = np.quantile(np.mean(draws, axis=0), [0.025, 0.975])
    return float(low), float(high)


def _number(case: Case) -> CheckResult:
    """Whether an output that is a number goes with labels that are numbers."""
    asked, y, value = case.policy.checks.task, case.outputs.reshape(len(case.outputs)), case.values
    known = np.isfinite(value)
    if known.sum() < 10 or np.ptp(value[known]) == 0:
        why = (
            "The output is a number, and labels are none, or too few: nothing says whether it does its task."
        )
        return not_evaluable("task", "task", "data", why, threshold=0.0)
    y, value = y[known], value[known]
    r = float(np.corrcoef(y, value)[0, 1])
    rng = case.seeded("task")
    null = np.array([np.corrcoef(y, rng.permutation(value))[0, 1] for _ in range(SHUFFLES)])
    p = float((1 + (null >= r - 1e-12).sum()) / (1 + SHUFFLES))
    z, sd = np.arctanh(np.clip(r, -0.9999, 0.9999)), 1 / np.sqrt(len(y) - 3)  # Fisher's z
    low, high = (float(np.tanh(z + 1.96 * side * sd)) for side in (-1, 1))
    off = float(np.abs(y - value).mean())
    unit = f" {plain(case.asked.unit, 20)}" if case.contract.regresses else ""
    how = f"r = {r:.2f} ({low:.2f} to {high:.2f}, p = {p:.2g}), and is off by {off:.3g}{unit}."
    said = f"The output goes with the labels of {len(y)} windows by {how}"
    status: Status = "PASS"
    if high < 0:
        status, said = "FAIL", f"The output goes against the labels. {said}"
    elif p > asked.max_p:
        status, said = "NOT EVALUABLE", f"Whether it does its task here is not shown. {said}"
    evidence = {"r": r, "low": low, "high": high, "p": p, "mae": off}
    return CheckResult("task", "task", status, said, r, 0.0, evidence=evidence,
                       why_not="data" if status == "NOT EVALUABLE" else None)  # fmt: skip


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
