"""What a recording's header promises, checked before a reader sees the file.

MNE forgives much: a truncated EDF is read as far as it goes, an equal minimum and maximum is a scale
of one, and a discontinuous file is read as if it had no gaps. For an explanation that is
too kind, so the two formats that say enough about themselves are checked here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..engine.errors import InputError
from .text import counted, listed, plain

# Onset, duration, and texts, each between bytes 20 (EDF+ specification, 2.2.2 to 2.2.4).
_TAL = re.compile(rb"[+-]\d+(\.\d*)?(\x15\d+(\.\d*)?)?\x14([^\x14\x15]*\x14)+")
_TAL_ONSET = re.compile(rb"([+-]\d+(?:\.\d*)?)[\x14\x15]")


@dataclass(frozen=True)
class Facts:
    """What a header says beyond what MNE keeps.

    Attributes
    ----------
    rates : dict of str to float
        Sampling rate per channel label in Hz, where channels differ.
    unscaled : frozenset of str
        Labels whose physical or digital minimum equals the maximum: no unit can be had.
    gaps : tuple of (float, float)
        (seconds of signal before the gap, seconds of the gap) of a discontinuous file.
    notes : tuple of str
        Sentences for the user.
    """

    rates: Mapping[str, float] = field(default_factory=dict)
    unscaled: frozenset[str] = frozenset()
    gaps: tuple[tuple[float, float], ...] = ()
    notes: tuple[str, ...] = ()


def looks_like(head: bytes) -> str:
    """What the first bytes of a file look like, in a few words."""
    known = [
        (b"version https://git-lfs", "a git-lfs pointer"),
        (b"PK\x03\x04", "a zip file"),
        (b"\x1f\x8b", "a gzip file"),
        (b"%PDF", "a PDF"),
        (b"\x89HDF", "an HDF5 file"),
        (b"MATLAB 5.0", "a MATLAB file"),
        (b"0       ", "an EDF file"),
        (b"\xffBIOSEMI", "a BDF file"),
        (b"\x00\x00\x00\x64", "a FIF file"),
        (b"Brain Vision", "a BrainVision header"),
    ]
    for magic, what in known:
        if head.startswith(magic):
            return what
    if re.match(rb"\s*<(!doctype|html|\?xml)", head, re.IGNORECASE):
        return "a web page"
    if head and not any(b < 9 or 13 < b < 32 for b in head):
        return "text"
    return "something else"


def check_edf(path: Path, *, where: str) -> Facts:
    """Check an EDF, EDF+ or BDF header against itself and against the file's size.

    Parameters
    ----------
    path : Path
    where : str
        How messages name the file.

    Raises
    ------
    InputError
        The header contradicts itself, or the file is shorter than it promises. The message never
        quotes the header: the fields beside the broken one hold the patient's name.
    """
    bdf = path.suffix.lower() == ".bdf"
    magic, kind, width = (b"\xffBIOSEMI", "a BDF", 3) if bdf else (b"0       ", "an EDF", 2)
    size = path.stat().st_size
    with path.open("rb") as file:
        fixed = file.read(256)
        if not fixed.startswith(magic):
            raise InputError(f"{where}: not {kind} file (looks like {looks_like(fixed)})")
        if len(fixed) < 256:
            raise InputError(f"{where}: truncated (the header ends after {len(fixed)} bytes)")
        header = int(_number(fixed[184:192], "header size", where))
        records = int(_number(fixed[236:244], "number of records", where))
        seconds = _number(fixed[244:252], "record duration", where)
        signals = int(_number(fixed[252:256], "channel count", where))
        if not 0 < signals <= 65_536 or header != 256 * (signals + 1):
            raise InputError(
                f"{where}: the header gives {signals} channels and a size of {header} bytes, "
                f"which do not go together ({256 * (max(signals, 0) + 1)} would)"
            )
        if size < header:
            raise InputError(f"{where}: truncated (the header takes {header} bytes, the file has {size})")
        table = _Signals(file.read(header - 256), signals, where)
        if all(table.told):
            raise InputError(f"{where}: it holds annotations only, and no signal")
        if seconds <= 0:
            raise InputError(f"{where}: the header gives records of {seconds:g} s")

        frame = sum(table.samples) * width
        held = (size - header) // frame
        if held < max(records, 1):
            promised = f"the header promises {records} records" if records > 0 else "there is no record"
            raise InputError(f"{where}: truncated ({promised}, the file holds {held})")
        notes: tuple[str, ...] = ()
        if records != held:
            said = "gives no number of records" if records < 0 else f"says {records} records"
            notes = (f"The header {said}; the {held} that the file holds were read.",)

        # The first annotation channel tells each record's time, which only a discontinuous file needs.
        gaps: list[tuple[float, float]] = []
        broken = 0
        for i, (place, wide) in enumerate(table.annotations(width)):
            timed = i == 0 and fixed[192:197] in (b"EDF+D", b"BDF+D")
            earlier: float | None = None
            for record in range(held):
                file.seek(header + record * frame + place)
                told = file.read(wide)
                broken += sum(1 for tal in told.split(b"\x00") if tal and not _TAL.fullmatch(tal))
                found = _TAL_ONSET.match(told) if timed else None
                onset = float(found[1]) if found else None
                if onset is not None and earlier is not None and abs(onset - earlier - seconds) > 1e-4:
                    gaps.append((record * seconds, onset - earlier - seconds))
                earlier = onset
        if broken:
            lost = f"{counted(broken, 'annotation')} in the file {'is' if broken == 1 else 'are'} malformed"
            notes += (f"{lost}, and may be missing here.",)
    rates = {n: s / seconds for n, s, t in zip(table.labels, table.samples, table.told, strict=True) if not t}
    return Facts(rates if len(set(rates.values())) > 1 else {}, table.unscaled, tuple(gaps), notes)


class _Signals:
    """The part of an EDF header that has one field a channel."""

    def __init__(self, body: bytes, signals: int, where: str) -> None:
        def column(offset: int, width: int) -> list[bytes]:
            at = offset * signals
            return [body[at + i * width : at + (i + 1) * width] for i in range(signals)]

        self.labels = [plain(b.decode("latin-1").strip()) for b in column(0, 16)]
        self.told = [n in ("EDF Annotations", "BDF Annotations") for n in self.labels]
        self.samples = [int(_number(b, "samples a record", where)) for b in column(216, 8)]
        empty = [n for n, s in zip(self.labels, self.samples, strict=True) if s <= 0]
        if empty:
            raise InputError(f"{where}: no samples in a record of channel {listed(empty)}")
        limits = [[_number(b, "range", where) for b in column(at, 8)] for at in (104, 112, 120, 128)]
        self.unscaled = frozenset(
            name
            for name, told, low, high, d_low, d_high in zip(self.labels, self.told, *limits, strict=True)
            if not told and (low == high or d_low >= d_high)
        )

    def annotations(self, width: int) -> list[tuple[int, int]]:
        """Where in a record the annotation channels lie, and their bytes; the first one tells the time."""
        starts = np.cumsum([0, *self.samples]) * width
        return [(int(starts[i]), n * width) for i, n in enumerate(self.samples) if self.told[i]]


def _number(raw: bytes, what: str, where: str) -> float:
    try:
        value = float(raw.decode("latin-1").strip(" \x00").replace(",", "."))
        if abs(value) < 1e15:
            return value
    except ValueError:
        pass
    raise InputError(f"{where}: the header's {what} is no number; header and file may not go together")


def check_brainvision(path: Path, *, where: str) -> Facts:
    """Check that a BrainVision header's files lie beside it and that the data are whole.

    Raises
    ------
    InputError
        A file it names is elsewhere (``../`` or an absolute path, also through a link) or missing,
        or the data end in the middle of a sample.
    """
    head = path.read_bytes()[:4_000_000]
    if not head.lstrip(b"\xef\xbb\xbf").startswith((b"Brain Vision", b"BrainVision")):
        raise InputError(f"{where}: not a BrainVision header (looks like {looks_like(head[:256])})")
    text = head.decode("utf-8", errors="replace")
    found = {
        key: match[1].strip()
        for key in ("DataFile", "MarkerFile", "NumberOfChannels", "BinaryFormat", "DataFormat", "DataPoints")
        if (match := re.search(rf"^\s*{key}\s*=(.*)$", text, re.MULTILINE | re.IGNORECASE))
    }
    folder = path.parent.resolve()
    for key in ("DataFile", "MarkerFile"):
        name = found.get(key, "").replace("$b", path.stem)
        if not name:
            if key == "DataFile":
                raise InputError(f"{where}: the header names no data file")
            continue
        if "\\" in name or "\x00" in name or (path.parent / name).resolve().parent != folder:
            raise InputError(
                f"{where}: {key} points outside the recording's folder; put the file beside the header"
            )
        beside = path.parent / name
        if not beside.exists():
            if key == "DataFile":
                raise InputError(f"{where}: its data file {plain(name)} is missing")
            continue
        if not beside.is_file():
            raise InputError(f"{where}: {plain(name)} is no regular file")
    data = path.parent / found["DataFile"].replace("$b", path.stem)
    size = data.stat().st_size
    if size == 0:
        raise InputError(f"{where}: its data file {plain(data.name)} is empty")
    width = {"INT_16": 2, "UINT_16": 2, "INT_32": 4, "IEEE_FLOAT_32": 4, "IEEE_FLOAT_64": 8}.get(
        found.get("BinaryFormat", "").upper()
    )
    channels = found.get("NumberOfChannels", "")
    if width and channels.isdigit() and int(channels) and found.get("DataFormat", "").upper() == "BINARY":
        frame = width * int(channels)
        points = found.get("DataPoints", "")
        short = points.isdigit() and size < int(points) * frame
        if short or size % frame:
            raise InputError(
                f"{where}: its data file {plain(data.name)} is truncated or has another number of channels "
                f"({size} bytes, {frame} a sample)"
            )
    return Facts()
