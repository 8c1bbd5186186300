"""What do decisions follow, of all that a signal is made of?

No account of any artefact is needed: the signal is split by itself, in frequency, time and space, and each
part is exchanged between windows. What no brain signal carries, and what the task has no use for, decides
nothing in an honest model.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...eeg.exchange.field import NO_SOURCE, disorder, field_of, likeness
from ...eeg.exchange.pairs import NOTHING, Followed, Pairs, draw
from ...eeg.exchange.parts import LinearPart, Project, SignalPart, in_frequency, one_after_another
from ...eeg.exchange.search import Narrowing, bands
from ...eeg.text import listed, plain
from ...engine.steps import step
from ..case import Case
from ..labels import by_label
from ..result import CheckResult, Status, not_evaluable
from .exchange import said_of

NAME = "follows"
SOME = 0.01  # of a part's power: with less of it the task may use none of it
ALONE = "alone "  # how parts are called that one electrode has
LEAST = 20  # pairs
LOOKING, MOST = 40, 0.75  # pairs; of what decisions follow of a part, for a band that has most of it
# Parts that may be the brain's, and are named where nobody said that the task uses them.
UNDECLARED = ("offset", "drift", "fast", "fast gain", "first", "last")


def check(case: Case) -> list[CheckResult]:
    """How far decisions go along with each part of the signal, and with what lies outside of `expects`."""
    why = case.nothing_to_exchange
    if why is not None:
        return [not_evaluable(NAME, "follows", "model", why)]
    results = []
    for part in (*case.outside, *case.signal_parts):
        step(f"exchanging {part.name}")
        results.append(_result(case, _undeclared(case, part), outside=part in case.outside))
    return [*results, *_of_no_source(case)]


def _undeclared(case: Case, part: SignalPart) -> SignalPart:
    """What one electrode has alone, less what the task may use there: a source may be as small as that."""
    expected, channels = case.expected, case.windows.channels
    if not part.name.startswith(ALONE) or not isinstance(part, LinearPart):
        return part
    if expected is None or expected.electrodes is None or expected.bands is None:
        return part
    row = [plain(name) for name in channels].index(part.name.removeprefix(ALONE))
    if not expected.electrodes[row]:
        return part
    return replace(part, project=lambda x: expected.outside_of(part.project(x)))


def _of_no_source(case: Case) -> list[CheckResult]:
    """What goes with decisions and has a field that no source in the head has: found in one half, held to in
    the other."""
    step("looking for fields that hardly a source in the head has")
    (rows, new), w = case.halves, case.windows
    within: list[Project] = [lambda x: x]
    if case.expected is not None and case.expected.frequencies is not None:
        within.append(in_frequency(case.expected.frequencies.astype(float)))
    found = []
    for project in within:
        field = field_of(project(case.signal[rows]), case.outputs[rows], case.seeded("field of no source"))
        if field is not None and disorder(field.values, w.channels) >= NO_SOURCE:
            found.append((field.stands_out, field, project))
    if not found:
        return []
    _, field, project = max(found, key=lambda one: one[0])
    most = listed([plain(w.channels[i]) for i in field.largest()])
    said = f"what has a field that hardly a source in the head has (most at {most})"
    part = LinearPart("field", said, "space", one_after_another(project, field.project))
    pairs = draw(
        case.signal, case.outputs, case.run, case.seeded("pairs of no source"), pairs=len(case.pairs.i),
        among=new, groups=np.array(case.groups),
    )  # fmt: skip
    if min(len(pairs.i), len(pairs.a)) < LEAST or pairs.changes(part) < NOTHING:
        return []
    return [_result(case, part, outside=False, pairs=pairs)]


def _result(case: Case, part: SignalPart, *, outside: bool, pairs: Pairs | None = None) -> CheckResult:
    asked, name = case.policy.checks.follows, f"{NAME}.{part.name.replace(' ', '-')}"
    evidence: dict[str, Any] = {"part": part.said, "group": part.group}
    pairs = pairs or case.pairs
    judged = _judged(case, part, outside=outside)
    if pairs.changes(part) < NOTHING:
        said, least = f"Windows hardly differ in {part.said}.", asked.max_follow if judged else None
        status: Status = "PASS" if judged else "REPORTED"
        return CheckResult(name, "follows", status, said, 0.0, least, evidence=evidence)
    found = pairs.exchange(part)
    evidence |= found.numbers()
    evidence["judged"] = judged
    evidence["expected"] = _expected(case, part)
    status, said = _status(case, found, judged), said_of(case, part.said, found)
    if (status != "PASS" and judged == "outside") or (status == "WARNING" and judged == "machine"):
        told = by_label(case, part)
        if told is not None:
            evidence |= {f"label_{k}": v for k, v in told.numbers().items()}
            # Nothing of the labels that could be shown, and less than decisions follow.
            if told.low <= 0 and told.high < found.beyond:
                said += (
                    " That it tells labels here is not shown: noise, or a cue that is broken in this data."
                )
    if status != "PASS" and judged == "outside" and isinstance(part, LinearPart):
        said += _where(case, part)
    return CheckResult(
        name, "follows", status, said, found.beyond,
        asked.max_follow if judged else None, evidence=evidence,
    )  # fmt: skip


def _where(case: Case, part: LinearPart) -> str:
    """In which band and where on the head the part goes with the decision; empty where nothing stands out."""
    return _in_band(case, part) + _on_head(case, part)


def _in_band(case: Case, part: LinearPart) -> str:
    """The narrowest band that has most of what decisions follow of a part."""
    pairs, w = case.pairs.some(LOOKING), case.windows
    whole = pairs.follows(part)

    def carries(band: Narrowing) -> bool:
        within = one_after_another(part.project, band.project)
        return pairs.follows(LinearPart(part.name, part.said, part.group, within)) >= MOST * whole

    every = sorted(bands(case.signal.shape[-1], w.sfreq), key=lambda band: band.volume)
    found = next(filter(carries, every), None) if whole > 0 else None
    if found is None:
        return ""
    unlike = ", which cannot be told from muscle" if found.fast else ""
    return f" Most of it is {found.said}{unlike}."


def _on_head(case: Case, part: LinearPart) -> str:
    field = field_of(part.project(case.signal), case.outputs, case.seeded(f"field {part.name}"))
    if field is None:
        return ""
    channels = case.windows.channels
    alike = likeness(field, channels)
    most = listed([plain(channels[i]) for i in field.largest()])
    return f" Its field is {alike}." if alike else f" Of it most goes with the decision at {most}."


def _expected(case: Case, part: SignalPart) -> bool | None:
    """Whether the task may use a part: of its spectrum, or its electrodes; None where nobody says."""
    if case.expected is None or not isinstance(part, LinearPart):
        return None
    x = case.signal[:4]
    mine = part.project(x)
    within = part.project(case.expected.inside()(x))
    return bool((within**2).sum() > SOME * (mine**2).sum())


def _judged(case: Case, part: SignalPart, *, outside: bool) -> str:
    """As what a part counts against the model; empty where it does not."""
    if outside:
        return "outside"
    if part.group == "machine":
        return "machine"
    if part.name.startswith(ALONE):
        return "alone"
    if part.name == "field":
        return "field"
    # With `expects` whatever else the task has no use for is in a part that lies outside; edges are in none.
    return "undeclared" if part.group == "edge" or (case.expected is None and part.name in UNDECLARED) else ""


def _status(case: Case, found: Followed, judged: str) -> Status:
    asked = case.policy.checks.follows
    # A part of the brain may be on one electrode alone, and most of a decision is not.
    warns = asked.max_follow if judged == "alone" else asked.warn_follow
    if not judged:
        return "REPORTED"
    if found.low <= 0 or found.beyond <= warns:
        return "PASS"
    return "FAIL" if judged in ("outside", "machine") and found.beyond > asked.max_follow else "WARNING"
