"""Beside relevance of a difference: the same windows against zero, by the composite that was asked for.

Both are exact, of unlike questions. Against zero relevance says what a network takes up; against other
windows, what made its answer another one. Where they disagree the first is what is there, and the second what
decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import spearmanr

from ..drawing.sections import Picture, Section, Table
from ..explanation import shares
from ..explanation.explained import Explained
from ..explanation.view import View
from ..text import listed, plain
from .registry import ViewContext, register

# Electrodes that a sentence names.
_NAMED = 3


@dataclass(frozen=True)
class AgainstZero(View):
    """The map of the same windows against zero.

    Attributes
    ----------
    composite : str
        Its name.
    plain : Explained
        The explanation.
    rank : float
        Spearman's correlation of the electrodes' shares in both maps; NaN where one has none.
    """

    composite: str
    plain: Explained
    rank: float

    name = "zero"

    def data_vars(self) -> Mapping[str, xr.DataArray]:
        """Relevance against zero (epoch, channel, time)."""
        return {"relevance_zero": self.plain.dataset["relevance"]}

    def summary(self, explained: Explained) -> dict[str, Any]:
        """Shares of sets and regions, the ledger, and how far both maps agree."""
        own = shares.by_electrode(self.plain.relevance)
        data = self.plain.dataset
        return {
            "composite": self.composite,
            "rank": self.rank,
            "shares": [
                asdict(s)
                for s in shares.by_set(self.plain.relevance, explained.electrodes, explained.regions.sets)
            ],
            "electrodes": {plain(c): float(v) for c, v in zip(explained.electrodes, own, strict=True)},
            "explained": float(data["explained"].mean()),
            "closure": float(np.max(data["closure"].values)) if "closure" in data else None,
            "ledger": {str(k): float(v) for k, v in data["ledger"].mean("epoch").to_series().items()}
            if "ledger" in data
            else {},
            "said": self.said(explained),
        }

    def said(self, explained: Explained) -> str:
        """Where the two disagree, in a sentence."""
        first, second = (_most(e.relevance, explained) for e in (explained, self.plain))
        by = f"rank correlation of the electrodes {self.rank:.2f}"
        if set(first) & set(second):
            return (
                f"Against zero ({self.composite}) most relevance is on {listed(second)}, against other "
                f"windows on {listed(first)} ({by})."
            )
        return (
            f"The two maps disagree: against zero ({self.composite}) most relevance is on {listed(second)}, "
            f"which is what the network takes up; against other windows it is on {listed(first)}, which is "
            f"what makes its answers differ ({by})."
        )

    def answer(self, explained: Explained) -> str:
        """The sentence."""
        return self.said(explained)

    def lines(self, explained: Explained) -> Iterator[tuple[str, str]]:
        """The sentence."""
        yield "against zero", self.said(explained)

    def sections(self, explained: Explained) -> Iterator[Section]:
        """Both maps of shares, side by side."""
        both = {
            "against other windows": explained.relevance,
            f"against zero: {self.composite}": self.plain.relevance,
        }
        each = {name: shares.by_electrode(r) for name, r in both.items()}
        order = np.argsort(-each["against other windows"])[:8]
        rows = [(plain(explained.electrodes[i]), *(f"{v[i]:.1%}" for v in each.values())) for i in order]
        from ..drawing.figures import share_maps

        figure = share_maps(each, explained.electrodes)
        title = "Relevance shares against other windows, and against zero"
        pictures = () if figure is None else (Picture(figure, "zero", title, title, "On one scale."),)
        yield Section(
            "Against zero",
            (f"{self.said(explained)} {_READING}", Table(("Electrode", *each), rows, (1, 2))),
            pictures=pictures,
        )


_READING = (
    "Relevance against zero asks where there is something that the network uses at all; relevance against "
    "other windows asks what made it answer otherwise. EEG is never silent: a rhythm that is weaker than in "
    "other windows can decide, and against zero it counts for the other answer."
)


def _most(relevance: np.ndarray[Any, Any], explained: Explained) -> list[str]:
    own = shares.by_electrode(relevance)
    return [plain(explained.electrodes[i]) for i in np.argsort(-own)[:_NAMED]]


@register("zero", needs=("plain",), order=10, always=True)
def zero(explained: Explained, context: ViewContext) -> AgainstZero:
    """The explanation against zero beside one against other windows."""
    other: Explained = context.given["plain"]
    a, b = shares.by_electrode(explained.relevance), shares.by_electrode(other.relevance)
    fine = np.isfinite([*a, *b]).all() and len(a) > 2 and np.ptp(a) > 0 and np.ptp(b) > 0
    composite = str(other.provenance.get("options", {}).get("composite", ""))
    return AgainstZero(composite, other, float(spearmanr(a, b).statistic) if fine else float("nan"))
