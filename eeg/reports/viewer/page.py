"""The viewer as a page has it: its scripts, its styles, and what it shows as JSON.

A report has it in one script, with the windows beside it. The browser page has it as a module, for
explanations that it makes itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...explanation.explained import Explained
from .payload import payload

_HERE = Path(__file__).parent
SCRIPTS = ("data.js", "pictures.js", "viewer.js", "moves.js")
START = "start.js"
# What the module gives out.
EXPORTS = ("Viewer", "digits", "quantile", "rounded", "sheet")
SMALLEST, LARGEST = 1_200_000, 6_000_000


@dataclass(frozen=True)
class ViewerSection:
    """What a template writes of the viewer: the package's script and style, and what is shown."""

    script: str
    style: str
    data: Mapping[str, Any]


def viewer_section(explained: Explained, room: int) -> ViewerSection:
    """The viewer of an explanation.

    Parameters
    ----------
    explained : Explained
    room : int
        Bytes that the page has left for windows; `SMALLEST` are taken in any case, `LARGEST` at most.
    """
    shown = payload(explained, max(SMALLEST, min(room, LARGEST)))
    return ViewerSection(script(), style(), shown)


@cache
def script() -> str:
    """What runs in a report: uPlot, then the viewer, which leaves no name behind on the page."""
    return f"(() => {{\n{_whole()}\n{_read(START)}\n}})();\n"


def module() -> str:
    """The same for a page that imports `EXPORTS` and makes a `Viewer` of an element and of what it shows."""
    return f"{_whole()}\nexport {{ {', '.join(EXPORTS)} }};\n"


def _whole() -> str:
    licence = _read("uplot/LICENSE").strip().replace("*/", "* /")
    own = "\n".join(_read(name) for name in SCRIPTS)
    return f"/*\n{licence}\n*/\n{_read('uplot/uPlot.iife.min.js')}\n{own}"


@cache
def style() -> str:
    """Styles of uPlot and the viewer."""
    return _read("uplot/uPlot.min.css") + "\n" + _read("viewer.css")


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
