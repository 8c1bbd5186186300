"""Three caps, and heads to put them on: what each source of a head puts on the electrodes of its cap."""

from __future__ import annotations

from functools import cache
from typing import Any

import mne
import numpy as np
from numpy.typing import NDArray
from shared import leadfield

Array = NDArray[np.float64]

# fmt: off
CAPS: dict[str, tuple[str, ...]] = {
    "ten20": (
        "Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz", "C4", "T8",
        "P7", "P3", "Pz", "P4", "P8", "O1", "O2",
    ),
    "ten10": (
        "Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "FC5", "FC1", "FC2", "FC6", "T7", "C3", "Cz", "C4", "T8",
        "TP9", "CP5", "CP1", "CP2", "CP6", "TP10", "P7", "P3", "Pz", "P4", "P8", "PO9", "O1", "Oz", "O2",
        "PO10",
    ),
    "net": tuple(f"E{i}" for i in range(1, 33)),
}
# Where sources lie: below places of the 10-10 system, on every cap.
SPOTS = ("F3", "F4", "Fz", "FCz", "Cz", "C3", "C4", "T7", "T8", "Pz", "P3", "P4", "O1", "O2")
# fmt: on
NET = "GSN-HydroCel-32"
DIPOLES = 60  # of the background
DEPTH = 0.85  # of the skull's inner radius


@cache
def _template(cap: str) -> Any:
    """MNE's montage of a cap; it renames its 10-20 one in version 1.13."""
    there = mne.channels.get_builtin_montages()
    name = NET if cap == "net" else next(n for n in ("colin27_1020", "standard_1020") if n in there)
    return mne.channels.make_standard_montage(name)


def cap_info(cap: str, sfreq: float) -> Any:
    """Electrodes of a cap, with their places, at a rate."""
    info = mne.create_info(list(CAPS[cap]), sfreq, "eeg")
    info.set_montage(_template(cap))
    return info


@cache
def _places() -> dict[str, Array]:
    """Places of the 10-10 system in head coordinates, from the centre of the sphere that fits them."""
    names = [*SPOTS, "TP9", "TP10", "PO9", "PO10", "Fp1", "Fp2", "F7", "F8", "P7", "P8", "Oz"]
    info = mne.create_info(names, 100.0, "eeg")
    info.set_montage(_template("ten20"))
    centre = np.asarray(mne.make_sphere_model("auto", "auto", info, verbose="error")["r0"])
    toward = np.array([ch["loc"][:3] for ch in info["chs"]]) - centre
    return dict(zip(names, toward / np.linalg.norm(toward, axis=1)[:, None], strict=True))


class Head:
    """A sphere, a cap, and one subject's sources as topographies with a maximum of 1.

    Parameters
    ----------
    cap : str
        A key of `CAPS`.
    sfreq : float
        Hz.
    seed : int
        The subject.

    Attributes
    ----------
    info : mne.Info
    toward : array, shape (channels, 3)
        Unit vectors from the head's centre to the electrodes.
    background : array, shape (channels, DIPOLES)
    spot : dict of str to array, shape (channels,)
        What a patch of cortex below each of `SPOTS` puts on the electrodes.
    blink, gaze : array, shape (channels,)
        A blink; a turn of both eyes to the right.
    heart : array, shape (channels,)
        The heart's field, from far below.
    """

    def __init__(self, cap: str, sfreq: float, seed: int) -> None:
        rng = np.random.default_rng([401, seed])
        self.seed, self.sfreq = seed, sfreq
        self.info = cap_info(cap, sfreq)
        sphere = mne.make_sphere_model("auto", "auto", self.info, verbose="error")
        centre, inner = np.asarray(sphere["r0"]), float(sphere["layers"][0]["rad"])
        self.places = np.array([ch["loc"][:3] for ch in self.info["chs"]])
        self.toward = (self.places - centre) / np.linalg.norm(self.places - centre, axis=1)[:, None]

        shell = rng.normal(size=(6 * DIPOLES, 3))
        shell /= np.linalg.norm(shell, axis=1)[:, None]
        shell = shell[shell[:, 2] > -0.3][:DIPOLES]  # no cortex below the level of the ears
        patches = []
        for name in SPOTS:
            near = _places()[name] + rng.normal(0, 0.05, 3) + rng.normal(0, 0.08, (5, 3))
            patches.append(near / np.linalg.norm(near, axis=1)[:, None])
        cortex = np.concatenate([shell, *patches])
        eyes = np.array([[-0.034, 0.078, -0.045], [0.034, 0.078, -0.045]]) + rng.normal(0, 0.002, (2, 3))
        eyes *= 0.97 / np.linalg.norm(eyes, axis=1)[:, None]
        gain = leadfield(self.info, sphere, centre + inner * np.concatenate([DEPTH * cortex, eyes]))
        tilt = cortex + rng.normal(0, 0.35, cortex.shape)
        maps = np.einsum("cdk,dk->cd", gain[:, : len(cortex)], tilt)
        self.background = unit(maps[:, :DIPOLES])
        patch = maps[:, DIPOLES:].reshape(len(maps), len(SPOTS), 5).sum(axis=2)
        self.spot = dict(zip(SPOTS, unit(patch).T, strict=True))
        both = gain[:, len(cortex) :].sum(axis=1)
        self.blink = unit(both @ np.array([0.0, 1.0, 0.5]))
        self.gaze = unit(both @ np.array([1.0, 0.0, 0.0]))
        below = self.places - np.array([-0.05, 0.02, -0.35])
        axis = np.array([0.6, 0.3, -0.7]) + rng.normal(0, 0.05, 3)
        field = below @ axis / np.linalg.norm(below, axis=1) ** 3
        self.heart = unit(field - field.mean())

    def nearest(self, name: str) -> int:
        """The electrode nearest to a place of the 10-10 system."""
        return int(np.argmax(self.toward @ _places()[name]))

    def skin(self, name: str, width: float = 0.35) -> Array:
        """What something just below the skin at a place puts on the electrodes; it falls off fast."""
        angle = np.arccos(np.clip(self.toward @ _places()[name], -1, 1))
        return unit(np.exp(-0.5 * (angle / width) ** 2))

    def number(self, what: int) -> np.random.Generator:
        """Chance that is the same in every recording of this subject."""
        return np.random.default_rng([402, self.seed, what])


def unit(maps: Array) -> Array:
    """Topographies with a maximum of 1."""
    return np.asarray(maps / np.abs(maps).max(axis=0))
