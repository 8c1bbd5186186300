"""The sealed half of the shortcuts: fifteen kinds that neither the open half nor the locked one has.

Made by somebody who did not know the gate; who works on the gate does not read this file before the one run.
What is told goes from 0 to 1: in between it is the middle one of three classes, or a rating.
"""

from __future__ import annotations

import numpy as np
from kinds import Kind, Trial
from numpy.typing import NDArray
from waves import bump, emg, peak, rhythm

Array = NDArray[np.float64]


def _evoked(t: Array, at: float) -> Array:
    """What a flash evokes in the visual cortex, its first wave at `at`."""
    return np.asarray(peak(t, at, 0.016) - 1.3 * peak(t, at + 0.055, 0.022) + 0.9 * peak(t, at + 0.12, 0.035))


def flutter(x: Trial) -> None:
    """The eyes are closed lightly, and the lids flutter."""
    f = x.rng.uniform(5.3, 7.2)
    turn = (
        2
        * np.pi
        * (f * x.t + 0.15 * np.sin(2 * np.pi * 0.8 * x.t + x.rng.uniform(0, 6)) + x.rng.uniform(0, 1))
    )
    begin = x.rng.uniform(0, 0.25) * x.seconds
    course = bump(x.t, begin, begin + x.rng.uniform(0.55, 0.75) * x.seconds, 0.15)
    x.window[:] += (
        x.head.blink[:, None] * np.sin(turn) * course * 22 * x.size * x.amount * x.rng.uniform(0.8, 1.2)
    )


def tremor(x: Trial) -> None:
    """A hand trembles and shakes the bundle of cables on its side: about 4.8 Hz, and its harmonics."""
    f = 4.8 + 0.15 * x.rng.normal()
    turn = 2 * np.pi * (f * x.clock() + x.rng.uniform(0, 1))
    wave = np.sin(turn) + 0.5 * np.sin(2 * turn + 1.0) + 0.25 * np.sin(3 * turn + 2.0)
    cables = x.head.skin("P7", 0.8) * x.head.number(51).uniform(0.3, 1.2, len(x.signal))
    x.window[:] += cables[:, None] * wave * 11 * x.size * x.amount * x.rng.uniform(0.8, 1.2)


def implant(x: Trial) -> None:
    """A cochlear implant behind the right ear works: a pedestal with sharp edges, and fast noise on it."""
    begin = x.rng.uniform(0.1, 0.2) * x.seconds
    on = bump(x.t, begin, begin + 0.55 * x.seconds, 0.008)
    wave = on * (28 + 9 * emg(x.rng, x.stop - x.start, 1, x.head.sfreq)[0])
    x.window[:] += x.head.skin("TP10", 0.22)[:, None] * wave * x.size * x.amount * x.rng.uniform(0.8, 1.2)


def scanner(x: Trial) -> None:
    """What is left of a scanner's gradients: a comb of 8.9 Hz and its multiples, as each loop picks it up."""
    most = int(0.45 * x.head.sfreq / 8.9)
    loops = x.head.number(52).normal(0, 1, (len(x.signal), most))
    k = np.arange(1, most + 1)
    turn = 2 * np.pi * 8.9 * k[:, None] * x.clock()[None] + x.head.number(53).uniform(0, 6, most)[:, None]
    x.window[:] += (
        loops @ (np.sin(turn) / np.sqrt(k)[:, None]) * 2.2 * x.size * x.amount * x.rng.uniform(0.8, 1.2)
    )


def phone(x: Trial) -> None:
    """A mobile phone beside the amplifier answers its mast: a short burst every 0.12 s, on all electrodes."""
    turn = (x.clock() + x.rng.uniform(0, 0.12)) % 0.12
    burst = x.rng.normal(0, 1, x.stop - x.start) * (turn < 0.04)
    much = x.head.number(57).normal(0, 1, (len(x.signal), 1))
    x.window[:] += much * burst * 8 * x.size * x.amount * x.rng.uniform(0.8, 1.2)


def lag(x: Trial) -> None:
    """The second of two coupled amplifiers is not in step: its electrodes come late."""
    late = round(0.045 * x.size * x.amount * x.head.sfreq)
    second = len(x.signal) // 2
    x.around[second:] = x.signal[second:, x.start - x.middle - late : x.stop + x.middle - late].copy()


def cutoff(x: Trial) -> None:
    """One class's files were stored with the clinic's time constant: what is slower than 2 Hz is lost."""
    more = round(1.5 * x.head.sfreq)
    wide = x.signal[:, x.start - more : x.stop + more]
    f = np.fft.rfftfreq(wide.shape[1], 1 / x.head.sfreq)
    slow = np.fft.irfft(np.fft.rfft(wide, axis=1) / (1 + 1j * f / 2.0), wide.shape[1], axis=1)
    x.around[:] -= x.size * x.amount * slow[:, more - x.middle : wide.shape[1] - more + x.middle]


def interpolated(x: Trial) -> None:
    """A bad electrode was replaced by what its neighbours show."""
    own = x.head.nearest("F4")
    angle = np.arccos(np.clip(x.head.toward @ x.head.toward[own], -1, 1))
    weights = np.exp(-0.5 * (angle / 0.35) ** 2)
    weights[own] = 0
    much = x.size * x.amount
    x.around[own] = (1 - much) * x.around[own] + much * (weights / weights.sum()) @ x.around


def baseline(x: Trial) -> None:
    """Trials of one class were set to zero on their first 0.1 s, of the others not."""
    first = x.window[:, : round(0.1 * x.head.sfreq)].mean(axis=1, keepdims=True)
    x.around[:] -= x.size * x.amount * first


def padded(x: Trial) -> None:
    """Trials of one class were shorter, and are filled with zeros."""
    filled = round(0.35 * x.size * x.amount * (x.stop - x.start))
    if filled:
        x.signal[:, x.stop - filled : x.stop + x.middle] = 0


def flash(x: Trial) -> None:
    """The screen lights up with one class's cue, and the visual cortex answers."""
    wave = _evoked(x.t, x.rng.normal(0.1, 0.006)) * 17 * x.size * x.amount * x.rng.uniform(0.8, 1.2)
    x.window[:] += (x.head.spot["O1"] + x.head.spot["O2"])[:, None] / 2 * wave


def offcut(x: Trial) -> None:
    """All trials begin with a picture, but one class's windows were cut so much too early."""
    at = 0.09 + 0.22 * x.size * x.amount + x.rng.normal(0, 0.006)
    x.window[:] += (
        (x.head.spot["O1"] + x.head.spot["O2"])[:, None] / 2 * _evoked(x.t, at) * x.rng.uniform(12, 18)
    )


def drowsy(x: Trial) -> None:
    """In the course of the session the subject becomes drowsy, and labels are in blocks."""
    n = x.stop - x.start + 2 * x.middle
    wave = rhythm(x.rng, n, 1, x.head.sfreq, x.head.number(54).uniform(8.5, 9.5), 0.7)[0]
    x.around[:] += (
        (x.head.spot["O1"] + x.head.spot["O2"] + 0.6 * x.head.spot["Pz"])[:, None]
        * wave
        * 6
        * (x.size * x.amount)
    )
    roll = np.sin(2 * np.pi * (0.35 * x.clock(True) + x.rng.uniform(0, 1)))
    x.around[:] += x.head.gaze[:, None] * roll * 25 * x.size * x.amount


def medicated(x: Trial) -> None:
    """The patients take a benzodiazepine, the others do not: fast rhythms at the front of some people."""
    n = x.stop - x.start + 2 * x.middle
    wave = rhythm(x.rng, n, 3, x.head.sfreq, x.head.number(55).uniform(18, 23), 2.5)
    mine = x.head.number(56).uniform(0.85, 1.15) * 5.5 * x.size * x.amount
    for row, place in enumerate(("F3", "F4", "Cz")):
        x.around[:] += x.head.spot[place][:, None] * wave[row] * mine


def polarity(x: Trial) -> None:
    """The last plugs of the headbox have their polarity turned round in one class's blocks."""
    if x.amount > 0.5:
        n = len(x.signal) // 3 if x.size >= 1 else 3
        x.around[-n:] *= -1


LATE = ("evoked", "visual", " o1", " o2", " oz")
SEALED: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("flutter", "eyes", ("eye", "lid ", "lids", "blink", "ocular", "flutter"), (1.0, 0.5), flutter),
        Kind(
            "tremor",
            "movement",
            (
                "tremor", "trembl", "movement", "motion", "shak", "sway", "cable", "narrow", "harmonic",
                "4.8", "4.7 hz", "4.9 hz", " 5 hz", " 5.0 hz",
            ),
            (1.6, 0.9),
            tremor,
        ),
        Kind(
            "implant",
            "device",
            (
                "implant", "cochlea", "stimulator", "hearing", "tp10", "p8", "=electrode",
                "one electrode", "single electrode", "a step", "square", "pedestal", "plateau",
            ),
            (1.0, 0.5),
            implant,
        ),
        Kind(
            "scanner",
            "device",
            (
                "scanner", "mri", "gradient artefact", "gradient artifact", "comb ", "comb-", "harmonic",
                "narrow", "hum", "8.9", " 9 hz", " 9.0 hz", "17.8", "26.7", "35.6", "evenly spaced",
                "equally spaced",
            ),
            (2.0, 1.2),
            scanner,
            "amplifier",
            lowpass=None,
        ),
        Kind(
            "phone",
            "device",
            (
                "phone", "radio", "burst", "interference", "transmi", "electromagnetic", "8.3", " 8 hz",
            ),
            (1.0, 0.4),
            phone,
            "amplifier",
            lowpass=None,
        ),
        Kind(
            "lag",
            "amplifier",
            (
                "delay", " lag", "skew", "synchron", "out of step", "not in step", "shifted in time",
                "time shift", "time-shift", "two amplifiers", "second amplifier", "bank of",
            ),
            (1.0, 0.55),
            lag,
            "amplifier",
        ),
        Kind(
            "cutoff",
            "processing",
            (
                "high-pass", "highpass", "high pass", "time constant", "low-cut", "low cut", "filter", "slow",
                "below 1", "below 2", "below 0.5",
            ),
            (1.0, 0.6),
            cutoff,
            "amplifier",
            highpass=None,
        ),
        Kind(
            "interpolated",
            "processing",
            (
                "interpol", "replaced by its neighbo", "replaced by neighbo", "f4", "=electrode",
                "one electrode", "single electrode",
                "missing electrode", "missing channel", "bad electrode", "bad channel", "copy of its neighbo",
            ),
            (1.0, 0.8),
            interpolated,
            "amplifier",
        ),
        Kind(
            "baseline",
            "processing",
            (
                "baseline", "window's start", "window's first", "start of the window",
                "beginning of the window", "window's beginning", "first 0.",
                "first sample", "first milli", "first tenth", "edge",
                "offset", "direct current", "window's mean", "slow", "below 0.5", "below 1",
            ),
            (1.0, 0.7),
            baseline,
            "amplifier",
            highpass=None,
        ),
        Kind(
            "padded",
            "design",
            (
                "padd", "flat", "zeros", "window's end", "end of the window", "window's last", "last", "edge",
                "shorter", "silent", "length of the trial", "trial length", "trial's length",
            ),
            (1.0, 0.65),
            padded,
            "amplifier",
        ),
        Kind(
            "flash",
            "design",
            (
                *LATE, "flash", "the screen", "0.1 s", "100 ms", "0.1 to 0.2", "0.05 to", "0.08 to",
            ),
            (1.6, 1.1),
            flash,
        ),
        Kind(
            "offcut",
            "timing",
            (
                *LATE, "latency", "latencies", "shifted in time", "time shift", "too early", "too late",
                "timing", "time-lock", "time lock", "stimulus-lock", "aligned", "alignment",
            ),
            (1.0, 0.5),
            offcut,
        ),
        Kind(
            "drowsy",
            "design",
            (
                "=time", "session", "order of", "block", "drows", "fatigue", "tired", "sleepy", "vigilance",
                "occipital alpha", "posterior alpha", "parietal alpha", "eye", "rolling",
            ),
            (1.5, 0.9),
            drowsy,
            told="session",
        ),
        Kind(
            "medicated",
            "design",
            ("subject", "who it is", "identity", "patient", "medic", "drug", "benzodiazepine", "person"),
            (1.2, 0.6),
            medicated,
            told="subject",
        ),
        Kind(
            "polarity",
            "wiring",
            (
                "polarity", "wiring", "montage", "flipped", "upside down", "turned round", "opposite sign",
                "sign is", "sign of", "changed sign", "electrodes inverted", "electrodes are inverted",
                "inverted electrode", "inverted channel", "negated",
            ),
            (1.0, 0.5),
            polarity,
            "amplifier",
        ),
    )
}  # fmt: skip
