"""Do some windows' maps form a strategy that goes with an artefact?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ...eeg.views.clusters import FEWEST, maps_of, spray
from ...engine.errors import InputError
from ..case import Case
from ..result import CheckResult, not_evaluable
from .share import of_part


def check(case: Case) -> list[CheckResult]:
    """The cluster whose windows go with an artefact most."""
    asked = case.policy.checks.clusters
    if len(case.windows) < FEWEST or case.constant:
        why = f"Fewer than {FEWEST} windows, or a constant output."
        return [not_evaluable("clusters", "sign", "model" if case.constant else "data", why)]
    if not case.parts:
        why = "No artefact could be told apart in these windows, so none that a cluster could go with."
        return [not_evaluable("clusters", "sign", case.why_no_parts, why)]
    scores = {kind: _size(part.size) for kind, part in case.parts.items()}
    try:
        found = spray(
            maps_of(case.explained),
            classes=case.decisions.tolist() if case.has_classes else None,
            groups=list(case.groups),
            artefacts=scores,
            seed=case.policy.seed,
        )
    except InputError as e:
        return [not_evaluable("clusters", "sign", "data", str(e))]
    if len(found.strategies) < 2:
        return [CheckResult("clusters", "sign", "PASS", found.text, 0.0, asked.max_correlation)]
    best, kind, share, bad = 0.0, "", 0.0, False
    for s in found.strategies:
        for name, r in s.artefacts.items():
            if name in case.allowed or s.share < asked.min_share or abs(r) <= asked.max_correlation:
                continue
            carries = _carries(case, name, np.array(s.windows))
            if (carries, abs(r)) > (bad, abs(best)):
                best, kind, share, bad = r, name, s.share, carries
    said = found.text
    if kind:
        said += f" One with {share:.0%} of the windows goes with {kind} (r = {best:+.2f})"
        said += ", which carry its relevance." if bad else "; that they carry its relevance is not shown."
    evidence = found.summary()
    return [
        CheckResult(
            f"clusters.{kind}" if bad else "clusters", "sign", "FAIL" if bad else "PASS", said, abs(best),
            asked.max_correlation, kind if bad else "", evidence,
        )
    ]  # fmt: skip


def _carries(case: Case, artefact: str, rows: NDArray[np.int64]) -> bool:
    """Whether an artefact carries more of some windows' relevance than it does under random weights.

    A cluster that goes with an artefact is no sign yet: blinks change maps of a model that ignores them.
    """
    part = case.parts[artefact]
    own = of_part(case.explained, part, rows)
    random = [of_part(copy, part, rows) for copy in case.copies]
    return bool(own > case.policy.checks.share.max_ratio * np.mean(random) and own > max(random))


def _size(size: np.ndarray) -> np.ndarray:
    """How much of an artefact a window has, as one number: the first principal component of ranks."""
    ranks = np.apply_along_axis(stats.rankdata, 0, size)
    ranks = ranks - ranks.mean(0)
    _, _, axes = np.linalg.svd(ranks, full_matrices=False)
    return np.asarray(ranks @ axes[0])
