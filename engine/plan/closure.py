"""Whether relevance and ledger add up to what was explained, before an explanation is handed out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..attribution import Attribution
from ..errors import ModelError
from .results import Part

# Of the largest amount that was added up: less is rounding, however little is left of it in the end.
ROUNDING = 1e-5


class NotClosedError(ModelError):
    """Relevance and ledger do not add up.

    Parameters
    ----------
    message : str
    part : Part
        The micro-batch in which they do not.
    gap : float
        By how much.
    """

    def __init__(self, message: str, part: Part, gap: float) -> None:
        super().__init__(message)
        self.part, self.gap = part, gap


def check_closure(made: Attribution, parts: Sequence[Part], where: str, limit: float) -> None:
    """Refuse an explanation that does not add up.

    Parameters
    ----------
    made : Attribution
    parts : sequence of Part
        The micro-batches that it is made of.
    where : str
        The file, for messages.
    limit : float
        The largest `Attribution.closure`; of a sum in which large amounts cancel, what is less than a hundred
        thousandth of the largest of them is rounding whatever the limit.

    Raises
    ------
    NotClosedError
    """
    missing, size = made.account()
    for entry in made.ledger:
        size = np.maximum(size, np.abs(entry.relevance) * (ROUNDING / limit))
    if any(p.layout is None and p.samples > 1 for own in made.samples.values() for p in own.pieces):
        # What all samples share (a bound that is an input) is divided evenly among them: only all adds up.
        missing = np.broadcast_to(missing.mean(axis=-1, keepdims=True), missing.shape)
    wrong = ~(np.abs(missing) <= limit * size)
    if not wrong.any():
        return
    sample = int(np.flatnonzero(wrong.reshape(-1, wrong.shape[-1]).any(axis=0))[0])
    first = 0
    for part in parts:
        if sample < first + part.batch:
            break
        first += part.batch
    found = float(made.closure()[..., sample].max())
    amount = f"{100 * found:.2g} % of it" if np.isfinite(found) else "they are not finite"
    raise NotClosedError(
        f"{where}: relevance and ledger do not add up to what was explained under composite "
        f"{made.composite!r} ({'off by ' if np.isfinite(found) else ''}{amount}, sample {sample})",
        part,
        float(np.abs(missing[..., sample]).max()),
    )
