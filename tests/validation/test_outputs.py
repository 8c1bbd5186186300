"""What the gate writes: nothing that a file says breaks it, and every change is told."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from results import DECLARED, GOOD, MIXED, exchanged, follows, made, relevance

from onnxplain.engine.errors import InputError
from onnxplain.validation import outputs
from onnxplain.validation.result import CheckResult
from onnxplain.validation.verdict import decide


def test_junit_counts_what_fails_the_gate(tmp_path: Path) -> None:
    bad = [follows("gain", "FAIL", 0.6, "machine"), exchanged("intervention.muscle", "FAIL", 0.6)]
    warns = [relevance("share.muscle"), made("agreement", "method", "FAIL"), follows("first", "WARNING", 0.3)]
    suite = ElementTree.fromstring(outputs.junit(decide([*GOOD, *bad, *warns, MIXED], {}, DECLARED)))[0]
    failed = [case.get("name") for case in suite if case.find("failure") is not None]
    assert failed == ["verdict", "follows.gain", "intervention.muscle"]
    assert suite.get("failures") == "3"
    assert [case.get("name") for case in suite if case.find("skipped") is not None] == ["task.confounded"]
    told = [case.get("name") for case in suite if case.find("system-out") is not None]
    assert told == ["share.muscle", "agreement", "follows.first"]


HOSTILE = "a|b <script>\x00\x1b[31m *x* `y`\nz"


@pytest.mark.row("M21")
def test_words_of_a_file_cannot_break_the_outputs(tmp_path: Path) -> None:
    verdict = decide([*GOOD, CheckResult("task", "task", "FAIL", HOSTILE, float("nan"))], {}, DECLARED)
    outputs.write(verdict, tmp_path)
    ElementTree.parse(tmp_path / "junit.xml")
    data = json.loads((tmp_path / "verdict.json").read_text(encoding="utf-8"))
    assert data["results"][-1]["value"] is None
    card = (tmp_path / "model-card.md").read_text(encoding="utf-8")
    assert "<script>" not in card
    assert len([line for line in card.splitlines() if line.startswith("| task | FAIL")]) == 1


def test_the_audit_log_tells_of_every_change(tmp_path: Path) -> None:
    log, key = tmp_path / "audit.jsonl", b"secret"
    verdict = decide(GOOD, {}, DECLARED)
    for _ in range(3):
        outputs.link(verdict, log, key)
    last = outputs.check_chain(log, key)
    assert len(last) == 64
    lines = log.read_text(encoding="utf-8").splitlines()
    for broken in (
        [lines[0].replace("PASS", "FAIL"), *lines[1:]],
        [lines[0], lines[2]],
        lines[1:],
        [lines[1], lines[0], lines[2]],
        [*lines, "{}"],
    ):
        log.write_text("\n".join(broken) + "\n", encoding="utf-8")
        with pytest.raises(InputError, match="was changed"):
            outputs.check_chain(log, key)
    log.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert outputs.check_chain(log) == last
    with pytest.raises(InputError, match="was changed"):
        outputs.check_chain(log, b"another")


def test_drift_is_told() -> None:
    before = decide(GOOD, {}, DECLARED).to_dict()
    after = decide([GOOD[0], GOOD[1], GOOD[2], exchanged("intervention.eyes", "FAIL", 0.9)], {}, DECLARED)
    said = outputs.drifted(before, after)
    assert "The verdict was PASS and is FAIL." in said
    assert any(s.startswith("intervention.eyes: was PASS") for s in said)
    assert any("0 has become 0.9" in s for s in said)
    assert outputs.drifted(before, decide(GOOD, {}, DECLARED)) == []
