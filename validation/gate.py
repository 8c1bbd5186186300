"""The gate: every check of a policy, and one verdict.

A heat map can look right while the model is wrong, so no verdict rests on one sign alone: FAIL for a shortcut
needs two unlike signs about the model on the same artefact; one is a WARNING. What the data offers never
counts.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..eeg.explained import versions
from ..eeg.provenance import sha256_of_all
from ..eeg.text import listed, plain
from ..engine.contract import InputContract
from ..engine.errors import OnnxplainError
from ..engine.steps import step
from .case import Case, open_case
from .checks import CHECKS
from .policy import Policy
from .result import USES, Overall, Result

FORMAT = 1


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
    results : tuple of Result
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
    results: tuple[Result, ...]
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


class Gate:
    """A policy, ready to be run on models.

    Parameters
    ----------
    policy : Policy, path-like or None
        A policy, a YAML file, or None for the defaults.
    today : datetime.date, optional
        What waivers are held against; by default the machine's date.

    Examples
    --------
    >>> verdict = Gate("policy.yaml").run("model.onnx", "recording.edf")  # doctest: +SKIP
    >>> verdict.status  # doctest: +SKIP
    'PASS'
    """

    def __init__(
        self, policy: Policy | str | Path | None = None, *, today: datetime.date | None = None
    ) -> None:
        if policy is None:
            policy = Policy(version=1)
        self.policy = policy if isinstance(policy, Policy) else Policy.from_file(policy)
        self._today = today

    def run(
        self,
        model: str | Path,
        data: str | Path,
        *,
        contract: InputContract | None = None,
        threads: int | None = None,
    ) -> Verdict:
        """Hold a model against the policy.

        Parameters
        ----------
        model : path-like
            ONNX file.
        data : path-like
            A recording, or a dataset of several (a subject each).
        contract : InputContract, optional
            In place of the one in the model's metadata.
        threads : int, optional

        Returns
        -------
        Verdict

        Raises
        ------
        OnnxplainError
            Model or data cannot be used: there is no verdict then, and never a PASS.
        """
        model, data = Path(model), Path(data)
        case = open_case(model, data, self.policy, contract=contract, threads=threads)
        return self.judge(case, audit=_audit(case, data, self.policy, threads))

    def judge(self, case: Case, *, audit: Mapping[str, Any] | None = None) -> Verdict:
        """Run the checks on a case that is open already."""
        results: list[Result] = []
        for name, check in CHECKS.items():
            if not getattr(self.policy.checks, name).enabled:
                continue
            step(f"checking: {name}")
            try:
                results += check(case)
            except OnnxplainError as e:
                results.append(Result(name, "technical", "NOT EVALUABLE", plain(e, 300)))
        waived, expired = self._waived(results)
        verdict = decide(results, waived, self.policy)
        notes = [*case.notes, *expired]
        return replace(verdict, notes=(*verdict.notes, *notes), audit=dict(audit or {}))

    def _waived(self, results: Sequence[Result]) -> tuple[dict[str, str], list[str]]:
        today = self._today or datetime.datetime.now(tz=datetime.UTC).date()
        found, notes = {}, []
        for w in self.policy.waivers:
            hit = [r.check for r in results if r.status == "FAIL" and w.check in (r.check, r.family)]
            if w.until < today:
                if hit:
                    notes.append(f"The waiver of {w.check} expired on {w.until}; it does not count any more.")
                continue
            found.update(dict.fromkeys(hit, f"{plain(w.reason, 200)} (until {w.until})"))
        return found, notes


def decide(results: Sequence[Result], waived: Mapping[str, str], policy: Policy) -> Verdict:
    """The verdict on a list of results.

    Parameters
    ----------
    results : sequence of Result
    waived : mapping of str to str
        Checks that do not count, with the reason.
    policy : Policy
    """
    failed = [r for r in results if r.status == "FAIL" and r.check not in waived]
    hard = [r for r in failed if r.role in ("technical", "task")]
    signs: dict[str, list[Result]] = {}
    for r in failed:
        if r.role == "sign":
            signs.setdefault(r.artefact or "unknown", []).append(r)
    offered = {r.artefact for r in results if r.role == "data" and r.status == "FAIL" and r.artefact}
    double = {a: each for a, each in signs.items() if len({r.evidence_of for r in each}) > 1}
    single = {a: each for a, each in signs.items() if a not in double}
    # Several artefacts move together: a blink is on electrodes over muscles too. The strongest one leads.
    reasons = []
    for artefact, each in sorted(double.items(), key=lambda kv: -_strength(kv[1])):
        families = listed(sorted({r.family for r in each}))
        also = "; the data offers it" if artefact in offered else ""
        what = USES.get(artefact, f"uses {artefact}")
        first = next((r.said for r in each if r.evidence_of == "exchange"), each[0].said)
        reasons.append(f"Clever Hans: the model {what} ({families} agree{also}). {first}")
    reasons += [r.said for r in hard]
    for artefact, each in sorted(single.items(), key=lambda kv: -_strength(kv[1])):
        what = USES.get(artefact, f"uses {artefact}")
        reasons.append(f"One sign that the model {what}: {each[0].said}")
    reasons += [f"Maps may mislead: {r.said}" for r in failed if r.role == "method"]
    evaluable = [r for r in results if r.status != "NOT EVALUABLE"]
    looked = [r for r in evaluable if r.role == "sign"]
    status: Overall
    asked = policy.checks.intervention
    exchanged = [r for r in results if r.evidence_of == "exchange" and r.artefact]
    seen = {r.artefact for r in exchanged if r.status != "NOT EVALUABLE"}
    unseen = [a for a in dict.fromkeys(r.artefact for r in exchanged) if a not in seen]
    missing = [a for a in asked.required if a not in seen]
    if double or hard:
        status = "FAIL"
    elif not looked:
        status = "NOT EVALUABLE"
        reasons.insert(0, "No check for shortcuts could be made: that is no pass.")
    elif missing:
        status = "NOT EVALUABLE"
        reasons.insert(0, f"The policy requires a look for {listed(missing)}, and there could be none.")
    elif single or any(r.role == "method" for r in failed):
        status = "WARNING"
    else:
        status = "PASS"
    said = {
        "PASS": "The model passes: no sign that it uses an artefact, on what could be checked here.",
        "WARNING": "The model passes with a warning: look at this before it is deployed.",
        "FAIL": "The model must not be deployed.",
        "NOT EVALUABLE": "There is no verdict, and so no pass.",
    }[status]
    artefacts = {a: tuple(r.check for r in each) for a, each in signs.items()}
    notes = [r.said for r in results if r.role == "data" and r.status == "FAIL"]
    if unseen:
        notes.append(f"Not told apart in this data, and so not exchanged: {listed(unseen)}.")
    return Verdict(
        status, said, tuple(dict.fromkeys(reasons)), tuple(results), dict(waived), artefacts,
        tuple(notes), warning_exits=policy.warning_exits,
    )  # fmt: skip


def _strength(each: Sequence[Result]) -> float:
    """How far a sign is past its threshold; interventions lead."""
    return max(
        (r.value or 0.0) / max(r.threshold or 1.0, 1e-9) * (10 if r.evidence_of == "exchange" else 1)
        for r in each
    )


def _audit(case: Case, data: Path, policy: Policy, threads: int | None) -> dict[str, Any]:
    return {
        "model": {"file": plain(case.model.name), "sha256": case.explainer.sha256},
        "data": {"file": plain(data.name), "sha256": sha256_of_all(data)},
        "policy": {"sha256": policy.digest(), "text": policy.model_dump(mode="json")},
        "windows": len(case.windows),
        "subjects": len(set(case.groups)),
        "seed": policy.seed,
        "threads": threads,
        "versions": versions(),
        "made": datetime.datetime.now(tz=datetime.UTC).isoformat(timespec="seconds"),
        "decisions": list(case.windows.decisions),
    }
