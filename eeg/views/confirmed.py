"""What the strongest parts of a map are worth when they are exchanged: the first thing said of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from ...engine.explainer import Explainer
from ..drawing.sections import Section, Table
from ..exchange.confirm import Confirmed, Way, confirm, percent
from ..explanation.explained import Explained
from ..explanation.view import View
from .registry import ViewContext, register


@dataclass(frozen=True)
class PartsExchanged(View):
    """The exchange of a map's strongest parts.

    Attributes
    ----------
    found : Confirmed or None
    notes : tuple of str
    """

    found: Confirmed | None
    notes: tuple[str, ...] = ()

    name = "exchange"

    def summary(self, explained: Explained) -> dict[str, Any] | None:
        """The verdict, and how far each of the parts went."""
        if self.found is None:
            return None
        found = self.found
        return {"verdict": found.verdict, "said": found.said(), **asdict(found)}

    def answer(self, explained: Explained) -> str:
        """The sentence."""
        return "" if self.found is None else f"Exchange of the strongest parts: {self.found.said()}"

    def lines(self, explained: Explained) -> Iterator[tuple[str, str]]:
        """The sentence."""
        if self.found is not None:
            yield "exchange", self.found.said()

    def sections(self, explained: Explained) -> Iterator[Section]:
        """The sentence, and a row for each of the parts."""
        if self.found is None:
            return
        found = self.found
        ways = [found.whole, *([found.narrowed] if found.narrowed is not None else []), found.control]
        said = found.said()
        yield Section(
            "Confirmed by exchange?",
            (
                f"{said[0].upper()}{said[1:]} The map's parts were found in one half of the windows, "
                "the pairs are of the other.",
                Table(("Exchanged", "of the way", "95 % interval"), [_row(w) for w in ways], (1, 2)),
            ),
            limits=(
                "An exchange of electrodes takes along whatever else they carry: it confirms that the "
                "decision goes with these parts, and not why.",
            ),
        )


def _row(way: Way) -> tuple[str, str, str]:
    return way.parts, percent(way.way), f"{percent(way.low)} to {percent(way.high)}"


@register("exchange", needs=("model", "reference_index"), order=5, always=True)
def exchange(explained: Explained, context: ViewContext) -> PartsExchanged:
    """PartsExchanged the strongest parts of a map against other windows."""
    options = explained.provenance.get("options", {})
    explainer = Explainer(context.model, contract=explained.contract, threads=options.get("threads"))
    bands = {k: (float(v[0]), float(v[1])) for k, v in options.get("bands", {}).items()}
    found = confirm(explained, explainer, seed=context.seed, bands=bands or None)
    if found is None:
        return PartsExchanged(
            None, ("Too few windows to exchange parts of: the map is not confirmed by any exchange.",)
        )
    return PartsExchanged(found)
