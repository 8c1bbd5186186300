"""What a check says: its status, the evidence, and the threshold it was held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..eeg.artefacts.glossary import EYE_PART

# REPORTED: nothing was required, so that there is nothing to pass; it never changes the verdict.
Status = Literal["PASS", "WARNING", "FAIL", "NOT EVALUABLE", "REPORTED"]
Overall = Literal["PASS", "WARNING", "FAIL", "NOT EVALUABLE"]

# Why a check could not be made.
#   electrodes: it is not known where the electrodes lie that it needs, or the model has none that serve
#   data: it was looked for, and there is none or too little of it in these windows, or in their labels
#   model: the output allows no such question, or the model has no electrode there at all
#   map: relevance lacks what is asked about, under this composite
#   policy: the policy does not ask for it (REPORTED)
#   error: it was begun, and could not be finished
WhyNot = Literal["electrodes", "data", "model", "map", "policy", "error"]

# Checks that exchange something between windows.
EXCHANGES = ("follows", "intervention", "components", "electrodes")

# What a check is about, and so what its failing means for the verdict.
#   follows: decisions go with a part of the signal that says nothing of the task; failing fails the gate
#   sign: the model uses an artefact; an exchange shows it, relevance supports it
#   technical: the explanation or the file is not what it should be; failing fails the gate
#   task: the model is right here less often than it should be; failing fails the gate
#   method: maps cannot be trusted on this model; failing warns
#   data: what the recording offers; never counts against the model
Role = Literal["follows", "sign", "technical", "task", "method", "data"]


@dataclass(frozen=True)
class CheckResult:
    """One line of a verdict.

    Attributes
    ----------
    check : str
        The check's name, with what it is about behind a dot: "intervention.eyes".
    role : Role
    status : {"PASS", "WARNING", "FAIL", "NOT EVALUABLE", "REPORTED"}
        REPORTED where nothing was required.
    said : str
        The outcome as a sentence.
    value, threshold : float or None
        What was measured, and the number it was held against.
    artefact : str
        For signs: "eyes", "heart", "muscle", "mains", "electrode" or "subject".
    evidence : mapping
        More numbers; anything JSON can hold.
    why_not : WhyNot or None
        The kind of reason for which nothing was measured, which `said` gives in words: of all that are NOT
        EVALUABLE, and of what is REPORTED as not asked for.
    """

    check: str
    role: Role
    status: Status
    said: str
    value: float | None = None
    threshold: float | None = None
    artefact: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    why_not: WhyNot | None = None

    @property
    def made(self) -> bool:
        """Whether something was measured."""
        return self.status != "NOT EVALUABLE" and self.why_not is None

    @property
    def confounds(self) -> bool:
        """Whether it says that on this data no verdict means anything: labels go with something else."""
        return self.status == "NOT EVALUABLE" and self.check in ("task.confounded", "task.mixed")

    @property
    def fails(self) -> bool:
        """Whether it fails the gate where it fails: exchanges do, and what is asked of the model."""
        if self.role == "sign":
            return self.evidence_of != "relevance"
        return self.role in ("follows", "technical", "task")

    @property
    def family(self) -> str:
        """The check's name without what it is about."""
        return self.check.partition(".")[0]

    @property
    def evidence_of(self) -> str:
        """The kind of evidence: what exchanges show, or what relevance shows."""
        if self.family in ("share", "clusters") or self.check.endswith(".share"):
            return "relevance"
        return "exchange" if self.family in EXCHANGES else self.family


def not_asked(check: str, role: Role, said: str, artefact: str = "") -> CheckResult:
    """A check of which the policy requires nothing, and that was not made for that."""
    return CheckResult(check, role, "REPORTED", said, artefact=artefact, why_not="policy")


# What an artefact's part is called in a sentence, and the artefact itself.
PARTS = {
    "eyes": EYE_PART,
    "heart": "the heart's part",
    "muscle": "the muscles' part",
    "mains": "the mains' part",
    "electrode": "a noisy electrode's part",
}
USES = {
    "eyes": "uses the eyes",
    "heart": "uses the heart",
    "muscle": "uses muscle",
    "mains": "uses the mains",
    "electrode": "uses noise of an electrode",
    "subject": "tells subjects apart",
    "session": "tells early from late in a recording",
}


def not_evaluable(
    check: str,
    role: Role,
    why_not: WhyNot,
    said: str,
    artefact: str = "",
    *,
    threshold: float | None = None,
) -> CheckResult:
    """A check that cannot be made, the kind of reason, and the reason as a sentence.

    With a threshold, it is one that the policy holds to a number of its own.
    """
    return CheckResult(
        check, role, "NOT EVALUABLE", said, threshold=threshold, artefact=artefact, why_not=why_not
    )
