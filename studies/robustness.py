"""Run the tests that show rows of tests/robustness.yaml, and write the table of docs/security.md.

    python studies/robustness.py                        run them, and write
    python studies/robustness.py --from a.json b.json   write what runs have found, each of other tests

A run is `pytest -m row --rows build/rows.json`, the long tests too.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from correctness import machine, table

ROOT = Path(__file__).parents[1]
PAGE, RESULTS = ROOT / "docs" / "security.md", ROOT / "build" / "rows.json"
BEGIN, END = "<!-- rows -->", "<!-- end -->"
sys.path.insert(0, str(ROOT / "tests" / "support"))


def together(files: list[Path]) -> dict[str, dict[str, Any]]:
    """What several runs have found, each of other tests."""
    found: dict[str, dict[str, Any]] = {}
    for file in files:
        for row, one in json.loads(file.read_text(encoding="utf-8")).items():
            f = found.setdefault(row, {**one, "tests": [], "variants": 0, "failed": 0})
            f["tests"] = sorted({*f["tests"], *one["tests"]})
            for name in ("variants", "failed"):
                f[name] += one[name]
            for name in ("seconds", "mebibytes"):
                f[name] = max(f[name], one[name])
    return found


def section(found: dict[str, dict[str, Any]], note: str) -> str:
    """The table of all rows, and where it was made."""
    from rows import known

    rows = []
    for name, row in known().items():
        f = found[name]
        result = "not run" if not f["variants"] else f"{f['failed']} failed" if f["failed"] else "passed"
        rows.append((
            name, row["what"], row["must"], len(f["tests"]), f["variants"], result, f"{f['seconds']:.1f}",
            f"{f['mebibytes']:.0f}",
        ))  # fmt: skip
    header = ("row", "what", "what must happen", "tests", "cases", "result", "longest (s)", "memory (MiB)")
    # A case may show several rows, and so the sum over rows is larger than what was run.
    tests = len({test for f in found.values() for test in f["tests"]})
    return f"{table(header, rows)}\n\nOf {tests} tests{note}. {machine()}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--from", dest="files", nargs="+", type=Path, help="what runs have written")
    parser.add_argument("--note", default="", help="what stands behind the number of tests")
    asked = parser.parse_args()
    files = asked.files
    if files is None:
        files = [RESULTS]
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:xdist",
            "-m",
            "row",
            "--rows",
            str(RESULTS),
        ]
        # Failed tests are in the table.
        subprocess.run(command, cwd=ROOT, check=False)
    text = PAGE.read_text(encoding="utf-8")
    made = f"{BEGIN}\n{section(together(files), asked.note)}\n{END}"
    text, n = re.subn(f"{BEGIN}.*?{END}", lambda _: made, text, flags=re.DOTALL)
    if n != 1:
        sys.exit(f"{PAGE}: the marks {BEGIN} and {END} are not there, once each")
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
