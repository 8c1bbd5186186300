"""Numbers of windows that no brain signal, or hardly any, should decide: what an audit decodes labels from.

They are the sizes that parts of the signal have (`eeg.exchange`), with signs where a size has none. Rhythms
are decoded too: they are what tasks are made of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..electrodes.positions import Electrodes
from ..exchange.clipping import ClippingPart
from ..exchange.machine import RepeatsPart, ResolutionPart, fast_gain_part, gain_part
from ..exchange.parts import (
    BANDS,
    DRIFT,
    EDGE,
    FAST,
    Floats,
    frequencies,
    in_frequency,
    line_of,
    spectrum_parts,
    time_parts,
)
from ..exchange.polarity import polarity_part
from ..exchange.relations import order_part, reference_part
from ..exchange.silence import SilencePart
from ..exchange.spatial import unshared

# Rhythms do not say how large all of a window is: a task moves them.
RHYTHMS = (BANDS["theta"][0], BANDS["beta"][1])  # Hz


@dataclass(frozen=True)
class AuditFeatures:
    """Numbers of each window, of one thing.

    Attributes
    ----------
    name : str
        Of the part, and unlike all others.
    said : str
        In words.
    x : ndarray, shape (window, feature), or None
        None where there are none.
    why_not : str
        Why, in words.
    maybe_brain : bool
        Whether a task's own signal may be in it: slow potentials, gamma.
    rhythm : bool
        Whether it is a rhythm, and no shortcut by itself.
    """

    name: str
    said: str
    x: Floats | None
    why_not: str = ""
    maybe_brain: bool = False
    rhythm: bool = False


def features(signal: Floats, sfreq: float, electrodes: Electrodes) -> Iterator[AuditFeatures]:
    """All numbers that an audit looks at.

    Parameters
    ----------
    signal : ndarray, shape (window, channel, time)
        Microvolt.
    sfreq : float
        Hz.
    electrodes : Electrodes
        Where they lie says whether they have changed places.
    """
    n = signal.shape[-1]
    spectrum = {part.name: part for part in spectrum_parts(n, sfreq)}
    for name, said, low in (
        (
            "drift",
            f"drift below {DRIFT:g} Hz",
            f"windows of {n / sfreq:.3g} s have no frequency below {DRIFT:g} Hz",
        ),
        ("line", "the power line's frequency and its neighbours", f"{sfreq:g} Hz has no 50 Hz"),
        ("fast", f"what is faster than {FAST:g} Hz", f"{sfreq:g} Hz has nothing above {FAST:g} Hz"),
    ):
        if name not in spectrum:
            yield AuditFeatures(name, said, None, low, maybe_brain=name != "line")
    for name, part in spectrum.items():
        x = part.size(signal)
        if name == "drift":
            x = np.concatenate([x, part.project(signal) @ np.linspace(-1, 1, n) / n], axis=1)
        of_brain = part.group in ("slow", "fast")
        yield AuditFeatures(name, part.said, x, maybe_brain=of_brain, rhythm=part.group == "band")
    yield from _edges(signal, sfreq)
    yield _alone(signal, sfreq)
    yield from _machine(signal, sfreq, electrodes)


def _edges(signal: Floats, sfreq: float) -> Iterator[AuditFeatures]:
    """The first and the last milliseconds, less the window's offset and of its size: what they alone have."""
    few = max(1, round(EDGE * sfreq))
    middle, size = signal.mean(-1), signal.std(-1) + 1e-6
    for part in time_parts(signal.shape[-1], sfreq):
        if part.group == "edge":
            own = part.project(signal - middle[..., None])
            level = own.sum(-1) / few / size
            power = np.log(np.sqrt((own**2).sum(-1) / few) / size + 1e-3)
            yield AuditFeatures(
                part.name, part.said, np.concatenate([level, power], axis=1), maybe_brain=True
            )


def _alone(signal: Floats, sfreq: float) -> AuditFeatures:
    """What each electrode has that others do not predict; without rhythms, which are local and the task's."""
    said = f"what each electrode has that the others do not predict, outside of {DRIFT:g} to {FAST:g} Hz"
    if signal.shape[1] < 2:
        return AuditFeatures("unshared", said, None, "there is one electrode")
    f = frequencies(signal.shape[-1], sfreq)
    outside = (f > 0) & ((f < DRIFT) | (f >= FAST) | line_of(f))
    if not outside.any():
        return AuditFeatures("unshared", said, None, "no other frequency is in these windows")
    rest = in_frequency(outside.astype(float))(signal)
    alone = np.einsum("ab,nbt->nat", unshared(rest), rest, optimize=True)
    return AuditFeatures("unshared", said, np.log(alone.std(-1) + 1e-6), maybe_brain=True)


def _machine(signal: Floats, sfreq: float, electrodes: Electrodes) -> Iterator[AuditFeatures]:
    """What no brain signal carries."""
    f = frequencies(signal.shape[-1], sfreq)
    rhythms: NDArray[np.bool_] = (f >= RHYTHMS[0]) & (f < RHYTHMS[1])
    short = "windows are too short for so many electrodes, or there are fewer than three"
    few = "too few frequencies say it"
    lack = "the reference, or what bridged or dead electrodes lack"
    for name, said, part, why in (
        ("gain", "the gain of the whole window", gain_part(signal, sfreq, rhythms), few),
        ("fast gain", "the size of the fast part", fast_gain_part(sfreq), f"{sfreq:g} Hz has no fast part"),
        ("resolution", "the amplitude resolution", ResolutionPart(), ""),
        ("repeats", "the samples that repeat the one before", RepeatsPart(), ""),
        ("clipping", "the level at which amplitudes are cut off", ClippingPart(), ""),
        ("silence", "the moments in which all electrodes are silent", SilencePart(sfreq), ""),
        ("reference", lack, reference_part(signal), short),
        ("order", "which electrodes have changed places or polarity", order_part(electrodes),
         "it is not known where most electrodes lie"),
        ("polarity", "which electrodes have their polarity turned round", polarity_part(electrodes),
         "it is not known where most electrodes lie"),
    ):  # fmt: skip
        of_brain = name == "fast gain"
        x = None if part is None else part.size(signal)
        if name == "resolution" and x is not None:
            x = np.concatenate([np.log(x + 1e-6), x > 0], axis=1)
        yield AuditFeatures(name, said, x, why if x is None else "", maybe_brain=of_brain)
