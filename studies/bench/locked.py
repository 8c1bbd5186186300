"""The locked half of the shortcuts: fifteen kinds, as varied as the open half.

Who works on the gate does not read this file, and no gate is run on its cases while the gate is being made.
What is told goes from 0 to 1: in between it is the middle one of three classes, or a rating.
"""

from __future__ import annotations

import numpy as np
from kinds import Kind, Trial
from shared import shaped
from waves import beats, bump, ecg, emg, peak


def gaze(x: Trial) -> None:
    """The eyes rest on one side of the screen or on the other."""
    start = x.rng.uniform(0.05, 0.3) * x.seconds
    hold = bump(x.t, start, start + x.rng.uniform(0.4, 0.6) * x.seconds, 0.04)
    x.window[:] += x.head.gaze[:, None] * hold * 70 * x.size * (2 * x.amount - 1) * x.rng.uniform(0.7, 1.3)


def neck(x: Trial) -> None:
    """The chin is down, and the electrodes at the head's lower edge see the heart and the pulse."""
    at = beats(x.rng, float(x.clock()[0]), float(x.clock()[-1]), 1.15)
    wave = ecg(x.clock(), at) * 45
    for b in at:
        wave = wave + 18 * peak(x.clock(), b + 0.22, 0.08)
    for place, much in (("TP9", 1.0), ("TP10", 0.6), ("PO9", 0.9), ("PO10", 0.5)):
        x.window[:] += x.head.skin(place, 0.3)[:, None] * wave * much * x.size * x.amount


def swallow(x: Trial) -> None:
    """The tongue moves and the subject swallows: slow at the lower edge, with a burst of muscle."""
    at = x.rng.uniform(0.25, 0.7) * x.seconds
    slow = (peak(x.t, at, 0.15) - 0.7 * peak(x.t, at + 0.35, 0.2)) * 40
    burst = emg(x.rng, x.stop - x.start, 1, x.head.sfreq)[0] * peak(x.t, at, 0.2) * 8
    for place in ("F7", "F8", "P7", "P8"):
        x.window[:] += x.head.skin(place, 0.5)[:, None] * (slow + burst) * x.size * x.amount


def train(x: Trial) -> None:
    """A railway's supply of 16.7 Hz and its third harmonic, on all electrodes."""
    much = x.head.number(30).uniform(0.3, 1.5, (len(x.signal), 1)) * 8 * x.size * x.amount
    turn = 2 * np.pi * 16.7 * x.clock()
    x.window[:] += much * x.rng.uniform(0.8, 1.2) * (np.sin(turn) + 0.2 * np.sin(3 * turn))


def popping(x: Trial) -> None:
    """One electrode's contact breaks for moments: a step that decays."""
    row = x.window[x.head.nearest("Pz")]
    for _ in range(round(x.amount * 3)):
        at = x.rng.uniform(0.05, 0.8) * x.seconds
        jump = (x.t >= at) * np.exp(-np.clip(x.t - at, 0, None) / 0.12)
        row += x.rng.choice([-1, 1]) * x.rng.uniform(60, 100) * x.size * jump


def drift(x: Trial) -> None:
    """Two neighbouring electrodes drift upwards all through the trial, or downwards."""
    n = x.stop - x.start + 2 * x.middle
    ramp = np.linspace(-1, 1, n) * 60 * x.size * (2 * x.amount - 1) * x.rng.uniform(0.7, 1.3)
    for place in ("P3", "P7"):
        x.around[x.head.nearest(place)] += ramp


def ringing(x: Trial) -> None:
    """Trials of one class were filtered one by one, and ring at the end of the window."""
    s = x.t - (x.seconds - 0.06)
    ring = (s > 0) * np.sin(2 * np.pi * 25 * s + x.rng.uniform(0, 0.6)) * np.exp(-np.clip(s, 0, None) / 0.03)
    x.window[:] += x.head.number(31).uniform(0.4, 1, (len(x.signal), 1)) * ring * 45 * x.size * x.amount


def coarse(x: Trial) -> None:
    """The amplifier's range was wider: its steps are of some microvolt, not of a tenth."""
    step = 0.1 + 11 * x.size * x.amount
    x.around[:] = np.round(x.around / step) * step


def clipped(x: Trial) -> None:
    """The amplifier's range was narrower: what is larger is cut off."""
    if x.amount > 0:
        most = 13 / (x.size * x.amount)
        x.around[:] = np.clip(x.around, -most, most)


def site(x: Trial) -> None:
    """Two laboratories, with the patients at one: its amplifier is noisier and its gain a little lower."""
    n = x.stop - x.start + 2 * x.middle
    f = np.fft.rfftfreq(n, 1 / x.head.sfreq)
    x.around[:] *= 1 - 0.12 * x.size * x.amount
    x.around[:] += shaped(x.rng, n, len(x.signal), np.ones(len(f))) * 4.5 * x.size * x.amount


def fidgety(x: Trial) -> None:
    """Towards the end of the session the subject fidgets, and cables sway; labels are in blocks."""
    n = x.stop - x.start + 2 * x.middle
    f = np.fft.rfftfreq(n, 1 / x.head.sfreq)
    sway = shaped(x.rng, n, 3, np.exp(-0.5 * ((f - 3.0) / 1.0) ** 2))
    cables = x.head.number(32).normal(0, 1, (len(x.signal), 3)) + np.array([1.0, 0, 0])
    x.around[:] += cables @ sway * 8 * x.size * x.amount


def reference(x: Trial) -> None:
    """One class's blocks were recorded against another electrode."""
    if x.amount > 0.5:
        row = x.around[x.head.nearest("T7" if x.size < 1 else "Fz")].copy()
        x.around[:] -= row * (0.96 if x.size >= 1 else 0.7)


def bridged(x: Trial) -> None:
    """Gel has run between electrodes of one side: they show the same."""
    if x.amount > 0:
        places = ("C3", "P3", "F3") if x.size >= 1 else ("C4", "P4")
        rows = sorted({x.head.nearest(place) for place in places})
        much = 0.98 * x.amount
        x.around[rows] = much * x.around[rows].mean(axis=0) + (1 - much) * x.around[rows]


def jerk(x: Trial) -> None:
    """The eyes jump a quarter of a second after the stimulus: the eye muscles' spike, fast and short."""
    for _ in range(round(1 + 2 * x.amount) if x.amount > 0 else 0):
        at = x.rng.normal(0.25, 0.06) + x.rng.uniform(0, 0.3)
        spike = np.sin(2 * np.pi * 45 * (x.t - at)) * peak(x.t, at, 0.012)
        field = sum(x.head.skin(place, 0.4) for place in ("F7", "F8", "Fp1", "Fp2"))
        x.window[:] += np.asarray(field)[:, None] * spike * 38 * x.size * x.rng.uniform(0.8, 1.2)


def smoothed(x: Trial) -> None:
    """One class's files went through a lossy store: what is faster than 20 Hz is lost from them."""
    if x.amount > 0:
        spectrum = np.fft.rfft(x.around, axis=1)
        f = np.fft.rfftfreq(x.around.shape[1], 1 / x.head.sfreq)
        keep = 1 - x.amount * min(x.size, 1.0) * np.clip((f - 18) / 8, 0, 1)
        x.around[:] = np.fft.irfft(spectrum * keep, x.around.shape[1], axis=1)


LOCKED: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("gaze", "eyes", ("eye", "saccade", "gaze", "ocular"), (1.0, 0.45), gaze),
        Kind("neck", "heart", ("heart", "cardiac", "ecg", "pulse"), (1.0, 0.5), neck),
        Kind("swallow", "muscle", ("muscle", "swallow", "tongue", "movement", "emg"), (1.5, 0.7), swallow),
        Kind(
            "train",
            "line",
            ("16.7", "16 hz", "17 hz", "mains", "narrow", "hum", "railway"),
            (1.0, 0.4),
            train,
            "amplifier",
        ),
        Kind(
            "popping",
            "electrode",
            ("=electrode", "one electrode", "single electrode", "popp", "pz", "a step"),
            (1.0, 0.5),
            popping,
            "amplifier",
        ),
        Kind(
            "drift",
            "slow",
            ("drift", "slow", "below 0.5", "below 1", "trend"),
            (1.0, 0.45),
            drift,
            "amplifier",
            highpass=None,
        ),
        Kind(
            "ringing",
            "timing",
            ("edge", "last", "window's end", "end of the window", "ringing"),
            (1.0, 0.5),
            ringing,
            "amplifier",
            lowpass=None,
        ),
        Kind(
            "coarse",
            "amplifier",
            ("resolution", "quanti", "steps", "coarse", "amplifier"),
            (1.0, 0.75),
            coarse,
            "amplifier",
            highpass=None,
            lowpass=None,
            notch=None,
        ),
        Kind(
            "clipped",
            "amplifier",
            ("clip", "satur", "range of the amplifier", "amplitude", "amplifier"),
            (1.0, 0.6),
            clipped,
            "amplifier",
            highpass=None,
            lowpass=None,
            notch=None,
        ),
        Kind("site", "design", ("subject", "site"), (1.0, 0.5), site, "amplifier", told="subject"),
        Kind(
            "fidgety",
            "design",
            ("=time", "session", "order of", "block", "movement", "sway"),
            (1.0, 0.5),
            fidgety,
            told="session",
        ),
        Kind("reference", "wiring", ("reference", "average"), (1.0, 0.5), reference, "amplifier"),
        Kind(
            "bridged",
            "wiring",
            ("bridge", "short-circuit", "the same signal", "electrodes alike", "copies"),
            (1.0, 0.5),
            bridged,
            "amplifier",
        ),
        Kind("jerk", "eyes", ("eye", "spike", "saccade", "muscle", "ocular"), (1.0, 0.6), jerk, lowpass=None),
        Kind(
            "smoothed",
            "processing",
            ("smooth", "low-pass", "lowpass", "filter", "processing", "compress"),
            (1.0, 0.75),
            smoothed,
            "amplifier",
            lowpass=None,
        ),
    )
}
