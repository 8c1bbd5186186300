"""Six more tasks, for the sealed half: what is asked, what shows it, and what a careful user declares.

Importing this puts them among `tasks.TASKS`.
"""

from __future__ import annotations

import numpy as np
from sources import Shown
from tasks import TASKS, Task
from waves import bump, peak

THREE = (9.0, 11.0, 14.0)  # Hz


def lateralised(x: Shown) -> None:
    """Before a movement a negativity grows over the vertex, more across from the hand (0 left, 1 right)."""
    own = x.head.number(41)
    depth = own.uniform(17, 22) * x.size
    for onset, y in zip(x.onsets, x.level, strict=True):
        near, s = x.near(onset, x.window + 0.4)
        rise = np.clip((s - x.rng.uniform(0.2, 0.5)) / (x.window - 0.4), 0, 1) ** 1.3
        wave = -rise * np.clip((x.window + 0.3 - s) / 0.3, 0, 1) * x.rng.uniform(0.7, 1.3)
        across, beside = ("C3", "C4") if y == 1 else ("C4", "C3")
        x.add("Cz", wave=8 * wave, near=near)
        x.add(across, wave=depth * wave, near=near)
        x.add(beside, wave=0.2 * depth * wave, near=near)


def three_flickers(x: Shown) -> None:
    """The visual cortex follows the one of three flickers that is looked at, and its double."""
    own = x.head.number(42)
    late, height = own.uniform(0, 1, 2), own.uniform(5, 7) * x.size
    for onset, y in zip(x.onsets, x.level, strict=True):
        near, s = x.near(onset, x.window)
        f = THREE[int(y)]
        wave = np.sin(2 * np.pi * (f * s + late[0])) + 0.4 * np.sin(2 * np.pi * (2 * f * s + late[1]))
        wave = wave * bump(s, 0.0, x.window - 0.1, 0.1) * x.rng.uniform(0.6, 1.3)
        x.add("O1", "O2", wave=wave * height, near=near)


def spindle(x: Shown) -> None:
    """Light sleep: theta and K-complexes in all trials, a spindle of half a second in one class (1)."""
    own = x.head.number(43)
    x.add("Cz", wave=x.rhythm(1, 5.5, 1.0)[0] * own.uniform(5, 7))
    x.add("FCz", "Fz", wave=x.rhythm(1, 1.0, 0.4)[0] * own.uniform(5, 8))
    wave, height = x.rhythm(1, own.uniform(12.5, 14), 0.5)[0], own.uniform(12, 15) * x.size
    for onset in x.onsets[x.level == 1]:
        at = onset + x.rng.uniform(0.6, x.window - 0.6)
        course = peak(x.t, at, x.rng.uniform(0.25, 0.4)) * height
        x.add("Cz", wave=wave * course)
        x.add("Fz", wave=0.5 * wave * course)


def meaning(x: Shown) -> None:
    """Every word is seen; one that does not fit (1) makes a centroparietal negativity around 0.4 s."""
    own = x.head.number(44)
    late, height = own.uniform(0.37, 0.43), own.uniform(12, 15) * x.size
    for onset, y in zip(x.onsets, x.level, strict=True):
        near, s = x.near(onset, 1.4)
        x.add("O1", "O2", wave=4 * peak(s, 0.2, 0.03) - 4 * peak(s, 0.15, 0.02), near=near)
        wave = peak(s, late + x.rng.normal(0, 0.025), x.rng.uniform(0.08, 0.11)) * x.rng.uniform(0.7, 1.3)
        much = -height * (1 if y == 1 else 0.15)
        x.add("Pz", wave=0.7 * wave * much, near=near)
        x.add("Cz", wave=0.5 * wave * much, near=near)


def discharge(x: Shown) -> None:
    """An epileptic spike of the left temporal lobe with its slow wave (1), or none (0)."""
    own = x.head.number(45)
    height = own.uniform(45, 60) * x.size
    for onset in x.onsets[x.level == 1]:
        near, s = x.near(onset, x.window + 0.5)
        at = x.rng.uniform(0.3, x.window - 0.5)
        wave = -peak(s, at, x.rng.uniform(0.018, 0.028)) + 0.3 * peak(s, at + 0.06, 0.025)
        wave = wave - 0.45 * peak(s, at + 0.24, 0.08)
        x.add("T7", wave=wave * height * x.rng.uniform(0.7, 1.3), near=near)


def anaesthesia(x: Shown) -> None:
    """The deeper (0 to 1), the larger frontal slow waves and frontal alpha, and the less beta."""
    own = x.head.number(46)
    more = np.exp(1.4 * x.size * (x.level - 0.5))
    slow = x.rhythm(1, 1.2, 0.5)[0] * own.uniform(9, 12)
    x.add("Fz", "FCz", wave=slow * x.paced(more * x.any(0.85, 1.15)))
    x.add("Fz", wave=x.rhythm(1, own.uniform(9.5, 11), 0.8)[0] * 6 * x.paced(more * x.any(0.85, 1.15)))
    x.add("FCz", wave=x.rhythm(1, 20.0, 2.5)[0] * 3 * x.paced(1 / more))


# fmt: off
SEALED_TASKS: dict[str, Task] = {task.name: task for task in (
    Task("lateral", "ten10", 125, 2.0, ("left", "right"), lateralised,
         "bands: [[0, 5]]\n  regions: [frontocentral, central, centroparietal]", highpass=0.1),
    Task("flicker-three", "ten10", 250, 2.0, ("nine", "eleven", "fourteen"), three_flickers,
         "bands: [[8, 15], [17, 29]]\n  regions: [occipital, parieto-occipital, parietal]"),
    Task("spindles", "ten20", 128, 3.0, ("none", "spindle"), spindle,
         "bands: [[11, 16]]\n  regions: [frontal, frontocentral, central, centroparietal, parietal]",
         highpass=0.3, lacks=("alpha", "mu")),
    Task("n400", "ten10", 200, 1.2, ("fitting", "odd"), meaning,
         "bands: [[0.5, 10]]\n  regions: [central, centroparietal, parietal]\n  seconds: [0.2, 0.7]",
         lowpass=30.0, notch=None),
    Task("epilepsy", "ten20", 200, 2.0, ("clear", "spike"), discharge,
         "bands: [[1, 35]]\n  regions: [temporal, frontal, central]"),
    Task("anaesthesia", "ten20", 128, 3.0, (), anaesthesia,
         "bands: [[0.5, 13], [13, 30]]\n  regions: [frontopolar, frontal, frontocentral, central]",
         lacks=("alpha",)),
)}
# fmt: on
TASKS.update(SEALED_TASKS)
