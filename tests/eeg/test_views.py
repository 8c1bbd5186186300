"""A view is one file: what registers itself is asked for, kept, printed and reported like any other."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from onnxplain.eeg.drawing.sections import Picture, Section, Strong, Table
from onnxplain.eeg.explanation import dataset as files
from onnxplain.eeg.explanation.explained import Explained
from onnxplain.eeg.explanation.view import View
from onnxplain.eeg.reports.write import write
from onnxplain.eeg.run import explain_recording
from onnxplain.eeg.views import registry
from onnxplain.engine.errors import InputError

sys.path.insert(0, str(Path(__file__).parent))

from explanations import made

MODELS = Path(__file__).parents[2] / "models" / "demo"


@dataclass(frozen=True)
class Loudest(View):
    """The electrode with most relevance in each window."""

    electrode: tuple[str, ...]
    notes: tuple[str, ...] = ("An electrode alone is a coarse answer.",)

    name = "loudest"

    def data_vars(self) -> Mapping[str, xr.DataArray]:
        return {"loudest": xr.DataArray(np.array(self.electrode, dtype=object), dims="epoch")}

    def summary(self, explained: Explained) -> dict[str, Any]:
        return {"electrodes": sorted(set(self.electrode)), "windows": len(self.electrode)}

    def lines(self, explained: Explained) -> Iterator[tuple[str, str]]:
        yield "loudest", self.electrode[0]

    def rows(self, explained: Explained) -> Iterator[tuple[str, str, float, float, float]]:
        yield "loudest", self.electrode[0], 0.5, 1.0, 0.1

    def sections(self, explained: Explained) -> Iterator[Section]:
        figure = Figure(figsize=(1, 1))
        yield Section(
            "Where it is loudest",
            (Table(("electrode",), [(self.electrode[0],)]), ("Mostly on ", Strong("<one>"), " electrode.")),
            (Picture(figure, "loudest", "Loudest: figure", "Loudest", "A caption of its own."),),
            ("Loud is not important.",),
        )


@pytest.fixture
def loudest(monkeypatch: pytest.MonkeyPatch) -> None:
    registry.kinds()
    monkeypatch.setattr(registry, "_KINDS", dict(registry._KINDS))

    @registry.register("loudest", needs=("recording",), order=15, absent={})
    def make(explained: Explained, context: registry.ViewContext) -> Loudest:
        assert context.recording.name == "recording.edf"
        assert context.option is True
        most = np.abs(explained.relevance.sum(-1)).argmax(1)
        return Loudest(tuple(explained.electrodes[i] for i in most))


@pytest.mark.usefixtures("loudest")
def test_a_view_needs_no_other_change(tmp_path: Path) -> None:
    found = explain_recording(MODELS / "honest.onnx", MODELS / "recording.edf", loudest=True, clusters=True)
    view = found.views["loudest"]
    assert isinstance(view, Loudest)
    assert [*found.views] == ["exchange", "zero", "loudest", "artefacts", "clusters", "bands"]  # in order
    out = tmp_path / "out"
    out.mkdir()
    names = {path.name for path in write(found, out)}
    assert {"loudest.png", "loudest.svg"} <= names
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert summary["loudest"] == {"electrodes": sorted(set(view.electrode)), "windows": len(found.windows)}
    assert summary["options"]["loudest"] is True
    assert summary["notes"][-1] == view.notes[0]
    assert files.load(out / "relevance.nc")["loudest"].values.tolist() == [*view.electrode]
    assert f"loudest,{view.electrode[0]},0.5,1.0,0.1" in (out / "shares.csv").read_text(encoding="utf-8")
    assert ("loudest", view.electrode[0]) in found.lines()
    page = (out / "report.html").read_text(encoding="utf-8")
    for words in (
        "Where it is loudest",
        "Mostly on <b>&lt;one&gt;</b> electrode.",
        "Loudest: figure",
        "A caption of its own.",
        "Loud is not important.",
        view.notes[0],
    ):
        assert words in page


def test_what_was_not_asked_for_is_empty_in_the_summary() -> None:
    """Who reads summary.json finds the same keys whatever was asked for."""
    summary = explain_recording(MODELS / "honest.onnx", MODELS / "recording.edf", events="left").summary()
    assert summary["components"] == []
    assert summary["baselines"] == {}
    assert summary["inside"] is None
    assert summary["clusters"] is None
    assert summary["locked"] == {}
    assert len(summary["bands"]) == 6
    assert "loudest" not in summary
    options = {"components": False, "baselines": False, "inside": False, "clusters": False, "locked": ()}
    assert summary["options"].items() >= options.items()


def test_a_view_that_there_is_not_is_refused() -> None:
    with pytest.raises(TypeError, match=r"no keyword 'component'; did you mean components"):
        explain_recording(MODELS / "honest.onnx", MODELS / "recording.edf", component=True)
    with pytest.raises(InputError, match="view component: there is none of this name; there are locked"):
        registry.options({"component": True})


def test_a_name_is_taken_once() -> None:
    registry.kinds()
    with pytest.raises(ValueError, match=r"clusters: there is one already, made by onnxplain\.eeg\.views"):
        registry.register("clusters")(lambda explained, context: Loudest(()))


def test_a_view_is_called_what_it_is_registered_as(monkeypatch: pytest.MonkeyPatch) -> None:
    registry.kinds()
    monkeypatch.setattr(registry, "_KINDS", dict(registry._KINDS))
    registry.register("quietest")(lambda explained, context: Loudest(()))
    e = made(("Cz", "Pz"), relevance=np.ones((4, 2, 50)))
    with pytest.raises(ValueError, match=r"view quietest: what .*test_views makes is called loudest"):
        registry.with_views(e, {"quietest": True})


def test_what_a_view_needs_is_asked_for_first() -> None:
    e = made(("Cz", "Pz"), relevance=np.ones((4, 2, 50)))
    with pytest.raises(InputError, match="view locked: needs recording"):
        registry.with_views(e, {"locked": ("blinks",)})
    found = registry.with_views(e, {})  # without a multiplier there are no bands
    assert found.views == {}
    assert found.unasked["bands"] == []
