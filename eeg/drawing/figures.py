"""Figures of relevance: head maps, and electrode by time.

Diverging maps are red-blue with symmetric limits, so white is zero and colour-blind readers
see the sign; sizes without a sign are in one hue. Figures are made without pyplot, so nothing global is left.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import patheffects, rc_context
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import FuncFormatter, PercentFormatter
from numpy.typing import NDArray

from ..electrodes.positions import Electrodes, head_positions
from ..electrodes.regions import PARTITION, regions_of
from ..text import plain
from . import resolution
from .heads import INK, RADIUS, Sides, named, topomap

SIGNED = "RdBu_r"
SIZE = "Purples"

Floats = NDArray[np.float64]


def order(channels: Electrodes) -> list[int]:
    """Indices of the channels from front to back by region, and left to right within."""
    placed, regions = channels.positions, regions_of(channels)

    def key(i: int) -> tuple[int, float, int]:
        place = placed.get(channels[i])
        return PARTITION.index(regions[i]), 0.0 if place is None else float(place[0]), i

    return sorted(range(len(channels)), key=key)


def limit(values: NDArray[Any], quantile: float = 1.0) -> float:
    """The symmetric colour limit: a quantile of the absolute values, never 0."""
    size = np.abs(np.asarray(values, dtype=np.float64))
    size = size[np.isfinite(size)]
    return float(np.quantile(size, quantile)) or 1.0 if size.size else 1.0


def head_maps(
    signed: Mapping[str, Floats],
    channels: Electrodes,
    *,
    unit: str,
    size: Floats | None = None,
    signed_limit: float | None = None,
    interpolated: Collection[str] = (),
    size_title: str = "share of |relevance|",
    ringed: Collection[str] = (),
    sides: Mapping[str, Sides] | None = None,
) -> tuple[Figure | None, str]:
    """Maps on the head: one for each title in `signed`, and one of sizes.

    Parameters
    ----------
    signed : dict of str to ndarray, shape (channel,)
        Relevance by title; all share one symmetric scale.
    channels : Electrodes
    unit : str
        Shown at the colour bar of the signed maps.
    size : ndarray, shape (channel,), optional
        Share of absolute relevance, summing to 1.
    signed_limit : float, optional
        Where those of `signed` end on both sides; by default at their largest.
    interpolated : collection of str
        Channels that were not recorded: they are hatched.
    size_title : str
        What stands above the map of sizes.
    ringed : collection of str
        Channels with a ring around them.
    sides : dict of str to Sides, optional
        What the two colours of a map in `signed` mean, by its title.

    Returns
    -------
    figure : Figure or None
        None when fewer than four electrodes have a known position.
    said : str
        Which channels are left out, or why there is no figure; empty when all are drawn.
    """
    flat = head_positions(channels)
    lost = [c for c in channels if c not in flat]
    shown = [i for i, c in enumerate(channels) if c in flat]
    if len(shown) < 4:
        return None, "There is no head map: no standard position is known for these channel names."
    said = (
        f"Without a standard position, and not on the head maps: {', '.join(map(plain, lost))}."
        if lost
        else ""
    )
    hatched = [i for i, name in enumerate(channels[j] for j in shown) if name in interpolated]
    if hatched:
        said = f"{said} Hatched: interpolated from the other electrodes, not recorded.".strip()
    pos = np.array([flat[channels[i]] for i in shown])
    names = [plain(channels[i], 12) for i in shown]
    panels: list[tuple[str, Floats, bool]] = [(title, values, True) for title, values in signed.items()]
    if size is not None:
        panels.append((size_title, size, False))
    figure = Figure(figsize=(3.5 * len(panels) + 0.3, 4.6 if not sides else 5.1), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(panels)))
    top = signed_limit or (limit(np.array([v[shown] for v in signed.values()])) if signed else 1.0)
    heaviest = np.max([np.abs(v[shown]) / limit(v[shown]) for _, v, _ in panels], axis=0)
    written = named(pos, names, heaviest, _name_size(len(shown)))
    drawn: dict[bool, tuple[Any, list[Axes]]] = {}
    for axis, (title, values, is_signed) in zip(axes, panels, strict=True):
        span = (-top, top) if is_signed else (0.0, limit(values[shown]))
        colours = SIGNED if is_signed else SIZE
        image = topomap(values[shown], pos, axis, colours=colours, span=span)
        for i in written:
            (x, y), value = pos[i], values[shown[i]]
            text = axis.text(
                x, y + 0.0045, names[i], ha="center", va="center", fontsize=_name_size(len(shown)), color=INK,
                parse_math=False,
            )  # fmt: skip
            if abs(value) > 0.25 * span[1]:
                text.set_path_effects([patheffects.withStroke(linewidth=1.4, foreground="white", alpha=0.85)])
        for i in hatched:
            axis.add_patch(
                Circle(pos[i], 0.09 * RADIUS, fill=False, hatch="//////", lw=0.4, ec=INK, alpha=0.6)
            )
        for i in (k for k, j in enumerate(shown) if channels[j] in ringed):
            axis.add_patch(Circle(pos[i], 0.12 * RADIUS, fill=False, lw=1.6, ec="#d95f02"))
        low, high = (
            pos.min(0) - 0.05 * RADIUS,
            pos.max(0) + 0.1 * RADIUS,
        )  # a dense cap reaches below the head
        axis.set_xlim(min(-1.2 * RADIUS, low[0]), max(1.2 * RADIUS, high[0]))
        axis.set_ylim(min(-1.08 * RADIUS, low[1]), max(1.3 * RADIUS, high[1]))
        axis.set_title(title, fontsize=10, color=INK, parse_math=False)
        if is_signed and sides is not None and title in sides:
            axis.text(
                0.5, -0.01, sides[title].two_lines, fontsize=8, color=INK, ha="center", va="top",
                transform=axis.transAxes, parse_math=False,
            )  # fmt: skip
        drawn.setdefault(is_signed, (image, []))[1].append(axis)
    for is_signed, (image, where) in drawn.items():
        wide = 0.75 / len(where) ** 0.5
        bar = figure.colorbar(image, ax=where, orientation="horizontal", fraction=0.05, pad=0.03, shrink=wide)
        if is_signed:
            meant = "" if set(signed) <= set(sides or ()) else "   blue: against, red: for"
            bar.set_label(f"relevance ({unit}){meant}", fontsize=8)
        else:
            bar.formatter = PercentFormatter(1.0, decimals=0)
            bar.update_ticks()
            bar.set_label("share of all electrodes", fontsize=8)
        tidy(bar)
    return figure, said


def share_maps(
    shares: Mapping[str, Floats], channels: Electrodes, *, difference: tuple[int, int] | None = None
) -> Figure | None:
    """Relevance shares on the head, one map a title on one scale.

    Parameters
    ----------
    shares : dict of str to ndarray, shape (channel,)
    channels : Electrodes
    difference : (int, int), optional
        Two of them, whose difference is drawn at the right.

    Returns
    -------
    Figure or None
        None when fewer than four electrodes have a known position.
    """
    flat = head_positions(channels)
    shown = [i for i, c in enumerate(channels) if c in flat]
    if len(shown) < 4:
        return None
    pos = np.array([flat[channels[i]] for i in shown])
    panels = [(title, values[shown], SIZE) for title, values in shares.items()]
    if difference is not None:
        (first, a), (second, b) = (list(shares.items())[i] for i in difference)
        panels.append((f"{plain(first, 24)} less {plain(second, 24)}", (a - b)[shown], SIGNED))
    figure = Figure(figsize=(3.5 * len(panels) + 0.3, 4.4), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(panels)))
    top = limit(np.array([v for _, v, kind in panels if kind == SIZE]))
    for axis, (title, values, kind) in zip(axes, panels, strict=True):
        high = top if kind == SIZE else limit(values)
        span = (0.0 if kind == SIZE else -high, high)
        image = topomap(values, pos, axis, colours=kind, span=span)
        axis.set_title(plain(title, 60), fontsize=10, color=INK, parse_math=False)
        bar = figure.colorbar(image, ax=axis, orientation="horizontal", fraction=0.05, pad=0.03, shrink=0.75)
        bar.formatter = PercentFormatter(1.0, decimals=0 if high > 0.05 else 1)
        bar.update_ticks()
        bar.set_label("relevance share" if kind == SIZE else "difference of shares", fontsize=8)
        tidy(bar)
    return figure


def tidy(bar: Colorbar) -> None:
    """Small ticks, few of them, in plain numbers."""
    bar.ax.tick_params(labelsize=8)
    bar.ax.locator_params(nbins=5)
    if not isinstance(bar.formatter, PercentFormatter):
        # Whole numbers at the ticks: a common factor of ten at the end of the bar is overlooked.
        bar.formatter = FuncFormatter(lambda value, _: f"{value:.3g}")
        bar.update_ticks()
    for spine in bar.ax.spines.values():
        spine.set_linewidth(0.5)


def _name_size(n: int) -> float:
    return 7.5 if n <= 24 else 6.2 if n <= 36 else 5.2 if n <= 70 else 3.6


def _rows(axis: Axes, channels: Electrodes, ordered: Sequence[int]) -> None:
    """Electrode names at the left, and lines between regions."""
    n = len(ordered)
    names = [plain(channels[i], 12) for i in ordered]
    step = -(-n // 70)  # names of more rows than that would overprint
    axis.set_yticks(
        range(0, n, step), names[::step], fontsize=7 if n <= 40 else 5.5 if n <= 70 else 4, parse_math=False
    )
    axis.tick_params(axis="y", length=0)
    there = regions_of(channels)
    regions = [there[i] for i in ordered]
    for k in range(1, n):
        if regions[k] != regions[k - 1]:
            axis.axhline(k - 0.5, color="0.55", lw=0.5)


def window_map(
    relevance: NDArray[Any],
    signal: NDArray[Any],
    channels: Electrodes,
    times: NDArray[Any],
    *,
    unit: str,
    title: str = "",
    sides: Sides | None = None,
) -> Figure:
    """Relevance of one window, electrode by time, with the signal drawn over it.

    Parameters
    ----------
    relevance, signal : ndarray, shape (channel, time)
        The signal in microvolt.
    channels : Electrodes
    times : ndarray, shape (time,)
        Seconds.
    unit : str
        The relevance's.
    title : str
    sides : Sides, optional
        What the two colours mean.
    """
    ordered = order(channels)
    n = len(ordered)
    figure = Figure(figsize=(10, 1.4 + 0.21 * min(n, 70)), layout="constrained")
    axis = figure.subplots()
    step = times[1] - times[0] if len(times) > 1 else 1.0
    extent = (float(times[0]), float(times[-1] + step), n - 0.5, -0.5)
    top = limit(relevance, 0.995)
    image = axis.imshow(
        relevance[ordered], aspect="auto", cmap=SIGNED, vmin=-top, vmax=top, extent=extent,
        interpolation="nearest", interpolation_stage="data",
    )  # fmt: skip
    centred = signal[ordered] - np.median(signal[ordered], axis=-1, keepdims=True)
    scale = _round(2.0 * limit(centred, 0.99))
    for k, trace in enumerate(centred):
        axis.plot(times + step / 2, k - np.clip(trace / scale, -2.5, 2.5), color=INK, lw=0.45, alpha=0.85)
    _rows(axis, channels, ordered)
    _regions(axis, channels, ordered)
    axis.set_xlabel("time in the window (s)", fontsize=9)
    axis.set_xlim(extent[0], extent[1])
    axis.set_ylim(n - 0.5, -0.5)
    axis.tick_params(axis="x", labelsize=8)
    axis.set_title(title, fontsize=10, loc="left", color=INK, parse_math=False)
    axis.set_title(f"row height {scale:g} µV", fontsize=8, loc="right", color="0.35")
    bar = figure.colorbar(image, ax=axis, extend="both", pad=0.02, fraction=0.03, aspect=30)
    meant = "blue: against, red: for" if sides is None else sides.one_line
    bar.set_label(f"relevance per sample ({unit})   {meant}", fontsize=8, parse_math=False)
    tidy(bar)
    return figure


def mean_map(
    size: NDArray[Any],
    share: NDArray[Any],
    channels: Electrodes,
    times: NDArray[Any],
    *,
    unit: str,
    title: str = "",
    bins: int = 80,
) -> Figure:
    """Mean absolute relevance, electrode by time, in bins of time.

    Parameters
    ----------
    size : ndarray, shape (channel, time)
        Mean of |relevance| over windows.
    share : ndarray, shape (channel,)
        Each electrode's relevance share; the bars. A dotted line is where all would end alike.
    bins : int
        At most so many bins of time; values are means within a bin.
    """
    ordered = order(channels)
    n = len(ordered)
    width = max(1, -(-len(times) // bins))
    starts = np.arange(0, len(times), width)
    counts = np.diff([*starts, len(times)])
    binned = np.add.reduceat(size, starts, axis=-1) / counts
    step = times[1] - times[0] if len(times) > 1 else 1.0
    figure = Figure(figsize=(10, 1.6 + 0.2 * min(n, 70)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[8, 1], sharey=True)
    extent = (float(times[0]), float(times[-1] + step), n - 0.5, -0.5)
    image = left.imshow(
        binned[ordered], aspect="auto", cmap=SIZE, vmin=0, vmax=limit(binned), extent=extent,
        interpolation="nearest",
    )  # fmt: skip
    right.barh(range(n), share[ordered], color="#6a51a3", height=0.8)
    right.axvline(1 / n, color="0.3", lw=0.8, ls=":")
    right.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    right.tick_params(axis="both", labelsize=7, left=False, labelleft=False)
    right.spines[["top", "right"]].set_visible(False)
    right.set_xlabel("relevance share", fontsize=8)
    _rows(left, channels, ordered)
    _regions(right, channels, ordered)
    left.set_xlabel("time in the window (s)", fontsize=9)
    left.tick_params(axis="x", labelsize=8)
    left.set_title(title, fontsize=10, loc="left", color=INK, parse_math=False)
    bar = figure.colorbar(image, ax=[left, right], pad=0.02, fraction=0.03, aspect=30)
    bar.set_label(f"mean |relevance| per sample ({unit})", fontsize=8)
    tidy(bar)
    return figure


def band_map(share: Floats, channels: Electrodes, names: Sequence[str]) -> Figure:
    """Relevance shares, electrode by band.

    Parameters
    ----------
    share : ndarray, shape (channel, band)
        Sums to 1.
    channels : Electrodes
    names : sequence of str
        Of the bands.
    """
    ordered = order(channels)
    n = len(ordered)
    figure = Figure(figsize=(2.6 + 0.8 * len(names), 2.2 + 0.2 * min(n, 70)), layout="constrained")
    top, below = figure.subplots(2, 1, height_ratios=[1, max(3, 0.2 * min(n, 70))], sharex=True)
    top.bar(range(len(names)), share.sum(0), color="#6a51a3", width=0.8)
    top.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    top.tick_params(axis="both", labelsize=7, bottom=False)
    top.spines[["top", "right"]].set_visible(False)
    image = below.imshow(
        share[ordered], aspect="auto", cmap=SIZE, vmin=0, vmax=limit(share), interpolation="nearest"
    )
    below.set_xticks(range(len(names)), names, fontsize=8, parse_math=False)
    _rows(below, channels, ordered)
    _regions(below, channels, ordered)
    bar = figure.colorbar(image, ax=[top, below], pad=0.16, fraction=0.04, aspect=30)
    bar.formatter = PercentFormatter(1.0, decimals=0 if limit(share) > 0.05 else 1)
    bar.update_ticks()
    bar.set_label("relevance share", fontsize=8)
    tidy(bar)
    return figure


def _regions(axis: Axes, channels: Electrodes, ordered: Sequence[int]) -> None:
    """Region names at the right."""
    there = regions_of(channels)
    regions = [there[i] for i in ordered]
    for name in dict.fromkeys(regions):
        rows = [k for k, r in enumerate(regions) if r == name]
        axis.annotate(
            name, (1.02, (rows[0] + rows[-1]) / 2), xycoords=("axes fraction", "data"), fontsize=7,
            color="0.35", va="center", annotation_clip=False,
        )  # fmt: skip


def _round(value: float) -> float:
    """The nearest of 1, 2, 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(value)) if value > 0 else 1.0
    return float(min((1, 2, 5, 10), key=lambda k: abs(k * power - value)) * power)


def save(figure: Figure, path: Path, dpi: int | None = None, *, paper: bool = True) -> Path:
    """Write a figure as PNG, and as SVG and PDF beside it, without a time stamp or a software name in them.

    Parameters
    ----------
    figure : Figure
    path : Path
        Of the PNG.
    dpi : int, optional
        Of the PNG; by default that of `resolution.dpi`.
    paper : bool
        Whether the PDF is wanted, where figures are for paper at all.
    """
    figure.savefig(path, dpi=dpi or resolution.dpi(), metadata={"Software": None})
    # Names of clips and markers are salted with what they hold, so that the same figure is the same file.
    with rc_context({"svg.hashsalt": "onnxplain", "svg.fonttype": "none", "pdf.fonttype": 42}):
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None, "Creator": None})
        if paper and resolution.for_paper():
            about = {"CreationDate": None, "Creator": None, "Producer": None}
            figure.savefig(path.with_suffix(".pdf"), metadata=about)
    return path
