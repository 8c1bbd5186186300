"""The parts that eye, heart, muscle and line components have in windows: what `artefacts` makes of proxies.

The signal is ``A s + rest`` (see `components`); an artefact's part is ``A_k s_k`` summed over the components
k that ICLabel gives its class. Each subject gets a decomposition of its own where it has signal enough.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import InputError
from ..electrodes.positions import Electrodes
from ..electrodes.regions import members
from ..recording.windows import Windows
from ..text import counted
from . import ica as decompose
from .parts import ArtefactPart, lowpass

Floats = NDArray[np.float64]

KINDS = {
    "eyes": "eye",
    "heart": "heart",
    "muscle": "muscle",
    "mains": "line noise",
    "electrode": "channel noise",
}
EYES_BELOW = 15.0  # Hz
ALONE = 0.7  # of a map's energy on one electrode
# Of 4,308 dipoles in MNE's spherical head none has as much on one of 19, 8 or 64 electrodes: 0.927 at most.
NO_SOURCE = 0.95


class TooFewPlacedError(InputError):
    """Too few electrodes have a known position."""


def component_parts(windows: Windows, groups: Sequence[str], *, seed: int = 0) -> dict[str, ArtefactPart]:
    """Every artefact's part that components have of these windows.

    Parameters
    ----------
    windows : Windows
    groups : sequence of str, shape (window,)
        Subject of each.
    seed : int
        Of the fit.

    Returns
    -------
    dict of str to ArtefactPart
        By kind; an artefact without a component is left out.

    Raises
    ------
    TooFewPlacedError
        Too few electrodes have a known position.
    InputError
        Too little signal.
    """
    channels = windows.channels
    picked = channels.some(channels.positions)
    if len(picked) < decompose.FEWEST:
        raise TooFewPlacedError(
            f"components: {counted(len(picked), 'electrode')} with a known position; "
            f"{decompose.FEWEST} are needed"
        )
    x = windows.signal.astype(np.float64)
    rows = [channels.index(c) for c in picked]
    who = np.array(groups)
    names, counts = np.unique(who, return_counts=True)
    have, need = len(x) * x.shape[-1], decompose.FEWEST_SAMPLES * len(picked) ** 2
    if have < need:
        raise InputError(
            f"components: {have} samples of {len(picked)} electrodes; {need} and more are needed"
        )
    enough = counts.min() * x.shape[-1] >= decompose.ENOUGH * len(picked) ** 2
    found = {kind: np.zeros_like(x) for kind in KINDS}
    number = dict.fromkeys(KINDS, 0)
    for some in [who == name for name in names] if enough else [np.ones(len(x), dtype=bool)]:
        raw = decompose.averaged(decompose.joined(x[some][:, rows], picked, windows.sfreq))
        # Drifts would get components of their own, and ICLabel has learned on signals without them.
        fit = raw.copy().filter(1.0, None, verbose="error")
        ica = decompose.fitted(fit, decompose.VARIANCE, seed, thinned=True)
        label = np.array(decompose.CLASSES)[decompose.labels(fit, ica).argmax(-1)]
        maps = decompose.maps(ica)
        noisy = _noisy(maps, picked, ALONE) & (label == "muscle")
        noisy |= _noisy(maps, picked, NO_SOURCE) & np.isin(label, ("brain", "other"))
        label[noisy] = "channel noise"
        sources = ica.get_sources(raw).get_data().reshape(maps.shape[1], -1, x.shape[-1])
        for kind, name in KINDS.items():
            mine = label == name
            number[kind] += int(mine.sum())
            part = np.einsum("ck,knt->nct", maps[:, mine], sources[mine])
            if kind == "eyes":  # eyes are slow: what is fast in a component of theirs is muscle beside them
                part = lowpass(part, windows.sfreq, EYES_BELOW) if windows.sfreq > 2 * EYES_BELOW else part
            found[kind][np.ix_(some, np.array(rows))] = part
    how = {kind: f"that ICLabel calls {name}" for kind, name in KINDS.items()}
    how["electrode"] += " or, on one electrode far from muscles, muscle or brain"
    fits = f"{len(names)} decompositions" if enough and len(names) > 1 else "one decomposition"
    return {
        kind: ArtefactPart(
            kind,
            part,
            np.log(part[:, rows].std(-1) + 1e-9),
            f"{counted(number[kind], 'independent component')} {how[kind]}, of {fits}.",
            " in independent components",
        )
        for kind, part in found.items()
        if number[kind]
    }


def _noisy(maps: Floats, channels: Electrodes, alone: float) -> NDArray[np.bool_]:
    """Components with so much of their map on one electrode, under which there is no muscle.

    ICLabel takes the noise of a loose electrode for muscle, since both are fast and on few electrodes, or for
    the brain's: which of them hangs on the last digits of the decomposition.
    """
    energy = maps**2 / np.maximum((maps**2).sum(0), 1e-300)
    near = set(members("muscle-prone", channels))
    far = np.array([c not in near for c in channels])
    return np.asarray((energy.max(0) > alone) & far[energy.argmax(0)])
