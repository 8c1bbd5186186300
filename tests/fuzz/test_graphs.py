"""A few random models by seed; `make fuzz` checks them for hours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from graph_checks import Outcome, check
from graphs import TABLE, UnfitError, make, session, start

from onnxplain.engine.rules import activations

SEEDS = range(3000, 3016)
# A number of models by seed, and no time: the test says the same on a slow machine.
EACH = 4
SIMPLIFIED = "SimplifiedLayerNormalization"


def test_every_entry_of_the_table_can_be_built_and_they_make_a_hundred_operators() -> None:
    operators: set[str] = set()
    for name, entry in TABLE.items():
        for attempt in range(60):
            rng = np.random.default_rng([7, attempt])
            g = start(rng, opset=max(entry.since, int(rng.integers(11, 24))))
            try:
                with g.attempt():
                    g.offer(entry.build(g))
            except UnfitError:
                continue
            operators |= {f"{n.domain}.{n.op_type}" for n in g.nodes}
            break
        else:
            raise AssertionError(f"no graph takes {name}")
    assert len(operators) >= 140
    assert sum(o.startswith("com.microsoft.") for o in operators) >= 10


def test_models_are_valid_and_of_many_kinds() -> None:
    made = [make(seed) for seed in range(40)]
    for one in made:
        # The checker does not know what onnxruntime has put into the standard's domain, and takes nothing
        # that a later opset defines anew, which onnxruntime does.
        if not any(n.op_type in ("GroupNormalization", SIMPLIFIED) for n in one.model.graph.node):
            onnx.checker.check_model(one.model)
        (y,) = session(one.model).run(None, one.feed)
        assert np.isfinite(y).all()
        assert len(y) == one.batch
        if one.is_open:
            (first,) = session(one.model).run(None, {n: v[:1] for n, v in one.feed.items()})
            np.testing.assert_allclose(first, y[:1], rtol=0, atol=1e-4 * max(np.abs(y).max(), 1))
    assert {one.model.opset_import[0].version for one in made} >= {11, 13, 17, 20, 23}
    assert {one.is_open for one in made} == {False, True}
    assert {len(one.feed) for one in made} == {1, 2, 3}
    assert make(5).model == make(5).model
    assert make(5).model != make(6).model


@pytest.mark.parametrize("first", range(SEEDS.start, SEEDS.stop, EACH))
def test_what_holds_of_every_explanation(first: int, tmp_path: Path) -> None:
    total = Outcome()
    for seed in range(first, first + EACH):
        total.add(check(make(seed), tmp_path))
    assert not total.findings, "\n".join(map(str, total.findings))
    assert total.refused_share < 0.02, "\n".join(total.refusals)
    assert total.counts["explained"] >= 6 * EACH


def test_a_wrong_rule_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slope that is half of what it should be: by the gradient, or because the account is not closed."""
    whole = activations.positive
    monkeypatch.setattr(activations, "positive", lambda *given: _halved(whole, *given))
    seeds = [s for s in range(200) if "Relu" in make(s, 4).operators and not _rounds(make(s, 4))][:3]
    found = [check(make(seed, 4), tmp_path) for seed in seeds]
    assert len(found) == 3
    assert any(f.what == "gradient" for one in found for f in one.findings)


def _halved(whole: Any, op: Any, *given: Any) -> Any:
    return op.mul(whole(op, *given), 0.5)


def _rounds(made: Any) -> bool:
    return any(n.op_type == "QuantizeLinear" for n in made.model.graph.node)
