"""The gate's report for people: the verdict and its reason first, then every check with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..eeg.drawing.sections import Table
from ..eeg.reports.html import said_versions, write
from ..eeg.reports.links import Link, files
from .checks.by_subject import NAME as BY_SUBJECT
from .outputs import AUDIT, CARD, JSON, JUNIT
from .picture import pictures
from .result import PARTS, CheckResult
from .verdict import Verdict

COLOURS = {"PASS": "#1b6e3c", "WARNING": "#8a5a00", "FAIL": "#a11a1a", "NOT EVALUABLE": "#555555"}
REPORTED = "#777777"
FILES = (JSON, JUNIT, CARD, AUDIT)


def write_report(
    verdict: Verdict, path: Path, drift: Sequence[str] | None = None, links: Sequence[Link] = ()
) -> Path:
    """Write report.html, and beside it the figures of its first screen.

    Parameters
    ----------
    verdict : Verdict
    path : Path
    drift : sequence of str, optional
        What has changed against a stored verdict; None where there is none.
    links : sequence of Link
        Other reports of the run; files of the page's own folder are linked by themselves.

    Returns
    -------
    Path
    """
    rows = followed(verdict.results)
    roles = dict.fromkeys(r.role for r in verdict.results)
    return write(
        "validation.html",
        path,
        verdict=verdict,
        colour=COLOURS[verdict.status],
        pictures=[] if verdict.shown is None else pictures(verdict.shown, path.parent),
        evidence=[
            (artefact, checks, _against(verdict, artefact)) for artefact, checks in verdict.artefacts.items()
        ],
        confirmed=None if verdict.confirmed is None else verdict.confirmed.said,
        followed=rows,
        tasks=[r for r in rows if r.kind == EXPECTED],
        looked=verdict.looked,
        subjects=_subjects(verdict.results),
        missing=[r.check for r in verdict.results if r.status == "NOT EVALUABLE"],
        drift=drift,
        links=[*links, *files(path.parent, FILES)],
        checks={role: _checks(verdict, [r for r in verdict.results if r.role == role]) for role in roles},
        waived=Table(("check", "reason"), list(verdict.waived.items())) if verdict.waived else None,
        audit=_audit(verdict) if verdict.audit else None,
    )


EXPECTED, NO_USE, NEVER = (
    "of the task, or not judged",
    "the task has no use for it",
    "no brain signal carries it",
)
ELSE = "outside of what the task may use, and counted there"
UNDECLARED, ALONE = "nobody has declared it", "on one electrode alone"
KINDS = {"outside": NO_USE, "machine": NEVER, "undeclared": UNDECLARED, "alone": ALONE}
LEAST = 0.05  # of the pairs: parts that fewer decisions go with are told together
MOST = 14  # rows


@dataclass(frozen=True)
class FollowedRow:
    """A line of the table of what decisions follow.

    Attributes
    ----------
    part, kind : str
        What was exchanged, and as what it counts.
    percent, low, high : int
        How far decisions go with it beyond the disturbance, and its interval, per cent.
    colour : str
    """

    part: str
    kind: str
    percent: int
    low: int
    high: int
    colour: str


def followed(results: Sequence[CheckResult]) -> list[FollowedRow]:
    """What decisions follow, most first, of parts of the signal and of artefacts."""
    found = []
    for r in results:
        if r.evidence_of != "exchange" or not r.made or "follows" not in r.evidence:
            continue
        kind = KINDS.get(
            str(r.evidence.get("judged", "")), ELSE if r.evidence.get("expected") is False else EXPECTED
        )
        if r.role == "sign":
            kind = f"by an account of it ({r.family})"
        low, high = (round(100 * min(1.0, max(0.0, float(r.evidence[k])))) for k in ("low", "high"))
        name = str(r.evidence.get("part") or f"{PARTS.get(r.artefact, r.artefact)}")
        colour = REPORTED if kind in (EXPECTED, ELSE) else COLOURS.get(r.status, REPORTED)
        found.append(FollowedRow(name, kind, round(100 * (r.value or 0.0)), low, high, colour))
    order = sorted(found, key=lambda row: (row.kind == EXPECTED, -row.percent))
    shown = [row for row in order if row.percent >= 100 * LEAST]
    return shown[:MOST] if shown else order[:3]


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


def _subjects(results: Sequence[CheckResult]) -> Table | None:
    """Accuracy of each subject, the worst first; None where it is of one alone, or not known."""
    each = next(
        (r.evidence["subjects"] for r in results if r.check == BY_SUBJECT and "subjects" in r.evidence), ()
    )
    if len(each) < 2:
        return None
    rows = [
        (
            s["subject"],
            s["windows"],
            s["right"],
            f"{s['accuracy']:.0%}",
            f"{s['low']:.0%} to {s['high']:.0%}",
            "" if s["enough"] else "too few to say",
        )
        for s in each
    ]
    head = ("subject", "labelled windows", "right", "over classes", "interval", "")
    return Table(head, rows, (1, 2, 3, 4))


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
