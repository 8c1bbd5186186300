"""One verdict from the results of all checks.

What decisions go along with when it is exchanged counts; what a heat map shows supports it, and never fails a
model alone. FAIL is for what no brain signal carries and for what the policy's `expects` leaves out, when
most decisions go with it. Nor is there a pass on the strength of checks that could not be made, or without a
word on what the task may use. What the data offers never counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..eeg.text import listed
from . import notebook
from .looked import Looked, looked_at
from .policy import Policy
from .result import USES, CheckResult, Overall
from .shown import Shown

FORMAT = 1
# Artefacts that every recording of a person has, and that are told by the electrodes that see them.
BODY = ("eyes", "heart", "muscle")
# Relevance warns alone only where the exchange of the same part leaves room for this much.
ROOM = 0.05
# Parts that decisions go with are named from here on, and so many of them.
LEADS, LEADING = 0.3, 4
SAID: Mapping[Overall, str] = {
    "PASS": "The model passes: no decision was seen to follow what it should not, in what could be checked.",
    "WARNING": "The model does not pass without a look at this.",
    "FAIL": "The model must not be deployed.",
    "NOT EVALUABLE": "There is no verdict, and so no pass.",
}
UNDECLARED = "What this model may use was not declared (`expects`): nothing could be held against it."


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
    looked : Looked
        What was looked at, what could not be, and what the gate has no account of.
    audit : mapping
        Hashes, versions, options, time.
    warning_exits : int
    shown : Shown or None
        What its picture shows; not in verdict.json.
    """

    status: Overall
    said: str
    reasons: tuple[str, ...]
    results: tuple[CheckResult, ...]
    waived: Mapping[str, str]
    artefacts: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()
    looked: Looked = field(default_factory=Looked)
    audit: Mapping[str, Any] = field(default_factory=dict)
    warning_exits: int = 0
    shown: Shown | None = field(default=None, compare=False, repr=False)

    def __repr__(self) -> str:
        return notebook.as_line(self)

    def _repr_html_(self) -> str:
        return notebook.as_box(self)

    @property
    def exit_code(self) -> int:
        """0 for PASS, what the policy says for WARNING, 1 for the rest."""
        return {"PASS": 0, "WARNING": self.warning_exits}.get(self.status, 1)

    @property
    def confirmed(self) -> CheckResult | None:
        """The smallest part that carries most of the decision, where there is one."""
        return next((r for r in self.results if r.check == "confirmed" and r.status == "PASS"), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON: verdict.json."""
        return {
            "format": FORMAT,
            "status": self.status,
            "said": self.said,
            "reasons": list(self.reasons),
            "confirmed": None if self.confirmed is None else self.confirmed.said,
            "artefacts": {k: list(v) for k, v in self.artefacts.items()},
            "results": [{**asdict(r), "evidence": dict(r.evidence)} for r in self.results],
            "looked": self.looked.to_dict(),
            "waived": dict(self.waived),
            "notes": list(self.notes),
            "audit": dict(self.audit),
        }


@dataclass(frozen=True)
class Findings:
    """The results of all checks, sorted by what they mean for the verdict.

    Attributes
    ----------
    confounded : tuple of CheckResult
        What makes any verdict on this data void: labels that go with the subject.
    hard : tuple of CheckResult
        Checks that failed, of which each fails the gate: exchanges, technical and task checks.
    open : tuple of CheckResult
        Whether the model does its task could not be said.
    soft : tuple of CheckResult
        Exchanges that warn.
    alone : tuple of CheckResult
        Signs by relevance that no exchange has answered.
    method : tuple of CheckResult
        Checks of the maps that failed, where no exchange has confirmed the map.
    declared : bool
        Whether the policy says what the task may use.
    looked : bool
        Whether anything could be exchanged.
    why_not : str
        Why nothing could.
    missing : tuple of str
        Artefacts that the policy requires to be exchanged, and none could.
    blind : dict of str to str
        Artefacts of the body that no check could look at for want of known electrodes -> why.
    unmeasured : tuple of CheckResult
        Regions that the policy holds to a number, and that no electrode is known to lie in.
    unseen : tuple of str
        Artefacts that were looked for and could not be exchanged.
    broken : tuple of CheckResult
        Checks that were begun, and ended in an error.
    unmade : tuple of str
        Checks of other packages that the policy requires, and that gave nothing.
    noted : tuple of CheckResult
        What the data offers, and what relevance says where the exchange says otherwise.
    confirmed : CheckResult or None
        The smallest part that decides.
    field : str
        Whose field goes with the decision, where no small part decides.
    leading : tuple of CheckResult
        The parts of the signal that decisions go with most.
    """

    confounded: tuple[CheckResult, ...]
    hard: tuple[CheckResult, ...]
    open: tuple[CheckResult, ...]
    soft: tuple[CheckResult, ...]
    alone: tuple[CheckResult, ...]
    method: tuple[CheckResult, ...]
    declared: bool
    looked: bool
    why_not: str
    missing: tuple[str, ...]
    blind: Mapping[str, str]
    unmeasured: tuple[CheckResult, ...]
    unseen: tuple[str, ...]
    broken: tuple[CheckResult, ...]
    unmade: tuple[str, ...]
    noted: tuple[CheckResult, ...]
    confirmed: CheckResult | None
    field: str
    leading: tuple[CheckResult, ...]

    @property
    def accused(self) -> frozenset[str]:
        """Artefacts that decisions go with."""
        return frozenset(r.artefact for r in (*self.hard, *self.soft) if r.role == "sign")

    @property
    def offered(self) -> frozenset[str]:
        """Artefacts that give the label away in this data."""
        return frozenset(r.artefact for r in self.noted if r.artefact and r.role == "data")


def decide(results: Sequence[CheckResult], waived: Mapping[str, str], policy: Policy) -> Verdict:
    """The verdict on a list of results.

    Parameters
    ----------
    results : sequence of CheckResult
    waived : mapping of str to str
        Checks that do not count, with the reason.
    policy : Policy
    """
    counted = [r for r in results if r.check not in waived]
    found = _findings(results, counted, policy)
    status = _status(found)
    signs = [r for r in counted if r.role == "sign" and r.status in ("FAIL", "WARNING")]
    named = dict.fromkeys(
        r.artefact or "unknown" for r in (*found.hard, *found.soft, *found.alone) if r in signs
    )
    return Verdict(
        status,
        SAID[status],
        tuple(dict.fromkeys(_reasons(found))),
        tuple(results),
        dict(waived),
        {
            artefact: tuple(r.check for r in signs if (r.artefact or "unknown") == artefact)
            for artefact in named
        },
        tuple(_notes(found)),
        looked_at(results),
        warning_exits=policy.warning_exits,
    )


def _findings(results: Sequence[CheckResult], counted: Sequence[CheckResult], policy: Policy) -> Findings:
    failed = [r for r in counted if r.status == "FAIL"]
    warned = [r for r in counted if r.status == "WARNING"]
    relevance = [r for r in (*failed, *warned) if r.role == "sign" and r.evidence_of == "relevance"]
    alone = [r for r in relevance if _unanswered(r, results)]
    confirmed = next((r for r in counted if r.check == "confirmed" and r.status == "PASS"), None)
    exchanged = [r for r in results if r.evidence_of == "exchange" and r.made]
    seen, unseen = _exchanged(results)
    blind = _blind(results)
    by_map = [r for r in (*failed, *warned) if r.role == "method"]
    method = tuple(r for r in by_map if confirmed is None or r.family not in ("faithfulness", "agreement"))
    return Findings(
        confounded=tuple(r for r in results if r.confounds),
        hard=tuple(sorted((r for r in failed if r.fails), key=_strength)),
        open=tuple(
            r for r in results if r.check in ("task", "task.subjects") and r.status == "NOT EVALUABLE"
        ),
        soft=tuple(sorted((r for r in warned if r.fails), key=_strength)),
        alone=tuple(alone),
        method=method,
        declared=policy.expects is not None,
        looked=bool(exchanged),
        why_not=next((r.said for r in results if r.family == "follows" and r.status == "NOT EVALUABLE"), ""),
        missing=_missing(results, seen, policy),
        blind=blind,
        unmeasured=tuple(filter(_unmeasured, results)),
        unseen=tuple(a for a in unseen if a not in blind),
        broken=tuple(r for r in results if r.why_not == "error"),
        unmade=_unmade(results, policy),
        noted=tuple(
            r for r in (*filter(_offers, results), *by_map, *relevance) if r not in alone and r not in method
        ),
        confirmed=confirmed,
        field=next(
            (
                r.said
                for r in counted
                if r.check == "confirmed" and r is not confirmed and r.evidence.get("field")
            ),
            "",
        ),
        leading=_most(results),
    )


def _unanswered(r: CheckResult, results: Sequence[CheckResult]) -> bool:
    """Whether no exchange of the same artefact says that hardly any decision goes with it."""
    answers = [
        other
        for other in results
        if other.role == "sign" and other.artefact == r.artefact and other.evidence_of == "exchange"
        and other.made
    ]  # fmt: skip
    return not answers or any((a.value or 0.0) >= ROOM for a in answers)


def _exchanged(results: Sequence[CheckResult]) -> tuple[set[str], tuple[str, ...]]:
    """Artefacts that were exchanged between windows, and those that should have been and could not."""
    asked = [r for r in results if r.role == "sign" and r.evidence_of == "exchange" and r.artefact]
    seen = {r.artefact for r in asked if r.made}
    return seen, tuple(dict.fromkeys(r.artefact for r in asked if r.artefact not in seen))


def _missing(results: Sequence[CheckResult], seen: set[str], policy: Policy) -> tuple[str, ...]:
    """Artefacts that the policy asks for and requires, and that could not be looked for."""
    asked = policy.checks.intervention
    wanted = [a for a in asked.required if asked.enabled and a in asked.artefacts and a not in seen]
    return tuple(a for a in wanted if _could_not(a, results))


def _could_not(artefact: str, results: Sequence[CheckResult]) -> bool:
    """Whether an artefact could not be looked for; one that is not in this data, or allowed, could."""
    about = [r for r in results if r.check == f"intervention.{artefact}"]
    return not any(r.why_not in ("data", "policy") for r in about)


def _blind(results: Sequence[CheckResult]) -> dict[str, str]:
    """Artefacts of the body that no check could see for want of known electrodes."""
    about = [r for r in results if r.role == "sign" and r.artefact in BODY]
    looked = {r.artefact for r in about if r.made}
    unknown = {r.artefact: r.said for r in reversed(about) if r.why_not == "electrodes"}
    return {a: unknown[a] for a in BODY if a in unknown and a not in looked}


def _unmade(results: Sequence[CheckResult], policy: Policy) -> tuple[str, ...]:
    """Checks of other packages that the policy requires, and that measured nothing."""
    made = {r.family for r in results if r.made}
    return tuple(n for n, other in policy.checks.other.items() if other.required and n not in made)


def _offers(r: CheckResult) -> bool:
    return r.role == "data" and r.status == "FAIL"


def _unmeasured(r: CheckResult) -> bool:
    return r.role == "technical" and r.why_not == "electrodes" and r.threshold is not None


def _status(found: Findings) -> Overall:
    if found.hard:
        return "FAIL"
    if found.confounded or _no_verdict(found):
        return "NOT EVALUABLE"
    warns = (found.soft, found.alone, found.method, found.blind, found.unmeasured, found.broken)
    return "WARNING" if any(warns) or not found.declared else "PASS"


def _reasons(found: Findings) -> Iterator[str]:
    """Why, most serious first."""
    for r in found.confounded:
        yield r.said
    if _status(found) == "NOT EVALUABLE" and _no_verdict(found):
        yield _no_verdict(found)
    if (found.hard or found.soft) and found.confirmed is not None:
        yield found.confirmed.said
    elif found.field and (found.hard or found.soft):
        yield found.field
    for r in _first_of_each(found.hard, found):
        yield f"Clever Hans: the model {_uses(r)}{_agree(r, found)}. {r.said}" if r.role == "sign" else r.said
    for r in _first_of_each(found.soft, found):
        yield f"A sign that the model {_uses(r)}{_agree(r, found)}: {r.said}" if r.role == "sign" else r.said
    if (found.hard or found.soft) and found.leading:
        yield _leading(found.leading)
    if not found.declared:
        yield UNDECLARED
    if not (found.hard or found.soft or found.declared):
        if found.confirmed is not None or found.field:
            yield found.field if found.confirmed is None else found.confirmed.said
        if found.leading:
            yield _leading(found.leading)
    for r in found.alone:
        if r.artefact in found.accused:
            continue
        yield f"Relevance suggests that the model {_uses(r)}: {r.said}"
    for artefact, why in found.blind.items():
        yield f"Whether the model {USES[artefact]} could not be looked for. {why}"
    for r in found.unmeasured:
        yield f"The policy holds {r.check} to a number that could not be measured. {r.said}"
    for r in found.broken:
        yield f"The check {r.check} was begun, and could not be finished. {r.said}"
    for r in found.method:
        yield f"Maps may mislead: {r.said}"


def _most(results: Sequence[CheckResult]) -> tuple[CheckResult, ...]:
    """The parts of the signal by itself that decisions go with most, few of them."""
    parts = [
        r
        for r in results
        if r.role == "follows" and (r.value or 0.0) >= LEADS and r.evidence.get("group") != "space"
        and r.evidence.get("judged") != "outside"
    ]  # fmt: skip
    return tuple(sorted(parts, key=lambda r: -(r.value or 0.0))[:LEADING])


def _leading(parts: Sequence[CheckResult]) -> str:
    each = [f"{r.evidence['part']} ({r.value:.0%})" for r in parts]
    return f"Of all parts of the signal, decisions go most with {listed(each, LEADING)}."


def _no_verdict(found: Findings) -> str:
    """Why nothing can be said of the model; empty where something can."""
    if not found.looked:
        return f"Nothing could be exchanged between windows: that is no pass. {found.why_not}".rstrip()
    if found.open:
        return found.open[0].said
    if found.missing:
        return f"The policy requires a look for {listed(found.missing)}, and there could be none."
    if found.unmade:
        return f"The policy requires the check {listed(found.unmade)}, and it could not be made."
    return ""


def _first_of_each(results: Sequence[CheckResult], found: Findings) -> Iterator[CheckResult]:
    """Results, but of each artefact the strongest alone, and none that a more serious one is about."""
    before = {r.artefact for r in found.hard} if results is found.soft else set()
    for r in results:
        if r.role == "sign" and r.artefact and r.artefact in before:
            continue
        if r.role == "sign":
            before.add(r.artefact)
        yield r


def _agree(r: CheckResult, found: Findings) -> str:
    """Which other checks say so, and whether the data offers it."""
    others = (*found.hard, *found.soft, *found.alone)
    names = sorted({o.check for o in others if o.artefact == r.artefact and o.role == "sign" and o is not r})
    said = [f"{listed(names, 6)} {'agree' if len(names) > 1 else 'agrees'}"] if names else []
    said += ["the data offers it"] if r.artefact in found.offered else []
    return f" ({'; '.join(said)})" if said else ""


def _uses(r: CheckResult) -> str:
    return USES.get(r.artefact, f"uses {r.artefact or 'an artefact'}")


def _notes(found: Findings) -> Iterator[str]:
    for r in found.noted:
        answered = r.role == "sign"
        yield f"{r.said} When it was exchanged, hardly any decision went with it." if answered else r.said
    if found.unseen:
        yield f"Not told apart in this data, and so not exchanged: {listed(found.unseen)}."


def _strength(r: CheckResult) -> tuple[int, float]:
    """What was asked of the model first, then what no brain signal carries; the strongest of each first."""
    of_machine = r.evidence.get("judged") == "machine"
    return (0 if r.role in ("technical", "task") else 1 if of_machine else 2, -(r.value or 0.0))
