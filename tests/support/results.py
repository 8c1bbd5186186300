"""Results of checks as a verdict gets them, without a model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from onnxplain.validation import Policy
from onnxplain.validation.expects import Expects
from onnxplain.validation.result import CheckResult, Role, Status, WhyNot, not_evaluable

DECLARED = Policy(version=1, expects=Expects(task="motor-imagery"))
UNDECLARED = Policy(version=1)


def made(
    check: str, role: Role, status: Status, artefact: str = "", value: float | None = 0.0, **evidence: Any
) -> CheckResult:
    return CheckResult(check, role, status, f"{check} said so.", value, 0.5, artefact, evidence)


def follows(
    part: str, status: Status, value: float = 0.0, judged: str = "", group: str = "band"
) -> CheckResult:
    """An exchange of a part of the signal."""
    return made(
        f"follows.{part}", "follows", status, "", value, part=f"the {part}", judged=judged, group=group,
        follows=value, low=value / 2, high=1.0,
    )  # fmt: skip


def exchanged(check: str, status: Status, value: float = 0.0) -> CheckResult:
    """An exchange of an artefact's part."""
    return made(check, "sign", status, _artefact(check), value, follows=value, low=value / 2, high=1.0)


def relevance(check: str, status: Status = "FAIL") -> CheckResult:
    """A sign by a map."""
    return made(check, "sign", status, _artefact(check), 2.0)


def unknown(check: str) -> CheckResult:
    """A sign that could not be looked for, since it is not known where the electrodes lie that it needs."""
    return not_evaluable(check, "sign", "electrodes", f"{check}: no known electrode.", _artefact(check))


def absent(check: str) -> CheckResult:
    """A sign of an artefact that was looked for, and is not in this data."""
    return not_evaluable(check, "sign", "data", f"{check}: there is none.", _artefact(check))


def held(why_not: WhyNot, threshold: float | None) -> CheckResult:
    """A region that the policy holds to a number, and that could not be measured."""
    return not_evaluable("share.frontal", "technical", why_not, "There is none.", threshold=threshold)


def _artefact(check: str) -> str:
    return check.partition(".")[2].partition(".")[0]


EYES = exchanged("intervention.eyes", "PASS")
GOOD = [made("ledger", "technical", "PASS"), made("task", "task", "PASS"), follows("gain", "PASS"), EYES]
CONFIRMED = made("confirmed", "method", "PASS", value=0.9)
UNCONFIRMED = not_evaluable("confirmed", "method", "map", "No small part decides.")
NOT_SHOWN = replace(made("task", "task", "NOT EVALUABLE"), why_not="data")
MIXED = not_evaluable("task.confounded", "task", "data", "Labels go with the subject.")
NOTHING = not_evaluable("follows", "follows", "model", "The output is constant.")
