"""Choosing a composite, and what windows are held against: on one half of them, judged on the other.

The best of many looks better than it is on the windows that chose it. So windows are split at random, ABPC on
one half chooses, and what is reported is ABPC on the half that had no say, beside that of the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..composite import Composite, composite
from ..errors import InputError, OnnxplainError
from .curves import POINTS, RUNS, faithfulness
from .intervals import Estimate, estimate
from .references import ANY, OTHER, Against
from .replacement import Replacement, Transplant
from .setting import DIFFERENCE, DONORS, Setting

Array = np.ndarray[Any, Any]

DEFAULT = "attnlrp"
GAMMAS = (0.05, 0.1, 0.25, 0.5, 1.0)
COUNTS = (2, 4, 8)
FEWEST = 4


@dataclass(frozen=True)
class Candidate:
    """What is tried.

    Attributes
    ----------
    composite : Composite
    against : str
        "other" or "any" windows, or what the setting's own are called; "" for relevance against zero.
    references : int
        How many; 0 against zero.
    """

    composite: Composite
    against: str = ""
    references: int = 0

    def of(self, setting: Setting) -> Setting:
        """The setting, held against these."""
        if not self.against:
            return setting
        own = replace(setting.against, references=self.references)
        if self.against in (OTHER, ANY):
            own = replace(own, which=self.against)
        return setting.held_against(own)


def against_zero() -> dict[str, Candidate]:
    """The composites that are tried against zero, by name."""
    names = (DEFAULT, "attnlrp_pooled", "cplrp", "cplrp_pooled", "epsilon")
    return {
        **{name: Candidate(composite(name)) for name in names},
        **{f"gamma {g:g}": Candidate(composite("gamma", {"gamma": g})) for g in GAMMAS},
        **{name: Candidate(composite(name)) for name in ("zplus", "gradient")},
    }


def differences(*against: str) -> dict[str, Candidate]:
    """`difference` against each of these, with ever more references, by name.

    Parameters
    ----------
    *against : str
        As for `Candidate`.
    """
    return {
        difference(a, n): Candidate(composite(DIFFERENCE), a, n)
        for a in dict.fromkeys(against)
        for n in COUNTS
    }


def difference(against: str, references: int) -> str:
    """The name of one of them."""
    return f"{DIFFERENCE}, {references} {against}"


def candidates(against: Against | None = None) -> dict[str, Candidate]:
    """All that are tried, by name.

    Parameters
    ----------
    against : Against, optional
        What the windows would be held against; where these are neither other windows nor any, they are
        tried in their place.
    """
    which = (OTHER, ANY) if against is None or against.which in (OTHER, ANY) else (against.which,)
    return {**against_zero(), **differences(*which)}


@dataclass(frozen=True)
class Tried:
    """A candidate: its ABPC on the half that chooses, and less that of random orders."""

    name: str
    abpc: Estimate
    over_random: Estimate


@dataclass(frozen=True)
class Tuned:
    """The choice.

    Attributes
    ----------
    chosen, default : str
    candidate, stay : Candidate
        The one chosen, and the default.
    tried : tuple of Tried
        Best first, on the half that chooses.
    held_out, default_held_out : Estimate
        ABPC on the other half.
    gain : Estimate
        The choice's less the default's there, in pairs.
    random : Estimate
        Of random orders there.
    also : str
        Another replacement that the choice is judged by; "" for none.
    gain_also : Estimate or None
        The gain by that one.
    windows : (int, int)
        In the half that chooses and in the other.
    refused : dict of str to str
        Candidates that could not be used on this model, and why.
    """

    chosen: str
    default: str
    candidate: Candidate
    stay: Candidate
    tried: tuple[Tried, ...]
    held_out: Estimate
    default_held_out: Estimate
    gain: Estimate
    random: Estimate
    windows: tuple[int, int]
    refused: Mapping[str, str]
    also: str = ""
    gain_also: Estimate | None = None

    @property
    def sentence(self) -> str:
        """The result in words, with what another replacement says of it."""
        if self.gain_also is None or self.chosen == self.default:
            return self._own
        said = f"{self._own} By {self.also}, which had no say, the difference is {self.gain_also}"
        if not self.gain_also.tells:
            return f"{said}, not told from none."
        if self.contradicted:
            return (
                f"{said}: the two contradict each other, so that {self.chosen} suits one way of taking "
                f"features away and not the model; keep {self.default}."
            )
        return f"{said}."

    @property
    def contradicted(self) -> bool:
        """Whether one replacement finds the choice better and the other finds it worse."""
        other = self.gain_also
        return other is not None and (
            (self.gain.above_zero and other.high < 0) or (other.above_zero and self.gain.high < 0)
        )

    @property
    def _own(self) -> str:
        where = f"on {self.windows[1]} windows that had no say"
        if self.chosen == self.default:
            return f"The default, {self.default}, is the best; its ABPC {where} is {self.held_out}."
        said = f"{self.chosen} has an ABPC of {self.held_out} {where}, {self.default} {self.default_held_out}"
        if self.gain.above_zero:
            return f"{said}: better by {self.gain}."
        if self.gain.tells:
            return f"{said}: worse by {self.gain}. What chose it was chance; keep {self.default}."
        return (
            f"{said}. The difference of {self.gain} is not told from none: this is no reason to leave "
            f"{self.default}."
        )

    def summary(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "chosen": self.chosen,
            "default": self.default,
            "advised": self.advised[0],
            "composite": self.candidate.composite.name,
            "parameters": dict(self.candidate.composite.parameters),
            "against": self.candidate.against or None,
            "references": self.candidate.references,
            "better": self.better,
            "sentence": self.sentence,
            "held_out": self.held_out.to_dict(),
            "default_held_out": self.default_held_out.to_dict(),
            "gain": self.gain.to_dict(),
            "random_held_out": self.random.to_dict(),
            "also": self.also or None,
            "contradicted": self.contradicted,
            "gain_also": None if self.gain_also is None else self.gain_also.to_dict(),
            "windows": {"choose": self.windows[0], "judge": self.windows[1]},
            "tried": [
                {"name": t.name, "abpc": t.abpc.to_dict(), "over_random": t.over_random.to_dict()}
                for t in self.tried
            ],
            "refused": dict(self.refused),
        }

    @property
    def advised(self) -> tuple[str, Candidate]:
        """What to explain with: the choice where it is better, and the default else."""
        return (self.chosen, self.candidate) if self.better else (self.default, self.stay)

    @property
    def better(self) -> bool:
        """Whether the choice is told from the default on the held-out half, and not contradicted."""
        return self.chosen != self.default and self.gain.above_zero and not self.contradicted


def halves(n: int, seed: int) -> tuple[Array, Array]:
    """Indices of two halves of n windows, at random."""
    order = np.random.default_rng((seed, 0x2A)).permutation(n)
    return np.sort(order[: (n + 1) // 2]), np.sort(order[(n + 1) // 2 :])


def tune(
    setting: Setting,
    tried: Mapping[str, Candidate] | None = None,
    *,
    default: str = DEFAULT,
    also: Replacement | None = None,
    points: int = POINTS,
    donors: int = DONORS,
    random: int = 3,
    runs: int = RUNS,
    seed: int = 0,
) -> Tuned:
    """Choose a composite, and what windows are held against, by ABPC.

    Parameters
    ----------
    setting : Setting
    tried : dict of str to Candidate, optional
        `candidates` by default. The default is among them.
    default : str
        What the choice is held against; "attnlrp" where it cannot be had of this model.
    also : Replacement, optional
        Another than transplants, to judge the choice by, too.
    points, random, runs
        As for `curves.faithfulness`.
    donors : int
        Other windows of the same half that features are transplanted from. References are of the same half,
        too, or of windows that are in neither; a window is never held against its donors.
    seed : int

    Returns
    -------
    Tuned

    Raises
    ------
    InputError
        Too few windows for two halves, or the default cannot be used on this model.
    """
    asked = dict(candidates(setting.against) if tried is None else tried)
    if default not in asked:
        raise InputError(f"tune: the default {default!r} is not among {', '.join(asked)}")
    if len(setting) < 2 * FEWEST:
        raise InputError(
            f"tune: {len(setting)} windows; {2 * FEWEST} are needed, half to choose on, half to judge on"
        )
    setting = setting.settled()
    parts = [replace(setting.some(r), seed=seed, donors=donors) for r in halves(len(setting), seed)]
    maps, refused = {}, {}
    for name, one in asked.items():
        try:
            maps[name] = one.of(parts[0]).maps(one.composite)
        except OnnxplainError as error:
            refused[name] = str(error)
            if name == default:
                if default == DEFAULT or DEFAULT not in asked:
                    raise
                default = DEFAULT
    if default not in maps:
        raise InputError(f"tune: {default}: {refused[default]}")

    def scored(part: Setting, found: Mapping[str, Array], by: Replacement | None = None) -> Any:
        filling = by or Transplant(part.features, part.x, donors=donors, seed=seed)
        return faithfulness(part, found, filling, points=points, random=random, runs=runs, seed=seed)

    _, numbers = scored(parts[0], maps)
    ranked = sorted((Tried(n, numbers[n].abpc, numbers[n].abpc_over_random) for n in maps), key=_best)
    chosen = ranked[0].name
    if ranked[0].abpc.value <= numbers[default].abpc.value:
        chosen = default  # as good as the best: no reason to leave it
    judged = {
        name: asked[name].of(parts[1]).maps(asked[name].composite)
        for name in dict.fromkeys((chosen, default))
    }
    curves, held = scored(parts[1], judged)
    gain_also = None
    if also is not None:
        others, _ = scored(parts[1], judged, also)
        gain_also = estimate(others[chosen].abpc - others[default].abpc, seed=seed)
    return Tuned(
        chosen,
        default,
        asked[chosen],
        asked[default],
        tuple(ranked),
        held[chosen].abpc,
        held[default].abpc,
        estimate(curves[chosen].abpc - curves[default].abpc, seed=seed),
        held["random"].abpc,
        (len(parts[0]), len(parts[1])),
        refused,
        also.name if also is not None else "",
        gain_also,
    )


def _best(tried: Tried) -> float:
    return -tried.abpc.value
