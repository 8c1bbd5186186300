"""Outputs that appear whole or not at all, and have one writer at a time.

What is written goes to a temporary name beside its destination. While that happens a lock file stands there
too, which the system frees when its process ends, however that happens: who holds the lock knows that what
earlier runs left unfinished belongs to nobody.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError

try:
    import fcntl
except ImportError:  # Windows: temporary names alone keep two writers apart
    fcntl = None  # type: ignore[assignment]

LOCK, PARTIAL = ".lock", ".partial"
_LONGEST = 200  # bytes of a name that can have something put around it
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

_begun: Callable[[Path], None] | None = None


def listen(begun: Callable[[Path], None] | None) -> None:
    """Have somebody told of each temporary file or folder before it is made, to remove it if need be."""
    global _begun
    _begun = begun


def temporary(path: Path) -> Path:
    """A name beside an output for what is not finished; nothing is there yet."""
    made = path.parent.absolute() / f".{_stem(path)}.{secrets.token_hex(4)}{PARTIAL}"
    if _begun is not None:
        _begun(made)
    return made


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Have an output to oneself, and remove what ended runs left of it.

    Parameters
    ----------
    path : Path
        A file or folder; it need not be there, its parent must.

    Raises
    ------
    InputError
        Another process, or another thread of this one, is writing it.
    """
    lock = path.parent.absolute() / f".{_stem(path)}{LOCK}"
    if _begun is not None:
        _begun(lock)
    held = _take(lock, path)
    try:
        if held is not None:
            _sweep(path)
        yield
    finally:
        if held is not None:
            lock.unlink(missing_ok=True)
            os.close(held)


def release(lock: Path) -> None:
    """Remove the lock file of a process that has ended; one that is held is left."""
    with contextlib.suppress(OSError, InputError):
        held = _take(lock, lock)
        if held is not None:
            lock.unlink(missing_ok=True)
            os.close(held)


def _take(lock: Path, path: Path) -> int | None:
    """The lock's file descriptor; None where the file system has no locks."""
    if fcntl is None:
        return None
    while True:
        try:
            fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as e:
            if e.errno == errno.ELOOP:
                raise InputError(f"{lock}: is a symbolic link; remove it") from None
            raise InputError(f"{path}: cannot be written ({e.strerror})") from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise InputError(
                f"{path}: another run is writing it; wait for that one, or name another place"
            ) from None
        except OSError:
            os.close(fd)
            return None
        # Whoever held it before may have removed the file between opening and locking it here.
        try:
            if os.path.samestat(os.fstat(fd), os.stat(lock, follow_symlinks=False)):
                return fd
        except FileNotFoundError:
            pass
        os.close(fd)


def _sweep(path: Path) -> None:
    """Remove temporary files and folders of an output, of which nobody can be writing any."""
    name = re.compile(rf"\.{re.escape(_stem(path))}\.[0-9a-f]{{8}}{re.escape(PARTIAL)}")
    with contextlib.suppress(OSError):
        for left in list(os.scandir(path.parent)):
            if name.fullmatch(left.name):
                if left.is_dir(follow_symlinks=False):
                    shutil.rmtree(left.path, ignore_errors=True)
                else:
                    os.unlink(left.path)


def _stem(path: Path) -> str:
    """A name short enough to have something put around it."""
    name = path.name
    if len(os.fsencode(name)) <= _LONGEST:
        return name
    return name[:40] + hashlib.sha256(os.fsencode(name)).hexdigest()[:16]


@contextmanager
def named(path: Path, made: Path | None = None) -> Iterator[None]:
    """Say of an error of writing which output it is about.

    Parameters
    ----------
    path : Path
        The output.
    made : Path, optional
        The temporary name that is written to.

    Raises
    ------
    InputError
        No space is left, or the output cannot be written for another reason. Errors about other files are
        left as they are.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None:
            ours = error.errno in _FULL
        else:
            culprit = Path(os.fsdecode(error.filename)).absolute()
            places = {path.absolute()} if made is None else {path.absolute(), made}
            ours = not places.isdisjoint({culprit, *culprit.parents})
        if not ours:  # an unreadable input has its own words
            raise
        if isinstance(error, FileExistsError) or error.errno == errno.ENOTEMPTY:
            raise InputError(f"{path}: appeared while this was running; it is left as it is") from None
        said = os.strerror(error.errno) if error.errno else str(error)
        raise InputError(f"{path}: cannot be written ({said})") from error
