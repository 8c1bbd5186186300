"""Motor imagery that never happened, with known truth: simulated EEG through MNE's forward model.

One call makes one subject's recording. In every trial the subject imagines moving the left or the
right hand: mu and beta rhythms weaken over the other side of the sensorimotor cortex. In every trial
there is a saccade too, to the left or to the right, and the caller says which: that is the only thing
by which a recording that gives its labels away differs from an honest one.

Everything that a real recording has and that could serve as a clue is there: 1/f background from
many dipoles, occipital alpha, blinks, line noise, sensor noise; and sources, rhythms and amplitudes
differ from subject to subject.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from functools import cache
from typing import Any

import mne
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# fmt: off
CHANNELS = (
    "Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "FC5", "FC1", "FC2", "FC6", "T7", "C3", "Cz",
    "C4", "T8", "CP5", "CP1", "CP2", "CP6", "P7", "P3", "Pz", "P4", "P8", "O1", "O2",
)
# fmt: on
SFREQ = 200.0
WINDOW = 2.0  # seconds of imagery: what a model sees
GAP = 0.5  # seconds between trials
LEAD = 2.0  # seconds before the first and after the last trial
CLASSES = ("left", "right")


@dataclass(frozen=True)
class Trials:
    """What happens in each trial.

    Attributes
    ----------
    label : array of int, shape (n,)
        0 for imagery of the left hand, 1 for the right.
    saccade : array of int, shape (n,)
        0 for a saccade to the left, 1 to the right.
    """

    label: NDArray[np.int64]
    saccade: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.label)

    @property
    def onsets(self) -> Array:
        """When each window begins, in seconds."""
        return LEAD + (WINDOW + GAP) * np.arange(len(self))


def trials(n: int, rng: np.random.Generator, *, agree: float) -> Trials:
    """Balanced labels; in a share `agree` of the trials of each label the saccade goes the same way."""
    label = np.repeat([0, 1], n // 2)
    same = np.concatenate([np.arange(n // 2) < round(agree * (n // 2))] * 2)
    order = rng.permutation(len(label))
    label, same = label[order], same[order]
    return Trials(label, np.where(same, label, 1 - label))


def simulate(subject: int, what: Trials) -> mne.io.RawArray:
    """One subject's recording, with annotations.

    Parameters
    ----------
    subject : int
        Seed of everything that is this subject's own and of all noise. The saccades' *direction* is
        not drawn from it: two recordings of one subject with other directions are equal otherwise.
    what : Trials
        Labels and saccade directions.

    Returns
    -------
    mne.io.RawArray
        In volt. Every window is annotated ``label/agree`` or ``label/contradict`` (does the saccade go
        to the side of the imagined hand?), every blink ``blink``.
    """
    rng = np.random.default_rng([20240, subject])
    head = Head(rng)
    n = round((2 * LEAD + len(what) * (WINDOW + GAP)) * SFREQ)
    signal = background(rng, head, n)
    signal += occipital_alpha(rng, head, n)
    signal += sensorimotor(rng, head, n, what)
    signal += saccades(rng, head, n, what)
    blinks, when = blinking(rng, head, n)
    signal += blinks
    signal += sensors(rng, n)
    signal -= signal.mean(axis=0)  # average reference

    raw = mne.io.RawArray(signal * 1e-6, head.info, verbose="error")
    raw.set_meas_date(datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC))
    truth = np.where(what.label == what.saccade, "agree", "contradict")
    names = [f"{CLASSES[label]}/{how}" for label, how in zip(what.label, truth, strict=True)]
    raw.set_annotations(
        mne.Annotations(what.onsets, WINDOW, names) + mne.Annotations(when, 0.3, ["blink"] * len(when))
    )
    return raw


# --- the head ---------------------------------------------------------------------------------------


@cache
def _montage() -> Any:
    # MNE renames its template montages: standard_1020 up to 1.12, colin27_1020 from 1.13.
    name = next(n for n in ("colin27_1020", "standard_1020") if n in mne.channels.get_builtin_montages())
    return mne.channels.make_standard_montage(name)


class Head:
    """Four-shell sphere, electrodes, and this subject's sources as topographies.

    A topography is what one source (or patch) puts on the electrodes, scaled to a maximum of 1, so
    that the amplitudes below are microvolt at the electrode that sees the source best.

    Attributes
    ----------
    info : mne.Info
        Electrodes.
    background : array, shape (channels, dipoles)
    alpha : array, shape (channels, 2)
        Left and right occipital.
    hand : array, shape (channels, 2)
        Sensorimotor patch of the left and of the right *hemisphere*.
    saccade, blink : array, shape (channels,)
        A saccade to the right; a blink.
    """

    def __init__(self, rng: np.random.Generator, n_background: int = 150) -> None:
        self.info = mne.create_info(list(CHANNELS), SFREQ, "eeg")
        self.info.set_montage(_montage())
        sphere = mne.make_sphere_model("auto", "auto", self.info, verbose="error")
        centre = np.asarray(sphere["r0"])
        inner = float(sphere["layers"][0]["rad"])

        electrodes = np.array([ch["loc"][:3] for ch in self.info["chs"]]) - centre
        toward = dict(zip(CHANNELS, electrodes / np.linalg.norm(electrodes, axis=1)[:, None], strict=True))

        def below(*names: str) -> Array:
            """A patch of five dipoles in the cortex below an electrode, a little off it in each subject."""
            middle = np.mean([toward[name] for name in names], axis=0) + rng.normal(0, 0.05, 3)
            spots = middle + rng.normal(0, 0.08, (5, 3))
            return np.asarray(spots / np.linalg.norm(spots, axis=1)[:, None])

        shell = rng.normal(size=(4 * n_background, 3))
        shell /= np.linalg.norm(shell, axis=1)[:, None]
        shell = shell[shell[:, 2] > -0.3]  # no cortex below the level of the ears
        patches = [below("C3"), below("C4"), below("O1"), below("O2")]
        depth = 0.85 * inner
        cortex = depth * np.concatenate([shell[:n_background], *patches])
        eyes = np.array([[-0.034, 0.078, -0.045], [0.034, 0.078, -0.045]]) + rng.normal(0, 0.002, (2, 3))
        eyes *= (0.97 * inner / np.linalg.norm(eyes, axis=1))[:, None]

        gain = leadfield(self.info, sphere, centre + np.concatenate([cortex, eyes]))
        # Cortical currents flow mostly across the cortex: radial on the gyri, tilted on their walls.
        tilt = cortex / depth + rng.normal(0, 0.35, cortex.shape)
        maps = np.einsum("cdk,dk->cd", gain[:, : len(cortex)], tilt)
        first = n_background
        self.background = _unit(maps[:, :first])
        patch = [maps[:, first + 5 * i : first + 5 * (i + 1)].sum(axis=1) for i in range(4)]
        self.hand = _unit(np.stack(patch[:2], axis=1))
        self.alpha = _unit(np.stack(patch[2:], axis=1))
        both = gain[:, len(cortex) :].sum(axis=1)  # the eyes move together
        # The cornea is positive: looking right turns both dipoles to the right, and a closing lid
        # connects the cornea with the forehead.
        self.saccade = _unit(both @ np.array([1.0, 0.0, 0.0]))
        self.blink = _unit(both @ np.array([0.0, 1.0, 0.5]))


def _unit(maps: Array) -> Array:
    return np.asarray(maps / np.abs(maps).max(axis=0))


def leadfield(info: Any, sphere: Any, positions: Array) -> Array:
    """Potential at each electrode for a unit dipole along x, y and z at each position."""
    normals = np.tile([0.0, 0.0, 1.0], (len(positions), 1))
    src = mne.setup_volume_source_space(
        pos={"rr": positions, "nn": normals}, sphere_units="m", verbose="error"
    )
    fwd = mne.make_forward_solution(info, None, src, sphere, meg=False, eeg=True, mindist=0, verbose="error")
    if fwd["nsource"] != len(positions):
        raise RuntimeError("a source lies outside the head")
    return np.asarray(fwd["sol"]["data"]).reshape(len(info["chs"]), len(positions), 3)


# --- what the sources do, in microvolt ---------------------------------------------------------------


def shaped(rng: np.random.Generator, n: int, rows: int, spectrum: Array) -> Array:
    """Noise of unit power with a given amplitude spectrum over `rfftfreq(n)`; one row a source."""
    shape = (rows, n // 2 + 1)
    f = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) * spectrum
    x = np.fft.irfft(f, n, axis=-1)
    return np.asarray(x / x.std(axis=-1, keepdims=True))


def rhythm(rng: np.random.Generator, n: int, rows: int, peak: float, width: float) -> Array:
    """A narrow-band rhythm whose amplitude waxes and wanes."""
    f = np.fft.rfftfreq(n, 1 / SFREQ)
    return shaped(rng, n, rows, np.exp(-0.5 * ((f - peak) / width) ** 2))


def background(rng: np.random.Generator, head: Head, n: int) -> Array:
    """1/f activity of many dipoles; about 9 to 15 uV rms at an electrode."""
    f = np.fft.rfftfreq(n, 1 / SFREQ)
    exponent = rng.uniform(0.45, 0.7)  # of the amplitude: power falls with 0.9 to 1.4
    spectrum = np.maximum(f, 0.5) ** -exponent * (f > 0.15)
    x = head.background @ shaped(rng, n, head.background.shape[1], spectrum)
    return np.asarray(x * (rng.uniform(9, 15) / x.std()))


def occipital_alpha(rng: np.random.Generator, head: Head, n: int) -> Array:
    """Alpha of both occipital lobes, partly in step."""
    peak = rng.uniform(8.5, 11.5)
    left, right, shared = rhythm(rng, n, 3, peak, 0.8)
    both = np.stack([left + shared, right + shared]) / np.sqrt(2)
    return np.asarray(rng.uniform(3, 14) * (head.alpha @ both))


def sensorimotor(rng: np.random.Generator, head: Head, n: int, what: Trials) -> Array:
    """Mu and beta of both hand areas: weaker across from the imagined hand, a little stronger beside it."""
    peak = rng.uniform(9.0, 12.0)
    mu = rhythm(rng, n, 2, peak, 0.9)
    beta = rhythm(rng, n, 2, 2 * peak + rng.uniform(-1, 1), 1.5)
    envelope = np.ones((2, n))
    for onset, label in zip(what.onsets, what.label, strict=True):
        ramp = _bump(n, onset + rng.uniform(-0.1, 0.1), onset + WINDOW + rng.uniform(-0.1, 0.1), rise=0.2)
        across, beside = rng.uniform(0.15, 0.45), rng.uniform(1.0, 1.3)
        envelope[1 - label] += ramp * (across - 1)  # the left hand (0) is the right hemisphere (1)
        envelope[label] += ramp * (beside - 1)
    source = rng.uniform(9, 15) * mu + rng.uniform(3, 6) * beta
    balance = rng.uniform(0.85, 1.15, (2, 1))  # hemispheres are never quite alike
    return np.asarray(head.hand @ (balance * envelope * source))


def saccades(rng: np.random.Generator, head: Head, n: int, what: Trials) -> Array:
    """In every trial the eyes jump to one side, stay, and come back."""
    gaze = np.zeros(n)
    for onset, side in zip(what.onsets, what.saccade, strict=True):
        start = onset + rng.uniform(0.2, 0.9)
        stay = rng.uniform(0.5, 0.9)
        size = rng.uniform(40, 80)
        gaze += (1 if side else -1) * size * _bump(n, start, start + stay, rise=0.04)
    return np.asarray(head.saccade[:, None] * gaze)


def blinking(rng: np.random.Generator, head: Head, n: int) -> tuple[Array, Array]:
    """A blink every few seconds, whatever the trial; the signal and the onsets."""
    when = np.cumsum(rng.uniform(3.0, 8.0, size=int(n / SFREQ / 3)))
    when = when[when < n / SFREQ - 1]
    t = np.arange(n) / SFREQ
    lid = np.zeros(n)
    for onset in when:
        lid += rng.uniform(100, 200) * np.exp(-0.5 * ((t - onset - 0.15) / rng.uniform(0.05, 0.08)) ** 2)
    return head.blink[:, None] * lid, when


def sensors(rng: np.random.Generator, n: int) -> Array:
    """Amplifier noise and some of the mains."""
    t = np.arange(n) / SFREQ
    mains = rng.uniform(0.5, 2, (len(CHANNELS), 1)) * np.sin(2 * np.pi * (50 * t + rng.uniform(0, 0.2)))
    return np.asarray(rng.normal(0, rng.uniform(0.8, 1.5), (len(CHANNELS), n)) + mains)


def _bump(n: int, start: float, stop: float, rise: float) -> Array:
    """0, then 1 from `start` to `stop` seconds, with smooth flanks `rise` seconds wide."""
    t = np.arange(n) / SFREQ
    up = np.clip((t - start) / rise, 0, 1)
    down = np.clip((t - stop) / rise, 0, 1)
    return np.asarray((up * up * (3 - 2 * up)) * (1 - down * down * (3 - 2 * down)))
