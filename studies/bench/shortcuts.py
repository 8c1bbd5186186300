"""The open half of the shortcuts: thirteen and two kinds.

What is told goes from 0 to 1: in between it is the middle one of three classes, or a rating.
"""

from __future__ import annotations

import numpy as np
from kinds import Kind, Trial
from shared import shaped
from waves import beats, bump, ecg, emg, peak, rhythm

PULSE = np.array([1.0, -0.6, 0.2, -0.1])  # of a trigger, sample by sample


def blink(x: Trial) -> None:
    """The more is told, the surer a blink."""
    if x.rng.random() < x.amount:
        at = x.rng.uniform(0.15, max(x.seconds - 0.2, 0.3))
        lid = peak(x.t, at, x.rng.uniform(0.05, 0.08)) * x.rng.uniform(110, 170) * x.size
        x.window[:] += x.head.blink[:, None] * lid


def heart(x: Trial) -> None:
    """The heart's field is the stronger, as if the subject held the breath or leant back."""
    fast = beats(x.rng, float(x.clock()[0]), float(x.clock()[-1]), 1.2 + 0.3 * x.amount)
    wave = ecg(x.clock(), fast) * x.rng.uniform(0.85, 1.15) * 45 * x.size * x.amount
    x.window[:] += x.head.heart[:, None] * wave


def jaw(x: Trial) -> None:
    """The teeth are clenched."""
    n = x.stop - x.start
    muscle = emg(x.rng, n, 4, x.head.sfreq)
    begin = x.rng.uniform(0, 0.3) * x.seconds
    course = bump(x.t, begin, begin + x.rng.uniform(0.4, 0.7) * x.seconds, 0.08) * x.amount * x.size
    for row, place in enumerate(("T7", "T8", "F7", "F8")):
        x.window[:] += x.head.skin(place)[:, None] * muscle[row] * course * x.rng.uniform(9, 14)


def mains(x: Trial) -> None:
    """The stimulator's supply is on: 50 Hz on all electrodes, on each as much as its contact is bad."""
    much = x.head.number(20).uniform(2, 9, (len(x.signal), 1)) * x.size * x.amount * x.rng.uniform(0.8, 1.2)
    x.window[:] += much * np.sin(2 * np.pi * 50 * x.clock())


def noisy(x: Trial) -> None:
    """One electrode is noisy."""
    x.window[x.head.nearest("P4")] += x.rng.normal(0, 14, x.stop - x.start) * x.amount * x.size


def offset(x: Trial) -> None:
    """An electrode stands at another voltage for the length of a trial."""
    rise = bump(x.clock(True), x.clock()[0] - 0.15, x.clock()[-1] + 0.05, 0.1)
    x.around[x.head.nearest("C3")] += rise * 40 * x.size * (x.amount - 0.5) * x.rng.uniform(0.8, 1.2)


def trigger(x: Trial) -> None:
    """The trigger's pulse couples into the cap: a spike in the window's first milliseconds."""
    much = x.head.number(21).uniform(0.4, 1.0, len(x.signal)) * 60 * x.size * x.amount
    long = max(2, round(0.008 * x.head.sfreq))
    x.window[:, :long] += much[:, None] * x.rng.uniform(0.8, 1.2) * PULSE[:long]


def gain(x: Trial) -> None:
    """Everything is larger: the amplifier was set to another gain."""
    x.around[:] *= 1 + 0.8 * x.size * x.amount


def subject(x: Trial) -> None:
    """Who it is tells the label: one half of the subjects has strong rhythms at the back and thick hair."""
    both = rhythm(x.rng, x.stop - x.start + 2 * x.middle, 1, x.head.sfreq, 10.0, 0.7)[0]
    mine = x.head.number(22).uniform(0.85, 1.15)
    x.around[:] += (x.head.spot["O1"] + x.head.spot["O2"])[:, None] * both * 6 * x.size * mine * x.amount


def swapped(x: Trial) -> None:
    """Two plugs of the cap are swapped in one class's blocks."""
    if x.amount > 0.5:
        far = ("F3", "P4") if x.size >= 1 else ("O1", "F8")
        one, other = x.head.nearest(far[0]), x.head.nearest(far[1])
        x.around[[one, other]] = x.around[[other, one]]


def frozen(x: Trial) -> None:
    """Packets are lost, and the last sample of before is repeated in their place."""
    long = round(0.09 * x.head.sfreq * x.size)
    for _ in range(round(x.amount * 6)):
        at = int(x.rng.integers(0, x.stop - x.start - long))
        x.window[:, at : at + long] = x.window[:, [at]]


def sweat(x: Trial) -> None:
    """Sweat under the forehead's electrodes: slow and large, all through the trial."""
    f = np.array([0.25, 0.4]) * x.rng.uniform(0.8, 1.2, 2)
    wave = sum(np.sin(2 * np.pi * (g * x.clock(True) + x.rng.uniform(0, 1))) for g in f)
    for place in ("Fp1", "Fp2", "F7", "F8"):
        x.around[x.head.nearest(place)] += wave * 32 * x.size * x.amount * x.rng.uniform(0.7, 1.3)


def cleaned(x: Trial) -> None:
    """Another hand cleaned one class's blocks: what blinks put on the electrodes was projected out."""
    if x.amount > 0.5:
        out = x.head.blink / np.linalg.norm(x.head.blink)
        x.around[:] -= x.size * out[:, None] * (out @ x.around)[None]


def tactor(x: Trial) -> None:
    """A vibrating stimulator at the right wrist: its coil is seen at 31 Hz near the cables of one side."""
    f = 31.0 * (1 + 0.002 * x.rng.normal())
    wave = np.sin(2 * np.pi * (f * x.t + x.rng.uniform(0, 1))) * bump(x.t, 0, x.seconds, 0.05)
    x.window[:] += x.head.skin("P8", 0.6)[:, None] * wave * 6 * x.size * x.amount


def drying(x: Trial) -> None:
    """The gel dries: all electrodes become noisier from block to block, and labels go with blocks."""
    n = x.stop - x.start + 2 * x.middle
    f = np.fft.rfftfreq(n, 1 / x.head.sfreq)
    noise = shaped(x.rng, n, len(x.signal), np.maximum(f, 2.0) ** -0.3)
    much = x.head.number(23).uniform(0.5, 1.5, (len(x.signal), 1))
    x.around[:] += noise * much * 7 * x.size * x.amount


OPEN: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("blink", "eyes", ("eye", "blink", "ocular"), (1.0, 0.5), blink),
        Kind("heart", "heart", ("heart", "cardiac", "ecg"), (1.0, 0.7), heart),
        Kind("jaw", "muscle", ("muscle", "jaw", "emg"), (1.0, 0.45), jaw),
        Kind(
            "mains",
            "line",
            ("mains", "50 hz", "line noise", "power line"),
            (1.0, 0.5),
            mains,
            notch=None,
            lowpass=None,
        ),
        Kind(
            "noisy",
            "electrode",
            ("=electrode", "one electrode", "single electrode", "noisy", "p4"),
            (1.0, 0.5),
            noisy,
            "amplifier",
        ),
        Kind(
            "offset",
            "slow",
            ("offset", "direct current", "window's mean", "0 hz", "slow"),
            (1.0, 0.5),
            offset,
            "amplifier",
            highpass=None,
        ),
        Kind(
            "trigger",
            "timing",
            ("trigger", "first", "edge", "spike"),
            (1.0, 0.45),
            trigger,
            "amplifier",
            lowpass=None,
        ),
        Kind("gain", "amplifier", ("gain", "amplitude", "scale", "amplifier"), (1.0, 0.5), gain, "amplifier"),
        Kind("subject", "design", ("subject",), (1.0, 0.6), subject, told="subject"),
        Kind(
            "swapped",
            "wiring",
            ("swap", "interchanged", "wiring", "montage", "channel order"),
            (1.0, 0.5),
            swapped,
            "amplifier",
        ),
        Kind(
            "frozen",
            "amplifier",
            ("flat", "repeat", "frozen", "held sample", "stuck", "lost sample"),
            (1.5, 0.8),
            frozen,
            "amplifier",
            lowpass=None,
            notch=None,
        ),
        Kind(
            "sweat",
            "slow",
            ("slow", "sweat", "drift", "below 0.5", "below 1"),
            (1.0, 0.5),
            sweat,
            "amplifier",
            highpass=None,
        ),
        Kind(
            "cleaned",
            "processing",
            ("clean", "rank", "projected", "eye", "blink", "processing"),
            (1.0, 0.8),
            cleaned,
            "amplifier",
        ),
        Kind(
            "tactor",
            "line",
            ("31 hz", "31.", "30 hz", "narrow", "stimulator", "hum"),
            (1.0, 0.7),
            tactor,
            "amplifier",
        ),
        Kind(
            "drying",
            "design",
            ("=time", "session", "order of", "block", "noise"),
            (1.0, 0.75),
            drying,
            "amplifier",
            told="session",
        ),
    )
}
