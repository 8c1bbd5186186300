"""The smallest part of the signal that carries most of the decision: a map proposes it, an exchange confirms
it.

Where to look, the map of a difference says, of one half of the windows. The part is found in pairs of that
half, and what it is worth is measured in pairs of the other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...eeg.electrodes.regions import members
from ...eeg.exchange.field import field_of, likeness
from ...eeg.exchange.parts import frequencies, in_frequency
from ...eeg.exchange.search import Cell
from ...eeg.text import listed, plain
from ..case import Case
from ..result import CheckResult, not_evaluable
from ..smallest import CONFIRMS

NAME = "confirmed"
SLOW, HARDLY = 8.0, 0.1  # Hz: what eyes move like; of a part's power


def check(case: Case) -> list[CheckResult]:
    """Which part it is, and in how many new pairs the decision goes with it."""
    why = case.nothing_to_exchange
    if why is not None:
        return [not_evaluable(NAME, "method", "model", why)]
    looked = case.smallest
    if looked is None:
        why = "Too few windows of which the model says different things, in one half of them or the other."
        return [not_evaluable(NAME, "method", "data", why)]
    w, map_ = case.windows, case.proposed
    found, held, good = looked.cell, looked.held, looked.confirmed
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
