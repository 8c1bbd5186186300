"""A recording opened in the browser page, in headless Chromium: the viewer, and onnxruntime's numbers."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import mne
import numpy as np
import onnx
import onnxruntime
import pytest
from scipy.interpolate import RBFInterpolator
from web import HERE, colours, installed, node, program

import onnxplain as ox
from onnxplain.eeg.drawing.figures import order
from onnxplain.eeg.electrodes.positions import Electrodes, head_positions
from onnxplain.eeg.reports.viewer.head_weights import GRID, head_weights
from onnxplain.models import demo_file

# What onnxruntime's WebAssembly build may differ from its Python build, of the largest relevance.
CLOSE = 1e-4
ELECTRODE, TIME, SAID = "C3", 0.81, "right"


def changed(to: Path, old: str, new: str) -> Path:
    """The demo's recording with a piece of its header changed."""
    assert len(old) == len(new)
    data = Path(demo_file("recording.edf")).read_bytes()
    assert old.encode() in data[:8192]
    to.write_bytes(data.replace(old.encode(), new.encode(), 1))
    return to


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recording")


@pytest.fixture(scope="module")
def compiled(folder: Path) -> Path:
    return ox.compile(demo_file("honest.onnx"), folder / "own.onnx", ledger=True)


@pytest.fixture(scope="module")
def seen(folder: Path, compiled: Path, served: str) -> dict[str, Any]:
    """What Chromium sees of the page, its viewer and its refusals."""
    browser = program("chromium", "chromium-browser", "google-chrome", "chrome")
    packages = installed(HERE, "playwright")
    shutil.copyfile(HERE / "recording.mjs", packages / "recording.mjs")
    bare = onnx.load(compiled)
    kept = [p for p in bare.metadata_props if p.key != "onnxplain.contract"]
    del bare.metadata_props[:]
    bare.metadata_props.extend(kept)
    onnx.save(bare, folder / "bare.onnx")
    np.save(folder / "window.npy", np.random.default_rng(0).standard_normal((27, 400)))
    (folder / "notes.edf").write_text("Of this morning's session nothing was kept.\n" * 20)
    job = {
        "url": served, "chromium": browser, "out": str(folder), "model": str(compiled),
        "bare": str(folder / "bare.onnx"), "window": str(folder / "window.npy"),
        "recording": str(demo_file("recording.edf")), "electrode": ELECTRODE, "time": TIME, "said": SAID,
        "mistakes": {
            "missing": str(changed(folder / "missing.edf", "Cz".ljust(16), "EOG".ljust(16))),
            "rate": str(changed(folder / "rate.edf", "1       28  ", "0.5     28  ")),
            "text": str(folder / "notes.edf"),
        },
    }  # fmt: skip
    (folder / "job.json").write_text(json.dumps(job))
    done = node("recording.mjs", folder / "job.json", cwd=packages)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((folder / "seen.json").read_text(encoding="utf-8"))
    return found


class Runtime:
    """The same file in onnxruntime for Python, on the demo's recording as MNE reads it."""

    def __init__(self, compiled: Path) -> None:
        self.session = onnxruntime.InferenceSession(compiled, providers=["CPUExecutionProvider"])
        self.raw = mne.io.read_raw_edf(demo_file("recording.edf"), verbose="error")
        contract = ox.inspect(demo_file("honest.onnx")).contract
        assert contract is not None
        self.contract = contract

    def window(self, onset: float) -> dict[str, Any]:
        """Microvolt, outputs, relevance and the predicted class of the window at an onset in seconds."""
        c = self.contract
        first = round(onset * c.sfreq)
        data = self.raw.get_data(picks=list(c.channels), start=first, stop=first + c.window) * 1e6
        feeds = {c.input: (data * c.scale).astype(np.float32)[None], "seed": np.zeros((1, 2), np.float32)}
        logits = self.session.run(["logits"], feeds)[0][0]
        k = int(logits.argmax())
        feeds["seed"] = np.array([[1, -1], [-1, 1]], np.float32)[k : k + 1]
        relevance = self.session.run([f"relevance.{c.input}"], feeds)[0][0]
        return {"signal": data, "outputs": logits, "relevance": relevance.astype(float), "class": k}


@pytest.fixture(scope="module")
def runtime(compiled: Path) -> Runtime:
    return Runtime(compiled)


def number(text: str) -> float:
    return float(text.replace("\u2212", "-"))


def close(found: Any, want: np.ndarray) -> None:
    np.testing.assert_allclose(np.reshape(found, want.shape), want, rtol=0, atol=CLOSE * np.abs(want).max())


def test_nothing_leaves_the_machine(seen: dict[str, Any], served: str) -> None:
    assert seen["problems"] == []
    assert {u for u in seen["requests"] if not u.startswith((served, "blob:", "data:"))} == set()
    assert seen["blocked"] == "connect-src"
    # Every request is one for a file of the page: nothing of the user's is in an address.
    assert all("?" not in u and "own.onnx" not in u for u in seen["requests"])


def test_every_window_is_explained_as_in_python(seen: dict[str, Any], runtime: Runtime) -> None:
    saved = seen["saved"]
    assert saved["channels"] == list(runtime.contract.channels)
    assert [w["onset"] for w in saved["windows"]] == [2.0 * k for k in range(82)]
    assert seen["status"].startswith("82 windows explained")
    for window in saved["windows"][::9]:
        want = runtime.window(window["onset"])
        close(window["outputs"], want["outputs"])
        close(window["relevance"], want["relevance"].sum(-1))
        assert window["target"] == want["class"]
        total = sum(window["relevance"]) + sum(window["ledger"].values())
        assert total == pytest.approx(window["explained"], abs=1e-3)


def test_windows_are_picked_by_what_the_model_says(seen: dict[str, Any], runtime: Runtime) -> None:
    saved, classes = seen["saved"]["windows"], runtime.contract.classes
    said = [k for k, w in enumerate(saved) if classes[int(np.argmax(w["outputs"]))] == SAID]
    assert 1 < len(said) < len(saved)
    assert [int(text.split(":")[0]) for text in seen["picked"]["listed"]] == said
    assert seen["picked"]["number"] == said[1]
    assert f"the model says {SAID}" in seen["picked"]["head"]
    assert seen["first"]["groups"] == ["all", *(f"said {classes[k]}" for k in _in_order(saved))]


def _in_order(windows: list[dict[str, Any]]) -> list[int]:
    return list(dict.fromkeys(int(np.argmax(w["outputs"])) for w in windows))


def test_the_electrode_under_the_cursor_has_its_numbers(seen: dict[str, Any], runtime: Runtime) -> None:
    found, names = seen["picked"], list(runtime.contract.channels)
    want = runtime.window(found["onset"])
    bins = want["relevance"].reshape(len(names), -1, found["bin"]).sum(-1)
    close(found["relevance"], bins)
    np.testing.assert_allclose(np.reshape(found["signal"], want["signal"].shape), want["signal"], atol=1e-3)
    assert found["electrode"] == ELECTRODE
    row, at = names.index(ELECTRODE), int(TIME * runtime.contract.sfreq / found["bin"])
    assert found["at"] == at
    said = re.search(r"at (\S+) s: (\S+) µV, relevance (\S+) logit .* s; (\S+) logit in", found["said"])
    assert said is not None
    time, micro, part, whole = map(number, said.groups())
    near = want["signal"][row, int(time * 200) - 1 : int(time * 200) + 2]
    assert near.min() - 0.1 <= micro <= near.max() + 0.1
    assert part == pytest.approx(bins[row, at], abs=CLOSE * np.abs(bins).max())
    assert whole == pytest.approx(want["relevance"][row].sum(), rel=1e-3)
    sums = want["relevance"].sum(-1)
    for line, i in zip(found["most"], np.argsort(-np.abs(sums))[:4], strict=False):
        assert line[0] == names[i]
        assert number(line[1]) == pytest.approx(sums[i], rel=1e-3, abs=1e-4)


def test_labels_are_those_of_the_annotations(seen: dict[str, Any], runtime: Runtime) -> None:
    """Windows at annotations that name a class are right or wrong."""
    windows, raw = seen["cut"]["numbers"]["windows"], runtime.raw
    named = [a for a in raw.annotations if str(a["description"]).split("/")[0] in runtime.contract.classes]
    assert [w["label"] for w in windows] == [str(a["description"]) for a in named]
    assert [w["onset"] for w in windows] == pytest.approx([float(a["onset"]) for a in named], abs=0.0025)
    classes = runtime.contract.classes
    right = [classes[int(np.argmax(w["outputs"]))] == w["label"].split("/")[0] for w in windows]
    assert ("right" in seen["cut"]["groups"]) == any(right)
    assert ("wrong" in seen["cut"]["groups"]) == (not all(right))


def test_what_is_not_done_is_said(seen: dict[str, Any]) -> None:
    said = seen["first"]["sentences"]
    assert "This page does not filter, resample or change the reference." in said
    assert "The model asks for 0.1 to 75 Hz, no mains at 50 Hz" in said
    assert "82 windows of 2 s, one after another." in said


def test_the_head_is_the_one_of_the_reports(seen: dict[str, Any], runtime: Runtime) -> None:
    """Its electrodes and its outline; between electrodes a thin plate spline, as scipy has it."""
    cap, found = Electrodes(runtime.contract.channels), seen["head"]
    assert seen["first"]["order"] == [cap[i] for i in order(cap)]
    flat = head_positions(cap)
    want = head_weights([flat[n] for n in cap])
    assert want is not None
    assert found["rows"] == want["rows"]
    assert len(set(found["inside"]) ^ set(want["inside"])) <= 3  # those on the edge
    at = np.array([flat[n] for n in cap]) / 0.095
    i = np.array(found["inside"])
    grid = np.stack([(i % GRID + 0.5) / GRID * 2 - 1, 1 - (i // GRID + 0.5) / GRID * 2], -1)
    spline = RBFInterpolator(at, np.eye(len(cap)), kernel="thin_plate_spline", degree=1)
    np.testing.assert_allclose(np.reshape(found["weights"], (len(i), -1)), spline(grid), atol=1e-4)


def test_mistakes_are_a_line_and_leave_what_was_there(seen: dict[str, Any]) -> None:
    said = seen["mistakes"]
    assert said["missing"].startswith(
        "missing.edf: 1 of the model's 27 channels is missing: Cz; this page derives and interpolates none, "
        "onnxplain explain can (--interpolate-missing); the recording has Fp1, Fp2, "
    )
    assert said["rate"] == (
        "rate.edf: recorded at 400 Hz and the model takes 200 Hz; this page does not resample, "
        "onnxplain explain can"
    )
    why = "no EDF or BDF file, and this page opens no others; save the recording as one"
    assert said["text"] == f"notes.edf: {why}"
    assert not any("\n" in line for line in said.values())
    assert seen["kept"].startswith("own.onnx on recording.edf")


def test_it_can_be_stopped(seen: dict[str, Any]) -> None:
    assert 0 < seen["stopped"]["count"] < 82
    assert seen["stopped"]["status"].startswith(f"{seen['stopped']['count']} windows explained")


def test_a_difference_of_a_recording(seen: dict[str, Any], runtime: Runtime) -> None:
    from make_page import references

    found, (others, _) = seen["difference"], references("shortcut")
    assert found["title"] == "shortcut on recording.edf, difference to other windows"
    window = found["numbers"]["windows"][3]
    x = (runtime.window(window["onset"])["signal"] * runtime.contract.scale).astype(np.float32)[None]
    explain = ox.Explainer(demo_file("shortcut.onnx"), "difference")
    want = explain(x, contrast="rest", reference=others)
    close(window["relevance"], want.relevance[runtime.contract.input][0].sum(-1))
    assert window["explained"] == pytest.approx(float(want.explained[0]), abs=1e-4)


def test_a_model_that_does_not_fit_closes_the_recording(seen: dict[str, Any]) -> None:
    why = "its file has no input contract, so that channels, rate and unit are not known"
    assert f"recording.edf was closed, for bare.onnx does not fit it: {why}" in seen["bare"]["status"]
    assert seen["bare"]["open"] == [True, False, False]
    # Nor can one be opened for it.
    assert seen["refused"]["error"].startswith(f"recording.edf: {why}; add one with onnxplain contract embed")
    assert seen["refused"]["open"] == [True, False, False]


def test_the_demo_is_at_hand_and_a_window_closes_a_recording(seen: dict[str, Any]) -> None:
    assert seen["demo"]["title"] == "honest on recording.edf, relevance against silence"
    assert seen["demo"]["open"] == [False, True, True]
    assert seen["demo"]["window"] == [True, False, False]


@pytest.mark.parametrize("name", ["wide", "narrow", "dark"])
def test_axe_finds_nothing_serious(seen: dict[str, Any], name: str) -> None:
    assert [v for v in seen["axe"][name] if v[0] in ("serious", "critical")] == []


@pytest.mark.parametrize("name", ["wide", "narrow"])
def test_nothing_is_cut_off(seen: dict[str, Any], name: str) -> None:
    inner, outer = seen["wide"][name]
    assert inner <= outer == {"wide": 1280, "narrow": 390}[name]
    assert seen["out"][name] == []


@pytest.mark.parametrize("name", ["recording", "mistake", "recording-narrow", "recording-dark"])
def test_it_is_drawn(seen: dict[str, Any], folder: Path, name: str) -> None:
    assert colours(folder / f"{name}.png") > 500
