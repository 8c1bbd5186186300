"""report.html of one recording: the answer first, then the maps, what was decided, what to beware of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..explained import Explained, predictions, truth
from ..text import counted, plain
from .html import Drawing, Slides, bullets, page, safe, table
from .recording_figures import EMBEDDING, EVENTS, HEADS, RHYTHMS, RHYTHMS_IN_TIME, STRATEGIES, Drawn
from .recording_sections import clusters_section, layers_section, limits, locked_section, positions_section

LIMITS = (
    "Relevance tells how this model's output came about from this input. It does not tell how the brain "
    "works, nor that the model is right, and a map alone proves nothing: check it by taking the feature "
    "away, and against the same model with random weights.",
    "Normalisation layers that pool over electrodes (LaBraM's GroupNorm, for one) let a large artefact on "
    "two electrodes rescale all the others. Rules that hold the standard deviation constant show nothing "
    "of this path (docs/ground-truth.md measures it): occlusion, or a composite such as cplrp_pooled, does.",
    "A model can use a channel to subtract noise from another one. Such suppressor channels get "
    "relevance although nothing of the class is in them.",
    "Relevance on an electrode is not activity under it: electrodes see sources far away, and references and "
    "splined channels mix them.",
    "Colours between electrodes on the head maps are interpolated; only the electrodes' own values count.",
)

CLOSURE = (
    "abs(relevance + ledger - explained), relative to the larger of what was explained and the largest "
    "relevance"
)


def write_report(explained: Explained, drawn: Drawn, path: Path) -> Path:
    """Write the report of one recording.

    Parameters
    ----------
    explained : Explained
    drawn : Drawn
        Its figures.
    path : Path

    Returns
    -------
    Path
    """
    summary = explained.summary()
    sections: list[tuple[str, str | Drawing | Slides]] = [("The answer", answer(explained, summary))]
    maps = list(drawn.figures)
    if maps and maps[0].title == "Where on the head":
        sections.append((maps[0].title, maps.pop(0)))
    if drawn.slides is not None:
        sections.append((drawn.slides.title, drawn.slides))
    sections.append(("How much reached the input", _ledger(summary)))
    later = (RHYTHMS, RHYTHMS_IN_TIME, EVENTS, HEADS, EMBEDDING, STRATEGIES)
    sections += [(d.title, d) for d in maps if d.title not in later]

    def with_figure(title: str, text: str) -> list[tuple[str, str | Drawing | Slides]]:
        return [(title, text), *((f"{title}: figure", d) for d in maps if d.title == title)]

    if summary["locked"]:
        sections += with_figure(EVENTS, locked_section(summary["locked"]))
    if summary["clusters"] is not None:
        onsets = explained.windows.onsets.tolist()
        sections += with_figure(STRATEGIES, clusters_section(summary["clusters"], onsets))
    if summary["baselines"]:
        sections.append(("Beside it", _baselines(summary)))
    if summary["components"]:
        sections.append(("Brain, eye, muscle, heart", _components(summary)))
    if summary["bands"]:
        sections.append((RHYTHMS, _bands(summary)))
        sections += [("Rhythms by electrode", d) for d in maps if d.title == RHYTHMS]
        sections += [(d.title, d) for d in maps if d.title == RHYTHMS_IN_TIME]
    inside = summary["inside"]
    if inside is not None and inside["layers"]:
        sections += with_figure(HEADS, layers_section(inside))
    if inside is not None and inside["positions"] is not None:
        sections += with_figure(EMBEDDING, positions_section(inside["positions"], summary["unit"]))
    sections += [
        ("Decisions made on the recording", bullets([*summary["decisions"], *drawn.said])),
        (
            "What to beware of",
            bullets([*summary["notes"], *limits(summary, explained.windows.sfreq), *LIMITS]),
        ),
        ("Windows", _windows(explained)),
        ("Provenance", _provenance(summary)),
    ]
    return page("What the model used", sections, path)


def answer(explained: Explained, summary: dict[str, Any]) -> str:
    """The first section: what was explained, how often the model was right, where the relevance lies."""
    unit, value = safe(explained.unit), summary["explained"]
    model = summary["model"]["name"] or summary["model"]["file"]
    said = [
        f"<b>{safe(model)}</b> on <b>{safe(summary['data']['file'])}</b>: {safe(summary['what'])} "
        f"is explained in {counted(summary['windows'], 'window')} of {explained.contract.seconds:g} s "
        f"(mean {value['mean']:.3g} {unit}, {value['min']:.3g} to {value['max']:.3g})."
    ]
    right = summary["accuracy"]
    if right is not None:
        said.append(
            f"The model is right in {right['correct']} of {right['of']} labelled windows "
            f"({right['accuracy']:.0%})."
        )
    named = [s for s in summary["shares"] if s["electrodes"]]
    for share in named:
        said.append(
            f"<b>{share['share']:.0%}</b> of the relevance lies on {safe(share['name'])} electrodes, which "
            f"are {share['of_electrodes']:.0%} of all."
        )
    text = f"<p class='answer'>{' '.join(said)}</p>"
    text += share_table(named, unit, "Electrode set")
    text += "<p>By region (these sum to the whole):</p>" + share_table(summary["regions"], unit, "Region")
    return text + (
        "<p>Relevance share: each electrode's relevance is summed over the window, then the sizes over a set "
        "are divided by the sizes over all electrodes, and the ratios averaged over windows. "
        "The signed sum is the mean over windows, in the unit of what was explained; for and "
        "against cancel in it.</p>"
    )


def share_table(rows: Sequence[dict[str, Any]], unit: str, what: str) -> str:
    """A table of shares with bars."""
    head = (
        f"<tr><th>{safe(what)}</th><th class='n'>relevance share</th><th></th>"
        f"<th class='n'>share of electrodes</th><th class='n'>signed sum ({unit})</th>"
        "<th>electrodes</th></tr>"
    )
    body = "".join(
        f"<tr><td>{safe(r['name'])}</td><td class='n'>{r['share']:.1%}</td>"
        f"<td><span class='bar' style='width:{_width(r['share']):.1f}em'></span></td>"
        f"<td class='n'>{r['of_electrodes']:.1%}</td><td class='n'>{r['signed']:+.3g}</td>"
        f"<td>{safe(' '.join(plain(e, 12) for e in r['electrodes']))}</td></tr>"
        for r in rows
    )
    return f"<div class='wide'><table><thead>{head}</thead><tbody>{body}</tbody></table></div>"


def _baselines(summary: dict[str, Any]) -> str:
    """Shares of sets under the model and its baselines, and how alike they are."""
    found = summary["baselines"]
    sides = [*found["electrodes"]]
    rows: list[tuple[object, ...]] = [
        (name, *(f"{each[s]:.1%}" for s in sides)) for name, each in found["sets"].items()
    ]
    alike = found["agreement"]
    for key, what in (("cosine", "cosine with this model"), ("rank", "rank correlation with it")):
        rows.append((what, "", *(f"{alike[s][key]:.2f}" for s in sides[1:])))
    text = table(("relevance share", *sides), rows, numbers=range(1, len(sides) + 1))
    csp = found["csp"]
    if csp is not None:
        text += (
            f"<p>CSP with LDA is right in {csp['accuracy']:.0%} of {csp['windows']} windows in "
            f"{csp['folds']}-fold cross-validation (95 % interval {csp['low']:.0%} to {csp['high']:.0%}; "
            f"chance {csp['chance']:.0%}). Its shares are those of its patterns (Haufe et al. 2014).</p>"
        )
    return text + (
        "<p>Random weights: copies of the network with shuffled weights, on the same windows. A map that "
        "they share is the architecture's or the signal's. Cosine compares where most lies; the rank "
        "correlation counts the many electrodes with little as much as the few with most.</p>"
    )


def _components(summary: dict[str, Any]) -> str:
    """The table of classes of independent components."""
    head = (
        "Class",
        "relevance share",
        "with classes as units",
        "share of variance",
        "signed sum",
        "components",
    )
    rows = [
        (
            c["name"],
            f"{c['share']:.1%}",
            f"{c['of_classes']:.1%}",
            f"{c['of_variance']:.1%}",
            f"{c['signed']:+.3g}",
            c["components"] or "",
        )
        for c in summary["components"]
    ]
    return table(head, rows, numbers=range(1, 6)) + (
        "<p>The signal is split into independent components, each labelled by ICLabel; relevance goes with "
        "them through the multiplier, exactly. <i>residual</i> is what no component has.</p>"
    )


def _bands(summary: dict[str, Any]) -> str:
    """The table of frequency bands."""
    head = ("Band", "Hz", "relevance share", "share of frequencies", f"signed sum ({summary['unit']})")
    rows = [
        (
            b["name"],
            f"{b['lower']:g} to {b['upper']:g}" if np.isfinite(b["lower"]) else "",
            f"{b['share']:.1%}",
            f"{b['of_frequencies']:.1%}",
            f"{b['signed']:+.3g}",
        )
        for b in summary["bands"]
    ]
    return table(head, rows, numbers=(2, 3, 4)) + (
        "<p>Each electrode's relevance is split into bands through the multiplier (Parseval), exactly: the "
        "bands add up to the electrode's relevance. <i>rest</i> is what lies in no band: the constant part, "
        "below the first and above the last.</p>"
    )


def _width(share: float) -> float:
    return 8 * share if np.isfinite(share) else 0.0


def _ledger(summary: dict[str, Any]) -> str:
    value = summary["explained"]["mean"]
    rows: list[tuple[object, ...]] = [("the input (electrodes and time)", f"{summary['reached_input']:+.4g}")]
    rows += [(f"kept back: {kind}", f"{amount:+.4g}") for kind, amount in summary["ledger"].items() if amount]
    rows.append(("sum", f"{summary['reached_input'] + sum(summary['ledger'].values()):+.4g}"))
    rows.append(("explained", f"{value:+.4g}"))
    text = table(("where it went", f"mean ({summary['unit']})"), rows, numbers=(1,))
    if "unassigned" in summary:
        text += f"<p>Of what reached the input, {summary['unassigned']:+.4g} came without a multiplier.</p>"
    if summary["closure"] is not None:
        text += (
            f"<p>Closure: {summary['closure']:.1e} at worst. This is {safe(CLOSURE)}; "
            "entries are computed from their causes, so a wrong rule would leave the account open.</p>"
        )
    return text


def _windows(explained: Explained, most: int = 200) -> str:
    windows, data = explained.windows, explained.dataset
    guess, real = predictions(explained), truth(windows.labels, explained.contract.classes)
    classes = explained.contract.classes
    rows: list[tuple[object, ...]] = []
    for i in range(min(len(windows), most)):
        said = "" if guess is None else classes[guess[i]] if classes else guess[i]
        verdict = "" if guess is None or real[i] < 0 else "right" if guess[i] == real[i] else "wrong"
        value = f"{data['explained'].values[i]:.3g}"
        rows.append((i, f"{windows.onsets[i]:.2f}", windows.labels[i] or "", said, verdict, value))
    head = ("window", "onset (s)", "label", "model says", "", f"explained ({explained.unit})")
    more = (
        f"<p>The first {most} of {len(windows)}; all are in relevance.nc.</p>" if len(windows) > most else ""
    )
    return more + table(head, rows, numbers=(0, 1, 5))


def _provenance(summary: dict[str, Any]) -> str:
    rows = [
        ("model", f"{summary['model']['file']} (sha256 {summary['model']['sha256']})"),
        ("recording", f"{summary['data']['file']} (sha256 {summary['data']['sha256']})"),
        *((k, "" if v in (None, {}) else v) for k, v in summary["options"].items()),
        ("versions", ", ".join(f"{k} {v}" for k, v in summary["versions"].items())),
    ]
    return table((), [(str(k).replace("_", " "), v) for k, v in rows])
