"""Whose a recording is: by the user, BIDS, participants.tsv, its folder, or its name alone."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from ...engine.errors import InputError
from ..text import counted, listed, plain

TABLE = "participants.tsv"
PLACEHOLDER = "{subject}"
Origin = Literal["--subject", "sub-", "participants.tsv", "folder", "file name", ""]
_LARGEST = 10 * 2**20  # bytes of a table
_ENTITY = re.compile(r"sub-([A-Za-z0-9]+)")
_SAID = {
    "--subject": "by --subject",
    "sub-": "by sub- in the path",
    "participants.tsv": "by participants.tsv",
    "folder": "by the folder",
}


def pattern_of(text: str) -> re.Pattern[str]:
    """What a name has to look like, with its subject as the group "subject".

    Parameters
    ----------
    text : str
        A name with `{subject}` where the subject stands (as few characters as will do), `*` for any
        characters and `?` for one, neither of them "/": `{subject}R*.edf`. With a "/" it is held against the
        path inside the dataset, without one against the file's name.

    Raises
    ------
    ValueError
        `{subject}` does not stand in it once.

    Examples
    --------
    >>> pattern_of("{subject}R*.edf").fullmatch("S001R03.edf")["subject"]
    'S001'
    """
    if text.count(PLACEHOLDER) != 1:
        raise ValueError(f"{plain(text, 60)!r} has not one {PLACEHOLDER} in it, as {{subject}}_run*.edf has")
    known = {PLACEHOLDER: r"(?P<subject>[^/]+?)", "*": r"[^/]*", "?": r"[^/]"}
    parts = re.split(r"(\{subject\}|\*|\?)", text)
    return re.compile("".join(known.get(part, re.escape(part)) for part in parts), re.DOTALL)


def subjects(dataset: Path, paths: Sequence[Path], stems: Sequence[str], pattern: str | None = None) -> list[
    tuple[str, Origin]
]:  # fmt: skip
    """The subject of each recording, and where that is from.

    Parameters
    ----------
    dataset : Path
    paths, stems : sequences
        Of the recordings, and their names without ending.
    pattern : str, optional
        As for `pattern_of`; then nothing else is asked.

    Raises
    ------
    InputError
        A recording does not fit the pattern, or participants.tsv cannot be read.
    """
    if pattern is not None:
        return [(name, "--subject") for name in _by_pattern(dataset, paths, pattern)]
    inside = [path.relative_to(dataset) for path in paths]
    entities = [_ENTITY.search(path.as_posix()) for path in inside]
    listed_ = () if all(entities) else _participants(dataset / TABLE)
    found: list[tuple[str, Origin]] = []
    for path, stem, entity in zip(inside, stems, entities, strict=True):
        who = None if entity else _participant([*path.parts[:-1], stem], listed_)
        if entity:
            found.append((entity[1], "sub-"))
        elif who is not None:
            found.append((who, "participants.tsv"))
        elif len(path.parts) > 1:
            found.append((path.parts[0], "folder"))
        else:
            found.append((stem, "file name"))
    return found


def _by_pattern(dataset: Path, paths: Sequence[Path], text: str) -> list[str]:
    try:
        form = pattern_of(text)
    except ValueError as error:
        raise InputError(f"--subject: {error}") from None
    names = [p.relative_to(dataset).as_posix() if "/" in text else p.name for p in paths]
    found = [form.fullmatch(name) for name in names]
    lost = [name for name, match in zip(names, found, strict=True) if match is None]
    if lost:
        raise InputError(
            f"--subject {plain(text, 60)}: does not fit {counted(len(lost), 'recording')} of {len(names)} "
            f"({listed(lost, 3)}); * stands for any characters, --pattern leaves recordings out"
        )
    return [match["subject"] for match in found if match is not None]


def _participants(path: Path) -> tuple[str, ...]:
    """The participants of a table, without "sub-"; none where there is no table."""
    if not path.is_file():
        return ()
    where = plain(path, 300)
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(f"{where}: {_LARGEST // 2**20} MB and more is no table of participants")
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines(), delimiter="\t"))
    except (OSError, UnicodeError, csv.Error) as error:
        raise InputError(f"{where}: cannot be read ({type(error).__name__})") from None
    head = [name.strip() for name in rows[0]] if rows else []
    if "participant_id" not in head:
        raise InputError(
            f"{where}: has no column participant_id, and does not say whose recordings are; --subject does"
        )
    at = head.index("participant_id")
    names = (row[at].strip().removeprefix("sub-") for row in rows[1:] if len(row) > at)
    return tuple(dict.fromkeys(name for name in names if name))


def _participant(parts: Iterable[str], known: Sequence[str]) -> str | None:
    """The participant that a folder or file is named after: the longest name that one begins with."""
    found = [who for part in parts for who in known if _begins(part, who)]
    return max(found, key=len) if found else None


def _begins(text: str, who: str) -> bool:
    """Whether a name begins with a participant's: S1 with S1_run2 and S1R02, and not with S10."""
    if not text.startswith(who):
        return False
    rest = text[len(who) :]
    return not rest or not rest[0].isalnum() or (who[-1].isdigit() and rest[0].isalpha())


def said(found: Iterable[tuple[str, Origin]]) -> str:
    """Where the subjects of recordings are from, in a sentence or two."""
    origins: Counter[str] = Counter()
    who: dict[str, set[str]] = {}
    for subject, origin in found:
        origins[origin] += 1
        who.setdefault(origin, set()).add(subject)
    parts = [
        f"{counted(len(who[o]), 'subject')} of {counted(origins[o], 'recording')} {_SAID[o]}"
        for o in origins
        if o in _SAID
    ]
    alone = origins["file name"]
    if alone == 1 and not parts:
        parts.append("1 subject of 1 recording by the file's name")
    elif alone:
        counts = "counts as a subject" if alone == 1 else "count as subjects"
        parts.append(
            f"{counted(alone, 'recording')} {counts} by the file's name, since nothing says whose they are. "
            "If they are runs of fewer people, intervals and tests are too sure of themselves: "
            "participants.tsv says whose they are, or --subject PATTERN of cohort"
        )
    return f"{'; '.join(parts)}." if parts else ""
