"""A value as a line, and as a small table that a notebook shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..storage.text import one_line

Row = tuple[object, object]

ROWS = 24  # a table has no more; what is left out is counted
LONGEST = 400  # characters of a cell
_CELL = "text-align:left;vertical-align:top;padding:.15em 1em .15em 0;"
_WRAP = "white-space:normal;overflow-wrap:anywhere;max-width:60em;"


def line(name: str, *facts: str, limit: int = 200) -> str:
    """What `repr` gives: a name, and what is to be said in one line.

    >>> line("Verdict", "FAIL", "", "41 checks")
    '<Verdict: FAIL; 41 checks>'
    """
    return f"<{name}: {one_line('; '.join(f for f in facts if f), limit)}>"


def box(title: str, rows: Iterable[Row], *, below: Sequence[object] = ()) -> str:
    """HTML of a small table of two columns.

    Everything is made one line of characters that can be seen, and escaped: names come from files.

    Parameters
    ----------
    title : str
    rows : iterable of (what, text)
        Of more than `ROWS` the rest is counted. A text that is None is left out.
    below : sequence
        Lines under the table, at most six.

    Returns
    -------
    str
    """
    every = [(what, text) for what, text in rows if text is not None]
    kept = every[:ROWS]
    if len(every) > ROWS:
        kept.append(("", f"and {len(every) - ROWS} more"))
    lines = [str(b) for b in below]
    lines = [*lines[:5], f"and {len(lines) - 5} more"] if len(lines) > 6 else lines
    body = "".join(
        f'<tr><th style="{_CELL}white-space:nowrap">{_safe(what)}</th>'
        f'<td style="{_CELL}{_WRAP}">{_safe(text)}</td></tr>'
        for what, text in kept
    )
    under = "".join(f'<div style="{_WRAP}opacity:.75">{_safe(each)}</div>' for each in lines)
    return f'<div class="onnxplain"><b>{_safe(title)}</b><table>{body}</table>{under}</div>'


def _safe(text: object) -> str:
    return escape(one_line(text, LONGEST))


def spread(values: NDArray[Any]) -> str:
    """Numbers in a few words: one, or their mean, least and largest.

    >>> spread(np.array([1.5]))
    '1.5'
    >>> spread(np.array([1.0, 2.0, 6.0]))
    'mean 3, 1 to 6'
    """
    flat = np.asarray(values, dtype=np.float64).ravel()
    if not flat.size:
        return "none"
    if flat.size == 1:
        return f"{flat[0]:.4g}"
    return f"mean {flat.mean():.4g}, {flat.min():.4g} to {flat.max():.4g}"
