"""Pages are markup of ours alone, whatever files, electrodes, classes and annotations are called."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import xarray as xr
from jinja2 import UndefinedError
from matplotlib.figure import Figure

from onnxplain.cli import array_report
from onnxplain.eeg import demo
from onnxplain.eeg.drawing import figures
from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.eeg.electrodes.region_file import Regions
from onnxplain.eeg.exchange.confirm import Confirmed, Way
from onnxplain.eeg.explanation.around_events import EventLocked
from onnxplain.eeg.explanation.explained import Explained
from onnxplain.eeg.explanation.shares import BandShare
from onnxplain.eeg.explanation.view import View
from onnxplain.eeg.reports import comparison, evaluation, html
from onnxplain.eeg.reports import recording as recording_report
from onnxplain.eeg.reports.html import Drawing, Slides
from onnxplain.eeg.reports.recording_figures import HEAD, OVER_TIME, Drawn, DrawnSection
from onnxplain.eeg.review import page as review_page
from onnxplain.eeg.studies.compare import Comparison, ComparisonRow, SideAgreement
from onnxplain.eeg.studies.evaluate import Evaluation, evaluate
from onnxplain.eeg.studies.sides import SideScore
from onnxplain.eeg.studies.statistics import Interval
from onnxplain.eeg.views.artefact_parts import ArtefactsCarry
from onnxplain.eeg.views.baselines import BaselineComparison, SpatialAgreement
from onnxplain.eeg.views.clusters import Spray, Strategy
from onnxplain.eeg.views.components import ClassShare, ComponentClasses
from onnxplain.eeg.views.confirmed import PartsExchanged
from onnxplain.eeg.views.decoders import CspLda, DecoderAccuracy
from onnxplain.eeg.views.event_locked import AroundEvents
from onnxplain.eeg.views.network import InnerRelevance
from onnxplain.eeg.views.registry import kinds
from onnxplain.eeg.views.spectral import Rhythms
from onnxplain.eeg.views.zero import AgainstZero
from onnxplain.validation.gate import Verdict
from onnxplain.validation.looked import Looked
from onnxplain.validation.report import write_report
from onnxplain.validation.result import CheckResult

sys.path.insert(0, str(Path(__file__).parents[1]))

from explanations import made

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>&lt;b&amp; {{ 7 * 7 }} {% raw %}\u202e"
SEEN = HOSTILE.replace("\u202e", "?")
TEMPLATES = Path(html.__file__).parent / "templates"
Name = Callable[[str], str]  # what a thing is called: harmlessly, or not


def harmless(name: str) -> str:
    return f"{name} of no harm"


def hostile(name: str) -> str:
    return f"{name}{HOSTILE}"


class Page(HTMLParser):
    """The tags of a page with the names of their attributes, its text, and what is in its attributes."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, ...]] = []
        self.text = ""
        self.values: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *sorted(name for name, _ in attrs)))
        self.values += [value or "" for _, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        self.tags.append((f"/{tag}",))

    def handle_data(self, data: str) -> None:
        self.text += data


# -- one report of each kind, every name in it given by a function -------------------------------------


class Told(Explained):
    """An explanation whose summary has everything that a model and a recording can bring."""

    name: Name = staticmethod(harmless)

    def summary(self) -> dict[str, Any]:
        name = type(self).name
        return {
            **super().summary(),
            "what": name("what"),
            "notes": [name("note")],
            "decisions": [name("decision")],
            "unassigned": 0.25,
            "accuracy": {"correct": 3, "of": 4, "accuracy": 0.75},
            "ledger": {name("kind"): 0.5},
        }


def viewed(name: Name, channels: Electrodes, zero: Explained) -> dict[str, View]:
    """Every view there is, with names of files wherever one may be."""
    band = BandShare(name("band"), 1.0, 4.0, 0.4, 0.1, 0.2, 0.2)
    component = ClassShare(name("class"), 0.4, 0.1, 0.3, 0.2, 2, 0.5, 0.1)
    ones = np.ones(len(channels)) / len(channels)
    alike = {name("side"): SpatialAgreement(0.2, 0.3, 0.5)}
    right = (DecoderAccuracy("network", 0.9, 0.8, 1.0, 4, 0),)
    csp = CspLda(0.9, 0.8, 1.0, 0.5, ones, 4, 2, ())
    heads = xr.DataArray(
        np.ones((4, 1, 2)), {"tensor": ("layer", [name("tensor")])}, ("epoch", "layer", "head"), "heads"
    )
    places = xr.DataArray(
        np.ones((4, len(channels))), dims=("epoch", "channel"), attrs={"tensor": name("table")}
    )
    strategy = Strategy((0, 1), 0.5, ones, 0.9, None, {name("blink"): 0.3}, (0, 1))
    curve = np.ones(5)
    around = EventLocked(np.arange(5) / 10, curve, curve, curve, curve, curve, 9, 1, 0.2, 0.03)
    bands = xr.DataArray(
        np.ones((4, len(channels), 1)), {"band": [name("band")]}, ("epoch", "channel", "band")
    )
    way = Way(name("parts"), 0.8, 0.7, 0.9)
    every: tuple[View, ...] = (
        AroundEvents({name("event"): around}),
        Spray((strategy, strategy), np.ones(3), np.zeros(4, dtype=np.int64)),
        BaselineComparison({name("side"): ones}, alike, csp, (name("limit"),), right),
        ComponentClasses(bands, (component,), ()),
        Rhythms(bands, (band,)),
        InnerRelevance(heads, places, ()),
        PartsExchanged(Confirmed((name("first"),), 0.6, way, way, way, 9)),
        AgainstZero(name("composite"), zero, 0.5),
        ArtefactsCarry({"eyes": 0.4}, {"eyes": name("how")}, {}, 4),
    )
    assert {view.name for view in every} == {kind.name for kind in kinds()}
    return {view.name: view for view in every}


def explained(name: Name) -> Explained:
    rng = np.random.default_rng(0)
    channels = tuple(name(f"E{i}") for i in range(3))
    shape = (4, 3, 50)
    e = made(
        channels, signal=rng.normal(size=shape), multiplier=rng.normal(size=shape),
        target=np.array([0, 1, 0, 1]),
    )  # fmt: skip
    about = {"file": name("file"), "name": name("model"), "sha256": "0" * 64}
    kept = {
        "model": about,
        "data": about,
        "target": "predicted",
        "contrast": "rest",
        "options": {"composite": name("composite"), "an_option": None},
        "versions": {"onnxplain": name("1")},
    }
    contract = e.contract.model_copy(update={"classes": (name("left"), name("right"))})
    labels = tuple(name(each) for each in ("left", "right", "left", "right"))
    windows = replace(e.windows, labels=labels, decisions=(name("decision"),))
    regions = Regions(sets={name("set"): channels[:1]}, parts={name("region"): channels[1:]})
    made_by = type("Named", (Told,), {"name": staticmethod(name)})
    return made_by(  # type: ignore[no-any-return]
        e.dataset,
        windows,
        contract,
        kept,
        (name("note"),),
        unit=name("unit"),
        regions=regions,
        views=viewed(name, windows.channels, e),
    )


def pictured(name: Name, out: Path) -> Drawn:
    """A figure wherever there may be one, and slides."""
    figure = Figure(figsize=(1, 1))
    path = figures.save(figure, out / "figure.png")
    slides = Slides((figure, figure), OVER_TIME, (name("first"), name("second")))

    def drawing(title: str) -> Drawing:
        return Drawing(path, title, name("caption"))

    e = explained(name)
    sections = [
        DrawnSection(section, tuple((p.heading, drawing(p.title)) for p in section.pictures))
        for view in e.views.values()
        for section in view.sections(e)
    ]
    return Drawn((drawing(HEAD),), (drawing("Typical window 1"),), (name("lost"),), slides, tuple(sections))


def recording(name: Name, out: Path) -> Path:
    return recording_report.write_report(explained(name), pictured(name, out), out / "report.html")


def compared(name: Name, out: Path) -> Path:
    kinds: tuple[Literal["region", "electrode", "set"], ...] = ("region", "electrode", "set")
    rows = tuple(
        ComparisonRow(name(kind), kind, (0.5, 0.2), (0.1, 0.1), 0.3, Interval(0.2, 0.1, 0.3), None)
        for kind in kinds
    )
    alike = SideAgreement(name("a"), name("b"), 0.4, 0.5, 0.3, 9, 0.8)
    scores = tuple(SideScore(name(s), 1, 9, 0.5, 9, None, 0.2, {name("class"): 9}) for s in ("a", "b"))
    found = Comparison(
        (name("a"), name("b")), (1, 1), Electrodes([name(f"E{i}") for i in range(3)]), np.ones((2, 3)) / 3,
        rows, (alike,), scores, "subjects", name("test"), (name("note"),),
    )  # fmt: skip
    return comparison.write(found, out)[-1]


def demonstrated(name: Name, out: Path) -> Path:
    shares = dict.fromkeys(demo.SETS, 0.5)
    each = [
        demo.DemoModel(
            m, {"agree": 0.9, "contradict": 0.4}, {"agree": 4, "contradict": 4}, shares, shares, shares,
            1e-7, explained(name),
        )
        for m in demo.NAMES
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "draw", lambda *_, **__: pictured(name, out))
        return demo.write_demo(demo.DemoResult(tuple(each), 0, 1, 1.0), out)[-1]


def reviewed(name: Name, out: Path) -> Path:
    path = out / "review.html"
    text = review_page.render(name("review"), [(name("id"), name("class"), b"PNG")])
    path.write_text(text, encoding="utf-8")
    return path


def validated(name: Name, out: Path) -> Path:
    def result(role: Any, status: Any) -> CheckResult:
        return CheckResult(name(role), role, status, name("said"), 0.5, 0.4, name("eyes"))

    roles = ("follows", "sign", "task", "technical", "method", "data")
    results = [
        result(role, status) for role in roles for status in ("FAIL", "PASS", "NOT EVALUABLE", "REPORTED")
    ]
    followed = {"part": name("part"), "follows": 0.5, "low": 0.4, "high": 0.6, "judged": "outside"}
    results.append(CheckResult("follows.part", "follows", "FAIL", name("said"), 0.5, 0.4, evidence=followed))
    results.append(CheckResult("confirmed", "method", "PASS", name("confirmed"), 0.9))
    looked = Looked((name("at"),), (name("nothing"),), {name("kind"): name("why not")})
    about = {"file": name("file"), "sha256": "0" * 64}
    audit = {
        **dict.fromkeys(("model", "data", "policy"), about),
        "windows": 4, "subjects": 1, "seed": 0, "threads": None, "made": "today",
        "versions": {"onnxplain": name("1")}, "decisions": [name("decision")],
    }  # fmt: skip
    verdict = Verdict(
        "FAIL", name("said"), (name("reason"),), tuple(results), {name("task"): name("why")},
        {name("eyes"): (name("sign"),)}, (name("note"),), looked, audit,
    )  # fmt: skip
    return write_report(verdict, out / "report.html", [name("drift")])


def arrays(name: Name, out: Path) -> Path:
    about = {"file": name("file"), "sha256": "0" * 64, "samples": 3}
    summary: Mapping[str, Any] = {
        "model": about, "data": about, "target": name("class"), "output": name("output"),
        "against": name("3 of a file"),
        "contrast": "none",
        "options": {"composite": name("composite"), "parameters": {name("p"): 1}}, "closure": 1e-7,
        "ledger": {name("kind"): 0.5}, "notes": [name("note")],
    }  # fmt: skip
    picture = out / "x.png"
    picture.write_bytes(b"PNG")
    path = out / "report.html"
    path.write_text(array_report._page(summary, [(name("input"), picture)]), encoding="utf-8")
    return path


@dataclass(frozen=True)
class Evaluations:
    """An evaluation of a small model."""

    found: Evaluation

    def __call__(self, name: Name, out: Path) -> Path:
        sample = replace(
            self.found.sample,
            unit=name("unit"),
            decisions=(name("decision"),),
            provenance={
                "model": {"file": name("file"), "name": name("model"), "sha256": "0" * 64},
                "data": {"file": name("file"), "sha256": "0" * 64},
                "target": name("class"),
                "contrast": None,
                "options": {"methods": name("method")},
                "versions": {"onnxplain": name("1")},
            },
        )
        drawn = pictured(name, out).drawings()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(evaluation, "draw", lambda *_: (drawn[:1], drawn[1:2]))
            return evaluation.write(Evaluation(sample, self.found.measured, (name("note"),)), out)[-1]


@pytest.fixture
def evaluated(
    make_contract: Callable[..., Any], make_model: Callable[..., Path], recorded: Callable[..., Path]
) -> Evaluations:
    model = make_model(make_contract())
    return Evaluations(evaluate(model, recorded(), windows=4, methods=("attnlrp",), donors=1))


def _differ(of: Callable[[Name, Path], Path], folder: Path, least: int) -> None:
    pages = []
    for name in (harmless, hostile):
        out = folder / name.__name__
        out.mkdir()
        pages.append(Page(of(name, out)))
    good, bad = pages
    assert ("table",) in good.tags or ("fieldset", "data-id") in good.tags
    assert bad.tags == good.tags  # names make no tag and no attribute
    assert bad.text.count(SEEN) >= least  # and are there to be read, as text
    assert "\u202e" not in bad.source
    assert not re.findall(r"(?:@import|url\()\s*['\"]?\s*(?:https?:)?//", bad.source)


@pytest.mark.row("M21")
@pytest.mark.parametrize(
    ("of", "least"),
    [(recording, 30), (compared, 12), (demonstrated, 1), (reviewed, 1), (validated, 40), (arrays, 8)],
)
def test_names_are_text(of: Callable[[Name, Path], Path], least: int, tmp_path: Path) -> None:
    _differ(of, tmp_path, least)


@pytest.mark.row("M21")
def test_names_in_an_evaluation_are_text(evaluated: Evaluations, tmp_path: Path) -> None:
    _differ(evaluated, tmp_path, 8)


@pytest.mark.row("M21")
def test_names_in_attributes_are_text(tmp_path: Path) -> None:
    page = Page(reviewed(hostile, tmp_path))
    assert f"review{SEEN}" in page.values
    assert f"id{SEEN}" in page.values
    assert f"relevance of input{SEEN}" in Page(arrays(hostile, tmp_path)).values


# -- templates -----------------------------------------------------------------------------------------


def _templates() -> Iterator[Path]:
    yield from sorted(TEMPLATES.glob("*.html"))


def test_no_template_turns_escaping_off() -> None:
    assert len(list(_templates())) >= 10
    for path in _templates():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe\b|autoescape|Markup", text), path
        # Escaping holds for text and for attributes in quotes, not for scripts, styles and bare attributes.
        assert not re.search(r"<(script|style)>(?:(?!</\1>).)*\{\{", text, re.DOTALL), path
        assert not re.search(r"=\s*\{\{", re.sub(r"\{%.*?%\}", "", text, flags=re.DOTALL)), path


def test_only_one_module_makes_markup() -> None:
    root = Path(html.__file__).parents[2]
    makers = {
        path.name
        for folder in ("eeg", "validation", "cli")
        for path in (root / folder).rglob("*.py")
        if re.search(r"\bMarkup\b|html\.escape|</\w+>", path.read_text(encoding="utf-8"))
    }
    assert makers == {"html.py"}


def test_a_name_that_nobody_gave_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="shown"):
        html.render("review.html", review="r", judgements=())
