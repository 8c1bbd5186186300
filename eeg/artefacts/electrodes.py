"""Electrodes in trouble: pops, hum, noise, wandering and flat segments that one electrode has alone.

What an electrode has alone is what the others do not predict. An electrode in trouble predicts none of the
others, so that its pops are not seen on its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..electrodes.regions import members
from ..recording.windows import Windows
from ..text import listed, plain
from .parts import MAINS, MAINS_BESIDE, MAINS_WIDTH, STANDS_OUT, ArtefactPart, lowpass

Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]
Kind = Literal["pops", "hum", "noise", "wandering", "flat"]

SAID: dict[Kind, str] = {
    "pops": "pops", "hum": "hum", "noise": "noise", "wandering": "slow wandering", "flat": "flat segments",
}  # fmt: skip

FEWEST_ELECTRODES = 4  # fewer do not predict each other
FEWEST, LEAST = 5, 0.03  # windows, and their part of all, for a part of the electrode's own
MOST = 6  # electrodes
RIDGE = 0.05  # of an electrode's mean power
POP, POP_USUAL, STEP = 20.0, 8.0, 0.01  # microvolt; over the usual change; seconds in which it changes
AFTER = (0.02, 0.08)  # seconds on each side of a step between which its height is measured
ALONE = 0.5  # of a step, over what is usual there, that another electrode may have
STAYS = 0.4  # of a step is left after that: a spike has returned
NOISE_ABOVE, NOISE, NOISE_OVER = 20.0, 5.0, 3.0  # Hz; microvolt; over the other electrodes'
WANDER_BELOW, WANDER, WANDER_OVER = 2.0, 40.0, 5.0
HUM, HUM_OVER = 2.0, 4.0
FLAT, STILL = 0.1, 1e-3  # seconds without a change, of the usual change


@dataclass(frozen=True)
class ElectrodeTrouble:
    """What is wrong with one electrode, in some windows.

    Attributes
    ----------
    electrode : str
    kind : {"pops", "hum", "noise", "wandering", "flat"}
    windows : ndarray of bool, shape (window,)
        Where it is.
    size : float
        Median over these windows, in microvolt: the height of a pop, the root mean square of hum and of
        noise, the range of what wanders; in seconds for flat segments.
    """

    electrode: str
    kind: Kind
    windows: Marks
    size: float

    @property
    def said(self) -> str:
        """In words: "pops in 14 of 64 windows"."""
        return f"{SAID[self.kind]} in {self.windows.sum()} of {len(self.windows)} windows"

    @property
    def often(self) -> bool:
        """Whether there are windows enough to exchange what the electrode has alone."""
        return bool(self.windows.sum() >= max(FEWEST, LEAST * len(self.windows)))


def troubles(windows: Windows) -> tuple[ElectrodeTrouble, ...]:
    """What is wrong with electrodes, those with most windows first.

    Parameters
    ----------
    windows : Windows

    Returns
    -------
    tuple of ElectrodeTrouble
        Empty where there are fewer than `FEWEST_ELECTRODES`.
    """
    x = windows.signal.astype(np.float64)
    if x.shape[1] < FEWEST_ELECTRODES:
        return ()
    x = x - x.mean(-1, keepdims=True)
    spared = {kind: _spared(windows, kind) for kind in SAID}
    bad = np.zeros(x.shape[1], dtype=bool)
    while True:
        found = {kind: _where(kind, x, alone(x, bad), windows.sfreq, ~bad) for kind in SAID}
        marks = {kind: over > 1 for kind, (over, _) in found.items()}
        for kind, rows in spared.items():
            marks[kind][:, rows] = False
        marks["wandering"] &= ~marks["pops"]  # what decays after a pop is slow
        # The worst first: what others have of it by prediction goes when it predicts no more.
        worst = np.sum([np.where(marks[k], found[k][0], 0.0).sum(0) for k in SAID], axis=0)
        often = np.any([m.sum(0) >= max(FEWEST, LEAST * len(x)) for m in marks.values()], axis=0)
        new = np.where(often & ~bad, worst, 0.0)
        if not new.any() or bad.sum() >= max(1, x.shape[1] // 3):
            break
        bad |= new >= max(0.5 * new.max(), 1e-12)
    result = []
    for kind, (_, size) in found.items():
        for c in np.flatnonzero(marks[kind].any(0)):
            where = marks[kind][:, c]
            usual = float(np.median(size[where, c]))
            result.append(ElectrodeTrouble(windows.channels[int(c)], kind, where, usual))
    return tuple(sorted(result, key=lambda t: -int(t.windows.sum())))


def alone(x: Floats, bad: Marks | None = None, learnt: Marks | None = None) -> Floats:
    """What each electrode has that the others do not predict, by ridge regression.

    Parameters
    ----------
    x : ndarray, shape (window, channel, time)
        Microvolt.
    bad : ndarray of bool, shape (channel,), optional
        Electrodes that predict no other.
    learnt : ndarray of bool, shape (window,), optional
        Windows to learn from; all by default.

    Returns
    -------
    ndarray, shape (window, channel, time)
    """
    return np.asarray(np.einsum("ab,nbt->nat", _weights(x, bad, learnt), x, optimize=True))


def _weights(x: Floats, bad: Marks | None, learnt: Marks | None) -> Floats:
    some = x if learnt is None else x[learnt]
    channels = x.shape[1]
    bad = np.zeros(channels, dtype=bool) if bad is None else bad
    flat = some.swapaxes(0, 1).reshape(channels, -1)
    moment = flat @ flat.T / max(flat.shape[1], 1)
    level = max(float(np.median(np.diag(moment))), 1e-12)
    weights = np.eye(channels)
    for c in range(channels):
        others = np.flatnonzero(~bad & (np.arange(channels) != c))
        if len(others):
            among = moment[np.ix_(others, others)] + RIDGE * level * np.eye(len(others))
            weights[c, others] = -np.linalg.solve(among, moment[others, c])
    return weights


def electrode_part(windows: Windows, found: Sequence[ElectrodeTrouble]) -> ArtefactPart:
    """What one electrode has that the others do not predict, in the windows in which it has trouble.

    Parameters
    ----------
    windows : Windows
    found : sequence of ElectrodeTrouble
        All of one electrode, one or more.

    Returns
    -------
    ArtefactPart
        Of the kind "electrode"; 0 in all other windows and on all other electrodes.
    """
    x = windows.signal.astype(np.float64)
    row = windows.channels.index(found[0].electrode)
    where = np.any([t.windows for t in found], axis=0)
    # What others say of an electrode is learnt while it is well, if that is often enough.
    well = ~where
    learnt = well if well.sum() * x.shape[-1] >= 20 * x.shape[1] ** 2 else None
    part = np.zeros_like(x)
    part[where, row] = np.einsum("b,nbt->nt", _weights(x, None, learnt)[row], x[where])
    size = np.log(part[:, row].std(-1, keepdims=True) + 1e-2)
    said = listed([t.said for t in found])
    how = (
        f"What {plain(found[0].electrode)} has that the others do not predict, where it has trouble: {said}."
    )
    return ArtefactPart("electrode", part, size, how, f" ({said})")


def _spared(windows: Windows, kind: Kind) -> list[int]:
    """Electrodes on which muscles or eyes are as local as a bad contact."""
    region = {"noise": "muscle-prone", "wandering": "frontal-ocular"}.get(kind)
    named = members(region, windows.channels) if region else ()
    return [windows.channels.index(c) for c in named]


def _where(kind: Kind, x: Floats, own: Floats, sfreq: float, good: Marks) -> tuple[Floats, Floats]:
    """How many times over its threshold an electrode is in a window, and its size, both (window, channel)."""
    if kind == "pops":
        return _pops(own, sfreq)
    if kind == "flat":
        return _flat(x, sfreq)
    if kind == "hum":
        return _hum(x, sfreq, good)
    if kind == "noise":
        if sfreq <= 3 * NOISE_ABOVE:
            return np.zeros(x.shape[:2]), np.zeros(x.shape[:2])
        fast = own - lowpass(own, sfreq, NOISE_ABOVE)
        # Pops are fast too, and rare: the median does not see them. Hum is another trouble.
        size = 1.48 * np.median(np.abs(_without_mains(fast, sfreq)), axis=-1)
        return _over(size, NOISE, NOISE_OVER, good), size
    size = np.ptp(lowpass(own, sfreq, WANDER_BELOW), axis=-1)
    return _over(size, WANDER, WANDER_OVER, good), size


def _over(size: Floats, least: float, times: float, good: Marks) -> Floats:
    """Against a least size, and the other electrodes' in the same window and usually."""
    now = np.median(size[:, good], axis=1, keepdims=True)
    return np.asarray(size / np.maximum(least, times * np.maximum(now, np.median(now))))


def _pops(own: Floats, sfreq: float) -> tuple[Floats, Floats]:
    """A steep step, which stays for a while, and is no step of any other electrode."""
    n = own.shape[-1]
    lag = max(1, round(STEP * sfreq))
    near, far = (max(1, round(s * sfreq)) for s in AFTER)
    if n < 2 * far + lag + 2:
        return np.zeros(own.shape[:2]), np.zeros(own.shape[:2])
    change = own[..., lag:] - own[..., :-lag]
    inner = np.abs(change[..., far:-far])
    at = inner.argmax(-1) + far
    steep = np.take_along_axis(np.abs(change), at[..., None], -1)[..., 0]
    index = at[..., None] + np.arange(near, far + 1)
    after = np.take_along_axis(own, np.minimum(index + lag, n - 1), -1).mean(-1)
    before = np.take_along_axis(own, np.maximum(2 * at[..., None] - index, 0), -1).mean(-1)
    height = np.abs(after - before)
    least = np.maximum(POP, POP_USUAL * np.median(inner, axis=-1))
    stays = height / (STAYS * np.maximum(steep, 1e-12))
    over = np.minimum(steep / least, stays)
    # A step of the eyes or of the reference is one elsewhere too, at the same time.
    rows = np.arange(own.shape[1])
    for i, c in zip(*np.nonzero(over > 1), strict=True):
        around = np.abs(change[i, :, at[i, c] - lag : at[i, c] + lag + 1]).max(-1) / least[i]
        if (around[rows != c] > ALONE * around[c]).any():
            over[i, c] = 0.0
    return over, steep


def _flat(x: Floats, sfreq: float) -> tuple[Floats, Floats]:
    """The longest time without a change."""
    change = np.abs(np.diff(x, axis=-1))
    usual = float(np.median(change[change > 0])) if (change > 0).any() else 0.0
    still = change <= STILL * usual
    longest = run = np.zeros(x.shape[:2])
    for t in range(still.shape[-1]):
        run = np.where(still[..., t], run + 1, 0)
        longest = np.maximum(longest, run)
    seconds = longest / sfreq
    return np.asarray(seconds / FLAT), seconds


def _hum(x: Floats, sfreq: float, good: Marks) -> tuple[Floats, Floats]:
    """The line's frequency, where it stands out of its neighbourhood, and is far above the others'."""
    n = x.shape[-1]
    f = np.fft.rfftfreq(n, 1 / sfreq)
    power = np.abs(np.fft.rfft(x * np.hanning(n))) ** 2
    best, size = np.zeros(x.shape[:2]), np.zeros(x.shape[:2])
    for centre in MAINS:
        away = np.abs(f - centre)
        line, beside = away <= MAINS_WIDTH, (away > MAINS_WIDTH + 2) & (away <= MAINS_BESIDE + 2)
        if centre + MAINS_WIDTH >= sfreq / 2 or not line.any() or not beside.any():
            continue
        rms = np.sqrt(2 * power[..., line].sum(-1) / (n**2 * 0.375))
        out = power[..., line].max(-1) > STANDS_OUT**2 * power[..., beside].mean(-1)
        over = np.where(out, _over(rms, HUM, HUM_OVER, good), 0.0)
        size = np.where(over > best, rms, size)
        best = np.maximum(best, over)
    return best, size


def _without_mains(x: Floats, sfreq: float) -> Floats:
    n = x.shape[-1]
    f = np.fft.rfftfreq(n, 1 / sfreq)
    keep = np.min([np.abs(f - centre) for centre in MAINS], axis=0) > MAINS_WIDTH
    return np.asarray(np.fft.irfft(np.fft.rfft(x) * keep, n))
