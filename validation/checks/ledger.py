"""Is the account of relevance complete?"""

from __future__ import annotations

import numpy as np

from ..case import Case
from ..result import CheckResult


def check(case: Case) -> list[CheckResult]:
    """Relevance and ledger against what was explained, at worst over windows."""
    limit = case.policy.checks.ledger.max_closure
    found = float(np.max(case.explained.dataset["closure"].values))  # of xarray, NaN would count as nothing
    good = found <= limit
    said = (
        f"Relevance and ledger add up to what was explained (off by {found:.1e} at worst)."
        if good
        else f"Relevance and ledger are off by {found:.1e} of what was explained: trust no map of it."
    )
    return [CheckResult("ledger", "technical", "PASS" if good else "FAIL", said, found, limit)]
