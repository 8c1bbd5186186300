"""Do decisions go with what one electrode has alone, where something is wrong with it?"""

from __future__ import annotations

from ...eeg.artefacts.electrodes import FEWEST_ELECTRODES, electrode_part, troubles
from ...eeg.text import counted, listed, plain
from ...engine.steps import step
from ..case import Case
from ..result import CheckResult, not_evaluable
from .exchange import exchanged


def check(case: Case) -> list[CheckResult]:
    """A result for each electrode with trouble, those with most windows of it."""
    asked = case.policy.checks.electrodes
    windows = case.windows
    if len(windows.channels) < FEWEST_ELECTRODES:
        has = counted(len(windows.channels), "electrode")
        why = f"The model has {has}: they do not predict each other, and so not what one has alone."
        return [not_evaluable("electrodes", "sign", "model", why, "electrode")]
    step("looking for trouble with electrodes")
    found = [t for t in troubles(windows) if t.often]
    names = list(dict.fromkeys(t.electrode for t in found))[: asked.most]
    if not names:
        why = "Too few windows were found in which an electrode pops, hums, wanders, is flat or noisier."
        return [not_evaluable("electrodes", "sign", "data", why, "electrode")]
    results = []
    for name in names:
        own = [t for t in found if t.electrode == name]
        said = listed([t.said for t in own])
        named = f"what {plain(name)} has that the others do not predict ({said})"
        part = electrode_part(windows, own)
        results.append(
            exchanged(case, part, f"electrodes.{plain(name)}", asked.max_follow, asked.warn_follow, named)
        )
    return results
