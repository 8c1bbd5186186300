"""evaluation.json, curves.csv, the figures and report.html of an evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...engine.evaluation.intervals import estimate
from ...engine.steps import step
from ..drawing.sections import Table
from ..explanation.provenance import write_json
from ..studies.evaluate import Evaluation
from ..text import write_csv
from .evaluation_figures import draw
from .html import Drawing, provenance
from .html import write as write_page


def write(found: Evaluation, out: Path, *, report: bool = True) -> list[Path]:
    """Write evaluation.json and curves.csv, and with `report` the figures and report.html.

    Parameters
    ----------
    found : Evaluation
    out : Path
        A folder that exists.
    report : bool

    Returns
    -------
    list of Path
        The files written.
    """
    step("writing the results")
    head = ["replacement", "method", "first", "gone", "value", "low", "high"]
    files = [
        write_json(found.summary(), out / "evaluation.json"),
        write_csv(head, _curves(found), out / "curves.csv"),
    ]
    if not report:
        return files
    step("drawing the figures")
    curves, others = draw(found, out)
    files += [path for d in (*curves, *others) for path in d.files]
    step("writing the report")
    return [*files, _page(found, curves, others, out / "report.html")]


def _curves(found: Evaluation) -> Iterator[tuple[object, ...]]:
    """A row for each replacement, method, direction and step."""
    seed = found.sample.setting.seed
    for replacement, each in found.measured.curves.items():
        for method, curves in each.items():
            for first, values in (("most", curves.most), ("least", curves.least)):
                for part, column in zip(curves.gone, values.T, strict=True):
                    e = estimate(column, seed=seed)
                    yield replacement, method, first, float(part), e.value, e.low, e.high


def _page(found: Evaluation, curves: list[Drawing], others: list[Drawing], path: Path) -> Path:
    about = found.sample.provenance
    return write_page(
        "evaluation.html",
        path,
        about=about,
        sample=found.sample,
        features=len(found.measured.features),
        sentences=found.sentences(),
        curves=curves,
        others=others,
        metrics=metrics_table(found),
        stability=_stability(found),
        notes=[*found.notes, *found.measured.sanity.notes],
        provenance=provenance(about, "data", target=True),
    )


def metrics_table(found: Evaluation) -> Table:
    """Every metric of every method, beside random orders and power.

    Parameters
    ----------
    found : Evaluation

    Returns
    -------
    Table
    """
    head = (
        "metric",
        "in Quantus",
        "better",
        "replacement",
        "method",
        "value",
        "random",
        "power",
        "over random",
    )
    rows = [
        (
            r.metric.name,
            r.metric.quantus,
            r.metric.better,
            r.replacement,
            r.method,
            r.value,
            "" if r.random is None else f"{r.random.value:.3g}",
            "" if r.power is None else f"{r.power.value:.3g}",
            "" if r.over_random is None else r.over_random,
        )
        for r in found.table()
    ]
    return Table(head, rows, (6, 7))


def _stability(found: Evaluation) -> Table:
    """What changes of the input do to the map and to what is explained."""
    head = ("change", "rank correlation", "of power", "of random maps", "explained number moves by")
    rows = [
        (what, c.similarity.rank, c.power.rank, c.random.rank, f"{c.output} {found.sample.unit}")
        for what, c in found.measured.stability.items()
    ]
    return Table(head, rows)
