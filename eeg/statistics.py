"""Statistics over subjects: the subject is the unit, never the window.

Windows of one person are not independent of each other: a test over them finds anything. Maps are averaged
within a subject first. Where there are too few subjects for a p-value, there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mne
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..engine.errors import InputError
from .channels import positions
from .text import counted, listed

Floats = NDArray[np.float64]

# A sign-flip test of n subjects has 2^n outcomes: below 5 none of them is rarer than 5 %, two-sided.
FEWEST = 6
CAUTION = (
    "A cluster test says that the two differ somewhere. It does not establish where, when or in which "
    "electrodes (Sassenhagen & Draschkow 2019)."
)


@dataclass(frozen=True)
class Cluster:
    """A cluster of a permutation test: its p-value, sum of t, electrodes and stretch of time (seconds)."""

    p: float
    mass: float
    electrodes: tuple[str, ...]
    start: float
    stop: float


@dataclass(frozen=True)
class ClusterResult:
    """What a cluster test found.

    Attributes
    ----------
    evaluable : bool
        Whether there are enough subjects for a p-value.
    reason : str
        Why not; "" where there are.
    clusters : tuple of Cluster
        By p-value.
    t : ndarray, shape (channel, time), or None
    permutations : int
    """

    evaluable: bool
    reason: str
    clusters: tuple[Cluster, ...] = ()
    t: Floats | None = None
    permutations: int = 0

    @property
    def text(self) -> str:
        """The result in words, with what it does not say."""
        if not self.evaluable:
            return f"No test: {self.reason}."
        if not self.clusters:
            return f"No cluster ({self.permutations} permutations). {CAUTION}"
        best = self.clusters[0]
        return (
            f"{counted(len(self.clusters), 'cluster')}; the least likely has p = {best.p:.3g} "
            f"({self.permutations} permutations). {CAUTION}"
        )


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval (95 %)."""

    value: float
    low: float
    high: float


def cluster_test(
    a: NDArray[Any],
    b: NDArray[Any] | None = None,
    *,
    channels: Sequence[str],
    times: NDArray[Any],
    paired: bool = True,
    permutations: int = 1024,
    threshold: float | Mapping[str, float] | None = None,
    seed: int = 0,
) -> ClusterResult:
    """Spatio-temporal cluster permutation test (Maris & Oostenveld 2007), two-sided, through MNE.

    Parameters
    ----------
    a, b : ndarray, shape (subject, channel, time)
        One map a subject; without `b`, `a` is tested against 0.
    channels : sequence of str
        With known positions: neighbours are found by Delaunay triangulation.
    times : ndarray, shape (time,)
        Seconds.
    paired : bool
        Whether rows of `a` and `b` are the same subjects.
    permutations : int
    threshold : float or dict, optional
        Of t (of F for unlike groups); by default p = 0.05. A dict with start and step is threshold-free
        cluster enhancement.
    seed : int

    Returns
    -------
    ClusterResult

    Raises
    ------
    InputError
        Shapes do not fit, or electrodes have no position.
    """
    a = np.asarray(a, dtype=np.float64)
    b = None if b is None else np.asarray(b, dtype=np.float64)
    for x in (a, b):
        if x is not None and (x.ndim != 3 or x.shape[1:] != (len(channels), len(times))):
            raise InputError(
                f"cluster test: maps of shape {list(x.shape)} are not [subject, {len(channels)} electrodes, "
                f"{len(times)} times]"
            )
        if x is not None and not np.isfinite(x).all():
            raise InputError("cluster test: a map has numbers that are not finite")
    if b is not None and paired and len(a) != len(b):
        raise InputError(f"cluster test: {len(a)} and {len(b)} subjects cannot be pairs")
    groups = [len(a)] if b is None or paired else [len(a), len(b)]
    if min(groups) < (FEWEST if len(groups) == 1 else 4):
        need = FEWEST if len(groups) == 1 else 4
        return ClusterResult(
            False, f"{' and '.join(map(str, groups))} subjects allow no p-value, {need} are needed a group"
        )
    adjacency = _adjacency(channels)
    options: dict[str, Any] = {
        "n_permutations": permutations, "adjacency": adjacency, "seed": seed, "out_type": "mask",
        "verbose": "error", "threshold": dict(threshold) if isinstance(threshold, Mapping) else threshold,
    }  # fmt: skip
    if b is None or paired:
        x = a if b is None else a - b
        t, masks, p, _ = mne.stats.spatio_temporal_cluster_1samp_test(x.swapaxes(1, 2), **options)
    else:
        t, masks, p, _ = mne.stats.spatio_temporal_cluster_test(
            [a.swapaxes(1, 2), b.swapaxes(1, 2)], **options
        )
    clusters = [_cluster(t, mask, float(q), channels, times) for mask, q in zip(masks, p, strict=True)]
    clusters.sort(key=lambda c: (c.p, -abs(c.mass)))
    return ClusterResult(True, "", tuple(clusters), np.asarray(t).T, permutations)


def _adjacency(channels: Sequence[str]) -> Any:
    found = positions(channels)
    lost = [c for c in channels if c not in found]
    if lost:
        raise InputError(f"cluster test: no position is known for {listed(lost)}; leave them out")
    info = mne.create_info(list(channels), 100.0, "eeg", verbose="error")
    info.set_montage(mne.channels.make_dig_montage(found, coord_frame="head"), verbose="error")
    return mne.channels.find_ch_adjacency(info, "eeg")[0]


def _cluster(t: Any, mask: Any, p: float, channels: Sequence[str], times: NDArray[Any]) -> Cluster:
    inside = np.asarray(mask, dtype=bool)
    when, where = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    return Cluster(
        p=p,
        mass=float(np.asarray(t)[inside].sum()),
        electrodes=tuple(channels[int(i)] for i in where),
        start=float(times[when[0]]),
        stop=float(times[when[-1]]),
    )


def consistency(maps: NDArray[Any]) -> Interval | None:
    """How alike subjects' maps are: the mean correlation of pairs, with a jackknife interval over subjects.

    Parameters
    ----------
    maps : ndarray, shape (subject, ...)

    Returns
    -------
    Interval or None
        None for fewer than three subjects. A map without any variation correlates with nothing: 0.
    """
    flat = np.asarray(maps, dtype=np.float64).reshape(len(maps), -1)
    n = len(flat)
    if n < 3:
        return None
    centred = flat - flat.mean(axis=1, keepdims=True)
    size = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = np.divide(centred, size, out=np.zeros_like(centred), where=size > 0)
    r = unit @ unit.T

    def mean(rows: NDArray[np.int64]) -> float:
        part = r[np.ix_(rows, rows)]
        return float((part.sum() - np.trace(part)) / (len(rows) * (len(rows) - 1)))

    every = np.arange(n)
    value = mean(every)
    left_out = np.array([mean(np.delete(every, i)) for i in range(n)])
    error = float(np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum()))
    reach = float(stats.t.ppf(0.975, n - 1)) * error
    return Interval(value, value - reach, value + reach)


def icc(values: NDArray[Any], *, average: bool = False) -> Interval:
    """Intraclass correlation, two-way random, absolute agreement: ICC(2,1), or ICC(2,k) of k runs' mean.

    Shrout & Fleiss (1979); the interval is that of McGraw & Wong (1996, table 7).

    Parameters
    ----------
    values : ndarray, shape (subject, run)
        One number each, such as a relevance share.
    average : bool

    Returns
    -------
    Interval

    Raises
    ------
    InputError
        Fewer than two subjects or runs, or numbers that are not finite.
    """
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 2 or min(x.shape) < 2 or not np.isfinite(x).all():
        raise InputError(
            "icc: a finite number for each of two subjects or more, in two runs or more, is needed"
        )
    n, k = x.shape
    mean = x.mean()
    rows = k * ((x.mean(1) - mean) ** 2).sum() / (n - 1)
    columns = n * ((x.mean(0) - mean) ** 2).sum() / (k - 1)
    error = ((x - x.mean(1, keepdims=True) - x.mean(0) + mean) ** 2).sum() / ((n - 1) * (k - 1))
    single = _ratio(rows - error, rows + (k - 1) * error + k * (columns - error) / n)
    low, high = _icc_interval(n, k, rows, columns, error, single)
    if average:
        single, low, high = (k * v / (1 + (k - 1) * v) for v in (single, low, high))
    return Interval(float(single), float(low), float(high))


def _icc_interval(
    n: int, k: int, rows: float, columns: float, error: float, single: float
) -> tuple[float, float]:
    if error <= 0:
        return single, single
    a = k * single / (n * (1 - single)) if single < 1 else np.inf
    b = 1 + k * single * (n - 1) / (n * (1 - single)) if single < 1 else np.inf
    if not np.isfinite(a):
        return single, single
    v = (a * columns + b * error) ** 2 / (
        (a * columns) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
    )
    upper = stats.f.ppf(0.975, n - 1, v)
    lower = stats.f.ppf(0.975, v, n - 1)
    rest = k * columns + (k * n - k - n) * error
    return (
        _ratio(n * (rows - upper * error), upper * rest + n * rows),
        _ratio(n * (lower * rows - error), rest + n * lower * rows),
    )


def _ratio(top: float, bottom: float) -> float:
    return float(top / bottom) if bottom else 0.0


def effect(a: NDArray[Any], b: NDArray[Any], *, paired: bool, seed: int = 0) -> Interval | None:
    """Effect size of one number a subject: Cohen's d_z for pairs, Hedges' g for unlike subjects.

    The interval is a bootstrap over subjects (bias-corrected and accelerated).

    Parameters
    ----------
    a, b : ndarray, shape (subject,)
    paired : bool
    seed : int

    Returns
    -------
    Interval or None
        None for fewer than `FEWEST` subjects a side, or where nothing varies.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if min(len(a), len(b)) < FEWEST or (paired and len(a) != len(b)):
        return None

    def d_z(x: Any, y: Any, axis: int = -1) -> Any:
        d = x - y
        return d.mean(axis) / np.maximum(d.std(axis, ddof=1), 1e-300)

    def g(x: Any, y: Any, axis: int = -1) -> Any:
        n, m = x.shape[axis], y.shape[axis]
        pooled = ((n - 1) * x.var(axis, ddof=1) + (m - 1) * y.var(axis, ddof=1)) / (n + m - 2)
        return (
            (1 - 3 / (4 * (n + m) - 9)) * (x.mean(axis) - y.mean(axis)) / np.sqrt(np.maximum(pooled, 1e-300))
        )

    varies = np.std(a - b) if paired else np.std(a) + np.std(b)
    if varies == 0:
        return None
    made = stats.bootstrap(
        (a, b), d_z if paired else g, paired=paired, vectorized=True, n_resamples=2000,
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    value = float((d_z if paired else g)(a, b))
    return Interval(value, float(made.confidence_interval.low), float(made.confidence_interval.high))
