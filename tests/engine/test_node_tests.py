"""onnx's node tests: every operator with a rule explains its own, and its derivative is the right one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import known
import node_tests
import pytest

OPERATORS = {(t.domain, t.op) for t in node_tests.collected() if not t.skipped}
# Operators with models by the dozen: three fifths of the time of all. test_cases.py has the common ones.
LONG = {
    "Attention", "CausalConvWithState", "GridSample", "LSTM", "LayerNormalization", "LinearAttention",
    "RMSNormalization", "RotaryEmbedding", "SoftmaxCrossEntropyLoss",
}  # fmt: skip


def over(operators: Iterable[tuple[str, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("domain", "op"),
        [
            pytest.param(domain, op, id=op, marks=[pytest.mark.long] if op in LONG else [])
            for domain, op in sorted(operators)
        ],
    )


def outcomes(domain: str, op: str) -> list[node_tests.Outcome]:
    found = [
        outcome
        for test in node_tests.collected()
        if (test.domain, test.op) == (domain, op) and not test.skipped
        for outcome in node_tests.run(test)
    ]
    skipped = [f"{o.test.name} ({o.form}): {o.why}" for o in found if o.status == "skipped"]
    assert len(skipped) == node_tests.NOT_RUN.get(op, 0), "\n".join(skipped)
    return found


@over(OPERATORS)
def test_operator(domain: str, op: str) -> None:
    found = outcomes(domain, op)
    if (domain, op) in known.REFUSED:
        assert all(o.status in ("unsupported", "skipped") for o in found), "it has a rule: shorten the list"
        return
    wrong = [f"{o.test.name} ({o.form}): {o.why}" for o in found if o.status in ("failed", "unsupported")]
    assert not wrong, "\n".join(wrong)
    explained = [o for o in found if o.status == "explained"]
    # An operator that onnxruntime has no kernel for is explained where it is written out.
    assert explained or op in node_tests.NO_KERNEL or (domain, op) in known.NO_SIGNAL
    assert (
        op in node_tests.NOT_SMOOTH or not explained or any(o.slope.startswith("checked") for o in explained)
    )


def test_the_list_without_a_rule_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    """It may only become shorter; what is on it says why."""
    left = known.without()
    with capsys.disabled():
        print(f"\nwithout a rule: {', '.join('.'.join(filter(None, p)) for p in sorted(left))}")
    assert left <= set(known.REFUSED)
    assert set(known.REFUSED) <= left


def test_there_are_many_operators() -> None:
    assert len(known.ways()) >= 150


def test_skipped_tests_say_why() -> None:
    assert all(t.skipped for t in node_tests.collected() if not t.output)
    why = Counter(t.skipped for t in node_tests.collected() if t.skipped)
    assert why == node_tests.SKIPPED
    assert set(node_tests.NOT_RUN) <= {op for _, op in OPERATORS}
