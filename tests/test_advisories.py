"""`make audit`: the pinned versions against known advisories, by the kept list or by pip-audit."""

from __future__ import annotations

import datetime
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

ROOT = Path(__file__).parents[1]
TODAY = datetime.date(2026, 12, 1)


def _module() -> Any:
    spec = importlib.util.spec_from_file_location("audit_versions", ROOT / ".ci" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


audit = _module()


@pytest.fixture
def nothing_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pip-audit, whatever this machine has."""
    monkeypatch.setattr(audit, "asked", lambda constraints: None)


def _kept(folder: Path, *advisories: tuple[str, str, list[str]], date: str = "2026-11-01") -> Path:
    path = folder / "advisories.json"
    found = [{"package": p, "id": i, "affected": a} for p, i, a in advisories]
    path.write_text(json.dumps({"date": date, "advisories": found}), encoding="utf-8")
    return path


def _pins(folder: Path, text: str) -> Path:
    path = folder / "pins.txt"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("version", "affected", "hit"),
    [
        ("1.1.9", ["<1.2"], True),
        ("1.2", ["<1.2"], False),
        ("1.2.0", ["<1.2"], False),
        ("1.10", ["<1.9"], False),  # numbers, not letters
        ("1.9", ["<1.10"], True),
        ("2.0rc1", [">=2.0rc1,<2.0.1"], True),
        ("2.0.0.post1", ["<2.0.1"], True),
        ("5.27.0", ["<4.25.8", ">=5.26.0rc1,<5.29.5"], True),
        ("4.25.8", ["<4.25.8", ">=5.26.0rc1,<5.29.5"], False),
        ("5.30", ["<4.25.8", ">=5.26.0rc1,<5.29.5"], False),
        ("3.0", ["==3.0"], True),
        ("3.0.1", ["!=3.0.1"], False),
    ],
)
def test_ranges(version: str, affected: list[str], hit: bool) -> None:
    assert audit.Advisory("a", "CVE-1", tuple(affected)).affects(Version(version)) is hit


@pytest.mark.usefixtures("nothing_asked")
def test_what_is_affected_is_one_line_with_its_advisories(tmp_path: Path) -> None:
    """Names are compared as pip does: case, dashes and underscores are alike."""
    pins = _pins(
        tmp_path, "# pins\nPyYAML==5.3.1\ntyping_extensions==4.0 ; python_version > '3'\nb[x]==1.0\n\n"
    )
    list_ = _kept(
        tmp_path,
        ("PyYAML", "CVE-2", ["<5.4"]),
        ("PyYAML", "CVE-1", ["<6"]),
        ("typing-extensions", "CVE-3", ["<4.1"]),
        ("b", "CVE-4", [">1"]),
        ("absent", "CVE-5", [">=0"]),
    )
    code, line = audit.audit(pins, list_, TODAY)
    assert code == 1
    found = "PyYAML 5.3.1 (CVE-1, CVE-2); typing-extensions 4.0 (CVE-3)"
    assert line.startswith(f"audit: 2 of 3 pinned packages affected: {found} (")
    assert "\n" not in line
    assert audit.audit(_pins(tmp_path, "pyyaml==6.0\n"), list_, TODAY)[0] == 0


@pytest.mark.usefixtures("nothing_asked")
@pytest.mark.parametrize(("date", "old"), [("2026-11-30", False), ("2026-05-01", True)])
def test_an_old_list_is_called_old(tmp_path: Path, date: str, old: bool) -> None:
    code, line = audit.audit(_pins(tmp_path, "a==1\n"), _kept(tmp_path, date=date), TODAY)
    assert code == 0
    assert date in line
    assert ("write them anew" in line) is old


@pytest.mark.usefixtures("nothing_asked")
@pytest.mark.parametrize("pins", ["a>=1\n", "a\n", "a==one\n", "", "# nothing\n", "a==1\n-r other.txt\n"])
def test_pins_that_are_none(tmp_path: Path, pins: str) -> None:
    with pytest.raises(audit.AuditError, match=r"pins\.txt: (line \d pins no version|pins nothing)"):
        audit.audit(_pins(tmp_path, pins), _kept(tmp_path), TODAY)


@pytest.mark.usefixtures("nothing_asked")
@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"date": "yesterday", "advisories": []}',
     '{"date": "2026-01-01", "advisories": [{"package": "a", "id": "b", "affected": [""]}]}',
     '{"date": "2026-01-01", "advisories": [{"package": "a", "id": "b", "affected": []}]}',
     '{"date": "2026-01-01", "advisories": [{"package": "a", "id": "b", "affected": ["before 2"]}]}'],
)  # fmt: skip
def test_a_list_that_is_none(tmp_path: Path, text: str) -> None:
    """An empty range would be a hit for everything, or for nothing."""
    (tmp_path / "list.json").write_text(text, encoding="utf-8")
    with pytest.raises(audit.AuditError, match=r"list\.json: no list of advisories"):
        audit.audit(_pins(tmp_path, "a==1\n"), tmp_path / "list.json", TODAY)


def _answering(folder: Path, monkeypatch: pytest.MonkeyPatch, said: str, code: int) -> None:
    """A pip-audit that says so."""
    program = folder / "pip-audit"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nprint({said!r})\nsys.exit({code})\n", encoding="utf-8"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setattr(audit.sys, "executable", str(folder / "python"))


AFFECTED: dict[str, Any] = {
    "dependencies": [
        {"name": "b", "version": "2", "vulns": []},
        {"name": "a", "version": "1", "vulns": [{"id": "CVE-9", "fix_versions": ["1.1", "2.0"]}]},
    ]
}


def test_pip_audit_is_asked_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _answering(tmp_path, monkeypatch, json.dumps(AFFECTED), 1)
    code, line = audit.audit(_pins(tmp_path, "a==1\nb==2\n"), _kept(tmp_path), TODAY)
    assert (code, line) == (1, "audit: 1 of 2 pinned packages affected: a 1 (CVE-9) (pip-audit)")


@pytest.mark.parametrize(
    ("said", "code"), [("", 1), ("no network", 1), ("{}", 0), ('{"dependencies": []}', 0)]
)
def test_where_it_says_nothing_the_kept_list_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, code: int
) -> None:
    _answering(tmp_path, monkeypatch, said, code)
    found, line = audit.audit(_pins(tmp_path, "a==1\n"), _kept(tmp_path, ("a", "CVE-1", ["<2"])), TODAY)
    assert found == 1
    assert "a 1 (CVE-1)" in line
    assert "not reachable" in line


def test_a_list_is_written_anew(tmp_path: Path) -> None:
    """What was known stays; what is new has a range from the version that is pinned to its first fix."""
    old = _kept(tmp_path, ("b", "CVE-1", ["<1"])).read_text(encoding="utf-8")
    new = audit.refreshed(AFFECTED["dependencies"], old, TODAY)
    date, advisories = audit.kept(new)
    assert date == TODAY
    assert [(a.package, a.name, a.affected) for a in advisories] == [
        ("a", "CVE-9", (">=1,<1.1",)), ("b", "CVE-1", ("<1",)),
    ]  # fmt: skip
    assert audit.refreshed(AFFECTED["dependencies"], new, TODAY) == new


def test_the_versions_of_this_repo_against_its_list() -> None:
    versions = audit.pinned((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    _, advisories = audit.kept((ROOT / ".ci" / "advisories.json").read_text(encoding="utf-8"))
    assert audit.hits(versions, advisories) == []
    # Each is of a package that is pinned, and would be found below its range's end.
    for advisory in advisories:
        assert audit.canonicalize_name(advisory.package) in versions, advisory
    assert any(a.affects(Version("5.3")) for a in advisories if a.package == "PyYAML")
