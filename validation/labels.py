"""Does a part say anything of the labels of this data?

A model that takes up noise follows what says nothing of them; so does one whose shortcut is broken in the
data that it is held to, which is why this is told and lets no model pass.

Two windows of unlike labels, whatever the model says of them: window i gets the part of window j. Where the
part says which label it is from, answers move towards that of j more than with a part from a window labelled
like i. A shortcut does; what a model takes up by chance does not, however often it changes a decision.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..eeg.exchange.pairs import FEWEST, Followed, draw
from ..eeg.exchange.parts import SignalPart
from .case import Case

PAIRS = 400


def by_label(case: Case, part: SignalPart) -> Followed | None:
    """How far answers go with the labels of the windows that a part is from.

    Parameters
    ----------
    case : Case
    part : SignalPart

    Returns
    -------
    Followed or None
        None for a number, and where too few windows of two classes have a label.
    """
    labels, rows = case.labels, np.flatnonzero(case.labels >= 0)
    if not case.has_classes or not len(rows):
        return None
    classes = case.outputs.shape[1]
    if np.sort(np.bincount(labels[rows], minlength=classes))[-2] < FEWEST:
        return None
    told = np.eye(classes)[np.maximum(labels, 0)]
    pairs = draw(
        case.signal, told, case.run, case.seeded("pairs by label"), pairs=PAIRS, among=rows,
        groups=np.array(case.groups),
    )  # fmt: skip
    found = pairs.exchange(part)
    if np.isnan(found.disturbed):
        return found
    # What noise moves is shared among the other classes.
    others = max(len(np.unique(labels[rows])) - 1, 1)
    less = found.disturbed * (1 - 1 / others)
    return replace(found, disturbed=found.disturbed - less, low=found.low + less, high=found.high + less)
