"""Whose a recording is: by the user, BIDS, participants.tsv, its folder, or its name alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from onnxplain.eeg.recording.dataset import recordings, unsaid
from onnxplain.eeg.recording.participants import pattern_of, said
from onnxplain.engine.errors import InputError

FLAT = ("S1R01.edf", "S1R02.edf", "S10R01.edf", "S2_run1.edf")


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    for name in FLAT:
        (tmp_path / name).write_text("")
    return tmp_path


def whose(dataset: Path, subject: str | None = None) -> dict[str, tuple[str, str]]:
    return {i.path.name: (i.subject, i.origin) for i in recordings(dataset, subject=subject)}


def told(dataset: Path, subject: str | None = None) -> str:
    return said((i.subject, i.origin) for i in recordings(dataset, subject=subject))


def test_a_flat_folder_is_no_subjects_in_silence(flat: Path) -> None:
    assert {s for s, _ in whose(flat).values()} == {Path(n).stem for n in FLAT}
    assert told(flat).startswith("4 recordings count as subjects by the file's name, since nothing says")
    assert "participants.tsv says whose they are, or --subject PATTERN" in told(flat)
    (note,) = unsaid(recordings(flat))  # of the gate and the audit, too
    assert note == told(flat)
    assert unsaid(recordings(flat, "S10")) == []  # one recording is one person


def test_a_pattern_says_the_subject(flat: Path) -> None:
    (flat / "S2_run1.edf").unlink()
    assert whose(flat, "S{subject}R*.edf") == {
        "S1R01.edf": ("1", "--subject"), "S1R02.edf": ("1", "--subject"), "S10R01.edf": ("10", "--subject")
    }  # fmt: skip
    assert told(flat, "S{subject}R*.edf") == "2 subjects of 3 recordings by --subject."


@pytest.mark.parametrize(
    ("pattern", "wrong"),
    [
        ("S{subject}R*.edf", r"does not fit 1 recording of 4 \(S2_run1\.edf\)"),
        ("S*.edf", r"has not one \{subject\} in it"),
        ("{subject}{subject}", r"has not one \{subject\} in it"),
    ],
)
def test_a_pattern_that_does_not_fit_is_refused(flat: Path, pattern: str, wrong: str) -> None:
    with pytest.raises(InputError, match=wrong):
        recordings(flat, subject=pattern)


def test_a_pattern_of_folders() -> None:
    found = pattern_of("*/{subject}/*.edf").fullmatch("patients/ab12/night.edf")
    assert found is not None
    assert found["subject"] == "ab12"
    assert pattern_of("{subject}.edf").fullmatch("a/b.edf") is None
    assert pattern_of("{subject}(1).edf").fullmatch("a(1).edf") is not None  # nothing else is a sign


def test_participants(flat: Path) -> None:
    """S1 is not S10; whoever is not in the table is said to count by the file's name."""
    table = "age\tparticipant_id\n30\tsub-S1\n40\tS10\n"
    (flat / "participants.tsv").write_text(table, encoding="utf-8")
    assert whose(flat) == {
        "S1R01.edf": ("S1", "participants.tsv"), "S1R02.edf": ("S1", "participants.tsv"),
        "S10R01.edf": ("S10", "participants.tsv"), "S2_run1.edf": ("S2_run1", "file name"),
    }  # fmt: skip
    assert told(flat).startswith("2 subjects of 3 recordings by participants.tsv; 1 recording counts as a ")


@pytest.mark.parametrize("text", ["", "name\nS1\n"])
def test_a_table_without_participants_is_refused(flat: Path, text: str) -> None:
    (flat / "participants.tsv").write_text(text)
    with pytest.raises(InputError, match=r"participants\.tsv: has no column participant_id"):
        recordings(flat)


def test_folders_and_bids(tmp_path: Path) -> None:
    for name in ("sub-01/a.edf", "anna/b.edf", "anna/c.edf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert set(whose(tmp_path).values()) == {("01", "sub-"), ("anna", "folder")}
    assert "1 subject of 2 recordings by the folder" in told(tmp_path)
