"""The part of a signal that eyes, heart, muscle and mains have in it, to take it away or exchange it.

Each window is split into an artefact's part and the rest; both add up to the window. The parts come from what
electrodes see the artefact best (Fp1 and Fp2 blinks, F7 and F8 saccades), or from channels recorded for it.
They are proxies: a part is not free of brain activity, and the rest not free of the artefact.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import signal as sg

from ..electrodes.names import normalise
from ..electrodes.positions import Electrodes
from ..electrodes.regions import members, said_unknown, unknown
from ..recording.windows import Windows
from ..text import counted
from . import heartbeats as pulse
from .trains import Beats

Floats = NDArray[np.float64]

KINDS = ("eyes", "heart", "muscle", "mains")
EOG, ECG = ("EOG",), ("ECG", "EKG")  # in the names of channels
EYES_BELOW = 7.5  # Hz; blinks and saccades lie below, rhythms that a model may read above
MUSCLE_ABOVE = 26.0  # Hz
HEART_ABOVE, HEART_BELOW = 4.0, 35.0  # Hz; beats are looked for in between
MAINS, MAINS_WIDTH = (50.0, 60.0), 1.5  # Hz
MAINS_BESIDE, STANDS_OUT = 5.0, 3.0  # Hz that the mains stand out of, and how many times their power
R_WIDTH = 0.12  # seconds on each side of an R peak in which the heart has its part
_EARS = {"A1", "A2", "M1", "M2"}  # no place in the template, and known all the same
LARGE = 2.5  # times the usual size: samples from which an artefact's field is learnt


@dataclass(frozen=True)
class ArtefactPart:
    """One artefact's part of every window.

    Attributes
    ----------
    kind : {"eyes", "heart", "muscle", "mains"}
    signal : ndarray, shape (window, channel, time)
        Microvolt.
    size : ndarray, shape (window, feature)
        How much of it is in a window: what a decoder of labels gets.
    how : str
        What it was made from, as a sentence.
    account : str
        What tells this part from another of the same artefact, behind its name in a sentence.
    """

    kind: str
    signal: Floats
    size: Floats
    how: str
    account: str = ""


# What shows an artefact where no channel was recorded for it.
BLINKS, SACCADES = ("Fp1", "Fpz", "Fp2"), ("F7", "F8")


@dataclass(frozen=True)
class Missing:
    """Why an artefact has no part in these windows.

    Attributes
    ----------
    kind : {"eyes", "heart", "muscle", "mains"}
    why : {"electrodes", "data", "model"}
        It could not be looked for, since it is not known which electrodes see it, or the model has none to
        tell it by; it was looked for, and there is none or too little; or the model has no electrode where
        it is.
    said : str
        The reason, in sentences.
    """

    kind: str
    why: Literal["electrodes", "data", "model"]
    said: str


def parts(
    windows: Windows, aside: dict[str, Floats] | None = None, kinds: Collection[str] = KINDS
) -> dict[str, ArtefactPart]:
    """Every artefact's part that can be had of these windows: the first of what `look` gives."""
    return look(windows, aside, kinds=kinds)[0]


def look(
    windows: Windows,
    aside: dict[str, Floats] | None = None,
    groups: Sequence[str] | None = None,
    kinds: Collection[str] = KINDS,
) -> tuple[dict[str, ArtefactPart], dict[str, Missing]]:
    """Every artefact's part that can be had of these windows, and why there is none of the others.

    Parameters
    ----------
    windows : Windows
    aside : dict of str to ndarray, shape (window, time), optional
        Channels recorded beside EEG, cut as the windows are, at their rate: names with EOG or ECG in them.
    groups : sequence of str, optional
        Subject of each window: hearts beat at rates of their own.
    kinds : collection of str
        Which to look for, `KINDS` by default.

    Returns
    -------
    parts : dict of str to ArtefactPart
        By kind.
    missing : dict of str to Missing
        By kind, of those that have no part.
    """
    x = windows.signal.astype(np.float64)
    # A model may have EOG and ECG among its own channels.
    named = [(i, c) for i, c in enumerate(windows.channels) if any(t in c.upper() for t in (*EOG, *ECG))]
    aside = {**(aside or {}), **{c: x[:, i] for i, c in named}}
    makers: dict[str, Callable[[], ArtefactPart | Missing]] = {
        "eyes": lambda: _eyes(x, windows, aside),
        "heart": lambda: _heart(x, windows, aside, groups),
        "muscle": lambda: _muscle(x, windows),
        "mains": lambda: _mains(x, windows),
    }
    found = [make() for kind, make in makers.items() if kind in kinds]
    return (
        {p.kind: p for p in found if isinstance(p, ArtefactPart)},
        {m.kind: m for m in found if isinstance(m, Missing)},
    )


def unplaced(channels: Electrodes) -> tuple[str, ...]:
    """Electrodes of which it is not known where they lie; EOG, ECG and EMG are none."""
    beside = (*EOG, *ECG, "EMG")
    return tuple(
        c
        for c in unknown(channels)
        if (c in channels.own or normalise(c) not in _EARS) and not any(t in c.upper() for t in beside)
    )


def _rows(windows: Windows, wanted: str | Sequence[str]) -> list[int]:
    return [windows.channels.index(c) for c in members(wanted, windows.channels)]


def lowpass(x: Floats, sfreq: float, edge: float) -> Floats:
    """What is slower than an edge in Hz, without delay (Butterworth, fourth order, both ways)."""
    sos = sg.butter(4, edge, "lowpass", fs=sfreq, output="sos")
    return np.asarray(sg.sosfiltfilt(sos, x, axis=-1, padlen=min(x.shape[-1] - 1, 3 * round(sfreq / edge))))


def _eyes(x: Floats, windows: Windows, aside: dict[str, Floats]) -> ArtefactPart | Missing:
    """Regression on EOG channels or their proxies, below `EYES_BELOW`, learnt where they are large."""
    if windows.sfreq <= 2 * EYES_BELOW:
        return Missing("eyes", "data", f"{windows.sfreq:g} Hz are too slow for them.")
    eog = {n: v for n, v in aside.items() if any(t in n.upper() for t in EOG)}
    if eog:
        courses, how = list(eog.values()), f"regression on {', '.join(eog)}"
    else:
        front, sides = _rows(windows, BLINKS), [_rows(windows, [n]) for n in SACCADES]
        courses, named = [], []
        if front:
            courses.append(x[:, front].mean(1))
            named.append("the mean of " + " and ".join(windows.channels[i] for i in front))
        if all(sides):
            courses.append(x[:, sides[0][0]] - x[:, sides[1][0]])
            named.append(f"{windows.channels[sides[0][0]]} less {windows.channels[sides[1][0]]}")
        how = "regression on " + ", and ".join(named)
    if not courses:
        needed = "Eyes need Fp1, Fpz or Fp2, or both F7 and F8, or an EOG channel."
        return Missing("eyes", "electrodes", f"{needed} {said_unknown(windows.channels)}".rstrip())
    p = lowpass(np.stack(courses, 1), windows.sfreq, EYES_BELOW)  # [window, course, time]
    p = p - np.median(p, axis=(0, 2), keepdims=True)
    slow = lowpass(x, windows.sfreq, EYES_BELOW)
    slow = slow - np.median(slow, axis=(0, 2), keepdims=True)
    usual = np.median(np.abs(p), axis=(0, 2), keepdims=True)
    large = (np.abs(p) > LARGE * usual).any(1)  # [window, time]
    if large.sum() < 20 * p.shape[1]:
        return Missing("eyes", "data", "There is too little of them.")
    design, seen = p.swapaxes(1, 2)[large], slow.swapaxes(1, 2)[large]
    weights, *_ = np.linalg.lstsq(design, seen, rcond=None)
    part = np.einsum("nkt,kc->nct", p, weights)
    size = np.concatenate([p.mean(-1), np.ptp(p, axis=-1), *_halves(p)], axis=1)
    return ArtefactPart("eyes", part, size, f"Eyes: {how}, below {EYES_BELOW:g} Hz.")


def _halves(p: Floats) -> list[Floats]:
    """The largest excursion to either side."""
    return [p.max(-1), p.min(-1)]


def _muscle(x: Floats, windows: Windows) -> ArtefactPart | Missing:
    """What is fast on electrodes over muscles."""
    rows = _rows(windows, "muscle-prone")
    if windows.sfreq <= 2.5 * MUSCLE_ABOVE:
        return Missing("muscle", "data", f"{windows.sfreq:g} Hz are too slow for them.")
    if not rows:
        needed = (
            "Muscle needs electrodes over muscles (F7, F8, T7, T8, TP9, TP10 or others at the head's edge)."
        )
        said = f"{needed} {said_unknown(windows.channels)}".rstrip()
        return Missing("muscle", "electrodes" if unplaced(windows.channels) else "model", said)
    part = np.zeros_like(x)
    part[:, rows] = x[:, rows] - lowpass(x[:, rows], windows.sfreq, MUSCLE_ABOVE)
    for edge in MAINS:  # the mains are an artefact of their own
        part[:, rows] -= _narrow(part[:, rows], windows.sfreq, edge)
    size = np.log(part[:, rows].std(-1) + 1e-9)
    named = ", ".join(windows.channels[i] for i in rows)
    return ArtefactPart("muscle", part, size, f"Muscle: above {MUSCLE_ABOVE:g} Hz on {named}.")


def _narrow(x: Floats, sfreq: float, centre: float) -> Floats:
    """The part within `MAINS_WIDTH` of a frequency."""
    if centre + MAINS_WIDTH >= sfreq / 2:
        return np.zeros_like(x)
    f = np.fft.rfftfreq(x.shape[-1], 1 / sfreq)
    spectrum = np.fft.rfft(x) * (np.abs(f - centre) <= MAINS_WIDTH)
    return np.asarray(np.fft.irfft(spectrum, x.shape[-1]))


def _mains(x: Floats, windows: Windows) -> ArtefactPart | Missing:
    """What stands out of its neighbourhood around 50 and 60 Hz, on every electrode.

    Muscle and sensor noise have these frequencies too, and as much beside them.
    """
    f = np.fft.rfftfreq(x.shape[-1], 1 / windows.sfreq)
    power = np.abs(np.fft.rfft(x)) ** 2
    part, sizes = np.zeros_like(x), []
    for centre in MAINS:
        away = np.abs(f - centre)
        line, beside = away <= MAINS_WIDTH, (away > MAINS_WIDTH) & (away <= MAINS_BESIDE)
        if centre + MAINS_WIDTH >= windows.sfreq / 2 or not line.any() or not beside.any():
            continue
        over = power[..., line].mean(-1) / np.maximum(power[..., beside].mean(-1), 1e-30)
        gain = np.where(over > STANDS_OUT, np.sqrt(1 - 1 / np.maximum(over, 1)), 0.0)
        narrow = _narrow(x, windows.sfreq, centre)
        part += gain[..., None] * narrow
        sizes.append(narrow.std(-1))
    if not part.any():
        return Missing("mains", "data", "Nothing stands out at 50 or 60 Hz.")
    size = np.log(np.concatenate(sizes, axis=1) + 1e-9)
    return ArtefactPart(
        "mains", part, size, f"Mains: what stands out within {MAINS_WIDTH:g} Hz of 50 and 60 Hz."
    )


def _heart(
    x: Floats, windows: Windows, aside: dict[str, Floats], groups: Sequence[str] | None
) -> ArtefactPart | Missing:
    """The field that R peaks have in common, where they are."""
    sfreq = windows.sfreq
    if sfreq < 60:
        return Missing("heart", "data", f"{sfreq:g} Hz are too slow for it.")
    fast = x - lowpass(x, sfreq, HEART_ABOVE)
    fast = lowpass(fast, sfreq, min(HEART_BELOW, 0.4 * sfreq))
    ecg = next((v for n, v in aside.items() if any(t in n.upper() for t in ECG)), None)
    if ecg is not None:
        course, how = ecg - np.median(ecg), "R peaks of the ECG"
        found: Beats | None = pulse.beats(course - lowpass(course, sfreq, 5.0), sfreq)
    else:
        found = pulse.pulse(fast, sfreq, groups, windows.onsets)
        how = "short peaks that come as a heart's beats do"
    if found is None:
        return Missing("heart", "data", "No peaks come as regularly as a heart's.")
    half = round(R_WIDTH * sfreq)
    ends = max(1, half // 4)
    inside = [(i, t) for i, t in found if half <= t < x.shape[-1] - half]
    if len(inside) < 10:
        return Missing("heart", "data", f"{counted(len(inside), 'beat')}; ten are needed.")
    taper = np.hanning(2 * half + 3)[1:-1]

    def beat(i: int, t: int) -> Floats:
        """The signal around a beat, from the line between its ends, [channel, time]."""
        seen = x[i, :, t - half : t + half + 1]
        first, last = seen[:, :ends].mean(1), seen[:, -ends:].mean(1)
        return np.asarray((seen - np.linspace(first, last, seen.shape[1]).T) * taper)

    # One field and one course that all beats have in common.
    every = np.stack([beat(i, t) for i, t in inside])
    fields, sizes, courses = np.linalg.svd(every.mean(0), full_matrices=False)
    field, course = fields[:, 0] * sizes[0], courses[0]
    spread = np.atleast_2d(np.cov(x.swapaxes(0, 1).reshape(x.shape[1], -1))) + 1e-9 * np.eye(x.shape[1])
    spread += np.trace(spread) / len(spread) * 1e-2 * np.eye(len(spread))
    spatial = np.linalg.solve(spread, field)
    spatial /= float(field @ spatial) or 1.0
    part, peaks = np.zeros_like(x), np.zeros((len(x), 2))
    for (i, t), one in zip(inside, every, strict=True):
        amount = float(spatial @ one @ course)
        part[i, :, t - half : t + half + 1] += amount * field[:, None] * course
        peaks[i] += amount, 1.0
    peaks[:, 0] = np.divide(peaks[:, 0], peaks[:, 1], out=np.zeros(len(x)), where=peaks[:, 1] > 0)
    return ArtefactPart("heart", part, peaks, f"Heart: what {how} have in common, {2 * R_WIDTH:g} s of each.")
