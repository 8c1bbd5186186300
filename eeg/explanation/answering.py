"""The answer of an explanation, computed: what stands out where, when and in which band, and the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import InputError
from ..text import plain
from . import shares
from .answer import Answer, Band, ForClass, When, Where
from .doubts import doubts
from .standing_out import floor_of, standing_out

if TYPE_CHECKING:
    from .explained import Explained

Floats = NDArray[np.float64]

NAMED = 4  # electrodes, at most
NEAR = 0.5  # of the leading electrode's share: those that are named with it
SMOOTH = 0.1  # seconds over which relevance is summed for its course
CLASSES = 4
SMALL = 0.1  # of a class's largest electrode: below it an electrode against it is not worth a word


def answer_of(explained: Explained) -> Answer:
    """The answer of an explanation, with what its views have to say.

    Parameters
    ----------
    explained : Explained

    Returns
    -------
    Answer
    """
    from .explained import fit, said_fit

    where = _where(explained)
    found = fit(explained)
    beside = {name: text for name, view in explained.views.items() if (text := view.answer(explained))}
    return Answer(
        where=where,
        when=None if where is None else _when(explained),
        band=None if where is None else _band(explained),
        classes=() if where is None else tuple(_classes(explained)),
        right=_right(explained),
        fit="" if found is None else said_fit(found),
        reached=_reached(explained),
        beside=beside,
        notes=tuple(doubts(explained, () if where is None else where.electrodes)),
        number=explained.contract.regresses,
    )


def _seed(explained: Explained) -> int:
    return int(explained.provenance.get("options", {}).get("seed") or 0)


def _where(explained: Explained) -> Where | None:
    units = explained.relevance.sum(-1, dtype=np.float64)
    found = standing_out(units, seed=_seed(explained))
    if found is None:
        return None
    own = shares.by_electrode(explained.relevance)
    order = np.argsort(-own, kind="stable")[:NAMED]
    some = [int(i) for i in order if own[i] >= NEAR * found.share]
    regions = shares.by_region(
        explained.relevance, explained.electrodes, explained.regions.partition(explained.electrodes)
    )
    named = [r for r in regions if r.electrodes and np.isfinite(r.share)]
    first = max(named, key=lambda r: r.share, default=None)
    out = Where(
        tuple(plain(explained.electrodes[i], 40) for i in some),
        float(own[some].sum()),
        len(some) / len(own),
        found.enough,
        found.p,
    )
    if first is None:
        return out
    return replace(
        out, region=plain(first.name, 40), region_share=first.share, region_even=first.of_electrodes
    )


def course(explained: Explained, seconds: float = SMOOTH) -> Floats:
    """Relevance of all electrodes, summed over so many seconds around each sample, shape (window, time).

    Sums at the edges are of what there is, and scaled to the whole width.
    """
    line = explained.relevance.sum(1, dtype=np.float64)
    n = line.shape[-1]
    half = max(0, min(round(seconds * explained.windows.sfreq / 2), n // 10))
    whole = np.concatenate([np.zeros((len(line), 1)), np.cumsum(line, axis=1)], axis=1)
    first, last = np.clip(np.arange(n) - half, 0, n), np.clip(np.arange(n) + half + 1, 0, n)
    return np.asarray((whole[:, last] - whole[:, first]) * (2 * half + 1) / (last - first))


def _when(explained: Explained) -> When | None:
    windows = explained.windows
    if explained.relevance.shape[-1] < 10:
        return None
    units = course(explained)
    found = standing_out(units, chance="shifted", seed=_seed(explained))
    if found is None:
        return None
    from .standing_out import shares_of

    mean = shares_of(units).mean(0)
    high = mean >= found.even + (found.share - found.even) / 2
    start, stop = found.index, found.index
    while start > 0 and high[start - 1]:
        start -= 1
    while stop < len(mean) - 1 and high[stop + 1]:
        stop += 1
    options = explained.provenance.get("options", {})
    event = bool(windows.tmin) or bool(options.get("events"))
    t = windows.times + (windows.tmin if event else 0.0)
    return When(
        peak=float(t[found.index]),
        start=float(t[start]),
        stop=float(t[stop] + 1 / windows.sfreq),
        share=float(mean[start : stop + 1].sum()),
        even=(stop + 1 - start) / len(mean),
        from_event=event,
        stands_out=found.enough,
        p=found.p,
    )


def _band(explained: Explained) -> Band | None:
    if "bands" not in explained.dataset:
        return None
    view = explained.dataset["bands"]
    found = [b for b in shares.by_band(view) if np.isfinite(b.share)]
    if not found:
        return None
    n = len(explained.windows)
    first = max(found, key=lambda b: b.share)
    if first.name == shares.REST:
        split = _outside(explained, float(np.nanmin(view["lower"])), float(np.nanmax(view["upper"])))
        if split is not None:
            return split
    return _judged(
        plain(first.name, 40), first.lower, first.upper, first.share, first.spread, first.of_frequencies, n
    )


def _judged(name: str, lower: float, upper: float, share: float, spread: float, even: float, n: int) -> Band:
    low = share - 1.96 * spread / np.sqrt(max(n, 1))
    return Band(name, lower, upper, share, even, bool(share >= floor_of(even) and low > even))


def _outside(explained: Explained, lowest: float, highest: float) -> Band | None:
    """Which side of all bands has the relevance that no band has."""
    from .bands import by_frequency
    from .pairs import mean_of

    n, sfreq = explained.relevance.shape[-1], explained.windows.sfreq
    f = np.arange(n // 2 + 1) * sfreq / n
    sides = {
        f"the offset and what is below {lowest:g} Hz": f < lowest,
        f"above {highest:g} Hz": f >= highest,
        "between the bands": (f >= lowest) & (f < highest),
    }

    def split(x: Floats, m: Floats) -> Floats:
        r = by_frequency(x, m)
        return np.stack([r[..., inside].sum(-1) for inside in sides.values()], -1)

    try:
        units = mean_of(explained, split)
    except InputError:
        return None
    own = explained.dataset["bands"]
    inside = own.values[..., own["band"].values != shares.REST]
    inside_f = sum(
        float(max(0.0, min(u, sfreq / 2) - min(lo, sfreq / 2)))
        for lo, u in zip(own["lower"].values, own["upper"].values, strict=True)
        if np.isfinite(lo)
    )
    every = np.concatenate([units, inside], -1).reshape(len(units), -1)
    k = units.shape[-1] + inside.shape[-1]
    best: tuple[shares.Summed, int] | None = None
    for i in range(len(sides)):
        got = shares.summed(every, np.tile(np.arange(k) == i, units.shape[1]))
        if np.isfinite(got.share) and (best is None or got.share > best[0].share):
            best = (got, i)
    if best is None:
        return None
    found, i = best
    even = [lowest, max(0.0, sfreq / 2 - highest), max(0.0, highest - lowest - inside_f)][i] / (sfreq / 2)
    nan = float("nan")
    return _judged([*sides][i], nan, nan, found.share, found.spread, even, len(units))


def _classes(explained: Explained) -> Iterator[ForClass]:
    from .explained import said_target

    data, number = explained.dataset, explained.contract.regresses
    total = explained.relevance.sum(-1, dtype=np.float64)
    groups: dict[str, NDArray[np.intp]] = {}
    if number or "target" not in data:
        names = explained.contract.names
        which = int(data["target"].values[0]) if "target" in data and len(total) else 0
        known = number and which < len(names)
        groups[plain(names[which], 40) if known else said_target(explained)] = np.arange(len(total))
    else:
        target, names = data["target"].values, explained.contract.classes
        found = {int(t): np.flatnonzero(target == t) for t in np.unique(target)}
        for t in sorted(sorted(found, key=lambda t: -len(found[t]))[:CLASSES]):
            groups[plain(names[t], 40) if t < len(names) else f"class {t}"] = found[t]
    for name, rows in groups.items():
        mean = total[rows].mean(0)
        order = np.argsort(-np.abs(mean), kind="stable")
        least = SMALL * float(np.abs(mean).max())
        worth = [int(i) for i in order if abs(mean[i]) >= max(least, 1e-300)]
        sides = [
            {plain(explained.electrodes[i], 40): float(mean[i]) for i in worth if sign * mean[i] > 0}
            for sign in (1, -1)
        ]
        most = [dict(list(side.items())[:2]) for side in sides]
        yield ForClass(name, len(rows), most[0], most[1], plain(explained.unit, 20))


def _right(explained: Explained) -> dict[str, Any] | None:
    from scipy.stats import binomtest

    from .explained import accuracy, truth

    found = accuracy(explained)
    if found is None:
        return None
    real = truth(explained.windows.labels, explained.contract.classes)
    counts = np.bincount(real[real >= 0])
    interval = binomtest(found["correct"], found["of"]).proportion_ci(method="wilson")
    return {
        **found,
        "low": float(interval.low),
        "high": float(interval.high),
        "chance": float(counts.max() / counts.sum()),
    }


def _reached(explained: Explained) -> float | None:
    value = np.asarray(explained.dataset["explained"].values, dtype=np.float64)
    size = float(np.abs(value).mean())
    if not len(value) or not abs(float(value.mean())) > 0.1 * size:
        return None
    return float(explained.relevance.sum((-2, -1), dtype=np.float64).mean() / value.mean())
