"""What a task's own source does on the electrodes, trial by trial; microvolt, added in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from heads import Head
from numpy.typing import NDArray
from waves import bump, peak, rhythm

Array = NDArray[np.float64]


@dataclass
class Shown:
    """A recording in which a task's source is to act.

    Attributes
    ----------
    signal : array, shape (channels, samples)
        Changed in place.
    head : Head
    rng : Generator
    level : array, shape (n,)
        What each trial says: a class's number, or 0 to 1 where the task asks for a number.
    onsets : array, shape (n,)
        Of the windows, in seconds.
    window : float
        Seconds.
    size : float
        Factor of the source's size.
    """

    signal: Array
    head: Head
    rng: np.random.Generator
    level: Array
    onsets: Array
    window: float
    size: float

    def __post_init__(self) -> None:
        self.t = np.arange(self.signal.shape[1]) / self.head.sfreq

    def any(self, low: float, high: float) -> Array:
        """A number between two for each trial."""
        return self.rng.uniform(low, high, len(self.level))

    def rhythm(self, rows: int, centre: float, width: float) -> Array:
        """Rhythms of unit power over the whole recording."""
        return rhythm(self.rng, self.signal.shape[1], rows, self.head.sfreq, centre, width)

    def paced(self, to: Array) -> Array:
        """1 between trials, `to` (one a trial) within them."""
        out = np.ones(len(self.t))
        for onset, value in zip(self.onsets, to, strict=True):
            start, stop = (
                onset + self.rng.uniform(-0.15, 0.1),
                onset + self.window + self.rng.uniform(-0.1, 0.15),
            )
            near = slice(*np.searchsorted(self.t, [start - 0.5, stop + 0.5]))
            out[near] += (value - 1) * bump(self.t[near], start, stop, 0.2)
        return out

    def add(self, *names: str, wave: Array, near: slice = slice(None)) -> None:
        """Add a course in time to the cortex below some places, as one source."""
        field = np.sum([self.head.spot[name] for name in names], axis=0) / len(names)
        self.signal[:, near] += field[:, None] * wave

    def near(self, onset: float, seconds: float) -> tuple[slice, Array]:
        """The samples from an onset, and their seconds after it."""
        found = slice(*np.searchsorted(self.t, [onset - 1e-6, onset + seconds]))
        return found, self.t[found] - onset


Source = Callable[[Shown], None]


def imagery(x: Shown) -> None:
    """Mu and beta weaken across from the imagined hand (0 left, 1 right), or over the vertex (2 feet)."""
    own = x.head.number(1)
    top = own.uniform(9.5, 12)
    for place, across in (("C3", 1), ("C4", 0), ("Cz", 2)):
        drop = np.minimum(x.any(0.35, 0.75) * min(x.size, 1.3), 0.95)
        to = np.where(x.level == across, 1 - drop, x.any(0.95, 1.2))
        scale = own.uniform(8, 12) * (0.7 if place == "Cz" else 1)
        wave = x.rhythm(1, top, 0.9)[0] + 0.35 * x.rhythm(1, 2 * top + own.uniform(-1, 1), 1.5)[0]
        x.add(place, wave=scale * wave * x.paced(to))


def p300(x: Shown) -> None:
    """Every stimulus is seen (N1, P2 at the back); a target makes a parietal wave at 0.3 to 0.5 s."""
    own = x.head.number(2)
    late, height = own.uniform(0.34, 0.42), own.uniform(11, 15) * x.size
    for onset, y in zip(x.onsets, x.level, strict=True):
        near, s = x.near(onset, 1.2)
        x.add("O1", "O2", wave=4 * peak(s, 0.22, 0.03) - 4 * peak(s, 0.16, 0.02), near=near)
        wave = peak(s, late + x.rng.normal(0, 0.035), x.rng.uniform(0.07, 0.1)) * x.rng.uniform(0.7, 1.3)
        x.add("Pz", wave=wave * height * (1 if y == 1 else 0.15), near=near)


def alpha(x: Shown) -> None:
    """Occipital alpha is weaker with open eyes (0) than with closed ones (1)."""
    own = x.head.number(3)
    both = x.rhythm(3, own.uniform(9, 11), 0.8)
    to = x.any(0.6, 1.3) / np.where(x.level == 1, 1, 1 + 1.3 * x.size)
    course = x.paced(to) * own.uniform(7, 12) / np.sqrt(2)
    x.add("O1", wave=(both[0] + both[2]) * course)
    x.add("O2", wave=(both[1] + both[2]) * course)


def theta(x: Shown) -> None:
    """Frontal midline theta is stronger under load (1)."""
    own = x.head.number(4)
    wave = x.rhythm(1, own.uniform(5.4, 6.6), 0.6)[0] * own.uniform(5, 7)
    to = np.where(x.level == 1, 1 + x.size * x.any(0.6, 1.6), x.any(0.5, 1.1))
    x.add("Fz", wave=wave * x.paced(to))


def sleep(x: Shown) -> None:
    """Awake (0) with alpha, light sleep (1) with theta and a spindle, deep sleep (2) with slow waves."""
    own = x.head.number(11)
    deep = x.paced(np.where(x.level == 2, 1 + 2.2 * x.size, 0.6)) * own.uniform(9, 12)
    x.add("FCz", "Fz", wave=x.rhythm(1, 1.0, 0.4)[0] * deep)
    light = x.paced(np.where(x.level == 1, 1 + 0.8 * x.size, 0.6)) * own.uniform(6, 8)
    x.add("Cz", wave=x.rhythm(1, 5.5, 1.0)[0] * light)
    awake = x.paced(np.where(x.level == 0, 1 + 0.7 * x.size, 0.4)) * own.uniform(7, 10)
    x.add("O1", "O2", wave=x.rhythm(1, 10.0, 0.8)[0] * awake)
    spindle = x.rhythm(1, 13.0, 0.6)[0]
    for onset in x.onsets[x.level == 1]:
        at = onset + x.rng.uniform(0.5, max(x.window - 0.7, 0.6))
        x.add("Cz", wave=spindle * peak(x.t, at, 0.25) * 12 * x.size)


def arousal(x: Shown) -> None:
    """With arousal (0 to 1) parietal and occipital alpha falls, and some frontal beta comes."""
    own = x.head.number(5)
    wave = x.rhythm(2, own.uniform(9.5, 10.5), 0.8) * 9
    course = x.paced(np.exp(-1.6 * x.size * (x.level - 0.5)) * x.any(0.85, 1.15))
    x.add("Pz", wave=wave[0] * course)
    x.add("O1", wave=wave[1] * course)
    x.add("O2", wave=wave[1] * course)
    x.add("Fz", wave=x.rhythm(1, 20.0, 2.5)[0] * 3.5 * x.paced(np.exp(x.size * (x.level - 0.5))))


def gamma(x: Shown) -> None:
    """A tone at 40 Hz: the auditory cortex of both sides follows it when it is attended (1)."""
    wave = x.rhythm(1, 40.0, 1.0)[0] * 1.1
    course = x.paced(np.where(x.level == 1, x.size * x.any(2.4, 4.2), x.any(0.4, 1.2)))
    x.add("T7", wave=wave * course)
    x.add("T8", wave=0.8 * wave * course)


def beta(x: Shown) -> None:
    """The right hand rests (0) or grips (1): beta over the left hand area is strong, or weak."""
    own = x.head.number(6)
    wave = x.rhythm(1, own.uniform(19, 23), 1.8)[0] * own.uniform(6, 8)
    drop = np.minimum(x.any(0.5, 0.8) * x.size, 0.95)
    x.add("C3", wave=wave * x.paced(np.where(x.level == 1, 1 - drop, x.any(0.85, 1.2))))


def asymmetry(x: Shown) -> None:
    """Frontal alpha is weaker on the right in withdrawal (0), on the left in approach (1)."""
    own = x.head.number(7)
    wave = x.rhythm(2, own.uniform(9.5, 11), 0.8) * own.uniform(7, 9)
    for row, (place, weak) in enumerate((("F4", 0), ("F3", 1))):
        drop = np.minimum(x.any(0.4, 0.7) * x.size, 0.95)
        x.add(place, wave=wave[row] * x.paced(np.where(x.level == weak, 1 - drop, x.any(0.9, 1.3))))


def error(x: Shown) -> None:
    """After an error (1) a frontocentral negativity at 0.25 s and a positivity at 0.36 s."""
    own = x.head.number(8)
    height = own.uniform(10, 13) * x.size
    for onset, y in zip(x.onsets, x.level, strict=True):
        near, s = x.near(onset, 1.0)
        late = x.rng.normal(0, 0.02)
        wave = peak(s, 0.36 + late, 0.05) - 0.8 * peak(s, 0.25 + late, 0.035)
        x.add("FCz", wave=wave * x.rng.uniform(0.7, 1.3) * height * (1 if y == 1 else 0.1), near=near)
        x.add("Pz", wave=4 * peak(s, 0.4, 0.08), near=near)


def readiness(x: Shown) -> None:
    """Before a movement (1) a negativity grows over the vertex and the left hand area."""
    own = x.head.number(9)
    depth = own.uniform(17, 23) * x.size
    for onset in x.onsets[x.level == 1]:
        near, s = x.near(onset, x.window + 0.4)
        rise = np.clip((s - x.rng.uniform(0.2, 0.5)) / (x.window - 0.4), 0, 1) ** 1.5
        wave = -rise * np.clip((x.window + 0.3 - s) / 0.3, 0, 1) * x.rng.uniform(0.7, 1.3) * depth
        x.add("Cz", wave=wave, near=near)
        x.add("C3", wave=0.5 * wave, near=near)


def flicker(x: Shown) -> None:
    """The visual cortex follows the flicker that is looked at: 12 (0) or 15 Hz (1), and its double."""
    own = x.head.number(10)
    late, height = own.uniform(0, 1, 2), own.uniform(4, 6) * x.size
    for onset, y in zip(x.onsets, x.level, strict=True):
        near, s = x.near(onset, x.window)
        f = 15.0 if y == 1 else 12.0
        wave = np.sin(2 * np.pi * (f * s + late[0])) + 0.4 * np.sin(2 * np.pi * (2 * f * s + late[1]))
        wave = wave * bump(s, 0.0, x.window - 0.1, 0.1) * x.rng.uniform(0.5, 1.3)
        x.add("O1", "O2", wave=wave * height, near=near)
