"""Every page says what it may load and run: nothing but what the package itself put there."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from jinja2 import DictLoader
from matplotlib.figure import Figure

from onnxplain.eeg.reports import html
from onnxplain.eeg.reports.html import Slides
from onnxplain.eeg.review import page as review_page

ROOT = Path(__file__).parents[3]
EVIL = (
    "<script>document.title = 'run'</script><img src='http://127.0.0.1:9/x.png' onerror='document.title = 1'>"
    "<style>@import url(http://127.0.0.1:9/x.css)</style><iframe src='data:text/html,x'></iframe>"
)


def policy_of(page: str) -> dict[str, list[str]]:
    """The policy of a page: what may be loaded, to from where."""
    (text,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    parts = [part.split() for part in text.replace("&#39;", "'").split(";")]
    return {name: sources for name, *sources in parts}


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _inside(page: str, tag: str) -> list[str]:
    return [t for t in re.findall(rf"<{tag}\b[^>]*>(.*?)</{tag}\s*>", page, re.DOTALL) if t]


def report(path: Path, monkeypatch: pytest.MonkeyPatch, inside: str = "") -> str:
    """A page of sections and slides; `inside` stands in it as it is, as if escaping were forgotten."""
    templates = {
        "t.html": "{% set title = 'A title' %}{% call section('A') %}<p style='width: 3em'>x</p>"
        + inside
        + "{% endcall %}{{ slides(shown) }}",
        "report.css.html": "<style>p { color: red }</style>",
    }
    monkeypatch.setattr(html._ENVIRONMENT, "loader", DictLoader(templates))
    html._ENVIRONMENT.cache.clear()
    figure = Figure()
    figure.subplots().plot(np.arange(3))
    try:
        html.write("t.html", path, shown=Slides((figure, figure), "slides", ("a", "b")))
    finally:
        html._ENVIRONMENT.cache.clear()
    return path.read_text(encoding="utf-8")


def _review(path: Path) -> str:
    page = review_page.render("r", [("a", "left", b"png")])
    path.write_text(page, encoding="utf-8")
    return page


def _arrays(path: Path) -> str:
    page = html.render("arrays.html", facts={"a": "b"}, pictures=[])
    path.write_text(page, encoding="utf-8")
    return page


PAGES: dict[str, Callable[[Path], str]] = {"review": _review, "arrays": _arrays}


@pytest.mark.parametrize("kind", PAGES)
def test_pages_of_our_own_run_what_is_theirs(tmp_path: Path, kind: str) -> None:
    page = PAGES[kind](tmp_path / "page.html")
    found = policy_of(page)
    assert found["default-src"] == ["'none'"]
    assert found["img-src"] == ["data:"]
    assert set(found) == {"default-src", "img-src", "style-src", "script-src", "base-uri", "form-action"}
    for tag in ("style", "script"):
        assert found[f"{tag}-src"] == [_hash(t) for t in _inside(page, tag)] or (
            found[f"{tag}-src"] == ["'none'"] and not _inside(page, tag)
        )
    assert not re.findall(r"<[^>]*\s(?:style|on\w+)=", re.sub(r"(?s)<script>.*</script>", "", page))


def test_reports_run_the_scripts_of_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = report(tmp_path / "report.html", monkeypatch)
    found = policy_of(page)
    assert found["default-src"] == ["'none'"]
    assert sorted(found["script-src"]) == sorted({_hash(t) for t in _inside(page, "script")})
    assert found["style-src"] == ["'unsafe-inline'"]
    assert page.index("charset") < 1024
    assert page.index("Content-Security-Policy") < page.index("<script")


def test_a_script_that_came_in_has_no_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = report(tmp_path / "report.html", monkeypatch, EVIL)
    (evil,) = [t for t in _inside(page, "script") if "'run'" in t]
    found = policy_of(page)["script-src"]
    assert _hash(evil) not in found
    assert not {"'unsafe-inline'", "'unsafe-hashes'", "'unsafe-eval'", "*"} & set(found)


def test_no_page_is_made_elsewhere() -> None:
    """Every page is one of mne.Report, has the base that names the policy, or is that of the browser."""
    templates = Path(html.__file__).parent / "templates"
    for path in templates.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        whole = "<html" in text
        assert whole == (path.name == "base.html")
        assert ("Content-Security-Policy" in text) == whole
    makers = [
        str(p.relative_to(ROOT))
        for folder in ("cli", "eeg", "validation", "engine", "exporters", "models")
        for p in (ROOT / folder).rglob("*.py")
        if re.search(r"<html\b|mne\.Report\(", p.read_text(encoding="utf-8"))
    ]
    assert sorted(makers) == ["eeg/reports/content_policy.py", "eeg/reports/html.py", "engine/file/load.py"]
    assert policy_of((ROOT / "docs" / "browser" / "index.html").read_text(encoding="utf-8"))[
        "default-src"
    ] == ["'none'"]
