"""Figures of several recordings: relevance over time by side, and clusters over electrodes and time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from ..electrodes.positions import Electrodes
from ..text import plain
from .figures import SIGNED, _regions, _rows, limit, order, tidy
from .heads import INK

# Told apart by people with any colour vision (Okabe & Ito 2008), the first two as "more" and "less".
COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
STYLES = ("-", "--", "-.", ":")

Floats = NDArray[np.float64]


def courses(
    labels: Sequence[str],
    edges: Floats,
    share: Floats,
    low: Floats,
    high: Floats,
    *,
    from_event: bool,
    difference: bool = True,
) -> Figure:
    """Part of |relevance| over time, a line a side with a band, and below the first less the second.

    Parameters
    ----------
    labels : sequence of str
    edges : ndarray, shape (bin + 1,)
        Seconds.
    share, low, high : ndarray, shape (side, bin)
    from_event : bool
        Whether time counts from an event.
    difference : bool
        Whether there is a second axis with the difference of the first two.
    """
    two = difference and len(labels) > 1
    figure = Figure(figsize=(9, 4.6 if two else 3.0), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1 + two, 1, sharex=True, height_ratios=[2, 1] if two else [1]))
    middle = (edges[1:] + edges[:-1]) / 2
    for i, label in enumerate(labels):
        colour, style = COLOURS[i % len(COLOURS)], STYLES[i % len(STYLES)]
        axes[0].fill_between(middle, low[i], high[i], color=colour, alpha=0.2, lw=0)
        axes[0].plot(middle, share[i], style, color=colour, lw=1.4, label=plain(label, 40))
    axes[0].axhline(1 / len(middle), color="0.4", lw=0.8, ls=(0, (1, 2)))
    axes[0].set_ylim(bottom=0)
    axes[0].set_ylabel("share of |relevance|", fontsize=8)
    for text in axes[0].legend(fontsize=8, frameon=False, ncols=min(3, len(labels))).get_texts():
        text.set_parse_math(False)
    if two:
        axes[1].axhline(0, color="0.4", lw=0.8)
        axes[1].plot(middle, share[0] - share[1], color=INK, lw=1.2)
        axes[1].set_ylabel("difference", fontsize=8)
        axes[1].set_title(
            f"{plain(labels[0], 40)} less {plain(labels[1], 40)}", fontsize=8, loc="left", parse_math=False
        )
    for axis in axes:
        axis.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
        if from_event and edges[0] < 0 < edges[-1]:
            axis.axvline(0, color="0.4", lw=0.8)
    axes[-1].set_xlim(edges[0], edges[-1])
    axes[-1].set_xlabel(f"time {'from the event' if from_event else 'in the window'} (s)", fontsize=9)
    return figure


def cluster_map(
    values: Floats,
    channels: Electrodes,
    edges: Floats,
    masks: Sequence[NDArray[Any]] = (),
    *,
    from_event: bool,
    unit: str,
    title: str = "",
) -> Figure:
    """A signed map, electrode by time, with clusters outlined.

    Parameters
    ----------
    values : ndarray, shape (channel, bin)
    channels : Electrodes
    edges : ndarray, shape (bin + 1,)
        Seconds.
    masks : sequence of ndarray of bool, shape (channel, bin)
        A cluster each.
    from_event : bool
    unit, title : str
    """
    ordered = order(channels)
    n, top = len(ordered), limit(values)
    figure = Figure(figsize=(10, 1.8 + 0.2 * min(n, 70)), layout="constrained")
    axis = figure.subplots()
    image = axis.pcolormesh(
        edges, np.arange(n + 1) - 0.5, values[ordered], cmap=SIGNED, vmin=-top, vmax=top, rasterized=True
    )
    axis.set_ylim(n - 0.5, -0.5)
    for mask in masks:
        _outline(axis, np.asarray(mask, dtype=bool)[ordered], edges)
    if from_event and edges[0] < 0 < edges[-1]:
        axis.axvline(0, color="0.4", lw=0.8)
    _rows(axis, channels, ordered)
    _regions(axis, channels, ordered)
    axis.set_xlabel(f"time {'from the event' if from_event else 'in the window'} (s)", fontsize=9)
    axis.tick_params(axis="x", labelsize=8)
    axis.set_title(title, fontsize=10, loc="left", color=INK, parse_math=False)
    bar = figure.colorbar(image, ax=axis, pad=0.02, fraction=0.03, aspect=30)
    bar.set_label(unit, fontsize=8)
    tidy(bar)
    return figure


def _outline(axis: Any, mask: NDArray[np.bool_], edges: Floats) -> None:
    """Lines between samples of which one is in the mask and the other is not."""
    n = len(mask)
    framed = np.pad(mask, 1)
    rows, columns = np.nonzero(framed[1:, 1:-1] != framed[:-1, 1:-1])
    axis.hlines(rows - 0.5, edges[columns], edges[columns + 1], color="black", lw=1.2)
    rows, columns = np.nonzero(framed[1:-1, 1:] != framed[1:-1, :-1])
    axis.vlines(edges[columns], rows - 0.5, rows + 0.5, color="black", lw=1.2)
    axis.set_ylim(n - 0.5, -0.5)
