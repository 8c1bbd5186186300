"""The artefact parts of windows, and the relevance that these parts have."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...artefacts.parts import parts
from ...explanation.explained import Explained
from ...explanation.pairs import n_pairs, pairs
from ...explanation.references import ReferenceWindows

Floats = NDArray[np.floating]

# Without the heart: where there is no ECG, looking for its beats takes longer than the page may.
KINDS = ("eyes", "muscle", "mains")
# Samples of all electrodes from which on parts would take too much memory (half an hour of 64 at 250 Hz).
MOST = 30_000_000


@dataclass(frozen=True)
class ArtefactShare:
    """What all artefact parts together have of each window.

    Attributes
    ----------
    signal : ndarray, shape (window, channel, time)
        Microvolt.
    held : ndarray, shape (held, channel, time), or None
        Of the windows that these are held against.
    how : tuple of str
        What each part was made from, a sentence each; empty where there is no part.
    """

    signal: Floats
    held: Floats | None
    how: tuple[str, ...]

    def relevance(self, explained: Explained, picked: slice) -> Floats:
        """Relevance of the parts of some windows, (window, channel, time): the parts times the multiplier.

        Of a difference, how far the parts are from those of each reference.
        """
        few, own, held = some(explained, picked), self.signal[picked], explained.references
        total = np.zeros(own.shape)
        for j, (_, m) in enumerate(pairs(few, microvolt=True)):
            apart = own if held is None or self.held is None else own - self.held[held.index[picked, j]]
            total += apart * m
        return np.asarray(total / n_pairs(few))


def some(explained: Explained, picked: slice) -> Explained:
    """The explanation of some of the windows, without views."""
    windows, held = explained.windows, explained.references
    return replace(
        explained,
        dataset=explained.dataset[[n for n in ("multiplier", "relevance", "unassigned", "explained")
                                   if n in explained.dataset]].isel(epoch=picked),
        windows=replace(
            windows, data=windows.data[picked], signal=windows.signal[picked],
            onsets=windows.onsets[picked], labels=windows.labels[picked],
        ),
        references=None if held is None else _held(held, picked),
        views={},
    )  # fmt: skip


def _held(held: ReferenceWindows, picked: slice) -> ReferenceWindows:
    """References of some of the windows, and no others."""
    kept, index = np.unique(held.index[picked], return_inverse=True)
    return replace(
        held, data=held.data[kept], signal=held.signal[kept], index=index.reshape(held.index[picked].shape),
        onsets=held.onsets[kept], labels=tuple(held.labels[k] for k in kept),
    )  # fmt: skip


def artefact_share(explained: Explained) -> tuple[ArtefactShare | None, str]:
    """The artefact parts of an explanation's windows, or why there are none, in a sentence."""
    if "multiplier" not in explained.dataset:
        return None, "Without a multiplier, what artefact parts have of the relevance is not known."
    windows, held = explained.windows, explained.references
    n, extra = len(windows), np.zeros(0, dtype=np.intp)
    where = np.zeros(0, dtype=np.intp)
    signal, onsets = windows.signal, windows.onsets
    if held is not None:
        where, extra = _found(explained)
        signal = np.concatenate([signal, held.signal[extra]])
        onsets = np.concatenate([onsets, held.onsets[extra]])
    if signal.size > MOST:
        return None, "Artefact parts are not shown of so long a recording."
    whole = replace(windows, signal=signal, onsets=onsets, labels=(*windows.labels, *(None for _ in extra)))
    found = parts(whole, kinds=KINDS)
    if not found:
        return None, "Nothing of eyes, muscle or mains could be told apart in these windows."
    together = np.zeros(signal.shape, dtype=np.float32)
    for part in found.values():
        together += part.signal
    how = tuple(part.how for part in found.values())
    return ArtefactShare(together[:n], None if held is None else together[where], how), ""


def _found(explained: Explained) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where each held window is among the windows and, behind them, those that are none of them."""
    windows, held = explained.windows, explained.references
    assert held is not None
    at = {float(onset): i for i, onset in enumerate(windows.onsets)}
    where: list[int] = []
    extra: list[int] = []
    for k, onset in enumerate(held.onsets):
        i = at.get(float(onset))
        if i is None or not np.array_equal(windows.signal[i], held.signal[k]):
            i = len(windows) + len(extra)
            extra.append(k)
        where.append(i)
    return np.array(where, dtype=np.intp), np.array(extra, dtype=np.intp)
