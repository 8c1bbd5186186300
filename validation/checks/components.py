"""Independent components that ICLabel calls an artefact: do decisions go with them, do they carry relevance?

The same two questions as of proxies (`intervention`, `share`), of another account of the artefact. They are
no further kinds of evidence: an exchange is an exchange, relevance is relevance.
"""

from __future__ import annotations

from ...eeg.artefacts.component_parts import KINDS, TooFewPlacedError
from ...engine.errors import InputError
from ..case import Case
from ..result import PARTS, CheckResult, WhyNot, not_evaluable
from .exchange import exchanged
from .share import carried


def check(case: Case) -> list[CheckResult]:
    """For each artefact the exchange of its components, and their share of the relevance."""
    asked = case.policy.checks.components
    try:
        parts = case.component_parts
    except InputError as e:
        why = f"No independent components: {str(e).removeprefix('components: ')}."
        return [not_evaluable("components", "sign", _why_not(e), why)]
    results = []
    for kind in asked.artefacts:
        part = parts.get(kind)
        if part is None:
            why = f"No component is called {KINDS[kind]}: {PARTS[kind]} cannot be told apart so."
            results.append(not_evaluable(f"components.{kind}", "sign", "data", why, kind))
            continue
        results.append(exchanged(case, part, f"components.{kind}", asked.max_follow, asked.warn_follow))
        results.append(carried(case, part, f"components.{kind}.share", asked.max_ratio, asked.min_share))
    return results


def _why_not(error: InputError) -> WhyNot:
    return "electrodes" if isinstance(error, TooFewPlacedError) else "data"
