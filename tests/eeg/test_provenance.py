"""Hashes, and values as JSON knows them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from onnxplain.eeg.explanation.provenance import jsonable, sha256, sha256_of_all, write_json


def test_what_json_has_no_form_for() -> None:
    value = {
        1: np.float32(0.5), "none": float("nan"), "inf": np.array([np.inf, 1.0]), "flag": np.bool_(True),
        "n": np.int64(3), "set": {2}, "path": Path("a") / "b", "deep": [{"x": -float("inf")}],
    }  # fmt: skip
    assert jsonable(value) == {
        "1": 0.5, "none": None, "inf": [None, 1.0], "flag": True, "n": 3, "set": [2],
        "path": str(Path("a") / "b"), "deep": [{"x": None}],
    }  # fmt: skip
    json.dumps(jsonable(value), allow_nan=False)


def test_names_come_back_as_they_were(tmp_path: Path) -> None:
    value = {"name": "Zoë µV \udcff", "empty": None}  # half of a pair: a file name that is no UTF-8
    text = write_json(value, tmp_path / "x.json").read_text(encoding="utf-8")
    assert "Zoë µV" in text
    assert json.loads(text) == value


def test_hashes(tmp_path: Path) -> None:
    folder = tmp_path / "rec.ds"
    folder.mkdir()
    (folder / "a").write_bytes(b"1")
    (folder / "b").write_bytes(b"2")
    assert sha256(folder / "a") == sha256_of_all(folder / "a") == hashlib.sha256(b"1").hexdigest()
    assert sha256(folder) is None
    whole = sha256_of_all(folder)
    (folder / "b").rename(folder / "c")
    assert sha256_of_all(folder) != whole  # names count
    (folder / "c").rename(folder / "b")
    assert sha256_of_all(folder) == whole
