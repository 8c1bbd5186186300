"""The components with most relevance, as an expert judges them: topography, spectrum, course, class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..drawing.sections import Picture, Section, Table
from ..electrodes.positions import Electrodes, head_positions
from ..explanation.shares import summed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

MOST = 10
SECONDS = 2.0  # of a segment of the spectrum: half a hertz


@dataclass(frozen=True, eq=False)
class Leading:
    """One component.

    Attributes
    ----------
    number : int
        Of the decomposition, from 0.
    share, even : float
        Relevance share among all components and what no component has, mean over windows; what each would
        have if relevance were spread evenly over components.
    signed : float
        Sum with its sign, mean over windows, in the unit of the output.
    of_variance : float
        Its part of the variance of all components.
    topography : ndarray, shape (channel,)
        Microvolt per unit of the course. The sign of a component is nobody's: here the largest is positive.
    frequencies, power : ndarray, shape (frequency,)
        Hz; decibel of the course's power density, mean over windows.
    course : ndarray, shape (time,)
        Of the window in which its relevance is the median, in standard deviations over all windows.
    relevance : ndarray, shape (time,)
        Mean over windows of the absolute relevance of each sample.
    probability : dict of str to float
        ICLabel's, by class; empty where the components were not labelled.
    """

    number: int
    share: float
    even: float
    signed: float
    of_variance: float
    topography: Floats
    frequencies: Floats
    power: Floats
    course: Floats
    relevance: Floats
    probability: dict[str, float]

    @property
    def peak(self) -> float:
        """Hz, where the spectrum stands out most of a line through it over the logarithm of frequency."""
        some = self.frequencies >= 1.0
        f, p = np.log(self.frequencies[some]), self.power[some]
        slope, start = np.polyfit(f, p, 1)
        return float(self.frequencies[some][np.argmax(p - slope * f - start)])

    @property
    def label(self) -> str:
        """The likeliest class with its probability; empty where there is none."""
        if not self.probability:
            return ""
        name = max(self.probability, key=lambda k: self.probability[k])
        return f"{name} {self.probability[name]:.0%}"


def leading(data: xr.Dataset, sfreq: float, most: int = MOST) -> tuple[Leading, ...]:
    """Those with the largest share of the relevance, largest first.

    Parameters
    ----------
    data : xarray.Dataset
        Of `components`.
    sfreq : float
        Hz.
    most : int
    """
    from scipy.signal import welch

    units = data["relevance"].sum("time").values
    extra = [data[n].sum("time").values for n in ("residual", "unassigned") if n in data]
    every = np.column_stack([units, *extra])
    n = units.shape[1]
    each = [summed(every, np.arange(every.shape[1]) == k) for k in range(n)]
    order = sorted(range(n), key=lambda k: -each[k].share if np.isfinite(each[k].share) else 0.0)[:most]
    variance = data["variance"].values / max(float(data["variance"].values.sum()), 1e-30)
    found = []
    for k in order:
        map_, courses = data["map"].values[k], data["course"].values[:, k]
        sign = -1.0 if map_[np.abs(map_).argmax()] < 0 else 1.0
        length = min(courses.shape[-1], max(8, round(SECONDS * sfreq)))
        f, power = welch(courses, sfreq, nperseg=length, axis=-1)
        typical = int(np.argsort(np.abs(units[:, k]), kind="stable")[len(units) // 2])
        found.append(
            Leading(
                int(data["component"].values[k]), each[k].share, 1 / n, each[k].signed, float(variance[k]),
                sign * map_, f, 10 * np.log10(np.maximum(power.mean(0), 1e-30)),
                sign * courses[typical] / max(float(courses.std()), 1e-30),
                np.abs(data["relevance"].values[:, k]).mean(0),
                _probability(data, k),
            )
        )  # fmt: skip
    return tuple(found)


def _probability(data: xr.Dataset, k: int) -> dict[str, float]:
    if "probability" not in data:
        return {}
    return dict(zip(map(str, data["class"].values), data["probability"].values[k].tolist(), strict=True))


def section(
    found: Sequence[Leading], channels: Electrodes, times: NDArray[Any], unit: str, top: float
) -> Section:
    """The section of a report: a table, and the figure.

    Parameters
    ----------
    found : sequence of Leading
    channels : Electrodes
        Of the topographies.
    times : ndarray, shape (time,)
        Seconds.
    unit : str
        Of relevance.
    top : float
        Hz: where spectra end.
    """
    head = (
        "component",
        "likeliest class",
        "relevance share",
        "share of variance",
        f"signed sum ({unit})",
        "peak (Hz)",
    )
    rows = [
        (c.number, c.label, f"{c.share:.1%}", f"{c.of_variance:.1%}", f"{c.signed:+.3g}", f"{c.peak:.1f}")
        for c in found
    ]
    even = f" Spread evenly, each would have {found[0].even:.1%}." if found else ""
    words = (
        f"The {len(found)} components with the largest relevance share, largest first.{even} The sign of a "
        "component is arbitrary: topographies are turned so that their largest value is positive."
    )
    caption = (
        "From the left: topography (each at its own scale), power spectrum, course of a typical window "
        "(line) above the mean size of the component's relevance (filled, at its own scale), ICLabel's "
        "probabilities, and relevance share beside the share of the variance (grey)."
    )
    picture = Picture(
        figure(found, channels, times, top), "components", "Leading components",
        "Leading components: topography, spectrum, course, class and relevance", caption,
    )  # fmt: skip
    return Section("Components with most relevance", (words, Table(head, rows, range(2, 6))), (picture,))


def figure(found: Sequence[Leading], channels: Electrodes, times: NDArray[Any], top: float) -> Figure:
    """A row for each component."""
    from matplotlib.figure import Figure

    from ..drawing.heads import topomap

    flat = head_positions(channels)
    shown = [i for i, c in enumerate(channels) if c in flat]
    pos = np.array([flat[channels[i]] for i in shown])
    made = Figure(figsize=(10, 1.35 * max(1, len(found)) + 0.7), layout="constrained")
    axes = made.subplots(max(1, len(found)), 5, squeeze=False, width_ratios=[1.1, 1.7, 2.2, 1.7, 1.3])
    largest = max((max(c.share, c.of_variance) for c in found), default=1.0) or 1.0
    for k, (row, c) in enumerate(zip(axes, found, strict=False)):
        values = c.topography[shown]
        high = float(np.abs(values).max()) or 1.0
        if len(shown) >= 4:
            topomap(values, pos, row[0], colours="RdBu_r", span=(-high, high))
        else:
            row[0].set_axis_off()
        row[0].set_title(f"component {c.number}", fontsize=8.5)
        _spectrum(row[1], c, top)
        _course(row[2], c, times)
        _classes(row[3], c)
        _share(row[4], c, largest)
        for axis in row[1:]:
            axis.tick_params(labelsize=7, length=2)
            axis.spines[["top", "right"]].set_visible(False)
        if k < len(found) - 1:
            for axis in (row[1], row[2], row[4]):
                axis.tick_params(labelbottom=False)
    for axis, title in zip(axes[0, 1:], ("spectrum (dB)", "course", "ICLabel", "relevance"), strict=True):
        axis.set_title(title, fontsize=8.5)
    last = axes[len(found) - 1]
    for axis, said in ((last[1], "frequency (Hz)"), (last[2], "time in the window (s)"), (last[4], "share")):
        axis.set_xlabel(said, fontsize=8)
    return made


def _spectrum(axis: Axes, c: Leading, top: float) -> None:
    some = (c.frequencies >= 0.5) & (c.frequencies <= top)
    axis.plot(c.frequencies[some], c.power[some], color="#222222", lw=0.9)
    axis.set_xlim(0, top)


def _course(axis: Axes, c: Leading, times: NDArray[Any]) -> None:
    size = c.relevance / (float(c.relevance.max()) or 1.0)
    low, high = float(c.course.min()), float(c.course.max())
    reach = (high - low) or 1.0
    axis.fill_between(
        times, low - 0.6 * reach, low - 0.6 * reach + 0.5 * reach * size, color="#6a51a3", lw=0, alpha=0.7
    )
    axis.plot(times, c.course, color="#222222", lw=0.6)
    axis.set_xlim(float(times[0]), float(times[-1]))
    axis.set_yticks([])


def _classes(axis: Axes, c: Leading) -> None:
    if not c.probability:
        axis.set_axis_off()
        return
    names = list(c.probability)
    values = [c.probability[n] for n in names]
    best = int(np.argmax(values))
    axis.barh(
        range(len(names)), values, color=["#6a51a3" if k == best else "#cccccc" for k in range(len(names))]
    )
    axis.set_yticks(range(len(names)), names, fontsize=6.5)
    axis.set_xlim(0, 1)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_xticks([])
    axis.text(values[best] + 0.03 if values[best] < 0.7 else values[best] - 0.03, best, f"{values[best]:.0%}",
              fontsize=6.5, va="center", ha="left" if values[best] < 0.7 else "right",
              color="#222222" if values[best] < 0.7 else "white")  # fmt: skip


def _share(axis: Axes, c: Leading, largest: float) -> None:
    from matplotlib.ticker import PercentFormatter

    for k, (value, colour) in enumerate(((c.share, "#6a51a3"), (c.of_variance, "#bbbbbb"))):
        axis.barh(k, value, color=colour)
        axis.text(value + 0.02 * largest, k, f"{value:.1%}", fontsize=7, va="center")
    axis.set_xlim(0, 1.45 * largest)
    axis.set_ylim(1.6, -0.6)
    axis.set_yticks([])
    axis.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axis.locator_params(axis="x", nbins=3)
