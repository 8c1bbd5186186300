"""What the browser page makes of names, contracts and recordings: the same as onnxplain itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest
from web import HERE, ROOT, node

sys.path.insert(0, str(HERE.parent / "support"))

from edf_files import DIGITAL, write

import onnxplain as ox
from onnxplain.eeg.electrodes.matching import match
from onnxplain.eeg.electrodes.names import parse
from onnxplain.eeg.electrodes.positions import series
from onnxplain.eeg.recording.scaling import scaled
from onnxplain.eeg.recording.windows import to_model_layout
from onnxplain.engine.errors import InputError

NAMES = [
    "Fp1", "FP1", "fp2", "EEG Fp1", "EEG T3-LE", "FP1.", "Fp1-F7", "T7-P7", "C3-A2", "C3M2", "C3-M2", "M1-M2",
    "Cz-REF", "cz - avg", "EEG C4-(A1+A2)/2", "A1", "C3-A1A2", "Fpz", "AFp1", "FC5h", "POO1", "T10", "E1",
    "A32", "EOG", "EOG-M1", "EOG left", "EKG1", "POL C3", "Fp1-0", "Cz-1", "C3_A2", "C3/A2", "", "  O2 ",
    "'Pz'", "Iz", "LOC-A2", "STI 014", "C3-ORG", "P3\u2013AVG", "NZ", "C11", "TP9", "Fp1-G2",
]  # fmt: skip
MATCHED = [
    (["C3", "Cz"], ["EEG C3-REF", "EEG Cz-REF"]),
    (["T7", "P8"], ["T3", "T6"]),
    (["C3"], ["C3-A2", "C3-REF"]),
    (["C3"], ["C3-A2", "C3-M1"]),
    (["C3"], ["C3-P3", "Cz"]),
    (["C3-M2"], ["C3", "M2"]),
    (["C3-A2"], ["EEG C3-A2", "C3"]),
    (["Fp1-F7", "F7-T7"], ["FP1-F7", "F7-T3"]),
    (["C3", "C4"], [f"C{i}" for i in range(1, 33)]),
    (["C3", "C4", "Fz"], [*(f"C{i}" for i in range(1, 33)), "Fz-REF"]),
    (["A1", "Cz"], [*(f"A{i}" for i in range(1, 33)), "Cz-REF"]),
    (["cz", "Cz-AVG"], ["Cz", "Cz-AVG"]),
]
BASE = {"input": "x", "channels": ["C3", "Cz", "C4"], "sfreq": 100, "window": 120}
LAYOUTS = [
    {},
    {"axes": ["batch", "one", "channel", "time"]},
    {"axes": ["batch", "time", "channel"]},
    {"axes": ["batch", "channel", "patch", "sample"], "patch": 40},
    {"axes": ["batch", "patch", "one", "channel", "sample"], "patch": 30},
    {"axes": ["batch", "time"], "channels": ["Cz"]},
]
ASKS = [
    ({"highpass": 0.5, "lowpass": 45.0, "notch": 50.0, "reference": "average"},
     ("0.5 to 45 Hz", "no mains at 50 Hz", "a reference to average", "does not filter")),
    ({"reference": ["M1", "M2"]}, ("a reference to M1, M2",)),
]  # fmt: skip
SCALED: dict[str, dict[str, Any]] = {
    "zscore": {"by": "zscore", "clip": 2},
    "zscore of the window": {"by": "zscore", "over": "window"},
    "percentile": {"by": "percentile"},
    "percentile of the window": {"by": "percentile", "percentile": 61.3, "over": "window", "clip": 1},
}
RATE, SECONDS = 100, 20


def stored(seed: int, low: int, high: int) -> np.ndarray:
    """Something as large as EEG is, in stored numbers of a file that goes up to 1000 microvolt."""
    x = 30 * np.random.default_rng(seed).standard_normal(RATE * SECONDS)
    return np.rint((x + 1000) / 2000 * (high - low) + low).astype(np.int32)


def tals(texts: dict[int, bytes] | None = None, late: float = 0.0, jump: float = 0.0) -> list[bytes]:
    """What an annotation channel says: when each record begins, and texts by record."""
    out = []
    for r in range(SECONDS):
        begin = b"+%g\x14\x14\0" % (r + late + (jump if r > 9 else 0.0))
        out.append(begin + (texts or {}).get(r, b""))
    return out


def recordings(folder: Path) -> dict[str, dict[str, Any]]:
    """Files, and what is asked of each."""
    made = {}
    for kind in (".edf", ".bdf"):
        eeg = {n: stored(i, *DIGITAL[kind]) for i, n in enumerate(("EOG", "EEG C3-REF", "Cz", "C4"))}
        flat = {**eeg, "C4": np.zeros(RATE * SECONDS, np.int32)}
        short = {**eeg, "C4": np.where(np.arange(RATE * SECONDS) < 150, 7, eeg["C4"])}
        texts = {
            2: b"+2.25\x151.5\x14right/\xc3\x84hre\x14\0", 4: b"+4\x14left\x14other\x14\0",
            12: b"+12\x150.2\x14BAD muscle\x14\0", 19: b"+19.5\x14left\x14\0",
        }  # fmt: skip
        said, far = {r: t for r, t in texts.items() if r != 19}, {19: texts[19]}
        all_of_it = {
            "plain": {"channels": eeg}, "annotated": {"channels": eeg, "told": tals(texts)},
            "latin": {"channels": eeg, "told": tals({4: b"+4\x14\xc4hre\x14\0"})},
            "late": {"channels": eeg, "told": tals({4: b"+4.75\x14left\x14\0"}, late=0.25)},
            "whole": {"channels": eeg, "told": tals(said, jump=0.0), "kind": "+D"},
            "gaps": {"channels": eeg, "told": tals(far, jump=3.0), "kind": "+D"},
            "millivolt": {"channels": eeg, "unit": "mV", "limit": 1.0},
            "greek": {"channels": eeg},
            "wrong unit": {"channels": eeg, "unit": "V"}, "no unit": {"channels": eeg, "unit": ""},
            "flat": {"channels": flat}, "flat for a while": {"channels": short},
            "slow EOG": {"channels": {**eeg, "EOG": eeg["EOG"][::2]}, "rates": {"EOG": RATE // 2}},
            "slow C4": {"channels": {**eeg, "C4": eeg["C4"][::2]}, "rates": {"C4": RATE // 2}},
            "no scale": {"channels": eeg, "limit": 0.0},
        }  # fmt: skip
        for name, how in all_of_it.items():
            order = {"unit": "uV", **how}
            file = write(folder / f"{name}{kind}", rate=RATE, **order)
            if name == "greek":  # as one byte
                file.write_bytes(file.read_bytes().replace(b"uV      ", b"\xb5V      "))
            at = "classes" if name in ("annotated", "late") else "one after another"
            made[f"{name}{kind}"] = {"file": str(file), "at": at}
        made[f"in the flat part{kind}"] = {**made[f"flat for a while{kind}"], "first": 20}
        made[f"in the bad part{kind}"] = {**made[f"annotated{kind}"], "first": 1150}
    for name, scaling in SCALED.items():
        own = {**BASE, "unit": "mV", "scaling": scaling}
        made[name] = {"file": str(folder / "plain.edf"), "at": "one after another", "contract": own}
    whole = (folder / "plain.edf").read_bytes()
    for name, data in {
        "short": whole[:-10], "header": whole[:300], "empty": b"", "picture": b"\x89PNG" + bytes(500),
        "patient": whole[:236] + b"J. Doe  " + whole[244:],
    }.items():  # fmt: skip
        (folder / f"{name}.edf").write_bytes(data)
        made[f"{name}.edf"] = {"file": str(folder / f"{name}.edf"), "at": "one after another"}
    contract = {**BASE, "classes": ["left", "right"], "scale": 0.5, "unit": "mV"}
    about = {"contract": contract, "shape": [3, 120], "first": 130}
    return {name: {**about, **one} for name, one in made.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reading")


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Any]:
    """What the page's files make of everything here."""
    asked = recordings(folder)
    whole = [{"contract": {**BASE, **more}} for more in LAYOUTS]
    for one in whole:
        one["shape"] = list(ox.InputContract.model_validate(one["contract"]).shape)
    more = [
        *({"contract": {**BASE, **asks}, "shape": [3, 120]} for asks, _ in ASKS),
        {"contract": {**BASE, "scaling": {"by": "zscore", "over": "recording"}}, "shape": [3, 120]},
        {"contract": BASE, "shape": [3, 100]},
        {"contract": {}, "shape": [3, 120]},
    ]
    job = {"names": NAMES, "matched": MATCHED, "layouts": [*whole, *more], "recordings": list(asked.values())}
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    (folder / "page").mkdir()
    page = ROOT / "docs" / "browser"
    # As modules, whatever the name of the file says to Node.
    (folder / "page" / "package.json").write_text('{"type": "module"}')
    for file in page.glob("*.js"):
        (folder / "page" / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    done = node(HERE / "reading.mjs", folder / "page", folder / "job.json", folder / "out.json", cwd=folder)
    assert done.returncode == 0, done.stderr
    out = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    return {**out, "recordings": dict(zip(asked, out["recordings"], strict=True))}


def test_names_are_read_as_everywhere(found: dict[str, Any]) -> None:
    for name, one in zip(NAMES, found["names"], strict=True):
        said = parse(name)
        got = one["key"], one["kind"], one.get("reference"), one.get("against")
        assert got == (said.key, said.kind, said.reference, said.against), name


@pytest.mark.parametrize("i", range(len(MATCHED)))
def test_channels_are_those_that_explain_takes(found: dict[str, Any], i: int) -> None:
    """But for what would have to be derived, which the page refuses."""
    wanted, recorded = MATCHED[i]
    got = found["matched"][i]
    try:
        want = match(wanted, recorded, own=series(recorded))
    except InputError:
        assert "refused" in got
        return
    if want.derived:
        assert "derives" in got["refused"]
    else:
        assert [recorded[k] for k in got] == [want.names[n] for n in wanted]


@pytest.mark.parametrize("i", range(len(LAYOUTS)))
def test_a_window_is_laid_out_as_the_contract_says(found: dict[str, Any], i: int) -> None:
    contract = ox.InputContract.model_validate({**BASE, **LAYOUTS[i]})
    places = np.arange(len(contract.channels) * contract.window).reshape(len(contract.channels), -1)
    assert found["layouts"][i] == to_model_layout(places, contract).ravel().tolist()


def test_what_is_not_done_is_said_or_refused(found: dict[str, Any]) -> None:
    n = len(LAYOUTS)
    assert found["undone"][:n] == [""] * n
    for i, (_, words) in enumerate(ASKS):
        assert all(word in found["undone"][n + i] for word in words)
    scaling, shape, none = found["layouts"][n + len(ASKS) :]
    assert "over the whole recording, which this page does not do; onnxplain explain" in scaling["refused"]
    assert "takes 3 \u00d7 100, and its input contract says 3 \u00d7 120" in shape["refused"]
    assert "no input contract" in none["refused"]


@pytest.mark.parametrize("name", SCALED)
def test_windows_are_scaled_as_the_contract_says(found: dict[str, Any], name: str) -> None:
    got = found["recordings"][name]
    contract = ox.InputContract.model_validate({**BASE, "unit": "mV", "scaling": SCALED[name]})
    want = scaled(np.reshape(got["signal"], (3, 120)), contract)
    np.testing.assert_allclose(np.reshape(got["input"], (3, 120)), want, rtol=1e-5, atol=1e-6)
    assert any("as the contract says" in text for text in got["said"])


GOOD = ("plain", "annotated", "late", "latin", "whole", "millivolt", "greek", "slow EOG", "flat for a while")


@pytest.mark.parametrize("kind", [".edf", ".bdf"])
@pytest.mark.parametrize("name", GOOD)
def test_a_file_is_read_as_mne_reads_it(found: dict[str, Any], folder: Path, name: str, kind: str) -> None:
    got = found["recordings"][f"{name}{kind}"]
    reader = {".edf": mne.io.read_raw_edf, ".bdf": mne.io.read_raw_bdf}[kind]
    file = folder / f"{name if name != 'greek' else 'plain'}{kind}"  # the same numbers
    letters = "latin1" if name == "latin" else "utf8"
    raw = reader(file, exclude=["EOG"], encoding=letters, verbose="error")
    signal = raw.get_data(picks=["EEG C3-REF", "Cz", "C4"], start=130, stop=250) * 1e6
    np.testing.assert_allclose(np.reshape(got["signal"], (3, 120)), signal, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(np.reshape(got["input"], (3, 120)), signal * 1e-3 * 0.5, rtol=1e-5, atol=1e-7)
    assert "Channels by other names: C3 is 'EEG C3-REF'." in got["said"]
    told = [(a["onset"], a["duration"], a["text"]) for a in got["annotations"]]
    want = [(float(a["onset"]), float(a["duration"]), str(a["description"])) for a in raw.annotations]
    assert told == want


@pytest.mark.parametrize("kind", [".edf", ".bdf"])
def test_windows_start_where_they_should(found: dict[str, Any], kind: str) -> None:
    made = found["recordings"]
    assert made[f"plain{kind}"]["starts"] == [[120 * k, "", True] for k in range(16)]
    assert made[f"annotated{kind}"]["starts"] == [
        [225, "right/\u00c4hre", True], [400, "left", True], [1950, "left", False],
    ]  # fmt: skip
    assert made[f"late{kind}"]["starts"] == [[450, "left", True]]
    assert made[f"plain{kind}"]["lost"] == ""
    assert made[f"flat for a while{kind}"]["lost"] == ""
    assert made[f"in the flat part{kind}"]["lost"] == "flat at C4"
    assert made[f"in the bad part{kind}"]["lost"] == "over the annotation BAD muscle"


REFUSED = {
    "gaps": "has gaps between its records, which this page does not read; onnxplain explain can",
    "wrong unit": "of an amplitude that no EEG has: C3 (2",
    "no unit": "the unit of EEG C3-REF, Cz, C4 is '', which is none of V, mV, uV and nV",
    "flat": "flat, as far as was looked: C4",
    "slow C4": "recorded at 50 Hz and the model takes 100 Hz; this page does not resample",
    "no scale": "no scale in the header (minimum and maximum are the same) of EEG C3-REF, Cz, C4",
}


@pytest.mark.parametrize("kind", [".edf", ".bdf"])
@pytest.mark.parametrize("name", REFUSED)
def test_a_recording_that_does_not_fit_is_refused(found: dict[str, Any], name: str, kind: str) -> None:
    assert found["recordings"][f"{name}{kind}"]["refused"].startswith(REFUSED[name])


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("short", "cut short (the header promises 20 records, the file holds 19)"),
        ("header", "cut short in its header"),
        ("empty", "no EDF or BDF file, and this page opens no others; save the recording as one"),
        ("picture", "no EDF or BDF file, and this page opens no others; save the recording as one"),
        ("patient", "the header's number of records is no number; header and file may not go together"),
    ],
)
def test_a_file_that_is_none_is_refused_in_a_line(found: dict[str, Any], name: str, why: str) -> None:
    assert found["recordings"][f"{name}.edf"] == {"refused": why}
