"""Is the model right for every subject, or for some of them and not for others?

A mean over subjects hides the one for whom a device does not work.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...eeg.text import counted, listed, plain
from ..case import Case
from ..result import CheckResult, Status, not_evaluable

Ints = NDArray[np.int64]

NAME = "task.subjects"
FEWEST = 10  # labelled windows of a subject, of two classes or more
DRAWS = 20_000
MOST = 6  # subjects that a sentence names


@dataclass(frozen=True)
class OfSubject:
    """How often decisions are right in one subject's windows.

    Attributes
    ----------
    subject : str
    windows, right : int
        Labelled windows, and those decided for their label.
    accuracy : float
        Mean over the classes that the subject has windows of.
    low, high : float
        Its interval, which holds for all subjects together in 95 % of data sets (Bonferroni): of many
        subjects one is far off by chance.
    enough : bool
        Whether there are windows enough, and of two classes.
    """

    subject: str
    windows: int
    right: int
    accuracy: float
    low: float
    high: float
    enough: bool

    @property
    def said(self) -> str:
        """In words, with the number of windows and the interval."""
        return (
            f"{self.subject} ({self.accuracy:.0%}, {self.low:.0%} to {self.high:.0%}, of "
            f"{counted(self.windows, 'window')})"
        )


def by_subject(case: Case, known: NDArray[np.bool_]) -> list[CheckResult]:
    """Accuracy of each subject, the worst one named; nothing of one subject, unless the policy asks for it.

    Parameters
    ----------
    case : Case
    known : ndarray of bool, shape (window,)
        Windows with a label.
    """
    least = case.policy.checks.task.min_subject_accuracy
    each = _each(case, known)
    if len(each) < 2 and least is None:
        return []
    table = [asdict(one) for one in each]
    able, unable = [s for s in each if s.enough], [s for s in each if not s.enough]
    worst = able[0] if able else None
    evidence: dict[str, Any] = {"subjects": table, "worst": None if worst is None else worst.subject}
    value = None if worst is None else worst.accuracy
    few = (
        f"{counted(len(unable), 'subject')} ({listed([s.subject for s in unable], MOST)}) "
        f"{'has' if len(unable) == 1 else 'have'} fewer than {FEWEST} labelled windows, or one class only."
        if unable
        else ""
    )
    said = f"Of {counted(len(able), 'subject')} it is right least often for {worst.said}." if worst else ""
    if least is None:
        return [
            CheckResult(NAME, "task", "REPORTED", f"{said} {few}".strip(), value, None, evidence=evidence)
        ]
    asked = f"the {least:.0%} asked for of every subject"
    below = [s for s in able if s.high < least]
    unsure = [s for s in able if s.accuracy < least <= s.high]
    status: Status = "PASS"
    if below:
        status, names = "FAIL", listed([s.said for s in below], MOST)
        said = f"It is not right as often as {asked} for {names}."
    elif unable or unsure:
        status, names = "NOT EVALUABLE", listed([s.said for s in unsure], MOST)
        said = f"Whether it is right as often as {asked} is not shown{f' for {names}' if unsure else ''}."
        said = f"{said} {few}".rstrip()
    return [
        CheckResult(NAME, "task", status, said, value, least, evidence=evidence,
                    why_not="data" if status == "NOT EVALUABLE" else None)
    ]  # fmt: skip


def no_accuracy(case: Case) -> list[CheckResult]:
    """What a policy that asks for an accuracy is told of an output that is a number."""
    least = case.policy.checks.task.min_subject_accuracy
    if least is None:
        return []
    why = (
        "The policy asks for an accuracy of every subject (min_subject_accuracy), and the output is a number."
    )
    return [not_evaluable(NAME, "task", "model", why, threshold=least)]


def _each(case: Case, known: NDArray[np.bool_]) -> list[OfSubject]:
    """Every subject with labelled windows, least often right first; those with too few last."""
    who, label, said = np.array(case.groups)[known], case.labels[known], case.decisions[known]
    names = np.unique(who)
    rng, tail = case.seeded(NAME), 0.025 / max(len(names), 1)
    found = []
    for name in names:
        mine = who == name
        classes = np.unique(label[mine])
        # Jeffreys' interval of each class, drawn together: as for all windows.
        hits = [
            (int((said[mine & (label == c)] == c).sum()), int((mine & (label == c)).sum())) for c in classes
        ]
        draws = np.mean([rng.beta(k + 0.5, n - k + 0.5, DRAWS) for k, n in hits], axis=0)
        low, high = (float(q) for q in np.quantile(draws, [tail, 1 - tail]))
        n = int(mine.sum())
        found.append(
            OfSubject(
                plain(str(name), 40), n, sum(k for k, _ in hits), float(np.mean([k / m for k, m in hits])),
                low, high, n >= FEWEST and len(classes) > 1,
            )
        )  # fmt: skip
    return sorted(found, key=lambda s: (not s.enough, s.accuracy, s.subject))
