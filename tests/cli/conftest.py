from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from logs import errors

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the command line as a user does: another process, in an empty folder."""

    def run(*arguments: object, timeout: float = 600, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "onnxplain", *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
        )

    return run


def only_line(stderr: str) -> str:
    """The one line on stderr; fails where there are more, or a traceback."""
    lines = errors(stderr).splitlines()
    assert len(lines) == 1, stderr
    assert lines[0].startswith("onnxplain: ")
    return lines[0]


@pytest.fixture
def line() -> Callable[[str], str]:
    return only_line
