"""docs/ground-truth.md of what studies/ground_truth.py measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from correctness import machine, table
from scipy import stats
from sources import SCENES

from onnxplain.eeg.explanation.bands import BANDS

COORDINATES = ("space", "time", "band")


def written(found: Mapping[str, dict[str, Any]], methods: tuple[str, ...]) -> str:
    """The document: a table for each coordinate, and what it says."""
    scenes = [s.name for s in SCENES if any(m["scene"] == s.name for m in found.values())]
    counted = {s: [m for m in found.values() if m["scene"] == s and m["counts"]] for s in scenes}
    text = [HEAD]
    rows = [_networks(s, [m for m in found.values() if m["scene"] == s], counted[s]) for s in scenes]
    text.append(table(("scene", "networks that count", "accuracy", "without the source"), rows))
    for coordinate in COORDINATES:
        rows = []
        for s in scenes:
            if not any(coordinate in m.get(methods[0], {}) for m in counted[s]):
                continue
            cells = [_cell([m[x][coordinate] for m in counted[s] if coordinate in m[x]]) for x in methods]
            rows.append((s, *cells, _even(s, counted[s], coordinate)))
        text += [f"\n## In {coordinate}\n", table(("scene", *methods, "even"), rows)]
    text += [
        "\n## What it says\n",
        _ranking(counted, methods) + _blind(counted, methods),
        "",
        FOOT,
        "",
        machine(),
        "",
    ]
    return "\n".join(text)


def _networks(scene: str, every: list[dict[str, Any]], counted: list[dict[str, Any]]) -> tuple[str, ...]:
    """A scene's row: how many networks count, how often they are right, and without the source."""
    right = [m["accuracy"] for m in counted] or [float("nan")]
    blind = [m["without"] for m in counted] or [float("nan")]
    return scene, f"{len(counted)} of {len(every)}", f"{np.mean(right):.2f}", f"{np.mean(blind):.2f}"


def _even(scene: str, networks: list[dict[str, Any]], coordinate: str) -> str:
    """The mass accuracy of relevance that is spread evenly: the truth's part of all units."""
    if coordinate == "band":
        bands = next(x.band for x in SCENES if x.name == scene)
        return f"{len(bands) / (len(BANDS) + 1):.2f}"
    return f"{np.mean([m['chance'][coordinate] for m in networks]):.2f}"


def _cell(values: list[list[float]]) -> str:
    """Mass accuracy with the standard error of its mean over networks, and rank accuracy."""
    if not values:
        return "-"
    mass, rank = np.array(values).T
    error = mass.std(ddof=1) / np.sqrt(len(mass)) if len(mass) > 1 else float("nan")
    return f"{mass.mean():.2f} ± {error:.2f} ({rank.mean():.2f})"


def _ranking(counted: Mapping[str, list[dict[str, Any]]], methods: tuple[str, ...]) -> str:
    """Which composite the tables recommend: mean ranks, and the best against the next."""
    said = []
    for coordinate in COORDINATES:
        able = [x for x in methods if x != "random"]
        pairs = [
            [m[x][coordinate][0] for x in able]
            for s in counted
            for m in counted[s]
            if all(coordinate in m.get(x, {}) for x in able)
        ]
        if not pairs:  # occlusion has no bands
            able = [x for x in able if x != "occlusion"]
            pairs = [
                [m[x][coordinate][0] for x in able]
                for s in counted
                for m in counted[s]
                if all(coordinate in m.get(x, {}) for x in able)
            ]
        if len(pairs) < 6:
            continue
        ranks = stats.rankdata(-np.array(pairs), axis=1).mean(axis=0)
        order = np.argsort(ranks)
        first, second = order[:2]
        difference = np.array(pairs)[:, first] - np.array(pairs)[:, second]
        p = stats.wilcoxon(difference).pvalue if np.any(difference) else 1.0
        said.append(
            f"* **{coordinate.capitalize()}**: best by mean rank over {len(pairs)} networks: "
            + ", ".join(f"{able[i]} ({ranks[i]:.1f})" for i in order)
            + f". {able[first]} against {able[second]}: Wilcoxon p = {p:.1g}."
        )
    return "\n".join(said)


def _blind(counted: Mapping[str, list[dict[str, Any]]], methods: tuple[str, ...]) -> str:
    """Scenes in which a method finds no more electrodes than a random multiplier."""
    said = []
    for s, networks in counted.items():
        at_chance = [
            x
            for x in methods
            if x != "random"
            and len(networks) > 5
            and stats.wilcoxon(
                [m[x]["space"][0] - m["random"]["space"][0] for m in networks], alternative="greater"
            ).pvalue
            > 0.05
        ]
        if at_chance:
            said.append(f"* {s}: {', '.join(at_chance)}")
    if not said:
        return ""
    return "\n\nNot above chance in space (one-sided Wilcoxon over networks, p > 0.05):\n\n" + "\n".join(said)


HEAD = """# Ground truth

Does relevance lie where the truth is known to be? One source is planted through MNE's forward model into
simulated EEG (27 electrodes, 2 s at 200 Hz), and decides the class. A small LaBraM (2 layers) is trained
on 800 windows of one head; it counts only when it is right in 80 % of new windows and at most in 65 % once
the source is taken out of them. Up to 32 windows that it gets right are explained (the predicted class
against the rest). Everything is made by `python studies/ground_truth.py`; the truth was fixed before any
network was trained:

* *space*: electrodes on which the source's lead field is at least half its largest;
* *time*: 50 ms bins in which the source acts for at least half of the bin (scenes whose source acts for a
  while);
* *band*: the source's band, against all other bands and the rest (relevance by band through the
  multiplier).

Each cell is relevance mass accuracy (the part of |relevance|, summed within an electrode, bin or band
first, that lies inside the truth) with the standard error over networks, and in brackets rank accuracy
(Arras et al. 2022, eq. 1 and 2). *random* is a random multiplier times the same signal: it follows
amplitude, and is a stricter chance than *even*, the truth's part of all electrodes, bins or bands.
Occlusion has no multiplier, and so no bands.

Scenes: *mu*: mu over both hand areas, weaker on one side; *alpha*: occipital alpha, strong or weak; *erp*:
a slow deflection over the left hand area, or none; *blink*: a blink, or none; *saccade*: to the left or to
the right; *heart*: R peaks that are seen on the head, or are not.
"""

FOOT = """A mass accuracy of 1 is not to be expected: background that a network subtracts (suppressors) gets
relevance too, and fields reach further than half of their largest. Read the columns against *random*, and
against each other.

What to use, then. Where rhythms and potentials of the brain decide, `cplrp` and `attnlrp` find electrodes,
time and band better than gradients do: they are the ones for bands, and for where the brain's sources are.
Where a large artefact decides, they can be blind to it: for a blink both are below a random multiplier. It
is the path through GroupNorm, which takes its standard deviation over all electrodes: `cplrp_pooled` and
`attnlrp_pooled` change nothing but the derivative of that norm (LayerNorm keeps the LN rule), and see the
blink. `cplrp_pooled` is above chance in space in every scene, and pays for it in bands: it is the one to
look for shortcuts with, beside occlusion, which is best in space and time and costs the most. A map by one
method that shows no artefact is no proof that there is none: look at two unlike ones, and take the
artefact away.

How this came about. The amplitudes of *erp* and *heart* were raised, on other seeds and on seed 0 of
*erp*, until networks learnt them. "attnlrp, true norms" was added after the first blink network had been
seen (seed 1000, not in the tables), to look into it: for that scene it is an exploration, not a
prediction. The two `_pooled` composites were made after that, and after the other methods had been
measured on ten seeds of each scene; which norms they treat was settled on one network of each scene (seed
1001, not in the tables). All seeds of the tables were run afterwards, once, on one state of the code. One
architecture and one head model; other networks may differ."""
