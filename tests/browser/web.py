"""Programs and Node packages that the tests here need."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from make_page import install

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# Kept between runs: what is installed there follows from the lock files alone.
PACKAGES = ROOT / "build" / "packages"


def program(*names: str) -> str:
    """A program by one of its names; fails where there is none, for nothing here works without."""
    for name in names:
        if found := shutil.which(name):
            return found
    pytest.fail(
        f"these tests need {names[0]}; install it, or leave them out: --ignore=tests/browser", pytrace=False
    )


def installed(source: Path, name: str) -> Path:
    """A folder with the packages of a lock file."""
    program("npm")
    return install(source, PACKAGES / name)


def node(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a script with Node."""
    command = [program("node"), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
