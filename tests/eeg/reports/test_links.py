"""Links between reports: relative, and only to what is there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote

from results import DECLARED, GOOD

from onnxplain.eeg.reports.links import Link, files, reports_beside
from onnxplain.validation import outputs
from onnxplain.validation.report import write_report
from onnxplain.validation.verdict import decide

MODEL, OTHER = "a" * 64, "b" * 64


def report(folder: Path, name: str, said: object, page: bool = True) -> None:
    folder.mkdir()
    (folder / name).write_text(json.dumps(said), encoding="utf-8")
    if page:
        (folder / "report.html").write_text("<p>", encoding="utf-8")


def test_reports_on_the_same_model_beside(tmp_path: Path) -> None:
    of = {"model": {"sha256": MODEL}}
    report(tmp_path / "a map's #1", "summary.json", of)
    report(tmp_path / "gate", "verdict.json", {"audit": of})
    report(tmp_path / "methods", "evaluation.json", of)
    report(tmp_path / "other", "summary.json", {"model": {"sha256": OTHER}})
    report(tmp_path / "no page", "summary.json", of, page=False)
    report(tmp_path / "list", "summary.json", [MODEL])
    report(tmp_path / "broken", "summary.json", of)
    (tmp_path / "broken" / "summary.json").write_text("{", encoding="utf-8")
    report(tmp_path / ".hidden", "summary.json", of)
    (tmp_path / "link").symlink_to(tmp_path / "methods")
    found = reports_beside(tmp_path / "new", MODEL)
    assert found == [
        Link("../a%20map%27s%20%231/report.html", "explanation (a map's #1)"),
        Link("../gate/report.html", "verdict of the gate (gate)"),
        Link("../methods/report.html", "evaluation of methods (methods)"),
    ]
    assert all((tmp_path / "new" / ".." / unquote(link.href)[3:]).resolve().is_file() for link in found)
    # Not to itself, where an earlier verdict is replaced.
    assert [link.href for link in reports_beside(tmp_path / "gate", MODEL)] == [found[0].href, found[2].href]
    assert reports_beside(tmp_path / "new", None) == reports_beside(tmp_path / "none" / "new", MODEL) == []


def test_the_page_of_the_gate_links_what_is_there(tmp_path: Path) -> None:
    verdict = decide(GOOD, {}, DECLARED)
    outputs.write(verdict, tmp_path, chain=tmp_path.parent / "log.jsonl")
    others = [Link("../maps/report.html", "explanation (<b>)")]
    text = write_report(verdict, tmp_path / "report.html", links=others).read_text(encoding="utf-8")
    assert "Reports and files of this run" in text
    hrefs = [h for h in re.findall(r"<a href='([^']*)'>", text) if h != "#"]
    # The audit log lies elsewhere, and is not linked.
    assert hrefs == ["../maps/report.html", "verdict.json", "junit.xml", "model-card.md"]
    assert "explanation (&lt;b&gt;)" in text
    assert files(tmp_path, ["none", "junit.xml"]) == [Link("junit.xml", "junit.xml")]
