"""Recordings: any file MNE reads, in memory, anonymous, or one line that says why not."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import mne
import numpy as np

from ...engine.errors import InputError, LimitError, OnnxplainError
from ..text import counted, plain
from . import bids, units
from .dataset import FOLDERS
from .further import names_of
from .headers import HeaderFacts, check_brainvision, check_edf, looks_like
from .marks import Mark as Mark
from .marks import marks_of, with_triggers
from .objects import as_mne

# Parts of a recording that only its header can tell about.
_HEADERS = {".eeg": ".vhdr", ".vmrk": ".vhdr", ".avg": ".vhdr", ".fdt": ".set"}
_MAGIC = {
    ".fif": ((b"\x00\x00\x00\x64",), "a FIF file"),
    ".fif.gz": ((b"\x1f\x8b",), "a gzipped FIF file"),
    ".set": ((b"MATLAB", b"\x89HDF"), "an EEGLAB file"),
}


@dataclass(frozen=True)
class Recording:
    """A recording in memory, without anything about the person.

    Attributes
    ----------
    name : str
        The file's name, without its folder; "in memory: Raw" and so on where there is no file.
    data : mne.io.BaseRaw or mne.BaseEpochs
        Loaded and anonymised.
    marks : tuple of Mark
        Annotations of a continuous recording.
    breaks : tuple of float
        Seconds at which the signal jumps: gaps, pauses, places where pieces were joined.
    declared : dict of str to str
        Unit in the header per channel, as it is spelt there, where it has one.
    triggers : tuple of Mark
        Codes on a trigger channel, where `marks` has other annotations; without any the codes are `marks`.
    applied : dict of str to float
        What the reader multiplied the stored numbers of a channel by; 1 where it is not named.
    facts : HeaderFacts
        What else the header says.
    notes : tuple of str
        Sentences for the user.
    in_memory : bool
        It came from an object and no file, so that it is in volt unless somebody has scaled it.
    whose : tuple of str
        What a table may call its subject or session, best first.
    """

    name: str
    data: Any
    marks: tuple[Mark, ...] = ()
    breaks: tuple[float, ...] = ()
    declared: Mapping[str, str] = field(default_factory=dict)
    facts: HeaderFacts = field(default_factory=HeaderFacts)
    notes: tuple[str, ...] = ()
    in_memory: bool = False
    applied: Mapping[str, float] = field(default_factory=dict)
    triggers: tuple[Mark, ...] = ()
    whose: tuple[str, ...] = ()

    @property
    def is_epochs(self) -> bool:
        """Whether it is cut into epochs already."""
        return isinstance(self.data, mne.BaseEpochs)

    def factor(self, channel: str, unit: str) -> float:
        """What to multiply a channel by when its stored numbers are in `unit`, whatever the header says."""
        return units.VOLTS[unit] / self.applied.get(channel, 1.0)

    def mistaken(self) -> dict[str, float]:
        """What to multiply channels by whose header has a unit that the reader took for another one."""
        out = {}
        for name in self.data.ch_names:
            said = units.understood(self.declared.get(name, ""))
            if said is not None and abs(self.factor(name, said) - 1) > 1e-6:
                out[name] = self.factor(name, said)
        return out

    @classmethod
    def of(cls, data: Any) -> Recording:
        """A recording that is in memory already.

        Parameters
        ----------
        data : mne.io.BaseRaw, mne.BaseEpochs, or braindecode dataset of windows
            In volt, as MNE has it. It is copied: what is done to the recording does not reach it. Windows
            of a braindecode dataset are epochs whose events are their targets.

        Returns
        -------
        Recording
            Anonymised, with the object's annotations or events: as `read` gives it of a file.

        Raises
        ------
        InputError
            It is another thing, in one line.
        LimitError
            A copy of it does not fit into memory.
        """
        with mne.utils.use_log_level("error"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                copy, kind, notes = as_mne(data)
            except MemoryError:
                raise LimitError("a copy of the recording in memory does not fit into memory") from None
            marks, breaks = ([], []) if isinstance(copy, mne.BaseEpochs) else marks_of(copy, HeaderFacts())
            marks, pulses = with_triggers(copy, marks)
            copy = _anonymise(copy)
        whole = tuple(marks), tuple(breaks)
        return cls(f"in memory: {kind}", copy, *whole, notes=notes, in_memory=True, triggers=pulses)

    def digest(self) -> str:
        """SHA-256 of channels, rate, signal, and annotations or events."""
        data, whole = self.data, hashlib.sha256()
        events = [data.events.tolist(), data.event_id] if self.is_epochs else []
        said = [data.ch_names, float(data.info["sfreq"]), events, [vars(m) for m in self.marks], self.breaks]
        whole.update(repr(said).encode())
        for i in range(len(data.ch_names)):  # a copy of all would take as much memory again
            whole.update(np.ascontiguousarray(data.get_data(picks=[i])).tobytes())
        return whole.hexdigest()


def _extension(path: Path) -> str:
    name = path.name.lower()
    for double in (".fif.gz", ".cdt.dpa", ".cdt.cef"):
        if name.endswith(double):
            return double
    return path.suffix.lower()


def _check_file(path: Path, extension: str, where: str) -> HeaderFacts:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise InputError(f"{where}: no such file") from None
    except (OSError, ValueError) as e:
        raise InputError(
            f"{where}: cannot be read ({getattr(e, 'strerror', None) or 'not a path'})"
        ) from None
    if extension in _HEADERS:
        _refuse_part(path, extension, where)
    if stat.S_ISDIR(mode):
        if extension not in FOLDERS:
            raise InputError(f"{where}: is a folder, not a recording")
        return HeaderFacts()
    if not stat.S_ISREG(mode):
        raise InputError(f"{where}: is no regular file")
    if path.stat().st_size == 0:
        raise InputError(f"{where}: is empty (0 bytes)")
    with path.open("rb") as file:
        head = file.read(256)
    if extension in (".edf", ".bdf"):
        return check_edf(path, where=where)
    if extension in (".vhdr", ".ahdr"):
        return check_brainvision(path, where=where)
    magic, what = _MAGIC.get(extension, ((b"",), ""))
    if not head.startswith(magic):
        raise InputError(f"{where}: not {what} (looks like {looks_like(head)})")
    return HeaderFacts()


def _refuse_part(path: Path, extension: str, where: str) -> None:
    """Name the header of a file of data or markers; Nihon Kohden's .EEG has its own."""
    header = path.with_suffix(_HEADERS[extension])
    if header.exists():
        raise InputError(f"{where}: is one part of a recording; give its header, {plain(header.name)}")
    with path.open("rb") as file:
        own = extension == ".eeg" and file.read(4) in (b"EEG-", b"QI-4", b"DAE-")
    if not own:
        raise InputError(
            f"{where}: is one part of a recording, and its header {plain(header.name)} is not beside it"
        )


def _reason(error: BaseException) -> str:
    """Why a reader failed, without quoting the file: a header's words may be the patient's name."""
    if isinstance(error, FileNotFoundError):
        names = re.findall(r"[^\s'\"/\\]+\.(?:fdt|eeg|dat|fif|vmrk)\b", str(error))
        return (
            f"its data file {plain(names[0])} is missing" if names else "a file that belongs to it is missing"
        )
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    quoted = r"(['\"`]).*?\1|<[^>]*>|\([^)]*\)|\[[^]]*\]|\{[^}]*\}|\S*[/\\]\S*"
    text = re.sub(quoted, "…", str(error), flags=re.DOTALL)
    text = plain(re.split(r"\n|\. |: ", text)[0], 100)
    spoken = f"; the reader says: {text}" if re.search(r"\w{3}", text) and " " in text else ""
    return f"damaged, truncated or of another kind{spoken}"


def _open(path: Path, extension: str) -> Any:
    """MNE's raw or epochs object, not loaded yet where that is possible."""
    found = bids.open_recording(path)
    if found is not None:
        return found
    if extension in (".fif", ".fif.gz"):
        try:
            return mne.io.read_raw_fif(path, preload=False)
        except ValueError as e:
            if "raw data" not in str(e).lower():
                raise
            return mne.read_epochs(path, preload=False)
    if extension == ".set":
        try:
            return mne.io.read_raw_eeglab(path, preload=False)
        except TypeError as e:
            if "trials" not in str(e):
                raise
            return mne.io.read_epochs_eeglab(path)
    if extension in (".edf", ".bdf"):
        reader = mne.io.read_raw_edf if extension == ".edf" else mne.io.read_raw_bdf
        try:
            return reader(path, preload=False)
        except Exception as e:
            if "invalid byte" not in str(e):
                raise
            warnings.warn("onnxplain: latin1", stacklevel=1)
            return reader(path, preload=False, encoding="latin1")
    return mne.io.read_raw(path, preload=False)


def _elsewhere(data: Any, path: Path) -> bool:
    """Whether opening the file led out of its folder (an .fdt or a split part named with ``../``)."""
    home = path.resolve() if path.is_dir() else path.parent.resolve()
    names = getattr(data, "filenames", None) or (getattr(data, "filename", None),)
    for name in names:
        if name is not None:
            resolved = Path(name).resolve()
            if resolved != path.resolve() and home not in resolved.parents:
                return True
    return False


def _anonymise(data: Any) -> Any:
    """Remove what tells who the person is; annotations' and events' times stay."""
    info = data.info
    with info._unlock():
        info["subject_info"] = None
    try:
        data.anonymize()
    except Exception:
        # A date out of range or a broken field: build a new object that never had them.
        bare = mne.create_info(data.ch_names, info["sfreq"], data.get_channel_types())
        with bare._unlock():
            bare["highpass"], bare["lowpass"] = info["highpass"], info["lowpass"]
        bare["bads"] = list(info["bads"])
        if isinstance(data, mne.BaseEpochs):
            return mne.EpochsArray(
                data.get_data(copy=False), bare, data.events, data.tmin, data.event_id, verbose="error"
            )
        return mne.io.RawArray(data.get_data(), bare, verbose="error")
    with data.info._unlock():
        data.info["subject_info"] = None
        data.info["description"] = None
    return data


def _warned(messages: list[str]) -> list[str]:
    """The reader's warnings that a user should know of, in our words."""
    said = []
    for text in messages:
        number = re.search(r"(\d+) annotation", text)
        if text == "onnxplain: latin1":
            said.append("The annotations are not valid UTF-8 and were read as Latin-1.")
        elif text == bids.USED:
            said.append("Read as BIDS: with the events, channels and electrodes of the tables beside it.")
        elif text == bids.MISSING:
            said.append(
                "The tables of its BIDS dataset were not read: that needs mne-bids "
                '(pip install "onnxplain[cohort]").'
            )
        elif number and "outside" in text:
            n = counted(int(number[1]), "annotation")
            cut = "cut at its ends" if "expanding" in text or "Limited" in text else "left out"
            said.append(f"{n} outside the recorded data: {cut}.")
        elif "acquisition skip" in text.lower():
            said.append("The acquisition was paused in between.")
    return list(dict.fromkeys(said))


def read(path: str | os.PathLike[str]) -> Recording:
    """Read a recording of any kind that MNE knows (EDF, BDF, BrainVision, EEGLAB, FIF raw or epochs, ...).

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Recording
        Loaded into memory and anonymised.

    Raises
    ------
    InputError
        One line with the file and the reason.
    LimitError
        It does not fit into memory.
    """
    path = Path(path)
    where = plain(path, 300)
    extension = _extension(path)
    facts = _check_file(path, extension, where)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with mne.utils.use_log_level("warning"):
                data = _open(path, extension)
                if _elsewhere(data, path):
                    raise InputError(
                        f"{where}: it points to data outside its own folder; put the files together"
                    )
                data.load_data()
                data.get_channel_types()  # a kind that MNE does not know is not noticed before
            made = _of_file(data, path, extension, facts, where)
        except OnnxplainError:
            raise
        except MemoryError:
            raise LimitError(f"{where}: the recording does not fit into memory") from None
        except Exception as e:
            if "Unsupported file type" in str(e):
                raise InputError(
                    f"{where}: a kind of file that is not known "
                    "(EDF, BDF, BrainVision .vhdr, EEGLAB .set, FIF and what else MNE-Python reads)"
                ) from None
            raise InputError(f"{where}: cannot be read ({_reason(e)})") from None
    notes = [*facts.notes, *_warned([str(w.message) for w in caught])]
    if facts.gaps:
        lost = sum(g for _, g in facts.gaps)
        notes.append(
            f"The recording has {counted(len(facts.gaps), 'gap')} ({lost:.3g} s in all); "
            "times count recorded signal only, and no window spans a gap."
        )
    return replace(made, notes=tuple(notes))


def _of_file(data: Any, path: Path, extension: str, facts: HeaderFacts, where: str) -> Recording:
    """What a reader gave, anonymised, with its annotations and units."""
    declared = {**(getattr(data, "_orig_units", None) or {}), **_spelt(facts, data.ch_names)}
    applied = units.applied(data)
    if extension == ".set":
        declared = dict.fromkeys(data.ch_names, "µV")
    beside = units.of_table(path, data.ch_names)
    declared.update(_by_table(beside, declared, extension))
    if isinstance(data, mne.BaseEpochs):
        marks: list[Mark] = []
        breaks: list[float] = []
        if len(data) == 0:
            raise InputError(f"{where}: no epoch is left in it")
    else:
        marks, breaks = marks_of(data, facts)
    marks, pulses = with_triggers(data, marks)
    with mne.utils.use_log_level("error"):
        data = _anonymise(data)
    return Recording(
        path.name,
        data,
        tuple(marks),
        tuple(breaks),
        declared,
        facts,
        applied=applied,
        triggers=pulses,
        whose=names_of(path),
    )


def _spelt(facts: HeaderFacts, names: Sequence[str]) -> dict[str, str]:
    """Units as the header itself spells them, which the reader may have put into its own words."""
    return {n: facts.units[plain(n)] for n in names if plain(n) in facts.units}


def _by_table(beside: Mapping[str, str], declared: Mapping[str, str], extension: str) -> dict[str, str]:
    """Units of a channels.tsv, for channels whose header has none that is understood.

    An EEGLAB file has no unit of its own, and is taken for microvolt. A table that says V says it of what the
    reader makes of it, more often than not.
    """
    if extension == ".set":
        return {n: unit for n, unit in beside.items() if units.understood(unit) != "V"}
    if not extension.startswith((".edf", ".bdf", ".vhdr", ".ahdr")):
        return {}
    return {n: unit for n, unit in beside.items() if units.understood(declared.get(n, "")) is None}


def recording_of(data: Any) -> Recording:
    """What somebody calls a recording: a path is read, an object in memory copied (see `Recording.of`).

    Parameters
    ----------
    data : path-like, Recording, mne.io.BaseRaw, mne.BaseEpochs, or braindecode dataset of windows

    Returns
    -------
    Recording

    Raises
    ------
    InputError
        One line with what it is and the reason.
    """
    if isinstance(data, Recording):
        return data
    return read(data) if isinstance(data, (str, os.PathLike)) else Recording.of(data)
