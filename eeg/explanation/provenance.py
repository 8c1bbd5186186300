"""What is kept with a result so that it can be made again: hashes, versions, and values as JSON has them."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..text import plain

if TYPE_CHECKING:
    from ..recording.read import Recording

from ... import __version__

# What numbers and pages depend on. onnxruntime-gpu is onnxruntime with CUDA.
_VERSIONED = (
    "numpy",
    "scipy",
    "mne",
    "mne-icalabel",
    "python-picard",
    "scikit-learn",
    "onnx",
    "onnxruntime-gpu",
    "onnxruntime",
    "xarray",
    "jinja2",
)


def versions() -> dict[str, str]:
    """Versions of onnxplain and what it computes with."""
    found = {"onnxplain": __version__, "python": platform.python_version()}
    for name in _VERSIONED:
        try:
            found[name.removesuffix("-gpu")] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def jsonable(value: Any) -> Any:
    """`value` as JSON knows it: arrays as lists, what is not a finite number as null.

    Parameters
    ----------
    value : object
        Mappings get keys of text, sets become lists, and what JSON has no form for is written as text.

    Returns
    -------
    object
        Dicts, lists, text, numbers, booleans and None alone.
    """
    if hasattr(value, "tolist"):  # numpy, without importing it
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def write_json(value: Any, path: Path) -> Path:
    """Write `value`, made `jsonable`, as JSON for people to read.

    Parameters
    ----------
    value : object
    path : Path

    Returns
    -------
    Path
        The file written.
    """
    text = json.dumps(jsonable(value), indent=2, ensure_ascii=False) + "\n"
    # Half of a character pair, as names of files may hold, is written as JSON's own escape.
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
    return path


def sha256(path: Path) -> str | None:
    """SHA-256 of a file in hexadecimal digits; None for a folder.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str or None
    """
    return _digest(path) if path.is_file() else None


def sha256_of_all(path: Path) -> str:
    """SHA-256 of a file, or of all files of a folder with their names.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str
    """
    if path.is_file():
        return _digest(path)
    whole = hashlib.sha256()
    for one in sorted(p for p in path.rglob("*") if p.is_file()):
        whole.update(f"{one.relative_to(path).as_posix()}\0".encode())
        whole.update(bytes.fromhex(_digest(one)))
    return whole.hexdigest()


def about(recording: Recording, data: Any) -> dict[str, Any]:
    """What is kept of a recording.

    Parameters
    ----------
    recording : Recording
    data : path-like or object
        Where it came from: a file, or something in memory.

    Returns
    -------
    dict of str to (str or None)
        "file", its name or what it was in memory, and "sha256", of the file or of the content.
    """
    hashed = sha256(Path(data)) if isinstance(data, (str, os.PathLike)) else recording.digest()
    return {"file": plain(recording.name), "sha256": hashed}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
