"""The gate's report for people: the verdict and its reason first, then every check with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..eeg.drawing.sections import Table
from ..eeg.reports.html import said_versions, write
from .result import CheckResult
from .verdict import Verdict

COLOURS = {"PASS": "#1b6e3c", "WARNING": "#8a5a00", "FAIL": "#a11a1a", "NOT EVALUABLE": "#555555"}


def write_report(verdict: Verdict, path: Path, drift: Sequence[str] | None = None) -> Path:
    """Write report.html.

    Parameters
    ----------
    verdict : Verdict
    path : Path
    drift : sequence of str, optional
        What has changed against a stored verdict; None where there is none.

    Returns
    -------
    Path
    """
    roles = dict.fromkeys(r.role for r in verdict.results)
    return write(
        "validation.html",
        path,
        verdict=verdict,
        colour=COLOURS[verdict.status],
        evidence=[
            (artefact, checks, _against(verdict, artefact)) for artefact, checks in verdict.artefacts.items()
        ],
        missing=[r.check for r in verdict.results if r.status == "NOT EVALUABLE"],
        drift=drift,
        checks={role: _checks(verdict, [r for r in verdict.results if r.role == role]) for role in roles},
        waived=Table(("check", "reason"), list(verdict.waived.items())) if verdict.waived else None,
        audit=_audit(verdict) if verdict.audit else None,
    )


def _against(verdict: Verdict, artefact: str) -> list[str]:
    """The checks that looked for a sign of this artefact and found none."""
    return [
        r.check for r in verdict.results if r.role == "sign" and r.artefact == artefact and r.status == "PASS"
    ]


def _checks(verdict: Verdict, results: Sequence[CheckResult]) -> Table:
    """Outcome, number and sentence of each check."""
    rows = []
    for r in results:
        outcome: str = "waived" if r.check in verdict.waived else r.status
        if r.status == "FAIL" and r.role in ("sign", "data") and outcome != "waived":
            outcome = "SIGN" if r.role == "sign" else "OFFERED"
        value = "" if r.value is None else f"{r.value:.3g}"
        limit = "" if r.threshold is None else f"{r.threshold:.3g}"
        rows.append((r.check.replace(".", ": "), outcome, value, limit, r.said))
    return Table(("check", "outcome", "measured", "threshold", "in words"), rows, (2, 3))


def _audit(verdict: Verdict) -> Table:
    """Files with their hashes, what was asked for, and versions."""
    audit = verdict.audit
    files = [
        (what, f"{audit[what].get('file', '')} (sha256 {audit[what]['sha256']})")
        for what in ("model", "data", "policy")
    ]
    asked = [(what, audit[what]) for what in ("windows", "subjects", "seed")]
    rows = [
        *files,
        *asked,
        ("threads", audit["threads"] or "one a core"),
        ("versions", said_versions(audit["versions"])),
        ("made", audit["made"]),
    ]
    return Table((), rows)
