"""What a check says of an artefact or a region that it could not look at."""

from __future__ import annotations

from ...eeg.electrodes.regions import said_unknown
from ..case import Case
from ..result import PARTS, CheckResult, WhyNot, not_evaluable


def untold(case: Case, check: str, kind: str) -> CheckResult:
    """The result for an artefact whose part is not known, of one that is asked for."""
    missing = case.missing[kind]
    said = f"{PARTS[kind].capitalize()} could not be told apart in these windows. {missing.said}"
    return not_evaluable(check, "sign", missing.why, said, kind)


def no_electrodes(case: Case, check: str, region: str, limit: float) -> CheckResult:
    """The result for a region that the policy holds to a number, and that no electrode is known to lie in."""
    said = f"The model has no {region} electrode. {said_unknown(case.windows.channels)}".rstrip()
    why_not: WhyNot = "electrodes" if case.unplaced else "model"
    return not_evaluable(check, "technical", why_not, said, threshold=limit)
