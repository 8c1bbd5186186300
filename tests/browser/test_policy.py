"""Pages with their policy in headless Chromium: what they need runs, and what came in does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from web import program

sys.path.insert(0, str(Path(__file__).parents[1] / "eeg" / "reports"))

from test_content_policy import EVIL, PAGES, report


def complaints(page: Path) -> tuple[list[str], str]:
    """What Chromium complains of a page, and the page as it stands when its scripts have run."""
    browser = program("chromium", "chromium-browser", "google-chrome", "chrome")
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom")
    command = [browser, *options, f"--user-data-dir={page.parent / 'profile'}", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return [line for line in done.stderr.splitlines() if ":CONSOLE" in line], done.stdout


@pytest.mark.parametrize("kind", [*PAGES, "report"])
def test_nothing_that_a_page_needs_is_blocked(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "page.html"
    if kind == "report":
        report(path, monkeypatch)
    else:
        PAGES[kind](path)
    said, _ = complaints(path)
    assert said == []


def test_what_came_in_is_blocked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report(tmp_path / "page.html", monkeypatch, EVIL)
    said, dom = complaints(tmp_path / "page.html")
    assert "<title>A title</title>" in dom
    for what in ("inline script violates", "x.png", "x.css", "Framing"):
        assert any(what in line for line in said), (what, said)
