"""Any text in any field of what users and recorders write: a result, or one plain line in under a second."""

from __future__ import annotations

import json
import math
import os
import re
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import onnxplain as ox
from onnxplain.eeg.electrodes.region_file import Regions
from onnxplain.eeg.recording.labels import read_labels
from onnxplain.eeg.recording.read import read
from onnxplain.engine.composite import Composite
from onnxplain.validation import Policy
from onnxplain.validation.check_settings import Checks

SECONDS, LONGEST = 1.0, 1500
# The same examples on every machine; `make fuzz` draws others, and more of them.
EXAMPLES = os.environ.get("FUZZ_EXAMPLES")
each = settings(
    max_examples=int(EXAMPLES or 25),
    derandomize=EXAMPLES is None,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

ODD = st.sampled_from(
    [
        *("", " ", "\t", "nan", "inf", "-1", "1e999", "9" * 400, "0x10", "1_000", "=1+1", "n/a", "yes", "~"),
        *("../../etc/passwd", "<script>", "\u202e", "\ufeff", "é", "\x00", "\x85", "{{", "%s", "&a", "*a"),
        *("1970-13-41", "2020-02-30", "C3", "EEG Fp1-REF", "µV", "x" * 3000),
    ]
)
TEXT = ODD | st.text(max_size=30)
LEAF = (
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats()
    | TEXT
    | st.dates(date(1900, 1, 1), date(2100, 1, 1))
)
VALUE = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)


def hold(act: Callable[[], object]) -> None:
    """It gives something, or an error of ours: one line, not too long, in under a second."""
    begun = time.process_time()
    try:
        act()
    except ox.OnnxplainError as e:
        said = str(e)
        assert "\n" not in said
        assert "\x00" not in said
        assert len(said) < LONGEST, len(said)
    assert time.process_time() - begun < SECONDS


def keyed(keys: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Mappings with known keys, now and then another."""
    return st.dictionaries(st.sampled_from(keys) | TEXT, VALUE, max_size=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("texts")


GOOD_CONTRACT = {
    "input": "x",
    "channels": ["C3", "Cz", "C4"],
    "sfreq": 128.0,
    "window": 128,
    "unit": "uV",
    "classes": ["left", "right"],
}
CONTRACT = [*ox.InputContract.model_fields]
POLICY = [*Policy.model_fields]
CHECKS = [*Checks.model_fields]
COMPOSITE = ["name", "about", "base", "rules", "first", "layers", "parameters"]


@each
@given(data=keyed(CONTRACT), beside=st.booleans())
def test_contracts(folder: Path, data: dict[str, Any], beside: bool) -> None:
    whole = {**GOOD_CONTRACT, **data} if beside else data
    hold(lambda: ox.InputContract.parse(whole, where="contract"))
    path = folder / "contract.yaml"
    path.write_text(yaml.safe_dump(whole, allow_unicode=True), encoding="utf-8")
    hold(lambda: ox.InputContract.from_file(path))
    text = json.dumps(whole, default=str)
    hold(lambda: ox.InputContract.from_metadata({"onnxplain.contract": text}, where="model"))


@each
@given(data=keyed(POLICY), checks=keyed(CHECKS))
def test_policies(data: dict[str, Any], checks: dict[str, Any]) -> None:
    for whole in (data, {"checks": checks}, {**data, "checks": checks}):
        text = yaml.safe_dump(whole, allow_unicode=True)
        hold(lambda text=text: Policy.from_text(text, "policy.yaml"))


@each
@given(text=st.text(max_size=300) | st.lists(TEXT, max_size=20).map("\n".join))
@pytest.mark.parametrize("read_text", ["contract", "policy", "composite", "regions"])
def test_files_of_any_text(folder: Path, read_text: str, text: str) -> None:
    readers: dict[str, Callable[[Path], object]] = {
        "contract": ox.InputContract.from_file,
        "policy": Policy.from_file,
        "composite": Composite.from_file,
        "regions": Regions.from_file,
    }
    path = folder / f"{read_text}.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    hold(lambda: readers[read_text](path))


@each
@given(data=keyed(COMPOSITE))
def test_composites(folder: Path, data: dict[str, Any]) -> None:
    path = folder / "composite.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    hold(lambda: Composite.from_file(path))


@each
@given(
    head=st.lists(
        st.sampled_from(["onset", "duration", "label", "trial_type"]) | TEXT, min_size=1, max_size=4
    ),
    rows=st.lists(st.lists(TEXT, max_size=4), max_size=5),
    separator=st.sampled_from([",", "\t", ";"]),
    kind=st.sampled_from([".csv", ".tsv"]),
)
def test_tables_of_labels(
    folder: Path, head: list[str], rows: list[list[str]], separator: str, kind: str
) -> None:
    path = folder / f"labels{kind}"
    lines = [separator.join(row) for row in (head, *rows)]
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    hold(lambda: read_labels(path))
    hold(lambda: read_labels(path, column=head[0]))


# The fields of an EDF header: name, width, and what a good file has; the second part once a signal.
FIXED = (
    ("version", 8, "0"),
    ("patient", 80, "X X X X"),
    ("recording", 80, "Startdate 01-JAN-2020 X X X"),
    ("date", 8, "01.01.20"),
    ("time", 8, "00.00.00"),
    ("size", 8, "768"),
    ("reserved", 44, ""),
    ("records", 8, "4"),
    ("seconds", 8, "1"),
    ("signals", 4, "2"),
)
SIGNAL = (
    ("label", 16, "EEG C3"),
    ("transducer", 80, ""),
    ("unit", 8, "uV"),
    ("physical minimum", 8, "-200"),
    ("physical maximum", 8, "200"),
    ("digital minimum", 8, "-32768"),
    ("digital maximum", 8, "32767"),
    ("prefilter", 80, ""),
    ("samples", 8, "50"),
    ("signal reserved", 32, ""),
)


def edf(path: Path, changed: dict[str, str]) -> Path:
    """An EDF of two signals with some fields of its header changed."""

    def field(name: str, width: int, good: str) -> bytes:
        return changed.get(name, good).encode("utf-8", "surrogatepass")[:width].ljust(width)

    head = b"".join(field(*f) for f in FIXED)
    for name, width, good in SIGNAL:
        both = (good, "EEG C4") if name == "label" else (good, good)
        head += field(name, width, both[0]) + both[1].encode().ljust(width)
    samples = np.random.default_rng(0).integers(-3000, 3000, 2 * 50 * 4).astype("<i2")
    path.write_bytes(head + samples.tobytes())
    return path


NUMBER = st.integers(-3, 70000).map(str) | st.floats().map(lambda v: f"{v:g}") | TEXT


def test_the_edf_that_is_changed_is_good(folder: Path) -> None:
    assert read(edf(folder / "good.edf", {})).data.ch_names == ["EEG C3", "EEG C4"]


@each
@given(
    changed=st.dictionaries(
        st.sampled_from([f[0] for f in (*FIXED, *SIGNAL)]), NUMBER, min_size=1, max_size=3
    )
)
def test_edf_headers(folder: Path, changed: dict[str, str]) -> None:
    path = edf(folder / "rec.edf", changed)
    hold(lambda: read(path))
    hold(lambda: read_labels(path))


VHDR = {
    "Codepage": "UTF-8",
    "DataFile": "b.eeg",
    "MarkerFile": "b.vmrk",
    "DataFormat": "BINARY",
    "DataOrientation": "MULTIPLEXED",
    "NumberOfChannels": "2",
    "SamplingInterval": "10000",
    "BinaryFormat": "IEEE_FLOAT_32",
    "Ch1": "Fp1,,1,µV",
    "Ch2": "Fp2,,1,µV",
}
SECTIONS = {"Codepage": "Common Infos", "BinaryFormat": "Binary Infos", "Ch1": "Channel Infos"}


def brainvision(folder: Path, changed: dict[str, str], marks: list[str]) -> Path:
    """A BrainVision recording with some fields of its header changed, and other markers."""
    lines = ["Brain Vision Data Exchange Header File Version 1.0"]
    for key, good in VHDR.items():
        lines += [f"[{SECTIONS[key]}]"] if key in SECTIONS else []
        lines.append(f"{key}={changed.get(key, good)}")
    path = folder / "b.vhdr"
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    first = ["Brain Vision Data Exchange Marker File, Version 1.0", "[Common Infos]", "Codepage=UTF-8"]
    whole = [*first, "DataFile=b.eeg", "[Marker Infos]", *(f"Mk{i}={m}" for i, m in enumerate(marks, 1))]
    (folder / "b.vmrk").write_bytes("\n".join(whole).encode("utf-8", "surrogatepass"))
    np.random.default_rng(0).normal(size=(200, 2)).astype("<f4").tofile(folder / "b.eeg")
    return path


MARK = st.lists(TEXT, max_size=6).map(",".join) | st.builds(
    "{},{},{},{},0".format, st.sampled_from(["Stimulus", "New Segment", "Response"]), TEXT, NUMBER, NUMBER
)


def test_the_brainvision_that_is_changed_is_good(folder: Path) -> None:
    assert read(brainvision(folder, {}, ["Stimulus,S  1,100,1,0"])).data.ch_names == ["Fp1", "Fp2"]


@each
@given(
    changed=st.dictionaries(st.sampled_from([*VHDR]), NUMBER, max_size=3), marks=st.lists(MARK, max_size=4)
)
def test_brainvision_headers(folder: Path, changed: dict[str, str], marks: list[str]) -> None:
    path = brainvision(folder, changed, marks)
    hold(lambda: read(path))
    hold(lambda: read_labels(path.with_suffix(".vmrk")))


def test_what_is_held_can_fail() -> None:
    def long() -> None:
        raise ox.InputError("x" * 2 * LONGEST)

    for act in (lambda: 1 / 0, long, lambda: re.sub(math.pi, "", "")):  # type: ignore[call-overload]
        with pytest.raises((AssertionError, ZeroDivisionError, TypeError)):
            hold(act)
