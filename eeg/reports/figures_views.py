"""Figures of what stands beside the map: events, attention heads, rhythms over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from ..drawing.figures import INK, SIGNED, SIZE, Floats, limit, tidy
from ..text import counted, plain
from ..views.event_locked import Locked

_COLOUR = "#6a51a3"


def time_frequency_map(
    values: NDArray[Any], times: NDArray[Any], frequencies: NDArray[Any], *, unit: str, highest: float
) -> Figure:
    """Relevance over time and frequency.

    Parameters
    ----------
    values : ndarray, shape (time, frequency)
        Summed over electrodes, mean over windows.
    times, frequencies : ndarray
        Centres, in seconds and Hz.
    unit : str
    highest : float
        Hz up to which it is drawn.
    """
    shown = frequencies <= highest
    inside = (times >= 0) | (np.arange(len(times)) == len(times) - 1)
    some = values[np.ix_(inside, shown)]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axis = figure.subplots()
    top = limit(some)
    image = axis.pcolormesh(
        times[inside], frequencies[shown], some.T, cmap=SIGNED, vmin=-top, vmax=top, shading="nearest",
        rasterized=True,
    )  # fmt: skip
    axis.set_xlabel("time in the window (s)", fontsize=9)
    axis.set_ylabel("frequency (Hz)", fontsize=9)
    axis.tick_params(labelsize=8)
    bar = figure.colorbar(image, ax=axis, pad=0.02, fraction=0.04, aspect=25)
    bar.set_label(f"relevance ({unit})   blue: against, red: for", fontsize=8)
    tidy(bar)
    return figure


def locked_curves(found: Mapping[str, Locked], *, unit: str) -> Figure:
    """Relevance around events, a panel each: mean with its interval, and what moved events give.

    Parameters
    ----------
    found : dict of str to Locked
    unit : str
    """
    n = len(found)
    figure = Figure(figsize=(min(4.6 * n + 0.4, 14), 3.6), layout="constrained")
    for axis, (name, one) in zip(np.atleast_1d(figure.subplots(1, n)), found.items(), strict=True):
        axis.fill_between(
            one.times, one.null_low, one.null_high, color="0.85", lw=0, label="events moved in time (95 %)"
        )
        axis.fill_between(one.times, one.low, one.high, color=_COLOUR, alpha=0.3, lw=0)
        axis.plot(one.times, one.mean, color=_COLOUR, lw=1.6, label="mean, 95 % interval")
        axis.axvline(0, color="0.3", lw=0.8, ls=":")
        axis.set_title(
            f"{plain(name, 40)}: {counted(one.events, 'event')}, p = {one.p:.2g}", fontsize=10, loc="left",
            color=INK, parse_math=False,
        )  # fmt: skip
        axis.set_xlabel("time from the event (s)", fontsize=9)
        axis.set_ylabel(f"|relevance| per sample ({unit})", fontsize=8)
        axis.set_ylim(bottom=min(0.0, float(one.low.min())))
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(fontsize=7, frameon=False, loc="best")
    return figure


def head_matrix(share: Floats) -> Figure:
    """Shares of attention heads, layer by head.

    Parameters
    ----------
    share : ndarray, shape (layer, head)
        NaN where a layer has no such head.
    """
    layers, heads = share.shape
    figure = Figure(
        figsize=(min(1.8 + 0.5 * heads, 12) + 1.2, min(1.5 + 0.42 * layers, 9)), layout="constrained"
    )
    axis = figure.subplots()
    image = axis.imshow(share, cmap=SIZE, vmin=0, vmax=limit(share), aspect="auto", interpolation="nearest")
    axis.set_xlabel("head", fontsize=9)
    axis.set_ylabel("layer", fontsize=9)
    for each in (axis.xaxis, axis.yaxis):
        each.set_major_locator(MaxNLocator(integer=True, nbins=12))
    axis.tick_params(labelsize=8)
    bar = figure.colorbar(image, ax=axis, pad=0.03, fraction=0.05, aspect=25)
    bar.formatter = PercentFormatter(1.0, decimals=0 if limit(share) > 0.05 else 1)
    bar.update_ticks()
    bar.set_label("share of all heads", fontsize=8)
    tidy(bar)
    return figure


def bins_of(times: NDArray[Any], most: int) -> Sequence[slice]:
    """At most so many stretches of a window, as alike in length as whole samples allow."""
    edges = np.unique(np.round(np.linspace(0, len(times), most + 1)).astype(int))
    return [slice(int(a), int(b)) for a, b in pairwise(edges)]
