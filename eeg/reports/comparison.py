"""The page of a comparison: where the sides differ first, then the maps, then how alike they are."""

from __future__ import annotations

from pathlib import Path

from ..drawing import figures
from ..drawing.sections import Table
from ..explanation.provenance import write_json
from ..studies.compare import Comparison
from ..text import write_csv
from .html import Drawing
from .html import write as write_page


def write(found: Comparison, out: Path) -> list[Path]:
    """Write comparison.json, electrodes.csv, shares.csv, the maps and report.html.

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
    rows = ([r.kind, r.name, *r.share, r.of_electrodes, r.effect and r.effect.value] for r in found.rows)
    files = [
        write_json(found.to_dict(), out / "comparison.json"),
        write_csv(["electrode", *found.labels], electrodes, out / "electrodes.csv"),
        write_csv(["kind", "name", *found.labels, "of_electrodes", "effect"], rows, out / "shares.csv"),
    ]
    maps = _maps(found, out)
    if maps is not None:
        files.append(maps.path)
    sets = [r for r in found.rows if r.kind == "set"] or list(found.rows)
    page = write_page(
        "comparison.html",
        out / "report.html",
        most=max(sets, key=lambda r: abs(r.share[0] - r.share[1])),
        labels=found.labels,
        first=found.agreements[0],
        test=found.test,
        maps=maps,
        shares=_shares(found),
        agreements=_agreements(found),
        notes=found.notes,
    )
    return [*files, page]


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


def _shares(found: Comparison) -> Table:
    """Shares of sets, regions and bands on each side, and how far the sides are apart."""
    head = ("", *found.labels, "share of electrodes", "effect")
    rows = [
        (
            r.name,
            *(f"{s:.1%} ± {d:.1%}" for s, d in zip(r.share, r.spread, strict=True)),
            f"{r.of_electrodes:.1%}",
            ""
            if r.effect is None
            else f"{r.effect.value:+.2f} ({r.effect.low:+.2f} to {r.effect.high:+.2f})",
        )
        for r in found.rows
    ]
    return Table(head, rows, range(1, len(head)))


def _agreements(found: Comparison) -> Table:
    """How alike each pair of sides is."""
    rows = [
        (
            f"{a.first}, {a.second}",
            f"{a.rank:.2f}",
            f"{a.cosine:.2f}",
            "" if a.per_window is None else f"{a.per_window:.2f} ({a.windows} windows)",
            "" if a.same_class is None else f"{a.same_class:.0%}",
        )
        for a in found.agreements
    ]
    head = ("", "rank correlation of electrodes", "cosine", "window by window", "same class explained")
    return Table(head, rows, (1, 2, 3, 4))
