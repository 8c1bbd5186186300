"""The figures of a verdict's first screen: what was exchanged, where decisions went, the map of the head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ..eeg.drawing import figures
from ..eeg.drawing.heads import INK
from ..eeg.reports.html import Drawing
from ..eeg.text import plain
from .shown import Shown

ALONG, STAYED, THIRD = "#6a51a3", "#d9d9d9", "#fdb863"
WIDE, HIGH = 4.0, 3.6  # inches
NAMES = ("exchanged", "decisions", "difference_map")


def pictures(shown: Shown, out: Path) -> list[Drawing]:
    """Draw them.

    Parameters
    ----------
    shown : Shown
    out : Path
        A folder that exists: files are named exchanged.png, decisions.png, difference_map.png.

    Returns
    -------
    list of Drawing
        Without the map where fewer than four electrodes have a place.
    """
    e = shown.example
    what = "decided" if shown.of_classes else "output"
    found = [
        Drawing(
            figures.save(exchanged_figure(shown), out / f"{NAMES[0]}.png", paper=False),
            "What was exchanged",
            f"{shown.part[0].upper()}{shown.part[1:]}, in a pair of windows, at {e.electrode}: "
            f"{what} {e.said[0]}; the part is from a window {what} {e.said[1]}; with it {e.said[2]}.",
        ),
        Drawing(
            figures.save(decisions_figure(shown), out / f"{NAMES[1]}.png", paper=False),
            "Where decisions went",
            "; ".join(f"{w.decided}: {w.along:.0%} of {w.pairs} pairs go along" for w in shown.went) + "."
            if shown.of_classes
            else f"The output goes {shown.went[0].along:.0%} of the way.",
        ),
    ]
    ringed = [shown.electrodes[i] for i in shown.rows]
    figure, _ = figures.head_maps(
        {}, shown.electrodes, unit="", size=shown.share, size_title="", ringed=ringed
    )
    if figure is not None:
        first = [shown.electrodes[i] for i in np.argsort(-shown.share, kind="stable")[:3]]
        rings = " Ringed: the electrodes of the part." if ringed else ""
        found.append(
            Drawing(
                figures.save(figure, out / f"{NAMES[2]}.png", paper=False),
                "The map of the difference",
                "Relevance share of each electrode against windows that are decided otherwise: "
                f"most on {', '.join(map(plain, first))}.{rings}",
            )
        )
    return found


def exchanged_figure(shown: Shown) -> Figure:
    """One pair of windows at one electrode: the window, where the part is from, and the window with it."""
    e = shown.example
    figure = Figure(figsize=(WIDE, HIGH), layout="constrained")
    axes = figure.subplots(3, 1, sharex=True, sharey=True)
    of = "decided " if shown.of_classes else "output "
    titles = (
        f"a window, {of}{e.said[0]}",
        f"another, {of}{e.said[1]}",
        f"the first with the part of it: {e.said[2]}",
    )
    for axis, course, title, colour in zip(
        axes, (e.window, e.other, e.exchanged), titles, (INK, ALONG, INK), strict=True
    ):
        axis.plot(e.times, course, color=colour, lw=0.9)
        axis.set_title(title, fontsize=9.5, loc="left", color=INK, parse_math=False)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    axes[2].plot(e.times, e.window, color="0.7", lw=0.7, zorder=1)
    changed = np.where(np.abs(e.exchanged - e.window) > 1e-9 + 0.05 * np.abs(e.exchanged - e.window).max(),
                       e.exchanged, np.nan)  # fmt: skip
    axes[2].plot(e.times, changed, color=ALONG, lw=1.1)
    axes[1].set_ylabel(f"µV at {e.electrode}", fontsize=9, parse_math=False)
    axes[2].set_xlabel("time in the window (s)", fontsize=9)
    return figure


def decisions_figure(shown: Shown) -> Figure:
    """A bar for each class: how many of its windows are decided as the window that the part is from."""
    n = len(shown.went)
    figure = Figure(figsize=(WIDE, HIGH if n > 2 else 0.75 * HIGH), layout="constrained")
    axis = figure.subplots()
    for k, went in enumerate(shown.went):
        left = 0.0
        third = max(0.0, 1.0 - went.along - went.stayed)
        for part, colour, ink in (
            (went.along, ALONG, "white"),
            (went.stayed, STAYED, INK),
            (third, THIRD, INK),
        ):
            axis.barh(k, part, left=left, color=colour, height=0.6)
            if part >= 0.12:
                axis.text(left + part / 2, k, f"{part:.0%}", ha="center", va="center", color=ink, fontsize=9)
            left += part
        axis.text(0.0, k - 0.36, f"{went.decided} ({went.pairs} pairs)", fontsize=9, color=INK, va="bottom",
                  parse_math=False)  # fmt: skip
    axis.set_ylim(n - 0.5, -0.85)
    axis.set_xlim(0, 1)
    axis.set_yticks([])
    axis.set_xticks([])
    axis.spines[:].set_visible(False)
    names = ("goes along", "stays", "a third class") if shown.of_classes else ("goes along", "stays")
    some = any(1.0 - w.along - w.stayed > 1e-9 for w in shown.went)
    handles = [
        axis.barh([0], [0], color=colour, label=name)
        for name, colour in zip(names, (ALONG, STAYED, THIRD), strict=False)
        if some or name != "a third class"
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    return figure
