"""How much of the relevance is the artefact's, against copies of the model with random weights?

The signal is an artefact's part and the rest, and relevance is the signal times the multiplier: so each
electrode's relevance splits into the artefact's and the rest's, exactly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...eeg.artefacts.parts import ArtefactPart
from ...eeg.electrodes.regions import members
from ...eeg.explanation import shares
from ...eeg.explanation.explained import Explained
from ...eeg.explanation.pairs import multiplier, n_pairs
from ...eeg.recording.scaling import centre_and_gain
from ..case import Case
from ..result import PARTS, CheckResult, not_asked, not_evaluable
from .untold import no_electrodes, untold

Floats = NDArray[np.float64]


def check(case: Case) -> list[CheckResult]:
    """A result for each artefact, and for each region that the policy holds to a number."""
    asked = case.policy.checks.share
    results = []
    for kind in asked.artefacts:
        name, part = f"share.{kind}", case.parts.get(kind)
        if part is None:
            results.append(untold(case, name, kind))
        else:
            results.append(carried(case, part, name, asked.max_ratio, asked.min_share))
    results += [_region(case, name, limit) for name, limit in asked.max_share.items()]
    return results + [_band(case, name, limit) for name, limit in asked.max_band.items()]


def of_part(explained: Explained, part: ArtefactPart, rows: NDArray[np.int64] | None = None) -> float:
    """The artefact's share of the relevance, summed within electrodes first, mean over (some) windows.

    Of a difference it is the share of how far the artefact's parts of the two windows are apart.
    """
    centre, scale = (
        np.broadcast_to(v, (*explained.windows.signal.shape[:2], 1))
        for v in centre_and_gain(explained.windows.signal, explained.contract)
    )
    at = np.arange(len(explained.windows)) if rows is None else rows
    held, whole = explained.references, explained.windows.signal
    mine, rest = 0.0, 0.0
    for j in range(n_pairs(explained)):
        m = multiplier(explained, j, "shares", at)
        artefact = part.signal[at] * scale[at]
        signal = (whole[at].astype(np.float64) - centre[at]) * scale[at]
        if held is not None:  # windows of the case itself: see `Case.references`
            other = held.index[at, j]
            artefact = artefact - part.signal[other] * scale[other]
            signal = signal - (whole[other] - centre[other]) * scale[other]
        mine = mine + (artefact * m).sum(-1)
        rest = rest + ((signal - artefact) * m).sum(-1)
    mine, rest = (np.abs(v / n_pairs(explained)).sum(-1) for v in (mine, rest))
    some = mine + rest > 0
    return float((mine[some] / (mine[some] + rest[some])).mean()) if some.any() else float("nan")


def carried(case: Case, part: ArtefactPart, name: str, limit: float, least: float) -> CheckResult:
    """A part's share of the relevance over its share in copies with random weights, as a sign.

    Parameters
    ----------
    case : Case
    part : ArtefactPart
    name : str
        Of the check.
    limit : float
        How many times the share of the copies it may be.
    least : float
        A smaller share is no sign.
    """
    if case.constant:
        return not_evaluable(name, "sign", "model", "The output is constant.", part.kind)
    if part.kind in case.allowed:
        why = "The policy says that the task may use it."
        return not_asked(name, "sign", why, part.kind)
    if "multiplier" not in case.explained.dataset:
        why = f"Maps under {case.policy.composite} have no multiplier at the input."
        return not_evaluable(name, "sign", "map", why, part.kind)
    own = of_part(case.explained, part)
    random = [of_part(c, part) for c in case.copies]
    if not np.isfinite([own, *random]).all():
        return not_evaluable(name, "sign", "map", "A map has no relevance at all.", part.kind)
    usual = float(np.mean(random))
    ratio = own / max(usual, 1e-12)
    bad = ratio > limit and own > max(*random, least)
    named = f"{PARTS[part.kind]}{part.account}"
    said = (
        f"{named[0].upper()}{named[1:]} carries {own:.0%} of the relevance; in copies with random weights "
        f"{usual:.0%} ({min(random):.0%} to {max(random):.0%})."
    )
    evidence = {"share": own, "random": random, "how": part.how, "composite": case.policy.composite}
    return CheckResult(name, "sign", "FAIL" if bad else "PASS", said, ratio, limit, part.kind, evidence)


def _band(case: Case, name: str, limit: float) -> CheckResult:
    if "bands" not in case.explained.dataset:
        why = f"Maps under {case.policy.composite} have no multiplier at the input, and so no bands."
        return not_evaluable(f"share.{name}", "technical", "map", why, threshold=limit)
    found = next(b for b in shares.by_band(case.explained.dataset["bands"]) if b.name == name)
    good = found.share <= limit
    said = (
        f"{found.share:.0%} of the relevance lies in {name} ({found.of_frequencies:.0%} of all frequencies)."
    )
    return CheckResult(f"share.{name}", "technical", "PASS" if good else "FAIL", said, found.share, limit)


def _region(case: Case, name: str, limit: float) -> CheckResult:
    channels = case.windows.channels
    electrodes = members(name, channels)
    if not electrodes:
        return no_electrodes(case, f"share.{name}", name, limit)
    found = shares.share(case.explained.relevance, channels, electrodes, name=name)
    good = found.share <= limit
    said = f"{found.share:.0%} of the relevance lies on {name} electrodes ({found.of_electrodes:.0%} of all)."
    return CheckResult(f"share.{name}", "technical", "PASS" if good else "FAIL", said, found.share, limit)
