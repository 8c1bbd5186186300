"""The verdict follows from the results: exchanges fail or warn, relevance supports, data never counts.

Without a word on what the task may use there is no pass, nor on checks that could not be made.
"""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest
from results import (
    CONFIRMED,
    DECLARED,
    GOOD,
    MIXED,
    NOT_SHOWN,
    NOTHING,
    UNCONFIRMED,
    UNDECLARED,
    absent,
    exchanged,
    follows,
    held,
    made,
    relevance,
    unknown,
)

from onnxplain.validation import Gate, Policy
from onnxplain.validation.looked import looked_at
from onnxplain.validation.result import CheckResult, Role, not_asked, not_evaluable
from onnxplain.validation.verdict import ROOM, decide


@pytest.mark.row("O7")
@pytest.mark.parametrize(
    ("results", "status"),
    [
        (GOOD, "PASS"),
        ([*GOOD, CONFIRMED], "PASS"),
        # Nothing was exchanged: what else is good is no pass.
        ([], "NOT EVALUABLE"),
        ([made("ledger", "technical", "PASS")], "NOT EVALUABLE"),
        ([made("ledger", "technical", "PASS"), NOTHING, absent("intervention.eyes")], "NOT EVALUABLE"),
        ([relevance("share.eyes"), relevance("clusters.eyes"), absent("intervention.eyes")], "NOT EVALUABLE"),
        # Exchanges fail by themselves, of parts of the signal and of artefacts.
        ([*GOOD, follows("gain", "FAIL", 0.6, "machine")], "FAIL"),
        ([*GOOD, follows("outside-bands", "FAIL", 0.6, "outside")], "FAIL"),
        ([*GOOD[:3], exchanged("intervention.eyes", "FAIL", 0.6)], "FAIL"),
        ([*GOOD, exchanged("components.muscle", "FAIL", 0.6)], "FAIL"),
        ([*GOOD, made("lab.eyes", "sign", "FAIL", "eyes", 0.9)], "FAIL"),
        # And warn where fewer decisions go along.
        ([*GOOD, follows("outside-bands", "WARNING", 0.3, "outside")], "WARNING"),
        ([*GOOD, follows("first", "WARNING", 0.9, "undeclared")], "WARNING"),
        ([*GOOD[:3], exchanged("intervention.eyes", "WARNING", 0.3)], "WARNING"),
        ([*GOOD, made("subjects", "sign", "WARNING", "subject", 0.6)], "WARNING"),
        ([*GOOD, made("session", "sign", "WARNING", "session", 0.6)], "WARNING"),
        # What is followed and not judged is what the task is made of.
        ([*GOOD, follows("alpha", "PASS", 1.0)], "PASS"),
        # What was asked of the model.
        ([*GOOD, made("ledger", "technical", "FAIL")], "FAIL"),
        ([*GOOD, made("task", "task", "FAIL")], "FAIL"),
        ([*GOOD, made("transplant.frontal", "technical", "FAIL")], "FAIL"),
        ([*GOOD, made("lab", "technical", "WARNING")], "WARNING"),
        # Relevance warns alone, and only where no exchange has answered it.
        ([*GOOD, relevance("share.muscle")], "WARNING"),
        ([*GOOD, relevance("clusters.muscle")], "WARNING"),
        ([*GOOD, relevance("components.muscle.share")], "WARNING"),
        ([*GOOD, relevance("share.eyes"), relevance("clusters.eyes")], "PASS"),
        ([*GOOD[:3], exchanged("intervention.eyes", "PASS", ROOM - 0.01), relevance("share.eyes")], "PASS"),
        ([*GOOD[:3], exchanged("intervention.eyes", "PASS", ROOM), relevance("share.eyes")], "WARNING"),
        ([*GOOD, exchanged("components.eyes", "PASS", ROOM), relevance("share.eyes")], "WARNING"),
        ([*GOOD, absent("intervention.muscle"), relevance("share.muscle")], "WARNING"),
        # However much of it there is, it never fails a model alone.
        ([*GOOD, *(relevance(f"{c}.muscle") for c in ("share", "clusters"))], "WARNING"),
        # What the data offers never counts.
        ([*GOOD, made("baseline.eyes", "data", "FAIL", "eyes")], "PASS"),
        ([*GOOD, made("audit.offset", "data", "FAIL")], "PASS"),
        # Maps that may mislead warn, unless an exchange has confirmed what they say.
        ([*GOOD, made("agreement", "method", "FAIL")], "WARNING"),
        ([*GOOD, made("faithfulness", "method", "FAIL")], "WARNING"),
        ([*GOOD, made("randomisation", "method", "FAIL")], "WARNING"),
        ([*GOOD, CONFIRMED, made("agreement", "method", "FAIL")], "PASS"),
        ([*GOOD, CONFIRMED, made("faithfulness", "method", "FAIL")], "PASS"),
        ([*GOOD, CONFIRMED, made("randomisation", "method", "FAIL")], "WARNING"),
        ([*GOOD, UNCONFIRMED, made("agreement", "method", "FAIL")], "WARNING"),
        # What was begun and could not be finished has said nothing.
        ([*GOOD, not_evaluable("share.muscle", "sign", "error", "It failed.", "muscle")], "WARNING"),
        # Whether it does its task is not shown, or cannot be said without labels: no verdict.
        ([*GOOD[:1], *GOOD[2:], NOT_SHOWN], "NOT EVALUABLE"),
        ([*GOOD[:1], *GOOD[2:], replace(NOT_SHOWN, threshold=None)], "NOT EVALUABLE"),
        ([*GOOD, NOT_SHOWN, follows("gain", "WARNING", 0.3, "machine")], "NOT EVALUABLE"),
        ([*GOOD, NOT_SHOWN, follows("gain", "FAIL", 0.6, "machine")], "FAIL"),
        # Labels that go with the subject make any pass, and any warning, void.
        ([*GOOD, MIXED], "NOT EVALUABLE"),
        ([*GOOD, MIXED, relevance("share.muscle")], "NOT EVALUABLE"),
    ],
)  # fmt: skip
def test_verdicts(results: list[CheckResult], status: str) -> None:
    verdict = decide(results, {}, DECLARED)
    assert verdict.status == status
    assert verdict.exit_code == {"PASS": 0, "WARNING": 0}.get(status, 1)
    assert bool(verdict.reasons) == (status != "PASS")
    # Whatever it is, without a word on what the task may use it is no pass, and no better.
    unsaid = decide(results, {}, UNDECLARED)
    assert unsaid.status == ("WARNING" if status == "PASS" else status)
    assert any("was not declared" in reason for reason in unsaid.reasons)


@pytest.mark.parametrize(
    ("results", "status", "named"),
    [
        # Looked for, and not in this data: no heart can be told, and nothing is at 50 Hz.
        ([*GOOD, absent("intervention.heart"), absent("intervention.mains")], "PASS", ()),
        ([absent("intervention.eyes"), absent("share.heart"), exchanged("intervention.mains", "PASS")],
         "PASS", ()),
        # Not looked for, since the electrodes are unknown, while others were looked at.
        ([*GOOD, unknown("intervention.muscle"), unknown("share.muscle")], "WARNING", ("uses muscle",)),
        ([*GOOD, unknown("intervention.muscle"), unknown("intervention.heart")], "WARNING",
         ("uses the heart", "uses muscle")),
        # Another account of the artefact could be made: it has been looked for.
        ([*GOOD, unknown("intervention.muscle"), exchanged("components.muscle", "PASS")], "PASS", ()),
        ([*GOOD, unknown("share.eyes"), unknown("components.eyes")], "PASS", ()),
        # Eyes are required: that they could not be looked for is no verdict.
        ([GOOD[2], unknown("intervention.eyes"), unknown("intervention.muscle")], "NOT EVALUABLE",
         ("requires a look for eyes", "uses the eyes", "uses muscle")),
        ([GOOD[2], unknown("intervention.eyes"), exchanged("components.eyes", "PASS")], "PASS", ()),
        # What was found leads.
        ([*GOOD[:3], unknown("intervention.muscle"), exchanged("intervention.eyes", "FAIL", 0.9)], "FAIL",
         ("Clever Hans: the model uses the eyes. intervention.eyes said so.", "uses muscle")),
        ([*GOOD[:3], unknown("intervention.muscle"), exchanged("intervention.eyes", "WARNING", 0.3)],
         "WARNING", ("A sign that the model uses the eyes: intervention.eyes said so.", "uses muscle")),
        ([*GOOD, unknown("intervention.muscle"), made("task", "task", "FAIL")], "FAIL",
         ("task said so", "uses muscle")),
        # A region that the policy holds to a number, and that could not be measured or does not exist.
        ([*GOOD, held("electrodes", 0.3)], "WARNING", ("The policy holds share.frontal to a number",)),
        ([*GOOD, held("model", 0.3)], "PASS", ()),
        ([*GOOD, held("electrodes", None)], "PASS", ()),
    ],
)  # fmt: skip
def test_no_pass_on_checks_that_could_not_be_made(
    results: list[CheckResult], status: str, named: tuple[str, ...]
) -> None:
    verdict = decide(results, {}, DECLARED)
    assert verdict.status == status
    assert len(verdict.reasons) == len(named)
    for words, reason in zip(named, verdict.reasons, strict=True):
        assert words in reason
    # What was not looked for is a reason, and no note that it is not in the data.
    noted = " ".join(verdict.notes)
    assert not any(f": {r.artefact}." in noted for r in results if r.why_not == "electrodes" and r.artefact)


def test_why_not_is_written_down() -> None:
    results = decide([*GOOD, unknown("share.eyes")], {}, DECLARED).to_dict()["results"]
    assert [r["why_not"] for r in results] == [None, None, None, None, "electrodes"]


def test_an_artefact_that_must_be_looked_for() -> None:
    def asking(said: str) -> Policy:
        return Policy.from_text(
            f"version: 1\nexpects: {{task: motor-imagery}}\nchecks: {{intervention: {said}}}"
        )

    muscle = asking("{required: [muscle]}")
    unseen = [*GOOD, unknown("intervention.muscle")]
    assert decide(unseen, {}, muscle).status == "NOT EVALUABLE"
    assert "requires a look for muscle, and there could be none." in decide(unseen, {}, muscle).reasons[0]
    assert decide(unseen, {}, DECLARED).status == "WARNING"
    # Looked for and not there, or allowed, is looked for; so is what the policy does not ask for at all.
    for looked in (absent("intervention.muscle"), exchanged("intervention.muscle", "PASS")):
        assert decide([*GOOD, looked], {}, muscle).status == "PASS"
    allowed = not_evaluable("intervention.muscle", "sign", "policy", "It may use it.", "muscle")
    assert decide([*GOOD, allowed], {}, muscle).status == "PASS"
    assert decide(GOOD, {}, asking("{required: [muscle], artefacts: [eyes]}")).status == "PASS"
    assert decide(GOOD, {}, asking("{enabled: false, required: [muscle]}")).status == "PASS"
    # Seen by its components, it has been looked for.
    assert decide([*unseen, exchanged("components.muscle", "PASS")], {}, muscle).status == "PASS"


def test_artefacts_that_are_not_in_the_data_are_noted() -> None:
    verdict = decide([*GOOD, absent("intervention.heart"), absent("components.electrode")], {}, DECLARED)
    assert "Not told apart in this data, and so not exchanged: heart, electrode." in verdict.notes
    seen = decide([*GOOD, absent("intervention.heart"), exchanged("components.heart", "PASS")], {}, DECLARED)
    assert not any("not exchanged" in n for n in seen.notes)


def test_what_the_data_offers_and_what_was_answered_are_noted() -> None:
    uneven = made("task.imbalance", "data", "FAIL")
    verdict = decide([*GOOD, uneven, relevance("share.eyes")], {}, DECLARED)
    assert verdict.status == "PASS"
    assert verdict.notes == (
        uneven.said, "share.eyes said so. When it was exchanged, hardly any decision went with it.",
    )  # fmt: skip
    assert verdict.artefacts == {}


def test_maps_that_mislead_where_the_part_is_confirmed_are_noted() -> None:
    bad = [made(name, "method", "FAIL") for name in ("faithfulness", "agreement", "randomisation")]
    verdict = decide([*GOOD, CONFIRMED, *bad], {}, DECLARED)
    assert verdict.notes == ("faithfulness said so.", "agreement said so.")
    assert verdict.reasons == ("Maps may mislead: randomisation said so.",)
    verdict = decide([*GOOD, *bad], {}, DECLARED)
    assert verdict.notes == ()
    assert len(verdict.reasons) == 3


@pytest.mark.parametrize(
    "results", [GOOD, [*GOOD, follows("gain", "FAIL", 0.9, "machine")], [NOTHING], [MIXED, *GOOD]]
)
def test_what_is_reported_never_changes_the_verdict(results: list[CheckResult]) -> None:
    """Of every role, with a number or without one, and whatever it says."""
    roles: tuple[Role, ...] = ("follows", "sign", "technical", "task", "method", "data")
    told = [made(f"task.{role}", role, "REPORTED", "eyes", 0.2) for role in roles]
    left = [not_asked(name, role, "Nobody asked.", "eyes") for name in ("parity", "task") for role in roles]
    before, after = decide(results, {}, DECLARED), decide([*results, *told, *left], {}, DECLARED)
    same = ("status", "said", "exit_code", "reasons", "artefacts", "notes")
    assert [getattr(after, k) for k in same] == [getattr(before, k) for k in same]
    # What nobody asked for was not looked at, and so answers nothing.
    muscle = relevance("share.muscle")
    allowed = not_asked("intervention.muscle", "sign", "The task may use it.", "muscle")
    assert decide([*GOOD, muscle, allowed], {}, DECLARED).status == "WARNING"
    assert "muscle" in decide([*GOOD, allowed], {}, DECLARED).looked.not_at


def test_a_warning_can_stop_a_deployment() -> None:
    strict = DECLARED.model_copy(update={"warning_exits": 1})
    assert decide([*GOOD, relevance("share.muscle")], {}, strict).exit_code == 1
    assert decide(GOOD, {}, strict).exit_code == 0


def test_reasons_in_their_order() -> None:
    results = [
        made("agreement", "method", "FAIL"),
        not_evaluable("share.mains", "sign", "error", "It failed.", "mains"),
        held("electrodes", 0.3),
        unknown("intervention.heart"),
        relevance("share.muscle"),
        relevance("share.eyes"),
        exchanged("components.electrode", "WARNING", 0.3),
        follows("outside-bands", "WARNING", 0.4, "outside"),
        exchanged("intervention.eyes", "FAIL", 0.7),
        exchanged("components.eyes", "FAIL", 0.9),
        follows("outside-regions", "FAIL", 0.8, "outside"),
        follows("gain", "FAIL", 0.6, "machine"),
        follows("alpha", "PASS", 0.95),
        made("ledger", "technical", "FAIL"),
        made("baseline.eyes", "data", "FAIL", "eyes"),
        made("confirmed", "method", "NOT EVALUABLE"),
        MIXED,
    ]
    reasons = decide(results, {}, UNDECLARED).reasons
    begins = (
        "Labels go with the subject.",
        # What fails: what was asked for, what no brain signal carries, then the strongest.
        "ledger said so.",
        "follows.gain said so.",
        "Clever Hans: the model uses the eyes (intervention.eyes, share.eyes agree; the data offers it)",
        "follows.outside-regions said so.",
        # What warns; of an artefact that fails already nothing more is said.
        "follows.outside-bands said so.",
        "A sign that the model uses noise of an electrode: components.electrode said so.",
        # What decisions go with most, strongest first, and what lies outside is no part by itself.
        "Of all parts of the signal, decisions go most with the alpha (95%), the gain (60%).",
        "What this model may use was not declared",
        "Relevance suggests that the model uses muscle: share.muscle said so.",
        "Whether the model uses the heart could not be looked for.",
        "The policy holds share.frontal to a number that could not be measured.",
        "The check share.mains was begun, and could not be finished.",
        "Maps may mislead: agreement said so.",
    )
    assert len(reasons) == len(begins)
    for reason, begin in zip(reasons, begins, strict=True):
        assert reason.startswith(begin), reason
    assert decide(results, {}, DECLARED).artefacts == {
        "eyes": ("share.eyes", "intervention.eyes", "components.eyes"),
        "electrode": ("components.electrode",),
        "muscle": ("share.muscle",),
    }


@pytest.mark.row("E16")
def test_labels_that_go_with_the_subject_are_the_first_reason() -> None:
    verdict = decide([*GOOD, NOT_SHOWN, MIXED], {}, DECLARED)
    assert (verdict.status, verdict.reasons) == (
        "NOT EVALUABLE", ("Labels go with the subject.", "task said so."),
    )  # fmt: skip
    # A waiver does not help: there is nothing that a verdict could mean.
    assert decide([*GOOD, MIXED], {"task.confounded": "known"}, DECLARED).status == "NOT EVALUABLE"


def test_what_is_confirmed_stands_before_what_fails() -> None:
    bad = follows("gain", "FAIL", 0.6, "machine")
    verdict = decide([*GOOD, CONFIRMED, bad], {}, DECLARED)
    assert verdict.reasons[:2] == ("confirmed said so.", "follows.gain said so.")
    assert verdict.confirmed is CONFIRMED
    assert verdict.to_dict()["confirmed"] == "confirmed said so."
    assert decide([*GOOD, bad], {}, DECLARED).to_dict()["confirmed"] is None
    # Where nothing is declared, whoever reads the verdict has to judge it by what decides.
    assert decide([*GOOD, CONFIRMED], {}, UNDECLARED).reasons[1] == "confirmed said so."
    assert decide([*GOOD, CONFIRMED], {}, DECLARED).reasons == ()


def test_few_parts_are_named_that_decisions_go_with_most() -> None:
    parts = [follows(f"p{i}", "PASS", i / 10) for i in range(10)]
    space = follows("region", "PASS", 1.0, group="space")
    outside = follows("gain", "FAIL", 0.6, "machine")
    reasons = decide([*GOOD, *parts, space, outside], {}, DECLARED).reasons
    assert "decisions go most with the p9 (90%), the p8 (80%), the p7 (70%), the p6 (60%)." in reasons[1]
    # Nothing is said of them where nothing is wrong.
    assert decide([*GOOD, *parts], {}, DECLARED).reasons == ()


def test_signs_without_an_artefact_are_all_named() -> None:
    bad = [made(name, "sign", "FAIL", "", 0.9) for name in ("lab", "house")]
    reasons = decide([*GOOD, *bad, follows("gain", "FAIL", 0.9, "machine")], {}, DECLARED).reasons
    assert sum("uses an artefact" in r for r in reasons) == 2


def test_what_was_looked_at_and_what_not() -> None:
    alike = CheckResult("follows.line", "follows", "PASS", "Windows do not differ in it.", 0.0, 0.5)
    other = not_evaluable("components", "sign", "electrodes", "No independent components.")
    results = [
        *GOOD, alike, follows("electrode-C3", "PASS", 0.4), follows("gain", "FAIL", 0.6, "machine"),
        absent("intervention.heart"), unknown("intervention.muscle"), other, relevance("share.mains"),
        absent("components.eyes"),
    ]  # fmt: skip
    looked = decide(results, {}, DECLARED).looked
    assert looked.at == ("gain", "eyes", "electrode C3")
    assert looked.nothing == ("line", "heart")
    assert looked.not_at == {
        "muscle": "intervention.muscle: no known electrode.",
        "independent components": "No independent components.",
    }
    assert looked.no_account
    assert looked_at([]).to_dict()["at"] == []
    nothing = looked_at([NOTHING])
    assert nothing.not_at == {"parts of the signal": "The output is constant."}
    # One account of an artefact is enough: it has been looked at.
    both = looked_at([unknown("intervention.muscle"), exchanged("components.muscle", "PASS")])
    assert (both.at, both.not_at) == (("muscle",), {})


def test_waivers_hold_until_they_expire() -> None:
    text = (
        "version: 1\nexpects: {task: motor-imagery}\n"
        "waivers: [{check: share.muscle, reason: jaw task, until: 2027-06-30}]"
    )
    results = [*GOOD, relevance("share.muscle")]
    for today, status in ((datetime.date(2027, 6, 30), "PASS"), (datetime.date(2027, 7, 1), "WARNING")):
        gate = Gate(Policy.from_text(text), today=today)
        waived, notes = gate._waived(results)
        assert decide(results, waived, gate.policy).status == status
        assert bool(notes) == (status == "WARNING")
    assert (
        "jaw task"
        in Gate(Policy.from_text(text), today=datetime.date(2027, 1, 1))._waived(results)[0]["share.muscle"]
    )


def test_a_waiver_covers_what_warns_too() -> None:
    text = (
        "version: 1\nexpects: {task: motor-imagery}\n"
        "waivers: [{check: follows.first, reason: a trigger, until: 2027-06-30}]"
    )
    results = [*GOOD, follows("first", "WARNING", 0.9, "undeclared")]
    gate = Gate(Policy.from_text(text), today=datetime.date(2027, 1, 1))
    waived, _ = gate._waived(results)
    assert list(waived) == ["follows.first"]
    assert decide(results, waived, gate.policy).status == "PASS"


def test_a_verdict_shows_itself_in_a_line_and_a_short_table() -> None:
    many = [
        made(f"follows.part-{i}", "follows", "FAIL", value=0.9, part=f"<i>part {i}</i>") for i in range(300)
    ]
    many[0] = replace(many[0], said="<script>alert(1)</script>" * 100)
    verdict = decide([*many, absent("intervention.eyes")], {"a": "<b>"}, DECLARED)
    said, table = repr(verdict), verdict._repr_html_()
    assert said.startswith("<Verdict: FAIL: ")
    assert len(said) < 330
    assert "follows.part-1: FAIL" in table
    assert "292 fail or warn" in table
    assert "301 checks, 1 not evaluable" in table
    assert "The model must not be deployed." in table
    assert "<script" not in table
    assert "<i>" not in table
    assert table.count("<tr>") < 25
    passed = decide(GOOD, {}, DECLARED)
    assert repr(passed).startswith("<Verdict: PASS; ")
