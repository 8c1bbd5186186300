"""What a gate looked at, what it could not look at, and what it has no account of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .result import CheckResult

# What no exchange between these windows can show.
NO_ACCOUNT = (
    "cues that lie inside what the task may use, on its electrodes, in its bands and seconds",
    "cues that all windows of this data share, or that are in none of them",
    "subjects, devices and sites that are not in this data",
)


@dataclass(frozen=True)
class Looked:
    """Kinds of cues.

    Attributes
    ----------
    at : tuple of str
        Exchanged between windows, or measured.
    nothing : tuple of str
        Looked for: windows hardly differ in it, or it was not found in this data.
    not_at : dict of str to str
        Could not be looked at -> why.
    no_account : tuple of str
        What the gate has no account of.
    """

    at: tuple[str, ...] = ()
    nothing: tuple[str, ...] = ()
    not_at: Mapping[str, str] = field(default_factory=dict)
    no_account: tuple[str, ...] = NO_ACCOUNT

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "at": list(self.at), "nothing": list(self.nothing), "not_at": dict(self.not_at),
            "no_account": list(self.no_account),
        }  # fmt: skip


def looked_at(results: Sequence[CheckResult]) -> Looked:
    """Sort what was looked at, by kind.

    Parameters
    ----------
    results : sequence of CheckResult
        Of all checks.
    """
    at: dict[str, None] = {}
    nothing: dict[str, None] = {}
    not_at: dict[str, str] = {}
    for r in results:
        kind = _kind(r)
        if not kind:
            continue
        if r.made:
            (nothing if r.role == "follows" and "follows" not in r.evidence else at)[kind] = None
        elif r.why_not == "data" and r.artefact:
            nothing[kind] = None
        else:
            not_at.setdefault(kind, r.said)
    return Looked(
        tuple(at),
        tuple(k for k in nothing if k not in at),
        {k: why for k, why in not_at.items() if k not in at and k not in nothing},
    )


def _kind(r: CheckResult) -> str:
    """What kind of cue a result is about; empty for none."""
    if r.role == "follows":
        return r.check.partition(".")[2].replace("-", " ") or "parts of the signal"
    if r.role == "sign" and r.evidence_of != "relevance":
        return r.artefact or ("independent components" if r.family == "components" else r.family)
    return ""
