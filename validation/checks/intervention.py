"""Do decisions go with an artefact, as its proxies have it, when it is exchanged between windows?"""

from __future__ import annotations

from ..case import Case
from ..result import CheckResult
from .exchange import exchanged
from .untold import untold


def check(case: Case) -> list[CheckResult]:
    """A result for each artefact."""
    asked = case.policy.checks.intervention
    results = []
    for kind in asked.artefacts:
        name, part = f"intervention.{kind}", case.parts.get(kind)
        if part is None:
            results.append(untold(case, name, kind))
            continue
        results.append(exchanged(case, part, name, asked.max_follow, asked.warn_follow))
    return results
