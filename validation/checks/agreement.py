"""Does an unlike method find similar electrodes?"""

from __future__ import annotations

import numpy as np
from scipy import stats

from ...eeg.recording.windows import from_model_layout
from ...engine.methods import occlusion
from ...engine.steps import step
from ..case import Case
from ..result import CheckResult, not_evaluable

SECONDS = 0.25


def check(case: Case) -> list[CheckResult]:
    """Rank correlation of electrodes' relevance shares with those by occlusion."""
    asked = case.policy.checks.agreement
    if case.constant:
        return [not_evaluable("agreement", "method", "model", "The output is constant.")]
    rng = case.seeded("agreement")
    rows = np.sort(rng.permutation(len(case.windows))[: asked.windows])
    shape = case.contract.shape
    width = max(1, round(SECONDS * case.contract.sfreq))
    window = [1] * len(shape)
    along = case.contract.time_axes[-1]
    window[along] = min(shape[along], width)
    step("occluding electrodes")
    size = case.batch if case.batch is not None and case.batch > 1 else len(rows)
    rows = rows[: max(1, len(rows) // size) * size] if len(rows) >= size else np.arange(size)
    found = []
    for start in range(0, len(rows), size):  # as many at a time as the file takes
        x = {case.contract.input: case.windows.data[rows[start : start + size]]}
        against = "rest" if case.has_classes else None
        a = occlusion(case.explainer, x, window=tuple(window), target=case.target, contrast=against)
        found.append(a.relevance[case.contract.input])
    other = from_model_layout(np.concatenate(found), case.contract).sum(-1)
    own = case.explained.relevance[rows].sum(-1, dtype=np.float64)
    both = [np.abs(x) / np.maximum(np.abs(x).sum(1, keepdims=True), 1e-300) for x in (own, other)]
    rank = float(stats.spearmanr(both[0].mean(0), both[1].mean(0)).statistic)
    if not np.isfinite(rank):
        return [not_evaluable("agreement", "method", "map", "A map has no relevance at all.")]
    good = rank >= asked.min_rank
    said = (
        f"Occlusion and {case.policy.composite} order electrodes alike by {rank:.2f} (rank correlation, "
        f"{len(rows)} windows)."
    )
    return [CheckResult("agreement", "method", "PASS" if good else "FAIL", said, rank, asked.min_rank)]
