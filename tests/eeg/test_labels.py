"""Labels from a table: a row for each window, or windows where the table says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onnxplain.eeg.recording.labels import read_labels
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


@pytest.mark.parametrize("n", [9, 11])
def test_another_number_of_labels_is_refused(files: tuple[Path, Path], tmp_path: Path, n: int) -> None:
    table = _table(tmp_path, "\n".join(["label", *["left"] * n]) + "\n")
    with pytest.raises(InputError, match=f"{n} labels for 10 windows"):
        explain_recording(*files, labels=table)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column label"),
        ("name\nleft\n", "no column label or trial_type; it has name"),
        ("label\n", "no row"),
        ("label\n\n n/a\n", "every label is empty"),
        ("label,label\nleft,right\n", "stands twice"),
        ("label,onset\nleft\n", "row 2 has another number of cells"),
        ("label,onset\nleft,nan\n", "row 2: onset 'nan' is no number"),
        ("label,onset\nleft,-1\n", "row 2: onset '-1' is no number"),
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
