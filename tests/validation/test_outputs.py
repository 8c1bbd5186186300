"""What the gate writes: nothing that a file says breaks it, and every change is told."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
from pathlib import Path
from xml.etree import ElementTree

import pytest
from results import DECLARED, GOOD, MIXED, exchanged, follows, made, relevance

from onnxplain.engine.errors import InputError
from onnxplain.validation import outputs
from onnxplain.validation.result import CheckResult, not_asked
from onnxplain.validation.schema import VerdictFile
from onnxplain.validation.verdict import decide


def test_junit_counts_what_fails_the_gate(tmp_path: Path) -> None:
    bad = [follows("gain", "FAIL", 0.6, "machine"), exchanged("intervention.muscle", "FAIL", 0.6)]
    warns = [relevance("share.muscle"), made("agreement", "method", "FAIL"), follows("first", "WARNING", 0.3)]
    suite = ElementTree.fromstring(outputs.junit(decide([*GOOD, *bad, *warns, MIXED], {}, DECLARED)))[0]
    failed = [case.get("name") for case in suite if case.find("failure") is not None]
    assert failed == ["verdict", "follows.gain", "intervention.muscle"]
    assert suite.get("failures") == "3"
    assert suite.get("tests") == str(len(suite)) == str(1 + len([*GOOD, *bad, *warns, MIXED]))
    assert [case.get("name") for case in suite if case.find("skipped") is not None] == ["task.confounded"]
    told = [case.get("name") for case in suite if case.find("system-out") is not None]
    assert told == ["share.muscle", "agreement", "follows.first"]


def test_what_is_reported_is_told_and_counts_nothing() -> None:
    told = made("invariance", "data", "REPORTED", value=0.3)
    verdict = decide([*GOOD, told, not_asked("parity", "technical", "No reference.")], {}, DECLARED)
    suite = ElementTree.fromstring(outputs.junit(verdict))[0]
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "1")
    by_name = {case.get("name"): [child.tag for child in case] for case in suite}
    assert (by_name["invariance"], by_name["parity"]) == (["system-out"], ["skipped"])
    assert "| invariance | REPORTED | invariance said so. |" in outputs.card(verdict)
    data = {**verdict.to_dict(), "audit": {}}
    assert VerdictFile.model_validate(json.loads(json.dumps(data))).results[-2].status == "REPORTED"


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


def _grow(log: str, name: str) -> None:
    verdict = decide(GOOD, {}, DECLARED)
    for _ in range(25):
        outputs.link(verdict, Path(log), name.encode() if name == "key" else None)


@pytest.mark.parametrize("key", ["key", ""])
def test_several_processes_grow_one_audit_log(tmp_path: Path, key: str) -> None:
    log = tmp_path / "audit.jsonl"
    context = multiprocessing.get_context("fork")
    running = [context.Process(target=_grow, args=(str(log), key)) for _ in range(3)]
    for process in running:
        process.start()
    for process in running:
        process.join()
    assert [p.exitcode for p in running] == [0, 0, 0]
    outputs.check_chain(log, b"key" if key else None)
    assert len(log.read_bytes().splitlines()) == 75


@pytest.mark.parametrize("left", [b"{", b'{"record": "{\\"before', b"\0" * 300, -1, -2, -200])
def test_a_torn_last_record_is_no_tampering(tmp_path: Path, left: bytes | int) -> None:
    log, verdict = tmp_path / "audit.jsonl", decide(GOOD, {}, DECLARED)
    for _ in range(3):
        outputs.link(verdict, log)
    whole = log.read_bytes()
    log.write_bytes(whole[:left] if isinstance(left, int) else whole + left)
    # Without its line end alone, a record is whole.
    cut = 0 if left == -1 else len(left) if isinstance(left, bytes) else len(whole.splitlines()[2]) + 1 + left
    assert outputs.torn(log) == cut
    outputs.check_chain(log)
    outputs.link(verdict, log)
    assert outputs.torn(log) == 0
    outputs.check_chain(log)
    last = json.loads(json.loads(log.read_bytes().splitlines()[-1])["record"])
    assert last.get("torn", {}).get("bytes", 0) == cut
    # A torn record before others is none: only the last can be.
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([lines[0][:-20] + b"\n", *lines[1:]]))
    for look in (outputs.check_chain, outputs.torn, lambda path: outputs.link(verdict, path)):
        with pytest.raises(InputError, match="record 1 was changed"):
            look(log)


def test_a_log_on_a_full_disk_keeps_its_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, verdict = tmp_path / "audit.jsonl", decide(GOOD, {}, DECLARED)
    outputs.link(verdict, log)
    before = log.read_bytes()
    write, calls = os.pwrite, []

    def full(fd: int, data: bytes, at: int) -> int:
        calls.append(at)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(fd, data[:100], at)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(InputError, match=r"audit\.jsonl: cannot be written .No space left"):
        outputs.link(verdict, log)
    assert len(calls) == 2
    assert log.read_bytes() == before


def test_a_log_that_is_no_file_is_not_opened(tmp_path: Path) -> None:
    verdict = decide(GOOD, {}, DECLARED)
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", Path("/dev/null"), Path("/dev/full")):
        with pytest.raises(InputError, match="a pipe or a device"):
            outputs.link(verdict, place)
    with pytest.raises(InputError, match="cannot be written"):
        outputs.link(verdict, tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        outputs.check_chain(tmp_path / "none")


def test_drift_is_told() -> None:
    before = decide(GOOD, {}, DECLARED).to_dict()
    after = decide([GOOD[0], GOOD[1], GOOD[2], exchanged("intervention.eyes", "FAIL", 0.9)], {}, DECLARED)
    said = outputs.drifted(before, after)
    assert "The verdict was PASS and is FAIL." in said
    assert any(s.startswith("intervention.eyes: was PASS") for s in said)
    assert any("0 has become 0.9" in s for s in said)
    assert outputs.drifted(before, decide(GOOD, {}, DECLARED)) == []


@pytest.mark.parametrize(
    ("value", "told"), [(40.0, False), (44.0, False), (45.0, True), (36.0, False), (35.0, True)]
)
def test_numbers_drift_by_a_tenth_of_the_larger_one(value: float, told: bool) -> None:
    """Of the two and of what they are held against (here 0.5)."""
    of = {
        v: decide([*GOOD, made("invariance", "data", "REPORTED", value=v)], {}, DECLARED)
        for v in (40.0, value)
    }
    said = outputs.drifted(of[40.0].to_dict(), of[value])
    assert said == ([f"invariance: 40 has become {value:.3g}."] if told else [])
