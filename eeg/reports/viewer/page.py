"""The viewer as a page has it: its scripts, its styles, and what it shows as JSON."""

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
    """What runs: uPlot, then the viewer, which leaves no name behind on the page."""
    licence = _read("uplot/LICENSE").strip().replace("*/", "* /")
    own = "\n".join(_read(name) for name in SCRIPTS)
    return f"(() => {{\n/*\n{licence}\n*/\n{_read('uplot/uPlot.iife.min.js')}\n{own}\n}})();\n"


@cache
def style() -> str:
    """Styles of uPlot and the viewer."""
    return _read("uplot/uPlot.min.css") + "\n" + _read("viewer.css")


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
