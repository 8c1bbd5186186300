"""What the artefacts' parts of the signal carry: eyes, heart, muscle, mains, as the gate separates them.

The signal is ``x = part + rest``. With the multiplier m the relevance of a part is ``part . m``, exactly and
without dividing by anything (of a difference: the part of the window less that of its reference). It is a sum
with its sign, so it can be negative, and above 100 % where the rest speaks against.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine.errors import InputError
from ...engine.steps import step
from ..artefacts.glossary import EYE_PART, glossary
from ..artefacts.parts import ECG, KINDS, Missing, look
from ..drawing.sections import Section, Table
from ..explanation.explained import Explained
from ..explanation.pairs import n_pairs, pairs
from ..explanation.view import View
from ..text import counted
from .registry import ViewContext, register

Floats = NDArray[np.float64]

MOST = 96  # windows, evenly taken
NAMES = {"eyes": EYE_PART, "heart": "the heart's", "muscle": "the muscles'", "mains": "the mains'"}


@dataclass(frozen=True)
class ArtefactsCarry(View):
    """How much of the relevance the artefacts' parts carry.

    Attributes
    ----------
    carried : dict of str to float
        By kind: the relevance of its part over the whole relevance, both summed over windows. Parts overlap
        and need not add up.
    how : dict of str to str
        What each part was made from, as a sentence.
    missing : dict of str to Missing
        Why an artefact has no part.
    windows : int
        How many were taken.
    unasked : tuple of str
        What was not looked for: a heart without an ECG channel, the search for which takes as long as the
        explanation.
    """

    carried: Mapping[str, float]
    how: Mapping[str, str]
    missing: Mapping[str, Missing]
    windows: int
    unasked: tuple[str, ...] = ()

    name = "artefacts"

    def summary(self, explained: Explained) -> dict[str, Any]:
        """What each carries, and why others have no part."""
        return {
            "carried": dict(self.carried),
            "how": dict(self.how),
            "missing": {kind: {"why": m.why, "said": m.said} for kind, m in self.missing.items()},
            "not_looked_for": list(self.unasked),
            "windows": self.windows,
        }

    def said(self) -> str:
        """What they carry, in a sentence."""
        finite = {k: v for k, v in self.carried.items() if np.isfinite(v)}
        if not finite:
            return ""
        ranked = sorted(finite, key=lambda k: -abs(finite[k]))
        first = f"{NAMES[ranked[0]]}{'' if ranked[0] == 'eyes' else ' part'} carries"
        each = [f"{first} {_percent(finite[ranked[0]])} of the relevance"]
        each += [f"{NAMES[k]} {_percent(finite[k])}" for k in ranked[1:]]
        unseen = [kind for kind, m in self.missing.items() if m.why == "data"]
        unknown = [kind for kind, m in self.missing.items() if m.why != "data"]
        more = f"; not seen: {', '.join(unseen)}" if unseen else ""
        more += f"; could not be looked for: {', '.join(unknown)}" if unknown else ""
        more += f"; not looked for: {', '.join(self.unasked)}" if self.unasked else ""
        text = ", ".join(each) + more
        return f"{text[0].upper()}{text[1:]}."

    def answer(self, explained: Explained) -> str:
        """The sentence."""
        return self.said()

    def lines(self, explained: Explained) -> Iterator[tuple[str, str]]:
        """The sentence."""
        if said := self.said():
            yield "artefacts", said

    def sections(self, explained: Explained) -> Iterator[Section]:
        """A row for each artefact, and what the numbers about the eyes are."""
        rows = [(kind, _percent(v), self.how.get(kind, "")) for kind, v in self.carried.items()]
        rows += [(kind, "", m.said) for kind, m in self.missing.items()]
        rows += [
            (kind, "", "There is no channel of it, and it was not looked for in the others (validate does).")
            for kind in self.unasked
        ]
        yield Section(
            "What the artefacts' parts carry",
            (
                Table(("Artefact", "of the relevance", "its part"), rows, (1,)),
                "The relevance of a part of the signal, with its sign, over all relevance "
                f"({counted(self.windows, 'window')}). Parts overlap and need not add up. Three numbers are "
                "about the eyes, and they are not the same:",
                Table(("Number", "what it is"), glossary()),
            ),
            limits=(
                "A part is a proxy: it is not free of brain activity, and the rest is not free of the "
                "artefact. An artefact that was not seen may still be there.",
            ),
        )


def carried(explained: Explained, *, most: int = MOST) -> ArtefactsCarry:
    """How much of the relevance the artefacts' parts carry.

    Parameters
    ----------
    explained : Explained
    most : int
        Windows, evenly taken.

    Raises
    ------
    InputError
        The explanation has no multiplier.
    """
    windows, held = explained.windows, explained.references
    rows = np.unique(np.linspace(0, len(windows) - 1, min(most, len(windows))).round().astype(int))
    signal, onsets = windows.signal[rows], windows.onsets[rows]
    used = np.zeros(0, dtype=np.int64)
    if held is not None:
        used = np.unique(held.index[rows])
        signal = np.concatenate([signal, held.signal[used]])
        onsets = np.concatenate([onsets, np.asarray(held.onsets, dtype=np.float64)[used]])
    joined = replace(windows, signal=signal, onsets=onsets, labels=(None,) * len(signal))
    of_heart = any(name in channel.upper() for channel in windows.channels for name in ECG)
    kinds = tuple(kind for kind in KINDS if kind != "heart" or of_heart)
    found, missing = look(joined, kinds=kinds)
    n = len(rows)
    total = dict.fromkeys(found, 0.0)
    for j, (_, m) in enumerate(pairs(explained, "artefacts' parts", microvolt=True, rows=rows)):
        for kind, part in found.items():
            own = part.signal[:n]
            if held is not None:
                own = own - part.signal[n:][np.searchsorted(used, held.index[rows, j])]
            total[kind] += float((own * m).sum()) / n_pairs(explained)
    per_window = explained.relevance[rows].sum((-2, -1), dtype=np.float64)
    whole = float(per_window.sum())
    # Of windows whose relevance cancels nothing is a part.
    fine = abs(whole) > 0.1 * float(np.abs(per_window).sum())
    return ArtefactsCarry(
        {kind: value / whole if fine else float("nan") for kind, value in total.items()},
        {kind: part.how for kind, part in found.items()},
        missing,
        n,
        tuple(kind for kind in KINDS if kind not in kinds),
    )


@register("artefacts", needs=("multiplier",), order=20, always=True)
def _artefacts(explained: Explained, context: ViewContext) -> ArtefactsCarry:
    step("separating the artefacts' parts")
    try:
        return carried(explained)
    except InputError as e:
        return ArtefactsCarry({}, {}, {"eyes": Missing("eyes", "data", f"{e}.")}, 0)


def _percent(part: float) -> str:
    return f"{round(100 * part) or 0} %" if np.isfinite(part) else "unknown"
