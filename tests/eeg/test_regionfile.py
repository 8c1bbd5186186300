"""Regions and sets of one's own: read strictly, used in every share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.eeg.electrodes.region_file import Regions
from onnxplain.eeg.electrodes.regions import SETS
from onnxplain.eeg.run import explain_recording
from onnxplain.engine.errors import InputError

Make = Callable[..., Any]
NAMES = ("Fp1", "Fp2", "C3", "C4")
TEXT = """
sets:
  jaw: [T7, T8]
  sensorimotor: [C3, C4]
partition:
  front: [Fp1, Fp2, F7, F8]
  middle: [C3, Cz, C4, T3]
"""


def _file(folder: Path, text: str) -> Path:
    path = folder / "regions.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_sets_and_partition_are_used(
    make_contract: Make, make_model: Make, recorded: Make, tmp_path: Path
) -> None:
    regions = Regions.from_file(_file(tmp_path, TEXT))
    found = explain_recording(make_model(make_contract()), recorded(), regions=regions).summary()
    sets = {s["name"]: s["electrodes"] for s in found["shares"]}
    assert sets["jaw"] == ("T7", "T8")
    assert sets["sensorimotor"] == ("C3", "C4")
    assert set(SETS) <= set(sets)
    parts = {r["name"]: r for r in found["regions"]}
    assert list(parts) == ["front", "middle", "other"]
    assert parts["middle"]["electrodes"] == ("C3", "Cz", "C4", "T7")  # T3 is T7's older name
    assert parts["other"]["electrodes"] == ("T8", "Pz", "O1", "O2")
    assert sum(p["share"] for p in parts.values()) == pytest.approx(1)
    assert found["options"]["sets"].keys() == {"jaw", "sensorimotor"}
    assert found["options"]["partition"]["front"] == ["Fp1", "Fp2", "F7", "F8"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sets: [a", "not a YAML file"),
        ("regions: {a: [Cz]}", "regions"),
        ("sets: {a: []}", "sets.a"),
        ("sets: {a: Cz}", "sets.a"),
        ("sets: {a: [1]}", "sets.a.0"),
        ('sets: {"": [Cz]}', "sets"),
        ('sets: {a: [""]}', "sets.a.0"),
        ("- Cz", "file"),
        ("partition: {a: [Cz, C3], b: [c3]}", "C3 is in a and in b"),
        ("partition: {a: [T3], b: [T7]}", "T7 is in a and in b"),
        ("partition: {other: [Cz]}", "'other' is what lies in no region"),
        ("sets: &a {x: *a}", "not a YAML file|file of regions"),
    ],
)
def test_a_broken_file_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        Regions.from_file(_file(tmp_path, text))
    assert str(caught.value).startswith("regions.yaml: ")
    assert "\n" not in str(caught.value)


def test_a_misspelt_electrode_is_refused(tmp_path: Path) -> None:
    regions = Regions.from_file(_file(tmp_path, "sets: {hand: [C33]}"))
    with pytest.raises(InputError, match="no electrode of hand"):
        regions.check(Electrodes(NAMES), "net.onnx")
