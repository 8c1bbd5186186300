"""Every row of robustness.yaml has a test that shows it, and every mark names a row."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from rows import FILE, TESTS, Shown, known, named, problems

SUPPORT = TESTS / "support"
PAGE = TESTS.parent / "docs" / "security.md"


def marks() -> dict[str, list[str]]:
    """The rows that each file of tests names."""
    here = Path(__file__)
    return {
        path.relative_to(TESTS).as_posix(): list(named(path.read_text(encoding="utf-8")))
        for path in sorted(TESTS.rglob("test_*.py"))
        if path != here
    }


def test_every_row_is_shown_and_every_mark_names_one() -> None:
    assert problems(known(), marks()) == []


def test_rows_are_numbered_without_a_gap() -> None:
    found = list(known())
    assert found == [f"{kind}{i}" for kind, n in (("M", 27), ("E", 17), ("O", 11)) for i in range(1, n + 1)]
    for row, said in known().items():
        assert set(said) == {"what", "must"}, row
        assert len(re.findall(rf"^{row}:", FILE.read_text(encoding="utf-8"), re.MULTILINE)) == 1


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('@pytest.mark.row("M1", "M2")\ndef test(): ...', []),
        ('@pytest.mark.row("M1")\ndef test(): ...', ["no test shows M2"]),
        ('@mark.row("M1", "M2")\n@mark.row("M3")\ndef test(): ...', ["f.py: there is no row M3"]),
        ('A = [pytest.param(1, marks=pytest.mark.row("M1")), pytest.param(2, marks=[m.row("M2")])]', []),
        ('"""pytest.mark.row("M1")"""  # pytest.mark.row("M2")', ["no test shows M1", "no test shows M2"]),
        ("@pytest.mark.row(NAME)\ndef test(): ...", ["no test shows M1", "no test shows M2",
                                                     "f.py: there is no row NAME"]),
    ],
)  # fmt: skip
def test_what_is_missing_is_told(source: str, said: list[str]) -> None:
    assert problems(["M1", "M2"], {"f.py": list(named(source))}) == said


def test_the_page_has_every_row() -> None:
    """And none that failed, or that nobody has run."""
    rows = re.findall(r"^\| ([MEO]\d+) \| .* \| (\d+) \| (\d+) \| passed \|", PAGE.read_text("utf-8"), re.M)
    assert [row for row, _, _ in rows] == list(known())
    assert all(0 < int(tests) <= int(variants) for _, tests, variants in rows)


def test_cases_are_counted() -> None:
    shown = Shown()
    for case, passed, seconds, mebibytes in (
        ("f.py::a[1]", True, 1.0, 9.0),
        ("f.py::a[2]", False, 3.0, 2.0),
        ("f.py::b", True, 2.0, 0.0),
    ):
        shown.add(case, passed, seconds, mebibytes)
    assert (shown.tests, shown.variants, shown.failed) == (["f.py::a", "f.py::b"], 3, 1)
    assert (shown.seconds, shown.mebibytes) == (3.0, 9.0)


@pytest.mark.parametrize("size", [50, 200])
def test_memory_is_that_of_a_test(size: int) -> None:
    """In a process of its own: one that other tests ran in gives back memory of theirs meanwhile."""
    body = f"with rows.Memory() as memory: kept = b'x' * ({size} * 2**20)\nprint(memory.mebibytes)"
    run = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(SUPPORT)!r}); import rows\n{body}"]
    said = subprocess.run(run, check=True, capture_output=True, text=True, timeout=120).stdout
    assert size * 0.9 < float(said) < size + 100
