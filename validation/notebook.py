"""A verdict as a line, and as the small table that a notebook shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..eeg.text import counted, listed
from ..engine.notebook.boxes import Row, box, line

if TYPE_CHECKING:
    from .verdict import Verdict

REASONS, CHECKS = 6, 8  # so many are shown, and the rest is counted


def as_line(verdict: Verdict) -> str:
    """The status and its first reason."""
    first = f"{verdict.status}: {verdict.reasons[0]}" if verdict.reasons else verdict.status
    return line("Verdict", first, made(verdict), limit=300)


def as_box(verdict: Verdict) -> str:
    """The verdict, its reasons, and the checks that count against the model."""
    against = [
        r for r in verdict.results if r.status in ("FAIL", "WARNING") and r.check not in verdict.waived
    ]
    rows: list[Row] = [
        *((f"reason {i}", reason) for i, reason in enumerate(verdict.reasons[:REASONS], 1)),
        ("more reasons", len(verdict.reasons[REASONS:]) or None),
        *((f"{r.check}: {r.status}", r.said) for r in against[:CHECKS]),
        ("more checks", f"{len(against[CHECKS:])} fail or warn; see .results" if against[CHECKS:] else None),
        ("waived", listed(verdict.waived) or None),
        ("checks", made(verdict)),
    ]
    return box(f"{verdict.status}: {verdict.said}", rows, below=verdict.notes)


def made(verdict: Verdict) -> str:
    """How many checks there are, and how many could not be made."""
    without = sum(r.status == "NOT EVALUABLE" for r in verdict.results)
    return counted(len(verdict.results), "check") + (f", {without} not evaluable" if without else "")
