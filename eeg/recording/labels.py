"""Labels of windows from a table: a CSV of one's own, or the events.tsv of BIDS."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path

from ...engine.errors import InputError
from ..text import counted, listed, plain
from .read import Mark

_LARGEST = 20_000_000
_LABEL = ("label", "trial_type", "class")
_NONE = ("", "n/a")


@dataclass(frozen=True)
class Labels:
    """What windows are labelled.

    Attributes
    ----------
    name : str
        The file's name.
    values : tuple of (str or None)
        In the order of the file's rows; None where the cell is empty.
    onsets : tuple of float or None
        Seconds from the recording's first sample at which windows start, or None: a row for each window.
    """

    name: str
    values: tuple[str | None, ...]
    onsets: tuple[float, ...] | None

    def marks(self) -> list[Mark] | None:
        """Where windows start, in order of time; None for a row for each window."""
        if self.onsets is None:
            return None
        rows = zip(self.onsets, self.values, strict=True)
        return sorted(
            (Mark(onset, 0.0, label) for onset, label in rows if label is not None), key=lambda m: m.onset
        )

    def of_windows(self, n: int, where: str) -> tuple[str | None, ...]:
        """The label of each of n windows.

        Raises
        ------
        InputError
            The file has another number of rows.
        """
        if len(self.values) != n:
            raise InputError(
                f"{plain(self.name)}: {counted(len(self.values), 'label')} for {counted(n, 'window')} of "
                f"{where}; a row for each window, or a column onset (seconds), is needed"
            )
        return self.values


def read_labels(path: Path) -> Labels:
    """Read labels from a table with a header.

    A column `label` (or `trial_type`, `class`) is needed; with a column `onset`, in seconds from the
    recording's first sample, windows start there, and rows without a label are left out.

    Parameters
    ----------
    path : Path
        Comma-separated, or tab-separated where it ends in .tsv.

    Raises
    ------
    InputError
        One line with the file, the row and the reason.
    """
    where = plain(path.name)
    head, rows = _table(path, where)
    column = next((name for name in _LABEL if name in head), None)
    if column is None:
        raise InputError(f"{where}: no column label or trial_type; it has {listed(head) or 'no header'}")
    if len(set(head)) < len(head):
        raise InputError(f"{where}: a column stands twice")
    if not rows:
        raise InputError(f"{where}: no row below the header")
    values, onsets = [], []
    for number, cells in enumerate(rows, start=2):
        if len(cells) != len(head):
            raise InputError(f"{where}: row {number} has another number of cells than the header")
        row = dict(zip(head, cells, strict=True))
        label = row[column].strip()
        values.append(None if label.lower() in _NONE else plain(label))
        if "onset" in head:
            onsets.append(_seconds(row["onset"], where, number))
    if all(v is None for v in values):
        raise InputError(f"{where}: every label is empty")
    return Labels(path.name, tuple(values), tuple(onsets) if "onset" in head else None)


def _table(path: Path, where: str) -> tuple[list[str], list[list[str]]]:
    """The header and the rows below it."""
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(f"{where}: too large for a table of labels")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{where}: not UTF-8 text; save the table as CSV in UTF-8") from None
    except OSError as e:
        raise InputError(f"{where}: cannot be read ({e.strerror})") from None
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    try:
        table = list(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True))
    except csv.Error as e:
        raise InputError(f"{where}: not a table ({plain(e)})") from None
    while table and not table[-1]:
        table.pop()
    head = [h.strip() for h in table[0]] if table else []
    # An empty line is an empty cell where there is one column, and so a window without a label.
    return head, [row or [""] for row in table[1:]]


def _seconds(text: str, where: str, number: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise InputError(f"{where}: row {number}: onset {plain(text, 20)!r} is no number of seconds")
    return value
