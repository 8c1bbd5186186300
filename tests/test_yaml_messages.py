"""A file that is no YAML: the message says why and where, and nothing of what stands in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import onnxplain as ox
from onnxplain.eeg.electrodes.region_file import Regions
from onnxplain.engine.composite import Composite
from onnxplain.engine.errors import OnnxplainError
from onnxplain.validation import Policy

READERS: dict[str, Callable[[Path], Any]] = {
    "contract": ox.InputContract.from_file,
    "policy": Policy.from_file,
    "composite": Composite.from_file,
    "regions": Regions.from_file,
}
TEXTS = {
    "name: Doe: Jane 1970": "line 1, column 10",
    "a: [Doe, Jane": "line 1, column",
    'Doe: "Jane': "line 1, column",
    "a: Jane\n\tDoe: 1": "line 2, column 1",
    "born: 1970-13-41": "a number or a date that cannot be read",
    "a: " + "[" * 5000 + "Doe" + "]" * 5000: "nested too deeply",
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("text", TEXTS, ids=lambda t: t[:12])
def test_it_says_where_and_not_what(reader: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(OnnxplainError) as caught:
        READERS[reader](path)
    said = str(caught.value)
    assert TEXTS[text] in said
    assert "file.yaml" in said
    assert "\n" not in said
    assert len(said.replace(str(tmp_path), "")) < 200
    assert not any(word in said for word in ("Doe", "Jane", "1970"))


@pytest.mark.parametrize("reader", READERS)
def test_bytes_that_are_no_text(reader: str, tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(b"name: \xff\xfe Doe")
    with pytest.raises(OnnxplainError, match="not UTF-8 text") as caught:
        READERS[reader](path)
    assert "Doe" not in str(caught.value)
