"""The page of a comparison: where the sides differ first, then the maps, then how alike they are."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from . import figures
from .compare import Comparison
from .page import Drawing, bullets, page, safe, table

LIMITS = (
    "A share says where a side's relevance lies, not how well it works: look at the accuracies beside.",
    "Two networks can agree on a map and disagree on every window, and the other way round: both are given.",
    "A difference between two recordings is one of two people. Give a folder with one explanation a subject "
    "for each side to compare cohorts.",
    "With several subjects a side, effects are in standard deviations over subjects (Cohen's d_z where both "
    "sides have the same ones, Hedges' g elsewhere), with bootstrap intervals.",
)


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
    files = [out / "comparison.json", out / "electrodes.csv", out / "shares.csv"]
    files[0].write_text(json.dumps(found.to_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    with files[1].open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["electrode", *found.labels])
        rows.writerows(
            [name, *map(float, column)]
            for name, column in zip(found.channels, found.electrodes.T, strict=True)
        )
    with files[2].open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["kind", "name", *found.labels, "of_electrodes", "effect"])
        rows.writerows(
            [r.kind, r.name, *r.share, r.of_electrodes, r.effect and r.effect.value] for r in found.rows
        )
    sections: list[tuple[str, str | Drawing]] = [("The answer", answer(found))]
    drawn = _maps(found, out)
    if drawn is not None:
        files.append(drawn.path)
        sections.append((drawn.title, drawn))
    sections += [
        ("Where the relevance lies", _shares(found)),
        ("How alike they are", _agreements(found)),
        ("What to beware of", bullets([*found.notes, *LIMITS])),
    ]
    return [*files, page("Explanations compared", sections, out / "report.html")]


def answer(found: Comparison) -> str:
    """The first section: the set on which the first two sides differ most, and how alike they are."""
    sets = [r for r in found.rows if r.kind == "set"] or list(found.rows)
    most = max(sets, key=lambda r: abs(r.share[0] - r.share[1]))
    each = "; ".join(
        f"<b>{share:.0%}</b> in {safe(label)}" for label, share in zip(found.labels, most.share, strict=True)
    )
    one = found.agreements[0]
    said = [
        f"They differ most on {safe(most.name)} electrodes ({most.of_electrodes:.0%} of all): {each}.",
        f"Their electrodes' shares correlate by {one.rank:.2f} (Spearman; {safe(one.first)} and "
        f"{safe(one.second)}).",
    ]
    if one.per_window is not None:
        said.append(
            f"On {one.windows} windows that both explained, the maps correlate by {one.per_window:.2f} "
            "on average."
        )
    if most.effect is not None:
        said.append(
            f"Over subjects the first two differ there by {most.effect.value:+.2f} standard deviations."
        )
    test = "" if found.test is None else f"<p>{safe(found.test)}</p>"
    return f"<p class='answer'>{' '.join(said)}</p>{test}"


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


def _shares(found: Comparison) -> str:
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
    return table(head, rows, numbers=range(1, len(head)))


def _agreements(found: Comparison) -> str:
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
    return table(head, rows, numbers=(1, 2, 3, 4))
