"""Everything together: methods on the same windows, against random relevance and the groups' power."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import DifferentBranches, UnsupportedOperator
from ..steps import step
from .agreement import MethodAgreement, agreement
from .complexity import complexity
from .curves import POINTS, RANDOM, RANDOM_NAME, RUNS, Curves, Faithfulness, faithfulness
from .intervals import Estimate, random_relevance
from .metrics import METRICS, MetricRow
from .references import Held
from .replacement import Replacement
from .sanity import Sanity, sanity
from .setting import Method, Setting, holds, named
from .stability import SNR, Change, TimeAxes, stability

Array = np.ndarray[Any, Any]

POWER_NAME = "power"


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured.

    Attributes
    ----------
    features : tuple of str
        Names of the groups.
    methods : tuple of str
        The first is the one that sanity and stability are of.
    maps : dict of str to ndarray, shape (window, group)
        Signed relevance by method; "power" too.
    curves, faithfulness : dict of str to dict
        By replacement, then by method; "random" and "power" too.
    agreement : MethodAgreement
    complexity : dict of str to dict of str to Estimate
        By method, then by measure.
    sanity : Sanity
    stability : dict of str to Change
    held : Held or None
        What windows were held against, where a method explains a difference.
    left_out : dict of str to str
        Methods that cannot be had of this model, and why.
    """

    features: tuple[str, ...]
    methods: tuple[str, ...]
    maps: Mapping[str, Array]
    curves: Mapping[str, Mapping[str, Curves]]
    faithfulness: Mapping[str, Mapping[str, Faithfulness]]
    agreement: MethodAgreement
    complexity: Mapping[str, Mapping[str, Estimate]]
    sanity: Sanity
    stability: Mapping[str, Change]
    held: Held | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)

    def rows(self) -> list[MetricRow]:
        """The table, a row for each metric and method."""
        made = self._faithful() + self._sane() + self._stable()
        for measure in self.complexity[RANDOM_NAME]:
            chance, power = (self.complexity[name][measure] for name in (RANDOM_NAME, POWER_NAME))
            made += [
                MetricRow(METRICS[measure], m, self.complexity[m][measure], random=chance, power=power)
                for m in self.methods
            ]
        return made

    def _faithful(self) -> list[MetricRow]:
        parts = (
            ("ABPC", "abpc", "abpc_over_random"),
            ("AOPC", "aopc", "over_random"),
            ("AOPC, least first", "aopc_least", ""),
            ("deletion", "deletion", ""),
            ("insertion", "insertion", ""),
        )
        return [
            MetricRow(
                METRICS[metric],
                method,
                getattr(numbers[method], attribute),
                replacement,
                getattr(numbers[RANDOM_NAME], attribute),
                getattr(numbers[POWER_NAME], attribute),
                getattr(numbers[method], over) if over else None,
            )
            for metric, attribute, over in parts
            for replacement, numbers in self.faithfulness.items()
            for method in self.methods
        ]

    def _sane(self) -> list[MetricRow]:
        found, made = self.sanity, []
        chance, power = (found.references[name] for name in (RANDOM_NAME, POWER_NAME))
        if found.stages:
            last = found.stages[-1].similarity
            made.append(
                MetricRow(
                    METRICS["randomised weights"],
                    found.method,
                    last.rank,
                    random=chance.rank,
                    power=power.rank,
                )
            )
        if found.target is not None:
            made.append(
                MetricRow(
                    METRICS["another class"],
                    found.method,
                    found.target.cosine,
                    random=chance.cosine,
                    power=power.cosine,
                )
            )
        return made

    def _stable(self) -> list[MetricRow]:
        made = []
        method = self.methods[0]
        for what, change in self.stability.items():
            made.append(
                MetricRow(
                    METRICS[f"stability: {what}"],
                    method,
                    change.similarity.rank,
                    random=change.random.rank,
                    power=change.power.rank,
                )
            )
        noise = self.stability["noise"]
        return [
            *made,
            MetricRow(METRICS["average sensitivity"], method, noise.average),
            MetricRow(METRICS["maximum sensitivity"], method, noise.largest),
        ]


def measure(
    setting: Setting,
    methods: Mapping[str, Method] | tuple[Method, ...],
    replacements: Sequence[Replacement],
    *,
    points: int = POINTS,
    random: int = RANDOM,
    runs: int = RUNS,
    time_axes: TimeAxes = 1,
    snr: float = SNR,
    shift: int = 2,
    stages: int = 4,
    power: Array | None = None,
    seed: int = 0,
) -> Measured:
    """Measure methods on windows.

    Parameters
    ----------
    setting : Setting
    methods : tuple or dict
        As for `Setting.maps`. Sanity and stability are measured of the first. Those that cannot be had of
        this model are left out.
    replacements : sequence of Replacement
        Each gives curves of its own.
    points, random, runs
        As for `curves.faithfulness`.
    time_axes, snr, shift
        As for `stability.stability`.
    stages : int
        As for `sanity.sanity`.
    power : ndarray, shape (window, group), optional
        The baseline that follows the signal and not the model; the groups' variance by default.
    seed : int

    Returns
    -------
    Measured

    Raises
    ------
    OnnxplainError
        No method is left, or the model cannot be used.
    """
    setting, asked = setting.settled(), named(methods)
    maps, left_out = _maps(setting, asked)
    first = next(iter(maps))
    own = setting.features.power(setting.x) if power is None else power
    ranked = {**maps, POWER_NAME: own}
    curves, numbers = {}, {}
    for replacement in replacements:
        curves[replacement.name], numbers[replacement.name] = faithfulness(
            setting, ranked, replacement, points=points, random=random, runs=runs, seed=seed
        )
    beside = {**ranked, RANDOM_NAME: random_relevance(own.shape, seed)}
    sane = sanity(setting, asked[first], maps[first], baselines={POWER_NAME: own}, stages=stages, seed=seed)
    stable = stability(
        setting, asked[first], maps[first], time_axes=time_axes, snr=snr, shift=shift, seed=seed
    )
    step("comparing methods")
    return Measured(
        setting.features.names,
        tuple(maps),
        ranked,
        curves,
        numbers,
        agreement(beside, seed=seed),
        {name: complexity(m, seed=seed) for name, m in beside.items()},
        sane,
        stable,
        setting.held if any(holds(asked[name]) for name in maps) else None,
        left_out,
    )


def _maps(setting: Setting, asked: Mapping[str, Method]) -> tuple[dict[str, Array], dict[str, str]]:
    """Maps of each method, and why there are none of some."""
    maps: dict[str, Array] = {}
    left_out: dict[str, str] = {}
    for name, method in asked.items():
        try:
            maps[name] = setting.maps(method)
        except (DifferentBranches, UnsupportedOperator) as error:
            if len(left_out) + 1 == len(asked):
                raise
            left_out[name] = str(error)
    return maps, left_out
