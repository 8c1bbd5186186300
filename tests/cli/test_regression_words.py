"""A network that says how aroused and how pleased somebody is: no output speaks of classes.

From labels to explanation, cohort and gate, as a user goes; what is printed, and what a page shows, is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path

import mne
import numpy as np
import onnx
import pytest
from logs import errors
from onnx import TensorProto, helper, numpy_helper

from onnxplain import Explainer, InputContract

Run = Callable[..., object]

NAMES = ("Fp1", "Fp2", "F3", "Fz", "F4", "C3", "Cz", "C4", "P3", "Pz", "P4", "O1", "O2")
SFREQ, WINDOW, WINDOWS, SUBJECTS = 100.0, 100, 40, 3
# Words that a regression has no use for. Attributes of HTML are none of them.
WORDS = re.compile(
    r"\bclass(es)?\b|\baccurac\w+|\bpredicted\b|\blogits?\b|decides? for|decisions? for", re.IGNORECASE
)


class Text(HTMLParser):
    """What a page shows: no attributes, styles or scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._hidden += tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "script")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.said.append(data)


def shown(page: Path) -> str:
    text = Text()
    text.feed(page.read_text(encoding="utf-8"))
    return " ".join(" ".join(text.said).split())


def of_classes(text: str) -> list[str]:
    """Where a text speaks of classes, with what stands around it."""
    return [text[max(0, m.start() - 50) : m.end() + 30] for m in WORDS.finditer(text)]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of two numbers, and recordings of three people whose windows have numbers as labels."""
    folder = tmp_path_factory.mktemp("arousal")
    contract = InputContract(
        input="x", output="y", channels=NAMES, sfreq=SFREQ, window=WINDOW, scale=0.01,
        axes=("batch", "channel", "time"), targets={"arousal": "points", "valence": None},
    )  # fmt: skip
    rng = np.random.default_rng(0)
    n = len(NAMES) * WINDOW
    # Arousal is the size of what O1 and O2 have; valence anything.
    spread = np.zeros((len(NAMES), WINDOW, 24))
    spread[-2:] = rng.normal(size=(2, WINDOW, 24)) / 4
    spread[5:8, :, 12:] = rng.normal(size=(3, WINDOW, 12)) / 4
    weights = {
        "w1": spread.reshape(n, 24).astype(np.float32),
        "w2": np.abs(rng.normal(size=(24, 2))).astype(np.float32),
        "flat": np.array([0, -1], dtype=np.int64),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Reshape", ["x", "flat"], ["r"]),
            helper.make_node("MatMul", ["r", "w1"], ["h"]),
            helper.make_node("Relu", ["h"], ["a"]),
            helper.make_node("MatMul", ["a", "w2"], ["y"]),
        ],
        "mood",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *contract.shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(a, name) for name, a in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, contract.to_metadata())
    onnx.save(model, folder / "mood.onnx")
    explain = Explainer(folder / "mood.onnx")
    for subject in range(1, SUBJECTS + 1):
        signal = rng.normal(size=(len(NAMES), WINDOW * WINDOWS)) * 10e-6
        t = np.arange(signal.shape[1]) / SFREQ
        size = np.repeat(rng.uniform(0, 2, WINDOWS), WINDOW)
        signal[-2:] += 12e-6 * size * np.sin(2 * np.pi * 10 * t)
        windows = (signal * 1e4).reshape(len(NAMES), WINDOWS, WINDOW).swapaxes(0, 1).astype(np.float32)
        said = explain.predict({"x": windows})["y"][:, 0]
        labels = said + rng.normal(size=WINDOWS) * 0.3 * said.std()
        raw = mne.io.RawArray(signal, mne.create_info(list(NAMES), SFREQ, "eeg"), verbose="error")
        onsets = np.arange(WINDOWS) * WINDOW / SFREQ
        raw.set_annotations(mne.Annotations(onsets, 0.0, [f"rating/{v:.4f}" for v in labels]))
        place = folder / "data" / f"sub-{subject:02d}"
        place.mkdir(parents=True)
        raw.save(place / f"sub-{subject:02d}_raw.fif", verbose="error")
    return folder


def done(run: Run, *arguments: object) -> str:
    """What a command prints."""
    made = run(*arguments)
    assert made.returncode in (0, 1), made.stderr
    assert errors(made.stderr) == ""
    return made.stdout


def held(texts: Sequence[str]) -> None:
    for text in texts:
        assert of_classes(text) == []


def test_an_explanation(run: Run, study: Path, tmp_path: Path) -> None:
    recording = study / "data" / "sub-01" / "sub-01_raw.fif"
    out = tmp_path / "out"
    said = done(
        run, "explain", study / "mood.onnx", recording, "--events", "rating", "--out", out, "--clusters",
        "--baselines", "--csv",
    )  # fmt: skip
    assert re.search(r"fit +r = 0\.\d\d, mean absolute error [\d.]+ points, of 40 windows", said)
    page = shown(out / "report.html")
    assert "mean absolute error" in page
    assert "points" in page
    held([said, page])
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert summary["accuracy"] is None
    assert summary["fit"]["r"] > 0.5
    head, first = (out / "relevance.csv").read_text(encoding="utf-8").splitlines()[:2]
    assert dict(zip(head.split(","), first.split(","), strict=True))["explained"] == "arousal"


def test_a_cohort(run: Run, study: Path, tmp_path: Path) -> None:
    said = done(
        run, "cohort", study / "mood.onnx", study / "data", "--events", "rating",
        "--out", tmp_path / "s.zarr", "--workers", 1,
    )  # fmt: skip
    assert re.search(
        r"mean absolute error [\d.]+ points over 3 subjects; within recordings r = 0\.\d\d", said
    )
    held([said, *map(shown, (tmp_path / "s.zarr").glob("*.html"))])


def test_the_gate(run: Run, study: Path, tmp_path: Path) -> None:
    policy, out = tmp_path / "policy.yaml", tmp_path / "gate"
    policy.write_text("version: 1\ntarget: arousal\nevents: rating\nexpects: {regions: [occipital]}\n")
    recording = study / "data" / "sub-01" / "sub-01_raw.fif"
    said = done(run, "validate", study / "mood.onnx", recording, "--policy", policy, "--out", out)
    page = shown(out / "report.html")
    assert re.search(r"r = 0\.\d\d \([-\d.]+ to [\d.]+, p = [\d.]+\), and is off by [\d.]+ points", page)
    held([said, page, *(p.read_text(encoding="utf-8") for p in out.glob("*.md"))])
