"""Statistics over subjects: the subject is the unit, never the window.

Windows of one person are not independent of each other: a test over them finds anything. Maps are averaged
within a subject first. Where there are too few subjects for a p-value, there is none.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import mne
import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

from ...engine.errors import InputError
from ..electrodes.positions import Electrodes
from ..text import counted, listed

Floats = NDArray[np.float64]

_NEXT_TO_ONE = 1 - 1e-12  # a correlation of 1 has no z
# A sign-flip test of n subjects has 2^n outcomes; two-sided, the least p is 2 of them: 0.06 of 5, 0.03 of 6.
FEWEST = 6
CAUTION = (
    "A cluster test says that the two differ somewhere. It does not establish where, when or in which "
    "electrodes (Sassenhagen & Draschkow 2019)."
)


@dataclass(frozen=True)
class Cluster:
    """A cluster of a permutation test: its p-value, sum of t, electrodes and stretch of time (seconds).

    All of a cluster has one sign, that of its mass. Its mask (channel, time) has the samples that are in it.
    """

    p: float
    mass: float
    electrodes: tuple[str, ...]
    start: float
    stop: float
    mask: NDArray[np.bool_] | None = field(default=None, repr=False, compare=False)

    @property
    def sign(self) -> int:
        """1 where a is larger than b (or 0), -1 where it is smaller."""
        return 1 if self.mass > 0 else -1


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
        By p-value. Threshold-free enhancement has a p-value for every sample: here, neighbours of one sign
        with p < 0.05, under the least p among them.
    t : ndarray, shape (channel, time), or None
        0 where nothing varies.
    permutations : int
        That were made, the data's own among them: all there are where that is fewer than was asked for; 0
        where nothing reached the threshold.
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
            made = f"({self.permutations} permutations)" if self.permutations else "reaches the threshold"
            return f"No cluster {made}. {CAUTION}"
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
    channels: Electrodes,
    times: NDArray[Any],
    paired: bool = True,
    permutations: int = 1024,
    threshold: float | Mapping[str, float] | None = None,
    tail: Literal[-1, 0, 1] = 0,
    seed: int = 0,
) -> ClusterResult:
    """Spatio-temporal cluster permutation test (Maris & Oostenveld 2007), through MNE.

    The statistic is t (of pairs, or of two groups with equal variance), so clusters have a sign.

    Parameters
    ----------
    a, b : ndarray, shape (subject, channel, time)
        One map a subject; without `b`, `a` is tested against 0.
    channels : Electrodes
        With known positions: neighbours are found by Delaunay triangulation.
    times : ndarray, shape (time,)
        Seconds.
    paired : bool
        Whether rows of `a` and `b` are the same subjects.
    permutations : int
    threshold : float or dict, optional
        Of t; by default p = 0.05. A dict with start and step is threshold-free cluster enhancement (Smith &
        Nichols 2009).
    tail : {0, 1, -1}
        Two-sided; only a larger than b; only smaller, where a threshold is negative (start and step too).
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
    for x in (a,) if b is None else (a, b):
        _check_maps(x, len(channels), len(times))
    if b is not None and paired and len(a) != len(b):
        raise InputError(f"cluster test: {len(a)} and {len(b)} subjects cannot be pairs")
    groups = [len(a)] if b is None or paired else [len(a), len(b)]
    if min(groups) < (FEWEST if len(groups) == 1 else 4):
        need = FEWEST if len(groups) == 1 else 4
        return ClusterResult(
            False, f"{' and '.join(map(str, groups))} subjects allow no p-value, {need} are needed a group"
        )
    sides = [a] if b is None else [a - b] if paired else [a, b]
    sides = [side.swapaxes(1, 2) for side in sides]
    adjacency, df = _adjacency(channels), sum(groups) - len(groups)
    limit = _limit(threshold, tail, df)
    options: dict[str, Any] = {
        "n_permutations": permutations, "adjacency": adjacency, "seed": seed, "out_type": "mask",
        "stat_fun": _t, "threshold": limit, "tail": tail,
    }  # fmt: skip
    with mne.use_log_level("error"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No clusters found")  # the result says so
        if len(sides) == 1:
            _, masks, p, null = mne.stats.spatio_temporal_cluster_1samp_test(sides[0], **options)
        else:
            _, masks, p, null = mne.stats.spatio_temporal_cluster_test(sides, **options)
    t = _t(*sides)
    if isinstance(threshold, Mapping):
        masks, p = _joined(masks, p, t, adjacency)
    clusters = [_cluster(t, mask, float(q), channels, times) for mask, q in zip(masks, p, strict=True)]
    clusters.sort(key=lambda c: (c.p, -abs(c.mass)))
    return ClusterResult(True, "", tuple(clusters), t.T, len(null))


def _limit(threshold: float | Mapping[str, float] | None, tail: int, df: int) -> Any:
    """What samples have to pass to be in a cluster; by default p = 0.05 of one sample."""
    if threshold is None:
        return (tail or 1) * float(stats.t.ppf(1 - 0.05 / (1 + (tail == 0)), df))
    return dict(threshold) if isinstance(threshold, Mapping) else threshold


def _check_maps(x: Floats, channels: int, times: int) -> None:
    if x.ndim != 3 or x.shape[1:] != (channels, times):
        raise InputError(
            f"cluster test: maps of shape {list(x.shape)} are not [subject, {channels} electrodes, "
            f"{times} times]"
        )
    if not np.isfinite(x).all():
        raise InputError("cluster test: a map has numbers that are not finite")


def _t(a: Floats, b: Floats | None = None) -> Floats:
    """t over the first axis. Where nothing varies and nothing differs it is 0, and not 0 / 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        t = mne.stats.ttest_1samp_no_p(a) if b is None else mne.stats.ttest_ind_no_p(a, b)
    return np.where(np.isnan(t), 0.0, t)


def _joined(masks: Any, p: Any, t: Floats, adjacency: Any) -> tuple[list[NDArray[np.bool_]], list[float]]:
    """Samples with p < 0.05 as clusters of neighbours (at a time or one apart) with one sign."""
    each = np.ones(t.size)
    for mask, q in zip(masks, p, strict=True):
        each[np.asarray(mask).ravel()] = q
    near = mne.stats.combine_adjacency(len(t), adjacency).tocsr()
    found = []
    for sign in (1, -1):
        inside = np.flatnonzero((each < 0.05) & (sign * t.ravel() > 0))
        n, group = sparse.csgraph.connected_components(near[inside][:, inside], directed=False)
        found += [inside[group == i] for i in range(n)]
    out = [np.isin(np.arange(t.size), samples).reshape(t.shape) for samples in found]
    return out, [float(each[samples].min()) for samples in found]


def _adjacency(channels: Electrodes) -> Any:
    lost = channels.nowhere
    if lost:
        raise InputError(f"cluster test: no position is known for {listed(lost)}; leave them out")
    with mne.use_log_level("error"):
        info = mne.create_info(list(channels), 100.0, "eeg")
        info.set_montage(mne.channels.make_dig_montage(dict(channels.positions), coord_frame="head"))
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
        mask=inside.T,
    )


def consistency(maps: NDArray[Any]) -> Interval | None:
    """How alike subjects' maps are: the mean correlation of pairs, with a jackknife interval over subjects.

    The interval is made of Fisher's z of the mean, so that it ends within -1 and 1 (Fisher 1921).

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

    def z(value: float) -> float:
        return float(np.arctanh(np.clip(value, -_NEXT_TO_ONE, _NEXT_TO_ONE)))

    every = np.arange(n)
    value = mean(every)
    left_out = np.array([z(mean(np.delete(every, i))) for i in range(n)])
    error = float(np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum()))
    reach = float(stats.t.ppf(0.975, n - 1)) * error
    return Interval(value, float(np.tanh(z(value) - reach)), float(np.tanh(z(value) + reach)))


def least_p(subjects: int) -> float:
    """The least p that a two-sided sign-flip test of so many subjects can give: 2 of its 2^n outcomes.

    >>> least_p(5), least_p(6)
    (0.0625, 0.03125)
    """
    return 2.0 ** (1 - subjects)


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

    varies = np.std(a - b) if paired else np.std(a) + np.std(b)
    if varies == 0:
        return None
    made = stats.bootstrap(
        (a, b), _d_z if paired else _g, paired=paired, vectorized=True, n_resamples=2000,
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    value = float((_d_z if paired else _g)(a, b))
    return Interval(value, float(made.confidence_interval.low), float(made.confidence_interval.high))


def effect_map(a: NDArray[Any], b: NDArray[Any], *, paired: bool) -> Floats:
    """Effect size at every electrode and sample: Cohen's d_z for pairs, Hedges' g for unlike subjects.

    Without intervals: those are for one number, such as a set's mean (`effect`), not for a map's largest.

    Parameters
    ----------
    a, b : ndarray, shape (subject, ...)
    paired : bool

    Returns
    -------
    ndarray, shape (...)
        NaN where nothing varies.

    Raises
    ------
    InputError
        Shapes do not fit, or fewer than two subjects a side.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape[1:] != b.shape[1:] or (paired and len(a) != len(b)) or min(len(a), len(b)) < 2:
        raise InputError(
            f"effect map: {list(a.shape)} and {list(b.shape)} are not like maps of two subjects or more"
        )
    still = (a - b).std(0) == 0 if paired else (a.std(0) == 0) & (b.std(0) == 0)
    return np.where(still, np.nan, (_d_z if paired else _g)(a, b, axis=0))


def _d_z(x: Any, y: Any, axis: int = -1) -> Any:
    """Cohen's d of differences: their mean over their standard deviation."""
    d = x - y
    return d.mean(axis) / np.maximum(d.std(axis, ddof=1), 1e-300)


def _g(x: Any, y: Any, axis: int = -1) -> Any:
    """Hedges' g (1981): the difference over the pooled standard deviation, less the bias of few subjects."""
    n, m = x.shape[axis], y.shape[axis]
    pooled = ((n - 1) * x.var(axis, ddof=1) + (m - 1) * y.var(axis, ddof=1)) / (n + m - 2)
    unbiased = 1 - 3 / (4 * (n + m) - 9)
    return unbiased * (x.mean(axis) - y.mean(axis)) / np.sqrt(np.maximum(pooled, 1e-300))
