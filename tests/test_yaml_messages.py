"""A file that is no YAML: the message says why and where, and nothing of what stands in it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import onnxplain as ox
from onnxplain.eeg.electrodes.region_file import Regions
from onnxplain.engine.composite import Composite
from onnxplain.engine.contract import METADATA_KEY
from onnxplain.engine.errors import OnnxplainError
from onnxplain.engine.storage.documents import VALUES, parse_json, parse_yaml
from onnxplain.engine.storage.text import LARGEST
from onnxplain.validation import Policy

READERS: dict[str, Callable[[Path], Any]] = {
    "contract": ox.InputContract.from_file,
    "policy": Policy.from_file,
    "composite": Composite.from_file,
    "regions": Regions.from_file,
}
UNREADABLE = "a number or a date that cannot be read, line 1, column"
TEXTS = {
    "name: Doe: Jane 1970": "line 1, column 10",
    "a: [Doe, Jane": "line 1, column",
    'Doe: "Jane': "line 1, column",
    "a: Jane\n\tDoe: 1": "line 2, column 1",
    "born: 1970-13-41": UNREADABLE,
    "born: 1970-02-30T25:00:00": UNREADABLE,
    "a: " + "[" * 5000 + "Doe" + "]" * 5000: "nested too deeply",
    "{Doe: " * 150_000: "nested too deeply",
    "- " * 100_000 + "Jane": "nested too deeply",
    "age: 1970" + "0" * 6000: UNREADABLE,
    "age: -0x" + "1970" * 2000: UNREADABLE,
    "age: " + ":".join(["19"] * 30_000): UNREADABLE,
    "age: 1" + "0" * 4000 + ".0": UNREADABLE,
    "Doe: !!python/name:Jane.Doe": "a tag",
    "Doe: !!binary SmFuZQ==": "a tag",
    "Doe: !!map [Jane]": "a tag that does not fit",
    "name: Doe\n---\nname: Jane": "several documents in one file, line 2",
    "name: Doe\0Jane": "control characters",
    "name: *Jane": "undefined alias, line 1, column 7",
    "Doe: &x {Jane: *x}": "holds itself, line 1, column 16",
    "? {Jane: Doe}\n: 1970": "a key that is no text, line 1",
    "<<: Jane": "merging",
}


@pytest.mark.row("O6")
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("text", TEXTS, ids=lambda t: t[:12])
def test_it_says_where_and_not_what(reader: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(text, encoding="utf-8")
    started = time.process_time()
    with pytest.raises(OnnxplainError) as caught:
        READERS[reader](path)
    assert time.process_time() - started < 1
    said = str(caught.value)
    assert TEXTS[text] in said
    assert "file.yaml" in said
    assert "\n" not in said
    assert len(said.replace(str(tmp_path), "")) < 200
    assert not any(word in said for word in ("Doe", "Jane", "1970"))


def grown(times: int, line: str) -> str:
    """Each line holds the one before it so many times."""
    lines = ["n0: &n0 {Doe: Jane}"]
    for i in range(12):
        lines.append(line.format(name=f"n{i + 1}", all=", ".join([f"*n{i}"] * times)))
    return "\n".join(lines)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "text",
    [
        grown(9, "{name}: &{name} [{all}]"),
        grown(4, "{name}: &{name} {{<<: [{all}]}}"),
        grown(7, "{name}: &{name}\n  - [{all}]"),
        "a: [" + "1970, " * 2 * VALUES + "1]",
    ],
    ids=["lists", "merged", "blocks", "flat"],
)
def test_what_would_grow_is_refused_before_it_does(reader: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(text, encoding="utf-8")
    started = time.process_time()
    with pytest.raises(OnnxplainError, match=f"more than {VALUES:,} values"):
        READERS[reader](path)
    assert time.process_time() - started < 1


@pytest.mark.row("O6")
@pytest.mark.parametrize("reader", READERS)
def test_bytes_that_are_no_text(reader: str, tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    for data in (b"name: \xff\xfe Doe", "name: Doe".encode("utf-16"), b"name: \xc3( Doe"):
        path.write_bytes(data)
        with pytest.raises(OnnxplainError, match="not UTF-8 text") as caught:
            READERS[reader](path)
        assert "Doe" not in str(caught.value)


@pytest.mark.parametrize("reader", READERS)
def test_what_is_too_large_or_no_file_is_not_read(reader: str, tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    with path.open("wb") as file:
        file.truncate(100 * LARGEST)
    with pytest.raises(OnnxplainError, match=r"file\.yaml: too large for a .*100 MB; at most 1 MB"):
        READERS[reader](path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OnnxplainError, match="a pipe or a device"):
        READERS[reader](path)
    with pytest.raises(OnnxplainError, match="a folder"):
        READERS[reader](tmp_path)


@pytest.mark.parametrize("reader", READERS)
def test_ten_thousand_unknown_keys_are_one_line(reader: str, tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text("".join(f"key{i}{'x' * 40}: 1\n" for i in range(10_000)), encoding="utf-8")
    with pytest.raises(OnnxplainError, match="there is no") as caught:
        READERS[reader](path)
    assert len(str(caught.value).replace(str(tmp_path), "")) < 500


CONTRACT = "input: x\nchannels: [C3, Cz]\nsfreq: 100\nwindow: 50\n"


@pytest.mark.parametrize(
    ("reader", "text", "said"),
    [
        ("contract", CONTRACT + "scalng: {}", "scalng: there is no such key; did you mean scal"),
        ("contract", CONTRACT + "scaling: {by: zscore, ovr: window}", "scaling.ovr.*did you mean over?"),
        ("contract", CONTRACT + "inputs: {z: {positons: m}}", "inputs.z.positons.*did you mean positions?"),
        ("contract", CONTRACT + "unit: UV", "unit: must be 'V', 'mV' or 'uV', not 'UV'; did you mean uV?"),
        ("contract", CONTRACT + "notch: [50]", "notch: must be a number, not a list"),
        ("contract", CONTRACT + "unknown: [chanels]",
         "chanels is no key of a contract; did you mean channels"),
        ("contract", CONTRACT.replace("50", "half"), "window: must be a whole number, not 'half'"),
        ("contract", "chanels: [C3]",
         "chanels: there is no such key; did you mean channels.*; input: is missing"),
        ("policy", "version: 1\nwindow: 12", "window: there is no such key; did you mean windows?"),
        ("policy", "version: 1\nchecks: {legder: {}}", "checks.legder: .*did you mean ledger?"),
        ("policy", "version: 1\nwindows: 10.5", "windows: must be a whole number, not 10.5"),
        ("policy", "version: 1\nwindows: 5", "windows: must be at least 10, not 5"),
        ("policy", "version: 1\nevents: {a: 1}", "events: must be text, not keys and values"),
        ("policy", "version: 1\nchecks: {share: {max_share: {ocular: .1, fronto: .2}}}",
         "'ocular'; did you mean"),
        ("policy", "version: 1\nwaivers: [{check: leger, reason: x, until: 2027-01-01}]",
         "did you mean ledger?"),
        ("policy", "version: 1\nwaivers: [{check: share, reason: x, until: soon}]",
         "until: must be a date such"),
        ("policy", "version: 1\nexpects: {task: p30}", "did you mean p300?"),
        ("policy", "version: 1\nexpects: {bands: [bta]}", "did you mean beta?"),
        ("composite", "bse: cplrp", "no key 'bse' in a composite; did you mean base?"),
        ("composite", "base: cplpr", "no preset 'cplpr'; did you mean cplrp?"),
        ("composite", "base: other.yaml", "no preset 'other.yaml'"),
        ("composite", "rules: {softmx: constant}", "for 'softmx' layers; did you mean softmax?"),
        ("composite", "rules: {conv: gama}", "no rule 'gama' for 'conv' layers; did you mean gamma?"),
        ("composite", "rules: {conv: [gamma]}", "'conv': must be the name of a rule, not a list"),
        ("composite", "rules: [gamma]", "rules is a list"),
        ("composite", "parameters: {epslon: 1}", "no parameter 'epslon'; did you mean epsilon?"),
        ("composite", "layers: [{rule: gamma, name: 're:(('}]", "is no regular expression"),
        ("composite", f"layers: [{{rule: gamma, name: 're:{'(' * 5000}'}}]", "is no regular expression"),
        ("regions", "set: {hand: [C3]}", "set: there is no such key; did you mean sets?"),
        ("regions", "sets: {hand: [C3, {}]}", "sets.hand.1: must be text, not keys and values"),
        ("regions", "sets: {hand: []}", "sets.hand: must be a list of at least 1, not an empty list"),
    ],
)  # fmt: skip
def test_what_was_meant(reader: str, text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(OnnxplainError, match=said.replace("?", r"\?")) as caught:
        READERS[reader](path)
    message = str(caught.value)
    assert len(message.replace(str(tmp_path), "")) < 500
    assert "\n" not in message
    foreign = ("Input should", "Field required", "Extra inputs", "pydantic", "valid dict", "Value error")
    assert not any(words in message for words in foreign)


def test_a_misspelt_preset_is_named() -> None:
    with pytest.raises(OnnxplainError, match=r"unknown composite 'atnlrp'; did you mean attnlrp"):
        ox.Explainer("never-read.onnx", composite="atnlrp")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 200_000, "nested too deeply"),
        ('{"a": ' * 120_000 + "1", "nested too deeply"),
        ('{"Doe": 1970, "input": "x", "input": "y"}', "the key 'input' stands twice"),
        ("1970" * 1500, "a whole number of more than 18 digits"),
        ('{"sfreq": -' + "1970" * 8 + "}", "a whole number of more than 18 digits"),
        ("{'Doe': 1970}", "not JSON: .*, line 1, column 2"),
        (r'{"licence": "\ud83d Doe"}', "half of a character"),
        ('"Doe', "not JSON"),
        ("", "not JSON"),
        (" " * 20_000_000, "too large for a contract"),
    ],
    ids=lambda t: t[:12],
)
def test_contracts_in_metadata(text: str, said: str) -> None:
    with pytest.raises(OnnxplainError, match=f"net.onnx: .*{said}") as caught:
        ox.InputContract.from_metadata({METADATA_KEY: text}, where="net.onnx")
    assert len(str(caught.value)) < 200
    assert not any(word in str(caught.value) for word in ("Doe", "1970"))


def test_what_is_right_is_read() -> None:
    text = "a: &a {x: 1, y: [0x10, 1e3, 1.5, yes, ~, 2027-06-30]}\nb: {<<: *a, x: 2}\nc: !!str 5\n"
    found = parse_yaml(text, "YAML", where="f")
    assert found["b"] == {"x": 2, "y": found["a"]["y"]}
    assert found["a"]["y"][:4] == [16, "1e3", 1.5, True]
    assert found["a"]["y"][4] is None
    assert str(found["a"]["y"][5]) == "2027-06-30"
    assert found["c"] == "5"
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    assert parse_yaml(json.dumps(deep), "YAML", where="f") == deep
    assert parse_json(json.dumps({"a": deep, "b": "[[["}), "JSON", where="f")["a"] == deep
