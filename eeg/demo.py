"""The bundled demonstration: two models, one recording, and which of them takes a shortcut.

Both models tell imagined movement of the left hand from the right. One was trained on data in which eye
movements give the answer away, the other on data in which they do not. In the recording, half of the
saccades agree with the label and half contradict it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import models
from ..engine.errors import InputError
from ..engine.evaluation.randomisation import randomised_copy
from ..engine.evaluation.references import FEW
from ..engine.explainer import Explainer
from ..engine.steps import step
from .artefacts.glossary import EYE_PART
from .drawing import figures
from .drawing.sections import Table
from .explanation import dataset as views
from .explanation import shares
from .explanation.explain import explain_windows
from .explanation.explained import Explained, predictions, truth
from .explanation.provenance import versions, write_json
from .explanation.references import ReferenceOptions
from .recording.read import read
from .recording.slicing import tagged
from .recording.windows import cut
from .reports import html
from .reports.links import Link
from .reports.recording_figures import HEAD, draw
from .views.artefact_parts import ArtefactsCarry
from .views.explain import explained_both_ways
from .views.registry import with_views

NAMES = ("honest", "shortcut")
SETS = ("frontal-ocular", "sensorimotor")
EVENTS = "left,right"


@dataclass(frozen=True)
class DemoModel:
    """What the demonstration found about one model.

    Attributes
    ----------
    name : str
    accuracy : dict of str to float
        "agree" and "contradict": how often the model is right where saccades do so.
    windows : dict of str to int
        The windows that each accuracy counts.
    share : dict of str to float
        Relevance share of each electrode set.
    share_of_electrodes : dict of str to float
    share_random : dict of str to float
        The same in copies with permuted weights, mean over copies.
    closure : float
        Largest over windows.
    explained : Explained
    """

    name: str
    accuracy: dict[str, float]
    windows: dict[str, int]
    share: dict[str, float]
    share_of_electrodes: dict[str, float]
    share_random: dict[str, float]
    closure: float
    explained: Explained

    def said(self) -> list[str]:
        """Where, when and in which band, and what the artefacts' parts carry: sentences of the answer."""
        answer = self.explained.answer
        own = [text for what, text in answer.own() if what in ("answer", "where", "when", "band")]
        artefacts = (answer.beside or {}).get("artefacts", "")
        return [*own, *([artefacts] if artefacts else [])]

    def eyes(self) -> float:
        """The part of the relevance that the eyes' part carries; NaN where they were not seen."""
        view = self.explained.views.get("artefacts")
        return view.carried.get("eyes", float("nan")) if isinstance(view, ArtefactsCarry) else float("nan")


@dataclass(frozen=True)
class DemoResult:
    """The demonstration's models, the seed of the random copies, and how long explaining them took."""

    models: tuple[DemoModel, ...]
    seed: int
    copies: int
    seconds: float

    def head(self) -> list[str]:
        """Column names of the table: one column a model."""
        return ["", *(m.name for m in self.models)]

    def rows(self) -> list[list[str]]:
        """The table's rows: a quantity, then its value for each model."""
        each = self.models
        out = [
            ["right, saccades agree", *(f"{m.accuracy['agree']:.0%}" for m in each)],
            ["right, saccades contradict", *(f"{m.accuracy['contradict']:.0%}" for m in each)],
        ]
        found = [m.explained.answer.where for m in each]
        out += [
            ["most relevance on", *("" if w is None else " and ".join(w.electrodes) for w in found)],
            ["share there", *("" if w is None else f"{w.share:.0%}" for w in found)],
            ["spread evenly", *("" if w is None else f"{w.even:.0%}" for w in found)],
            [
                f"{EYE_PART} carries",
                *(f"{round(100 * e) or 0}%" if e == e else "" for e in map(DemoModel.eyes, each)),
            ],
        ]
        for name in SETS:
            out += [
                [f"{name} electrodes: relevance share", *(f"{m.share[name]:.0%}" for m in each)],
                [f"{name} electrodes: with random weights", *(f"{m.share_random[name]:.0%}" for m in each)],
                [f"{name} electrodes: part of all", *(f"{m.share_of_electrodes[name]:.0%}" for m in each)],
            ]
        return [*out, ["ledger closure", *(f"{m.closure:.0e}" for m in each)]]

    def summary(self) -> dict[str, Any]:
        """The numbers as plain data."""
        each = []
        for m in self.models:
            numbers = {k: v for k, v in vars(m).items() if k != "explained"}
            each.append({**numbers, "answer": m.explained.answer.summary(), **m.explained.provenance})
        return {"models": each, "seed": self.seed, "copies": self.copies, "versions": versions()}


def run_demo(
    *, seed: int = 0, threads: int | None = None, copies: int = 3, folder: Path | None = None
) -> DemoResult:
    """Explain both models on the recording.

    Parameters
    ----------
    seed : int
        Of the first random-weight copy; the others count on from it.
    threads : int, optional
        Of onnxruntime.
    copies : int
        Random-weight copies of each model.
    folder : Path, optional
        Where honest.onnx, shortcut.onnx and recording.edf are; by default those that come along.

    Returns
    -------
    DemoResult
    """
    began = time.monotonic()
    folder = folder or Path(models.__file__).parent / "demo"
    step("reading the demo's recording")
    recording = read(folder / "recording.edf")
    found = []
    for name in NAMES:
        path = folder / f"{name}.onnx"
        step(f"explaining {name}.onnx")
        explainer = Explainer(path, composite="attnlrp", threads=threads)
        contract = explainer.contract
        if contract is None:
            raise InputError(f"{path}: no input contract in its metadata")
        windows = cut(recording, contract, events=EVENTS)
        about = {
            "model": {"file": path.name, "name": name, "sha256": explainer.sha256},
            "data": {"file": recording.name},
            "target": "predicted",
            "contrast": "rest",
            "options": {
                "composite": "attnlrp",
                "threads": threads,
                "seed": seed,
                "against": "other",
                "references": FEW,
                "events": EVENTS,
            },
        }
        own, zero = explained_both_ways(
            explainer, windows, contract, ReferenceOptions(), {"provenance": about}, seed=seed
        )
        explained = with_views(own, {}, seed=seed, model=path, plain=zero)
        random: list[list[shares.Share]] = []
        with tempfile.TemporaryDirectory() as temporary:
            for i in range(copies):
                step(f"explaining copies of {name}.onnx with random weights", i / copies)
                copy = randomised_copy(path, Path(temporary) / f"{i}.onnx", seed + i)
                scrambled = explain_windows(
                    Explainer(copy, composite="difference", threads=threads),
                    windows,
                    contract,
                    target=[int(t) for t in own.dataset["target"].values],
                    references=own.references,
                )
                random.append(shares.by_set(scrambled.relevance, windows.channels))
        found.append(_measured(name, explained, random))
    return DemoResult(tuple(found), seed, copies, time.monotonic() - began)


def _measured(name: str, explained: Explained, random: Sequence[Sequence[shares.Share]]) -> DemoModel:
    labels = explained.windows.labels
    real, guess = truth(labels, explained.contract.classes), predictions(explained)
    accuracy, count = {}, {}
    for tag in ("agree", "contradict"):
        rows = np.array([label is not None and tagged(label, tag) for label in labels]) & (real >= 0)
        count[tag] = int(rows.sum())
        right = np.zeros(0) if guess is None else guess[rows] == real[rows]
        accuracy[tag] = float(right.mean()) if len(right) else float("nan")
    own = {s.name: s for s in shares.by_set(explained.relevance, explained.windows.channels)}
    return DemoModel(
        name=name,
        accuracy=accuracy,
        windows=count,
        share={s: own[s].share for s in SETS},
        share_of_electrodes={s: own[s].of_electrodes for s in SETS},
        share_random={
            s: float(np.mean([x.share for each in random for x in each if x.name == s]))
            if random
            else float("nan")
            for s in SETS
        },
        closure=float(np.max(explained.dataset["closure"].values)),
        explained=explained,
    )


def write_demo(result: DemoResult, out: Path, links: Sequence[Link] = ()) -> list[Path]:
    """Write the report of both models side by side, the figures, the Datasets and summary.json.

    Parameters
    ----------
    result : DemoResult
    out : Path
        A folder that exists.
    links : sequence of Link
        Other reports of the run.

    Returns
    -------
    list of Path
        The files written.
    """
    files = []
    maps: list[tuple[str, html.Drawing]] = []
    for m in result.models:
        step(f"drawing {m.name}")
        files.append(views.save(m.explained.dataset, out / f"{m.name}.nc"))
        drawn = draw(m.explained, out, prefix=f"{m.name}_", windows=1)
        maps += [(f"{m.name}: {d.title[0].lower()}{d.title[1:]}", d) for d in drawn.drawings()]
        files += [path for d in drawn.drawings() for path in d.files]
    maps.sort(key=lambda pair: pair[1].title != HEAD)
    both = _side_by_side(result, out)
    files += [path for d in both for path in d.files]
    summary = write_json(result.summary(), out / "summary.json")
    step("writing the report")
    page = html.write(
        "demo.html",
        out / "report.html",
        result=result,
        numbers=Table(result.head(), result.rows(), range(1, len(result.head()))),
        both=both,
        links=links,
        maps=maps,
        decisions=result.models[0].explained.windows.decisions,
        provenance=_provenance(result),
    )
    return [*files, summary, page]


def _side_by_side(result: DemoResult, out: Path) -> list[html.Drawing]:
    """Both models' maps on one scale; none where it is not known where the electrodes lie."""
    first = result.models[0].explained
    figure = figures.share_maps(
        {m.name: shares.by_electrode(m.explained.relevance) for m in result.models}, first.electrodes
    )
    if figure is None:
        return []
    held = "" if first.references is None else f" against {first.references.how}"
    caption = f"Relevance share of each electrode{held}, mean over windows; both models on one scale."
    return [html.Drawing(figures.save(figure, out / "both.png"), "What each model reads", caption)]


def _provenance(result: DemoResult) -> Table:
    rows = [(m.name, f"sha256 {m.explained.provenance['model']['sha256']}") for m in result.models]
    rows += [("seed", str(result.seed)), ("explained in", f"{result.seconds:.1f} s, without the gate")]
    return Table((), [*rows, *versions().items()])
