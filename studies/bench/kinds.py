"""What a kind of shortcut is, and the trial that it is planted in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from heads import Head
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass
class Trial:
    """One trial of a recording, to plant something in.

    Attributes
    ----------
    signal : array, shape (channels, samples)
        The whole recording, microvolt; changed in place.
    head : Head
    rng : Generator
        Of this recording's noise.
    start, stop : int
        The window's samples.
    amount : float
        What is told, from 0 (first class, lowest rating) to 1.
    size : float
        The case's strength.
    middle : int
        Half of the gap between windows, in samples.
    """

    signal: Array
    head: Head
    rng: np.random.Generator
    start: int
    stop: int
    amount: float
    size: float
    middle: int

    @property
    def window(self) -> Array:
        """The window's samples, a view."""
        return self.signal[:, self.start : self.stop]

    @property
    def around(self) -> Array:
        """The window and half of the gaps before and after it, a view."""
        return self.signal[:, self.start - self.middle : self.stop + self.middle]

    @property
    def t(self) -> Array:
        """Seconds from the window's start."""
        return np.arange(self.stop - self.start) / self.head.sfreq

    @property
    def seconds(self) -> float:
        """Of the window."""
        return (self.stop - self.start) / self.head.sfreq

    def clock(self, around: bool = False) -> Array:
        """Seconds since the recording began, of the window (and what is around it)."""
        more = self.middle if around else 0
        return np.arange(self.start - more, self.stop + more) / self.head.sfreq


@dataclass(frozen=True)
class Kind:
    """A kind of shortcut.

    Attributes
    ----------
    name, family : str
    words : tuple of str
        Any of these in a verdict's reasons or names is the right cause (lower case); one with "=" before it
        is the beginning of a name.
    sizes : tuple of float
        Strong and weak.
    plant : callable
        Changes one trial.
    stage : {"head", "amplifier"}
        Whether before the reference is taken or after.
    highpass, lowpass, notch : float, None or "task"
        Of the network's input, where the shortcut would not get through the task's.
    told : {"trial", "subject", "session"}
        What the shortcut goes with: each trial's label by itself, the subject's usual label, or the part of
        the session (first half the first class).
    """

    name: str
    family: str
    words: tuple[str, ...]
    sizes: tuple[float, float]
    plant: Callable[[Trial], None]
    stage: Literal["head", "amplifier"] = "head"
    highpass: float | Literal["task"] | None = "task"
    lowpass: float | Literal["task"] | None = "task"
    notch: float | Literal["task"] | None = "task"
    told: Literal["trial", "subject", "session"] = "trial"

    def filters(self) -> dict[str, float | None]:
        """What of the contract this kind changes."""
        found = {"highpass": self.highpass, "lowpass": self.lowpass, "notch": self.notch}
        return {k: v for k, v in found.items() if v != "task"}  # type: ignore[misc]
