"""The page of a cohort: where most is over subjects, then the maps, the subjects, and who was refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...engine.steps import step
from ..drawing import figures, group_figures
from ..drawing.sections import Table
from ..studies.cohort_result import Cohort
from ..studies.group import Group, group_of
from ..text import counted, write_csv
from .html import Drawing
from .html import write as write_page

LIKELY = 0.05  # clusters with a p below it are outlined


def report_folder(store: Path) -> Path:
    """Where the report of a store lies: beside it, since Zarr knows no files but its own in a store."""
    return store.with_name(f"{store.stem}-report")


def write(cohort: Cohort, store: Path, out: Path, *, seed: int = 0) -> list[Path]:
    """Write subjects.csv, the figures and report.html.

    Parameters
    ----------
    cohort : Cohort
    store : Path
        What it was written to.
    out : Path
        A folder that exists.
    seed : int
        Of the permutations.

    Returns
    -------
    list of Path
    """
    group = group_of(cohort, store, seed=seed)
    step("drawing the figures")
    drawings = [] if group is None else _drawings(cohort, group, out)
    files = [p for d in drawings for p in d.files]
    rows = (
        [s.name, s.recordings, s.windows, s.accuracy, s.correlation, s.random, *s.most]
        for s in cohort.subjects()
    )
    head = [
        "subject",
        "recordings",
        "windows",
        "accuracy",
        "correlation",
        "random",
        "first",
        "second",
        "third",
    ]
    files.append(write_csv(head, rows, out / "subjects.csv"))
    step("writing the report")
    page = write_page(
        "cohort.html",
        out / "report.html",
        store=store.name,
        answer=cohort.answer(),
        whose=cohort.whose,
        counts=f"{counted(len(cohort.good), 'recording')} of {counted(len(cohort.maps()), 'subject')}",
        refused_count=counted(len(cohort.rows) - len(cohort.good), "recording"),
        test="" if group is None else group.said,
        drawings=drawings,
        regions=_shares(cohort),
        subjects=_subjects(cohort),
        refused=_refused(cohort),
        notes=() if group is None else group.notes,
    )
    return [*files, page]


def _drawings(cohort: Cohort, group: Group, out: Path) -> list[Drawing]:
    n = counted(len(group.subjects), "subject")
    found = []
    share = np.mean(list(cohort.maps().values()), axis=0)
    signed = 100 * group.signed.sum(-1).mean(0)
    figure, _ = figures.head_maps(
        {f"mean of {n}": signed}, group.channels, unit="% of a window's |relevance|", size=share
    )
    if figure is not None:
        path = figures.save(figure, out / "head_maps.png")
        caption = (
            "Relevance with its sign, summed over the window in parts of the window's |relevance|, and the "
            "share of each electrode: means over subjects, whose runs weigh alike."
        )
        found.append(Drawing(path, "On the head", caption))
    error = group.course.std(0, ddof=1) / len(group.course) ** 0.5 if len(group.course) > 1 else 0.0
    mean = group.course.mean(0)
    figure = group_figures.courses(
        (f"mean of {n}",), group.edges, mean[None], (mean - error)[None], (mean + error)[None],
        from_event=group.from_event,
    )  # fmt: skip
    path = figures.save(figure, out / "time_course.png")
    caption = (
        "Part of each window's |relevance| over time, mean of subjects; the band is one standard error over "
        "subjects, the dotted line is where evenly spread relevance would lie."
    )
    found.append(Drawing(path, "Over the window", caption))
    found.append(_clusters(group, out))
    return found


def _clusters(group: Group, out: Path) -> Drawing:
    """The mean signed map over electrodes and time, with clusters outlined."""
    masks = []
    test = group.test
    for cluster in () if test is None else test.clusters:
        if cluster.p < LIKELY and cluster.mask is not None:
            whole = np.zeros(group.signed.shape[1:], dtype=bool)
            whole[list(group.tested)] = cluster.mask
            masks.append(whole)
    figure = group_figures.cluster_map(
        100 * group.signed.mean(0), group.channels, group.edges, masks, from_event=group.from_event,
        unit="relevance (% of a window's |relevance|)   blue: against, red: for",
        title=f"mean of {counted(len(group.subjects), 'subject')}",
    )  # fmt: skip
    path = figures.save(figure, out / "clusters.png")
    outlined = (
        f"Outlined: {counted(len(masks), 'cluster')} with p below {LIKELY:g}."
        if test is not None and test.evaluable
        else "No cluster is outlined, since there is no test."
    )
    caption = f"Relevance with its sign, electrode by time, mean over subjects. {outlined}"
    return Drawing(path, "Where subjects agree in sign", caption)


def _shares(cohort: Cohort) -> Table:
    """Shares of regions and sets over subjects."""
    summary = cohort.summary()
    rows = [
        (
            each["name"] if kind == "regions" else f"{each['name']} (set)",
            f"{each['share']:.1%}" + ("" if each["spread"] is None else f" ± {each['spread']:.1%}"),
            f"{each['of_electrodes']:.1%}",
        )
        for kind in ("regions", "sets")
        for each in sorted(summary[kind], key=lambda e: -e["share"])
    ]
    return Table(("", "relevance share", "even"), rows, (1, 2))


def _refused(cohort: Cohort) -> Table:
    """Recordings that could not be explained, and why."""
    rows = [(r.name, r.subject, r.said) for r in cohort.rows if r.said]
    return Table(("recording", "subject", "why"), rows)


def _subjects(cohort: Cohort) -> Table:
    """Each subject, those that are least like the others first."""
    found = sorted(cohort.subjects(), key=lambda s: 1.0 if s.correlation is None else s.correlation)
    near = any(s.random is not None for s in found)
    rows = [
        (
            s.name,
            s.recordings,
            s.windows,
            "not known" if s.accuracy is None else f"{s.accuracy:.0%}",
            "" if s.correlation is None else f"{s.correlation:.2f}",
            *(("not known" if s.random is None else f"{s.random:.2f}",) if near else ()),
            ", ".join(s.most),
        )
        for s in found
    ]
    head = (
        "subject", "recordings", "windows", "accuracy", "correlation with the others",
        *(("like random weights",) if near else ()), "most on",
    )  # fmt: skip
    return Table(head, rows, range(1, len(head) - 1))
