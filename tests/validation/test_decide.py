"""The verdict follows from the results: one sign warns, two unlike ones fail, data never counts."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from onnxplain.engine.errors import InputError
from onnxplain.validation import Gate, Policy, outputs
from onnxplain.validation.result import CheckResult, Role, Status, WhyNot, not_evaluable
from onnxplain.validation.verdict import decide

POLICY = Policy(version=1)


def made(
    check: str, role: Role, status: Status, artefact: str = "", value: float | None = 0.5
) -> CheckResult:
    return CheckResult(check, role, status, f"{check} said so.", value, 0.2, artefact)


def sign(check: str) -> CheckResult:
    return made(check, "sign", "FAIL", check.partition(".")[2])


def unknown(check: str) -> CheckResult:
    """A sign that could not be looked for, since it is not known where the electrodes lie that it needs."""
    artefact = check.partition(".")[2].partition(".")[0]
    return not_evaluable(check, "sign", "electrodes", f"{check}: no known electrode.", artefact)


def absent(check: str) -> CheckResult:
    """A sign of an artefact that was looked for, and is not in this data."""
    artefact = check.partition(".")[2].partition(".")[0]
    return not_evaluable(check, "sign", "data", f"{check}: there is none.", artefact)


def held(why_not: WhyNot, threshold: float | None) -> CheckResult:
    """A region that the policy holds to a number, and that could not be measured."""
    return not_evaluable("share.frontal", "technical", why_not, "There is none.", threshold=threshold)


def passed(check: str) -> CheckResult:
    return made(check, "sign", "PASS", check.partition(".")[2].partition(".")[0], 0.0)


GOOD = [made("ledger", "technical", "PASS"), made("intervention.eyes", "sign", "PASS", "eyes")]


@pytest.mark.parametrize(
    ("results", "status"),
    [
        (GOOD, "PASS"),
        ([made("ledger", "technical", "PASS")], "NOT EVALUABLE"),
        ([], "NOT EVALUABLE"),
        ([made("share.eyes", "sign", "NOT EVALUABLE", "eyes")], "NOT EVALUABLE"),
        ([*GOOD, made("ledger", "technical", "FAIL")], "FAIL"),
        ([*GOOD, made("task", "task", "FAIL")], "FAIL"),
        ([*GOOD, made("share.eyes", "sign", "FAIL", "eyes")], "WARNING"),
        ([*GOOD, made("agreement", "method", "FAIL")], "WARNING"),
        ([*GOOD, made("baseline.eyes", "data", "FAIL", "eyes")], "PASS"),
        # What was begun and could not be finished has said nothing.
        ([*GOOD, not_evaluable("share.muscle", "sign", "error", "It failed.", "muscle")], "WARNING"),
        # Two unlike signs on one artefact.
        ([sign("intervention.eyes"), sign("share.eyes")], "FAIL"),
        # On two artefacts, or two of relevance alone: no more than a warning.
        ([sign("intervention.eyes"), sign("share.muscle")], "WARNING"),
        ([sign("share.eyes"), sign("clusters.eyes")], "WARNING"),
        # Components are a second account of the artefact, and no second kind of evidence.
        ([sign("intervention.eyes"), made("components.eyes", "sign", "FAIL", "eyes")], "WARNING"),
        ([sign("share.eyes"), made("components.eyes.share", "sign", "FAIL", "eyes")], "WARNING"),
        ([made(f"components.eyes{end}", "sign", "FAIL", "eyes") for end in ("", ".share")], "FAIL"),
        ([sign("intervention.eyes"), made("components.eyes.share", "sign", "FAIL", "eyes")], "FAIL"),
        # A region held to a number by the policy fails as the policy says.
        ([*GOOD, made("transplant.frontal", "technical", "FAIL")], "FAIL"),
        # The data's shortcut beside one sign is still one sign about the model.
        ([sign("share.eyes"), made("baseline.eyes", "data", "FAIL", "eyes")], "WARNING"),
    ],
)  # fmt: skip
def test_verdicts(results: list[CheckResult], status: str) -> None:
    verdict = decide(results, {}, POLICY)
    assert verdict.status == status
    assert verdict.exit_code == {"PASS": 0, "WARNING": 0}.get(status, 1)


@pytest.mark.parametrize(
    ("results", "status", "named"),
    [
        # Looked for, and not in this data: no heart can be told, and nothing is at 50 Hz.
        ([*GOOD, absent("intervention.heart"), absent("intervention.mains")], "PASS", ()),
        ([absent("intervention.eyes"), absent("share.heart"), passed("intervention.mains")], "PASS", ()),
        # Not looked for, since the electrodes are unknown, while others were looked at.
        ([*GOOD, unknown("intervention.muscle"), unknown("share.muscle")], "WARNING", ("uses muscle",)),
        (
            [unknown("intervention.eyes"), unknown("intervention.muscle"), passed("intervention.heart")],
            "WARNING", ("uses the eyes", "uses muscle"),
        ),
        # Another account of the artefact could be made: it has been looked for.
        ([*GOOD, unknown("intervention.muscle"), passed("components.muscle")], "PASS", ()),
        ([*GOOD, unknown("share.eyes"), unknown("components.eyes")], "PASS", ()),
        ([unknown("components.eyes"), unknown("components.muscle"), passed("intervention.eyes")], "WARNING",
         ("uses muscle",)),
        # Nothing of the body could be looked at: mains, clusters and subjects are no pass.
        (
            [unknown("intervention.eyes"), unknown("intervention.muscle"), absent("intervention.heart"),
             passed("intervention.mains"), passed("clusters"), passed("subjects.subject")],
            "NOT EVALUABLE", ("Neither eyes, heart nor muscle", "uses the eyes", "uses muscle"),
        ),
        ([unknown("intervention.eyes"), passed("clusters")], "NOT EVALUABLE",
         ("Neither eyes", "uses the eyes")),
        # What was found leads.
        ([unknown("intervention.muscle"), sign("intervention.eyes"), sign("share.eyes")], "FAIL",
         ("Clever Hans", "uses muscle")),
        ([unknown("intervention.muscle"), sign("share.eyes")], "WARNING", ("One sign", "uses muscle")),
        ([unknown("intervention.eyes"), sign("clusters.subject")], "NOT EVALUABLE",
         ("Neither eyes", "One sign", "uses the eyes")),
        ([unknown("intervention.eyes"), made("task", "task", "FAIL")], "FAIL",
         ("task said so", "uses the eyes")),
        # A region that the policy holds to a number, and that could not be measured or does not exist.
        ([*GOOD, held("electrodes", 0.3)], "WARNING", ("The policy holds share.frontal to a number",)),
        ([*GOOD, held("model", 0.3)], "PASS", ()),
        ([*GOOD, held("electrodes", None)], "PASS", ()),
    ],
)  # fmt: skip
def test_no_pass_on_checks_that_could_not_be_made(
    results: list[CheckResult], status: str, named: tuple[str, ...]
) -> None:
    verdict = decide(results, {}, POLICY)
    assert verdict.status == status
    assert len(verdict.reasons) == len(named)
    for words, reason in zip(named, verdict.reasons, strict=True):
        assert words in reason
    # What was not looked for is a reason, and no note that it is not in the data.
    noted = " ".join(verdict.notes)
    assert not any(f": {r.artefact}." in noted for r in results if r.why_not == "electrodes" and r.artefact)


def test_why_not_is_written_down() -> None:
    results = decide([*GOOD, unknown("share.eyes")], {}, POLICY).to_dict()["results"]
    assert [r["why_not"] for r in results] == [None, None, "electrodes"]


def test_an_artefact_that_must_be_looked_for() -> None:
    asked = Policy.from_text("version: 1\nchecks: {intervention: {required: [eyes]}}")
    unseen = [GOOD[0], made("intervention.eyes", "sign", "NOT EVALUABLE", "eyes"), sign("share.muscle")]
    assert decide(unseen, {}, asked).status == "NOT EVALUABLE"
    assert decide(unseen, {}, POLICY).status == "WARNING"
    assert decide(GOOD, {}, asked).status == "PASS"
    assert "Not told apart in this data, and so not exchanged: eyes." in decide(unseen, {}, POLICY).notes
    # Seen by their components, they have been looked for.
    components = [*unseen, made("components.eyes", "sign", "PASS", "eyes")]
    assert decide(components, {}, asked).status == "WARNING"
    assert not any("not exchanged" in n for n in decide(components, {}, asked).notes)


def test_what_the_data_offers_is_noted() -> None:
    uneven = made("task.imbalance", "data", "FAIL")
    verdict = decide([*GOOD, uneven], {}, POLICY)
    assert verdict.status == "PASS"
    assert uneven.said in verdict.notes


def test_a_warning_can_stop_a_deployment() -> None:
    strict = Policy(version=1, warning_exits=1)
    assert decide([*GOOD, made("share.eyes", "sign", "FAIL", "eyes")], {}, strict).exit_code == 1


def test_the_reason_names_the_artefact_and_its_evidence() -> None:
    verdict = decide(
        [
            made("intervention.eyes", "sign", "FAIL", "eyes", 0.9),
            made("share.eyes", "sign", "FAIL", "eyes"),
            made("share.muscle", "sign", "FAIL", "muscle"),
            made("baseline.eyes", "data", "FAIL", "eyes"),
        ],
        {},
        POLICY,
    )
    assert verdict.reasons[0].startswith(
        "Clever Hans: the model uses the eyes (intervention, share agree; the data"
    )
    assert "intervention.eyes said so." in verdict.reasons[0]
    assert verdict.reasons[1].startswith("One sign that the model uses muscle")
    assert verdict.artefacts["eyes"] == ("intervention.eyes", "share.eyes")


def test_waivers_hold_until_they_expire() -> None:
    text = "version: 1\nwaivers: [{check: share.muscle, reason: jaw task, until: 2027-06-30}]"
    results = [
        *GOOD,
        made("share.muscle", "sign", "FAIL", "muscle"),
        made("share.eyes", "sign", "PASS", "eyes"),
    ]
    for today, status in ((datetime.date(2027, 6, 30), "PASS"), (datetime.date(2027, 7, 1), "WARNING")):
        gate = Gate(Policy.from_text(text), today=today)
        waived, notes = gate._waived(results)
        assert decide(results, waived, gate.policy).status == status
        assert bool(notes) == (status == "WARNING")
    assert (
        "jaw task"
        in Gate(Policy.from_text(text), today=datetime.date(2027, 1, 1))._waived(results)[0]["share.muscle"]
    )


HOSTILE = "a|b <script>\x00\x1b[31m *x* `y`\nz"


def test_words_of_a_file_cannot_break_the_outputs(tmp_path: Path) -> None:
    verdict = decide([*GOOD, CheckResult("task", "task", "FAIL", HOSTILE, float("nan"))], {}, POLICY)
    outputs.write(verdict, tmp_path)
    ElementTree.parse(tmp_path / "junit.xml")
    data = json.loads((tmp_path / "verdict.json").read_text(encoding="utf-8"))
    assert data["results"][-1]["value"] is None
    card = (tmp_path / "model-card.md").read_text(encoding="utf-8")
    assert "<script>" not in card
    assert len([line for line in card.splitlines() if line.startswith("| task")]) == 1


def test_the_audit_log_tells_of_every_change(tmp_path: Path) -> None:
    log, key = tmp_path / "audit.jsonl", b"secret"
    verdict = decide(GOOD, {}, POLICY)
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
    before = decide(GOOD, {}, POLICY).to_dict()
    after = decide([GOOD[0], made("intervention.eyes", "sign", "FAIL", "eyes", 0.9)], {}, POLICY)
    said = outputs.drifted(before, after)
    assert "The verdict was PASS and is WARNING." in said
    assert any(s.startswith("intervention.eyes: was PASS") for s in said)
    assert any("0.5 has become 0.9" in s for s in said)
    assert outputs.drifted(before, decide(GOOD, {}, POLICY)) == []
