"""Text that came from a file, made safe to show in one line."""

from __future__ import annotations

from collections.abc import Iterable


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


def counted(n: int, singular: str, plural: str | None = None) -> str:
    """``1 window``, ``3 windows``."""
    return f"{n} {singular if n == 1 else plural or singular + 's'}"
