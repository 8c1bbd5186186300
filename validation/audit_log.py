"""The audit log of the gate: a record a line, each chained to the one before it by its hash.

One process at a time reads and writes it, and a record is on the disk before the verdict is told. A run that
is ended in the middle of a record leaves a last line without an end: that is no sign of tampering, and the
next record says that it took the place of so many bytes.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import hmac
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ..eeg.explanation.provenance import jsonable
from ..engine.errors import InputError, LimitError
from .verdict import Verdict

try:
    import fcntl
except ImportError:  # Windows has no flock; there one process at a time is for the user to see to
    fcntl = None  # type: ignore[assignment]

LONGEST = 10_000_000  # bytes of a record
LARGEST = 2_000_000_000  # bytes of a log that is read through for each record
WAIT = 60.0  # seconds for another process to be done with it


def link(verdict: Verdict, log: Path, key: bytes | None = None) -> Path:
    """Append a record to an audit log, chained to the one before by its hash.

    A record holds the verdict, the hashes of model, data and policy, versions, and the hash of the
    record before it: none can be changed or taken out without every later one telling. With a key, each is
    signed (HMAC-SHA256), so that a log cannot be written anew without it.

    Parameters
    ----------
    verdict : Verdict
    log : Path
        Made where it does not exist.
    key : bytes, optional
        Signs the record.

    Raises
    ------
    InputError
        The log is broken: a record was changed; or it is no file, or there is no space left for the record.
    LimitError
        Another process has had the log for a minute.
    """
    with _alone(log, make=True) as file:
        before, good, torn = _checked(file, log, key)
        record: dict[str, Any] = {
            "before": before,
            "status": verdict.status,
            "reasons": list(verdict.reasons),
            "waived": dict(verdict.waived),
            **{k: v for k, v in verdict.audit.items() if k != "decisions"},
        }
        if torn:
            record["torn"] = {"bytes": len(torn), "sha256": hashlib.sha256(torn).hexdigest()}
        text = json.dumps(jsonable(record), sort_keys=True, ensure_ascii=False)
        line: dict[str, Any] = {"record": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}
        if key is not None:
            line["hmac"] = hmac.new(key, text.encode(), "sha256").hexdigest()
        _append(file, log, good, json.dumps(line, ensure_ascii=False).encode() + b"\n")
    return log


def check_chain(log: Path, key: bytes | None = None) -> str:
    """The hash of an audit log's last record, once every record has been checked.

    A last line without an end is what a run leaves that is ended while it writes: it is no record, and
    `torn` tells of it.

    Raises
    ------
    InputError
        A record was changed, taken out, or is not signed with this key.
    """
    with _alone(log) as file:
        return _checked(file, log, key)[0]


def torn(log: Path, key: bytes | None = None) -> int:
    """Bytes of a last record that was not written to its end; 0 for a log that is whole.

    Raises
    ------
    InputError
        As `check_chain`.
    """
    with _alone(log) as file:
        return len(_checked(file, log, key)[2])


def _checked(file: IO[bytes], log: Path, key: bytes | None) -> tuple[str, int, bytes]:
    """The last record's hash, where whole records end, and what stands after them."""
    before, good, number = "", 0, 0
    file.seek(0)
    while line := file.readline(LONGEST + 1):
        number += 1
        if not line.endswith(b"\n"):
            if len(line) > LONGEST:
                raise InputError(f"{log}: record {number} is longer than a record can be; not an audit log")
            digest = _digest(line, before, key)  # whole, but for its end: some editors leave that out
            return (before, good, line) if digest is None else (digest, good + len(line), b"")
        digest = _digest(line, before, key)
        if digest is None:
            raise InputError(
                f"{log}: record {number} was changed, or one before it is missing; keep the log aside"
            )
        before, good = digest, good + len(line)
    return before, good, b""


def _digest(line: bytes, before: str, key: bytes | None) -> str | None:
    """The hash of a record that is what it says and follows on the one before; None for any other."""
    try:
        data = json.loads(line)
        text, digest = data["record"], data["sha256"]
        record = json.loads(text)
        good = hashlib.sha256(text.encode()).hexdigest() == digest and record["before"] == before
        if key is not None:
            said = hmac.new(key, text.encode(), "sha256").hexdigest()
            good = good and hmac.compare_digest(data["hmac"], said)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return str(digest) if good else None


def _append(file: IO[bytes], log: Path, good: int, line: bytes) -> None:
    """Put a line after the whole records, and have it on the disk."""
    fd = file.fileno()
    try:
        os.ftruncate(fd, good)
        at = good
        if good and os.pread(fd, 1, good - 1) != b"\n":
            line = b"\n" + line
        while line:
            written = os.pwrite(fd, line, at)
            at, line = at + written, line[written:]
        os.fsync(fd)
    except OSError as e:
        with contextlib.suppress(OSError):
            os.ftruncate(fd, good)
        raise InputError(f"{log}: cannot be written ({e.strerror}); the record is not in it") from None


@contextmanager
def _alone(log: Path, *, make: bool = False) -> Iterator[IO[bytes]]:
    """The log, open, with no other process reading or writing it."""
    new = make and not log.exists()
    flags = os.O_RDWR | os.O_CREAT if make else os.O_RDONLY
    try:
        # A pipe or a device is not waited for; what was opened is looked at, not what the name was.
        fd = os.open(log, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0), 0o644)
    except OSError as e:
        if e.errno in (errno.ENXIO, errno.ENODEV):
            raise InputError(f"{log}: is a pipe or a device, not a file") from None
        raise InputError(f"{log}: cannot be {'written' if make else 'read'} ({e.strerror})") from None
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{log}: is a pipe or a device, not a file")
        _lock(fd, log, shared=not make)
        if os.fstat(fd).st_size > LARGEST:
            raise InputError(f"{log}: too large for an audit log; begin a new one")
        if new:
            _sync_folder(log.parent)
        yield file


def _lock(fd: int, log: Path, *, shared: bool) -> None:
    if fcntl is None:
        return
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    until = time.monotonic() + WAIT
    while True:
        try:
            fcntl.flock(fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise LimitError(f"{log}: another process has been writing it for {WAIT:g} s") from None
            time.sleep(0.02)
        except OSError:  # a file system without locks
            return
        else:
            return


def _sync_folder(folder: Path) -> None:
    """Have a new file's name on the disk."""
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
