"""The format of verdict.json, from which docs/verdict.schema.json is made."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from .result import Overall, Role, Status, WhyNot


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ResultFile(_Strict):
    """One check."""

    check: str = Field(description='Name, with what it is about behind a dot: "intervention.eyes".')
    role: Role
    status: Status
    said: str
    value: float | None = Field(description="What was measured.")
    threshold: float | None = Field(description="What it was held against.")
    artefact: str = Field(description='"eyes", "heart", "muscle", "mains", "electrode", "subject", or empty.')
    evidence: dict[str, Any]
    why_not: WhyNot | None = Field(
        default=None, description="The kind of reason for which nothing was measured."
    )


class HashedFile(_Strict):
    """A file, or what stands for one."""

    sha256: str
    file: str = ""
    text: dict[str, Any] | None = None


class AuditFile(_Strict):
    """What the verdict was made of."""

    model: HashedFile
    data: HashedFile
    policy: HashedFile
    windows: int
    subjects: int
    seed: int
    threads: int | None
    versions: dict[str, str]
    made: str = Field(description="ISO 8601, UTC.")
    decisions: list[str] = Field(description="What was decided on the recording, in words.")


class LookedFile(_Strict):
    """Kinds of cues: looked at, and not."""

    at: list[str] = Field(description="Exchanged between windows, or measured.")
    nothing: list[str] = Field(description="Windows hardly differ in it, or it was not found in this data.")
    not_at: dict[str, str] = Field(description="Could not be looked at -> why.")
    no_account: list[str] = Field(description="What the gate has no account of.")


class VerdictFile(_Strict):
    """verdict.json, as `onnxplain validate --out` writes it."""

    format: Literal[1]
    status: Overall
    said: str
    reasons: list[str] = Field(description="Most serious first.")
    confirmed: str | None = Field(
        description="The smallest part of the signal that carries most of the decision; null where none does."
    )
    artefacts: dict[str, list[str]] = Field(description="Artefact to the checks that are signs of it.")
    results: list[ResultFile]
    looked: LookedFile
    waived: dict[str, str] = Field(description="Checks that did not count, and the reason given.")
    notes: list[str]
    audit: AuditFile | dict[str, Any]
    drift: list[str] | None = Field(default=None, description="What changed against a stored verdict.")
