"""Arrays from .npy and .npz files that nobody has vouched for."""

from __future__ import annotations

import contextlib
import os
import stat
import warnings
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import InputError, LimitError, OnnxplainError
from .text import one_line

Array = np.ndarray[Any, Any]


def load(path: Path, *, where: str = "") -> Array | dict[str, Array]:
    """The array of an .npy file, or the arrays of an .npz file by name.

    Parameters
    ----------
    path : Path
    where : str
        Its name in messages; the path if not given.

    Raises
    ------
    InputError
        The file is not what its name says, is damaged, or holds Python objects instead of numbers.
    LimitError
        What it holds does not fit into memory.
    """
    where = where or str(path)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise InputError(f"{where}: not a file")
        with path.open("rb") as file:
            head = file.read(6)
            file.seek(0)
            if head.startswith(b"PK"):
                return _members(file, where)
            if head != np.lib.format.MAGIC_PREFIX:
                kind = (
                    "it holds Python objects, a pickle" if head[:1] == b"\x80" else "it does not begin as one"
                )
                raise InputError(f"{where}: not a NumPy file ({kind})")
            return _array(file, os.fstat(file.fileno()).st_size, where)
    except OSError as e:
        raise InputError(f"{where}: cannot be read ({e.strerror or one_line(e)})") from None


def _members(file: BinaryIO, where: str) -> dict[str, Array]:
    found: dict[str, Array] = {}
    try:
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                name = info.filename.removesuffix(".npy")
                what = f"{where}: {one_line(name, 60)}"
                if name in found:
                    raise InputError(f"{what}: stands twice")
                with archive.open(info) as member:
                    found[name] = _array(member, info.file_size, what)
    except (OnnxplainError, MemoryError):
        raise
    except Exception as e:  # of zipfile and of four ways to compress
        locked = "encrypted" in str(e)
        why = "it is encrypted" if locked else "a zip archive that is damaged or truncated"
        raise InputError(f"{where}: not a NumPy file ({why})") from None
    return found


def _array(file: Any, size: int, what: str) -> Array:
    """One array; `size` bytes are there for its header and its values."""
    shape, dtype = _header(file, what)
    values = 1
    for length in shape:
        values *= length
    if dtype.hasobject:
        raise InputError(f"{what}: holds Python objects (a pickle), not numbers")
    if values * dtype.itemsize > size:
        raise InputError(
            f"{what}: its header promises {values * dtype.itemsize:.3g} bytes, and the file holds {size}"
        )
    file.seek(0)
    try:
        found: Array = np.lib.format.read_array(file, allow_pickle=False)
    except MemoryError:
        raise LimitError(f"{what}: does not fit into memory") from None
    except (ValueError, EOFError, OverflowError, TypeError, OSError):
        raise InputError(f"{what}: truncated or damaged: fewer values than its header promises") from None
    return found


def _header(file: Any, what: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type that a file promises."""
    # numpy evaluates the header as a Python literal: what it raises on a hostile one is of any kind.
    with contextlib.suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        version = np.lib.format.read_magic(file)
        if version in ((1, 0), (2, 0), (3, 0)):
            read: Any = getattr(np.lib.format, "_read_array_header", None)
            if version == (1, 0):
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            elif version == (2, 0) or read is None:
                shape, _, dtype = np.lib.format.read_array_header_2_0(file)
            else:
                shape, _, dtype = read(file, version)
            if all(type(length) is int and 0 <= length < 2**63 for length in shape) and len(shape) <= 32:
                return shape, dtype
    raise InputError(f"{what}: not a NumPy file (its header cannot be read)")
