"""Labels of windows: a CSV of one's own, the events.tsv of BIDS, or the annotations of a hypnogram (EDF+)."""

from __future__ import annotations

import csv
import io
import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import mne

from ...engine.errors import InputError
from ..text import counted, listed, plain
from .headers import began, looks_like
from .marks import Mark

_LARGEST = 20_000_000
_LABEL = ("label", "trial_type", "class")
_NONE = ("", "n/a", "nan")
# Columns that tables of events have: a first line with one of them is a header.
_KNOWN = frozenset(
    {
        "onset",
        "duration",
        "sample",
        "value",
        "trial_type",
        "response_time",
        "label",
        "class",
        "epoch",
        "stage",
    }
)
_ANNOTATED = {".edf": b"0       ", ".bdf": b"\xffBIOSEMI", ".vmrk": b"Brain"}


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
    durations : tuple of float or None
        Seconds that each label is for, where the file says so.
    stages : bool
        A label is for all of its time, as a hypnogram's are: windows follow one another through it. Otherwise
        one window starts at each onset.
    began : datetime or None
        When a file of annotations began, by its own clock. It goes into no result.
    """

    name: str
    values: tuple[str | None, ...]
    onsets: tuple[float, ...] | None
    durations: tuple[float, ...] | None = None
    stages: bool = False
    began: datetime | None = None

    def marks(self, seconds: float | None = None) -> list[Mark] | None:
        """Where windows start, in order of time; None for a row for each window.

        Parameters
        ----------
        seconds : float, optional
            Length of a window: all those that a stage has room for. Without it one a label.
        """
        if self.onsets is None:
            return None
        lasting = self.durations or (0.0,) * len(self.onsets)
        marks = []
        for onset, label, duration in zip(self.onsets, self.values, lasting, strict=True):
            if label is None:
                continue
            many = 1
            if self.stages and seconds is not None:
                many = int(duration / seconds + 1e-6)
            step = seconds or 0.0
            # Each with what is left of its time, so that those that are left over can be told.
            left = 0.0 if self.stages else duration
            marks += [Mark(onset + k * step, left, label) for k in range(many)]
        return sorted(marks, key=lambda m: m.onset)

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


def read_labels(path: Path, column: str | None = None) -> Labels:
    """Read labels from a table with a header, or from the annotations of a file that has such.

    A column `label` (or `trial_type`, `class`) is needed; with a column `onset`, in seconds from the
    recording's first sample, windows start there, and rows without a label are left out.

    Parameters
    ----------
    path : Path
        Comma-separated, or tab-separated where it ends in .tsv; or an EDF+, BDF+ or BrainVision marker file,
        whose annotations count from its own beginning where both files have a clock, else the recording's.
    column : str, optional
        The column that has the labels, whatever it is called.

    Raises
    ------
    InputError
        One line with the file, the row and the reason.
    """
    where = plain(path.name)
    if path.suffix.lower() in _ANNOTATED:
        if column is not None:
            raise InputError(f"{where}: its labels are annotations, which have no column {plain(column)}")
        return _hypnogram(path, where)
    head, rows = _table(path, where)
    wanted = _LABEL if column is None else (column.strip(),)
    column = next((name for name in wanted if name in head), None)
    if column is None:
        what = "label or trial_type" if wanted == _LABEL else plain(wanted[0])
        raise InputError(f"{where}: no column {what}; it has {_columns(head)}{_other_column(head, wanted)}")
    if len(set(head)) < len(head):
        raise InputError(f"{where}: a column stands twice")
    if not rows:
        raise InputError(f"{where}: no row below the header")
    values, onsets, durations = [], [], []
    for number, cells in enumerate(rows, start=2):
        if len(cells) != len(head):
            raise InputError(f"{where}: row {number} has another number of cells than the header")
        row = dict(zip(head, cells, strict=True))
        label = row[column].strip()
        values.append(None if label.lower() in _NONE else _tidy(label))
        if "onset" in head:
            onsets.append(_seconds(row["onset"], where, number))
            durations.append(_lasting(row.get("duration", "")))
    if all(v is None for v in values):
        raise InputError(f"{where}: every label is empty")
    if "onset" not in head:
        return Labels(path.name, tuple(values), None)
    return Labels(path.name, tuple(values), tuple(onsets), tuple(durations))


def _tidy(label: str) -> str:
    """A label as text; a whole number that a table program wrote as 769.0 is 769."""
    whole = re.fullmatch(r"([+-]?\d+)\.0+", label)
    return whole[1] if whole else plain(label)


def _lasting(text: str) -> float:
    """A cell of the column duration: seconds, 0 where it says none."""
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) and value > 0 else 0.0


def _columns(head: Sequence[str]) -> str:
    """A table's columns, for a message; none of a first line that may be no header but somebody's name."""
    if not head:
        return "no header"
    if _KNOWN.isdisjoint(h.casefold() for h in head):
        return f"{counted(len(head), 'column')}, and a first line that is no known header"
    return listed(head, 40)


def _other_column(head: Sequence[str], wanted: Sequence[str]) -> str:
    return "; name one with --label-column" if tuple(wanted) == _LABEL and len(head) > 1 else ""


def _hypnogram(path: Path, where: str) -> Labels:
    """Labels of a file of annotations, each for as long as it lasts."""
    if not path.is_file():
        raise InputError(f"{where}: no such file")
    with path.open("rb") as file:
        head = file.read(256)
    magic = _ANNOTATED[path.suffix.lower()]
    if not head.removeprefix(b"\xef\xbb\xbf").startswith(magic):
        raise InputError(f"{where}: not a file of annotations (looks like {looks_like(head)})")
    try:
        with mne.utils.use_log_level("error"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = mne.read_annotations(path)
    except Exception:  # what the reader says quotes the header, which has the patient's name
        raise InputError(
            f"{where}: its annotations cannot be read; save them as CSV (onset, label)"
        ) from None
    kept = [
        (float(onset), float(duration), plain(description))
        for onset, duration, description in zip(found.onset, found.duration, found.description, strict=True)
        if str(description).strip() and onset >= 0
    ]
    if not kept:
        raise InputError(f"{where}: it has no annotation")
    onsets, durations, values = zip(*kept, strict=True)
    started = None if path.suffix.lower() == ".vmrk" else began(head)
    return Labels(path.name, values, onsets, durations, any(d > 0 for d in durations), started)


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
        raise InputError(f"{where}: row {number}: the onset is no number of seconds from 0 on")
    return value


def number_in(label: str | None) -> float:
    """The last tag of a label that is a number ("arousal/3.5"); NaN for none."""
    for tag in reversed((label or "").replace("=", "/").split("/")):
        try:
            return float(tag)
        except ValueError:
            continue
    return float("nan")
