"""The smallest part of the signal that carries most of the decision.

It is looked for in one half of the windows, and measured in the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..eeg.exchange.pairs import Followed, Pairs, draw
from ..eeg.exchange.parts import tones
from ..eeg.exchange.search import Cell, smallest
from ..engine.steps import step

if TYPE_CHECKING:
    from .case import Case

LOOKING, HOLDING = 40, 100  # pairs
CONFIRMS = 0.5
FEWEST = 8  # pairs


@dataclass(frozen=True, eq=False)
class Smallest:
    """A part of the signal, and how far decisions go with it in windows in which it was not looked for.

    Attributes
    ----------
    cell : Cell
    pairs : Pairs
        Of the half in which it was not looked for.
    held : Followed
    """

    cell: Cell
    pairs: Pairs
    held: Followed

    @property
    def confirmed(self) -> bool:
        """Whether most of the decision goes with it; of the whole window that would confirm nothing."""
        return bool(self.cell.choices) and self.held.beyond >= CONFIRMS and self.held.low > 0


def smallest_of(case: Case) -> Smallest | None:
    """Look for it; None where too few windows of a half are called unlike.

    Parameters
    ----------
    case : Case
        Windows of which can be exchanged (`nothing_to_exchange` is None).
    """
    seen, new = (_pairs(case, rows, n) for rows, n in zip(case.halves, (LOOKING, HOLDING), strict=True))
    if min(len(seen.i), len(new.i)) < FEWEST:
        return None
    step("looking for the smallest part that decides")
    w, map_ = case.windows, case.proposed
    found = smallest(
        seen.follows, w.channels, map_.order, case.signal.shape[-1], w.sfreq,
        map_.stretches, tones=tones(case.signal, w.sfreq),
    )  # fmt: skip
    return Smallest(found, new, new.exchange(found))


def _pairs(case: Case, rows: np.ndarray, pairs: int) -> Pairs:
    """Pairs within some windows."""
    return draw(
        case.signal, case.outputs, case.run, case.seeded(f"confirmed {pairs}"), pairs=pairs, among=rows,
        groups=np.array(case.groups),
    )  # fmt: skip
