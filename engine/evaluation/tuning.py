"""Choosing a composite: on one half of the windows, judged on the other.

The best of many looks better than it is on the windows that chose it. So windows are split by lot, ABPC on one
half chooses, and what is reported is ABPC on the half that had no say, beside that of the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..composite import Composite, composite
from ..errors import InputError, OnnxplainError
from .curves import POINTS, RUNS, faithfulness
from .intervals import Estimate, estimate
from .replacement import Transplant
from .setting import Setting

Array = np.ndarray[Any, Any]

DEFAULT = "attnlrp"
GAMMAS = (0.05, 0.1, 0.25, 0.5, 1.0)
FEWEST = 4


def candidates() -> dict[str, Composite]:
    """The composites that are tried, by name."""
    names = (DEFAULT, "attnlrp_pooled", "cplrp", "cplrp_pooled", "epsilon")
    return {
        **{name: composite(name) for name in names},
        **{f"gamma {g:g}": composite("gamma", {"gamma": g}) for g in GAMMAS},
        **{name: composite(name) for name in ("zplus", "gradient")},
    }


@dataclass(frozen=True)
class Tried:
    """A composite: its ABPC on the half that chooses, and less that of random orders."""

    name: str
    abpc: Estimate
    over_random: Estimate


@dataclass(frozen=True)
class Tuned:
    """The choice.

    Attributes
    ----------
    chosen, default : str
    composite : Composite
        The one chosen.
    tried : tuple of Tried
        Best first, on the half that chooses.
    held_out, default_held_out : Estimate
        ABPC on the other half.
    gain : Estimate
        The choice's less the default's there, in pairs.
    random : Estimate
        Of random orders there.
    windows : (int, int)
        In the half that chooses and in the other.
    refused : dict of str to str
        Composites that could not be used on this model, and why.
    """

    chosen: str
    default: str
    composite: Composite
    tried: tuple[Tried, ...]
    held_out: Estimate
    default_held_out: Estimate
    gain: Estimate
    random: Estimate
    windows: tuple[int, int]
    refused: Mapping[str, str]

    @property
    def sentence(self) -> str:
        """The result in words."""
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

    @property
    def better(self) -> bool:
        """Whether the choice is another one than the default, and told from it on the held-out half."""
        return self.chosen != self.default and self.gain.above_zero


def halves(n: int, seed: int) -> tuple[Array, Array]:
    """Indices of two halves of n windows, by lot."""
    order = np.random.default_rng((seed, 0x2A)).permutation(n)
    return np.sort(order[: (n + 1) // 2]), np.sort(order[(n + 1) // 2 :])


def tune(
    setting: Setting,
    composites: Mapping[str, Composite] | None = None,
    *,
    default: str = DEFAULT,
    points: int = POINTS,
    donors: int = 4,
    random: int = 3,
    runs: int = RUNS,
    seed: int = 0,
) -> Tuned:
    """Choose a composite by ABPC.

    Parameters
    ----------
    setting : Setting
    composites : dict of str to Composite, optional
        Those to try; `candidates` by default. The default is among them.
    default : str
    points, random, runs
        As for `curves.faithfulness`.
    donors : int
        Other windows of the same half that features are transplanted from.
    seed : int

    Returns
    -------
    Tuned

    Raises
    ------
    InputError
        Too few windows for two halves, or no composite can be used on this model.
    """
    asked = dict(candidates() if composites is None else composites)
    if default not in asked:
        raise InputError(f"tune: the default {default!r} is not among {', '.join(asked)}")
    if len(setting) < 2 * FEWEST:
        raise InputError(
            f"tune: {len(setting)} windows; {2 * FEWEST} are needed, half to choose on, half to judge on"
        )
    setting = setting.settled()
    parts = [setting.some(rows) for rows in halves(len(setting), seed)]
    maps, refused = {}, {}
    for name, rules in asked.items():
        try:
            maps[name] = parts[0].maps(rules)
        except OnnxplainError as error:
            if name == default:
                raise
            refused[name] = str(error)

    def scored(part: Setting, found: Mapping[str, Array]) -> Any:
        filling = Transplant(part.features, part.x, donors=donors, seed=seed)
        return faithfulness(part, found, filling, points=points, random=random, runs=runs, seed=seed)

    _, numbers = scored(parts[0], maps)
    tried = sorted((Tried(n, numbers[n].abpc, numbers[n].abpc_over_random) for n in maps), key=_best)
    chosen = tried[0].name
    if tried[0].abpc.value <= numbers[default].abpc.value:
        chosen = default  # as good as the best: no reason to leave it
    judged = {name: parts[1].maps(asked[name]) for name in dict.fromkeys((chosen, default))}
    curves, held = scored(parts[1], judged)
    return Tuned(
        chosen,
        default,
        asked[chosen],
        tuple(tried),
        held[chosen].abpc,
        held[default].abpc,
        estimate(curves[chosen].abpc - curves[default].abpc, seed=seed),
        held["random"].abpc,
        (len(parts[0]), len(parts[1])),
        refused,
    )


def _best(tried: Tried) -> float:
    return -tried.abpc.value
