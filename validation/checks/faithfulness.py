"""Does the model's answer fall sooner in the order of the map than in random orders?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...eeg.studies.features import features, spline_interpolation
from ...engine.evaluation.curves import faithfulness
from ...engine.evaluation.intervals import Estimate
from ...engine.evaluation.replacement import Replacement, Transplant
from ...engine.evaluation.setting import Setting
from ...engine.steps import step
from ..case import Case
from ..result import CheckResult, Status, not_evaluable

POINTS, RANDOM = 6, 4
MAP, OCCLUSION = "map", "occlusion"


def _over(
    setting: Setting, maps: Mapping[str, NDArray[np.float64]], fill: Replacement, name: str, seed: int
) -> Estimate:
    """How much more a map's order falls than random ones."""
    _, numbers = faithfulness(setting, maps, fill, points=POINTS, random=RANDOM, seed=seed)
    return numbers[name].abpc_over_random


def _occluded(case: Case, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """How far the explained number falls when an electrode is another window's, (window, channel)."""
    x, n = case.signal[rows], case.signal.shape[1]
    partner = case.signal[np.roll(rows, 1)]
    chosen = case.outputs[rows].argmax(-1) if case.has_classes else np.zeros(len(rows), dtype=np.int64)

    def value(signal: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(case.run(signal).reshape(len(rows), -1)[np.arange(len(rows)), chosen])

    here, fall = value(x), np.zeros((len(rows), n))
    for i in range(n):
        changed = x.copy()
        changed[:, i] = partner[:, i]
        fall[:, i] = here - value(changed)
    return fall


def check(case: Case) -> list[CheckResult]:
    """The area between curves (ABPC) of electrodes taken away, less that of random orders.

    Electrodes are made of the others (spherical splines) where positions are known, and taken from other
    windows
    elsewhere; never set to zero.
    """
    asked = case.policy.checks.faithfulness
    if case.constant:
        return [not_evaluable("faithfulness", "method", "model", "The output is constant.")]
    if len(case.windows.channels) < 4:
        why = "Fewer than four electrodes have no order to speak of."
        return [not_evaluable("faithfulness", "method", "model", why)]
    rows = np.sort(case.seeded("faithfulness").permutation(len(case.windows))[: asked.windows])
    if len(rows) < 4:
        return [not_evaluable("faithfulness", "method", "data", "Fewer than four windows.")]
    step("taking electrodes away")
    data, target = case.windows.data, case.explained.dataset
    split = features("electrodes", case.contract)
    setting = Setting(
        case.explainer,
        data[rows],
        split,
        target=target["target"].values[rows] if "target" in target else case.target,
        contrast="rest" if case.has_classes else None,
        name=case.contract.input,
        seed=case.policy.seed,
    ).settled()
    fill: Replacement | None = spline_interpolation(case.contract, case.windows.channels)
    fill = fill or Transplant(split, data, seed=case.policy.seed)
    maps = {MAP: case.explained.relevance[rows].sum(-1, dtype=np.float64)}
    _, numbers = faithfulness(setting, maps, fill, points=POINTS, random=RANDOM, seed=case.policy.seed)
    own = numbers[MAP]
    over = own.abpc_over_random
    said = (
        f"Taking electrodes away by {fill.name} in the map's order has an area between curves of "
        f"{own.abpc.value:.2g} {case.explained.unit}, {own.abpc_over_random} more than random orders."
    )
    status: Status = "PASS" if over.low > 0 else "FAIL" if over.high < 0 else "NOT EVALUABLE"
    why = ""
    if status == "FAIL":
        other = Transplant(split, data, seed=case.policy.seed)
        beside = None if isinstance(fill, Transplant) else _over(setting, maps, other, MAP, case.policy.seed)
        taken = _over(setting, {OCCLUSION: _occluded(case, rows)}, fill, OCCLUSION, case.policy.seed)
        if beside is not None and beside.high >= 0:
            why = (
                f" Taken away by {other.name} it does not: what stands in their place decides, and this "
                "says nothing of the map."
            )
        elif taken.high < 0:
            why = " Nor has the order by occlusion, which is removal itself: here this says nothing of a map."
    if why:
        status, said = "NOT EVALUABLE", said + why
    elif status == "FAIL":
        said += " What the map names first matters less than electrodes at random: here it is not faithful."
    elif status == "NOT EVALUABLE":
        said += " These windows do not tell it from random: that the map is faithful is not shown."
    evidence = {"over_random": own.abpc_over_random.to_dict(), "replacement": fill.name, "windows": len(rows)}
    return [
        CheckResult("faithfulness", "method", status, said, own.abpc_over_random.low, 0.0,
               evidence=evidence, why_not="data" if status == "NOT EVALUABLE" else None)
    ]  # fmt: skip
