"""Outputs appear whole or not at all.

What is written goes to a temporary name beside its destination, on the same file system, and is
renamed when it is finished. The guard knows the temporary name, and removes it if this process is
ended on the way; if both are, the next run does (`engine.storage.outputs`).
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..engine.errors import InputError

MARKER = ".onnxplain.json"  # lists what onnxplain wrote into a folder, so that it can be replaced


@contextmanager
def file(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Write one file; the body gets the temporary path to write to.

    Parameters
    ----------
    path : Path
        The destination.
    overwrite : bool
        Replace a file that is there.

    Raises
    ------
    InputError
        The destination exists, is a symbolic link or a folder, or cannot be written.
    """
    from ..engine.storage import outputs

    check(path, overwrite=overwrite, folder=False)
    with outputs.alone(path):
        temporary = outputs.temporary(path)
        try:
            with outputs.named(path, temporary):
                yield temporary
                if overwrite:
                    os.replace(temporary, path)
                else:
                    _move_to_new(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def folder(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Write a folder; the body gets the temporary folder to write to.

    Overwriting replaces what an earlier run wrote there and leaves other files alone.

    Parameters
    ----------
    path : Path
        The destination.
    overwrite : bool
        Write into a folder that is there.

    Raises
    ------
    InputError
        The destination exists, is a symbolic link or a file, or cannot be written.
    """
    from ..engine.storage import outputs

    check(path, overwrite=overwrite, folder=True)
    with outputs.alone(path):
        temporary = outputs.temporary(path)
        try:
            with outputs.named(path, temporary):
                temporary.mkdir()
                yield temporary
                _mark(temporary)
                if overwrite and path.is_dir():
                    _merge(temporary, path)
                else:
                    os.rename(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def check(path: Path, *, overwrite: bool, folder: bool) -> None:
    """Refuse a destination before any work is done for it."""
    if path.is_symlink():
        raise InputError(f"{path}: the output is a symbolic link; name the place itself")
    if not path.name or path.name == "..":
        raise InputError(f"{path}: the output needs a name of its own")
    if path.exists():
        if path.is_dir() != folder:
            raise InputError(f"{path}: there is a {'file' if folder else 'folder'} of this name")
        if not (path.is_dir() or path.is_file()):
            raise InputError(f"{path}: the output is neither a file nor a folder")
        if not overwrite:
            raise InputError(f"{path}: exists; --overwrite replaces it")
    parent = path.parent
    if not parent.is_dir():
        raise InputError(f"{path}: there is no folder {parent} to write into")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(f"{path}: the folder {parent} cannot be written to")


def is_ours(path: Path) -> bool:
    """Whether everything in a folder was written by onnxplain."""
    if path.is_symlink() or not (path / MARKER).is_file():
        return False
    return _contents(path) <= _listed(path) | {MARKER}


def _move_to_new(temporary: Path, path: Path) -> None:
    """Rename, but never over a file that another process has put there meanwhile."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            raise FileExistsError(errno.EEXIST, "exists", str(path)) from None
        os.replace(temporary, path)


def _contents(path: Path) -> set[str]:
    return {
        item.relative_to(path).as_posix()
        for item in path.rglob("*")
        if item.is_symlink() or not item.is_dir()
    }


def _listed(path: Path) -> set[str]:
    try:
        files = json.loads((path / MARKER).read_text(encoding="utf-8"))["files"]
        # The list may have been tampered with: it must not lead out of the folder.
        return {name for name in files if not Path(name).is_absolute() and ".." not in Path(name).parts}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()


def _mark(path: Path) -> None:
    text = json.dumps({"written_by": "onnxplain", "files": sorted(_contents(path))}, indent=2)
    (path / MARKER).write_text(text + "\n", encoding="utf-8")


def _merge(new: Path, old: Path) -> None:
    """Put the new files in the place of the old ones; the marker goes first and comes last."""
    listed, files = _listed(old), _contents(new) - {MARKER}
    for name in files:
        target = old / name
        if target.is_dir() or any(part.is_symlink() for part in (target, *target.parents[: name.count("/")])):
            raise InputError(f"{target}: is a folder or a symbolic link where a file is to be written")
    (old / MARKER).unlink(missing_ok=True)
    for name in listed - files:
        _remove(old, name)
    for name in sorted(files):
        (old / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(new / name, old / name)
    os.replace(new / MARKER, old / MARKER)


def _remove(folder: Path, name: str) -> None:
    (folder / name).unlink(missing_ok=True)
    parent = (folder / name).parent
    while parent != folder and not any(parent.iterdir()):
        parent.rmdir()
        parent = parent.parent
