"""Is relevance locked to signals that the model is known to use?"""

from __future__ import annotations

from ...eeg.artefacts.events import DETECTORS, stimuli
from ...eeg.explanation.around_events import event_locked
from ...engine.errors import OnnxplainError
from ..case import Case
from ..result import CheckResult, not_asked, not_evaluable


def check(case: Case) -> list[CheckResult]:
    """Relevance around each event that the policy names, against the same events moved in time."""
    asked = case.policy.checks.signals
    if not asked.events:
        why = "The policy names no signal that the model is known to use."
        return [not_asked("signals", "method", why)]
    if len(case.recordings) != 1:
        why = "Events are looked for in one recording, not in a dataset."
        return [not_evaluable("signals", "method", "data", why)]
    results = []
    for name in asked.events:
        key = f"signals.{name}"
        try:
            recording = case.recordings[0]
            times = DETECTORS[name](recording) if name in DETECTORS else stimuli(recording, name)
            found = event_locked(case.explained, times, seed=case.policy.seed)
        except OnnxplainError as e:
            results.append(not_evaluable(key, "method", "data", str(e)))
            continue
        good = found.p <= asked.max_p
        said = f"Relevance around {name}: {found.said()}."
        results.append(
            CheckResult(
                key,
                "method",
                "PASS" if good else "FAIL",
                said,
                found.p,
                asked.max_p,
                evidence=found.summary(),
            )
        )
    return results
