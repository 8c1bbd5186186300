"""What the gate writes: verdict.json, JUnit XML, a section of a model card, an audit record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ..eeg.explanation.provenance import write_json
from ..eeg.text import plain
from ..engine.errors import InputError
from ..engine.storage.documents import read_json
from .audit_log import check_chain as check_chain
from .audit_log import link as link
from .audit_log import torn as torn
from .verdict import Verdict

JSON, JUNIT, CARD, AUDIT, REPORT = "verdict.json", "junit.xml", "model-card.md", "audit.jsonl", "report.html"


def write(
    verdict: Verdict,
    out: Path,
    *,
    drift: list[str] | None = None,
    chain: Path | None = None,
    key: bytes | None = None,
) -> list[Path]:
    """Write everything but the report into a folder that exists.

    Parameters
    ----------
    verdict : Verdict
    out : Path
    drift : list of str, optional
        What changed against a stored verdict.
    chain : Path, optional
        An audit log to go on with; by default a new one in `out`.
    key : bytes, optional
        Signs the audit record (HMAC-SHA256).
    """
    data = verdict.to_dict()
    if drift is not None:
        data["drift"] = drift
    write_json(data, out / JSON)
    (out / JUNIT).write_bytes(junit(verdict))
    (out / CARD).write_text(card(verdict), encoding="utf-8")
    record = link(verdict, out / AUDIT if chain is None else chain, key)
    return [out / JSON, out / JUNIT, out / CARD, record]


def junit(verdict: Verdict) -> bytes:
    """The verdict as JUnit XML: a case for each check, and one for the verdict."""
    suite = ElementTree.Element("testsuite", name="onnxplain")
    counts = {"failures": 0, "skipped": 0}
    whole = ElementTree.SubElement(suite, "testcase", classname="onnxplain", name="verdict")
    if verdict.exit_code:
        counts["failures"] += 1
        ElementTree.SubElement(whole, "failure", message=_xml(verdict.said)).text = _xml(
            "\n".join(verdict.reasons)
        )
    for r in verdict.results:
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"onnxplain.{r.family}", name=_xml(r.check)
        )
        if not r.made or r.check in verdict.waived:
            counts["skipped"] += 1
            why = verdict.waived.get(r.check, r.said)
            ElementTree.SubElement(case, "skipped", message=_xml(why))
        elif r.status == "FAIL" and r.fails:
            counts["failures"] += 1
            ElementTree.SubElement(case, "failure", message=_xml(r.said))
        elif r.status != "PASS":  # it warns, what it says is the data's, or nothing was required
            ElementTree.SubElement(case, "system-out").text = _xml(f"{r.role}: {r.said}")
    suite.set("tests", str(len(verdict.results) + 1))
    for name, n in counts.items():
        suite.set(name, str(n))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _xml(text: str) -> str:
    """Text without what XML cannot hold."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", text)


def card(verdict: Verdict) -> str:
    """A section of a model card, in Markdown."""
    audit = verdict.audit
    lines = ["## Validation", "", f"**{verdict.status}**: {_md(verdict.said)}", ""]
    lines += [f"* {_md(reason)}" for reason in verdict.reasons]
    lines += ["", "| check | outcome | evidence |", "|---|---|---|"]
    for r in verdict.results:
        outcome = (
            f"waived: {verdict.waived[r.check]}" if r.check in verdict.waived else _outcome(r.role, r.status)
        )
        lines.append(f"| {_md(r.check)} | {_md(outcome)} | {_md(r.said)} |")
    lines += [
        "",
        "A pass means that no sign of a shortcut was found in what could be checked on this data. It is "
        "no proof "
        "that there is none, and no approval for clinical use.",
        "",
    ]
    if audit:
        lines += [
            f"Model `{audit['model']['sha256'][:16]}`, data `{audit['data']['sha256'][:16]}`, policy "
            f"`{audit['policy']['sha256'][:16]}`, onnxplain {audit['versions']['onnxplain']}, "
            f"{audit['made']}.",
            "",
        ]
    return "\n".join(lines)


def _outcome(role: str, status: str) -> str:
    """What a status means, by what the check is about."""
    if status != "FAIL":
        return status
    return {"sign": "SIGN of a shortcut", "data": "the data offers it", "method": "maps may mislead"}.get(
        role, "FAIL"
    )


def _md(text: str) -> str:
    return plain(text, 600).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("`", "'")


def read(path: Path) -> dict[str, Any]:
    """Read a stored verdict.json.

    Raises
    ------
    InputError
        It cannot be read, or is none.
    """
    data = read_json(path, "a verdict.json")
    if not isinstance(data, dict) or data.get("format") != 1 or not isinstance(data.get("results"), list):
        raise InputError(f"{path}: not a verdict.json of this format")
    return data


def drifted(stored: Mapping[str, Any], verdict: Verdict) -> list[str]:
    """What changed against a stored verdict: its status, checks' outcomes, numbers by more than a tenth."""
    said = []
    if stored.get("status") != verdict.status:
        said.append(f"The verdict was {plain(stored.get('status'), 20)} and is {verdict.status}.")
    then = {r.get("check"): r for r in stored["results"] if isinstance(r, dict)}
    for r in verdict.results:
        old = then.pop(r.check, None)
        if old is None:
            said.append(f"{r.check}: not in the stored verdict, now {r.status}.")
            continue
        if old.get("status") != r.status:
            said.append(f"{r.check}: was {plain(old.get('status'), 20)}, is {r.status}.")
        a, b = old.get("value"), r.value
        if isinstance(a, (int, float)) and b is not None:
            size = max(abs(a), abs(b), abs(r.threshold or 0.0))
            if size > 0 and abs(a - b) > 0.1 * size:
                said.append(f"{r.check}: {a:.3g} has become {b:.3g}.")
    said += [f"{plain(name, 60)}: was checked then, and is not now." for name in then]
    for what in ("model", "data", "policy"):
        old_hash = (stored.get("audit", {}).get(what) or {}).get("sha256")
        new_hash = (verdict.audit.get(what) or {}).get("sha256")
        if old_hash and new_hash and old_hash != new_hash:
            said.append(f"The {what} is another file.")
    return said
