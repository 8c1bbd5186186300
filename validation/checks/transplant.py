"""Do decisions go with the whole signal of a region's electrodes, transplanted from another window?

Only where the policy holds a region to a number: whole electrodes break spatial filters, so that what an
exchange of them says of a region that nobody asked about misleads.
"""

from __future__ import annotations

import numpy as np

from ...eeg.electrodes.regions import members
from ...eeg.exchange.parts import LinearPart, on_electrodes
from ...engine.steps import step
from ..case import Case
from ..result import CheckResult, not_evaluable
from .exchange import said_of
from .untold import no_electrodes

NAME = "transplant"


def check(case: Case) -> list[CheckResult]:
    """A result for each region that the policy holds to a number."""
    asked = case.policy.checks.transplant
    if not asked.max_follow:
        return []
    why = case.nothing_to_exchange
    if why is not None:
        return [not_evaluable(NAME, "technical", "model", why)]
    channels = case.windows.channels
    results = []
    for name, limit in asked.max_follow.items():
        rows = [channels.index(c) for c in members(name, channels)]
        if not rows or len(rows) == len(channels):
            results.append(_not_held(case, name, limit, only=bool(rows)))
            continue
        step(f"transplanting {name} electrodes")
        mask = np.isin(np.arange(len(channels)), rows)
        part = LinearPart(name, f"the signal of {name} electrodes", "space", on_electrodes(mask))
        one = case.pairs.exchange(part)
        bad = one.beyond > limit and one.low > 0
        results.append(
            CheckResult(
                f"{NAME}.{name}", "technical", "FAIL" if bad else "PASS", said_of(case, part.said, one),
                one.beyond, limit, evidence={**one.numbers(), "electrodes": len(rows)},
            )
        )  # fmt: skip
    return results


def _not_held(case: Case, region: str, limit: float, *, only: bool) -> CheckResult:
    """A region that the policy holds to a number, and that is no part of the electrodes."""
    if only:
        why = f"The model has only {region} electrodes."
        return not_evaluable(f"{NAME}.{region}", "technical", "model", why, threshold=limit)
    return no_electrodes(case, f"{NAME}.{region}", region, limit)
