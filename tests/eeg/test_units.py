"""Units: what the header spells, what the reader applied, what the user says, and what no EEG can have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mne
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from onnxplain.eeg.recording.options import WindowOptions
from onnxplain.eeg.recording.read import Recording, read
from onnxplain.eeg.recording.units import applied, given, of_table, understood
from onnxplain.eeg.recording.windows import Windows, cut
from onnxplain.eeg.run import explain_recording
from onnxplain.engine.errors import InputError

Make = Callable[..., Any]


@pytest.fixture
def edf(recorded: Make) -> Callable[[bytes], Path]:
    """An EDF of 12 channels whose header has another spelling of its unit."""

    def write(spelling: bytes) -> Path:
        path = Path(recorded("units.edf"))
        whole = bytearray(path.read_bytes())
        signals = int(whole[252:256])
        for channel in range(12):
            at = 256 + signals * 96 + channel * 8
            assert whole[at : at + 2] == b"uV"
            whole[at : at + 8] = spelling.ljust(8)
        path.write_bytes(whole)
        return path

    return write


def cuts(path: Path, contract: Any, **options: Any) -> Windows:
    return cut(read(path), contract, **options)


@pytest.mark.row("E4")
@pytest.mark.parametrize("spelling", [b"UV", b"uv", b"microV", b"\xb5V", b"\xce\xbcV", b"uVolts"])
def test_microvolt_in_any_spelling(
    edf: Callable[[bytes], Path], make_contract: Make, spelling: bytes
) -> None:
    want = cuts(edf(b"uV"), make_contract()).signal
    path = edf(spelling)
    for unit in (None, "uV", "UV", "µV"):
        np.testing.assert_allclose(cuts(path, make_contract(), unit=unit).signal, want, rtol=1e-5)


@pytest.mark.row("E4")
def test_a_unit_that_the_reader_does_not_know(edf: Callable[[bytes], Path], make_contract: Make) -> None:
    """Nanovolt: a thousandth, which here no EEG has; the user may say otherwise."""
    path = edf(b"nV")
    with pytest.raises(InputError, match=r"amplitude of 0\.0.* uV is no EEG .*unit in the header: nV"):
        cuts(path, make_contract())
    found = cuts(path, make_contract(), unit="uv")
    assert 5 < found.signal.std() < 50


@pytest.mark.parametrize("mu", ["\u03bcV", "\u00b5V", "UV"])
def test_brainvision(make_contract: Make, tmp_path: Path, mu: str) -> None:
    x = np.random.default_rng(0).normal(size=(2, 2000)) * 20
    (x.T / 0.1).round().astype("<i2").tofile(tmp_path / "a.eeg")
    rows = "\n".join(f"Ch{i + 1}={n},,0.1,{mu}" for i, n in enumerate(("C3", "C4")))
    (tmp_path / "a.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        "DataFile=a.eeg\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=2\n"
        f"SamplingInterval=10000\n\n[Binary Infos]\nBinaryFormat=INT_16\n\n[Channel Infos]\n{rows}\n",
        encoding="utf-8",
    )
    for unit in (None, "uV"):
        found = cuts(tmp_path / "a.vhdr", make_contract(["C3", "C4"], patch=None), unit=unit)
        assert found.signal.std() == pytest.approx(20, rel=0.05)


@pytest.mark.parametrize(
    ("kind", "range_", "cal", "extras", "factor"),
    [
        ("RawCNT", 1.0, 1.0, {}, 1e-6),
        ("RawPersyst", 1.0, 1.0, {}, 1e-6),
        ("RawNicolet", 1.0, 1.0, {}, 1e-6),
        ("RawMff", 1.0, 1.0, {}, 1e-6),
        ("RawEGI", 1.0, 1e-6, {}, 1e-6),
        ("RawEGI", 1.0, 0.1, {}, 1.0),
        ("RawNihon", 1.0, 1.0, {"gains": [[1e-3]]}, 1e-3),
        ("RawBrainVision", 1e-9, 0.1, {}, 1e-9),
        ("RawEDF", 1.0, 1.0, {"units": np.array([1e-3])}, 1e-3),
        ("RawFIF", 1.0, 1e-6, {}, 1.0),
    ],
)
def test_what_readers_apply(
    kind: str, range_: float, cal: float, extras: dict[str, Any], factor: float
) -> None:
    made = type(kind, (SimpleNamespace,), {})
    chs = [{"ch_name": "C3", "range": range_, "cal": cal}]
    data = made(ch_names=["C3"], info={"chs": chs}, _raw_extras=[extras], _orig_units={})
    assert applied(data).get("C3", 1.0) == factor
    recording = Recording("a", data, applied=applied(data))
    assert recording.factor("C3", "uV") == pytest.approx(1e-6 / factor)


def test_spellings() -> None:
    assert [understood(t) for t in ("MV", " volt ", "\x83\xcaV", "degC", "")] == ["mV", "V", "uV", None, None]
    assert [given(t) for t in ("uv", "MV", "nV", "T")] == ["uV", "mV", None, None]


@pytest.mark.row("E4")
@pytest.mark.parametrize("unit", ["mV", "V"])
def test_a_unit_that_is_given_is_checked(
    edf: Callable[[bytes], Path], make_contract: Make, unit: str
) -> None:
    path = edf(b"uV")
    with pytest.raises(InputError, match=r"is no EEG .*--force-unit"):
        cuts(path, make_contract(), unit=unit)
    found = WindowOptions(unit=unit, force_unit=True).cut(read(path), make_contract())
    assert found.signal.std() > 1000
    assert any("that no EEG has, and taken all the same" in s for s in found.decisions)


@pytest.mark.row("E4")
def test_units_of_a_channels_table(edf: Callable[[bytes], Path], make_contract: Make, tmp_path: Path) -> None:
    """They count where the header has none that is understood."""
    path = edf(b"")
    want = cuts(edf(b"uV"), make_contract())
    named = tmp_path / "sub-01_task-rest_eeg.edf"
    edf(b"").rename(named)
    assert not path.exists()
    names = want.channels.names
    table = tmp_path / "sub-01_task-rest_channels.tsv"
    table.write_text("name\ttype\tunits\n" + "".join(f"{n}\tEEG\tuV\n" for n in names), encoding="utf-8")
    assert of_table(named, names) == dict.fromkeys(names, "uV")
    np.testing.assert_allclose(cuts(named, make_contract()).signal, want.signal, rtol=1e-5)
    table.write_text("name\ttype\tunits\n" + "".join(f"{n}\tEEG\tmV\n" for n in names), encoding="utf-8")
    with pytest.raises(InputError, match="unit in the header: mV"):
        cuts(named, make_contract())


def test_volt_for_a_network_is_noted(edf: Callable[[bytes], Path], make_contract: Make) -> None:
    path = edf(b"uV")
    assert any("gets volt" in s for s in cuts(path, make_contract(unit="V")).decisions)
    assert not any("gets volt" in s for s in cuts(path, make_contract(unit="V", scale=1e6)).decisions)


def test_an_output_that_never_changes_is_noted(
    edf: Callable[[bytes], Path], make_contract: Make, tmp_path: Path
) -> None:
    """A network in which numbers of that size are lost beside its bias."""
    contract = make_contract(patch=None, unit="V", scale=1.0)
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("Gemm", ["f", "w", "b"], ["y"]),
    ]
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.normal(size=(12 * 200, 2)).astype(np.float32) * 1e-4,
        "b": np.array([1, 2], np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "deaf",
        [helper.make_tensor_value_info("x", 1, ["N", 12, 200])],
        [helper.make_tensor_value_info("y", 1, ["N", 2])],
        [numpy_helper.from_array(w, n) for n, w in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "deaf.onnx")
    found = explain_recording(tmp_path / "deaf.onnx", edf(b"uV"), contract=contract, against="none")
    assert any("says the same of all" in n for n in found.summary()["notes"])
    live = contract.model_copy(update={"unit": "uV"})
    found = explain_recording(tmp_path / "deaf.onnx", edf(b"uV"), contract=live, against="none")
    assert not any("says the same of all" in n for n in found.summary()["notes"])


def test_in_memory_is_volt(make_raw: Make, make_contract: Make) -> None:
    raw = make_raw()
    assert isinstance(raw, mne.io.BaseRaw)
    assert Recording.of(raw).mistaken() == {}
    assert cut(Recording.of(raw), make_contract()).signal.std() < 50
