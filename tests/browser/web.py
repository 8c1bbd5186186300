"""Programs and Node packages that the tests here need."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from make_page import install
from matplotlib.image import imread

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


def opened(file: Path, out: Path, kind: str, **more: object) -> dict[str, Any]:
    """What pages.mjs sees of a page that onnxplain wrote; its pictures lie in `out`."""
    browser = program("chromium", "chromium-browser", "google-chrome", "chrome")
    packages = installed(HERE, "playwright")
    shutil.copyfile(HERE / "pages.mjs", packages / "pages.mjs")
    job = {"kind": kind, "chromium": browser, "file": str(file), "out": str(out), **more}
    (out / "job.json").write_text(json.dumps(job))
    done = node("pages.mjs", out / "job.json", cwd=packages)
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads((out / "seen.json").read_text(encoding="utf-8"))
    return seen


def colours(picture: Path) -> int:
    """How many colours a picture has; a blank one has a single one."""
    return len(np.unique((imread(picture)[..., :3] * 255).astype(int).reshape(-1, 3), axis=0))
