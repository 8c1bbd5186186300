"""What makes an answer doubtful, seen in the windows, the labels and the outputs: said beside the answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..text import counted, listed, plain

if TYPE_CHECKING:
    from .explained import Explained

# Typical sizes (the median over windows of the standard deviation) between which scalp EEG lies, microvolt.
# What is read is refused outside of 0.5 to 500 already; these are where a unit or a gain is worth a look.
USUAL = (2.0, 150.0)
_MOVES = 1e-6  # of an output's size: below it is the same in all windows


def doubts(explained: Explained, leading: Sequence[str]) -> Iterator[str]:
    """Sentences on what a reader has to know before the answer counts.

    Parameters
    ----------
    explained : Explained
    leading : sequence of str
        The electrodes with most relevance.
    """
    yield from _labels(explained)
    yield from _outputs(explained)
    yield from _amplitude(explained)
    made = [name for name in leading if name in explained.windows.interpolated]
    if made:
        is_, was = ("is", "was") if len(made) == 1 else ("are", "were")
        yield (
            f"{listed(made)} {is_} among the electrodes with most relevance and {was} not recorded: what the "
            "model read there is interpolated from its neighbours."
        )


def _labels(explained: Explained) -> Iterator[str]:
    from .explained import truth

    classes, labels = explained.contract.classes, explained.windows.labels
    if not classes:
        return
    named = truth(labels, classes)
    others = Counter(label for label, of in zip(labels, named, strict=True) if label and of < 0)
    if not others:
        return
    known = int((named >= 0).sum())
    rest = f"accuracy counts the other {counted(known, 'window')}" if known else "there is no accuracy"
    yield (
        f"{counted(sum(others.values()), 'window')} labelled {listed(others, 4)}: no class of the model "
        f"({listed(classes, 6)}), so {rest}."
    )


def _outputs(explained: Explained) -> Iterator[str]:
    from .explained import predictions

    data, n = explained.dataset, len(explained.windows)
    if "output" not in data or n < 2:
        return
    y = np.asarray(data["output"].values, dtype=np.float64).reshape(n, -1)
    if np.ptp(y, axis=0).max() <= _MOVES * max(float(np.abs(y).max()), 1e-12):
        yield (
            f"The model's output is the same in all {n} windows: it answers without regard to the signal, "
            "and there is nothing for relevance to explain."
        )
        return
    guess, classes = predictions(explained), explained.contract.classes
    if guess is not None and y.shape[1] > 1 and len(np.unique(guess)) == 1:
        name = plain(classes[guess[0]]) if guess[0] < len(classes) else f"class {guess[0]}"
        yield f"The model predicts {name} in all {n} windows: what tells the classes apart was not seen here."


def _amplitude(explained: Explained) -> Iterator[str]:
    signal = explained.windows.signal
    if not len(signal) or signal.shape[-1] < 2:
        return
    typical = float(np.median(signal.std(-1, dtype=np.float64)))
    if not USUAL[0] <= typical <= USUAL[1]:
        yield (
            f"The signal's typical size is {typical:.3g} uV, where scalp EEG has {USUAL[0]:g} to "
            f"{USUAL[1]:g}: check the unit and the gain before the map."
        )
