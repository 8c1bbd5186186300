"""What do decisions follow, of all that a signal is made of?

No account of any artefact is needed: the signal is split by itself, in frequency, time and space, and each
part is exchanged between windows. What no brain signal carries, and what the task has no use for, decides
nothing in an honest model.
"""

from __future__ import annotations

from typing import Any

from ...eeg.exchange.pairs import NOTHING, Followed
from ...eeg.exchange.parts import LinearPart, SignalPart
from ...engine.steps import step
from ..case import Case
from ..result import CheckResult, Status, not_evaluable
from .exchange import said_of

NAME = "follows"
SOME = 0.01  # of a part's power: with less of it the task may use none of it
# Parts that may be the brain's, and are named where nobody said that the task uses them.
UNDECLARED = ("offset", "drift", "fast", "fast gain", "first", "last")


def check(case: Case) -> list[CheckResult]:
    """How far decisions go along with each part of the signal, and with what lies outside of `expects`."""
    why = case.nothing_to_exchange
    if why is not None:
        return [not_evaluable(NAME, "follows", "model", why)]
    results = []
    for part in (*case.outside, *case.signal_parts):
        step(f"exchanging {part.name}")
        results.append(_result(case, part, outside=part in case.outside))
    return results


def _result(case: Case, part: SignalPart, *, outside: bool) -> CheckResult:
    asked, name = case.policy.checks.follows, f"{NAME}.{part.name.replace(' ', '-')}"
    evidence: dict[str, Any] = {"part": part.said, "group": part.group}
    if case.pairs.changes(part) < NOTHING:
        said = f"Windows do not differ in {part.said}."
        return CheckResult(name, "follows", "PASS", said, 0.0, asked.max_follow, evidence=evidence)
    found = case.pairs.exchange(part)
    evidence |= found.numbers()
    judged = _judged(case, part, outside=outside)
    evidence["judged"] = judged
    evidence["expected"] = _expected(case, part)
    return CheckResult(
        name, "follows", _status(case, found, judged), said_of(case, part.said, found), found.beyond,
        asked.max_follow if judged else None, evidence=evidence,
    )  # fmt: skip


def _expected(case: Case, part: SignalPart) -> bool | None:
    """Whether the task may use a part: of its spectrum, or its electrodes; None where nobody says."""
    if case.expected is None or not isinstance(part, LinearPart):
        return None
    x = case.signal[:4]
    mine = part.project(x)
    within = part.project(case.expected.inside()(x))
    return bool((within**2).sum() > SOME * (mine**2).sum())


def _judged(case: Case, part: SignalPart, *, outside: bool) -> str:
    """As what a part counts against the model; empty where it does not."""
    if outside:
        return "outside"
    if part.group == "machine":
        return "machine"
    if part.name.startswith("alone"):
        return "alone"
    # With `expects` whatever else the task has no use for is in a part that lies outside; edges are in none.
    return "undeclared" if part.group == "edge" or (case.expected is None and part.name in UNDECLARED) else ""


def _status(case: Case, found: Followed, judged: str) -> Status:
    asked = case.policy.checks.follows
    # A part of the brain may be on one electrode alone, and most of a decision is not.
    warns = asked.max_follow if judged == "alone" else asked.warn_follow
    if not judged or found.low <= 0 or found.beyond <= warns:
        return "PASS"
    return "FAIL" if judged in ("outside", "machine") and found.beyond > asked.max_follow else "WARNING"
