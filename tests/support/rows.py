"""Which rows of robustness.yaml a test shows, and what it took: `pytest -m row --rows FILE` writes it.

A row is bad input of one kind (see that file). A test, or one case of it, names the rows it shows with
``@pytest.mark.row("M1")``. Memory is counted as the guard counts it: of the tests' process and all that it
started, every so many milliseconds.
"""

from __future__ import annotations

import ast
import gc
import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from onnxplain.cli import processes

TESTS = Path(__file__).parents[1]
FILE = TESTS / "robustness.yaml"
MARK = "row"
_PROPERTY = "rows"
_EVERY = 0.02  # seconds between two looks at the memory


def known() -> dict[str, dict[str, str]]:
    """The rows, by their names: what it is, and what must happen."""
    rows: dict[str, dict[str, str]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return rows


def named(text: str) -> Iterator[str]:
    """The rows that the source of a test names in its marks."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == MARK:
            yield from (a.value if isinstance(a, ast.Constant) else ast.unparse(a) for a in node.args)


def problems(rows: Iterable[str], marks: Mapping[str, Iterable[str]]) -> list[str]:
    """What is wrong with marks: a row that no test shows, a mark of a row that there is not.

    Parameters
    ----------
    rows : iterable of str
    marks : mapping of str to iterable of str
        The rows that each file names.
    """
    shown = {row for each in marks.values() for row in each}
    said = [f"no test shows {row}" for row in rows if row not in shown]
    for file, each in marks.items():
        said += [f"{file}: there is no row {row}" for row in each if row not in rows]
    return said


@dataclass
class Shown:
    """What tests showed of a row.

    Attributes
    ----------
    tests : list of str
        Functions, each once.
    variants, failed : int
        Cases that were run, and those of them that did not pass.
    seconds, mebibytes : float
        Of the case that took longest, and of the one that took most memory.
    """

    tests: list[str] = field(default_factory=list)
    variants: int = 0
    failed: int = 0
    seconds: float = 0.0
    mebibytes: float = 0.0

    def add(self, case: str, passed: bool, seconds: float, mebibytes: float) -> None:
        """Count one case, by its node id."""
        test = case.partition("[")[0]
        if test not in self.tests:
            self.tests.append(test)
        self.variants += 1
        self.failed += not passed
        self.seconds, self.mebibytes = max(self.seconds, seconds), max(self.mebibytes, mebibytes)


class Memory:
    """The largest memory of this process and its descendants, above what it was at the start."""

    def __enter__(self) -> Memory:
        gc.collect()
        self._start = self._peak = processes.tree_memory(os.getpid())
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._end.wait(_EVERY):
            self._look()

    def _look(self) -> None:
        self._peak = max(self._peak, processes.tree_memory(os.getpid()))

    @property
    def mebibytes(self) -> float:
        """By how much it grew at most."""
        return (self._peak - self._start) / 2**20


class Rows:
    """The plugin, which does something only where `--rows FILE` is asked for."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.found = {row: Shown() for row in known()}

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Measure a test that shows a row."""
        memory = Memory()
        with memory:
            yield
        item.user_properties.append(("mebibytes", memory.mebibytes))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Say with the report, which may go to another process, what rows it is of."""
        rows = list(dict.fromkeys(row for mark in item.iter_markers(MARK) for row in mark.args))
        item.user_properties.append((_PROPERTY, rows))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a case: when it was run, or could not be."""
        properties: dict[str, Any] = dict(report.user_properties)
        if report.when == "call" or (report.when == "setup" and not report.passed):
            for row in properties.get(_PROPERTY, ()):
                if row in self.found:
                    self.found[row].add(
                        report.nodeid, report.passed, report.duration, properties.get("mebibytes", 0.0)
                    )

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write what was found, where all results come together."""
        if hasattr(session.config, "workerinput"):
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({row: asdict(shown) for row, shown in self.found.items()}, indent=1)
        self.file.write_text(text + "\n", encoding="utf-8")
