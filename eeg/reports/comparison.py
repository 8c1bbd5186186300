"""The page of a comparison: which side has more of what first, then the maps, then how alike they are."""

from __future__ import annotations

from pathlib import Path

from ..drawing import figures, group_figures
from ..drawing.sections import Table
from ..explanation.provenance import write_json
from ..studies.compare_result import Comparison, ComparisonRow, bounded
from ..text import write_csv
from .html import Drawing
from .html import write as write_page

SHOWN = 12  # electrodes of the page's table


def write(found: Comparison, out: Path) -> list[Path]:
    """Write comparison.json, electrodes.csv, shares.csv, the figures and report.html.

    Parameters
    ----------
    found : Comparison
    out : Path
        A folder that exists.

    Returns
    -------
    list of Path
    """
    electrodes = (
        [name, *map(float, column)] for name, column in zip(found.channels, found.electrodes.T, strict=True)
    )
    files = [
        write_json(found.to_dict(), out / "comparison.json"),
        write_csv(["electrode", *found.labels], electrodes, out / "electrodes.csv"),
        _write_shares(found, out / "shares.csv"),
    ]
    maps, course = _maps(found, out), _course(found, out)
    for drawn in (maps, course):
        files += drawn.files if drawn is not None else []
    page = write_page(
        "comparison.html",
        out / "report.html",
        answer=found.answer(),
        test=found.test,
        maps=maps,
        course=course,
        sides=_sides(found),
        regions=_shares(found, found.of_kind("region")),
        electrodes=_shares(found, found.of_kind("electrode")[:SHOWN]),
        left_out=max(0, len(found.channels) - SHOWN),
        sets=_shares(found, [r for r in found.rows if r.kind == "set"]),
        over=found.over,
        agreements=_agreements(found),
        notes=found.notes,
    )
    return [*files, page]


def _write_shares(found: Comparison, path: Path) -> Path:
    """A row for each region, electrode and set, with the bounds of what has an interval."""
    head = [
        "kind", "name", *found.labels, *(f"{label}, spread" for label in found.labels), "even", "difference",
        "difference_low", "difference_high", "interval_over", "effect", "effect_low", "effect_high",
    ]  # fmt: skip
    rows = (
        [
            r.kind, r.name, *r.share, *r.spread, r.of_electrodes, r.difference.value, *bounded(r.difference),
            found.over, r.effect and r.effect.value, *bounded(r.effect),
        ]
        for r in found.rows
    )  # fmt: skip
    return write_csv(head, rows, path)


def _maps(found: Comparison, out: Path) -> Drawing | None:
    figure = figures.share_maps(
        dict(zip(found.labels, found.electrodes, strict=True)), found.channels, difference=(0, 1)
    )
    if figure is None:
        return None
    path = figures.save(figure, out / "head_maps.png")
    return Drawing(
        path,
        "On the head",
        "Relevance share of each electrode on one scale, and at the right the first side less the second "
        "(red: more in the first).",
    )


def _course(found: Comparison, out: Path) -> Drawing | None:
    c = found.courses
    if c is None:
        return None
    figure = group_figures.courses(found.labels, c.times, c.share, c.low, c.high, from_event=c.from_event)
    units = "recordings (of windows where a side has one recording)"
    return Drawing(
        figures.save(figure, out / "time_course.png"),
        "Over the window",
        "Part of each window's |relevance| over time, mean of each side; the bands are one standard error of "
        f"{units}, the dotted line is where evenly spread relevance would lie.",
    )


def _sides(found: Comparison) -> Table:
    """How each side's model does."""
    rows = [
        (
            s.label,
            s.recordings,
            s.windows,
            s.said_accuracy,
            s.said_random,
            ", ".join(f"{name} in {n}" for name, n in s.explained.items()) or "not known",
        )
        for s in found.scores
    ]
    head = ("", "recordings", "windows", "accuracy", "like random weights", "class explained, in windows")
    return Table(head, rows, (1, 2, 4))


def _shares(found: Comparison, rows: list[ComparisonRow]) -> Table:
    """Shares on each side, and how far the first two sides are apart."""
    effects = any(r.effect is not None for r in rows)
    head = ("", *found.labels, "even", "difference (points)", *(["effect"] if effects else []))
    cells = []
    for r in rows:
        each = [f"{s:.1%} ± {d:.1%}" for s, d in zip(r.share, r.spread, strict=True)]
        line = [r.name, *each, f"{r.of_electrodes:.1%}", _points(r)]
        if effects:
            e = r.effect
            line.append("" if e is None else f"{e.value:+.2f} ({e.low:+.2f} to {e.high:+.2f})")
        cells.append(line)
    return Table(head, cells, range(1, len(head)))


def _points(row: ComparisonRow) -> str:
    low, high = bounded(row.difference)
    bounds = "" if low is None or high is None else f" ({100 * low:+.1f} to {100 * high:+.1f})"
    return f"{100 * row.difference.value:+.1f}{bounds}"


def _agreements(found: Comparison) -> Table:
    """How alike each pair of sides is."""
    rows = [
        (
            f"{a.first}, {a.second}",
            a.said_correlation,
            f"{a.rank:.2f}",
            "" if a.per_window is None else f"{a.per_window:.2f} ({a.windows} windows)",
            "" if a.same_class is None else f"{a.same_class:.0%}",
        )
        for a in found.agreements
    ]
    head = (
        "", "correlation of electrodes", "rank correlation", "window by window", "same class explained",
    )  # fmt: skip
    return Table(head, rows, (1, 2, 3, 4))
