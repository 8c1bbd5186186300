"""What a recording's header promises, checked before a reader sees the file.

MNE forgives much: a truncated EDF is read as far as it goes, an equal minimum and maximum is a scale
of one, and a discontinuous file is read as if it had no gaps. For an explanation that is
too kind, so the two formats that say enough about themselves are checked here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ...engine.errors import InputError
from ..text import counted, listed, plain

# Onset, duration, and texts, each between bytes 20 (EDF+ specification, 2.2.2 to 2.2.4).
_TAL = re.compile(rb"[+-]\d+(\.\d*)?(\x15\d+(\.\d*)?)?\x14([^\x14\x15]*\x14)+")
_TAL_ONSET = re.compile(rb"([+-]\d+(?:\.\d*)?)[\x14\x15]")


@dataclass(frozen=True)
class HeaderFacts:
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
    units : dict of str to str
        Unit per channel label, as it is spelt.
    absent : tuple of str
        Files that the header names and that are not there.
    began : datetime or None
        When an EDF or BDF file began, by the clock where it was recorded. It goes into no result.
    """

    rates: Mapping[str, float] = field(default_factory=dict)
    unscaled: frozenset[str] = frozenset()
    gaps: tuple[tuple[float, float], ...] = ()
    notes: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    began: datetime | None = None


def began(fixed: bytes) -> datetime | None:
    """When an EDF or BDF file began, by the first 256 bytes of it; None where that is no date."""
    try:
        return datetime.strptime(fixed[168:184].decode("ascii"), "%d.%m.%y%H.%M.%S")
    except ValueError:
        return None


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


def check_edf(path: Path, *, where: str) -> HeaderFacts:
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
        notes = _records_said(records, held, where)
        # The first annotation channel tells each record's time, which only a discontinuous file needs.
        gaps: list[tuple[float, float]] = []
        broken = 0
        for i, (place, wide) in enumerate(table.annotations(width)):
            told = _told(file, range(header + place, header + place + held * frame, frame), wide)
            timed = i == 0 and fixed[192:197] in (b"EDF+D", b"BDF+D")
            found, wrong = _annotated(told, seconds if timed else None)
            gaps += found
            broken += wrong
        if broken:
            lost = f"{counted(broken, 'annotation')} in the file {'is' if broken == 1 else 'are'} malformed"
            notes = (*notes, f"{lost}, and may be missing here.")
    rates = {n: s / seconds for n, s, t in zip(table.labels, table.samples, table.told, strict=True) if not t}
    rates = rates if len(set(rates.values())) > 1 else {}
    return HeaderFacts(rates, table.unscaled, tuple(gaps), notes, table.units, began=began(fixed))


def _records_said(promised: int, held: int, where: str) -> tuple[str, ...]:
    """A note where the header does not give the number of records that the file holds."""
    if held < max(promised, 1):
        said = f"the header promises {promised} records" if promised > 0 else "there is no record"
        raise InputError(f"{where}: truncated ({said}, the file holds {held})")
    if promised == held:
        return ()
    said = "gives no number of records" if promised < 0 else f"says {promised} records"
    return (f"The header {said}; the {held} that the file holds were read.",)


def _told(file: BinaryIO, places: Iterable[int], wide: int) -> Iterator[bytes]:
    """What an annotation channel says in each record."""
    for place in places:
        file.seek(place)
        yield file.read(wide)


def _annotated(told: Iterable[bytes], seconds: float | None) -> tuple[list[tuple[float, float]], int]:
    """Where records do not follow one another, and how many annotations are malformed.

    Parameters
    ----------
    told : iterable of bytes
        What an annotation channel says in each record.
    seconds : float or None
        Of a record; None where the channel does not tell the time.

    Returns
    -------
    gaps : list of (float, float)
        Seconds of signal before each, and seconds that are missing.
    broken : int
    """
    gaps: list[tuple[float, float]] = []
    broken, earlier = 0, None
    for record, one in enumerate(told):
        broken += sum(1 for tal in one.split(b"\x00") if tal and not _TAL.fullmatch(tal))
        if seconds is None:
            continue
        found = _TAL_ONSET.match(one)
        onset = float(found[1]) if found else None
        if onset is not None and earlier is not None and abs(onset - earlier - seconds) > 1e-4:
            gaps.append((record * seconds, onset - earlier - seconds))
        earlier = onset
    return gaps, broken


class _Signals:
    """The part of an EDF header that has one field a channel."""

    def __init__(self, body: bytes, signals: int, where: str) -> None:
        def column(offset: int, width: int) -> list[bytes]:
            at = offset * signals
            return [body[at + i * width : at + (i + 1) * width] for i in range(signals)]

        self.labels = [plain(b.decode("latin-1").strip()) for b in column(0, 16)]
        self.units = dict(zip(self.labels, (_text(b) for b in column(96, 8)), strict=True))
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


def _text(raw: bytes) -> str:
    """A field of letters, in whatever encoding."""
    try:
        return raw.decode("utf-8").strip(" \x00")
    except UnicodeDecodeError:
        return raw.decode("latin-1").strip(" \x00")


def _number(raw: bytes, what: str, where: str) -> float:
    try:
        value = float(raw.decode("latin-1").strip(" \x00").replace(",", "."))
        if abs(value) < 1e15:
            return value
    except ValueError:
        pass
    raise InputError(f"{where}: the header's {what} is no number; header and file may not go together")


def check_brainvision(path: Path, *, where: str) -> HeaderFacts:
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
    data = _beside(path, "DataFile", found, where)
    if data is None:
        raise InputError(f"{where}: the header names no data file")
    if not data.exists():
        raise InputError(f"{where}: its data file {plain(data.name)} is missing")
    marker = _beside(path, "MarkerFile", found, where)
    _check_samples(data, found, where)
    absent, notes = _marker_said(path, marker)
    return HeaderFacts(notes=notes, units=_channel_units(head), absent=absent)


def _marker_said(path: Path, marker: Path | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A marker file that is named and not there, and a note about it."""
    if marker is None or marker.exists():
        return (), ()
    said = f"The marker file that its header names, {plain(marker.name)}, is not there"
    other = path.with_suffix(".vmrk")
    if other.exists():  # a renamed recording, whose header has the old name; MNE reads it
        return (), (f"{said}; {plain(other.name)} was read in its place.",)
    return (plain(marker.name),), (f"{said}: it has no markers.",)


def _channel_units(head: bytes) -> dict[str, str]:
    """The unit of each channel, as a BrainVision header spells it."""
    text = _text(head)
    found = {}
    for line in re.findall(r"^\s*Ch\d+\s*=(.*)$", text, re.MULTILINE):
        name, *rest = (part.strip().replace("\\1", ",") for part in line.split(","))
        if len(rest) >= 3 and name not in found:  # the first section is of channels, the next of coordinates
            found[plain(name)] = rest[2]
    return found


def _beside(path: Path, key: str, found: Mapping[str, str], where: str) -> Path | None:
    """The file that a BrainVision header names, in its own folder; None where it names none."""
    name = found.get(key, "").replace("$b", path.stem)
    if not name:
        return None
    beside = path.parent / name
    if "\\" in name or "\x00" in name or beside.resolve().parent != path.parent.resolve():
        raise InputError(
            f"{where}: {key} points outside the recording's folder; put the file beside the header"
        )
    if beside.exists() and not beside.is_file():
        raise InputError(f"{where}: {plain(name)} is no regular file")
    return beside


def _check_samples(data: Path, found: Mapping[str, str], where: str) -> None:
    """Refuse BrainVision data that end in the middle of a sample, or before the header says."""
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
