"""audit.json and report.html of an audit."""

from __future__ import annotations

from pathlib import Path

from ..drawing.sections import Table
from ..explanation.provenance import write_json
from ..studies.audit import Audit
from .html import write as write_page

HEAD = ("labels told from", "", "95 % interval", "p", "")


def write(found: Audit, out: Path, *, report: bool = True) -> list[Path]:
    """Write audit.json, and with `report` report.html.

    Parameters
    ----------
    found : Audit
    out : Path
        A folder that exists.
    report : bool

    Returns
    -------
    list of Path
        The files written.
    """
    files = [write_json(found.to_dict(), out / "audit.json")]
    return [*files, write_report(found, out / "report.html")] if report else files


def write_report(found: Audit, path: Path) -> Path:
    """Write report.html.

    Parameters
    ----------
    found : Audit
    path : Path

    Returns
    -------
    Path
    """
    head = (HEAD[0], found.measure, *HEAD[2:4], "verdict")
    return write_page(
        "audit.html",
        path,
        audit=found,
        rows=Table(head, [found.cells(r) for r in found.rows if not r.rhythm], (1, 2, 3)),
        rhythms=Table(head, [found.cells(r) for r in found.rows if r.rhythm], (1, 2, 3)),
        lines=Table((), [line for line in found.lines() if line[0] not in ("note", "answer")]),
        notes=[text for what, text in found.lines() if what == "note"],
        decisions=found.about.get("decisions", []),
    )
