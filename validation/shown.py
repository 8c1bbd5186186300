"""What the picture of a verdict shows: an exchange between two windows, where decisions went, and the map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..eeg.electrodes.positions import Electrodes
from ..eeg.exchange.pairs import Pairs
from ..eeg.exchange.parts import SignalPart, Swappable
from ..eeg.text import plain
from ..engine.steps import step
from .case import Case
from .result import CheckResult

Floats = NDArray[np.float64]

COUNTS = {"FAIL": 2, "WARNING": 1}
MOST = 6  # classes that have a row of their own
LOOKED = 100  # pairs


@dataclass(frozen=True)
class Went:
    """Where decisions on windows of one class went.

    Attributes
    ----------
    decided : str
        What the model says of these windows.
    pairs : int
    along, stayed : float
        Of the pairs, 0 to 1: decided as the window that the part is from, or as before; the rest is decided
        for a third class. Of a number, how far of the way its output goes, and what is left.
    """

    decided: str
    pairs: int
    along: float
    stayed: float


@dataclass(frozen=True)
class Example:
    """One pair of windows at one electrode, in microvolt.

    Attributes
    ----------
    electrode : str
    times : ndarray, shape (time,)
        Seconds.
    window, other, exchanged : ndarray, shape (time,)
        The window, the one that the part is from, and the window with that part.
    said : tuple of str
        What the model says of each of them.
    """

    electrode: str
    times: Floats
    window: Floats
    other: Floats
    exchanged: Floats
    said: tuple[str, str, str]


@dataclass(frozen=True)
class Shown:
    """The picture, before anybody has drawn it.

    Attributes
    ----------
    part : str
        What was exchanged, in words.
    electrodes : Electrodes
    share : ndarray, shape (channel,)
        Of the relevance of a difference, in half of the windows.
    rows : tuple of int
        Electrodes that the part is of; empty where it is on all, or on none more than on others.
    of_classes : bool
    example : Example
    went : tuple of Went
    """

    part: str
    electrodes: Electrodes
    share: Floats
    rows: tuple[int, ...]
    of_classes: bool
    example: Example
    went: tuple[Went, ...]


def shown_of(case: Case, results: Sequence[CheckResult]) -> Shown | None:
    """The smallest part that decides, or else the part that decisions go with most; None without any.

    Parameters
    ----------
    case : Case
    results : sequence of CheckResult
        Of all checks: nothing is looked for that no check has looked for.
    """
    if case.nothing_to_exchange is not None or not any(r.check == "confirmed" for r in results):
        return None
    found = case.smallest
    if found is not None and found.confirmed:
        cell = found.cell
        rows = () if cell.electrodes is None else cell.electrodes.rows
        return _shown(case, cell.said, cell, found.pairs.some(LOOKED), rows)
    part = _strongest(case, results)
    return None if part is None else _shown(case, part.said, part, case.pairs.some(LOOKED), ())


def _strongest(case: Case, results: Sequence[CheckResult]) -> SignalPart | None:
    """Of the signal's parts the one that counts against the model, or else that decisions go with most."""
    every = {part.name.replace(" ", "-"): part for part in (*case.outside, *case.signal_parts)}
    parts = [
        (COUNTS.get(r.status, 0), r.value or 0.0, r.check.partition(".")[2])
        for r in results
        if r.family == "follows" and r.made and "follows" in r.evidence
    ]
    known = [one for one in parts if one[2] in every]
    return every[max(known)[2]] if known else None


def _shown(case: Case, said: str, part: Swappable, pairs: Pairs, rows: Sequence[int]) -> Shown | None:
    if not len(pairs.i):
        return None
    step("drawing what was exchanged")
    made = part.swap(case.signal[pairs.i], case.signal[pairs.j])
    outputs = case.run(made)
    return Shown(
        said, case.windows.channels, np.array(case.proposed.share), tuple(rows), case.has_classes,
        _example(case, made, outputs, pairs), tuple(_went(case, outputs, pairs)),
    )  # fmt: skip


def _example(case: Case, made: Floats, outputs: Floats, pairs: Pairs) -> Example:
    """Of the pairs in which the decision went along the one in which the part changes a median amount."""
    changed = np.sqrt(((made - case.signal[pairs.i]) ** 2).mean((1, 2)))
    rows = np.arange(len(made))
    if case.has_classes:
        went = np.flatnonzero(outputs.argmax(-1) == case.decisions[pairs.j])
        rows = went if len(went) else rows
    k = int(rows[np.argsort(changed[rows], kind="stable")[len(rows) // 2]])
    i, j = int(pairs.i[k]), int(pairs.j[k])
    at = int(((made[k] - case.signal[i]) ** 2).sum(-1).argmax())
    said = tuple(_decided(case, y) for y in (case.outputs[i], case.outputs[j], outputs[k]))
    w = case.windows
    return Example(
        plain(w.channels[at], 20), np.asarray(w.times, dtype=np.float64), case.signal[i, at],
        case.signal[j, at], made[k, at], (said[0], said[1], said[2]),
    )  # fmt: skip


def _decided(case: Case, output: Floats) -> str:
    """What an output says: a class by its name, or a number."""
    if not case.has_classes:
        return f"{float(output.reshape(-1)[0]):.3g}"
    return _class(case, int(output.argmax()))


def _class(case: Case, k: int) -> str:
    names = case.contract.classes
    return plain(names[k], 24) if k < len(names) else f"class {k}"


def _went(case: Case, outputs: Floats, pairs: Pairs) -> list[Went]:
    if not case.has_classes:
        y = case.outputs.reshape(len(case.outputs))
        way = y[pairs.j] - y[pairs.i]
        along = float(((outputs.reshape(-1) - y[pairs.i]) * way).sum() / max(float((way**2).sum()), 1e-30))
        along = min(1.0, max(0.0, along))
        return [Went("the output", len(way), along, 1.0 - along)]
    before, other, after = case.decisions[pairs.i], case.decisions[pairs.j], outputs.argmax(-1)
    found = []
    classes, counts = np.unique(before, return_counts=True)
    largest = classes[np.argsort(-counts, kind="stable")][:MOST]
    for k in sorted(largest.tolist()):
        mine = before == k
        along, stayed = (float((after[mine] == told[mine]).mean()) for told in (other, before))
        found.append(Went(_class(case, k), int(mine.sum()), along, stayed))
    return found
