"""The smallest part of the signal that carries most of the decision: a map proposes it, an exchange confirms
it.

Where to look, the map of a difference says, of one half of the windows. The part is found in pairs of that
half, and what it is worth is measured in pairs of the other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...eeg.electrodes.regions import members
from ...eeg.exchange.field import field_of, likeness
from ...eeg.exchange.pairs import Pairs, draw
from ...eeg.exchange.parts import frequencies, in_frequency, tones
from ...eeg.exchange.search import Cell, smallest
from ...eeg.text import listed, plain
from ...engine.steps import step
from ..case import Case
from ..result import CheckResult, not_evaluable

NAME = "confirmed"
LOOKING, HOLDING = 40, 100  # pairs
CONFIRMS = 0.5
FEWEST = 8  # pairs
SLOW, HARDLY = 8.0, 0.1  # Hz: what eyes move like; of a part's power


def check(case: Case) -> list[CheckResult]:
    """Which part it is, and in how many new pairs the decision goes with it."""
    why = case.nothing_to_exchange
    if why is not None:
        return [not_evaluable(NAME, "method", "model", why)]
    seen, new = (_pairs(case, rows, n) for rows, n in zip(case.halves, (LOOKING, HOLDING), strict=True))
    if min(len(seen.i), len(new.i)) < FEWEST:
        why = "Too few windows of which the model says different things, in one half of them or the other."
        return [not_evaluable(NAME, "method", "data", why)]
    step("looking for the smallest part that decides")
    w, map_ = case.windows, case.proposed
    found = smallest(
        seen.follows, w.channels, map_.order, case.signal.shape[-1], w.sfreq,
        map_.stretches, tones=tones(case.signal, w.sfreq),
    )  # fmt: skip
    held = new.exchange(found)
    # With all of the window any decision goes: that confirms nothing.
    good = bool(found.choices) and held.beyond >= CONFIRMS and held.low > 0
    said = f"The decision goes with {found.said} in {held.followed:.0%} of the pairs{held.alone()}."
    if not case.has_classes:
        said = f"The output goes with {found.said} {held.followed:.0%} of the way{held.alone()}."
    alike = _alike(case, found if good else Cell())
    if not good:
        said = (
            "No small part of the signal was found that carries most of the decision: "
            + said[0].lower()
            + said[1:]
        )
        said += f" The field that goes with it most is {alike}." if alike else ""
    elif _like_muscle(case, found):
        where = "fast" if found.electrodes is None else "fast and temporal"
        said = f"{said[:-1]}: {where}, which cannot be told from muscle."
    elif alike:
        said = f"{said[:-1]}: its field is {alike}."
    evidence: dict[str, Any] = {
        **held.numbers(), "part": found.said, "volume": found.volume,
        "map": listed([plain(w.channels[i]) for i in map_.order[:4]]), "field": alike,
    }  # fmt: skip
    return [CheckResult(NAME, "method", "PASS" if good else "REPORTED", said, held.beyond, CONFIRMS,
               evidence=evidence)]  # fmt: skip


def _pairs(case: Case, rows: np.ndarray, pairs: int) -> Pairs:
    """Pairs within some windows."""
    return draw(
        case.signal, case.outputs, case.run, case.seeded(f"{NAME} {pairs}"), pairs=pairs, among=rows,
        groups=np.array(case.groups),
    )  # fmt: skip


def _alike(case: Case, cell: Cell) -> str:
    """Whose field goes with the decision in the part's band and time, on all electrodes."""
    part = replace(cell, electrodes=None).project(case.signal)
    field = field_of(part, case.outputs, case.seeded("field"))
    if field is None:
        return ""
    below = in_frequency((frequencies(part.shape[-1], case.windows.sfreq) < SLOW).astype(float))
    fast = (below(part) ** 2).sum() < HARDLY * (part**2).sum()
    return likeness(field, case.windows.channels, fast=bool(fast))


def _like_muscle(case: Case, cell: Cell) -> bool:
    """Whether a part is fast, and on electrodes over muscles, or on any."""
    if cell.band is None or not cell.band.fast:
        return False
    if cell.electrodes is None:
        return True
    channels = case.windows.channels
    prone = set(members("muscle-prone", channels))
    return any(channels[i] in prone for i in cell.electrodes.rows)
