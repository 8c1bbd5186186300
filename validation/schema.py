"""The format of verdict.json, from which docs/verdict.schema.json is made."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from .result import WhyNot


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ResultFile(_Strict):
    """One check."""

    check: str = Field(description='Name, with what it is about behind a dot: "intervention.eyes".')
    role: Literal["sign", "technical", "task", "method", "data"]
    status: Literal["PASS", "FAIL", "NOT EVALUABLE"]
    said: str
    value: float | None = Field(description="What was measured.")
    threshold: float | None = Field(description="What it was held against.")
    artefact: str = Field(description='"eyes", "heart", "muscle", "mains", "subject", or empty.')
    evidence: dict[str, Any]
    why_not: WhyNot | None = Field(default=None, description="For NOT EVALUABLE the kind of reason.")


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


class VerdictFile(_Strict):
    """verdict.json, as `onnxplain validate --out` writes it."""

    format: Literal[1]
    status: Literal["PASS", "WARNING", "FAIL", "NOT EVALUABLE"]
    said: str
    reasons: list[str] = Field(description="Most serious first.")
    artefacts: dict[str, list[str]] = Field(description="Artefact to the checks that are signs of it.")
    results: list[ResultFile]
    waived: dict[str, str] = Field(description="Checks that did not count, and the reason given.")
    notes: list[str]
    audit: AuditFile | dict[str, Any]
    drift: list[str] | None = Field(default=None, description="What changed against a stored verdict.")
