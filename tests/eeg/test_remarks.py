"""Texts of annotations that may hold names: in no message, result, table or report; counted all the same."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onnxplain.eeg.explanation.to_mne import to_csv
from onnxplain.eeg.recording.marks import HIDDEN
from onnxplain.eeg.recording.options import WindowOptions
from onnxplain.eeg.recording.read import Recording
from onnxplain.eeg.recording.remarks import OFTEN, Remarks
from onnxplain.eeg.reports.write import write
from onnxplain.eeg.run import explain_recording
from onnxplain.eeg.studies.audit_windows import audit_of
from onnxplain.engine.errors import InputError

Make = Callable[..., Any]
REMARKS = [
    "Ms Zyxwen asked for water",
    "ZYXWEN",
    "left arm of Zyxwen moved",
    "zyxwen/eyes closed",
    "20 min: Zyxwen, K.",
]


def _raw(make_raw: Make, *more: tuple[float, float, str]) -> Any:
    marks = [(1.0 + 2 * i, 0.5, ("left", "right/agree")[i % 2]) for i in range(12)]
    return make_raw(seconds=40.0, marks=[*marks, *more])


@pytest.fixture(params=REMARKS)
def remarked(request: pytest.FixtureRequest, make_raw: Make) -> Any:
    """A recording with one remark among its events, and one that marks bad signal."""
    return _raw(make_raw, (27.0, 0.5, request.param), (31.0, 1.0, f"BAD {request.param}"))


def _texts(folder: Path) -> str:
    return " ".join(p.read_bytes().decode("latin-1") for p in folder.rglob("*") if p.is_file()).casefold()


@pytest.mark.parametrize("events", ["annotations", "left,right", None])
def test_results_have_no_remark(
    remarked: Any, make_contract: Make, make_model: Make, tmp_path: Path, events: str | None
) -> None:
    found = explain_recording(make_model(make_contract()), remarked, events=events)
    out = tmp_path / "out"
    out.mkdir()
    write(found, out, report="asked" in str(remarked.annotations.description))
    assert "zyxwen" not in _texts(out)
    assert "zyxwen" not in to_csv(found, tmp_path / "rows.csv").read_text().casefold()
    summary = json.loads((out / "summary.json").read_text())
    if events == "annotations":
        assert summary["labels"] == {"left": 6, "right/agree": 6, HIDDEN: 1}
        assert any("1 window" in d and "--show-annotations" in d for d in found.windows.decisions)
    if events is None:
        assert any("over the annotation BAD." in d for d in found.windows.decisions)


def test_all_are_shown_where_that_is_asked_for(remarked: Any, make_contract: Make, make_model: Make) -> None:
    found = explain_recording(
        make_model(make_contract()), remarked, events="annotations", show_annotations=True
    )
    assert any("zyxwen" in str(label).casefold() for label in found.windows.labels)
    assert found.provenance["options"]["show_annotations"] is True


@pytest.mark.parametrize("option", [{"events": "middle"}, {"locked": ("middle",)}, {"against": "middle"}])
def test_messages_have_no_remark(
    remarked: Any, make_contract: Make, make_model: Make, option: dict[str, Any]
) -> None:
    with pytest.raises(InputError) as caught:
        explain_recording(make_model(make_contract()), remarked, **option)
    text = str(caught.value)
    assert "zyxwen" not in text.casefold()
    assert "left" in text
    assert "more whose text may hold a name (--show-annotations shows it)" in text
    with pytest.raises(InputError) as caught:
        explain_recording(make_model(make_contract()), remarked, show_annotations=True, **option)
    assert "zyxwen" in str(caught.value).casefold()


@pytest.mark.parametrize("shown", [False, True])
def test_a_gate_shows_remarks_where_that_is_asked_for(
    make_raw: Make, make_contract: Make, make_model: Make, tmp_path: Path, shown: bool
) -> None:
    _raw(make_raw, (27.0, 0.5, REMARKS[0])).save(tmp_path / "a_raw.fif", verbose="error")
    (tmp_path / "policy.yaml").write_text("version: 1\nevents: middle\n")
    model = make_model(make_contract())
    given = [model, tmp_path / "a_raw.fif", "--policy", tmp_path / "policy.yaml"]
    given += ["--show-annotations"] if shown else []
    done = subprocess.run(
        [sys.executable, "-m", "onnxplain", "validate", *map(str, given)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "left" in done.stderr
    assert ("zyxwen" in done.stderr.casefold()) == shown


def test_an_audit_has_no_remark(remarked: Any, tmp_path: Path) -> None:
    remarked.save(tmp_path / "a_raw.fif", verbose="error")
    with pytest.raises(InputError) as caught:
        audit_of(tmp_path / "a_raw.fif", options=WindowOptions(window=1.0))
    assert "labels are" in str(caught.value)
    assert "zyxwen" not in str(caught.value).casefold()


def test_what_is_used_is_shown(make_raw: Make) -> None:
    """Classes, events that were named, codes, words of the field, and what stands often."""
    texts = [
        "Zyxwen",
        "house",
        "S 12",
        "T1",
        "Stimulus/S  3",
        "eyes closed",
        "arousal/3.5",
        "BAD_ACQ_SKIP",
        "5",
    ]
    marks = [(1.0 + i, 0.1, t) for i, t in enumerate(texts)]
    often = [(15.0 + i, 0.1, "chord") for i in range(OFTEN)]
    rare = [(30.0 + i, 0.1, "chime") for i in range(OFTEN - 1)]
    recording = Recording.of(make_raw(seconds=45.0, marks=[*marks, *often, *rare]))

    def hidden(**more: Any) -> set[str]:
        shown = Remarks(**more).of(recording).marks
        return {a.description for a, b in zip(recording.marks, shown, strict=True) if b.description == HIDDEN}

    assert hidden() == {"Zyxwen", "house", "chime"}
    assert hidden(classes=("House",)) == {"Zyxwen", "chime"}
    assert hidden(named="chime,house") == {"Zyxwen"}
    assert hidden(named="annotations") == {"Zyxwen", "house", "chime"}
    assert hidden(every=True) == set()
    again = Remarks().of(Remarks().of(recording))
    assert again.marks == Remarks().of(recording).marks


@pytest.mark.parametrize("name", ["Li Wei", "\u674e", "O'Neil", "Al", "left: Bo", "Ng/left"])
def test_short_names_are_names(make_raw: Make, name: str) -> None:
    recording = Recording.of(make_raw(marks=[(1.0, 0.1, name)]))
    assert [m.description for m in Remarks().of(recording).marks] == [HIDDEN]
