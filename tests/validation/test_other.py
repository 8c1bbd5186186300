"""Checks of other packages: found, made after the gate's own, held to the policy, and never a crash."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from installing import installed

from onnxplain.engine.errors import InputError, PolicyError
from onnxplain.validation import Gate, Policy, outputs
from onnxplain.validation.case import Case
from onnxplain.validation.checks import CHECKS
from onnxplain.validation.other import versions_of
from onnxplain.validation.result import CheckResult
from onnxplain.validation.schema import VerdictFile
from onnxplain.validation.verdict import Verdict

Install = Callable[..., None]
Judge = Callable[..., Verdict]
DOCUMENT = Path(__file__).parents[2] / "docs" / "extending.md"
# What says nothing of shortcuts is off; the gate's own signs are few and quick.
OFF = ", ".join(f"{name}: {{enabled: false}}" for name in CHECKS if name not in ("ledger", "intervention"))
EXPECTS = "{task: motor-imagery}"
HEAD = "from onnxplain.validation.result import CheckResult\n\n\n"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a check beside onnxplain: its name, and its source with a function `check`."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(
        source: str,
        *,
        entry: str = "lab",
        name: str = "lab-checks",
        module: str = "",
        attribute: str = "check",
    ) -> None:
        module = module or f"lab_checks_{name.replace('-', '_')}_{entry.replace('.', '_')}"
        installed(tmp_path, name, "onnxplain.checks", module, source, entry=entry, attribute=attribute)

    yield make
    for left in set(sys.modules) - before:
        if left.startswith("lab_"):
            del sys.modules[left]


@pytest.fixture
def judge(make_case: Any) -> Judge:
    """The verdict on the honest model, with what the policy says of other packages' checks."""

    def run(other: str = "{}", waivers: str = "[]") -> Verdict:
        text = f"version: 1\nexpects: {EXPECTS}\nchecks: {{{OFF}, other: {other}}}\nwaivers: {waivers}"
        policy = Policy.from_text(text)
        case: Case = make_case("hands")
        case.policy = policy
        return Gate(policy).judge(case)

    return run


def of(verdict: Verdict, family: str) -> list[CheckResult]:
    return [r for r in verdict.results if r.family == family]


def giving(*results: str) -> str:
    return f"{HEAD}def check(case):\n    return [{', '.join(results)}]\n"


def test_without_packages_there_is_nothing_more(judge: Judge) -> None:
    assert {r.family for r in judge().results} == {"ledger", "intervention"}


def test_a_check_is_made_after_the_gates_own(install: Install, judge: Judge) -> None:
    install(
        f"{HEAD}def check(case):\n"
        "    said = f'{len(case.windows)} windows, {case.settings(\"lab\")}'\n"
        "    more = CheckResult('more', 'method', 'PASS', 'Good.', 1, 2)\n"
        "    return [CheckResult('lab', 'technical', 'PASS', said), more]\n"
    )
    verdict = judge("{lab: {most: [1, 2], name: x}}")
    assert verdict.status == "PASS"
    assert [r.check for r in verdict.results[-2:]] == ["lab", "lab.more"]
    assert verdict.results[-2].said == "64 windows, {'most': (1, 2), 'name': 'x'}"
    assert "64 windows, {}" in judge().results[-2].said
    VerdictFile.model_validate(json.loads(json.dumps(verdict.to_dict())))
    assert "lab.more" in outputs.card(verdict)
    assert versions_of(Policy(version=1)) == {"lab-checks": "1.0"}


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ("CheckResult('lab', 'technical', 'FAIL', 'It is off.')", "FAIL"),
        ("CheckResult('lab', 'task', 'FAIL', 'It is off.')", "FAIL"),
        ("CheckResult('lab', 'method', 'FAIL', 'It is off.')", "WARNING"),
        ("CheckResult('lab', 'follows', 'FAIL', 'It is off.')", "FAIL"),
        ("CheckResult('lab', 'follows', 'WARNING', 'It is off.')", "WARNING"),
        ("CheckResult('lab', 'technical', 'WARNING', 'It is off.')", "WARNING"),
        ("CheckResult('lab', 'method', 'WARNING', 'It is off.')", "WARNING"),
        ("CheckResult('lab.eyes', 'sign', 'FAIL', 'It is off.', 0.9, 0.1, 'eyes')", "FAIL"),
        ("CheckResult('lab.eyes', 'sign', 'WARNING', 'It is off.', 0.9, 0.1, 'eyes')", "WARNING"),
        ("CheckResult('lab', 'data', 'FAIL', 'It is off.')", "PASS"),
    ],
)
def test_a_result_counts_by_its_role(install: Install, judge: Judge, result: str, status: str) -> None:
    install(giving(result))
    verdict = judge()
    assert verdict.status == status
    assert any("It is off." in said for said in (*verdict.reasons, *verdict.notes))
    assert judge("{lab: {enabled: false}}").status == "PASS"
    assert not of(judge("{lab: {enabled: false}}"), "lab")


def test_a_sign_of_its_own_beside_one_of_the_gates(install: Install, make_case: Any) -> None:
    install(giving("CheckResult('lab.eyes', 'sign', 'FAIL', 'The lab sees it too.', 0.9, 0.1, 'eyes')"))
    case: Case = make_case("eyes", checks=f"{{{OFF}}}", expects=EXPECTS)
    verdict = Gate(case.policy).judge(case)
    assert verdict.status == "FAIL"
    assert set(verdict.artefacts["eyes"]) == {"intervention.eyes", "lab.eyes"}


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def check(case):\n    raise RuntimeError('no\\nluck')\n", "RuntimeError: no luck"),
        ("def check(case):\n    return None\n", "not iterable"),
        ("def check(case):\n    return [1]\n", "it gave int, not CheckResult"),
        ("def check(case):\n    raise SyntaxError\n", "SyntaxError"),
        ("import no_such_thing\n", "no_such_thing"),
        ("", "check"),
        (giving("CheckResult('lab', 'sin', 'PASS', '')"), "role 'sin'"),
        (giving("CheckResult('lab', 'sign', 'WARN', '')"), "status 'WARN'"),
        (giving("CheckResult('lab', 'sign', 'PASS', '', float('nan'))"), "nan"),
        (giving("CheckResult('lab', 'sign', 'PASS', '', artefact=['eyes'])"), "artefact"),
        (giving("CheckResult('lab', 'sign', 'PASS', '', evidence=3)"), "evidence"),
    ],
)
def test_one_that_fails_to_run_is_named(install: Install, judge: Judge, source: str, reason: str) -> None:
    install(source)
    verdict = judge()
    (found,) = of(verdict, "lab")
    assert found.status == "NOT EVALUABLE"
    assert found.why_not == "error"
    assert "package lab-checks" in found.said
    assert reason in found.said
    assert "\n" not in found.said
    assert verdict.status == "WARNING"
    assert any("could not be finished" in reason for reason in verdict.reasons)
    required = judge("{lab: {required: true}}")
    assert required.status == "NOT EVALUABLE"
    assert "requires the check lab" in required.reasons[0]


@pytest.mark.parametrize("entry", ["share", "other", "lab.drift"])
def test_names_that_none_may_take(install: Install, judge: Judge, entry: str) -> None:
    install(giving("CheckResult('x', 'technical', 'FAIL', 'It must not count.')"), entry=entry)
    verdict = judge()
    (found,) = of(verdict, "other")
    assert found.status == "NOT EVALUABLE"
    assert "lab-checks" in found.said
    assert repr(entry) in found.said
    assert verdict.status == "WARNING"


def test_two_packages_with_one_name(install: Install, judge: Judge) -> None:
    for name in ("one", "two"):
        install(giving("CheckResult('x', 'technical', 'PASS', '')"), name=name)
    with pytest.raises(InputError, match=r"'lab'.*uninstall one"):
        judge()


def test_the_policy_knows_what_is_installed(install: Install) -> None:
    with pytest.raises(PolicyError, match="no package offers a check 'lab'; none is installed") as caught:
        Policy.from_text("version: 1\nchecks: {other: {lab: {}}}")
    assert "\n" not in str(caught.value)
    install(giving("CheckResult('x', 'technical', 'PASS', '')"))
    policy = Policy.from_text("version: 1\nchecks: {other: {lab: {limit: 0.5}}}")
    assert policy.digest() != Policy.from_text("version: 1\nchecks: {other: {lab: {limit: 0.6}}}").digest()
    assert policy.model_dump(mode="json")["checks"]["other"]["lab"]["limit"] == 0.5
    for text, said in (
        ("{other: {lba: {}}}", r"no package offers a check 'lba'; did you mean lab\?"),
        ("{other: {elsewhere: {}}}", "no package offers a check 'elsewhere'; there are lab"),
        ("{other: {lab: {enabled: 1}}}", "checks.other.lab.enabled"),
        ("{other: {lab: 3}}", "checks.other.lab"),
        ("{lab: {}}", "checks.lab: there is no such key"),
    ):
        with pytest.raises(PolicyError, match=said):
            Policy.from_text(f"version: 1\nchecks: {text}")


def test_a_waiver_of_it(install: Install, judge: Judge) -> None:
    waiver = "[{check: lab, reason: known, until: 2999-01-01}]"
    with pytest.raises(PolicyError, match="no check 'lab'"):
        judge(waivers=waiver)
    install(giving("CheckResult('x', 'technical', 'FAIL', 'It is off.')"))
    verdict = judge(waivers=waiver)
    assert verdict.status == "PASS"
    assert list(verdict.waived) == ["lab.x"]
    with pytest.raises(PolicyError, match="no check 'other'"):
        judge(waivers="[{check: other, reason: known, until: 2999-01-01}]")


def test_the_example_of_the_documents(install: Install, make_case: Any, truth: Any) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    source = text.partition("```python\n# lab_relevance/checks.py\n")[2].partition("```")[0]
    install(source, entry="drift", module="lab_relevance.checks", attribute="drift")
    policy = Policy.from_text(text.partition("```yaml\n")[2].partition("```")[0])
    groups = tuple(map(str, range(64)))
    drifting = truth(groups=groups, offsets={group: float(group) for group in groups})
    for reads, status in (("hands", "PASS"), ("O1", "FAIL"), ("nothing", "NOT EVALUABLE")):
        case: Case = make_case(reads, truth=drifting, checks=f"{{{OFF}}}")
        checks = case.policy.checks.model_copy(update={"other": policy.checks.other})
        case.policy = policy.model_copy(update={"checks": checks})
        (found,) = of(Gate(case.policy).judge(case), "drift")
        assert (found.check, found.status) == ("drift", status)
        assert found.threshold == (None if reads == "nothing" else 0.4)
