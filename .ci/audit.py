"""Compare the pinned versions with known advisories: `python .ci/audit.py`, or `make audit`.

pip-audit answers where it is installed and can reach its service; else the advisories that are kept in
.ci/advisories.json, which have a date. `--refresh` writes that file anew by what pip-audit says.

Prints one line. Exit code 0: no pinned version is affected; 1: one is; 2: nothing could be compared.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

ROOT = Path(__file__).resolve().parents[1]
PINNED, KEPT = ROOT / "constraints.txt", ROOT / ".ci" / "advisories.json"
TIMEOUT = 300.0  # seconds for pip-audit
OLD = 90  # days after which the kept list is called old


class AuditError(Exception):
    """Nothing can be compared; one line."""


@dataclass(frozen=True)
class Advisory:
    """One advisory.

    Attributes
    ----------
    package : str
    name : str
        CVE, GHSA or PYSEC.
    affected : tuple of str
        Ranges of versions (`>=1.0,<1.2`); a version in any of them is affected.
    """

    package: str
    name: str
    affected: tuple[str, ...]

    def affects(self, version: Version) -> bool:
        """Whether a version lies in one of the ranges; versions before a release count as what they are."""
        return any(SpecifierSet(one).contains(version, prereleases=True) for one in self.affected)


def pinned(text: str, where: str = PINNED.name) -> dict[str, Version]:
    """The versions that a file of constraints pins, by canonical names.

    Raises
    ------
    AuditError
        A line is no ``name==version``.
    """
    found: dict[str, Version] = {}
    for number, line in enumerate(text.splitlines(), 1):
        plain = line.partition("#")[0].partition(";")[0].strip()
        if not plain:
            continue
        match = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*==\s*(\S+)", plain)
        try:
            if match is None:
                raise InvalidVersion
            found[canonicalize_name(match[1])] = Version(match[2])
        except InvalidVersion:
            raise AuditError(f"{where}: line {number} pins no version ({plain[:80]})") from None
    if not found:
        raise AuditError(f"{where}: pins nothing")
    return found


def kept(text: str, where: str = KEPT.name) -> tuple[datetime.date, list[Advisory]]:
    """The date and the advisories of a kept list.

    Raises
    ------
    AuditError
        It is no such list, or a range in it cannot be read.
    """
    try:
        data = json.loads(text)
        date = datetime.date.fromisoformat(data["date"])
        found = [Advisory(a["package"], a["id"], tuple(a["affected"])) for a in data["advisories"]]
        for advisory in found:
            if not advisory.affected or not all(map(str.strip, advisory.affected)):
                raise ValueError  # an empty range has every version in it
            for one in advisory.affected:
                SpecifierSet(one)
    except (ValueError, KeyError, TypeError, AttributeError, InvalidSpecifier):
        raise AuditError(f"{where}: no list of advisories; write it anew with --refresh") from None
    return date, found


def hits(versions: Mapping[str, Version], advisories: Iterable[Advisory]) -> list[str]:
    """The pinned packages that are affected, each with its advisories."""
    found: dict[str, list[str]] = {}
    for advisory in advisories:
        version = versions.get(canonicalize_name(advisory.package))
        if version is not None and advisory.affects(version):
            found.setdefault(f"{advisory.package} {version}", []).append(advisory.name)
    return [f"{what} ({', '.join(sorted(names))})" for what, names in sorted(found.items())]


def asked(constraints: Path) -> list[dict[str, Any]] | None:
    """What pip-audit says of each pinned package; None where it is not there or cannot reach its service."""
    program = shutil.which("pip-audit", path=str(Path(sys.executable).parent)) or shutil.which("pip-audit")
    if program is None:
        return None
    command = [program, "-r", str(constraints), "--no-deps", "--disable-pip", "-f", "json"]
    command += ["--progress-spinner", "off"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        found = json.loads(done.stdout)["dependencies"]
    except (OSError, ValueError, KeyError, TypeError, subprocess.TimeoutExpired):
        return None
    return found if isinstance(found, list) and found else None


def said(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """What pip-audit found, in the same words as `hits`."""
    return [
        f"{one['name']} {one['version']} ({', '.join(sorted(v['id'] for v in one['vulns']))})"
        for one in sorted(found, key=lambda one: str(one["name"]))
        if one.get("vulns")
    ]


def audit(constraints: Path, list_: Path, today: datetime.date) -> tuple[int, str]:
    """Exit code, and the line that is printed.

    Raises
    ------
    AuditError
        Nothing can be compared.
    """
    try:
        versions = pinned(constraints.read_text(encoding="utf-8"), constraints.name)
        answer = asked(constraints)
        if answer is not None:
            by, found = "pip-audit", said(answer)
        else:
            date, advisories = kept(list_.read_text(encoding="utf-8"), list_.name)
            age = (today - date).days
            by = f"pip-audit is not reachable; by {len(advisories)} advisories kept on {date}"
            by += f", {age} days ago: write them anew" if age > OLD else ""
            found = hits(versions, advisories)
    except OSError as e:
        raise AuditError(f"{e.filename}: cannot be read ({e.strerror})") from None
    what = f"{len(versions)} pinned packages"
    if found:
        return 1, f"audit: {len(found)} of {what} affected: {'; '.join(found)} ({by})"
    return 0, f"audit: none of {what} is affected ({by})"


def refreshed(found: Sequence[Mapping[str, Any]], old: str, today: datetime.date) -> str:
    """The kept list with what pip-audit says of the versions that are pinned now.

    Advisories that are known stay: a pin that goes back would meet them again.
    """
    data = json.loads(old)
    known = {(canonicalize_name(a["package"]), a["id"]) for a in data["advisories"]}
    for one in found:
        for v in one.get("vulns", ()):
            key = (canonicalize_name(one["name"]), v["id"])
            if key not in known:
                fixed = v.get("fix_versions") or []
                # pip-audit gives no ranges: from the version that is affected to its first fix.
                top = f",<{min(map(Version, fixed))}" if fixed else ""
                range_ = f">={one['version']}{top}"
                data["advisories"].append({"package": one["name"], "id": v["id"], "affected": [range_]})
    data["advisories"].sort(key=lambda a: (canonicalize_name(a["package"]), a["id"]))
    data["date"] = today.isoformat()
    data["covers"] = f"what pip-audit knew on {today.isoformat()}"
    return json.dumps(data, indent=1) + "\n"


def main() -> int:
    """Compare, print a line, and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--refresh", action="store_true", help="write the kept list anew by pip-audit")
    today = datetime.date.today()
    try:
        if parser.parse_args().refresh:
            answer = asked(PINNED)
            if answer is None:
                raise AuditError("pip-audit is not installed, or cannot reach its service")
            KEPT.write_text(refreshed(answer, KEPT.read_text(encoding="utf-8"), today), encoding="utf-8")
        code, line = audit(PINNED, KEPT, today)
    except AuditError as e:
        code, line = 2, f"audit: {e}"
    print(line, file=sys.stderr if code == 2 else sys.stdout)
    return code


if __name__ == "__main__":
    sys.exit(main())
