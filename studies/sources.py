"""Windows of simulated EEG in which one source decides the class, and where that source is.

Each scene plants one source through MNE's forward model into the same kind of noise (background of many
dipoles, occipital alpha, blinks, sensor noise: `simulate`). What is true of it is fixed before any network
is trained: the electrodes on which the source's lead field is at least half its largest, the samples in
which it acts, and its band. The same windows without the source tell whether a network reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mne
import numpy as np
from numpy.typing import NDArray
from simulate import CHANNELS, SFREQ, Head, background, leadfield, occipital_alpha, rhythm, shaped

Array = NDArray[np.float64]

SAMPLES = 400
HALF = 0.5


class Sources(Head):
    """A head with the sources of the scenes that `Head` does not have.

    Attributes
    ----------
    midline, parietal : array, shape (channels, 1)
        A patch of cortex below Fz, and one below Pz.
    jaw : array, shape (channels, 2)
        The left and the right temporal muscle, strongest at T7 and T8.
    loose : array, shape (channels, 1)
        One electrode, another one on each head.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(np.random.default_rng([31, seed]))
        rng = np.random.default_rng([33, seed])
        self.midline, self.parietal = self._patch(rng, "Fz"), self._patch(rng, "Pz")
        places = np.array([ch["loc"][:3] for ch in self.info["chs"]])
        # A muscle lies below the skin: what it puts on electrodes falls off within a few centimetres.
        away = [np.linalg.norm(places - places[CHANNELS.index(side)], axis=1) for side in ("T7", "T8")]
        self.jaw = np.exp(-0.5 * (np.stack(away, axis=1) / rng.uniform(0.03, 0.045)) ** 2)
        self.loose = np.eye(len(CHANNELS))[:, [rng.integers(len(CHANNELS))]]

    def _patch(self, rng: np.random.Generator, name: str) -> Array:
        """What five dipoles in the cortex below an electrode put on all of them, 1 at most."""
        sphere = mne.make_sphere_model("auto", "auto", self.info, verbose="error")
        centre, inner = np.asarray(sphere["r0"]), float(sphere["layers"][0]["rad"])
        toward = self.info["chs"][CHANNELS.index(name)]["loc"][:3] - centre
        spots = toward / np.linalg.norm(toward) + rng.normal(0, 0.05, 3) + rng.normal(0, 0.08, (5, 3))
        spots /= np.linalg.norm(spots, axis=1)[:, None]
        gain = leadfield(self.info, sphere, centre + 0.85 * inner * spots)
        tilt = spots + rng.normal(0, 0.35, spots.shape)
        field = np.einsum("cdk,dk->c", gain, tilt)
        return np.asarray(field / np.abs(field).max())[:, None]


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
    contrast : bool
        Whether the source is there in both classes, and how it is decides; otherwise it is there in windows
        of class 1 only.
    lacks : tuple of str
        Noise that would hide the source, and is left out: "alpha", "blinks".
    beside : callable, optional
        ``beside(rng, head)`` -> a second source on the electrodes [channel, time], and its topography
        [channel, n]. It is the same in both classes.
    """

    name: str
    classes: tuple[str, str]
    band: tuple[str, ...]
    timed: bool
    source: Callable[[np.random.Generator, Sources, int], tuple[Array, Array, NDArray[np.bool_]]]
    contrast: bool = False
    lacks: tuple[str, ...] = ()
    beside: Callable[[np.random.Generator, Sources], tuple[Array, Array]] | None = None


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
    beside : ndarray of bool, shape (channel,)
        Electrodes of the second source that are none of the first's.
    """

    x: Array
    without: Array
    label: NDArray[np.int64]
    electrodes: NDArray[np.bool_]
    samples: NDArray[np.bool_]
    beside: NDArray[np.bool_]


def plant(scene: Scene, n: int, seed: int) -> Planted:
    """Windows of one head: sources and amplitudes are those of `seed`, noise is new in every window."""
    head = Sources(seed)
    rng = np.random.default_rng([32, seed, n])
    label = rng.permutation(np.arange(n) % 2)
    noise = background(rng, head, n * SAMPLES) + rng.normal(0, 1.0, (len(CHANNELS), n * SAMPLES))
    if "alpha" not in scene.lacks:
        noise += occipital_alpha(rng, head, n * SAMPLES)
    if "blinks" not in scene.lacks:
        noise += _blinks(rng, head, n)
    noise = noise.reshape(len(noise), n, SAMPLES).swapaxes(0, 1)
    source, samples, maps = np.zeros_like(noise), np.zeros((n, SAMPLES), bool), None
    second = np.zeros(len(CHANNELS), bool)
    for i, y in enumerate(label):
        source[i], maps, samples[i] = scene.source(rng, head, int(y))
        if scene.beside is not None:
            more, other = scene.beside(rng, head)
            noise[i] += more
            second = _seen(other)
    assert maps is not None
    electrodes = _seen(maps)

    def referenced(x: Array) -> Array:
        return np.asarray(x - x.mean(axis=1, keepdims=True))

    return Planted(
        referenced(noise + source), referenced(noise), label, electrodes, samples, second & ~electrodes
    )


def _seen(maps: Array) -> NDArray[np.bool_]:
    """Electrodes on which one of the topographies is at least half its largest."""
    return np.asarray((np.abs(maps) >= HALF * np.abs(maps).max(axis=0)).any(axis=1))


def _blinks(rng: np.random.Generator, head: Head, n: int) -> Array:
    """A blink in every second window on average, whatever the class."""
    lid = np.zeros((n, SAMPLES))
    for i in np.flatnonzero(rng.random(n) < 0.5):
        lid[i] = _lid(rng, rng.uniform(0.2, 1.7))
    return np.asarray(head.blink[:, None] * lid.reshape(-1))


def _lid(rng: np.random.Generator, at: float) -> Array:
    t = np.arange(SAMPLES) / SFREQ
    return np.asarray(rng.uniform(100, 180) * np.exp(-0.5 * ((t - at) / rng.uniform(0.05, 0.08)) ** 2))


def _mu(rng: np.random.Generator, head: Sources, y: int) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Mu over both hand areas, weaker on one side."""
    size = np.where(np.arange(2) == y, rng.uniform(1.0, 1.2), rng.uniform(0.15, 0.35))
    x = rhythm(rng, SAMPLES, 2, 10.5, 0.8) * (14 * size)[:, None]
    return head.hand @ x, head.hand, np.ones(SAMPLES, bool)


def _alpha(rng: np.random.Generator, head: Sources, y: int) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Occipital alpha, strong or weak, both sides in step."""
    one = rhythm(rng, SAMPLES, 1, 10.0, 0.8)[0] * (rng.uniform(10, 14) if y else rng.uniform(2, 4))
    both = head.alpha.sum(axis=1) / np.abs(head.alpha.sum(axis=1)).max()
    return both[:, None] * one, both[:, None], np.ones(SAMPLES, bool)


def _erp(rng: np.random.Generator, head: Sources, y: int) -> tuple[Array, Array, NDArray[np.bool_]]:
    """A slow deflection over the left hand area 0.6 to 1.2 s after the window's start, or none."""
    t = np.arange(SAMPLES) / SFREQ
    peak = np.exp(-0.5 * ((t - rng.normal(0.9, 0.03)) / 0.1) ** 2) * rng.uniform(28, 40) * y
    patch = head.hand[:, :1]
    return patch * peak, patch, (t >= 0.6) & (t < 1.2)


def _blink(rng: np.random.Generator, head: Sources, y: int) -> tuple[Array, Array, NDArray[np.bool_]]:
    """A blink, or none."""
    t, at = np.arange(SAMPLES) / SFREQ, rng.uniform(0.3, 1.7)
    lid = _lid(rng, at)
    return head.blink[:, None] * lid * y, head.blink[:, None], np.abs(t - at) < 0.2


def _saccade(rng: np.random.Generator, head: Sources, y: int) -> tuple[Array, Array, NDArray[np.bool_]]:
    """The eyes turn to one side and come back."""
    t, at, stay = np.arange(SAMPLES) / SFREQ, rng.uniform(0.3, 0.9), rng.uniform(0.5, 0.8)
    gaze = rng.uniform(40, 80) * ((t >= at) & (t < at + stay)) * (1 if y else -1)
    smooth = np.convolve(gaze, np.ones(8) / 8, mode="same")
    acts = (t >= at - 0.05) & (t < at + stay + 0.05)
    return head.saccade[:, None] * smooth, head.saccade[:, None], acts


def _heart(rng: np.random.Generator, head: Sources, y: int) -> tuple[Array, Array, NDArray[np.bool_]]:
    """R peaks of a heart whose field is seen on the head, or of one that is not."""
    t = np.arange(SAMPLES) / SFREQ
    beats = rng.uniform(0.1, 0.9) + np.arange(3) * rng.uniform(0.75, 1.0)
    wave = sum(np.exp(-0.5 * ((t - b) / 0.02) ** 2) for b in beats) * rng.uniform(50, 70) * y
    near = np.abs(t[:, None] - beats[None]).min(axis=1) < 0.06
    return heart(head)[:, None] * wave, heart(head)[:, None], near


def _theta(rng: np.random.Generator, head: Sources, y: int) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Theta of the frontal midline, or none."""
    one = rhythm(rng, SAMPLES, 1, 6.0, 0.6)[0] * rng.uniform(11, 16) * y
    return head.midline * one, head.midline, np.ones(SAMPLES, bool)


def _jaw(rng: np.random.Generator, head: Sources, y: int) -> tuple[Array, Array, NDArray[np.bool_]]:
    """A burst of both temporal muscles, broad in frequency, or none."""
    t, at, length = np.arange(SAMPLES) / SFREQ, rng.uniform(0.1, 1.3), rng.uniform(0.4, 0.6)
    f = np.fft.rfftfreq(SAMPLES, 1 / SFREQ)
    muscle = shaped(rng, SAMPLES, 2, np.clip((f - 20) / 20, 0, 1) * np.exp(-f / 80))
    burst = ((t >= at) & (t < at + length)) * rng.uniform(60, 100) * y
    return head.jaw @ (muscle * burst), head.jaw, (t >= at) & (t < at + length)


def _drift(rng: np.random.Generator, head: Sources, y: int) -> tuple[Array, Array, NDArray[np.bool_]]:
    """One electrode drifts slowly, up or down, or does not."""
    t = np.arange(SAMPLES) / SFREQ
    wave = np.sin(2 * np.pi * (rng.uniform(0.15, 0.4) * t + rng.uniform(0, 1))) * rng.uniform(60, 100) * y
    return head.loose * wave, head.loose, np.ones(SAMPLES, bool)


def _p300(rng: np.random.Generator, head: Sources, y: int) -> tuple[Array, Array, NDArray[np.bool_]]:
    """A parietal deflection at any time, or none."""
    t, at = np.arange(SAMPLES) / SFREQ, rng.uniform(0.4, 1.6)
    peak = np.exp(-0.5 * ((t - at) / 0.12) ** 2) * rng.uniform(45, 60) * y
    return head.parietal * peak, head.parietal, np.abs(t - at) < 0.24


def _of_same_time(rng: np.random.Generator, head: Sources) -> tuple[Array, Array]:
    """A parietal deflection of any size and either sign, as slow and as late as that of `_erp`."""
    t = np.arange(SAMPLES) / SFREQ
    peak = np.exp(-0.5 * ((t - rng.normal(0.9, 0.03)) / 0.1) ** 2) * rng.normal(0, 40)
    return head.parietal * peak, head.parietal


def _half(rng: np.random.Generator, head: Sources, y: int) -> tuple[Array, Array, NDArray[np.bool_]]:
    """The eyes turn to one side and come back, all within the first or within the second half."""
    t, first = np.arange(SAMPLES) / SFREQ, rng.integers(2)
    at = first + rng.uniform(0.05, 0.15)
    stop = first + rng.uniform(0.85, 0.95)
    gaze = rng.uniform(40, 80) * ((t >= at) & (t < stop)) * (1 if y else -1)
    smooth = np.convolve(gaze, np.ones(8) / 8, mode="same")
    return head.saccade[:, None] * smooth, head.saccade[:, None], (t >= first) & (t < first + 1)


def heart(head: Head) -> Array:
    """The field of a dipole far below the head."""
    places = np.array([ch["loc"][:3] for ch in head.info["chs"]])
    below = places - np.array([-0.05, 0.02, -0.35])
    axis = np.array([0.6, 0.3, -0.7])
    field = below @ axis / np.linalg.norm(below, axis=1) ** 3
    field -= field.mean()
    return np.asarray(field / np.abs(field).max())


SCENES = (
    Scene("mu", ("left", "right"), ("alpha/mu",), False, _mu, contrast=True),
    Scene("alpha", ("weak", "strong"), ("alpha/mu",), False, _alpha, contrast=True, lacks=("alpha",)),
    Scene("erp", ("standard", "target"), (), True, _erp),
    Scene("blink", ("none", "blink"), (), True, _blink, lacks=("blinks",)),
    Scene("saccade", ("left", "right"), (), True, _saccade, contrast=True, lacks=("blinks",)),
    Scene("heart", ("unseen", "seen"), (), True, _heart),
    Scene("theta", ("none", "theta"), ("theta",), False, _theta),
    Scene("jaw", ("none", "jaw"), (), True, _jaw),
    Scene("drift", ("none", "drift"), (), False, _drift),
    Scene("p300", ("standard", "target"), (), True, _p300),
    Scene("suppressor", ("standard", "target"), (), True, _erp, beside=_of_same_time),
    Scene("half", ("left", "right"), (), True, _half, contrast=True, lacks=("blinks",)),
)
