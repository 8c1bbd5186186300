"""Links between the reports of one run: relative, and only to files that are there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...engine.errors import OnnxplainError
from ...engine.storage.documents import read_json
from ..text import plain

REPORT = "report.html"
MOST = 200  # folders
# What a report is of, by the file that stands beside it, and where that has the hash of the model.
KINDS = {
    "summary.json": ("explanation", ("model", "sha256")),
    "evaluation.json": ("evaluation of methods", ("model", "sha256")),
    "verdict.json": ("verdict of the gate", ("audit", "model", "sha256")),
}


@dataclass(frozen=True)
class Link:
    """A file by its relative address, and what it is."""

    href: str
    said: str


def files(folder: Path, names: Iterable[str]) -> list[Link]:
    """Files of a page's own folder, those that are there."""
    return [Link(quote(name), name) for name in names if (folder / name).is_file()]


def reports_beside(place: Path, sha256: str | None) -> list[Link]:
    """Reports on the same model in the folders beside one.

    Parameters
    ----------
    place : Path
        The folder in which the page will lie.
    sha256 : str or None
        Of the model; without it there are none.
    """
    if not sha256 or not place.parent.is_dir():
        return []
    return list(_found(place.absolute(), sha256))


def _found(place: Path, sha256: str) -> Iterator[Link]:
    others = (f for f in sorted(place.parent.iterdir())[:MOST] if f != place and not f.name.startswith("."))
    for folder in others:
        if folder.is_symlink() or not (folder / REPORT).is_file():
            continue
        for name, (said, keys) in KINDS.items():
            if (folder / name).is_file() and _of(folder / name, keys) == sha256:
                yield Link(f"../{quote(folder.name)}/{REPORT}", f"{said} ({plain(folder.name, 60)})")


def _of(path: Path, keys: Iterable[str]) -> Any:
    """A value in a JSON file; None where there is none, whatever else is in it."""
    try:
        found = read_json(path, "a summary")
    except OnnxplainError:
        return None
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found
