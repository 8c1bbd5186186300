"""How a Zarr store may be packed: by codecs that give numbers and text, never objects.

A Zarr array names the codecs that unpack it, and one of them is pickle: to read a store that somebody else
made would be to run what they please. Which codecs the installed libraries still know is not left to them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...engine.errors import InputError
from ..text import plain

# Names in either format, without the "numcodecs." that the third puts before those of the second.
# fmt: off
SAFE = frozenset((
    "adler32", "astype", "bitround", "blosc", "bytes", "bz2", "crc32", "crc32c", "delta", "endian",
    "fixedscaleoffset", "fletcher32", "gzip", "jenkins_lookup3", "lz4", "lzma", "packbits", "pcodec",
    "quantize", "sharding_indexed", "shuffle", "transpose", "vlen-utf8", "zfpy", "zlib", "zstd",
))
# fmt: on
_METADATA = (".zarray", ".zmetadata", ".zgroup", "zarr.json")
_CODECS = frozenset({"filters", "compressor", "codecs", "index_codecs", "storage_transformers"})
_LARGEST = 64 * 2**20


def check_codecs(store: Path) -> None:
    """Refuse a store before anything of it is unpacked.

    Parameters
    ----------
    store : Path
        A folder of Zarr's second or third format.

    Raises
    ------
    InputError
        It has a codec that could run code or that is not known to be safe, objects for values, or metadata
        that cannot be read.
    """
    where, seen = plain(store, 300), set()
    for folder, below, files in os.walk(store, followlinks=True):
        if os.path.realpath(folder) in seen:  # links in a circle
            below.clear()
            continue
        seen.add(os.path.realpath(folder))
        for name in files:
            if name.casefold() in _METADATA:
                path = Path(folder, name)
                for kind, value in _told(_metadata(path, where)):
                    _check(kind, value, where)


def _metadata(path: Path, where: str) -> Any:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            raise ValueError
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        raise InputError(f"{where}: cannot be read (its {path.name} is no metadata of Zarr)") from None


def _told(data: Any) -> Iterator[tuple[str, Any]]:
    """What metadata say at any depth of codecs, types of values, and names of arrays."""
    waiting = [data]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            for key, inner in value.items():
                if key in _CODECS:
                    yield "codec", inner
                elif key in ("dtype", "data_type"):
                    yield "type", inner
                elif key in ("metadata", "consolidated_metadata") and isinstance(inner, dict):
                    yield "names", inner
                waiting.append(inner)


def _check(kind: str, value: Any, where: str) -> None:
    if kind == "codec":
        for codec in value if isinstance(value, list) else [value]:
            name = _name(codec)
            if name is not None and name.removeprefix("numcodecs.") not in SAFE:
                raise InputError(
                    f"{where}: packed with {plain(name, 40)}, which can run code when it is read or is not "
                    "known here; only stores that onnxplain cohort wrote are read"
                )
    elif kind == "type":
        if any(re.fullmatch(r"[|<>=]?O\d*|object|pickle", text) for text in _texts(value)):
            raise InputError(
                f"{where}: has Python objects for values, which can run code when they are read; only stores "
                "that onnxplain cohort wrote are read"
            )
    elif any(name.startswith("/") or ".." in re.split(r"[/\\]", name) for name in value):
        raise InputError(f"{where}: names an array outside of itself")


def _name(codec: Any) -> str | None:
    """What a codec is called; None for none."""
    if codec is None:
        return None
    if isinstance(codec, dict):
        codec = codec.get("id", codec.get("name"))
    return codec if isinstance(codec, str) else "a codec without a name"


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, list | dict):
            waiting += one.values() if isinstance(one, dict) else one
