"""An artefact's part, exchanged between windows: how far the model's answer goes with it.

Where the policy says what the task may use, only what of the part lies outside of that is exchanged: an eye's
field below 4 Hz over the forehead, and not the theta rhythm that is in the part as well.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...eeg.artefacts.parts import ArtefactPart
from ...eeg.exchange.pairs import Followed
from ...engine.steps import step
from ..case import Case
from ..result import PARTS, CheckResult, Status, not_asked, not_evaluable

# No task's brain signal is in them, whatever the policy says of bands and electrodes.
NEVER_BRAIN = ("heart", "mains")


def said_of(case: Case, named: str, found: Followed) -> str:
    """A sentence."""
    pairs = f"the first {found.pairs} pairs" if np.isnan(found.disturbed) else "the pairs"
    if case.has_classes:
        what, than = f"the decision goes with it in {found.followed:.0%} of {pairs}", "change "
    else:
        what, than = f"the output goes with it {found.followed:.0%} of the way", ""
    return f"When {named} is exchanged between windows, {what}{found.alone(than)}."


def exchanged(
    case: Case, part: ArtefactPart, name: str, limit: float, warns: float, named: str | None = None
) -> CheckResult:
    """The outcome of one artefact's exchange, as a sign.

    Parameters
    ----------
    case : Case
    part : ArtefactPart
    name : str
        Of the check.
    limit, warns : float
        How far answers may go with the part, 0 to 1, before the check fails, and before it warns.
    named : str, optional
        The part in a sentence; the artefact's name by default.
    """
    why = case.nothing_to_exchange
    if why is not None:
        return not_evaluable(name, "sign", "model", why, part.kind)
    if part.kind in case.allowed:
        why = "The policy says that the task may use it."
        return not_asked(name, "sign", why, part.kind)
    step(f"exchanging {part.kind}")
    signal = part.signal
    if case.expected is not None and part.kind not in NEVER_BRAIN:
        signal = case.expected.outside_of(signal)
    found = case.pairs.exchange(lambda i, j: case.signal[i] - signal[i] + signal[j])
    without = case.run(case.signal - part.signal)
    evidence: dict[str, Any] = {
        **found.numbers(), "how": part.how,
        "variance": float(part.signal.var() / max(case.signal.var(), 1e-30)),
        "output_without": float(np.abs(without - case.outputs).mean() / max(case.outputs.std(), 1e-30)),
    }  # fmt: skip
    if case.has_classes:
        evidence["removed_changes"] = float((without.argmax(-1) != case.decisions).mean())
        known = case.labels >= 0
        if known.any():
            evidence["accuracy"] = float((case.decisions[known] == case.labels[known]).mean())
            evidence["accuracy_without"] = float((without.argmax(-1)[known] == case.labels[known]).mean())
    named = named or f"{PARTS[part.kind]}{part.account}"
    sure = case.expected is not None or part.kind in NEVER_BRAIN
    status: Status = "PASS"
    if found.low > 0 and found.beyond > warns:
        status = "FAIL" if sure and found.beyond > limit else "WARNING"
    return CheckResult(
        name, "sign", status, said_of(case, named, found), found.beyond, limit, part.kind, evidence
    )
