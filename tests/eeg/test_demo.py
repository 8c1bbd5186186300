"""The demonstration, on stand-ins for its models: the table's numbers are what they say."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxplain.eeg import demo
from onnxplain.eeg.artefacts.glossary import EYE_PART, EYES
from onnxplain.eeg.explanation import shares
from onnxplain.eeg.reports.links import Link
from onnxplain.engine.contract import InputContract

KINDS = ("left/agree", "left/contradict", "right/agree", "right/contradict")


@pytest.fixture
def folder(
    make_contract: Callable[..., InputContract],
    make_model: Callable[..., Path],
    recorded: Callable[..., Path],
    tmp_path: Path,
) -> Path:
    """Two models and a recording named like those of the demo."""
    contract = make_contract()
    make_model(contract, "honest.onnx", seed=0)
    make_model(contract, "shortcut.onnx", seed=1)
    marks = [(2.0 * i, 0.0, KINDS[i % 4]) for i in range(8)] + [(17.0, 0.0, "blink")]
    recorded("recording.edf", marks=marks)
    return tmp_path


def test_demo(folder: Path, tmp_path: Path) -> None:
    result = demo.run_demo(folder=folder, copies=2)
    assert [m.name for m in result.models] == ["honest", "shortcut"]
    for m in result.models:
        assert m.windows == {"agree": 4, "contradict": 4}
        guess = m.explained.dataset["output"].values.argmax(-1)
        right = guess == np.array([0, 0, 1, 1, 0, 0, 1, 1])
        assert m.accuracy == {"agree": right[::2].mean(), "contradict": right[1::2].mean()}
        front = shares.share(m.explained.relevance, m.explained.windows.channels, ["Fp1", "Fp2", "F7", "F8"])
        assert m.share["frontal-ocular"] == pytest.approx(front.share)
        assert m.share_of_electrodes["frontal-ocular"] == pytest.approx(4 / 12)
        assert 0 < m.share_random["frontal-ocular"] < 1
        assert m.share_random["frontal-ocular"] != m.share["frontal-ocular"]
        assert m.closure < 1e-5
    assert all(len(row) == len(result.head()) for row in result.rows())

    out = tmp_path / "out"
    out.mkdir()
    files = demo.write_demo(result, out, [Link("gate-honest/report.html", "the gate on honest")])
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "<a href='gate-honest/report.html'>the gate on honest</a>" in page
    assert {p.name for p in files} == {p.name for p in out.iterdir()}
    assert {"report.html", "summary.json", "honest.nc", "shortcut.nc", "honest_head_maps.png"} <= {
        p.name for p in files
    }
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert [m["name"] for m in summary["models"]] == ["honest", "shortcut"]
    assert summary["models"][0]["share"] == result.models[0].share
    # The answer's words, and the glossary's, in the table, the page and the numbers.
    answer = result.models[0].explained.answer
    assert summary["models"][0]["answer"]["said"] == answer.sentences()
    assert answer.where is not None
    page = " ".join((out / "report.html").read_text(encoding="utf-8").split())
    assert html.escape(answer.where.said()) in page
    for name, meaning in EYES.items():
        assert html.escape(meaning) in page.replace("&#39;", "&#x27;")
        assert name.split("'")[0] in page
    rows = {row[0]: row[1:] for row in result.rows()}
    assert rows["most relevance on"][0] == " and ".join(answer.where.electrodes)
    assert f"{EYE_PART} carries" in rows


def test_the_same_seed_gives_the_same_numbers(folder: Path) -> None:
    one, two, other = (demo.run_demo(folder=folder, copies=1, seed=s, threads=1) for s in (0, 0, 5))
    assert one.models[0].share_random == two.models[0].share_random
    assert one.models[0].share_random != other.models[0].share_random
