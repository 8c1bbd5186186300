"""Windows of simulated EEG in which one source decides the class, and where that source is.

Each scene plants one source through MNE's forward model into the same kind of noise (background of many
dipoles, occipital alpha, blinks, sensor noise: `simulate`). What is true of it is fixed before any network
is trained: the electrodes on which the source's lead field is at least half its largest, the samples in
which it acts, and its band. The same windows without the source tell whether a network reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from simulate import SFREQ, Head, background, occipital_alpha, rhythm

Array = NDArray[np.float64]

SAMPLES = 400
HALF = 0.5


@dataclass(frozen=True)
class Scene:
    """What is planted.

    Attributes
    ----------
    name : str
    classes : tuple of str
    band : tuple of str
        The bands of `eeg.views.spectral` in which the source is; empty where it has none of its own.
    timed : bool
        Whether the source acts in a part of the window only.
    source : callable
        ``source(rng, head, label)`` -> the source on the electrodes [channel, time], the topographies that
        are its truth [channel, n], and the samples in which it acts.
    """

    name: str
    classes: tuple[str, str]
    band: tuple[str, ...]
    timed: bool
    source: Callable[[np.random.Generator, Head, int], tuple[Array, Array, NDArray[np.bool_]]]


@dataclass(frozen=True)
class Planted:
    """Windows of one scene.

    Attributes
    ----------
    x, without : ndarray, shape (n, channel, time)
        Microvolt, average reference; with the source, and the same without it.
    label : ndarray of int, shape (n,)
    electrodes : ndarray of bool, shape (channel,)
    samples : ndarray of bool, shape (n, time)
    """

    x: Array
    without: Array
    label: NDArray[np.int64]
    electrodes: NDArray[np.bool_]
    samples: NDArray[np.bool_]


def plant(scene: Scene, n: int, seed: int) -> Planted:
    """Windows of one head: sources and amplitudes are those of `seed`, noise is new in every window."""
    head = Head(np.random.default_rng([31, seed]))
    rng = np.random.default_rng([32, seed, n])
    label = rng.permutation(np.arange(n) % 2)
    noise = background(rng, head, n * SAMPLES) + occipital_alpha(rng, head, n * SAMPLES) * (
        scene.name != "alpha"
    )
    noise += _blinks(rng, head, n) * (scene.name not in ("blink", "saccade"))
    noise += rng.normal(0, 1.0, noise.shape)
    noise = noise.reshape(len(noise), n, SAMPLES).swapaxes(0, 1)
    source, samples, maps = np.zeros_like(noise), np.zeros((n, SAMPLES), bool), None
    for i, y in enumerate(label):
        source[i], maps, samples[i] = scene.source(rng, head, int(y))
    assert maps is not None
    electrodes = (np.abs(maps) >= HALF * np.abs(maps).max(axis=0)).any(axis=1)

    def referenced(x: Array) -> Array:
        return np.asarray(x - x.mean(axis=1, keepdims=True))

    return Planted(referenced(noise + source), referenced(noise), label, electrodes, samples)


def _blinks(rng: np.random.Generator, head: Head, n: int) -> Array:
    """A blink in every second window on average, whatever the class."""
    lid = np.zeros((n, SAMPLES))
    for i in np.flatnonzero(rng.random(n) < 0.5):
        lid[i] = _lid(rng, rng.uniform(0.2, 1.7))
    return np.asarray(head.blink[:, None] * lid.reshape(-1))


def _lid(rng: np.random.Generator, at: float) -> Array:
    t = np.arange(SAMPLES) / SFREQ
    return np.asarray(rng.uniform(100, 180) * np.exp(-0.5 * ((t - at) / rng.uniform(0.05, 0.08)) ** 2))


def _mu(rng: np.random.Generator, head: Head, y: int) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Mu over both hand areas, weaker on one side."""
    size = np.where(np.arange(2) == y, rng.uniform(1.0, 1.2), rng.uniform(0.15, 0.35))
    x = rhythm(rng, SAMPLES, 2, 10.5, 0.8) * (14 * size)[:, None]
    return head.hand @ x, head.hand, np.ones(SAMPLES, bool)


def _alpha(rng: np.random.Generator, head: Head, y: int) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Occipital alpha, strong or weak, both sides in step."""
    one = rhythm(rng, SAMPLES, 1, 10.0, 0.8)[0] * (rng.uniform(10, 14) if y else rng.uniform(2, 4))
    both = head.alpha.sum(axis=1) / np.abs(head.alpha.sum(axis=1)).max()
    return both[:, None] * one, both[:, None], np.ones(SAMPLES, bool)


def _erp(rng: np.random.Generator, head: Head, y: int) -> tuple[Array, Array, NDArray[np.bool_]]:
    """A slow deflection over the left hand area 0.6 to 1.2 s after the window's start, or none."""
    t = np.arange(SAMPLES) / SFREQ
    peak = np.exp(-0.5 * ((t - rng.normal(0.9, 0.03)) / 0.1) ** 2) * rng.uniform(28, 40) * y
    patch = head.hand[:, :1]
    return patch * peak, patch, (t >= 0.6) & (t < 1.2)


def _blink(rng: np.random.Generator, head: Head, y: int) -> tuple[Array, Array, NDArray[np.bool_]]:
    """A blink, or none."""
    t, at = np.arange(SAMPLES) / SFREQ, rng.uniform(0.3, 1.7)
    lid = _lid(rng, at)
    return head.blink[:, None] * lid * y, head.blink[:, None], np.abs(t - at) < 0.2


def _saccade(rng: np.random.Generator, head: Head, y: int) -> tuple[Array, Array, NDArray[np.bool_]]:
    """The eyes turn to one side and come back."""
    t, at, stay = np.arange(SAMPLES) / SFREQ, rng.uniform(0.3, 0.9), rng.uniform(0.5, 0.8)
    gaze = rng.uniform(40, 80) * ((t >= at) & (t < at + stay)) * (1 if y else -1)
    smooth = np.convolve(gaze, np.ones(8) / 8, mode="same")
    acts = (t >= at - 0.05) & (t < at + stay + 0.05)
    return head.saccade[:, None] * smooth, head.saccade[:, None], acts


def _heart(rng: np.random.Generator, head: Head, y: int) -> tuple[Array, Array, NDArray[np.bool_]]:
    """R peaks of a heart whose field is seen on the head, or of one that is not."""
    t = np.arange(SAMPLES) / SFREQ
    beats = rng.uniform(0.1, 0.9) + np.arange(3) * rng.uniform(0.75, 1.0)
    wave = sum(np.exp(-0.5 * ((t - b) / 0.02) ** 2) for b in beats) * rng.uniform(50, 70) * y
    near = np.abs(t[:, None] - beats[None]).min(axis=1) < 0.06
    return heart(head)[:, None] * wave, heart(head)[:, None], near


def heart(head: Head) -> Array:
    """The field of a dipole far below the head."""
    places = np.array([ch["loc"][:3] for ch in head.info["chs"]])
    below = places - np.array([-0.05, 0.02, -0.35])
    axis = np.array([0.6, 0.3, -0.7])
    field = below @ axis / np.linalg.norm(below, axis=1) ** 3
    field -= field.mean()
    return np.asarray(field / np.abs(field).max())


SCENES = (
    Scene("mu", ("left", "right"), ("alpha/mu",), False, _mu),
    Scene("alpha", ("weak", "strong"), ("alpha/mu",), False, _alpha),
    Scene("erp", ("standard", "target"), (), True, _erp),
    Scene("blink", ("none", "blink"), (), True, _blink),
    Scene("saccade", ("left", "right"), (), True, _saccade),
    Scene("heart", ("unseen", "seen"), (), True, _heart),
)
