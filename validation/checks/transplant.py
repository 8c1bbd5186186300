"""Do decisions go with the whole signal of a region's electrodes, transplanted from another window?

It needs no account of any artefact. Which region a model should read is the task's, so a region fails only
where the policy holds it to a number; all are reported.
"""

from __future__ import annotations

import numpy as np

from ...eeg.electrodes.regions import PARTITION, members
from ...engine.steps import step
from ..case import Case
from ..result import CheckResult, not_evaluable
from .exchange import exchange, why_not
from .untold import no_electrodes

NAME = "transplant"
PAIRS = 100


def check(case: Case) -> list[CheckResult]:
    """Where the signal lies that decisions go with."""
    asked = case.policy.checks.transplant
    why = why_not(case)
    if why is not None:
        return [not_evaluable(NAME, "technical", "model", why)]
    channels = case.windows.channels
    found, results = {}, []
    for name in dict.fromkeys([*PARTITION, *asked.max_follow]):
        rows = [channels.index(c) for c in members(name, channels)]
        limit = asked.max_follow.get(name)
        if not rows or len(rows) == len(channels):
            if limit is not None:
                results.append(_not_held(case, name, limit, only=bool(rows)))
            continue
        step(f"transplanting {name} electrodes")
        part = np.zeros_like(case.signal)
        part[:, rows] = case.signal[:, rows]
        one = exchange(case, part, case.seeded(f"{NAME} {name}"), PAIRS)
        found[name] = {
            "follows": one.followed, "disturbed": one.disturbed, "low": one.low, "high": one.high,
            "electrodes": len(rows),
        }  # fmt: skip
        if limit is not None:
            said = one.said(case, f"the signal of {name} electrodes")
            bad = one.beyond > limit and one.low > 0
            results.append(
                CheckResult(
                    f"{NAME}.{name}", "technical", "FAIL" if bad else "PASS", said, one.beyond, limit,
                    evidence=found[name],
                )
            )  # fmt: skip
    order = sorted(found, key=lambda k: found[k]["disturbed"] - found[k]["follows"])
    each = [f"{k} in {found[k]['follows']:.0%} (disturbed: {found[k]['disturbed']:.0%})" for k in order[:4]]
    if not each:
        if case.unplaced:
            why = "Neither names nor the data say where channels lie, and so which electrodes make a region."
            return [not_evaluable(NAME, "technical", "electrodes", why), *results]
        return [not_evaluable(NAME, "technical", "model", "All electrodes lie in one region."), *results]
    said = f"Answers go with whole electrodes transplanted from another window: {'; '.join(each)}."
    return [CheckResult(NAME, "technical", "PASS", said, evidence={"regions": found}), *results]


def _not_held(case: Case, region: str, limit: float, *, only: bool) -> CheckResult:
    """A region that the policy holds to a number, and that is no part of the electrodes."""
    if only:
        why = f"The model has only {region} electrodes."
        return not_evaluable(f"{NAME}.{region}", "technical", "model", why, threshold=limit)
    return no_electrodes(case, f"{NAME}.{region}", region, limit)
