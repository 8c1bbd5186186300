"""Labels from a table: a row for each window, or windows where the table says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from onnxplain.eeg.recording.labels import read_labels
from onnxplain.eeg.recording.options import WindowOptions
from onnxplain.eeg.recording.read import read
from onnxplain.eeg.run import explain_recording
from onnxplain.engine.errors import InputError

Make = Callable[..., Any]


def _table(folder: Path, text: str, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
    return path


@pytest.fixture
def files(make_contract: Make, make_model: Make, recorded: Make) -> tuple[Path, Path]:
    """A model of 2 s windows and 20 s of recording: ten windows."""
    return make_model(make_contract()), recorded()


def test_a_row_for_each_window(files: tuple[Path, Path], tmp_path: Path) -> None:
    rows = ["left", "right", "", "n/a", *["left"] * 6]
    found = explain_recording(*files, labels=_table(tmp_path, "\n".join(["label", *rows]) + "\n"))
    assert found.windows.labels == ("left", "right", None, None, *["left"] * 6)
    accuracy = found.summary()["accuracy"]
    assert accuracy["of"] == 8
    assert "Labels are those of labels.csv." in found.windows.decisions
    assert found.provenance["options"]["labels"] == "labels.csv"


def test_windows_where_the_table_says(files: tuple[Path, Path], tmp_path: Path) -> None:
    text = "onset\tduration\ttrial_type\n7.5\t1\tright\n0.5\t1\tleft\n3\t0\tn/a\n19.5\t1\tleft\n"
    found = explain_recording(*files, labels=_table(tmp_path, text, "sub-01_events.tsv"))
    assert found.windows.labels == ("left", "right")
    assert found.windows.onsets.tolist() == [0.5, 7.5]
    assert found.windows.dropped == 1  # the last one ends after the signal


def test_a_dropped_window_takes_its_label_along(
    make_contract: Make, make_model: Make, recorded: Make, tmp_path: Path
) -> None:
    data = recorded(marks=[(2.5, 0.5, "BAD jaw")])
    rows = [f"w{i}" for i in range(10)]
    table = _table(tmp_path, "\n".join(["label", *rows]) + "\n")
    found = explain_recording(make_model(make_contract()), data, labels=table)
    assert found.windows.labels == tuple(r for r in rows if r != "w1")


@pytest.mark.row("E16")
@pytest.mark.parametrize("n", [9, 11])
def test_another_number_of_labels_is_refused(files: tuple[Path, Path], tmp_path: Path, n: int) -> None:
    table = _table(tmp_path, "\n".join(["label", *["left"] * n]) + "\n")
    with pytest.raises(InputError, match=f"{n} labels for 10 windows"):
        explain_recording(*files, labels=table)


@pytest.mark.row("E16")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column label"),
        ("name\nleft\n", "no column label or trial_type; it has 1 column, and a first line that is no known"),
        ("onset,hand,value\n1,left,2\n", "it has onset, hand, value; name one with --label-column"),
        ("label\n", "no row"),
        ("label\n\n n/a\n", "every label is empty"),
        ("label,label\nleft,right\n", "stands twice"),
        ("label,onset\nleft\n", "row 2 has another number of cells"),
        ("label,onset\nleft,nan\n", "row 2: the onset is no number"),
        ("label,onset\nleft,-1\n", "row 2: the onset is no number"),
        (b"label\n\xff\xfe\n", "not UTF-8"),
        ('label\n"left\n', "not a table"),
    ],
)
def test_a_broken_table_is_refused_in_one_line(tmp_path: Path, text: Any, said: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=said) as caught:
        read_labels(path)
    assert str(caught.value).startswith("labels.csv: ")
    assert "\n" not in str(caught.value)


def test_two_answers_to_where_windows_start_are_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    table = _table(tmp_path, "onset,label\n1,left\n")
    with pytest.raises(InputError, match="leave out one of them"):
        explain_recording(*files, labels=table, events="annotations")


def _hypnogram(
    folder: Path, stages: Sequence[tuple[float, float, str]], clock: str = "01.01.1000.00.00"
) -> Path:
    """An EDF+ of annotations only, whose header names somebody."""
    tal = b"+0\x14\x14\x00" + b"".join(
        f"+{onset:g}\x15{seconds:g}\x14{stage}\x14\x00".encode() for onset, seconds, stage in stages
    )
    tal = tal.ljust(-(-len(tal) // 2) * 2, b"\x00")
    head = b"0       " + b"0472 F 14-JUL-1949 Erika_Mustermann".ljust(80) + b"Startdate 01-JAN-2010".ljust(80)
    head += clock.encode() + b"512".ljust(8) + b"EDF+C".ljust(44) + b"1".ljust(8) + b"0".ljust(8)
    head += b"1".ljust(4) + b"EDF Annotations".ljust(16) + b" " * 80 + b" " * 8 + b"-1".ljust(8)
    head += b"1".ljust(8) + b"-32768".ljust(8) + b"32767".ljust(8) + b" " * 80
    head += str(len(tal) // 2).encode().ljust(8) + b" " * 32
    path = folder / "hypnogram.edf"
    path.write_bytes(head + tal)
    return path


def test_every_window_of_a_stage(files: tuple[Path, Path], tmp_path: Path) -> None:
    """A hypnogram says what a stretch is: windows follow one another through it."""
    stages = [(0.0, 4.0, "Sleep stage W"), (4.0, 7.0, "Sleep stage 2"), (11.0, 1.0, "Movement time")]
    found = explain_recording(*files, labels=_hypnogram(tmp_path, stages), against="none")
    assert found.windows.onsets.tolist() == [0, 2, 4, 6, 8]
    assert found.windows.labels == (*["Sleep stage W"] * 2, *["Sleep stage 2"] * 3)


def test_a_stage_shorter_than_a_window(files: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"hypnogram\.edf: no label in it lasts as long as a window of 2 s"):
        explain_recording(*files, labels=_hypnogram(tmp_path, [(0.0, 1.0, "W")]), against="none")


def test_clocks_of_both_files(recorded: Make, make_contract: Make, tmp_path: Path) -> None:
    """A hypnogram that begins four seconds after the recording."""
    data = Path(recorded("night.edf"))
    whole = bytearray(data.read_bytes())
    whole[168:184] = b"01.01.1022.59.58"
    data.write_bytes(whole)
    table = _hypnogram(tmp_path, [(0.0, 4.0, "W")], "01.01.1023.00.02")
    found = WindowOptions(labels=table).cut(read(data), make_contract())
    assert found.onsets.tolist() == [4, 6]
    assert "They begin 4 s after the recording, by the clocks of both files." in found.decisions


@pytest.mark.row("E11")
@pytest.mark.parametrize("name", ["labels.csv", "labels.edf", "labels.bdf", "labels.vmrk", "labels.txt"])
def test_a_header_is_never_quoted(tmp_path: Path, name: str) -> None:
    """Whatever a file is called: its first bytes may be a patient's name."""
    whole = _hypnogram(tmp_path, [(0.0, 4.0, "W")]).read_bytes()
    contents = [whole[:200], b"Mustermann, Erika, 1949\nleft,right,left\n", b"Mustermann\n", whole[8:]]
    path = tmp_path / name
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            read_labels(path)
        for word in ("Erika", "Mustermann", "1949", "0472"):
            assert word not in str(caught.value)


def test_any_column(files: tuple[Path, Path], tmp_path: Path) -> None:
    """Whole numbers that a table program wrote as floats are whole, and other numbers stay numbers."""
    rows = ["onset duration trial_type value", "1 0 go 769.0", "5 6 go 770.0", "9 0 go n/a", "13 0 go 0.75"]
    text = "\n".join(row.replace(" ", "\t") for row in rows) + "\n"
    table = _table(tmp_path, text, "sub-01_events.tsv")
    found = explain_recording(*files, labels=table, label_column="value", against="none")
    assert found.windows.labels == ("769", "770", "0.75")
    assert any("2 further windows would fit" in d for d in found.windows.decisions)
    assert found.provenance["options"]["label_column"] == "value"
    with pytest.raises(InputError, match="no column code; it has onset, duration, trial_type, value"):
        explain_recording(*files, labels=table, label_column="code")
    with pytest.raises(InputError, match="there is none"):
        explain_recording(*files, label_column="value")
