"""What a comparison found, and its answer in words: which side has more of what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..electrodes.positions import Electrodes
from ..text import counted, listed, plain
from . import statistics
from .sides import SideScore

# Part of the relevance: a lesser difference is named by nobody's side.
LEAST = 0.01


@dataclass(frozen=True)
class ComparisonRow:
    """A region, an electrode or a set of electrodes on every side.

    Attributes
    ----------
    name : str
    kind : {"region", "electrode", "set"}
        Regions partition the head; sets overlap, and need not cover it.
    share, spread : tuple of float
        Mean relevance share a side, and the standard deviation over its subjects (over windows where it
        has one).
    of_electrodes : float
        What evenly spread relevance would have.
    difference : statistics.Interval
        The first side's share less the second's, with 95 % bounds that hold for all rows of its kind
        together; without bounds (NaN) where there are too few subjects.
    effect : statistics.Interval or None
        Difference of the first two sides in standard deviations: Cohen's d_z over subjects that both have,
        Hedges' g over unlike subjects; None for fewer than `statistics.FEWEST` a side.
    """

    name: str
    kind: Literal["region", "electrode", "set"]
    share: tuple[float, ...]
    spread: tuple[float, ...]
    of_electrodes: float
    difference: statistics.Interval
    effect: statistics.Interval | None

    def excess(self, side: int) -> float:
        """How much more a side has than the others on average."""
        others = [s for i, s in enumerate(self.share) if i != side]
        return self.share[side] - float(np.mean(others))

    @property
    def told(self) -> bool:
        """Whether the first two sides differ by more than the interval, where there is one."""
        low, high = self.difference.low, self.difference.high
        return not np.isfinite([low, high]).all() or low > 0 or high < 0


@dataclass(frozen=True)
class SideAgreement:
    """How alike two sides are.

    Attributes
    ----------
    first, second : str
    rank : float
        Spearman's correlation of the electrodes' shares.
    correlation : float or None
        Pearson's, of the same: shares less their mean. None where a side's are all the same.
    per_window : float or None
        Mean correlation of relevance (electrode x time) over windows that both explained; None where there
        is none, or their lengths differ.
    windows : int
        How many those are.
    same_class : float or None
        How often both explained the same class there.
    """

    first: str
    second: str
    rank: float
    correlation: float | None
    per_window: float | None
    windows: int
    same_class: float | None

    @property
    def said_correlation(self) -> str:
        """In words."""
        return "not known" if self.correlation is None else f"{self.correlation:.2f}"


@dataclass(frozen=True)
class Courses:
    """Relevance over time on every side.

    Attributes
    ----------
    times : ndarray, shape (bin,)
        Where each bin begins and the last one ends have one more number: shape (bin + 1,), seconds.
    from_event : bool
        Whether they count from an event, and not from the window's start.
    share : ndarray, shape (side, bin)
        Part of |relevance| in each bin, mean over windows and recordings; each side sums to 1.
    low, high : ndarray, shape (side, bin)
        One standard error below and above: of recordings, or of windows where a side has one recording.
    """

    times: NDArray[np.float64]
    from_event: bool
    share: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes
    ----------
    labels : tuple of str
    subjects : tuple of int
        How many recordings a side has.
    channels : Electrodes
        That all have, as the first side names them.
    electrodes : ndarray, shape (side, channel)
        Relevance share of each electrode, mean over subjects; each side sums to 1.
    rows : tuple of ComparisonRow
    agreements : tuple of SideAgreement
    scores : tuple of SideScore
        Of each side: accuracy, and how close its map is to that of random weights.
    over : {"subjects", "windows", ""}
        What the intervals of differences are over; "" where there are none.
    courses : Courses or None
        None where windows are of unlike lengths.
    test : str or None
        A cluster test of the first two sides' maps over subjects, in words; None for single recordings.
    notes : tuple of str
    """

    labels: tuple[str, ...]
    subjects: tuple[int, ...]
    channels: Electrodes
    electrodes: NDArray[np.float64]
    rows: tuple[ComparisonRow, ...]
    agreements: tuple[SideAgreement, ...]
    scores: tuple[SideScore, ...]
    over: Literal["subjects", "windows", ""]
    test: str | None
    notes: tuple[str, ...]
    courses: Courses | None = field(default=None)

    def of_kind(self, kind: str) -> list[ComparisonRow]:
        """Rows of one kind, those that differ most first."""
        rows = [r for r in self.rows if r.kind == kind]
        return sorted(rows, key=lambda r: max(r.share) - min(r.share), reverse=True)

    def more(self, side: int) -> ComparisonRow | None:
        """The region of which a side has most more than the others; None where it stands out on none."""
        found = max(self.of_kind("region"), key=lambda r: r.excess(side))
        clear = found.told or side > 1
        return found if found.excess(side) >= LEAST and clear else None

    def answer(self) -> list[str]:
        """Which side has more of what, how its model does, and how alike the maps are, in sentences."""
        led = [(i, row) for i in range(len(self.labels)) if (row := self.more(i)) is not None]
        said = [self._more(i, row) for i, row in led] if led else [self._nothing()]
        return [*said, *self._scores(), self._alike()]

    def _more(self, side: int, row: ComparisonRow) -> str:
        beside = self.labels[1 - side] if len(self.labels) == 2 else "the others"
        bounds = self._bounds(row, side)
        said = (
            f"{self.labels[side]} has more on {row.name} electrodes: {row.share[side]:.0%} of its relevance "
            f"against {_others(row, side):.0%} in {beside} (they are {row.of_electrodes:.0%} of the "
            f"electrodes{'; ' + bounds if bounds else ''})."
        )
        inside = max(self.of_kind("electrode"), key=lambda r: r.excess(side))
        if inside.excess(side) <= 0:
            return said
        name, own, other = plain(inside.name, 20), inside.share[side], _others(inside, side)
        return f"{said} Of single electrodes it has most more on {name} ({own:.1%} against {other:.1%})."

    def _nothing(self) -> str:
        row = self.of_kind("region")[0]
        each = " against ".join(f"{s:.0%}" for s in row.share)
        bounds = self._bounds(row, 0)
        return f"Nothing stands out: they differ most on {row.name} electrodes, {each}" + (
            f" ({bounds})." if bounds else "."
        )

    def _bounds(self, row: ComparisonRow, side: int) -> str:
        """The interval of a difference, as that side sees it; of two sides only."""
        low, high = row.difference.low, row.difference.high
        if len(self.labels) != 2 or not self.over or not np.isfinite([low, high]).all():
            return ""
        low, high = (low, high) if side == 0 else (-high, -low)
        span = f"{100 * low:+.1f} to {100 * high:+.1f} points"
        return f"difference {span}, 95 % over {self.over} for all regions together"

    def _scores(self) -> list[str]:
        """Accuracy, and closeness to random weights, of every side that is known to have one."""
        right = [
            f"{s.label} {s.said_accuracy}" for s in self.scores if s.accuracy is not None or s.r is not None
        ]
        near = [f"{s.label} {s.said_random}" for s in self.scores if s.random is not None]
        lost = [s.label for s in self.scores if s.random is None]
        out = (
            [f"Accuracy: {'; '.join(right)}."] if right else ["How often the models are right is not known."]
        )
        if not near:
            out.append("How close the maps are to those of random weights is not known (--baselines).")
        else:
            tail = f"; not known of {listed(lost)}" if lost else ""
            of = "correlation of the electrodes' shares"
            out.append(f"Closeness to random weights ({of}): {', '.join(near)}{tail}.")
        return out

    def _alike(self) -> str:
        a = self.agreements[0]
        windows = (
            ""
            if a.per_window is None
            else f"; on {counted(a.windows, 'window')} that both explained the maps correlate by "
            f"{a.per_window:.2f} on average"
        )
        return (
            f"Over electrodes the shares of {a.first} and {a.second} correlate by {a.said_correlation} "
            f"(Pearson; by rank {a.rank:.2f}){windows}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        data = asdict(self)
        data["channels"], data["places"] = self.channels.names, dict(self.channels.measured)
        data["electrodes"] = {
            label: dict(zip(self.channels, map(float, row), strict=True))
            for label, row in zip(self.labels, self.electrodes, strict=True)
        }
        if self.courses is not None:
            data["courses"] = {
                "times": self.courses.times.tolist(),
                "from_event": self.courses.from_event,
                "share": dict(zip(self.labels, self.courses.share.tolist(), strict=True)),
            }
        data["answer"] = self.answer()
        return data


def _others(row: ComparisonRow, side: int) -> float:
    """Share of the other sides, on average."""
    return row.share[side] - row.excess(side)


def bounded(interval: statistics.Interval | None) -> Sequence[float | None]:
    """The bounds of an interval as a table has them: none where they are not known."""
    if interval is None or not np.isfinite([interval.low, interval.high]).all():
        return (None, None)
    return (interval.low, interval.high)
