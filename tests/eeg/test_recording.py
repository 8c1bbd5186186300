"""Every bad recording is one line that names the file and the reason (ROBUSTNESS, E rows)."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest
import scipy.io

from onnxplain.eeg.recording.read import read
from onnxplain.eeg.recording.slicing import chosen
from onnxplain.engine.errors import InputError

PATIENT = "Roe_Jane"
MakeRaw = Callable[..., Any]
Recorded = Callable[..., Path]


def refusal(path: Path) -> str:
    """The one line that a file is refused with."""
    with pytest.raises(InputError) as caught:
        read(path)
    text = str(caught.value)
    assert text.isprintable()
    assert path.name in text
    assert PATIENT not in text
    assert "Roe" not in text
    assert "Jane" not in text
    return text


def header(path: Path, at: int, text: str) -> None:
    """Overwrite a field of an EDF header."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(text.encode())


@pytest.fixture
def edf(make_raw: MakeRaw, tmp_path: Path) -> Path:
    """An EDF with a patient in its header, 12 channels, 20 records of a second."""
    raw = make_raw(marks=[(3.0, 0.0, "left/agree")])
    raw.set_meas_date(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
    raw.info["subject_info"] = {"his_id": "X99", "first_name": "Jane", "last_name": "Roe"}
    path = tmp_path / "rec.edf"
    mne.export.export_raw(path, raw, verbose="error")
    header(path, 8, "X99 F 01-JAN-1980 Roe_Jane".ljust(80))
    return path


SIGNALS = 13  # twelve channels and the annotations


def test_readable_kinds(recorded: Recorded, tmp_path: Path, make_raw: MakeRaw) -> None:
    for name in ("a_raw.fif", "a.edf", "a.bdf"):
        got = read(recorded(name, marks=[(3.0, 0.5, "left")]))
        assert got.name == name
        assert got.data.n_times == 2000
        assert [(m.onset, m.description) for m in got.marks] == [(3.0, "left")]
    raw = make_raw(seconds=20)
    events = np.array([[200, 0, 1], [600, 0, 2]])
    epochs = mne.Epochs(
        raw, events, {"left": 1, "right": 2}, -0.5, 2.0, baseline=None, preload=True, verbose="error"
    )
    epochs.save(tmp_path / "a-epo.fif", verbose="error")
    epochs.save(tmp_path / "epochs_under_any_name.fif", verbose="error")
    assert read(tmp_path / "a-epo.fif").is_epochs
    assert len(read(tmp_path / "epochs_under_any_name.fif").data) == 2


@pytest.mark.row("E13")
def test_eeglab(tmp_path: Path) -> None:
    data = np.random.default_rng(0).normal(size=(2, 500)).astype(np.float32)
    path = eeglab(tmp_path / "a.set", data)
    np.testing.assert_allclose(read(path).data.get_data(), data * 1e-6, rtol=1e-5)
    stored = eeglab(tmp_path / "b.set", "b.fdt")
    assert "b.fdt" in refusal(stored)
    assert "missing" in refusal(stored)
    data.T.tofile(tmp_path / "b.fdt")
    np.testing.assert_allclose(read(stored).data.get_data(), data * 1e-6, rtol=1e-5)
    data.T.tofile(tmp_path / "c.fdt")
    (tmp_path / "sub").mkdir()
    assert "outside its own folder" in refusal(eeglab(tmp_path / "sub" / "c.set", "../c.fdt"))


def eeglab(path: Path, data: Any) -> Path:
    places = np.array([("Fp1",), ("Fp2",)], dtype=[("labels", object)])
    fields = {
        "nbchan": 2, "pnts": 500, "trials": 1, "srate": 100.0, "xmin": 0.0, "data": data, "chanlocs": places,
        "event": np.array([]), "urevent": np.array([]), "setname": "x", "icawinv": np.array([]),
        "icaweights": np.array([]), "icasphere": np.array([]),
    }  # fmt: skip
    scipy.io.savemat(path, {"EEG": fields}, appendmat=False)
    return path


def brainvision(folder: Path, *, data: str = "b.eeg", marker: str = "b.vmrk", samples: int = 500) -> Path:
    path = folder / "b.vhdr"
    path.write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\n"
        f"Codepage=UTF-8\nDataFile={data}\nMarkerFile={marker}\nDataFormat=BINARY\n"
        "DataOrientation=MULTIPLEXED\nNumberOfChannels=2\nSamplingInterval=10000\n"
        "[Binary Infos]\nBinaryFormat=IEEE_FLOAT_32\n[Channel Infos]\nCh1=Fp1,,1,µV\nCh2=Fp2,,1,µV\n",
        encoding="utf-8",
    )
    (folder / "b.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        "DataFile=b.eeg\n"
        "[Marker Infos]\nMk1=New Segment,,1,1,0,20200101000000000000\nMk2=Stimulus,S  1,100,1,0\n"
        "Mk3=New Segment,,301,1,0\n",
        encoding="utf-8",
    )
    np.random.default_rng(0).normal(size=(samples, 2)).astype("<f4").tofile(folder / "b.eeg")
    return path


def test_brainvision(tmp_path: Path) -> None:
    got = read(brainvision(tmp_path))
    assert got.data.ch_names == ["Fp1", "Fp2"]
    assert got.breaks == (3.0,)
    assert [m.description for m in got.marks] == ["Stimulus/S  1"]


@pytest.mark.parametrize("name", ["old name.vmrk", "a.vmrk"])
def test_a_marker_file_that_is_named_and_not_there(tmp_path: Path, name: str) -> None:
    header = brainvision(tmp_path, marker=name)
    assert any("b.vmrk was read in its place" in note for note in read(header).notes)
    (tmp_path / "b.vmrk").unlink()
    recording = read(header)
    assert recording.marks == ()
    assert any(name in note and "is not there" in note for note in recording.notes)
    for events in ("annotations", "left"):
        with pytest.raises(InputError, match=f"its marker file {name} is missing"):
            chosen(recording, events, "x")


@pytest.mark.row("E13")
@pytest.mark.parametrize(("name", "header"), [("b.eeg", "b.vhdr"), ("b.vmrk", "b.vhdr"), ("b.fdt", "b.set")])
def test_a_part_of_a_recording_names_its_header(tmp_path: Path, name: str, header: str) -> None:
    (tmp_path / name).write_bytes(b"12345678")
    assert f"its header {header} is not beside it" in refusal(tmp_path / name)
    (tmp_path / header).write_bytes(b"12345678")
    assert f"give its header, {header}" in refusal(tmp_path / name)


@pytest.mark.row("E13")
def test_brainvision_stays_in_its_folder(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    np.zeros((500, 2), "<f4").tofile(tmp_path / "out.eeg")
    for name in ("../out.eeg", str(tmp_path / "out.eeg"), "..\\out.eeg"):
        assert "outside the recording's folder" in refusal(brainvision(inside, data=name))
    assert "outside" in refusal(brainvision(inside, marker="../x.vmrk"))
    (inside / "link.eeg").symlink_to(tmp_path / "out.eeg")
    assert "outside" in refusal(brainvision(inside, data="link.eeg"))


@pytest.mark.row("E1", "E13")
def test_brainvision_data(tmp_path: Path) -> None:
    assert "none.eeg is missing" in refusal(brainvision(tmp_path, data="none.eeg"))
    path = brainvision(tmp_path)
    with (tmp_path / "b.eeg").open("ab") as file:
        file.write(b"\0\0\0")
    assert "truncated" in refusal(path)
    (tmp_path / "b.eeg").write_bytes(b"")
    assert "empty" in refusal(path)


@pytest.mark.row("E1")
def test_missing_empty_folder_pipe(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "none.edf")
    (tmp_path / "zero.edf").touch()
    assert "0 bytes" in refusal(tmp_path / "zero.edf")
    (tmp_path / "folder.edf").mkdir()
    assert "is a folder" in refusal(tmp_path / "folder.edf")
    os.mkfifo(tmp_path / "pipe.edf")
    assert "no regular file" in refusal(tmp_path / "pipe.edf")


@pytest.mark.row("E1", "E11")
@pytest.mark.parametrize("name", ["a.edf", "a.bdf", "a_raw.fif", "a.fif.gz", "a.set", "a.vhdr"])
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"Roe,Jane\n1,2,3\n", "text"),
        (b"<!DOCTYPE html><html>Roe Jane", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git-lfs"),
        (b"PK\x03\x04Roe", "a zip file"),
        (bytes(range(256)) * 20, "something else"),
    ],
)
def test_other_files_under_a_recordings_name(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert what in refusal(tmp_path / name)


def test_unknown_kind(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("Roe")
    assert "not known" in refusal(tmp_path / "a.xyz")


@pytest.mark.row("E1")
@pytest.mark.parametrize("keep", [100, 256, 1000, 256 * (SIGNALS + 1), 6000, -1])
def test_truncated_edf(edf: Path, keep: int) -> None:
    whole = edf.read_bytes()
    edf.write_bytes(whole[:keep])
    assert "truncated" in refusal(edf)


@pytest.mark.row("E1")
@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.95])
def test_truncated_fif(recorded: Recorded, part: float) -> None:
    path = recorded("a_raw.fif")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    refusal(path)


@pytest.mark.row("E2", "E11")
@pytest.mark.parametrize(
    ("at", "text", "reason"),
    [
        (252, "14  ", "do not go together"),
        (252, "-3  ", "do not go together"),
        (252, "Jane", "channel count is no number"),
        (184, "9999    ", "do not go together"),
        (236, "Roe     ", "number of records is no number"),
        (236, "99      ", "truncated"),
        (244, "0       ", "records of 0 s"),
        pytest.param(256 + SIGNALS * 216, "0       ", "no samples in a record", marks=pytest.mark.row("E5")),
    ],
)
def test_edf_header_that_contradicts_itself(edf: Path, at: int, text: str, reason: str) -> None:
    header(edf, at, text)
    assert reason in refusal(edf)


def test_edf_that_was_not_closed_is_read(edf: Path) -> None:
    header(edf, 236, "-1      ")
    got = read(edf)
    assert got.data.n_times == 2000
    assert any("20 that the file holds were read" in n for n in got.notes)


@pytest.mark.row("E10")
def test_edf_with_gaps(edf: Path) -> None:
    """A discontinuous file: five seconds are missing after the tenth record."""
    raw = edf.read_bytes()
    size = 256 * (SIGNALS + 1)
    records = 20
    length = (len(raw) - size) // records
    out = bytearray(raw)
    out[192:197] = b"EDF+D"
    for record in range(10, records):
        at = size + record * length + 12 * 100 * 2
        old, new = f"+{record}".encode() + b"\x14\x14\x00", f"+{record + 5}".encode() + b"\x14\x14\x00"
        assert out[at : at + len(old)] == old
        out[at : at + len(new)] = new
    edf.write_bytes(out)
    got = read(edf)
    assert got.breaks == (10.0,)
    assert any("1 gap (5 s" in n for n in got.notes)


@pytest.mark.row("E12")
def test_annotations_that_are_not_utf8(edf: Path) -> None:
    whole = edf.read_bytes()
    assert whole.count(b"left/agree") == 1
    edf.write_bytes(whole.replace(b"left/agree", b"\xfcbung/agre"[:10]))
    got = read(edf)
    assert got.marks[0].description.startswith("übung")
    assert any("Latin-1" in n for n in got.notes)


@pytest.mark.row("E12")
def test_malformed_annotations_are_told(edf: Path) -> None:
    whole = edf.read_bytes()
    found = re.search(rb"\+3(?:\.0)?((?:\x15[\d.]+)?\x14)left/agree\x14", whole)
    assert found is not None
    assert [m.description for m in read(edf).marks] == ["left/agree"]
    assert not [n for n in read(edf).notes if "malformed" in n]
    broken = found[0].replace(b"+3", b"!3", 1)
    edf.write_bytes(whole.replace(found[0], broken))
    got = read(edf)
    assert got.marks == ()
    assert "1 annotation in the file is malformed, and may be missing here." in got.notes


@pytest.mark.row("E10")
def test_annotations_outside_the_data(make_raw: MakeRaw, edf: Path) -> None:
    whole = edf.read_bytes()
    found = re.search(rb"\+3(?:\.0)?((?:\x15[\d.]+)?\x14left/)agree\x14", whole)
    assert found
    late = (b"+900" + found[1] + b"agr").ljust(len(found[0]) - 1, b"x") + b"\x14"
    edf.write_bytes(whole.replace(found[0], late))
    got = read(edf)
    assert not got.marks
    assert any("1 annotation outside" in n for n in got.notes)


@pytest.mark.row("E11")
def test_nobody_is_in_the_result(edf: Path) -> None:
    got = read(edf)
    assert got.data.info["subject_info"] is None
    assert "Roe" not in str(
        got.data.info.to_json_dict() if hasattr(got.data.info, "to_json_dict") else got.data.info
    )
    assert "Roe" not in repr(got)


@pytest.mark.row("E10")
def test_boundaries_are_breaks(recorded: Recorded) -> None:
    got = read(recorded(marks=[(5.0, 0.0, "boundary"), (7.0, 1.0, "BAD muscle"), (9.0, 0.0, "left")]))
    assert got.breaks == (5.0,)
    assert [m.description for m in got.marks if m.bad] == ["BAD muscle"]
    assert [m.onset for m in got.marks] == [7.0, 9.0]


def test_marks_count_from_the_first_sample(make_raw: MakeRaw, tmp_path: Path) -> None:
    raw = make_raw(marks=[(8.0, 0.0, "left")])
    raw.set_meas_date(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
    cropped = raw.crop(5.0, None)
    assert cropped.first_samp == 500
    cropped.save(tmp_path / "a_raw.fif", verbose="error")
    assert [m.onset for m in read(tmp_path / "a_raw.fif").marks] == [3.0]


@pytest.mark.parametrize(("kind", "size"), [(11522, 4), (2**31 - 1, 4), (-5, 4)])
def test_a_kind_of_channel_that_nobody_knows(make_raw: MakeRaw, tmp_path: Path, kind: int, size: int) -> None:
    path = tmp_path / "odd_raw.fif"
    make_raw().save(path, overwrite=True)
    data = path.read_bytes()
    # A channel's record begins with its number, the number in its range, and its kind (2 is EEG).
    at = data.find(b"".join(n.to_bytes(size, "big") for n in (2, 2, 2)))
    assert at > 0
    at += 2 * size
    path.write_bytes(data[:at] + kind.to_bytes(size, "big", signed=kind < 0) + data[at + size :])
    assert "cannot be read" in refusal(path)
