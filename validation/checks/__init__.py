"""The checks of the gate, one file each: `NAMES` is their order."""

from __future__ import annotations

from collections.abc import Callable

from ..case import Case
from ..result import CheckResult
from . import (
    agreement,
    audit,
    baseline,
    clusters,
    components,
    confirmed,
    determinism,
    electrodes,
    faithfulness,
    follows,
    intervention,
    invariance,
    ledger,
    parity,
    randomisation,
    session,
    share,
    signals,
    subjects,
    task,
    transplant,
)

CHECKS: dict[str, Callable[[Case], list[CheckResult]]] = {
    "ledger": ledger.check,
    "determinism": determinism.check,
    "parity": parity.check,
    "task": task.check,
    "follows": follows.check,
    "confirmed": confirmed.check,
    "intervention": intervention.check,
    "transplant": transplant.check,
    "share": share.check,
    "components": components.check,
    "electrodes": electrodes.check,
    "clusters": clusters.check,
    "subjects": subjects.check,
    "session": session.check,
    "baseline": baseline.check,
    "audit": audit.check,
    "invariance": invariance.check,
    "faithfulness": faithfulness.check,
    "randomisation": randomisation.check,
    "agreement": agreement.check,
    "signals": signals.check,
}
