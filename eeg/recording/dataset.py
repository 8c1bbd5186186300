"""The recordings of a dataset, and whose they are: BIDS, or a folder of recordings."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...engine.errors import InputError
from ..text import counted, listed, plain
from .bids import ROOT
from .participants import Origin, said, subjects

FOLDERS = frozenset({".mff", ".ds", ".mefd"})  # of recordings that are one each
KINDS = (".edf", ".bdf", ".vhdr", ".set", ".fif", ".fif.gz")
# Other parts of one recording, and what BIDS keeps beside the raw data.
_ASIDE = frozenset({"derivatives", "sourcedata", "code", "stimuli", ".git"})
_PART = re.compile(r"(-\d+|_split-0*[2-9]\d*_\w+)\.fif(\.gz)?$")
MOST = 100_000


@dataclass(frozen=True)
class Item:
    """One recording of a dataset.

    Attributes
    ----------
    name : str
        Unlike all others in the dataset; letters, digits, "-", "_" and "." only.
    subject : str
    path : Path
    origin : str
        Where the subject is from (see `participants`): "file name" where nothing else says it.
    """

    name: str
    subject: str
    path: Path
    origin: Origin = ""


def recordings(dataset: Path, pattern: str | None = None, subject: str | None = None) -> tuple[Item, ...]:
    """Find the recordings in a folder.

    The subject is what `subject` says; without it the BIDS entity `sub-` in the path, the participant of
    participants.tsv that the file or a folder is named after, the folder below the dataset, or, where there
    is none of these, the file's name. `Item.origin` says which.

    Parameters
    ----------
    dataset : Path
        A BIDS dataset, or any folder of recordings that MNE reads.
    pattern : str, optional
        Part of the path that a recording must have: "task-rest".
    subject : str, optional
        Where in a file's name the subject stands: "{subject}_run*.edf" (see `participants.pattern_of`).

    Returns
    -------
    tuple of Item
        In order of their names.

    Raises
    ------
    InputError
        It is no folder, or has no recording (of that pattern); a recording does not fit `subject`.
    """
    where = plain(dataset, 300)
    if not dataset.is_dir():
        raise InputError(f"{where}: is no folder; a dataset is a folder of recordings, or BIDS")
    bids = (dataset / ROOT).is_file()
    found: list[Path] = []
    for folder, folders, files in os.walk(dataset):
        folders[:] = sorted(f for f in folders if f not in _ASIDE and not f.startswith("."))
        for name in sorted(files):
            lower = name.lower()
            if name.startswith(".") or not lower.endswith(KINDS) or _PART.search(lower):
                continue
            if bids and not re.search(r"_eeg\.[a-z.]+$", lower):
                continue
            found.append(Path(folder) / name)
            if len(found) > MOST:
                raise InputError(f"{where}: more than {MOST} recordings; name a folder inside it")
    known = len(found)
    if pattern is not None:
        found = [p for p in found if pattern in p.relative_to(dataset).as_posix()]
    if not found:
        kinds = listed(KINDS, 10)
        raise InputError(
            f"{where}: none of {counted(known, 'recording')} has {plain(pattern)} in its path"
            if known
            else f"{where}: no {'EEG ' if bids else ''}recording in it ({kinds})"
        )
    return _named(found, dataset, subject)


def of_path(path: Path, subject: str | None = None) -> tuple[Item, ...]:
    """The recordings of a dataset, or the one that a path is; `subject` as in `recordings`.

    Raises
    ------
    InputError
        As `recordings` does; `subject` was given with a single recording.
    """
    if path.is_dir() and path.suffix.lower() not in FOLDERS:
        return recordings(path, subject=subject)
    if subject is not None:
        raise InputError(f"{plain(path, 300)}: is one recording, of one subject; --subject is for a folder")
    return (Item(path.stem, path.stem, path),)


def unsaid(items: Sequence[Item]) -> list[str]:
    """That recordings count as people by their names alone, as a note; none where that is said otherwise."""
    alone = [i for i in items if i.origin == "file name"]
    return [said((i.subject, i.origin) for i in alone)] if len(alone) > 1 else []


def _named(paths: list[Path], dataset: Path, subject: str | None) -> tuple[Item, ...]:
    """Each path with a subject, and a name of its own."""
    items: dict[str, Item] = {}
    stems = Counter(_tidy(_stem(p)) for p in paths)
    whose = subjects(dataset, paths, [_stem(p) for p in paths], subject)
    for path, (who, origin) in zip(paths, whose, strict=True):
        inside = path.relative_to(dataset)
        name = _tidy(_stem(path))
        if stems[name] > 1:  # all of them with their folders, so that no name depends on what else is there
            name = _tidy("_".join(inside.with_name(_stem(path)).parts))
        number, first = 2, name
        while name in items:
            name, number = f"{first}.{number}", number + 1
        items[name] = Item(name, plain(who, 60), path, origin)
    return tuple(items[k] for k in sorted(items))


def _tidy(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip(".-") or "recording"


def _stem(path: Path) -> str:
    return re.sub(r"\.(fif\.gz|[^.]+)$", "", path.name, flags=re.IGNORECASE)
