"""The policy is read strictly: whatever is not understood is refused, never ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from onnxplain.engine.errors import PolicyError
from onnxplain.validation.check_settings import Checks
from onnxplain.validation.expects import PRESETS, Expects
from onnxplain.validation.policy import STARTER, Policy


def test_the_starter_is_the_default_but_for_what_a_warning_does() -> None:
    policy = Policy.from_text(STARTER)
    assert policy == Policy(version=1, warning_exits=1)
    assert Policy(version=1).warning_exits == 0
    assert Policy(version=1).expects is None
    for name in Checks.model_fields:
        assert f"\n  {name}:" in STARTER, f"{name} is not in the starter"
    assert policy.digest() == Policy(version=1, warning_exits=1).digest()
    for task in PRESETS:
        assert task in STARTER


HEAD = STARTER.partition("expects: ")[0]


def test_what_the_starter_shows_of_expects_can_be_said() -> None:
    lines = [line.removeprefix("#   ") for line in HEAD.splitlines() if line.startswith("#   ")]
    lines = [line.partition("  ")[0] for line in lines]  # without what is said of them
    said = "\n".join(f"  {line}" for line in lines)
    policy = Policy.from_text(f"version: 1\nexpects:\n{said}")
    assert policy.expects is not None
    assert policy.expects.all_bands == ((8.0, 13.0), (13.0, 30.0), (4.0, 8.0))
    assert policy.expects.all_regions == ("sensorimotor", "C3")
    assert (policy.expects.seconds, policy.expects.all_artefacts) == ((0.2, 0.8), ("heart",))
    shown = STARTER.replace(
        "expects: null             # {task: motor-imagery}", "expects: {task: motor-imagery}"
    )
    assert Policy.from_text(shown).expects == Expects(task="motor-imagery")


@pytest.mark.row("O6")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no keys and values"),
        ("- a", "no keys and values"),
        ("checks: {}", "version: is missing"),
        ("version: 2", "version"),
        ("version: '1'", "version"),
        ("version: 1\nchekcs: {}", "chekcs: there is no such key"),
        ("version: 1\nchecks: {shares: {}}", "checks.shares: there is no such key"),
        ("version: 1\nchecks: {share: {max_ration: 2}}", "checks.share.max_ration: there is no such key"),
        ("version: 1\nchecks: {share: {max_share: {frontla: 0.2}}}", "no region 'frontla'"),
        ("version: 1\nchecks: {share: {max_share: {frontal: 2}}}", "max_share.frontal"),
        ("version: 1\nchecks: {share: {max_band: {gama: 0.2}}}", "no band 'gama'"),
        ("version: 1\nchecks: {ledger: {max_closure: .nan}}", "checks.ledger.max_closure"),
        ("version: 1\nchecks: {ledger: {max_closure: .inf}}", "checks.ledger.max_closure"),
        ("version: 1\nchecks: {ledger: {max_closure: 0}}", "checks.ledger.max_closure"),
        ("version: 1\nchecks: {ledger: {max_closure: '1e-3'}}", "checks.ledger.max_closure"),
        ("version: 1\nchecks: {ledger: {enabled: 1}}", "checks.ledger.enabled"),
        ("version: 1\nchecks: {intervention: {artefacts: [eye]}}", "checks.intervention.artefacts"),
        ("version: 1\nchecks: {transplant: {max_follow: {eyes: 0.2}}}", "no region 'eyes'"),
        ("version: 1\nchecks: {follows: {max_follow: 1.5}}", "checks.follows.max_follow"),
        ("version: 1\nchecks: {follows: {pairs: 5}}", "checks.follows.pairs"),
        ("version: 1\nchecks: {confirmed: {pairs: 5}}", "checks.confirmed.pairs: there is no such key"),
        ("version: 1\nchecks: {session: {max_correlation: -1}}", "checks.session.max_correlation"),
        ("version: 1\nchecks: {intervention: {required: [nose]}}", "checks.intervention.required"),
        ("version: 1\nexpects: {}", "expects: says nothing"),
        ("version: 1\nexpects: {task: knitting}", "expects: task 'knitting' is no preset"),
        ("version: 1\nexpects: {bands: [alhpa]}", "expects: bands: no band 'alhpa'"),
        ("version: 1\nexpects: {task: p300, second: [0, 1]}", "expects.second: there is no such key"),
        ("version: 1\nchecks: {components: {artefacts: [eye]}}", "checks.components.artefacts"),
        ("version: 1\nchecks: {components: {min_share: -1}}", "checks.components.min_share"),
        ("version: 1\ncomposite: nix", "unknown composite 'nix'"),
        ("version: 1\nwarning_exits: 2", "warning_exits"),
        ("version: 1\nversion: 1", "stands twice"),
        ("version: 1\nchecks: {task: {}, task: {}}", "stands twice"),
        ("version: 1\nwaivers: [{check: share, reason: x}]", "until"),
        ("version: 1\nwaivers: [{check: share, reason: '', until: 2027-01-01}]", "reason"),
        ("version: 1\nwaivers: [{check: shrae, reason: x, until: 2027-01-01}]", "no check 'shrae'"),
        ("[1", "not YAML"),
        ("version: !!python/object/apply:os.system ['true']", "not YAML"),
    ],
)
def test_what_is_not_understood_is_refused(text: str, said: str) -> None:
    with pytest.raises(PolicyError, match=said.replace("(", r"\(")) as caught:
        Policy.from_text(text, "p.yaml")
    assert str(caught.value).startswith("p.yaml: ")
    assert "\n" not in str(caught.value)


@pytest.mark.row("O6")
def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot be read"):
        Policy.from_file(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"version: 1 # \xff")
    with pytest.raises(PolicyError, match="not UTF-8"):
        Policy.from_file(tmp_path / "latin.yaml")


def test_a_policy_may_hold_windows_against_others() -> None:
    policy = Policy.from_text("version: 1\ncomposite: difference\nagainst: any\nreferences: 2")
    assert (policy.against, policy.references) == ("any", 2)
    assert Policy.from_text("version: 1\ncomposite: difference").against is None
    for text, said in (
        ("against: any", "against zero; take composite: difference"),
        ("composite: difference\nagainst: none", "is of a difference"),
        ("composite: difference\nreferences: 0", "references"),
    ):
        with pytest.raises(PolicyError, match=said):
            Policy.from_text(f"version: 1\n{text}")
