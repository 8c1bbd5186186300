"""A model and a recording in, files out; what is written is true, whole, anonymous and self-contained."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest

from onnxplain.eeg.explanation import dataset as views
from onnxplain.eeg.reports.write import write
from onnxplain.eeg.run import explain_recording
from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import InputError
from onnxplain.engine.explainer import Explainer

MakeContract = Callable[..., InputContract]
Make = Callable[..., Any]
MARKS = [(2.0 * i, 0.0, kind) for i, kind in enumerate(["left", "right", "left/agree", "blink"])]


@pytest.fixture
def files(make_contract: MakeContract, make_model: Make, recorded: Make) -> tuple[Path, Path, InputContract]:
    contract = make_contract()
    return make_model(contract), recorded(marks=MARKS), contract


def test_relevance_is_what_the_engine_gives(files: tuple[Path, Path, InputContract]) -> None:
    model, data, contract = files
    found = explain_recording(model, data, batch_size=3, against="none")
    x = found.windows.data
    assert x.shape[0] == 10
    a = Explainer(model)(x, target="predicted", contrast="rest")
    ds = found.dataset
    assert ds["relevance"].dims == ("epoch", "channel", "time")
    size = np.abs(a.relevance["x"]).max()
    relevance = ds["relevance"].values
    assert np.abs(relevance.reshape(x.shape) - a.relevance["x"]).max() < 1e-6 * size
    product = ds["multiplier"].values * ds["signal"].values * contract.scale
    assert np.abs(product - relevance).max() < 1e-5 * size
    np.testing.assert_allclose(ds["explained"].values, a.explained, rtol=1e-5)
    assert (ds["target"].values == a.target).all()
    assert set(ds["target_class"].values) <= {"left", "right"}
    np.testing.assert_allclose(ds["output"].values, a.outputs["y"], rtol=1e-5)
    total = ds["relevance"].sum(("channel", "time")) + ds["ledger"].sum("kind")
    np.testing.assert_allclose(total, ds["explained"], rtol=1e-4, atol=1e-5)
    assert float(ds["closure"].max()) < 1e-5


def test_what_is_written_reads_back(files: tuple[Path, Path, InputContract], tmp_path: Path) -> None:
    model, data, _ = files
    found = explain_recording(model, data, events="left,right")
    out = tmp_path / "out"
    out.mkdir()
    paths = write(found, out, report=False)
    assert (
        sorted(p.name for p in paths)
        == sorted(p.name for p in out.iterdir())
        == ["relevance.nc", "shares.csv", "summary.json"]
    )
    back = views.load(out / "relevance.nc")
    assert (back["relevance"].values == found.dataset["relevance"].values).all()
    assert back["relevance"].values.dtype == found.dataset["relevance"].values.dtype
    assert back["relevance"].attrs["units"] == "logit"
    assert back["time"].attrs["units"] == "s"
    assert list(back["label"].values) == ["left", "right", "left/agree"]
    provenance = json.loads(back.attrs["provenance"])
    assert provenance["model"]["sha256"] == Explainer(model).sha256
    assert len(json.loads(back.attrs["decisions"])) == len(found.windows.decisions)
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert summary["accuracy"]["of"] == 3
    assert summary["windows"] == 3
    assert summary["options"]["seed"] == 0
    assert sum(r["share"] for r in summary["regions"]) == pytest.approx(1)
    assert summary["reached_input"] + sum(summary["ledger"].values()) == pytest.approx(
        summary["explained"]["mean"], rel=1e-4, abs=1e-6
    )


@pytest.mark.row("O11")
def test_a_second_run_is_the_same(files: tuple[Path, Path, InputContract]) -> None:
    model, data, _ = files
    one, two = (explain_recording(model, data, threads=1).relevance for _ in range(2))
    assert (one == two).all()


@pytest.mark.parametrize(
    ("target", "contrast", "seed"),
    [
        ("left", None, [1, 0]),
        (1, None, [0, 1]),
        ("left", "rest", [1, -1]),
        ("left", "none", [1, 0]),
        ({"left": 1.0, "right": -1.0}, "rest", [1, -1]),
    ],
)
def test_targets(
    files: tuple[Path, Path, InputContract], target: Any, contrast: str | None, seed: list[int]
) -> None:
    model, data, _ = files
    found = explain_recording(model, data, target=target, contrast=contrast, against="none")
    np.testing.assert_allclose(
        found.dataset["explained"].values,
        found.dataset["output"].values @ np.array(seed),
        rtol=1e-4,
        atol=1e-6,
    )


def test_a_contract_that_the_model_lacks(
    make_contract: MakeContract, make_model: Make, recorded: Make
) -> None:
    contract = make_contract()
    model, data = make_model(contract, embed=False), recorded()
    with pytest.raises(InputError, match=r"tiny\.onnx: no input contract"):
        explain_recording(model, data)
    found = explain_recording(model, data, contract=contract, target="right")
    assert set(found.dataset["target_class"].values) == {"right"}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"target": "up"}, "unknown target 'up'"),
        ({"target": "all"}, "one class at a time"),
        ({"target": [0, 1]}, "2 values for 10 windows"),
        ({"batch_size": 0}, "at least 1"),
        ({"window": 0.7}, r"a multiple of 0.5 s"),
        ({"window": float("nan")}, "cannot be cut"),
        ({"channels": "Cz=none"}, "no channel none"),
    ],
)
def test_options_that_do_not_fit(files: tuple[Path, Path, InputContract], options: Any, reason: str) -> None:
    model, data, _ = files
    with pytest.raises(InputError, match=reason):
        explain_recording(model, data, **options)


def test_labels_decide_accuracy(files: tuple[Path, Path, InputContract]) -> None:
    model, data, _ = files
    found = explain_recording(model, data, events="annotations")
    accuracy = found.summary()["accuracy"]
    guess = found.dataset["output"].values.argmax(-1)[:3]
    assert accuracy == {
        "correct": int((guess == [0, 1, 0]).sum()),
        "of": 3,
        "accuracy": (guess == [0, 1, 0]).mean(),
    }
    assert explain_recording(model, data).summary()["accuracy"] is None


# -- the report ---------------------------------------------------------------------------------------


class _Loads(HTMLParser):
    """Collects what a page would load, and the text it shows."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "srcset", "data", "poster", "background") or (
                name == "href" and tag == "link"
            ):
                self.loads.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


HOSTILE = ("<img src=x onerror=alert(1)>", "r&amp;<script>alert(2)</script>")


@pytest.fixture
def report(make_contract: MakeContract, make_model: Make, make_raw: Make, tmp_path: Path) -> Path:
    """The folder of a full report about files with hostile names and a patient in the header."""
    contract = make_contract(model="<b>Net</b>", classes=HOSTILE)
    raw = make_raw(marks=[(0.0, 0.0, HOSTILE[0]), (4.0, 0.0, HOSTILE[1]), (6.0, 0.0, "\u202eevil")])
    raw.set_meas_date(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
    raw.info["subject_info"] = {"his_id": "X99", "first_name": "Jane", "last_name": "Roe"}
    data = tmp_path / "<script>alert(3)<_script>_raw.fif"
    raw.save(data, verbose="error")
    out = tmp_path / "out"
    out.mkdir()
    write(explain_recording(make_model(contract), data, events="annotations"), out)
    return out


def test_report_is_one_file_and_escapes(report: Path) -> None:
    text = (report / "report.html").read_text(encoding="utf-8")
    page = _Loads()
    page.feed(text)
    assert page.loads
    assert all(load.startswith("data:") for load in page.loads)
    assert not re.findall(r"(?:@import|url\()\s*['\"]?\s*(?:https?:)?//", text)
    assert "alert(" not in "".join(re.findall(r"<script.*?</script>", text, re.DOTALL)[-1:])
    for raw_markup in ("<img src=x", "<script>alert", "<b>Net"):
        assert raw_markup not in text
    shown = "".join(page.text)
    assert HOSTILE[0] in shown
    assert "<b>Net</b>" in shown
    assert "\u202e" not in text
    assert "closure" in shown.lower()
    assert "Relevance share" in shown


@pytest.mark.row("E11")
def test_nobody_is_in_what_is_written(report: Path) -> None:
    for path in report.iterdir():
        whole = path.read_bytes()
        for word in (b"Roe", b"Jane", b"X99"):
            if path.suffix in (".json", ".html"):
                text = re.sub(rb"base64,[A-Za-z0-9+/=]+", b"", whole)
                assert not re.search(rb"\b" + word + rb"\b", text), (path, word)
            else:
                assert b"Jane Roe" not in whole
    dataset = views.load(report / "relevance.nc")
    assert "Jane" not in repr(dataset) + json.dumps({k: str(v) for k, v in dataset.attrs.items()})


def test_figures_are_written(report: Path) -> None:
    names = {p.name for p in report.iterdir()}
    assert {"head_maps.png", "mean_map.png", "relevance.nc", "report.html", "summary.json"} <= names
    assert any(re.fullmatch(r"window_\d+\.png", n) for n in names)


def test_nothing_global_is_left(report: Path) -> None:
    import matplotlib.pyplot as plt

    assert plt.get_fignums() == []


def test_unknown_electrodes_have_no_head_map(
    make_contract: MakeContract, make_model: Make, recorded: Make, tmp_path: Path
) -> None:
    names = ("E1", "E2", "E3")
    contract = make_contract(names)
    out = tmp_path / "out"
    out.mkdir()
    write(explain_recording(make_model(contract), recorded(names=names)), out)
    assert not (out / "head_maps.png").exists()
    assert "There is no head map" in (out / "report.html").read_text(encoding="utf-8")


def test_regression_outputs(
    make_contract: MakeContract, make_model: Make, recorded: Make, tmp_path: Path
) -> None:
    contract = make_contract(classes=(), output_unit="year")
    out = tmp_path / "out"
    out.mkdir()
    found = explain_recording(make_model(contract), recorded(), target=0, contrast=None)
    write(found, out)
    assert found.dataset["relevance"].attrs["units"] == "year"
    assert found.summary()["accuracy"] is None


def test_epochs_end_to_end(
    make_contract: MakeContract, make_model: Make, make_raw: Make, tmp_path: Path
) -> None:
    events = np.array([[300, 0, 1], [700, 0, 2]])
    raw = make_raw()
    epochs = mne.Epochs(
        raw, events, {"left": 1, "right": 2}, 0, 2.5, baseline=None, preload=True, verbose="error"
    )
    epochs.save(tmp_path / "a-epo.fif", verbose="error")
    found = explain_recording(make_model(make_contract()), tmp_path / "a-epo.fif")
    assert found.summary()["labels"] == {"left": 1, "right": 1}
    assert found.summary()["accuracy"]["of"] == 2


def test_it_saves_itself(files: tuple[Path, Path, InputContract], tmp_path: Path) -> None:
    model, data, _ = files
    found = explain_recording(model, data, events="left,right")
    own, written = tmp_path / "new" / "own", tmp_path / "written"
    written.mkdir()
    write(found, written)
    paths = found.save(own)
    assert sorted(p.name for p in paths) == sorted(p.name for p in own.iterdir())
    assert {p.name for p in own.iterdir()} == {p.name for p in written.iterdir()}
    assert (own / "summary.json").read_bytes() == (written / "summary.json").read_bytes()
    with pytest.raises(InputError, match=r"relevance\.nc: exists; overwrite=True"):
        found.save(own)
    assert len(found.save(own, report=False, overwrite=True)) == 3
    with pytest.raises(InputError, match="cannot be made a folder"):
        found.save(model)


def test_it_reports_and_plots_itself(files: tuple[Path, Path, InputContract], tmp_path: Path) -> None:
    import matplotlib.pyplot as plt

    model, data, _ = files
    found = explain_recording(model, data)
    before = sorted(tmp_path.iterdir())
    page = found.report(tmp_path / "page.html")
    assert sorted(tmp_path.iterdir()) == sorted([*before, page])  # one file, and its figures are inside
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") >= 3
    assert "Where on the head" in text
    with pytest.raises(InputError, match=r"page\.html: exists"):
        found.report(page)
    assert found.report(page, overwrite=True) == page
    with pytest.raises(InputError, match="there is no folder"):
        found.report(tmp_path / "none" / "page.html")
    figure = found.plot()
    assert len(figure.axes) >= 2
    figure.savefig(tmp_path / "head.png")
    assert (tmp_path / "head.png").stat().st_size > 10_000
    assert plt.get_fignums() == []


def test_it_shows_itself(make_contract: MakeContract, make_model: Make, recorded: Make) -> None:
    contract = make_contract(classes=("<b>left</b>", "right"))
    found = explain_recording(make_model(contract), recorded(marks=MARKS))
    said, table = repr(found), found._repr_html_()
    assert said.startswith("<ExplainedRecording: ")
    assert len(said) < 300
    assert "\n" not in said
    assert f"{len(found.windows)} windows" in said
    assert repr(found.windows).startswith(f"<Windows: {len(found.windows)} windows of ")
    for what, _ in found.lines():
        assert f">{what}</th>" in table
    assert ".plot()" in table
    assert "<b>left" not in table
    assert len(table) < 20_000


def test_no_plot_without_a_head(make_contract: MakeContract, make_model: Make, recorded: Make) -> None:
    names = ("E1", "E2", "E3")
    found = explain_recording(make_model(make_contract(names)), recorded(names=names))
    with pytest.raises(InputError, match="head map"):
        found.plot()
