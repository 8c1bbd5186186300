"""The picture of a verdict: what was exchanged, where decisions went, and the map of the difference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from results import DECLARED, GOOD

from onnxplain.validation.case import Case
from onnxplain.validation.checks import confirmed, follows
from onnxplain.validation.report import write_report
from onnxplain.validation.shown import Shown, shown_of
from onnxplain.validation.verdict import decide


def of(case: Case) -> Shown:
    found = shown_of(case, confirmed.check(case))
    assert found is not None
    return found


@pytest.mark.parametrize("outputs", [2, 1])
def test_it_shows_the_part_that_the_check_found(make_case: Any, result: Any, outputs: int) -> None:
    case = make_case("hands", outputs=outputs)
    (check,) = confirmed.check(case)
    shown = of(case)
    assert (check.status, check.evidence["part"]) == ("PASS", shown.part)
    # The rows of the bars are the pairs that the check has counted.
    assert sum(w.pairs for w in shown.went) == check.evidence["pairs"]
    along = sum(w.pairs * w.along for w in shown.went) / sum(w.pairs for w in shown.went)
    assert along == pytest.approx(check.evidence["follows"], abs=0.01)
    assert [shown.electrodes[i] for i in shown.rows] == ["C3"]
    assert shown.electrodes[int(shown.share.argmax())] == "C3"
    assert shown.share.sum() == pytest.approx(1)


def test_the_example_is_an_exchange(make_case: Any) -> None:
    case = make_case("hands")
    shown = of(case)
    e, cell = shown.example, case.smallest.cell
    assert e.electrode == "C3"
    assert {e.said[0], e.said[1]} == {"left", "right"}
    assert e.said[2] == e.said[1]
    at = case.windows.channels.index("C3")
    (i,) = np.flatnonzero((case.signal[:, at] == e.window).all(-1))
    (j,) = np.flatnonzero((case.signal[:, at] == e.other).all(-1))
    made = cell.swap(case.signal[[i]], case.signal[[j]])
    np.testing.assert_allclose(made[0, at], e.exchanged)
    assert case.run(made).argmax(-1)[0] == case.decisions[j] != case.decisions[i]


def test_without_a_small_part_it_shows_what_decisions_go_with_most(make_case: Any) -> None:
    case = make_case("hands")
    results = [*confirmed.check(case), *follows.check(case)]
    held = case.smallest
    case.smallest = replace(held, held=replace(held.held, followed=0.2))
    shown = shown_of(case, results)
    assert shown is not None
    values = {r.evidence["part"]: r.value or 0.0 for r in results if r.family == "follows"}
    assert values[shown.part] == max(values.values())
    bad = [replace(r, status="FAIL") if r.check == "follows.delta" else r for r in results]
    again = shown_of(case, bad)
    assert again is not None
    assert again.part.startswith("delta")


def test_nothing_is_shown_that_no_check_has_looked_for(make_case: Any, constant: Case) -> None:
    assert shown_of(constant, confirmed.check(constant)) is None
    case = make_case("hands")
    assert shown_of(case, GOOD) is None
    assert "smallest" not in case.__dict__


@pytest.mark.parametrize(("naming", "pictures"), [("10-20", 3), ("unknown", 2)])
def test_the_page_begins_with_it(make_case: Any, tmp_path: Path, naming: str, pictures: int) -> None:
    shown = of(make_case("hands", naming=naming))
    page = write_report(replace(decide(GOOD, {}, DECLARED), shown=shown), tmp_path / "report.html")
    text = page.read_text(encoding="utf-8")
    first = text.partition("What decisions follow")[0]
    assert first.count("alt='What was exchanged'") == first.count("alt='Where decisions went'") == 1
    assert first.count("alt='The map of the difference'") == pictures - 2
    names = {"exchanged", "decisions", "difference_map"} if pictures == 3 else {"exchanged", "decisions"}
    assert {p.stem for p in tmp_path.iterdir() if p.suffix == ".png"} == names
