"""What the viewer of a report has: the same numbers as the explanation, in so many bytes."""

from __future__ import annotations

import base64
import json
import re
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxplain.eeg.artefacts.parts import parts
from onnxplain.eeg.explanation.bands import bands as by_bands
from onnxplain.eeg.explanation.explained import Explained
from onnxplain.eeg.reports import html
from onnxplain.eeg.reports.viewer import packing, page
from onnxplain.eeg.reports.viewer.payload import payload
from onnxplain.eeg.views.spectral import band_time

sys.path.insert(0, str(Path(__file__).parents[1]))

from explanations import made

NAMES = ("Fp1", "Fp2", "F7", "F8", "C3", "Cz", "C4", "T7", "T8", "Pz", "O1", "O2")
ROOM = 10_000_000


def explanation(n: int = 9, samples: int = 330, *, target: Any = None, rate: float = 100.0) -> Explained:
    """Windows with blinks, and a multiplier at random."""
    rng = np.random.default_rng(3)
    x = 10 * rng.standard_normal((n, len(NAMES), samples))
    blink = 150 * np.exp(-(((np.arange(samples) - samples / 2) / 12) ** 2))
    x[::2, :2] += blink
    m = rng.standard_normal(x.shape) / 100
    e = made(NAMES, signal=x.astype(np.float32), multiplier=m, target=target, sfreq=rate)
    return replace(e, dataset=e.dataset.assign(bands=by_bands(e)))


def labelled(e: Explained, wrong: set[int]) -> Explained:
    """All windows called left by the model, and all but some labelled so."""
    n = len(e.windows)
    output = ("epoch", "class"), np.tile([1.0, 0.0], (n, 1))
    labels = tuple("right" if i in wrong else "left" for i in range(n))
    return replace(
        e, dataset=e.dataset.assign(output=output), windows=replace(e.windows, labels=labels)
    )  # fmt: skip


def arrays(shown: dict[str, Any], k: int) -> dict[str, np.ndarray]:
    """A window's numbers, read as data.js reads them."""
    own, rows = shown["windows"][k], len(shown["channels"])
    raw = np.frombuffer(zlib.decompress(base64.b64decode(own["data"])), np.uint8)
    points, bins = (-(-shown["samples"] // own[name]) for name in ("samples", "bin"))
    found, at = {}, 0
    names = ["signal", "relevance", *(["part_signal", "part_relevance"] if own["parts"] else [])]
    for name in [*names, *(["bands"] if shown["bands"] else [])]:
        height, width = len(shown["bands"]) if name == "bands" else rows, bins
        width = points if name.endswith("signal") else bins
        n = height * width
        whole = (raw[at : at + n].astype(np.int32) | raw[at + n : at + 2 * n].astype(np.int32) << 8).astype(
            np.int16
        )
        whole, at = whole.reshape(height, width), at + 2 * n
        if name.endswith("signal"):
            whole = np.cumsum(whole, -1, dtype=np.int16)
        found[name] = whole * own["steps"][0 if name.endswith("signal") else 2 if name == "bands" else 1]
    assert at == len(raw)
    return found


@pytest.mark.parametrize("size", [ROOM, 100_000])
def test_its_numbers_are_those_of_the_explanation(size: int) -> None:
    e = explanation()
    shown = payload(e, size)
    assert [w["number"] for w in shown["windows"]] == list(range(9))
    part = sum(p.signal for p in parts(e.windows, kinds=("eyes", "muscle", "mains")).values())
    x, m = e.windows.signal.astype(float), e.dataset["multiplier"].values
    rhythms = band_time(e).values.sum(1)
    for k, w in enumerate(shown["windows"]):
        found = arrays(shown, k)
        step, by, band = w["steps"]
        assert w["parts"] == (w["samples"] == 1)
        for name, signal in (("signal", x[k]), ("part_signal", part[k])):
            if name not in found:
                continue
            want = packing.means(signal, w["samples"])
            assert np.abs(found[name] - want).max() <= 0.51 * step + 1e-4
        each = (
            ("relevance", e.relevance[k], by),
            ("part_relevance", part[k] * m[k], by),
            ("bands", rhythms[k], band),
        )
        for name, relevance, one in each:
            if name not in found:
                continue
            want = packing.sums(relevance, w["bin"])
            # Any segment is good to a step, however long.
            away = np.abs((found[name] - want).cumsum(-1))
            assert away.max() <= 0.51 * one + 1e-6
            assert one <= np.abs(want).max() / (1000 if w["parts"] else 100)
    whole = np.frombuffer(base64.b64decode(shown["sums"]), "<f4").reshape(9, -1)
    np.testing.assert_allclose(whole, e.relevance.sum(-1), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(
        arrays(shown, 2)["bands"].sum(-1), e.dataset["bands"][2].sum("channel"), atol=1e-2
    )


def test_small_recordings_are_whole() -> None:
    shown = payload(explanation(), ROOM)
    assert {w["samples"] for w in shown["windows"]} == {1}
    assert shown["said"] == []
    assert any(how.startswith("Eyes: ") for how in shown["parts"])


def test_of_large_ones_the_wrong_windows_are_fine_and_the_page_says_so() -> None:
    e = labelled(explanation(40, 1000, target=np.zeros(40, int), rate=200.0), {3, 17, 30})
    size = sum(len(w["data"]) for w in payload(e, ROOM)["windows"]) // 3
    shown = payload(e, size)
    assert len(shown["windows"]) == 40
    assert [w["verdict"] == "wrong" for w in shown["windows"]] == [i in {3, 17, 30} for i in range(40)]
    fine = {w["number"] for w in shown["windows"] if w["samples"] == 1}
    assert {3, 17, 30} < fine
    assert len(fine) < 40
    (said,) = shown["said"]
    assert f"{len(fine)} windows, those that the model has wrong first, are at the full 200 Hz" in said
    assert sum(len(w["data"]) for w in shown["windows"]) <= size


def test_what_does_not_fit_is_left_out_and_the_page_says_so() -> None:
    e = labelled(explanation(60, 400, target=np.zeros(60, int)), {5, 41})
    size = sum(len(w["data"]) for w in payload(e, ROOM)["windows"]) // 16
    shown = payload(e, size)
    kept = [w["number"] for w in shown["windows"]]
    assert {5, 41} < set(kept)
    assert len(kept) < 60
    assert max(np.diff(kept)) < 3 * 60 / len(kept)  # the others evenly over the recording
    assert shown["said"][1] == f"{len(kept)} of 60 windows are here; all are in relevance.nc."
    assert sum(len(w["data"]) for w in shown["windows"]) <= size


def test_without_a_multiplier_there_are_no_bands_and_no_parts() -> None:
    relevance = np.random.default_rng(0).standard_normal((3, len(NAMES), 50))
    shown = payload(made(NAMES, relevance=relevance), ROOM)
    assert shown["bands"] == shown["parts"] == []
    assert any("Without a multiplier" in text for text in shown["said"])
    by = shown["windows"][1]["steps"][1]
    want = packing.sums(relevance[1], 2).cumsum(-1)
    assert np.abs(arrays(shown, 1)["relevance"].cumsum(-1) - want).max() <= 0.51 * by


def test_the_head_is_never_drawn_beyond_the_outermost_electrodes() -> None:
    head = payload(explanation(), ROOM)["head"]
    weights = np.frombuffer(base64.b64decode(head["weights"]), "<i2").reshape(len(head["inside"]), -1)
    assert head["rows"] == list(range(len(NAMES)))
    np.testing.assert_allclose(weights.sum(1) / head["whole"], 1, atol=0.01)
    assert 0.2 < len(head["inside"]) / head["grid"] ** 2 < 0.7
    assert payload(explanation_without_places(), ROOM)["head"] is None


def explanation_without_places() -> Explained:
    return made(("a", "b", "c", "d", "e"), relevance=np.ones((2, 5, 20)))


def test_names_of_files_cannot_end_the_data() -> None:
    e = labelled(explanation(3), {1})
    evil = "</script><script>alert(1)</script>"
    windows = replace(e.windows, labels=(evil, evil, evil))
    element = str(html.json_element(payload(replace(e, windows=windows), ROOM), "here"))
    assert re.findall(r"</?script\b", element) == ["<script", "</script"]
    text = re.fullmatch(r'<script type="application/json" id="here">(.*)</script>', element)
    assert text is not None
    assert json.loads(text[1])["windows"][0]["label"].startswith("</script>")
    with pytest.raises(ValueError, match="may not end it"):
        html.package_element("x</SCRIPT>", "script")


def test_the_licence_is_on_the_page() -> None:
    assert "Copyright (c)" in page.script()
    assert "Permission is hereby granted, free of charge" in page.script()
    assert "Leon Sorokin" in page.script()
