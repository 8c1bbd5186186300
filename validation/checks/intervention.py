"""Do decisions go with an artefact when it is exchanged between windows?

Window i without its artefact's part, and with that of window j, which the model decides otherwise:
x_i - a_i + a_j. A model that does not use the artefact decides as for i; one that reads nothing else, as for
j. Exchanging artefacts between windows of one decision says how often decisions change by the disturbance
alone. Nothing is set to zero.
"""

from __future__ import annotations

import numpy as np

from ...eeg.artefacts import Part
from ...engine.steps import step
from ..case import Case
from ..result import PARTS, Result, not_evaluable

PAIRS = 400
FEWEST = 5  # windows of the rarer decision


def check(case: Case) -> list[Result]:
    """A result for each artefact."""
    asked = case.policy.checks.intervention
    results = []
    for kind in asked.artefacts:
        name = f"intervention.{kind}"
        part = case.parts.get(kind)
        if case.constant or not case.has_classes:
            why = "The output is constant." if case.constant else "The output is no choice between classes."
            results.append(not_evaluable(name, "sign", why, kind))
        elif part is None:
            why = f"{PARTS[kind].capitalize()} could not be told apart in these windows."
            results.append(not_evaluable(name, "sign", why, kind))
        elif min(np.bincount(case.decisions, minlength=2)[np.unique(case.decisions)]) < FEWEST or (
            len(np.unique(case.decisions)) < 2
        ):
            why = "The model decides for one class in nearly all windows."
            results.append(not_evaluable(name, "sign", why, kind))
        else:
            step(f"exchanging {kind}")
            results.append(_exchanged(case, part))
    return results


def _exchanged(case: Case, part: Part) -> Result:
    asked, rng = case.policy.checks.intervention, case.seeded(f"intervention {part.kind}")
    d, n = case.decisions, len(case.windows)
    i, j = rng.integers(0, n, (2, 40 * PAIRS))
    unlike, alike = np.flatnonzero(d[i] != d[j])[:PAIRS], np.flatnonzero((d[i] == d[j]) & (i != j))[:PAIRS]
    hybrid = _decided(case, part, i[unlike], j[unlike])
    follows = hybrid == d[j[unlike]]
    # Between windows of one decision, whatever changes is the disturbance.
    changes = _decided(case, part, i[alike], j[alike]) != d[i[alike]]
    followed, disturbed = float(follows.mean()), float(changes.mean())
    beyond = max(0.0, followed - disturbed)
    # Windows stand in several pairs: resample windows, not pairs.
    draws = []
    for _ in range(500):
        weight = np.bincount(rng.integers(0, n, n), minlength=n).astype(float)
        a, b = weight[i[unlike]] * weight[j[unlike]], weight[i[alike]] * weight[j[alike]]
        if a.sum() and b.sum():
            draws.append((a @ follows) / a.sum() - (b @ changes) / b.sum())
    low, high = np.quantile(draws, [0.025, 0.975]) if draws else (0.0, 1.0)
    without = case.run(case.signal - part.signal)
    moved = float((without.argmax(-1) != d).mean())
    evidence = {
        "follows": followed, "disturbed": disturbed, "low": float(low), "high": float(high),
        "removed_changes": moved, "pairs": len(unlike), "how": part.how,
        "variance": float(part.signal.var() / max(case.signal.var(), 1e-30)),
    }  # fmt: skip
    known = case.labels >= 0
    if known.any():
        evidence["accuracy"] = float((d[known] == case.labels[known]).mean())
        evidence["accuracy_without"] = float((without.argmax(-1)[known] == case.labels[known]).mean())
    bad = beyond > asked.max_follow and low > 0
    said = (
        f"When {PARTS[part.kind]} is exchanged between windows, the decision goes with it in "
        f"{followed:.0%} of "
        f"the pairs ({disturbed:.0%} change by the disturbance alone)."
    )
    return Result(
        f"intervention.{part.kind}", "sign", "FAIL" if bad else "PASS", said, beyond, asked.max_follow,
        part.kind, evidence,
    )  # fmt: skip


def _decided(case: Case, part: Part, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Decisions for windows i with the artefact of windows j."""
    found = []
    for start in range(0, len(i), 64):
        a, b = i[start : start + 64], j[start : start + 64]
        found.append(case.run(case.signal[a] - part.signal[a] + part.signal[b]).argmax(-1))
    return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)
