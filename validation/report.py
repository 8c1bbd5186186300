"""The gate's report for people: the verdict and its reason first, then every check with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..eeg.page import bullets, page, safe, table
from .result import Result
from .verdict import Verdict

COLOURS = {"PASS": "#1b6e3c", "WARNING": "#8a5a00", "FAIL": "#a11a1a", "NOT EVALUABLE": "#555555"}

_HEADINGS = {
    "sign": ("Signs that the model uses an artefact", (
        "Two unlike signs on the same artefact make a FAIL, one a WARNING. A share of relevance alone "
        "proves nothing: "
        "maps can miss an artefact, and show one that decides nothing."
    )),
    "task": ("The task", ""),
    "technical": ("The file and the account of relevance", ""),
    "method": ("Whether maps can be trusted on this model", (
        "Necessary conditions: a method that fails them shows something else than what the model has "
        "learnt. Passing "
        "them ranks no method."
    )),
    "data": ("What the data offers", (
        "Whether labels can be read from artefacts alone. This is about the recording, and never counts "
        "against the "
        "model: but a model trained on such data has had the chance."
    )),
}  # fmt: skip


def write_report(verdict: Verdict, path: Path, drift: Sequence[str] | None = None) -> Path:
    """Write report.html."""
    sections = [("The verdict", _verdict(verdict))]
    if drift is not None:
        said = bullets(drift) if drift else "<p>Nothing has changed against the stored verdict.</p>"
        sections.append(("Against the stored verdict", said))
    for role, (heading, text) in _HEADINGS.items():
        some = [r for r in verdict.results if r.role == role]
        if some:
            sections.append((heading, (f"<p>{safe(text)}</p>" if text else "") + _checks(verdict, some)))
    if verdict.waived:
        rows = [(check, why) for check, why in verdict.waived.items()]
        sections.append(("Waived", table(("check", "reason"), rows)))
    sections += [("What to beware of", bullets([*verdict.notes, *LIMITS])), ("Audit", _audit(verdict))]
    return page("Validation of a model", sections, path)


LIMITS = (
    "A pass says that no sign was found in what could be checked, on this data. It is no proof, and no "
    "approval for "
    "clinical use.",
    "Artefacts are told apart by proxies: electrodes near the eyes, over muscles, peaks that come as "
    "regularly as a "
    "heart. Their parts are not free of brain activity, and what they miss stays in the rest.",
    "A model that uses an artefact which is the same in all windows, or in none of them, cannot be "
    "caught here.",
)


def _verdict(verdict: Verdict) -> str:
    colour = COLOURS[verdict.status]
    text = (
        f"<p class='answer'><b style='color: {colour}; font-size: 1.5em'>{safe(verdict.status)}</b><br>"
        f"{safe(verdict.said)}</p>"
    )
    text += bullets(verdict.reasons)
    looked = [r for r in verdict.results if r.role == "sign" and r.status != "NOT EVALUABLE"]
    for artefact, checks in verdict.artefacts.items():
        against = [r.check for r in looked if r.artefact == artefact and r.status == "PASS"]
        speaks = (
            f"For it: {', '.join(checks)}. Against it: {', '.join(against) or 'nothing that was checked'}."
        )
        text += f"<p><b>{safe(artefact.capitalize())}</b>. {safe(speaks)}</p>"
    missing = [r for r in verdict.results if r.status == "NOT EVALUABLE"]
    if missing:
        text += f"<p>Not evaluable here: {safe(', '.join(r.check for r in missing))}.</p>"
    return text


def _checks(verdict: Verdict, results: Sequence[Result]) -> str:
    rows = []
    for r in results:
        outcome: str = "waived" if r.check in verdict.waived else r.status
        if r.status == "FAIL" and r.role in ("sign", "data") and outcome != "waived":
            outcome = "SIGN" if r.role == "sign" else "OFFERED"
        value = "" if r.value is None else f"{r.value:.3g}"
        limit = "" if r.threshold is None else f"{r.threshold:.3g}"
        rows.append((r.check.replace(".", ": "), outcome, value, limit, r.said))
    return table(("check", "outcome", "measured", "threshold", "in words"), rows, numbers=(2, 3))


def _audit(verdict: Verdict) -> str:
    audit = verdict.audit
    if not audit:
        return "<p>No record.</p>"
    rows = [
        *(
            (what, f"{audit[what].get('file', '')} (sha256 {audit[what]['sha256']})")
            for what in ("model", "data", "policy")
        ),
        ("windows", audit["windows"]),
        ("subjects", audit["subjects"]),
        ("seed", audit["seed"]),
        ("threads", audit["threads"] or "one a core"),
        ("versions", ", ".join(f"{k} {v}" for k, v in audit["versions"].items())),
        ("made", audit["made"]),
    ]  # fmt: skip
    return table((), rows) + bullets(audit["decisions"])
