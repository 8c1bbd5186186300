"""How good the maps of a model are on a recording: curves, sanity, stability, agreement, complexity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ...engine.composite import Composite
from ...engine.composite import composite as find_composite
from ...engine.evaluation.curves import RANDOM_NAME
from ...engine.evaluation.intervals import Estimate, estimate
from ...engine.evaluation.measure import POWER_NAME, Measured, measure
from ...engine.evaluation.metrics import MetricRow
from ...engine.evaluation.replacement import Replacement, Transplant
from ...engine.evaluation.setting import (
    AGAINST_ZERO,
    EXCHANGE,
    METHODS,
    OCCLUSION,
    OTHERS,
    Method,
    holds,
    named,
)
from ..explanation.provenance import jsonable
from ..explanation.references import NONE
from ..text import counted, listed
from .sample import Sample, sample

DONORS = 4


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What an evaluation found.

    Attributes
    ----------
    sample : Sample
    measured : Measured
    notes : tuple of str
    """

    sample: Sample
    measured: Measured
    notes: tuple[str, ...] = field(default=())

    @property
    def main(self) -> str:
        """The method that sanity and stability are of."""
        return self.measured.methods[0]

    def table(self) -> list[MetricRow]:
        """A row for each metric, method and replacement."""
        return self.measured.rows()

    def over_power(self, method: str, replacement: str = "transplant") -> Estimate:
        """ABPC of a method less that of an order by power, in pairs within windows."""
        curves = self.measured.curves[replacement]
        seed = self.sample.setting.seed
        return estimate(curves[method].abpc - curves[POWER_NAME].abpc, seed=seed)

    def summary(self) -> dict[str, Any]:
        """The numbers of evaluation.json."""
        found, stages = self.measured, self.measured.sanity.stages
        pairs = [
            {
                "first": p.first,
                "second": p.second,
                "rank": p.rank.to_dict(),
                "top": p.top.to_dict(),
            }
            for p in found.agreement.pairs
        ]
        summary: dict[str, Any] = jsonable(
            {
                **self.sample.provenance,
                "unit": self.sample.unit,
                "features": {"kind": self.sample.kind, "names": list(found.features)},
                "windows": {"evaluated": len(self.sample.setting), "of": self.sample.of},
                "methods": list(found.methods),
                "left_out": dict(found.left_out),
                "against": None if found.held is None else found.held.said,
                "sentences": self.sentences(),
                "metrics": [row.to_dict() for row in self.table()],
                "over_power": {
                    r: {m: self.over_power(m, r).to_dict() for m in found.methods} for r in found.curves
                },
                "agreement": {"k": found.agreement.k, "chance": found.agreement.chance, "pairs": pairs},
                "cascade": [
                    {
                        "random": s.random,
                        "rank": s.similarity.rank.to_dict(),
                        "cosine": s.similarity.cosine.to_dict(),
                    }
                    for s in stages
                ],
                "stability": {what: asdict(change) for what, change in found.stability.items()},
                "decisions": list(self.sample.decisions),
                "notes": [*self.notes, *found.sanity.notes],
            }
        )
        return summary

    def sentences(self) -> list[str]:
        """The findings in words, with what they do not say."""
        found, main = self.measured, self.main
        said = []
        for replacement, numbers in found.faithfulness.items():
            own = numbers[main]
            told = "not told from"
            # Random orders have 0 in truth: where a few of them happen to lie below, that tells nothing.
            if own.abpc_over_random.above_zero and own.abpc.above_zero:
                told = "more than"
            elif own.abpc_over_random.high < 0 and own.abpc.high < 0:
                told = "less than"
            said.append(
                f"By {replacement}: {main}'s order of the {self.sample.kind} has an area between curves "
                f"(ABPC) of {own.abpc} {self.sample.unit}, {told} random orders "
                f"({numbers[RANDOM_NAME].abpc.value:.3g})."
            )
            over = self.over_power(main, replacement)
            how = (
                "more than"
                if over.above_zero
                else "less than"
                if over.high < 0
                else "no different, as far as can be told, from"
            )
            said.append(
                f"By {replacement}: that is {how} ordering by power alone, which knows nothing of the "
                f"model and has {numbers[POWER_NAME].abpc}; difference {over}."
            )
            best = max(found.methods, key=lambda m: numbers[m].abpc.value)
            removal = best in (OCCLUSION, EXCHANGE)
            own_game = " (which is made by what the curves do, one step of it)" if removal else ""
            said.append(f"By {replacement}: the largest area is {best}'s{own_game}, {numbers[best].abpc}.")
        leaders = {
            r: max(found.methods, key=lambda m: f[m].abpc.value) for r, f in found.faithfulness.items()
        }
        if len(set(leaders.values())) > 1:
            each = ", ".join(f"{method} by {r}" for r, method in leaders.items())
            said.append(
                f"Which method is the most faithful depends on what stands in for what is gone: {each}."
            )
        stages = found.sanity.stages
        if stages:
            first, last = stages[0], stages[-1]
            said.append(
                f"With {first.random:.0%} of the layers random (from the output on) {main}'s map keeps a "
                f"rank correlation of {first.similarity.rank} with the trained model's; with "
                f"{last.random:.0%} random {last.similarity.rank}. Necessary, and no ranking of methods."
            )
        noise = found.stability["noise"]
        said.append(
            f"Under noise the map keeps a rank correlation of {noise.similarity.rank}, while the explained "
            f"number moves by {noise.output.value:.3g} {self.sample.unit}."
        )
        pairs = [p for p in found.agreement.pairs if main in (p.first, p.second)]
        for p in pairs:
            other = p.second if p.first == main else p.first
            if other == POWER_NAME:
                said.append(
                    f"|Relevance| by {main} correlates with the {self.sample.kind}' power by {p.rank}."
                )
        return said

    def lines(self) -> list[tuple[str, str]]:
        """The summary in a few lines, as (what, text)."""
        made = self.sample.provenance
        return [
            ("model", f"{made['model']['file']}  (sha256 {made['model']['sha256'][:12]})"),
            (
                "data",
                f"{made['data']['file']}: {len(self.sample.setting)} of {self.sample.of} windows, "
                f"{len(self.measured.features)} {self.sample.kind}",
            ),
            *(("finding", s) for s in self.sentences()),
            *(("note", n) for n in (*self.notes, *self.measured.sanity.notes)),
        ]


def evaluate(
    model: Path, data: Path, *, methods: Sequence[Method] | None = None, donors: int = DONORS, **given: Any
) -> Evaluation:
    """Evaluate maps of a model on a recording.

    Parameters
    ----------
    model, data : Path
    methods : sequence of str or Composite, optional
        To compare; the composite that is asked for comes first, whether it is among them or not. By default
        `METHODS`, or where windows are held against nothing those of them that need nothing.
    donors : int
        Other windows that features are transplanted from.
    **given
        As for `sample.sample`.

    Returns
    -------
    Evaluation

    Raises
    ------
    OnnxplainError
        The model or the recording cannot be used, in one line.
    """
    return evaluated(sample(model, data, **given), methods=methods, donors=donors)


def evaluated(found: Sample, *, methods: Sequence[Method] | None = None, donors: int = DONORS) -> Evaluation:
    """Evaluate maps on windows that are chosen already (see `sample`)."""
    setting, seed = replace(found.setting, donors=donors), found.setting.seed
    usual = AGAINST_ZERO if found.against == NONE else METHODS
    asked = methods_of(setting.explainer.composite, usual if methods is None else methods)
    notes = []
    if found.kind == "bands" and len(setting.features.names) < 8:
        notes.append(
            f"{counted(len(setting.features.names), 'band')} make short orders: curves have few steps, "
            "and correlations over them few values."
        )
    filled: list[Replacement] = [Transplant(setting.features, setting.x, donors=donors, seed=seed)]
    if found.interpolation is not None:
        filled.append(found.interpolation)
    made = measure(setting, asked, filled, time_axes=found.time_axes, seed=seed)
    if made.held is not None:
        those = listed([m for m in made.methods if holds(asked[m])])
        notes.append(
            f"Against {made.held.said} each: {those}; never one that features are transplanted from. "
            f"{made.held.note}".strip()
        )
    notes += [f"Without {name}: {why}" for name, why in made.left_out.items()]
    return Evaluation(replace(found, setting=setting), made, tuple(notes))


def methods_of(own: Composite, methods: Sequence[Method]) -> dict[str, Method]:
    """Methods by name, the composite that was asked for first.

    Raises
    ------
    InputError
        A name is unknown, or stands twice.
    """
    changed = ", ".join(f"{k} {v:g}" for k, v in own.parameters.items())
    preset = own.name in METHODS and find_composite(own.name) == own
    first = own.name if preset or not changed else f"{own.name} ({changed})"
    rules: list[Method] = []
    for m in methods:
        rules.append(m if isinstance(m, Composite) or m in OTHERS else find_composite(m))
    return {first: own, **{k: v for k, v in named(tuple(rules)).items() if v != own}}
