"""One verdict from the results of all checks.

A heat map can look right while the model is wrong, so no verdict rests on one sign alone: FAIL for a shortcut
needs two unlike signs about the model on the same artefact; one is a WARNING. What the data offers never
counts. Nor is there a pass on the strength of checks that could not be made: an artefact that could not be
looked for, since it is not known which electrodes see it, is named in a WARNING, and where none of the body's
could be looked at there is no verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..eeg.text import listed
from .policy import Policy
from .result import USES, CheckResult, Overall

FORMAT = 1
# Artefacts that every recording of a person has, and that are told by the electrodes that see them.
BODY = ("eyes", "heart", "muscle")
SAID: Mapping[Overall, str] = {
    "PASS": "The model passes: no sign that it uses an artefact, on what could be checked here.",
    "WARNING": "The model passes with a warning: look at this before it is deployed.",
    "FAIL": "The model must not be deployed.",
    "NOT EVALUABLE": "There is no verdict, and so no pass.",
}


@dataclass(frozen=True)
class Verdict:
    """What the gate says of a model.

    Attributes
    ----------
    status : {"PASS", "WARNING", "FAIL", "NOT EVALUABLE"}
    said : str
        The consequence, and its first reason.
    reasons : tuple of str
        Why, most serious first.
    results : tuple of CheckResult
        Of every check.
    waived : dict of str to str
        Checks whose failing was waived, and the reason given.
    artefacts : dict of str to tuple of str
        Artefact -> checks that are signs of it.
    notes : tuple of str
    audit : mapping
        Hashes, versions, options, time.
    warning_exits : int
    """

    status: Overall
    said: str
    reasons: tuple[str, ...]
    results: tuple[CheckResult, ...]
    waived: Mapping[str, str]
    artefacts: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()
    audit: Mapping[str, Any] = field(default_factory=dict)
    warning_exits: int = 0

    @property
    def exit_code(self) -> int:
        """0 for PASS, what the policy says for WARNING, 1 for the rest."""
        return {"PASS": 0, "WARNING": self.warning_exits}.get(self.status, 1)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON: verdict.json."""
        return {
            "format": FORMAT,
            "status": self.status,
            "said": self.said,
            "reasons": list(self.reasons),
            "artefacts": {k: list(v) for k, v in self.artefacts.items()},
            "results": [{**asdict(r), "evidence": dict(r.evidence)} for r in self.results],
            "waived": dict(self.waived),
            "notes": list(self.notes),
            "audit": dict(self.audit),
        }


@dataclass(frozen=True)
class Findings:
    """The results of all checks, sorted by what they mean for the verdict.

    Attributes
    ----------
    hard : tuple of CheckResult
        Technical and task checks that failed: each of them fails the gate.
    method : tuple of CheckResult
        Checks of the maps that failed: each of them warns.
    double, single : dict of str to tuple of CheckResult
        Artefact -> signs of it, the strongest artefact first: unlike ones, and of one kind alone.
    looked : bool
        Whether any check for shortcuts could be made.
    missing : tuple of str
        Artefacts that the policy requires to be exchanged, and none could.
    blind : dict of str to str
        Artefacts of the body that no check could look at for want of known electrodes -> why.
    body : bool
        Whether any artefact of the body could be looked at.
    unmeasured : tuple of CheckResult
        Regions that the policy holds to a number, and that no electrode is known to lie in.
    unseen : tuple of str
        Artefacts that were looked for and could not be exchanged.
    broken : tuple of CheckResult
        Checks that were begun, and ended in an error.
    unmade : tuple of str
        Checks of other packages that the policy requires, and that gave nothing.
    noted : tuple of CheckResult
        What the data offers.
    """

    hard: tuple[CheckResult, ...]
    method: tuple[CheckResult, ...]
    double: Mapping[str, tuple[CheckResult, ...]]
    single: Mapping[str, tuple[CheckResult, ...]]
    looked: bool
    missing: tuple[str, ...]
    blind: Mapping[str, str]
    body: bool
    unmeasured: tuple[CheckResult, ...]
    unseen: tuple[str, ...]
    broken: tuple[CheckResult, ...]
    unmade: tuple[str, ...]
    noted: tuple[CheckResult, ...]

    @property
    def offered(self) -> frozenset[str]:
        """Artefacts that give the label away in this data."""
        return frozenset(r.artefact for r in self.noted if r.artefact)


def decide(results: Sequence[CheckResult], waived: Mapping[str, str], policy: Policy) -> Verdict:
    """The verdict on a list of results.

    Parameters
    ----------
    results : sequence of CheckResult
    waived : mapping of str to str
        Checks that do not count, with the reason.
    policy : Policy
    """
    failed = [r for r in results if r.status == "FAIL" and r.check not in waived]
    signs = _signs(failed)
    found = _findings(results, failed, signs, policy)
    status = _status(found)
    return Verdict(
        status,
        SAID[status],
        tuple(dict.fromkeys(_reasons(found))),
        tuple(results),
        dict(waived),
        {artefact: tuple(r.check for r in each) for artefact, each in signs.items()},
        tuple(_notes(found)),
        warning_exits=policy.warning_exits,
    )


def _signs(failed: Sequence[CheckResult]) -> dict[str, tuple[CheckResult, ...]]:
    """Artefact -> the signs of it, in the order of the checks."""
    signs: dict[str, tuple[CheckResult, ...]] = {}
    for r in failed:
        if r.role == "sign":
            artefact = r.artefact or "unknown"
            signs[artefact] = (*signs.get(artefact, ()), r)
    return signs


def _findings(
    results: Sequence[CheckResult],
    failed: Sequence[CheckResult],
    signs: Mapping[str, tuple[CheckResult, ...]],
    policy: Policy,
) -> Findings:
    double, single = _weighed(signs)
    seen, unseen = _exchanged(results)
    missing = tuple(a for a in policy.checks.intervention.required if a not in seen)
    blind, body = _body(results)
    return Findings(
        hard=tuple(r for r in failed if r.role in ("technical", "task")),
        method=tuple(r for r in failed if r.role == "method"),
        double=double,
        single=single,
        looked=any(map(_looks, results)),
        missing=missing,
        blind=blind,
        body=body,
        unmeasured=tuple(filter(_unmeasured, results)),
        unseen=tuple(a for a in unseen if a not in blind),
        broken=tuple(r for r in results if r.why_not == "error"),
        unmade=_unmade(results, policy),
        noted=tuple(filter(_offers, results)),
    )


def _weighed(
    signs: Mapping[str, tuple[CheckResult, ...]],
) -> tuple[dict[str, tuple[CheckResult, ...]], dict[str, tuple[CheckResult, ...]]]:
    """Artefacts with signs of unlike kinds, and those with signs of one kind alone."""
    # Several artefacts move together: a blink is on electrodes over muscles too. The strongest one leads.
    order = sorted(signs, key=lambda artefact: -_strength(signs[artefact]))
    double = [a for a in order if len({r.evidence_of for r in signs[a]}) > 1]
    return {a: signs[a] for a in double}, {a: signs[a] for a in order if a not in double}


def _exchanged(results: Sequence[CheckResult]) -> tuple[set[str], tuple[str, ...]]:
    """Artefacts that were exchanged between windows, and those that should have been and could not."""
    asked = [r for r in results if r.evidence_of == "exchange" and r.artefact]
    seen = {r.artefact for r in asked if r.status != "NOT EVALUABLE"}
    return seen, tuple(dict.fromkeys(r.artefact for r in asked if r.artefact not in seen))


def _body(results: Sequence[CheckResult]) -> tuple[dict[str, str], bool]:
    """Artefacts of the body that no check could see for want of known electrodes; whether any was seen."""
    about = [r for r in results if r.role == "sign" and r.artefact in BODY]
    looked = {r.artefact for r in about if r.status != "NOT EVALUABLE"}
    unknown = {r.artefact: r.said for r in reversed(about) if r.why_not == "electrodes"}
    return {a: unknown[a] for a in BODY if a in unknown and a not in looked}, bool(looked)


def _unmade(results: Sequence[CheckResult], policy: Policy) -> tuple[str, ...]:
    """Checks of other packages that the policy requires, and that have no result but NOT EVALUABLE."""
    made = {r.family for r in results if r.status != "NOT EVALUABLE"}
    return tuple(n for n, other in policy.checks.other.items() if other.required and n not in made)


def _looks(r: CheckResult) -> bool:
    return r.role == "sign" and r.status != "NOT EVALUABLE"


def _offers(r: CheckResult) -> bool:
    return r.role == "data" and r.status == "FAIL"


def _unmeasured(r: CheckResult) -> bool:
    return r.role == "technical" and r.why_not == "electrodes" and r.threshold is not None


def _status(found: Findings) -> Overall:
    if found.double or found.hard:
        return "FAIL"
    if _no_verdict(found):
        return "NOT EVALUABLE"
    if found.single or found.method or found.blind or found.unmeasured or found.broken:
        return "WARNING"
    return "PASS"


def _reasons(found: Findings) -> Iterator[str]:
    """Why, most serious first."""
    if _status(found) == "NOT EVALUABLE":
        yield _no_verdict(found)
    for artefact, each in found.double.items():
        yield _clever_hans(artefact, each, artefact in found.offered)
    for r in found.hard:
        yield r.said
    for artefact, each in found.single.items():
        yield f"One sign that the model {_uses(artefact)}: {each[0].said}"
    for artefact, why in found.blind.items():
        yield f"Whether the model {_uses(artefact)} could not be looked for. {why}"
    for r in found.unmeasured:
        yield f"The policy holds {r.check} to a number that could not be measured. {r.said}"
    for r in found.broken:
        yield f"The check {r.check} was begun, and could not be finished. {r.said}"
    for r in found.method:
        yield f"Maps may mislead: {r.said}"


def _no_verdict(found: Findings) -> str:
    """Why nothing can be said of the model; empty where something can."""
    if not found.looked:
        return "No check for shortcuts could be made: that is no pass."
    if found.missing:
        return f"The policy requires a look for {listed(found.missing)}, and there could be none."
    if found.unmade:
        return f"The policy requires the check {listed(found.unmade)}, and it could not be made."
    if found.blind and not found.body:
        return "Neither eyes, heart nor muscle could be looked at: that is no pass."
    return ""


def _clever_hans(artefact: str, signs: Sequence[CheckResult], offered: bool) -> str:
    families = listed(sorted({r.family for r in signs}))
    also = "; the data offers it" if offered else ""
    # What an exchange shows is about decisions, and easier to follow than shares of relevance.
    first = next((r.said for r in signs if r.evidence_of == "exchange"), signs[0].said)
    return f"Clever Hans: the model {_uses(artefact)} ({families} agree{also}). {first}"


def _uses(artefact: str) -> str:
    return USES.get(artefact, f"uses {artefact}")


def _notes(found: Findings) -> Iterator[str]:
    for r in found.noted:
        yield r.said
    if found.unseen:
        yield f"Not told apart in this data, and so not exchanged: {listed(found.unseen)}."


def _strength(signs: Sequence[CheckResult]) -> float:
    """How far a sign is past its threshold; exchanges lead."""
    return max(
        (r.value or 0.0) / max(r.threshold or 1.0, 1e-9) * (10 if r.evidence_of == "exchange" else 1)
        for r in signs
    )
