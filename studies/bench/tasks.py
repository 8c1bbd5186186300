"""The bench's tasks: what is asked, on which cap, at which rate, and what a careful user declares of it.

A recording of a task is a head with everything that a real one has: 1/f background, rhythms of the back and
of the hands, blinks, turns of the eyes, some jaw, the heart, the mains, drifts, sensor noise. None of that
goes with the label; the task's source does, and whatever shortcut is planted.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

import mne
import numpy as np
import sources
from heads import CAPS, Head
from numpy.typing import NDArray
from shared import shaped
from sources import Shown, Source
from waves import beats, bump, ecg, emg, peak, rhythm

Array = NDArray[np.float64]
LEAD, GAP = 2.0, 0.5  # seconds before the first window and after the last, and between two
LOW, SPAN = 1.0, 8.0  # a rating goes from 1 to 9


@dataclass(frozen=True)
class Task:
    """What a network has to tell.

    Attributes
    ----------
    name, cap : str
    sfreq, window : float
        Hz, seconds.
    classes : tuple of str
        Empty where a number is asked for.
    source : callable
        Adds what the trials say to a recording.
    expects : str
        What a policy declares under ``expects:``, YAML.
    highpass, lowpass, notch : float or None
        Of the network's input.
    lacks : tuple of str
        What is left out of the ground because the task has its own: "alpha", "mu".
    """

    name: str
    cap: str
    sfreq: float
    window: float
    classes: tuple[str, ...]
    source: Source
    expects: str
    highpass: float | None = 0.5
    lowpass: float | None = None
    notch: float | None = 50.0
    lacks: tuple[str, ...] = ()

    @property
    def samples(self) -> int:
        """Of a window."""
        return round(self.window * self.sfreq)

    def said(self, value: float) -> str:
        """The annotation of a trial."""
        return self.classes[int(value)] if self.classes else f"{LOW + SPAN * value:.2f}"


@dataclass(frozen=True)
class Trials:
    """What the trials of a recording say: a class's number, or 0 to 1 where a number is asked for.

    Attributes
    ----------
    label : array, shape (n,)
        The annotation.
    own : array, shape (n,)
        What the task's source does.
    told : array, shape (n,)
        What a planted shortcut says.
    amount : array, shape (n,)
        The same from 0 to 1.
    """

    label: Array
    own: Array
    told: Array
    amount: Array

    def __len__(self) -> int:
        return len(self.label)


def onsets(task: Task, n: int) -> Array:
    """When the windows of n trials begin, in seconds; all on a sample."""
    return np.asarray(np.round((LEAD + (task.window + GAP) * np.arange(n)) * task.sfreq) / task.sfreq)


def simulated(task: Task, head: Head, what: Trials, rng: np.random.Generator, size: float) -> Array:
    """A recording without any shortcut, before it is referenced; microvolt."""
    n = round((2 * LEAD + len(what) * (task.window + GAP)) * task.sfreq)
    start = onsets(task, len(what))
    signal = ground(task, head, n, rng)
    if size:
        task.source(Shown(signal, head, rng, what.own, start, task.window, size))
    return signal


def ground(task: Task, head: Head, n: int, rng: np.random.Generator) -> Array:
    """What is there whatever the trial says."""
    own, f, t = head.number(0), np.fft.rfftfreq(n, 1 / task.sfreq), np.arange(n) / task.sfreq
    spectrum = np.maximum(f, 0.5) ** -own.uniform(0.45, 0.7) * (f > 0.15)
    x = head.background @ shaped(rng, n, head.background.shape[1], spectrum)
    signal = x * (own.uniform(7, 11) / x.std())
    if "alpha" not in task.lacks:
        both = rhythm(rng, n, 2, task.sfreq, own.uniform(9, 11), 0.8) * own.uniform(2, 6)
        signal += head.spot["O1"][:, None] * both[0] + head.spot["O2"][:, None] * both[1]
    if "mu" not in task.lacks:
        both = rhythm(rng, n, 2, task.sfreq, own.uniform(9.5, 12), 0.9) * own.uniform(2, 5)
        signal += head.spot["C3"][:, None] * both[0] + head.spot["C4"][:, None] * both[1]
    stop = t[-1]
    lid, gaze, jaw = np.zeros(n), np.zeros(n), np.zeros(n)
    for at in _when(rng, stop, 3.0, 8.0):
        lid += own.uniform(90, 160) * rng.uniform(0.8, 1.2) * peak(t, at, rng.uniform(0.05, 0.08))
    for at in _when(rng, stop, 1.5, 5.0):
        gaze += rng.normal(0, 35) * bump(t, at, at + rng.uniform(0.4, 1.5), 0.04)
    for at in _when(rng, stop, 8.0, 25.0):
        jaw += rng.uniform(4, 12) * bump(t, at, at + rng.uniform(0.3, 1.0), 0.1)
    signal += head.blink[:, None] * lid + head.gaze[:, None] * gaze
    muscle = emg(rng, n, 2, task.sfreq)
    signal += head.skin("T7")[:, None] * muscle[0] * jaw + head.skin("T8")[:, None] * muscle[1] * jaw
    signal += head.heart[:, None] * ecg(t, beats(rng, 0, stop, own.uniform(0.95, 1.3))) * own.uniform(2, 6)
    slow = shaped(rng, n, len(signal), (f > 0.02) * (f < 0.3) / np.maximum(f, 0.05))
    signal += slow * own.uniform(3, 10, (len(signal), 1))
    hum = np.sin(2 * np.pi * (50 * t + rng.uniform(0, 1))) + 0.2 * np.sin(2 * np.pi * 100.2 * t)
    signal += own.uniform(0.3, 1.2, (len(signal), 1)) * hum
    signal += rng.normal(0, own.uniform(0.7, 1.2), signal.shape)
    return np.asarray(signal)


def _when(rng: np.random.Generator, stop: float, least: float, most: float) -> Array:
    at = np.cumsum(rng.uniform(least, most, int(stop / least) + 2))
    return np.asarray(at[at < stop - 1])


def recording(task: Task, head: Head, signal: Array, label: Array) -> Any:
    """The signal (microvolt) as a recording with one annotation a window."""
    raw = mne.io.RawArray(signal * 1e-6, head.info.copy(), verbose="error")
    raw.set_meas_date(datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC))
    names = [task.said(value) for value in label]
    raw.set_annotations(mne.Annotations(onsets(task, len(label)), task.window, names))
    return raw


# fmt: off
TASKS: dict[str, Task] = {task.name: task for task in (
    Task("imagery", "ten10", 200, 2.0, ("left", "right"), sources.imagery,
         "task: motor-imagery", lacks=("mu",)),
    Task("imagery-three", "ten20", 128, 2.5, ("left", "right", "feet"), sources.imagery,
         "task: motor-imagery\n  bands: [[7, 32]]\n  regions: [sensorimotor]", lacks=("mu",)),
    Task("p300", "ten10", 250, 1.0, ("nontarget", "target"), sources.p300,
         "task: p300", lowpass=30.0, notch=None),
    Task("resting-alpha", "ten20", 256, 1.5, ("open", "closed"), sources.alpha,
         "task: resting-alpha", lacks=("alpha",)),
    Task("workload", "net", 125, 3.0, ("low", "high"), sources.theta,
         "bands: [[4, 8]]\n  regions: [frontopolar, frontal, frontocentral, central]"),
    Task("sleep", "ten20", 128, 4.0, ("wake", "light", "deep"), sources.sleep,
         "task: sleep-staging", highpass=0.3, lacks=("alpha",)),
    Task("arousal", "ten20", 128, 3.0, (), sources.arousal,
         "task: arousal", lacks=("alpha",)),
    Task("tones", "ten10", 250, 1.5, ("ignored", "attended"), sources.gamma,
         "bands: [[30, 80]]\n  regions: [temporal, central, centroparietal, frontocentral]"),
    Task("grip", "ten20", 200, 2.0, ("rest", "grip"), sources.beta,
         "bands: [[12, 32]]\n  regions: [sensorimotor]"),
    Task("approach", "ten10", 128, 3.0, ("withdraw", "approach"), sources.asymmetry,
         "bands: [[7, 13]]\n  regions: [frontopolar, frontal, frontocentral]"),
    Task("errors", "ten10", 200, 1.0, ("correct", "error"), sources.error,
         "bands: [[0.5, 12]]\n  regions: [frontal, frontocentral, central, centroparietal]\n"
         "  seconds: [0.15, 0.6]", lowpass=40.0, notch=None),
    Task("readiness", "ten20", 125, 2.0, ("idle", "move"), sources.readiness,
         "bands: [[0, 5]]\n  regions: [frontocentral, central, centroparietal]", highpass=0.1),
    Task("flicker", "net", 250, 2.0, ("twelve", "fifteen"), sources.flicker,
         "bands: [[11, 16], [23, 31]]\n  regions: [occipital, parieto-occipital, parietal]"),
)}
# fmt: on


def contract_of(task: Task, **changed: Any) -> Any:
    """The input contract of a network for the task."""
    from onnxplain.engine.contract import InputContract

    given = {
        "model": "bench", "input": "eeg", "channels": CAPS[task.cap], "sfreq": task.sfreq,
        "window": task.samples, "scale": 0.1, "classes": task.classes, "highpass": task.highpass,
        "lowpass": task.lowpass, "notch": task.notch,
        "output_unit": None if task.classes else "points",
    }  # fmt: skip
    return InputContract(**{**given, **changed})


def policy(task: Task, *, expects: bool) -> str:
    """The policy of the task as YAML, with what the user expects, or without."""
    text = "version: 1\nwarning_exits: 1\n"
    return text + (f"expects:\n  {task.expects}\n" if expects else "")
