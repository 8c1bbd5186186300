"""Text that came from a file, made safe to show in one line, and in a table."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

# What a cell begins with that table programs take for a formula; the last four are the same in full width.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def plain(text: object, limit: int = 120) -> str:
    """One line of printable text: control and direction-changing characters become ``?``.

    Parameters
    ----------
    text : object
        A file name, channel name, annotation, ...; anything with a ``str``.
    limit : int
        Longer text is cut there and ends in an ellipsis.
    """
    out = "".join(c if c.isprintable() else " " if c in "\t\n\r" else "?" for c in str(text))
    out = " ".join(out.split())
    return out if len(out) <= limit else out[: limit - 1] + "…"


def listed(names: Iterable[object], limit: int = 12) -> str:
    """Join names with commas; past `limit` the rest is only counted."""
    items = [plain(n, 40) for n in names]
    more = len(items) - limit
    return ", ".join(items[:limit]) + (f" and {more} more" if more > 0 else "")


def squashed(name: str) -> str:
    """A name without what cannot be seen: case, how many spaces, spaces around commas, quotes around it."""
    text = re.sub(r"\s*,\s*", ",", " ".join(plain(name, len(name) + 1).split()).casefold())
    return text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def typed(names: Iterable[object], limit: int = 40) -> str:
    """Names in the way in which they can be typed into a list: in quotes where they have a comma."""
    items = [plain(n, 60) for n in names]
    return listed([f'"{n}"' if "," in n else n for n in items], limit)


def split(text: str, known: Iterable[str] = ()) -> list[str]:
    """The names in a list with commas; a comma in quotes or in a known name is part of it.

    >>> split('left, "go, now",rest')
    ['left', 'go, now', 'rest']
    >>> split("go, now,rest", known=["go, now"])
    ['go, now', 'rest']
    """
    whole = {squashed(n) for n in known}
    if squashed(text) in whole:
        quoted = re.fullmatch(r"""\s*("|')(.*)\1\s*""", text, re.DOTALL)
        return [quoted[2] if quoted else text.strip()]
    found = re.findall(r"""\s*(?:"([^"]*)"|'([^']*)')\s*(?:,|$)|([^,]*)(?:,|$)""", text)
    parts = [a or b or c.strip() for a, b, c in found]
    names = []
    while parts:
        # The longest run of parts that is one known name; else the part alone.
        many = next((n for n in range(len(parts), 1, -1) if squashed(",".join(parts[:n])) in whole), 1)
        names.append(", ".join(parts[:many]))
        parts = parts[many:]
    return [n for n in names if n]


def counted(n: int, singular: str, plural: str | None = None) -> str:
    """``1 window``, ``3 windows``."""
    return f"{n} {singular if n == 1 else plural or singular + 's'}"


def cell(value: object) -> object:
    """A value as a cell of a CSV: text that a table program would run as a formula gets a quote in front.

    Numbers stay numbers, written as text too.
    """
    if not isinstance(value, str) or not (value.startswith(_FORMULA) or value.lstrip().startswith(_FORMULA)):
        return value
    try:
        float(value)
    except ValueError:
        return "'" + value
    return value


def write_csv(head: Sequence[str], rows: Iterable[Sequence[object]], path: Path) -> Path:
    """Write a table as CSV in UTF-8; no cell of it is a formula (`cell`).

    Parameters
    ----------
    head : sequence of str
        Names of the columns.
    rows : iterable of sequences
    path : Path

    Returns
    -------
    Path
        The file written.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerows(map(cell, row) for row in (head, *rows))
    return path
